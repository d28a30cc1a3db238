"""Inference with a stored network: rebuilding it from its description, one window at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from rtbci.decoding.decoders.scaling import Preparation
from rtbci.networks import build
from rtbci.networks.dims import Dims
from rtbci.networks.model import Model
from rtbci.networks.recordings import sites_of
from rtbci.types import Array, Samples

WHO = "new"  # subject name of the one person within the network


def restored(dims: Dims, mounted: Sequence[str], weights: Mapping[str, Any]) -> Model:
    """Network with the backbone's ``weights`` (arrays by name) for the electrodes ``mounted``.

    Raises ``RuntimeError`` if the weights are those of another network.
    """
    torch.set_num_threads(1)  # two threads are slower than one for a single window
    model = build(dims)
    model.backbone.mount(mounted)
    model.add_subject(WHO)
    shapes = {name: value.shape for name, value in model.backbone.state_dict().items()}
    # A scalar is read back from disk as an array of one element, hence the reshape.
    model.backbone.load_state_dict(
        {name: torch.tensor(a).reshape(shapes[name]) for name, a in weights.items()}
    )
    return model.eval()


def embedding(model: Model, x: Samples | Array, prepared: Preparation) -> Samples:
    """Embedding ``(d,)`` of one window ``x`` (channels, times), uV."""
    with torch.no_grad():
        group = torch.zeros(1, dtype=torch.int64)
        z = torch.tensor(prepared.apply(x))[None]
        return model.backbone(z, sites_of([WHO], [prepared]), group)[0].numpy()
