"""Long checks on simulated people: noise that must stay noise, and electrodes that go missing."""

from functools import partial
from typing import Any

import numpy as np

from tests.soak.units import Result, Units

SEEDS = range(200)
CHANNELS, RATE = 16, 250.0
CLASSES = ("cat", "boat", "chair", "train")
MINUTES = 8.0
SOA_S = 1.5  # of the continuous recording
PARADIGM_S = 3.58  # between two epochs of the dataset, median
LEVEL, MOST = 0.01, 7  # more than 7 of 200 has a chance of 0.1 % at a true 1 %

PEOPLE = range(6)
GONE, SETS = 20, 20  # electrodes that are removed, and how often
LOSS = 1 / 3  # of the margin above chance, at most


def noise_unit(epochs: bool, seed: int) -> float | None:
    """The p-value of a calibration on eight minutes of a person without class information.

    None where the recording was refused.
    """
    from calibration.fitting.settings import CalibrationSettings
    from calibration.fitting.training import calibrate
    from rtbci.errors import NoUsableSignal

    recording = nobody(seed, epochs)
    plan = CalibrationSettings("noise", {name: name for name in CLASSES})
    try:
        result = calibrate([recording], plan, lambda *_: None)
    except NoUsableSignal:  # a loud head, or a bad cap: refused, and so not called significant
        return None
    assert result.scores is not None
    return float(result.scores.p_value)


def nobody(seed: int, epochs: bool) -> Any:
    """Eight minutes of ``none``: continuous, or as an array of epochs."""
    from sims.person import Person
    from sims.person.head import montage

    person = Person(seed, 1, montage(CHANNELS), RATE, "none")
    n = round(60 * MINUTES / (PARADIGM_S if epochs else SOA_S))
    pictures = shown(n, seed)
    if not epochs:
        return person.session(1).continuous(pictures, soa=SOA_S)
    return as_epochs(person, person.session(1).epochs(pictures), pictures)


def shown(n: int, seed: int) -> list[int]:
    """Pictures of the four classes in random order."""
    from rtbci import stimuli

    rng = np.random.default_rng([seed, 7])
    by_class = [
        [i for i, each in enumerate(stimuli.load()) if each.category == name] for name in CLASSES
    ]
    order = rng.permutation(np.resize(np.arange(len(CLASSES)), n))
    return [int(rng.choice(by_class[k])) for k in order]


def as_epochs(person: Any, x: np.ndarray, pictures: list[int]) -> Any:
    """A recording of epochs ``x`` (trials, times, channels), as the reader gives it."""
    import hashlib

    from rtbci import stimuli
    from rtbci.signal.recording import Recording
    from rtbci.types import Gap, Marker, Provenance, StreamInfo

    n, rows, channels = x.shape
    info = StreamInfo(person.name, person.rate, person.channels, ("EEG",) * channels)
    markers = tuple(
        Marker(i * rows, stimuli.load()[p].category, {"trial": i + 1})
        for i, p in enumerate(pictures)
    )
    digest = hashlib.sha256(x.tobytes()).hexdigest()
    return Recording(
        signal=np.ascontiguousarray(x.reshape(-1, channels), np.float32),
        info=info,
        markers=markers,
        provenance=Provenance((f"{person.name} (simulated)",), digest, "npy epochs"),
        gaps=tuple(Gap(i * rows, 0, "between epochs") for i in range(1, n)),
        epoch_rows=rows,
    )


def noise(name: str, epochs: bool, units: Units) -> Result:
    """Noise is called significant as rarely as it should be."""
    whole = units.in_processes(name, partial(noise_unit, epochs), SEEDS)
    found = {s: units.done[f"{name}/{s}"] for s in SEEDS if f"{name}/{s}" in units.done}
    decided = {seed: p for seed, p in found.items() if p is not None}
    low = sorted(seed for seed, p in decided.items() if p <= LEVEL)
    below = sum(p <= 0.05 for p in decided.values())
    figure = f"{len(low)} of {len(decided)} seeds with p <= {LEVEL:g} {low}, {below} <= 0.05"
    if len(decided) < len(found):
        figure += f"; {len(found) - len(decided)} refused"
    good = None if not whole and len(low) <= MOST else len(low) <= MOST
    return Result(figure, f"at most {MOST} of {len(SEEDS)}", good)


def electrodes_unit(seed: int) -> dict[str, Any]:
    """Balanced accuracy of one person with all electrodes, and without 20 of them."""
    from calibration.fitting.settings import CalibrationSettings, plan_recipe
    from calibration.fitting.training import fit
    from calibration.fitting.trials import collect
    from rtbci.decoding.bundle import Bundle
    from rtbci.signal.epoch_gaps import bridge
    from sims.dataset import DatasetSettings
    from sims.person import Person
    from sims.person.constants import CLEAR_CLASSES
    from sims.person.head import montage

    names = montage(122)
    settings = DatasetSettings(1, 1, 4, 100, "clear", names, RATE, seed, CLEAR_CLASSES)
    person = Person(seed, 2, names, RATE, "clear")
    plan_of_day = settings.pictures("sub-02")[0]
    day = person.session(1)
    runs = [
        as_epochs(person, day.epochs(pictures.tolist(), run), pictures.tolist())
        for run, pictures in enumerate(plan_of_day, start=1)
    ]
    plan = CalibrationSettings("sub-02", {name: name for name in CLEAR_CLASSES})
    recipe = plan_recipe(runs[:3], plan)
    trials, _, refused = collect(runs[:3], recipe, plan.labels, plan.classes)
    assert not refused, refused
    found = fit(trials, np.flatnonzero(trials.kept), recipe, plan)
    bundle = Bundle("sub-02", "evoked", found.family, "", plan.labels, recipe, found.decoder,
                    template=found.template, spare=found.spare)  # fmt: skip
    last = bridge(runs[3])
    rng = np.random.default_rng([seed, 3])
    sets = [rng.choice(names, GONE, replace=False).tolist() for _ in range(SETS)]
    best = [names[i] for i in np.argsort(-informative(trials, recipe))[:GONE]]
    return {
        "all": accuracy(bundle, last, []),
        "random": [accuracy(bundle, last, each) for each in sets],
        "best": accuracy(bundle, last, best),
    }


def informative(trials: Any, recipe: Any) -> np.ndarray:
    """How much each electrode (channels,) differs between classes: mean F-ratio over time."""
    from rtbci.decoding.scorer import decoder_input

    x = np.stack([decoder_input(recipe, each, 0)[0] for each in trials.x])
    means = np.stack([x[trials.y == k].mean(axis=0) for k in np.unique(trials.y)])
    within = np.mean([x[trials.y == k].var(axis=0) for k in np.unique(trials.y)], axis=0)
    return (means.var(axis=0) / within).mean(axis=1)


def accuracy(bundle: Any, recording: Any, gone: list[str]) -> float:
    """Balanced accuracy of a stream that lacks the electrodes ``gone``."""
    from rtbci.decoding.pipeline import Pipeline
    from rtbci.statistics.scores import balanced_accuracy

    kept = tuple(name for name in recording.info.channels if name not in gone)
    short = recording.pick(kept)
    decisions = Pipeline(bundle, short.info).run(short.items())
    classes = bundle.decoder.classes
    assert all(each.label is not None for each in decisions)
    true = np.array([classes.index(each.true or "") for each in decisions])
    said = np.array([classes.index(each.label or "") for each in decisions])
    return float(balanced_accuracy(true, said, len(classes)))


def electrodes(units: Units) -> Result:
    """Decoding goes on without electrodes, and loses little."""
    whole = units.in_processes("electrodes", electrodes_unit, PEOPLE)
    found = [units.done[f"electrodes/{s}"] for s in PEOPLE if f"electrodes/{s}" in units.done]
    if not found:
        return Result("none done", "", None)
    chance = 1 / 8
    margin = np.mean([each["all"] for each in found]) - chance
    lost = [np.mean([each["all"] - np.mean(each[k]) for each in found]) / margin
            for k in ("random", "best")]  # fmt: skip
    figure = (
        f"{len(found)} people, {margin + chance:.1%} with all 122 electrodes; of the margin above "
        f"chance {lost[0]:.0%} lost without 20 at random ({SETS} sets), {lost[1]:.0%} without the "
        "20 most informative"
    )
    good = bool(lost[0] < LOSS)
    return Result(figure, "random: below a third", good if whole or not good else None)


CHECKS = {
    "noise": partial(noise, "noise", False),
    "noise epochs": partial(noise, "noise epochs", True),
    "electrodes": electrodes,
}
