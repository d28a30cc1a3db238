"""Decoder that runs a network of ``rtbci.networks`` in torch, as a member of a stacked decoder.

torch is loaded at first use. MontageNet has its own forward pass in numpy and does not need this.
Everything is stored as arrays; the description of the network is a JSON text in bytes.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtbci.decoding.decoders.scaling import Preparation
from rtbci.networks.dims import Dims
from rtbci.types import Answer, Array, Samples

if TYPE_CHECKING:
    from rtbci.networks.model import Model

WEIGHTS = "weight:"  # prefix of the names of the network's own arrays


@dataclass(frozen=True)
class TorchDecoder:
    """A network with one person's head; ``x`` is (channels, times) or (streams, ...), uV."""

    classes: tuple[str, ...]
    about: NDArray[np.uint8]  # (bytes,) JSON: dims, and the electrodes of the input
    stream: Array  # (1,) which stream of the window is the network's
    grid: Array  # (times of the window, times of the network); no rows if they are the same
    scale: Array  # (channels,) uV
    covariance: Array  # (channels, channels) of scaled windows
    good: NDArray[np.floating]  # (channels,) 0 or 1
    class_head: Array  # (classes, d)
    class_bias: Array
    weights: Mapping[str, Any]  # of the backbone, by name
    _loaded: "list[Model]" = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.class_head) != len(self.classes) or len(self.class_bias) != len(self.classes):
            raise ValueError(f"weights are not those of {len(self.classes)} classes")
        if self.class_head.shape[1] != self.dims().embedding:
            raise ValueError("the head does not fit the embedding")
        if len(self.mounted()) != len(self.scale):
            raise ValueError(f"scales are not those of {len(self.mounted())} electrodes")

    def dims(self) -> Dims:
        """Dimensions the network was built with; raises ``ValueError`` if they are not valid."""
        found = self._document()["dims"]
        for name in ("channels", "classes", "subjects"):
            found[name] = tuple(found[name])
        return Dims(**found)

    def mounted(self) -> tuple[str, ...]:
        """Names of the electrodes of ``x``."""
        return tuple(self._document()["mounted"])

    def _document(self) -> dict[str, Any]:
        found = json.loads(np.asarray(self.about, np.uint8).tobytes().decode("utf-8"))
        if not isinstance(found, dict):
            raise TypeError("the description of the network is not a JSON object")
        return found

    @property
    def dimensions(self) -> int:
        """Size of the text embedding: 0, because only MontageNet has a text head that runs live."""
        return 0

    def answer(self, x: Samples | Array) -> Answer:
        """Log-odds ``(classes,)`` of one window; no embedding."""
        return Answer(self.logits(x))

    def logits(self, x: Samples | Array) -> Array:
        """Log-odds ``(classes,)`` of one window."""
        return (self.class_head @ self.backbone_output(x) + self.class_bias).astype(np.float64)

    def backbone_output(self, x: Samples | Array) -> Samples:
        """Embedding ``(d,)``, the input of the head."""
        from rtbci.networks import member

        if x.ndim == 3:
            x = x[int(self.stream[0])]
        if not self._loaded:
            self._loaded.append(member.restored(self.dims(), self.mounted(), self.weights))
        prepared = Preparation(self.scale, self.covariance, self.good > 0)
        seen = x @ self.grid if len(self.grid) else x
        return member.embedding(self._loaded[0], seen, prepared)

    def arrays(self) -> dict[str, Array]:
        """All fields except the class names, for ``weights.safetensors``."""
        kept = [each.name for each in fields(self) if each.init]
        own = {n: getattr(self, n) for n in kept if n not in ("classes", "weights")}
        return own | {f"{WEIGHTS}{name}": array for name, array in self.weights.items()}

    @classmethod
    def from_arrays(cls, classes: tuple[str, ...], arrays: dict[str, Any]) -> "TorchDecoder":
        """Decoder from its ``arrays``; raises ``KeyError`` or ``TypeError`` for other arrays."""
        own = {n: array for n, array in arrays.items() if not n.startswith(WEIGHTS)}
        weights = {
            n.removeprefix(WEIGHTS): array for n, array in arrays.items() if n.startswith(WEIGHTS)
        }
        return cls(classes, weights=weights, **own)


def about(dims: Dims, mounted: tuple[str, ...]) -> NDArray[np.uint8]:
    """Description of a network as bytes in an array."""
    document = {"dims": asdict(dims) | {"options": dict(dims.options)}, "mounted": list(mounted)}
    return np.frombuffer(json.dumps(document).encode("utf-8"), np.uint8).copy()
