"""Fine-tune a pretrained network on one person's trials, and stack it with the closed form.

Alignment first: the network is mounted on the person's electrodes and whitened with the mean
covariance of the training trials (no labels). Then heads: what people share is kept as log-odds
that are there already, and a penalised logistic regression on the frozen embedding adds what is
this person's own. The members are weighted by the log-loss of inner blocks of the training part;
where the network does not make that smaller by more than its standard error, the closed form
stays alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration import evoked
from calibration.logistic import fit_logistic
from rtbci.decoders.evoked import STREAMS
from rtbci.decoders.montagenet import MontageNet
from rtbci.decoders.network import NetworkMember, about
from rtbci.decoders.stacked import StackedDecoder
from rtbci.judge import softmax
from rtbci.recipe import Recipe
from rtbci.types import Array

if TYPE_CHECKING:
    from calibration.pretraining.folder import Backbone
    from rtbci.networks.preparation import Preparation

Member = MontageNet | NetworkMember

INNER = 4  # blocks of the training part
STRENGTHS = (3.0, 30.0, 300.0)  # penalties of the person's own head, features of unit rms
SHARED = (0.0, 0.5, 1.0)  # how much of the log-odds that people share is kept
TUNINGS = {  # what is fitted to a person, besides the label-free whitening
    "quick": "head on the frozen embedding",
    "heads": "alignment and head by gradient",
    "trunk": "alignment and head by gradient, and the trunk at a tenth of the rate",
}
SEED = 5


@dataclass(frozen=True)
class Tuned:
    """A network with a person's head."""

    net: MontageNet | NetworkMember
    frozen: MontageNet | NetworkMember  # before it saw a label of this person
    shared: tuple[Array, Array]  # weights (classes, d) and biases of what people share
    known: tuple[Array, Array]  # of the training trials, as ``look`` gives them
    inner: Array  # (trials, classes) of heads that had not seen the trial's block
    said: str

    def look(self, x: Array) -> tuple[Array, Array]:
        """Embedding (trials, d) and shared log-odds (trials, classes) of windows ``x``."""
        embedding = np.stack([self.frozen.embedding(each) for each in x]).astype(np.float64)
        return embedding, embedding @ self.shared[0].T + self.shared[1]


@dataclass(frozen=True)
class Stacked:
    """A stacked decoder and how it came about."""

    decoder: StackedDecoder
    tuned: Tuned
    reason: str


def spans(recipe: Recipe, closed: tuple[float, float], net: tuple[float, float]) -> Array:
    """``(2, 2)`` samples of the decoder's window that closed form and network see.

    ``closed`` and ``net`` in seconds after the onset, inside ``recipe.window``.
    """
    begin, rate = recipe.window[0], recipe.decoder_rate
    return np.array([[round((t - begin) * rate) for t in each] for each in (closed, net)], float)


def fit_stacked(
    x: Array,
    y: np.ndarray,
    classes: tuple[str, ...],
    recipe: Recipe,
    backbone: "Backbone",
    members: Array,
    how: str = "quick",
) -> Stacked:
    """A decoder of windows ``x`` (trials, streams, channels, times) in time order.

    The network's stream is the decoder's last, ``members`` are its ``spans``; ``how`` a key of
    ``TUNINGS``.
    """
    a, b = members.astype(int)
    closed_x = x[:, :STREAMS, :, a[0] : a[1]]
    closed = evoked.fit(closed_x, y, classes, recipe.decoder_rate)
    tuned = tune(x[:, -1, :, b[0] : b[1]], y, classes, recipe, backbone, how)
    inner = inner_logits(closed_x, y, classes, recipe.decoder_rate)
    weights, reason = weigh(inner, tuned.inner, y)
    decoder = StackedDecoder(classes, closed, tuned.net, weights, members)
    return Stacked(decoder, tuned, f"{reason}; {tuned.said}")


def tune(
    x: Array,
    y: np.ndarray,
    classes: tuple[str, ...],
    recipe: Recipe,
    backbone: "Backbone",
    how: str = "quick",
) -> Tuned:
    """The network's alignment and head for windows ``x`` (trials, channels, times), uV.

    ``how`` a key of ``TUNINGS``.
    """
    from rtbci.networks.preparation import fit_preparation

    model = backbone.module(SEED)
    model.backbone.mount(recipe.channels)  # type: ignore[operator]
    prepared = fit_preparation(x.astype(np.float32))
    own_window = replace(recipe, window=backbone.window)
    stream = recipe.streams - 1
    shared, bias, known = shared_head(backbone, classes)

    def member(model: Any, who: str | None, head: tuple[Array, Array] | None) -> Member:
        return as_member(backbone, model, who, head, classes, prepared, own_window, stream)

    net = member(model, None, (shared, bias))
    tuned = Tuned(net, net, (shared, bias), (shared, bias), shared, "")
    embedding, prior = tuned.look(x)
    tuned = replace(tuned, known=(embedding, prior))
    if how == "quick":
        return _quick_head(tuned, y, prior if known else None)

    from calibration.tuning import tuned_model
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
    backbone: "Backbone",
    model: Any,
    who: str | None,
    head: tuple[Array, Array] | None,
    classes: tuple[str, ...],
    prepared: "Preparation",
    recipe: Recipe,
    stream: int,
) -> Member:
    """The trained ``model`` as a member of a decoder; ``who`` has the own parts (None: nobody).

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
        parts = [_linear(each) for each in (model.shared, model.heads[WHO])]
        head = parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]
    grid = grid_of(recipe)
    return NetworkMember(
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
    """A head on the frozen embedding, added to as much of ``prior`` as helps."""
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


def shared_head(backbone: "Backbone", classes: tuple[str, ...]) -> tuple[Array, Array, bool]:
    """What people have in common for ``classes``: weights (K, d), biases (K,), and if known.

    The shared head plus the mean of all subjects' own; zeros where the backbone was trained on
    other classes.
    """
    where = {name: number for number, name in enumerate(backbone.dims.classes)}
    shape = (len(classes), backbone.dims.embedding)
    if not all(name in where for name in classes):
        return np.zeros(shape), np.zeros(len(classes)), False
    model = backbone.module(SEED)
    weights, biases = zip(*(_linear(head) for head in model.heads.values()), strict=True)
    weight, bias = _linear(model.shared)
    weight, bias = weight + np.mean(weights, axis=0), bias + np.mean(biases, axis=0)
    rows = [where[name] for name in classes]
    return weight[rows], bias[rows], True


def _linear(head: Any) -> tuple[Array, Array]:
    """Weights and biases of a head's classes, in numpy."""
    layer = head.classes
    return layer.weight.detach().numpy().astype(float), layer.bias.detach().numpy().astype(float)


def choose_head(z: Array, y: np.ndarray, k: int, prior: Array | None) -> tuple[float, float, Array]:
    """Share of the prior, penalty, and log-odds of inner blocks, by the smallest log-loss."""
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


def inner_logits(x: Array, y: np.ndarray, classes: tuple[str, ...], rate: float) -> Array:
    """Log-odds (trials, classes) of closed forms that had not seen the trial's block."""
    found = np.zeros((len(x), len(classes)))
    for train, test in inner_blocks(len(x)):
        if np.bincount(y[train], minlength=len(classes)).min() < 2:
            continue  # too few of a class: these trials say nothing of the weights
        found[test] = evoked.fit(x[train], y[train], classes, rate).logits(x[test])
    return found


def inner_blocks(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """``(training, test)`` numbers of ``n`` trials in time order, one pair a block."""
    blocks = np.array_split(np.arange(n), INNER)
    return [(np.concatenate([b for b in blocks if b is not each]), each) for each in blocks]


def weigh(
    closed: Array, net: Array, y: np.ndarray, names: tuple[str, str] = ("closed form", "network")
) -> tuple[Array, str]:
    """Weights (2,) of the members' centred log-odds (trials, classes), and why these.

    The second member counts only where the log-loss falls by more than its standard error.
    """
    both = [each - each.mean(axis=1, keepdims=True) for each in (closed, net)]
    alone = smallest(lambda w: losses(w[0] * both[0], y), np.ones(1))
    pair = smallest(lambda w: losses(w[0] * both[0] + w[1] * both[1], y), np.array([alone[0], 0.5]))
    before = losses(alone[0] * both[0], y)
    after = losses(pair[0] * both[0] + pair[1] * both[1], y)
    gain = before - after
    error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
    first, second = names
    told = f"log-loss of inner blocks {before.mean():.3f} alone, {after.mean():.3f} together"
    if pair[1] <= 0 or gain.mean() <= error:
        return np.array([1.0, 0.0]), f"{first} alone, the {second} did not help ({told})"
    level = float(np.abs(pair).sum())
    shares = f"{first} {pair[0] / level:.2f}, {second} {pair[1] / level:.2f}"
    return pair / level, f"{shares} ({told})"


def smallest(loss: Callable[[Array], Array], start: Array) -> Array:
    """The weights, none below 0, with the smallest mean loss."""
    from scipy.optimize import minimize

    bounds = [(0.0, 20.0)] * len(start)
    found = minimize(lambda w: float(loss(w).mean()), start, bounds=bounds, method="L-BFGS-B")
    return np.asarray(found.x)


def losses(logits: Array, y: np.ndarray) -> Array:
    """Log-loss of each trial (trials,), so weighted that classes count the same."""
    weights = 1 / np.bincount(y, minlength=logits.shape[1])[y]
    p = softmax(logits)[np.arange(len(y)), y]
    return -np.log(np.maximum(p, 1e-12)) * weights * len(y) / weights.sum()
