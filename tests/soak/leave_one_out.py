"""Does pretraining on other people help a new one? Every figure with the time it took.

    python -m tests.soak.leave_one_out [--only CELL ...] [--list] [--fresh] [--jobs 2]

Thirteen simulated people, two sessions of two runs of 100 trials, 122 electrodes at 1 kHz, at the
strengths ``clear`` (8 classes) and ``realistic`` (20). Each in turn is the new one: the first 290
trials calibrate, the 110 that follow test. The closed form alone is held against closed form and
MontageNet stacked, the network pretrained on the other twelve; EEGNet, Deep4 and the electrode
transformer learn from the same 290 trials of five people alone, and from the other twelve once.

Every cell is on disk in .soak/leave_one_out/ before the next begins, under the hash of the sources:
the same command goes on where it was. At the end docs/leave_one_out.json and .md are written.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rtbci.formats.runs import recording_of
from tests.soak.units import Units, tell

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / ".soak" / "leave_one_out"
TABLE = ROOT / "docs" / "leave_one_out.json"
STRENGTHS = ("clear", "realistic")
PEOPLE, SESSIONS, RUNS, TRIALS = 13, 2, 2, 100
CALIBRATED = 290  # trials
OTHERS = ("eegnet", "deep4", "electrode-transformer")
ALONE_EPOCHS = 60  # at most, of networks that learn from one person; few trials, more rounds
TUNINGS = ("quick", "heads")  # of calibration.fitting.finetuning.TUNINGS
FEW = 5  # people that the other networks learn from alone
SEED = 0
SOURCES = ("rtbci/networks", "rtbci/decoding/decoders", "rtbci/stimuli", "calibration",
           "sims/person", "sims/dataset.py", "rtbci/signal/epoch_gaps.py",
           "rtbci/signal/windows.py", "rtbci/signal/preprocess.py", "rtbci/signal/recipe.py",
           "rtbci/decoding/scorer.py", "rtbci/decoding/interpolation.py",
           "tests/soak/leave_one_out.py")  # fmt: skip


def cells() -> list[str]:
    """All cells in processing order: kind/strength/model/subject."""
    numbers = range(PEOPLE)
    found = []
    for s in STRENGTHS:
        found += [f"windows/{s}/montagenet/{i}" for i in numbers]
        found += [f"fold/{s}/montagenet/{i}" for i in numbers]
    found += [f"alone/{s}/{model}/{i}" for s in STRENGTHS for model in OTHERS for i in range(FEW)]
    return found + [f"fold/{s}/{model}/0" for s in STRENGTHS for model in OTHERS]


def subjects() -> tuple[str, ...]:
    """Names of the subjects as in the dataset."""
    from sims.dataset import DatasetSettings

    return DatasetSettings(PEOPLE, SESSIONS, RUNS, TRIALS).names


def data(strength: str) -> Path:
    """Dataset of a strength, written if missing."""
    from sims import dataset

    folder = STORE / f"data-{strength}"
    dataset.write(folder, subjects=PEOPLE, sessions=SESSIONS, runs=RUNS, trials=TRIALS,
                  strength=strength, seed=SEED, merged=False, images=False)  # fmt: skip
    return folder


def work(cell: str) -> dict[str, Any]:
    """Figures of one cell."""
    kind, strength, model, number = cell.split("/")
    who = subjects()[int(number)]
    began = time.perf_counter()
    if kind == "windows":
        found = prepare(strength, model, who)
    elif kind == "closed":
        found = closed(strength, who)
    elif kind == "fold":
        found = fold(strength, model, who)
    else:
        found = alone(strength, model, who)
    return {**found, "subject": who, "seconds": round(time.perf_counter() - began, 1)}


def prepare(strength: str, model: str, who: str) -> dict[str, Any]:
    """Cut the windows of one subject, once for all folds."""
    from calibration.pretraining import windows
    from calibration.pretraining.corpus import name_of
    from rtbci.formats.dataset import find_runs
    from rtbci.networks import network
    from rtbci.signal.epoch_gaps import bridge

    folder, trials = STORE / f"windows-{strength}-{model}", 0
    for run in [each for each in find_runs(data(strength)) if each.subject == who]:
        cut = windows.cut(
            name_of(run),
            run.array,
            lambda run=run: bridge(recording_of(run)),
            network(model),
            folder,
        )
        trials += len(cut.trials)
    return {"trials": trials}


def fold(strength: str, model: str, who: str) -> dict[str, Any]:
    """Pretrain without ``who``, fine-tune on the first trials of ``who``, test on the rest."""
    from calibration.pretraining import load_backbone

    out = STORE / f"backbone-{strength}-{model}-{who}"
    began = time.perf_counter()
    learn(data(strength), out, model, strength, leave_out=(who,))
    spent = time.perf_counter() - began
    backbone = load_backbone(out)
    figures = (
        stacked(strength, who, backbone)
        if model == "montagenet"
        else tuned(strength, who, backbone)
    )
    shutil.rmtree(out)
    return {**figures, "pretraining_s": round(spent, 1)}


def learn(folder: Path, out: Path, model: str, shared: str, **chosen: Any) -> None:
    """Pretrain as the command does; windows that were cut once serve every fold."""
    from calibration.pretraining.pretrain import PretrainingSettings, pretrain

    windows = STORE / f"windows-{shared}-{model}"
    windows.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / "windows").symlink_to(windows)
    pretrain(PretrainingSettings(folder, out, model, sessions="2/0/0", **chosen), lambda *_: None)


def stacked(strength: str, who: str, backbone: Any) -> dict[str, Any]:
    """Stacked decoders, tuned in two ways, and the closed form inside them, on the same trials."""
    from calibration.fitting.training import fit
    from rtbci.decoding.decoders.evoked import STREAMS
    from rtbci.decoding.decoders.stacked import StackedDecoder
    from rtbci.decoding.scorer import decoder_input

    plan, recipe, trials = cut(strength, who, backbone)
    train, test = parts(trials)
    windows = [decoder_input(recipe, trials.x[i], 0) for i in test]
    y, found = trials.y[test], {}
    for how in TUNINGS:
        began = time.perf_counter()
        decoder = fit(trials, train, recipe, replace(plan, tune=how)).decoder
        found[f"{how}_fit_s"] = round(time.perf_counter() - began, 1)
        assert isinstance(decoder, StackedDecoder)
        a, b = decoder.spans.astype(int)
        alone = [decoder.closed.logits(x[:STREAMS, :, a[0] : a[1]]) for x in windows]
        network = [decoder.net.logits(x[:, :, b[0] : b[1]]) for x in windows]
        together = [decoder.logits(x) for x in windows]
        found |= scores("closed", np.array(alone), y)
        found |= scores(f"{how}_network", np.array(network), y)
        found |= scores(f"{how}_stacked", np.array(together), y)
        found[f"{how}_weight"] = round(float(decoder.weights[1]), 3)
    return found


def closed(strength: str, who: str) -> dict[str, Any]:
    """Closed form alone, as fitted without a backbone."""
    from calibration.fitting.training import fit
    from rtbci.decoding.scorer import decoder_input

    plan, recipe, trials = cut(strength, who, None)
    train, test = parts(trials)
    decoder = fit(trials, train, recipe, plan).decoder
    logits = [decoder.logits(decoder_input(recipe, trials.x[i], 0)) for i in test]
    return scores("closed", np.array(logits), trials.y[test])


def tuned(strength: str, who: str, backbone: Any) -> dict[str, Any]:
    """Another pretrained network: a head on its frozen embedding, as MontageNet gets one."""
    from calibration.fitting import finetuning
    from calibration.fitting.logistic import fit_logistic
    from rtbci.decoding.decoders.scaling import fit_preparation

    x, y, names = network_windows(strength, who, backbone)
    prepared = fit_preparation(x[:CALIBRATED])
    z = backbone.embed(x, prepared).astype(float)
    shared, bias, _ = finetuning.shared_head(backbone, names)
    prior, level = z @ shared.T + bias, float(z[:CALIBRATED].std())
    z = (z - z[:CALIBRATED].mean(axis=0)) / level
    train, test = np.arange(CALIBRATED), np.arange(CALIBRATED, len(y))
    keep, strength_, _ = finetuning.choose_head(z[train], y[train], len(names), prior[train])
    w, b = fit_logistic(z[train], y[None, train], len(names), strength=strength_,
                        offset=keep * prior[train])  # fmt: skip
    return scores("network", z[test] @ w[..., 0].T + b[:, 0] + keep * prior[test], y[test])


def alone(strength: str, model: str, who: str) -> dict[str, Any]:
    """Network trained on the first trials of one subject only."""
    from calibration.pretraining import load_backbone
    from calibration.pretraining.loop import TrainingSettings

    folder = first_trials(data(strength), who, STORE / f"alone-{strength}-{model}-{who}")
    out = folder / "backbone"
    learn(
        folder,
        out,
        model,
        f"alone-{strength}-{who}",
        settings=TrainingSettings(epochs=ALONE_EPOCHS),
    )
    backbone = load_backbone(out)
    x, y, _ = network_windows(strength, who, backbone)
    prepared = backbone.preparations[who]
    logits = backbone.outputs(x[CALIBRATED:], prepared, subject=who).logits
    shutil.rmtree(folder)
    shutil.rmtree(STORE / f"windows-alone-{strength}-{who}-{model}", ignore_errors=True)
    return {**scores("network", logits, y[CALIBRATED:]),
            "epochs": len(backbone.training["history"])}  # fmt: skip


def first_trials(folder: Path, who: str, out: Path) -> Path:
    """Dataset of one subject with the first ``CALIBRATED`` trials."""
    from rtbci.formats.dataset import find_runs

    shutil.rmtree(out, ignore_errors=True)
    left = CALIBRATED
    for run in [each for each in find_runs(folder) if each.subject == who]:
        n = min(left, len(run.labels))
        left -= n
        if not n:
            break
        home = out / run.array.parent.relative_to(folder)
        home.mkdir(parents=True, exist_ok=True)
        np.save(home / run.array.name, np.load(run.array, mmap_mode="r")[:n])
        text = json.dumps(list(run.labels[:n]), indent=2)
        (home / run.array.with_suffix(".json").name).write_text(text, encoding="utf-8")
        name = run.array.name.replace("_1000Hz.npy", "_image.csv")
        lines = (run.array.parent / name).read_bytes().split(b"\r\n")
        (home / name).write_bytes(b"\r\n".join([*lines[: n + 1], b""]))
    for name in ("captions.txt", "simulated.json"):
        shutil.copy(folder / name, out / name)
    return out


def cut(strength: str, who: str, backbone: Any) -> tuple[Any, Any, Any]:
    """Plan, recipe and trials of a person, in time order."""
    from calibration.fitting.settings import CalibrationSettings, plan_recipe
    from calibration.fitting.trials import collect
    from rtbci.formats.dataset import find_runs

    runs = [run for run in find_runs(data(strength)) if run.subject == who]
    recordings = [recording_of(run) for run in runs]
    names = sorted({name for run in runs for name in run.names})
    labels = {marker.label: name for run, rec in zip(runs, recordings, strict=True)
              for marker, name in zip(rec.markers, run.names, strict=True)}  # fmt: skip
    assert set(labels.values()) == set(names)
    plan = CalibrationSettings(who, {k: labels[k] for k in sorted(labels)}, backbone=backbone)
    recipe = plan_recipe(recordings, plan)
    trials, _, refused = collect(recordings, recipe, plan.labels, plan.classes)
    assert not refused, refused
    assert len(trials) == SESSIONS * RUNS * TRIALS
    return plan, recipe, trials


def parts(trials: Any) -> tuple[np.ndarray, np.ndarray]:
    """Trials to calibrate on (within the amplitude limit) and to test on (all)."""
    numbers = np.arange(len(trials))
    return numbers[(numbers < CALIBRATED) & trials.kept], numbers[CALIBRATED:]


def network_windows(
    strength: str, who: str, backbone: Any
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """A network's windows of all trials of a person, their classes, and the classes' names."""
    from calibration.pretraining.windows import windows_of
    from rtbci.formats.dataset import find_runs
    from rtbci.signal.epoch_gaps import bridge

    x, y = [], []
    names = backbone.dims.classes
    for run in [each for each in find_runs(data(strength)) if each.subject == who]:
        recording = bridge(recording_of(run))
        recipe = backbone.recipe(recording.info.rate, recording.eeg_channels)
        x.append(windows_of(recording, recipe)[0])
        y += [names.index(name) for name in run.names]
    return np.concatenate(x), np.array(y), names


def scores(name: str, logits: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Balanced accuracy and log-loss of one decoder on the test trials."""
    from rtbci.decoding.scorer import softmax
    from rtbci.statistics.scores import balanced_accuracy

    accuracy = balanced_accuracy(y, logits.argmax(axis=1), logits.shape[1])
    p = softmax(logits.astype(float))[np.arange(len(y)), y]
    return {name: round(float(accuracy), 4), f"{name}_n": len(y),
            f"{name}_loss": round(float(-np.log(np.maximum(p, 1e-12)).mean()), 3)}  # fmt: skip


def paired(differences: Sequence[float]) -> tuple[float, float, float]:
    """Mean of paired differences over subjects and its 95 % interval (Student's t)."""
    from scipy.stats import t

    values = np.asarray(differences, float)
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


@cache
def sources_hash() -> str:
    """Hash of every source file that a figure may depend on."""
    digest = hashlib.sha256()
    for place in SOURCES:
        path = ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def main(words: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.leave_one_out", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--list", action="store_true", help="name the cells and stop")
    parser.add_argument("--only", nargs="+", default=None, metavar="CELL", help="these cells")
    parser.add_argument("--fresh", action="store_true", help="forget what is done")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes [2]")
    args = parser.parse_args(words)
    if args.list:
        print("\n".join(cells()))
        return 0
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # the processes share the cores already
    path = STORE / f"{sources_hash()}.jsonl"
    if args.fresh:
        path.unlink(missing_ok=True)
    units = Units(path)
    wanted = args.only or cells()
    for strength in STRENGTHS:
        tell(f"data: {strength}")
        data(strength)
    began = time.monotonic()
    units.in_processes("cell", work, wanted, args.jobs)
    tell("")
    from tests.soak.leave_one_out_table import table, write

    done = {cell: units.done[f"cell/{cell}"] for cell in cells() if f"cell/{cell}" in units.done}
    print(table(done))
    print(f"{len(done)} of {len(cells())} cells, {time.monotonic() - began:.0f} s now")
    if len(done) == len(cells()):
        write(done, TABLE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
