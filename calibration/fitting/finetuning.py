"""Fine-tuning of a pretrained network on one participant's trials.

Alignment first: the network is mounted on the participant's electrodes and whitened with the mean
covariance of the training trials (no labels). Then heads: the population's log-odds are kept as an
offset, and a penalised logistic regression on the frozen embedding adds the participant's own part.
``calibration/fitting/gradient_tuning.py`` trains alignment and head by gradient instead.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from calibration.fitting.logistic import fit_logistic
from calibration.fitting.nested import inner_blocks, losses
from rtbci.decoding.decoders.montagenet import MontageNet
from rtbci.networks.torch_decoder import TorchDecoder, about
from rtbci.signal.recipe import Recipe
from rtbci.types import Array

if TYPE_CHECKING:
    from calibration.pretraining.folder import PretrainedBackbone
    from rtbci.decoding.decoders.scaling import Preparation
    from rtbci.networks.model import Model, SubjectHead

Member = MontageNet | TorchDecoder

# Candidate penalties of the participant's own head, for features of unit rms.
STRENGTHS = (3.0, 30.0, 300.0)
# Candidate shares of the population's log-odds.
SHARED = (0.0, 0.5, 1.0)
# Parts that are fitted to a participant, in addition to the label-free whitening.
TUNINGS = {
    "quick": "head on the frozen embedding",
    "heads": "alignment and head by gradient",
    "trunk": "alignment and head by gradient, and the trunk at a tenth of the rate",
}
SEED = 5


@dataclass(frozen=True)
class Tuned:
    """A pretrained network with a head fitted to one participant."""

    net: MontageNet | TorchDecoder
    frozen: MontageNet | TorchDecoder  # before it was trained on labels of this participant
    shared: tuple[Array, Array]  # population weights (classes, d) and biases
    known: tuple[Array, Array]  # embedding and shared log-odds of the training trials
    inner: Array  # (trials, classes) log-odds from heads fitted without the trial's block
    said: str

    def look(self, x: Array) -> tuple[Array, Array]:
        """Embedding (trials, d) and shared log-odds (trials, classes) of windows ``x``."""
        embedding = np.stack([self.frozen.backbone_output(each) for each in x]).astype(np.float64)
        return embedding, embedding @ self.shared[0].T + self.shared[1]


def tune(
    x: Array,
    y: np.ndarray,
    classes: tuple[str, ...],
    recipe: Recipe,
    backbone: "PretrainedBackbone",
    how: str = "quick",
) -> Tuned:
    """Fine-tuned network for windows ``x`` (trials, channels, times) in microvolts.

    ``how`` a key of ``TUNINGS``.
    """
    from rtbci.decoding.decoders.scaling import fit_preparation

    model = backbone.module(SEED)
    model.backbone.mount(recipe.channels)
    prepared = fit_preparation(x.astype(np.float32))
    own_window = replace(recipe, window=backbone.window)
    stream = recipe.streams - 1
    shared, bias, known = shared_head(backbone, classes)

    def member(model: "Model", who: str | None, head: tuple[Array, Array] | None) -> Member:
        return as_member(backbone, model, who, head, classes, prepared, own_window, stream)

    net = member(model, None, (shared, bias))
    tuned = Tuned(net, net, (shared, bias), (shared, bias), shared, "")
    embedding, prior = tuned.look(x)
    tuned = replace(tuned, known=(embedding, prior))
    if how == "quick":
        return _quick_head(tuned, y, prior if known else None)

    from calibration.fitting.gradient_tuning import tuned_model
    from rtbci.networks.member import WHO

    z = (x @ net.grid if len(net.grid) else x).astype(np.float32)

    def trained(rows: np.ndarray) -> Member:
        model = tuned_model(backbone, recipe.channels, (shared, bias), prepared, z[rows], y[rows],
                            how == "trunk", SEED)  # fmt: skip
        return member(model, WHO, None)

    inner = np.zeros((len(x), len(classes)))
    for train, test in inner_blocks(len(x)):
        part = trained(train)
        inner[test] = [part.logits(each) for each in x[test]]
    return replace(tuned, net=trained(np.arange(len(x))), inner=inner, said=TUNINGS[how])


def as_member(
    backbone: "PretrainedBackbone",
    model: "Model",
    who: str | None,
    head: tuple[Array, Array] | None,
    classes: tuple[str, ...],
    prepared: "Preparation",
    recipe: Recipe,
    stream: int,
) -> Member:
    """Decoder member made of the trained ``model``, with the heads of ``who`` (None: shared only).

    ``head`` weights and biases replace the model's.
    """
    if backbone.dims.model == "montagenet":
        arrays = backbone.arrays(model, who, prepared, recipe, stream=stream)
        if head is not None:
            arrays["class_head"], arrays["class_bias"] = head
        return MontageNet(classes, **arrays)
    from calibration.pretraining.windows import grid_of
    from rtbci.networks.member import WHO

    if who is None:
        model.add_subject(WHO)
    if head is None:
        own = model.own(WHO)
        assert own is not None
        parts = [_linear(each) for each in (model.shared, own)]
        head = parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]
    grid = grid_of(recipe)
    return TorchDecoder(
        classes,
        about=about(backbone.dims, recipe.channels),
        stream=np.array([stream]),
        grid=np.zeros((0, 0)) if grid is None else grid,
        scale=prepared.scale,
        covariance=prepared.covariance,
        good=prepared.good.astype(np.float32),
        class_head=head[0],
        class_bias=head[1],
        weights={n: v.numpy().copy() for n, v in model.backbone.state_dict().items()},
    )


def _quick_head(tuned: Tuned, y: np.ndarray, prior: Array | None) -> Tuned:
    """Tuned network whose head on the frozen embedding adds to the best share of ``prior``."""
    embedding, (shared, bias), k = tuned.known[0], tuned.shared, tuned.net.class_head.shape[0]
    middle, level = embedding.mean(axis=0), float(embedding.std()) or 1.0
    z = (embedding - middle) / level
    keep, strength, inner = choose_head(z, y, k, prior)
    offset = np.zeros((len(z), k)) if prior is None else keep * prior
    w, b = fit_logistic(z, y[None], k, strength=strength, offset=offset)
    own = w[..., 0] / level
    head, biases = keep * shared + own, keep * bias + b[:, 0] - own @ middle
    net = replace(tuned.net, class_head=head, class_bias=biases)
    said = f"penalty {strength:g}"
    if prior is not None:
        said += f", {keep:.0%} of what people share"
    return replace(tuned, net=net, inner=inner, said=said)


def shared_head(
    backbone: "PretrainedBackbone", classes: tuple[str, ...]
) -> tuple[Array, Array, bool]:
    """Population head for ``classes``: weights (K, d), biases (K,), and whether it is known.

    The shared head plus the mean of all subjects' own; zeros where the backbone was trained on
    other classes.
    """
    where = {name: number for number, name in enumerate(backbone.dims.classes)}
    shape = (len(classes), backbone.dims.embedding)
    if not all(name in where for name in classes):
        return np.zeros(shape), np.zeros(len(classes)), False
    model = backbone.module(SEED)
    heads = [head for head in map(model.own, backbone.dims.subjects) if head is not None]
    weights, biases = zip(*map(_linear, heads), strict=True)
    weight, bias = _linear(model.shared)
    weight, bias = weight + np.mean(weights, axis=0), bias + np.mean(biases, axis=0)
    rows = [where[name] for name in classes]
    return weight[rows], bias[rows], True


def _linear(head: "SubjectHead") -> tuple[Array, Array]:
    """Class weights and biases of a head as numpy arrays."""
    layer = head.classes
    return layer.weight.detach().numpy().astype(float), layer.bias.detach().numpy().astype(float)


def choose_head(z: Array, y: np.ndarray, k: int, prior: Array | None) -> tuple[float, float, Array]:
    """Share of the prior, penalty and inner-block log-odds with the smallest log-loss."""
    best: tuple[float, float, float, Array] | None = None
    for keep in SHARED if prior is not None else (0.0,):
        offset = keep * prior if prior is not None else np.zeros((len(z), k))
        for strength in STRENGTHS:
            found = np.zeros((len(z), k))
            for train, test in inner_blocks(len(z)):
                w, b = fit_logistic(
                    z[train], y[None, train], k, strength=strength, offset=offset[train]
                )
                found[test] = z[test] @ w[..., 0].T + b[:, 0] + offset[test]
            loss = float(losses(found, y).mean())
            if best is None or loss < best[0]:
                best = loss, keep, strength, found
    assert best is not None
    return best[1:]
