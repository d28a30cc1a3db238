"""A network as a member of a decoder: built again from its description, one window at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from rtbci.decoding.decoders.scaling import Preparation
from rtbci.networks import build
from rtbci.networks.dims import Dims
from rtbci.networks.model import Model
from rtbci.networks.recordings import sites_of
from rtbci.types import Array, Samples

WHO = "new"  # the person, inside the network


def restored(dims: Dims, mounted: Sequence[str], weights: Mapping[str, Any]) -> Model:
    """The network with the backbone's ``weights`` (arrays by name), electrodes ``mounted``.

    Raises ``RuntimeError`` for weights of another network.
    """
    torch.set_num_threads(1)  # two threads are slower than one on the live path
    model = build(dims)
    model.backbone.mount(mounted)
    model.add_subject(WHO)
    shapes = {name: value.shape for name, value in model.backbone.state_dict().items()}
    model.backbone.load_state_dict(
        {name: torch.tensor(a).reshape(shapes[name]) for name, a in weights.items()}
    )  # a single number comes back from disk as an array of one
    return model.eval()


def embedding(model: Model, x: Samples | Array, prepared: Preparation) -> Samples:
    """The ``(d,)`` numbers that a head sees of one window ``x`` (channels, times), uV."""
    with torch.no_grad():
        group = torch.zeros(1, dtype=torch.int64)
        z = torch.tensor(prepared.apply(x))[None]
        return model.backbone(z, sites_of([WHO], [prepared]), group)[0].numpy()
