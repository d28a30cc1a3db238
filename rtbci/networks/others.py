"""Models of braindecode, by name, as backbones.

    --model braindecode:EEGConformer        an option of pretrain
    build_braindecode("EEGNet", channels, outputs=64, times=125)

braindecode imports torchaudio for a few filters, and torchaudio's compiled library on Linux was
linked against one build of torch with CUDA (libtorch_cuda, libc10_cuda, libcudart.so.13). With a
CPU build of torch, or one for another CUDA, ``import braindecode`` fails. torchaudio itself works
without that library and has a flag for it in its module ``torchaudio._extension``; we set the
flag before torchaudio looks for the library. The filters then run as torch operations, with the
same result.

Nothing is downloaded: a model that needs the network for weights or positions is refused. Dropout
and batch normalisation are braindecode's own, so unlike with our networks two processes of
``torchrun`` do not give exactly the loss of one.
"""

import contextlib
import difflib
import inspect
import logging
import math
import os
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from rtbci.errors import BadInput, Missing
from rtbci.foreign_text import clean
from rtbci.formats.source import regular
from rtbci.networks import OTHERS
from rtbci.networks.dims import RATE, Dims
from rtbci.networks.electrodes import FixedChannels
from rtbci.networks.layers import TrialDropout
from rtbci.networks.model import BackboneModule
from rtbci.networks.recordings import RecordingContext
from rtbci.signal.montage import position

INSTALL = "pip install 'rtbci[braindecode]' brings versions that fit each other"
# Models that download a table of electrode positions when constructed (braindecode 1.8.1).
FETCHES = ("REVE",)
# Arguments that build_braindecode sets itself; a model's other arguments can be given as options.
OURS = ("n_chans", "n_outputs", "n_times", "sfreq", "chs_info", "input_window_seconds")
# Smallest share of a model's parameters that a weights file has to provide.
LEAST_LOADED = 0.5
# FIFF constants of mne.io.constants: an EEG channel, an EEG coil, volts, head coordinates.
_CHANNEL = {"kind": 2, "coil_type": 1, "unit": 107, "unit_mul": 0, "coord_frame": 4}


class BraindecodeBackbone(BackboneModule):
    """A braindecode model whose outputs are the embedding; see ``rtbci.networks.model``.

    The model is built for the electrodes of ``dims`` and finds them by name in other montages.
    """

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.electrodes = FixedChannels(dims.channels)
        self.net = build_braindecode(
            dims.model.removeprefix(OTHERS),
            dims.channels,
            outputs=dims.embedding,
            times=dims.times,
            rate=RATE,
            options=dims.options,
        )
        # Drops nothing; it receives the trials' keys from the training loop.
        self.trials = TrialDropout(0.0)

    def forward(self, x: Tensor, sites: RecordingContext, group: Tensor) -> Tensor:
        """``x`` (B, C, T), ``group`` (B,) row of ``sites``; returns (B, embedding)."""
        own = self.electrodes(x, sites.mask[group])
        keys = self.trials.keys
        if not self.training or keys is None:
            return self.net(own).flatten(1)
        # The seed depends on the trials alone, so that a resumed run drops the same units.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(keys.sum()) & (2**63 - 1))
            return self.net(own).flatten(1)


def build_braindecode(
    name: str,
    channels: Sequence[str],
    *,
    outputs: int,
    times: int,
    rate: float = RATE,
    options: Mapping[str, object] | None = None,
) -> nn.Module:
    """Model ``name`` from windows (B, channels, times) at ``rate`` Hz to (B, outputs).

    ``options`` are further arguments of that model (``{"F1": 16}``). Raises ``Missing`` if
    braindecode is not installed or does not load, and ``BadInput`` for an unknown name or for a
    model that cannot be used here because it downloads something, needs longer windows or other
    electrodes, or does not return a single embedding.
    """
    options = dict(options or {})
    kind = kind_of(name)
    _check_options(name, kind, options)
    where = f"{len(channels)} electrodes x {times} samples at {rate:g} Hz"
    with _alone():
        try:
            net: nn.Module = kind(
                n_chans=len(channels), n_outputs=outputs, n_times=times, sfreq=rate,
                chs_info=_places(channels), **options,
            )  # fmt: skip
            shape, finite = _tried(net, len(channels), times)
        except Exception as error:
            # Any exception that a third-party model raises here concerns its arguments.
            raise BadInput(
                f"braindecode's {name} does not take {where}: {_said(error)}; "
                f"take another model{_unknown_places(channels)}"
            ) from error
    if shape is None or math.prod(shape[1:]) != outputs or not finite:
        found = "numbers that are not finite" if not finite else f"an output of shape {shape}"
        raise BadInput(
            f"braindecode's {name} gives {found} for {where}; one embedding of {outputs} numbers "
            f"per trial is needed; take another model{_unknown_places(channels)}"
        )
    return net


def names() -> tuple[str, ...]:
    """Names of all braindecode models; raises ``Missing`` without braindecode."""
    return tuple(_kinds(_braindecode()))


def load_weights(net: nn.Module, path: Path) -> str:
    """Load the weights in ``path`` (safetensors) into a braindecode model; returns a summary.

    Arrays that agree in name and shape are loaded; the others, such as a last layer for other
    classes, keep their initial values. Raises ``BadInput`` if the file is not safetensors, holds
    numbers that are not finite, or provides less than half of the model.
    """
    regular(path)
    net = net.net if isinstance(net, BraindecodeBackbone) else net
    own = net.state_dict()
    renamed: dict[Any, Any] = dict(getattr(net, "mapping", None) or {})
    taken: dict[str, Tensor] = {}
    try:
        with safe_open(path, framework="pt") as file:
            stored = {renamed.get(key, key): key for key in file.keys()}  # noqa: SIM118
            for key, old in stored.items():
                wanted = own.get(key)
                if wanted is None or list(wanted.shape) != file.get_slice(old).get_shape():
                    continue
                taken[key] = file.get_tensor(old).to(wanted.dtype)
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput(
            f"{path} is not a readable safetensors file ({clean(str(error))}); "
            "pickled weights (.pt, .bin) are not read, save them with safetensors"
        ) from None
    wrong = [key for key, value in taken.items() if not bool(value.isfinite().all())]
    if wrong:
        raise BadInput(f"{path} holds numbers that are not finite in {wrong[0]}; save it again")
    share = sum(value.numel() for value in taken.values()) / max(_numbers(own.values()), 1)
    if share < LEAST_LOADED:
        raise BadInput(
            f"{path} holds {len(stored)} arrays, of which {len(taken)} fit {type(net).__name__} by "
            f"name and shape ({share:.0%} of its numbers); they were made for another model, "
            "montage, window or rate"
        )
    net.load_state_dict({**own, **taken})
    fresh = [key for key in own if key not in taken]
    return f"{len(taken)} of {len(own)} arrays were taken from {path.name}" + (
        f"; fresh: {', '.join(fresh[:6])}{', ...' if len(fresh) > 6 else ''}" if fresh else ""
    )


def _numbers(arrays: Any) -> int:
    return sum(array.numel() for array in arrays)


def _braindecode() -> ModuleType:
    """Module ``braindecode.models``; raises ``Missing`` if it is absent or does not load."""
    if find_spec("braindecode") is None:
        raise Missing(f"models of braindecode need braindecode, which is not installed; {INSTALL}")
    with _alone():
        try:
            without_compiled_audio()
            return import_module("braindecode.models")
        except Exception as error:
            # torchaudio raises OSError, RuntimeError or ImportError, depending on its version.
            raise Missing(f"braindecode does not load ({_said(error)}); {INSTALL}") from error


def without_compiled_audio() -> None:
    """Make torchaudio work without its compiled library; no-op if it is loaded already."""
    name = "torchaudio._extension"
    if "torchaudio" in sys.modules or name in sys.modules:
        return
    stand_in = ModuleType(name, "Says that torchaudio's compiled library is not there.")
    vars(stand_in).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        fail_if_no_align=_unusable,
    )
    sys.modules[name] = stand_in


def _unusable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of a torchaudio function that needs the compiled library (no model uses one)."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise RuntimeError(f"{function.__name__} needs torchaudio's compiled library")

    return refuse


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Context without network access, third-party log output or third-party warnings."""
    chatter = logging.getLogger("mne")
    level, resolve, offline = chatter.level, socket.getaddrinfo, os.environ.get("HF_HUB_OFFLINE")
    chatter.setLevel(logging.ERROR)
    os.environ["HF_HUB_OFFLINE"] = "1"
    socket.getaddrinfo = _no_network
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        socket.getaddrinfo = resolve
        chatter.setLevel(level)
        if offline is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = offline


def _no_network(*_: object, **__: object) -> NoReturn:
    raise OSError("it asked for the network, which is not allowed here")


def _kinds(models: ModuleType) -> dict[str, type[nn.Module]]:
    """Class of every model by name, including those that interpolate onto their own montage."""
    base = import_module("braindecode.models.base").EEGModuleMixin
    found: dict[str, Any] = dict(inspect.getmembers(models, inspect.isclass))
    return {n: kind for n, kind in found.items() if issubclass(kind, base) and kind is not base}


def kind_of(name: str) -> type[nn.Module]:
    """Class of the braindecode model ``name``; ``BadInput`` with similar names if unknown."""
    kinds = _kinds(_braindecode())
    if name in FETCHES:
        raise BadInput(f"braindecode's {name} fetches a file when it is made; take another model")
    if name in kinds:
        return kinds[name]
    lower = {each.lower(): each for each in kinds}
    near = difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.6)
    which = " or ".join(lower[each] for each in near) or ", ".join(sorted(kinds))
    raise BadInput(f"braindecode has no model {clean(name)!r}; did you mean {which}?")


def _check_options(name: str, kind: type[nn.Module], options: Mapping[str, object]) -> None:
    taken = [key for key in inspect.signature(kind.__init__).parameters if key != "self"]
    allowed = [key for key in taken if key not in OURS]
    wrong = [key for key in options if key not in allowed]
    if wrong:
        raise BadInput(
            f"braindecode's {name} has no option {', '.join(wrong)}; it has {', '.join(allowed)}"
        )


def _places(channels: Sequence[str]) -> list[dict[str, Any]] | None:
    """Electrodes as MNE describes them, in metres, or None if a position is unknown."""
    described = []
    for name in channels:
        place = position(name)
        if place is None:
            return None
        loc = np.full(12, np.nan)
        loc[:3], loc[3:6] = np.array(place) / 1000, 0.0
        described.append({"ch_name": name, "cal": 1.0, "range": 1.0, "loc": loc, **_CHANNEL})
    return described


def _unknown_places(channels: Sequence[str]) -> str:
    """Addition to an error message that names electrodes of unknown position, or ''."""
    unknown = [name for name in channels if position(name) is None]
    if not unknown:
        return ""
    return f" (the position of {', '.join(unknown[:5])} is unknown: rename with --rename)"


def _tried(net: nn.Module, channels: int, times: int) -> tuple[tuple[int, ...] | None, bool]:
    """Shape of the output for two trials of noise, and whether it is finite; no side effects."""
    training = net.training
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        output = net.eval()(torch.randn(2, channels, times))
    net.train(training)
    if not isinstance(output, Tensor):
        return None, True
    return tuple(output.shape), bool(output.isfinite().all())


def _said(error: Exception) -> str:
    """Beginning of a third-party error message."""
    return clean(str(error))[:200].rstrip(".;: ") or type(error).__name__


Backbone = BraindecodeBackbone  # the name that ``rtbci.networks.build`` looks up
