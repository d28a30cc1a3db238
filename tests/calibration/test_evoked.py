"""The evoked decoder: our forward pass is the one of scikit-learn and pyriemann."""

import numpy as np
import pytest
from pyriemann.estimation import ERPCovariances, XdawnCovariances
from pyriemann.tangentspace import TangentSpace
from sklearn.covariance import oas as sklearn_oas
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from calibration.fitting.evoked import COMPONENTS, LARGE, XDAWN_CLASSES, fit, fit_projection
from rtbci.decoding.decoders.evoked import CLIP, Z_LIMIT, EvokedDecoder, binned
from rtbci.decoding.decoders.riemann import inverse_root, oas, tangent
from rtbci.types import Array

RATE = 256.0
TIMES = 179  # 0.1 to 0.8 s
CASES = [  # classes, electrodes, trials a class
    pytest.param(2, 4, 30, id="2 classes, 4 electrodes"),
    pytest.param(4, 4, 20, id="4 classes, 4 electrodes"),
    pytest.param(2, 16, 30, id="2 classes, 16 electrodes"),
    pytest.param(4, 16, 20, id="4 classes, 16 electrodes"),
    pytest.param(2, 30, 30, id="2 classes, 30 electrodes"),
    pytest.param(3, 30, 15, id="3 classes, 30 electrodes"),
    pytest.param(6, 4, 15, id="6 classes, 4 electrodes"),
]


def trials(
    k: int, electrodes: int, n: int, seed: int = 0, times: int = TIMES, gain: float = 6.0
) -> tuple[Array, np.ndarray]:
    """Windows (trials, 2, electrodes, times) of coloured noise with one response a class."""
    rng = np.random.default_rng([seed, k, electrodes])
    y = rng.permutation(np.repeat(np.arange(k), n))
    x = rng.standard_normal((len(y), electrodes, times + 40)).cumsum(axis=2)
    x = 3 * (x[..., 40:] - x[..., :-40]) / np.sqrt(40)  # a moving sum: slow, but it stays
    x = np.einsum("ec,nct->net", np.eye(electrodes) + 0.3 * rng.standard_normal((electrodes,) * 2),
                  x)  # fmt: skip
    t = np.arange(times) / times
    own = np.random.default_rng([k, electrodes])  # the same person for every seed
    wave = np.exp(-(((t - own.uniform(0.2, 0.8, (k, 1, 1))) / 0.1) ** 2))
    x += gain * (own.standard_normal((k, electrodes, 1)) * wave)[y]
    slower = x - 0.5 * x.mean(axis=2, keepdims=True)
    return np.stack([x, slower], axis=1), y


def per_class(decision: Array) -> Array:
    """scikit-learn's single log-odds of two classes as one a class."""
    if decision.ndim == 1:
        return np.stack([-decision / 2, decision / 2], axis=1)
    return decision


def space(rows: int) -> TangentSpace:
    """Pyriemann's, at the Riemannian mean; at the log-Euclidean one where matrices are large."""
    mean = "riemann" if rows <= LARGE else "logeuclid"
    return TangentSpace(metric={"mean": mean, "map": "riemann"})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("k", "electrodes", "n"), CASES)
def test_the_forward_pass_is_the_one_of_scikit_learn_and_pyriemann(k, electrodes, n):
    x, y = trials(k, electrodes, n)
    new, _ = trials(k, electrodes, 5, seed=1)
    decoder = fit(x, y, tuple("abcdef"[:k]), RATE)

    limited, new_limited = (
        np.stack([decoder.projection @ np.clip(each, -CLIP, CLIP) for each in stream])
        for stream in (x, new)
    )
    components = limited.shape[2]
    assert components == min(electrodes, COMPONENTS)
    svd = None if k * components <= COMPONENTS else max(1, COMPONENTS // k)
    heads = [LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000) for _ in range(2)]
    erp = make_pipeline(
        ERPCovariances(estimator="oas", svd=svd),
        space(len(decoder.prototypes) + components),
        heads[0],
    )
    expected = [per_class(erp.fit(limited[:, 0], y).decision_function(new_limited[:, 0]))]
    if k <= XDAWN_CLASSES:
        xdawn = make_pipeline(
            XdawnCovariances(nfilter=2, estimator="oas", xdawn_estimator="oas"),
            space(len(decoder.xdawn_prototypes) + len(decoder.xdawn_filters)),
            heads[1],
        )
        expected.append(per_class(xdawn.fit(limited[:, 0], y).decision_function(new_limited[:, 0])))

    def means(stream: Array) -> Array:  # 64 Hz: four samples
        return np.stack(
            [
                np.concatenate([row[: 4 * (TIMES // 4)].reshape(-1, 4).mean(1) for row in trial])
                for trial in stream
            ]
        )

    lda = make_pipeline(
        StandardScaler(),
        FunctionTransformer(np.clip, kw_args={"a_min": -Z_LIMIT, "a_max": Z_LIMIT}),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(k, 1 / k)),
    )
    lda.fit(means(limited[:, 1]), y)
    expected.append(per_class(lda.decision_function(means(new_limited[:, 1]))))

    members = decoder.members(new)
    assert members.shape == (len(new), 2 if k > XDAWN_CLASSES else 3, k)
    for number, each in enumerate(expected):
        assert np.abs(members[:, number] - each).max() < 1e-9, number
    assert np.abs(decoder.logits(new) - np.mean(expected, axis=0)).max() < 1e-9


@pytest.mark.parametrize(("k", "electrodes", "n"), CASES)
def test_a_window_alone_is_decoded_like_one_among_many(k, electrodes, n):
    decoder = fit(*trials(k, electrodes, n), tuple("abcdef"[:k]), RATE)
    new, _ = trials(k, electrodes, 4, seed=2)
    together = decoder.logits(new)
    assert together.shape == (4 * k, k)
    for alone, expected in zip(new, together, strict=True):
        assert decoder.logits(alone) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("k", "electrodes", "n"), CASES)
def test_responses_are_decoded_and_noise_is_not(k, electrodes, n):
    for gain, low, high in ((6.0, 1.5 / k, 1.0), (0.0, 0.5 / k, 1.5 / k)):
        x, y = trials(k, electrodes, n, gain=gain)
        new, truth = trials(k, electrodes, 40, seed=3, gain=gain)
        decoder = fit(x, y, tuple("abcdef"[:k]), RATE)
        accuracy = (decoder.logits(new).argmax(axis=1) == truth).mean()
        assert low < accuracy <= high, f"gain {gain}: {accuracy}"


def test_two_classes_share_one_log_odds():
    decoder = fit(*trials(2, 4, 30), ("a", "b"), RATE)
    logits = decoder.logits(trials(2, 4, 5, seed=1)[0])
    assert logits.sum(axis=1) == pytest.approx(0, abs=1e-9)


def test_a_rare_class_weighs_as_much_as_a_common_one():
    x, y = trials(2, 4, 60)
    rare = np.flatnonzero((y == 0) | (np.cumsum(y == 1) <= 12))
    decoder = fit(x[rare], y[rare], ("common", "rare"), RATE)
    a = decoder.limited(x)[:, 0]
    head = LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000)
    head.fit(decoder.erp_features(a[rare]), y[rare])
    expected = per_class(head.decision_function(decoder.erp_features(a)))
    assert decoder.members(x)[:, 0] == pytest.approx(expected, abs=1e-6)
    new, truth = trials(2, 4, 60, seed=1)
    named = decoder.logits(new).argmax(axis=1)
    assert (named[truth == 1] == 1).mean() > 0.6


def test_samples_beyond_the_limit_count_as_the_limit():
    x, y = trials(2, 4, 30)
    decoder = fit(x, y, ("a", "b"), RATE)
    loud = x.copy()
    loud[:, :, :, ::7] *= 1e4
    limited = np.clip(loud, -CLIP, CLIP)
    assert np.array_equal(decoder.logits(loud), decoder.logits(limited))
    one, other = (fit(each, y, ("a", "b"), RATE).arrays() for each in (loud, limited))
    for name, array in one.items():
        assert np.array_equal(array, other[name]), name


def test_many_electrodes_are_reduced_to_their_principal_components():
    x, _ = trials(2, 30, 20)
    projection = fit_projection(x[:, 0])
    assert projection.shape == (COMPONENTS, 30)
    assert projection @ projection.T == pytest.approx(np.eye(COMPONENTS), abs=1e-9)
    flat = np.moveaxis(x[:, 0], 1, 0).reshape(30, -1)
    _, s, _ = np.linalg.svd(flat, full_matrices=False)
    assert ((projection @ flat) ** 2).sum() == pytest.approx((s[:COMPONENTS] ** 2).sum())
    assert np.array_equal(fit_projection(x[:, 0, :24]), np.eye(24))


def test_covariances_and_tangent_vectors_equal_the_libraries():
    rng = np.random.default_rng(4)
    for electrodes, times in ((3, 200), (12, 40), (5, 4)):
        x = rng.standard_normal((6, electrodes, times)) * 10 + 5
        covariances = oas(x)
        expected = np.array([sklearn_oas(each.T)[0] for each in x])
        assert covariances == pytest.approx(expected, abs=1e-9)
        space = TangentSpace(metric="riemann").fit(covariances)
        vectors = tangent(covariances, inverse_root(space.reference_))
        assert vectors == pytest.approx(space.transform(covariances), abs=1e-9)


def test_means_are_taken_per_electrode_and_a_rest_is_left_out():
    x = np.arange(22.0).reshape(2, 11)
    assert binned(x, 4).tolist() == [1.5, 5.5, 12.5, 16.5]
    assert binned(np.stack([x, -x]), 4).shape == (2, 4)


def test_the_decoder_is_the_same_every_time_and_its_training_data_stay_as_they_were():
    x, y = trials(2, 4, 30)
    before = x.copy()
    one, again = fit(x, y, ("a", "b"), RATE), fit(x, y, ("a", "b"), RATE)
    assert np.array_equal(x, before)
    for name, array in one.arrays().items():
        assert np.array_equal(array, again.arrays()[name]), name


def test_the_class_order_is_the_one_given_not_that_of_the_trials():
    x, y = trials(2, 4, 30)
    new, _ = trials(2, 4, 5, seed=1)
    one = fit(x, y, ("a", "b"), RATE).logits(new)
    other = fit(x, 1 - y, ("b", "a"), RATE).logits(new)
    assert other[:, ::-1] == pytest.approx(one, abs=1e-3)


@pytest.mark.parametrize("electrodes", [1, 2])
def test_even_one_electrode_gives_a_decoder(electrodes):
    x, y = trials(2, electrodes, 30)
    decoder = fit(x, y, ("a", "b"), RATE)
    assert isinstance(decoder, EvokedDecoder)
    assert np.isfinite(decoder.logits(x)).all()
