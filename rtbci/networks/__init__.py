"""Neural networks, one per file, from windows of scaled EEG to embeddings.

``NETWORKS`` lists them with the input each needs; ``build`` imports torch and constructs one.
Filters are causal; ``rtbci.signal.recipe.make_recipe`` designs them from the bands below.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from rtbci.errors import BadInput, Missing
from rtbci.networks.dims import Dims

if TYPE_CHECKING:
    from rtbci.networks.model import Model

# Window after the onset, s. The 122-channel dataset holds no more than this.
WINDOW = (0.0, 0.5)
# Prefix of a braindecode model's name.
OTHERS = "braindecode:"


@dataclass(frozen=True)
class Network:
    """Module and input requirements of one network, with its default dimensions."""

    module: str  # dotted name; the module defines ``Backbone``
    band: tuple[float, float]  # Hz
    line: float | None  # mains notch, Hz
    embedding: int  # default size of the embedding
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    about: str = ""


NETWORKS: dict[str, Network] = {
    "montagenet": Network(
        "rtbci.networks.montagenet", (0.3, 40.0), None, 64,
        about="electrode positions to 32 virtual channels, then a small trunk; any montage",
    ),
    "electrode-transformer": Network(
        "rtbci.networks.electrode_transformer", (0.3, 100.0), 50.0, 64,
        MappingProxyType({"head": "linear"}),
        about="64 numbers per electrode, transformer over electrodes (CMU 11-685)",
    ),
    "spectrogram-cnn": Network(
        "rtbci.networks.spectrogram_cnn", (14.0, 70.0), 50.0, 128,
        about="residual network on 40 ms spectrograms (Ferrante et al.)",
    ),
    "deep4": Network(
        "rtbci.networks.deep4", (0.3, 50.0), None, 128,
        about="Deep4 to 128 numbers (EEG-CLIP)",
    ),
    "eegnet": Network(
        "rtbci.networks.eegnet", (0.3, 40.0), None, 48,
        about="EEGNet-8,2 (Lawhern et al.)",
    ),
}  # fmt: skip


def network(name: str) -> Network:
    """Entry of ``NETWORKS``, or one made for ``braindecode:MODEL``.

    Raises ``BadInput`` for any other name.
    """
    if name.startswith(OTHERS):
        return Network("rtbci.networks.others", (0.3, 40.0), None, 64, about=f"{name}, as it is")
    if name not in NETWORKS:
        raise BadInput(f"no network {name!r}; there are {', '.join(NETWORKS)}, {OTHERS}MODEL")
    return NETWORKS[name]


def build(dims: Dims, seed: int = 0) -> "Model":
    """Untrained network of these dimensions; raises ``Missing`` if torch is not installed."""
    entry = network(dims.model)
    try:
        model = import_module("rtbci.networks.model")
        module = import_module(entry.module)
    except ImportError as error:
        raise Missing(
            f"networks need torch, which does not load ({error}); pip install 'rtbci[deep]'"
        ) from error
    return model.assemble(module.Backbone, dims, seed)
