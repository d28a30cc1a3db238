"""``rtbci pretrain``: trains one backbone, with a head for each person, on many people."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.commands.option_types import count, seed, subject_id
from rtbci.commands.options import check_out
from rtbci.errors import BadInput, Missing
from rtbci.networks import NETWORKS, OTHERS
from rtbci.terminal import progress_bar, say, stages

if TYPE_CHECKING:
    from calibration.pretraining import Pretrained, PretrainingSettings

HELP = """Train one network on many people, with a head for each of them.

  rtbci pretrain --data DIR --out backbone [--model montagenet] [--sessions 3/1/1]

Sessions are split in time into training, validation and test. A run that was
stopped is resumed when the same command is given again. With several
processes: torchrun --nproc-per-node 2 -m rtbci pretrain ..."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of the command."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the dataset")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="output folder")
    parser.add_argument(
        "--model", default="montagenet", type=model, metavar="NAME",
        help=f"{', '.join(NETWORKS)}, or {OTHERS}NAME for a model of braindecode [montagenet]",
    )  # fmt: skip
    parser.add_argument(
        "--weights", type=Path, metavar="FILE.safetensors",
        help="initial weights of a braindecode model",
    )  # fmt: skip
    parser.add_argument(
        "--head", choices=("linear", "transformer", "lstm"), default=None,
        help="head of the electrode transformer [linear]",
    )  # fmt: skip
    parser.add_argument(
        "--sessions", default="3/1/1", metavar="A/B/C",
        help="sessions for training, validation, test [3/1/1]",
    )  # fmt: skip
    parser.add_argument("--epochs", type=count, default=20, metavar="N", help="at most [20]")
    parser.add_argument("--batch", type=count, default=128, metavar="N", help="trials [128]")
    parser.add_argument(
        "--subjects", type=subjects, metavar="A,B", help="train on these only [all]"
    )
    parser.add_argument(
        "--leave-out", type=subjects, default=(), metavar="A,B", help="do not train on these"
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="random seed [0]")
    parser.add_argument(
        "--teacher", type=Path, metavar="FILE.npy", help="soft targets (pictures, classes)"
    )
    parser.add_argument("--no-text", action="store_true", help="do not learn from captions")
    parser.add_argument(
        "--threads", type=count, default=1, metavar="N",
        help="more than 1 is faster on free cores, but not bit for bit reproducible [1]",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="the result as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Pretrain and show the result; returns the exit code."""
    from rtbci.messages import line

    check_out(args.out)
    if args.head is not None and args.model != "electrode-transformer":
        raise BadInput(f"--head belongs to --model electrode-transformer, not to {args.model}")
    plan = settings_of(args)
    from calibration.pretraining import pretrain

    with progress_bar() as bar:
        done = pretrain(plan, stages(bar))
    if not done.leads:
        return 0
    for note in done.notes:
        say(note)
    if args.json:
        print(line(result_json(done)))
    else:
        show(done)
    return 0


def settings_of(args: argparse.Namespace) -> "PretrainingSettings":
    """Pretraining settings from the options; raises ``Missing`` if torch is not installed."""
    try:
        from calibration.pretraining import PretrainingSettings
        from calibration.pretraining.loop import TrainingSettings
    except ImportError as error:
        raise Missing(
            f"pretraining needs torch, which does not load ({error}); pip install 'rtbci[deep]'"
        ) from error
    return PretrainingSettings(
        data=args.data, out=args.out, model=args.model, sessions=args.sessions,
        subjects=args.subjects, leave_out=args.leave_out, teacher=args.teacher,
        text=not args.no_text, threads=args.threads,
        settings=TrainingSettings(epochs=args.epochs, batch=args.batch, seed=args.seed),
        options={} if args.head is None else {"head": args.head}, begin=args.weights,
    )  # fmt: skip


def result_json(done: "Pretrained") -> dict[str, object]:
    """The result as programs read it."""
    from rtbci.messages import result_kind

    return {
        **result_kind("pretrained"),
        "folder": str(done.folder),
        "parameters": done.parameters,
        "trials": done.trials,
        "resumed": done.resumed,
        "epochs": len(done.history),
        "best_epoch": done.best_epoch,
        "history": done.history,
        "test": done.test,
        "notes": list(done.notes),
    }


def show(done: "Pretrained") -> None:
    """Print the result and the next step."""
    best = done.history[done.best_epoch]
    trials = ", ".join(f"{name} {number}" for name, number in done.trials.items())
    print(f"backbone    {done.folder} ({done.parameters:,} parameters)")
    print(f"trials      {trials}")
    print(f"epochs      {len(done.history)}, the best is number {done.best_epoch + 1}")
    print(f"validation  {100 * best['accuracy']:.1f} % right, loss {best['validation']:.3f}")
    if done.test:
        print(f"test        {100 * done.test['accuracy']:.1f} % right")
    say("next: calibrate a person on it")
    say(f"  rtbci calibrate --backbone {done.folder} --subject ID --from FILE --labels 1=A,2=B")


def subjects(text: str) -> tuple[str, ...]:
    """Type of a list of subject ids, ``02,03``."""
    return tuple(dict.fromkeys(subject_id(part.strip()) for part in text.split(",")))


def model(text: str) -> str:
    """Type of the name of a network."""
    if text not in NETWORKS and not text.startswith(OTHERS):
        names = ", ".join(NETWORKS)
        raise argparse.ArgumentTypeError(f"{text!r} is none of {names}, {OTHERS}NAME")
    return text
