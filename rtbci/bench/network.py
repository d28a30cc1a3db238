"""Time that MontageNet takes for one trial on one thread, in numpy as on the live path."""

import time
from collections.abc import Iterator

import numpy as np

from rtbci.bench.offline import CHANNELS, BenchResult, undisturbed
from rtbci.decoding.decoders.montagenet import POOL, MontageNet
from rtbci.networks import WINDOW
from rtbci.networks.dims import RATE
from rtbci.statistics.delays import percentiles

# Sizes of a trained network, on which alone the time depends.
VIRTUAL, KEYS, FEATURES, COSINES = 32, 64, 45, 24
FILTERS, WIDE, NARROW, EMBEDDING, CLASSES = 32, 15, 5, 64, 20
TRIALS = 400
# Bound of the median, ms.
PLAN_MS = 2.0


def network(_seconds: float) -> Iterator[BenchResult]:
    """Time for one trial of 122 electrodes and 0.5 s, from microvolts at 250 Hz to log-odds."""
    net = random_montagenet()
    times = round((WINDOW[1] - WINDOW[0]) * RATE)
    trials = np.random.default_rng(1).normal(0, 15, (TRIALS, CHANNELS, times))
    spent = []
    with undisturbed():
        for x in trials:
            began = time.perf_counter()
            net.logits(x)
            spent.append(1000 * (time.perf_counter() - began))
    found = percentiles(spent[TRIALS // 4 :])
    yield BenchResult(
        "network",
        f"MontageNet, one trial of {CHANNELS} electrodes x {WINDOW[1]:g} s, median",
        found["p50"] or 0.0,
        "ms",
        PLAN_MS,
        more={"p99_ms": found["p99"] or 0.0},
    )


def random_montagenet(
    channels: int = CHANNELS, classes: tuple[str, ...] | None = None, times: int | None = None
) -> MontageNet:
    """MontageNet with random weights in the shapes of a trained one."""
    rng = np.random.default_rng(0)
    times = times or round((WINDOW[1] - WINDOW[0]) * RATE)
    names = classes or tuple(map(str, range(CLASSES)))

    def some(*shape: int) -> np.ndarray:
        return rng.normal(0, 1 / np.sqrt(shape[-1]), shape)

    mixing = some(channels, channels)
    return MontageNet(
        classes=names,
        stream=np.zeros(1),
        grid=np.zeros((0, 0)),
        scale=np.full(channels, 15.0),
        covariance=mixing @ mixing.T + np.eye(channels),
        good=np.ones(channels),
        features=some(channels, FEATURES),
        queries=some(VIRTUAL, KEYS),
        key=some(KEYS, FEATURES),
        gain=some(VIRTUAL, FEATURES),
        align=np.eye(VIRTUAL),
        basis=some(times, COSINES),
        linear=some(EMBEDDING, VIRTUAL * COSINES),
        linear_bias=some(EMBEDDING),
        enter=some(FILTERS, VIRTUAL),
        wide=some(FILTERS, WIDE),
        wide_bias=some(FILTERS),
        norm_weight=np.ones(FILTERS),
        norm_bias=np.zeros(FILTERS),
        narrow=some(FILTERS, NARROW),
        narrow_bias=some(FILTERS),
        leave=some(FILTERS // 2, FILTERS),
        leave_bias=some(FILTERS // 2),
        project=some(EMBEDDING, FILTERS // 2 * (times // POOL)),
        project_bias=some(EMBEDDING),
        class_head=some(len(names), EMBEDDING),
        class_bias=some(len(names)),
        text_head=np.zeros((0, EMBEDDING)),
        text_bias=np.zeros(0),
    )
