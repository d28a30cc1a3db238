"""Pretrained backbone stored in a folder, and its use by other code.

OUT/backbone.json          what it is fed with, whom it knows, how it was trained
OUT/weights.safetensors    weights, and every subject's preparation

backbone = load_backbone(folder)
model = backbone.module()                     torch, to be trained on
model.backbone.mount(channels); model.add_subject("sub-05")
recipe = backbone.recipe(rate, channels)      the windows that it wants
prepared = fit_preparation(windows)           label-free, from calibration trials
answer = backbone.outputs(windows, prepared, subject="sub-05", model=model)
decoder = MontageNet(classes, **backbone.arrays(model, "sub-05", prepared, recipe))
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from calibration.pretraining.windows import grid_of, into_place, recipe_for
from rtbci.decoding.decoders.scaling import Preparation
from rtbci.errors import BadInput
from rtbci.networks import WINDOW, build, network
from rtbci.networks.dims import RATE, Dims
from rtbci.networks.model import Model
from rtbci.networks.recordings import RecordingContext
from rtbci.signal.recipe import Recipe
from rtbci.types import Array, Samples

VERSION = 2
FORMAT = "rtbci backbone"
RUN = ("name", "part", "marks")  # recorded for every run used in training


@dataclass(frozen=True)
class NetworkOutputs:
    """Network outputs for trials, as numpy arrays."""

    embedding: Samples  # (trials, d)
    logits: Samples  # (trials, classes)
    text: Samples | None  # (trials, text), of unit length


@dataclass(frozen=True)
class PretrainedBackbone:
    """A pretrained network in memory."""

    dims: Dims
    weights: Mapping[str, Tensor]
    preparations: Mapping[str, Preparation]  # of each subject, for sessions to come
    training: Mapping[str, Any] = field(default_factory=dict)  # split, history, seed, settings
    text_space: str | None = None
    path: Path | None = None

    @property
    def band(self) -> tuple[float, float]:
        """Pass band of the windows, Hz."""
        return network(self.dims.model).band

    @property
    def window(self) -> tuple[float, float]:
        """Window after stimulus onset, s."""
        return WINDOW

    @property
    def rate(self) -> float:
        """Sampling rate of the windows, Hz."""
        return RATE

    def runs(self, *parts: str) -> list[dict[str, str]]:
        """The runs that pretraining used as ``parts``, each with its ``name`` and the ``marks`` of
        its trials (``rtbci.decoding.trial_hashes``)."""
        return [each for each in self.training.get("runs", ()) if each["part"] in parts]

    def recipe(self, rate: float, channels: tuple[str, ...]) -> Recipe:
        """The recipe that cuts its windows from a stream of ``rate`` Hz with ``channels``."""
        return recipe_for(network(self.dims.model), rate, channels)

    def module(self, seed: int = 0) -> Model:
        """New model with the pretrained weights."""
        model = build(self.dims, seed)
        model.load_state_dict(dict(self.weights))
        return model.eval()

    def outputs(
        self,
        x: Samples | Array,
        prepared: Preparation,
        *,
        subject: str | None = None,
        channels: Sequence[str] | None = None,
        mask: NDArray[np.bool_] | None = None,
        model: Model | None = None,
        batch: int = 256,
    ) -> NetworkOutputs:
        """Outputs for windows ``x`` (trials, channels, times) in microvolts, at 250 Hz.

        ``channels`` names the electrodes of ``x`` (default: those of pretraining, or those that
        ``model`` has mounted); ``mask`` (channels,) those that are good now.
        """
        if model is None:
            model = self.module()
            if channels is not None:
                model.backbone.mount(channels)
        good = prepared.good if mask is None else prepared.good & mask
        now = Preparation(prepared.scale, prepared.covariance, good)
        covariance = torch.tensor(now.covariance, dtype=torch.float32)[None]
        sites = RecordingContext((subject or "",), torch.tensor(good)[None], covariance)
        model.eval()
        parts: list[list[Tensor]] = []
        with torch.no_grad():
            for first in range(0, len(x), batch):
                z = torch.tensor(now.apply(np.where(good[:, None], x[first : first + batch], 0)))
                output = model(z, sites, torch.zeros(len(z), dtype=torch.int64))
                text = output.text if output.text is not None else torch.zeros(len(z), 0)
                parts.append([output.embedding, output.logits,
                              torch.nn.functional.normalize(text, dim=1)])  # fmt: skip
        embedding, logits, text = (torch.cat(each).numpy() for each in zip(*parts, strict=True))
        return NetworkOutputs(embedding, logits, text if self.dims.text else None)

    def embed(self, x: Samples | Array, prepared: Preparation, **options: Any) -> Samples:
        """``outputs(...).embedding``: (trials, d)."""
        return self.outputs(x, prepared, **options).embedding

    def arrays(
        self,
        model: Model,
        subject: str | None,
        prepared: Preparation,
        recipe: Recipe,
        stream: int = 0,
    ) -> dict[str, Array]:
        """The arrays of the numpy decoder ``rtbci.decoding.decoders.montagenet.MontageNet``.

        ``recipe`` is the one that cuts the decoder's windows; ``stream`` is the network's in it.
        """
        from rtbci.networks.montagenet_arrays import arrays

        return arrays(model, subject, prepared, stream=stream, grid=grid_of(recipe))


def save_backbone(backbone: PretrainedBackbone, folder: Path) -> Path:
    """Write ``backbone`` to ``folder``: weights first, then the document that names their hash."""
    tensors = {f"model.{name}": value.contiguous() for name, value in backbone.weights.items()}
    for who, each in backbone.preparations.items():
        tensors[f"preparation.{who}.scale"] = torch.tensor(each.scale)
        tensors[f"preparation.{who}.covariance"] = torch.tensor(each.covariance)
        tensors[f"preparation.{who}.good"] = torch.tensor(each.good)
    blob = save_tensors(tensors)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "dims": asdict(backbone.dims) | {"options": dict(backbone.dims.options)},
        "band": list(backbone.band),
        "window": list(WINDOW),
        "rate": RATE,
        "text_space": backbone.text_space,
        "training": dict(backbone.training),
        "weights_sha256": hashlib.sha256(blob).hexdigest(),
    }
    into_place(folder / "weights.safetensors", lambda part: part.write_bytes(blob))
    text = json.dumps(document, indent=1)
    into_place(folder / "backbone.json", lambda part: part.write_text(text, "utf-8"))
    return folder


def load_backbone(path: str | Path) -> PretrainedBackbone:
    """Backbone in the folder ``path``; raises ``BadInput`` if the folder does not hold one."""
    folder = Path(path)
    try:
        document = json.loads((folder / "backbone.json").read_text("utf-8"))
        blob = (folder / "weights.safetensors").read_bytes()
    except OSError as error:
        raise BadInput(
            f"no pretrained backbone in {folder} ({error.strerror or error}); "
            "rtbci pretrain makes one"
        ) from error
    except ValueError as error:
        raise BadInput(f"{folder}/backbone.json is damaged ({error}); pretrain anew") from error
    if not isinstance(document, dict):
        raise BadInput(f"{folder}/backbone.json is damaged (no object); pretrain anew")
    if document.get("format") != FORMAT or document.get("version") != VERSION:
        raise BadInput(
            f"{folder} holds {document.get('format')!r} version {document.get('version')!r}, "
            f"this rtbci reads {FORMAT!r} version {VERSION}"
        )
    if hashlib.sha256(blob).hexdigest() != document.get("weights_sha256"):
        raise BadInput(
            f"{folder}/weights.safetensors is not the file that backbone.json was written with "
            "(its hash differs); restore the folder from a copy or pretrain anew"
        )
    try:
        tensors = load_tensors(blob)
        backbone = _of(document, tensors, folder)
        backbone.module()
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadInput(
            f"{folder}: its weights do not fit its description ({error}); pretrain anew"
        ) from error
    fed = {"band": list(backbone.band), "window": list(WINDOW), "rate": RATE}
    other = [name for name, value in fed.items() if document.get(name) != value]
    if other:
        raise BadInput(
            f"{folder} was trained on windows of another {' and '.join(other)} than this rtbci "
            f"cuts for {backbone.dims.model}; pretrain anew"
        )
    runs = backbone.training.get("runs")
    if not isinstance(runs, list) or not all(
        isinstance(each, dict) and all(isinstance(each.get(key), str) for key in RUN)
        for each in runs
    ):
        raise BadInput(
            f"{folder}/backbone.json does not say which runs it was trained on; pretrain anew"
        )
    return backbone


def _of(
    document: Mapping[str, Any], tensors: Mapping[str, Tensor], folder: Path
) -> PretrainedBackbone:
    dims = dict(document["dims"])
    for name in ("channels", "classes", "subjects"):
        dims[name] = tuple(dims[name])
    preparations = {
        who: Preparation(
            tensors[f"preparation.{who}.scale"].numpy(),
            tensors[f"preparation.{who}.covariance"].numpy(),
            tensors[f"preparation.{who}.good"].numpy(),
        )
        for who in dims["subjects"]
    }
    weights = {n.removeprefix("model."): v for n, v in tensors.items() if n.startswith("model.")}
    return PretrainedBackbone(
        Dims(**dims), weights, preparations, document["training"], document["text_space"], folder
    )
