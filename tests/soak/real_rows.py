"""Do other people's networks help on real recordings? Every development row, also those that lose.

    python -m tests.soak.real_rows --backbone DIR [--write]

Each row calibrates as ``tests/calibration/test_real_recordings.py`` does, with a pretrained network
fine-tuned and stacked, and is tested four times: closed form alone, network alone, both alike, and
with the weights that the calibration chose. AUC of all events.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.calibration.test_real_recordings import ROWS, auc, quick, split
from tests.conftest import eeg_folder

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "real_rows.md"
VARIANTS = ("closed form", "network", "half and half", "chosen")


def row(eeg: Path, name: str, backbone: Any) -> dict[str, float]:
    """AUC of each variant, and the weight that the calibration gave the network."""
    from calibration.fitting.settings import CalibrationSettings
    from rtbci.decoding.decoders.stacked import StackedDecoder

    train, test = split(eeg, name)
    bundle = quick(train, CalibrationSettings("sub-00", ROWS[name][1], backbone=backbone))
    decoder = bundle.decoder
    assert isinstance(decoder, StackedDecoder)
    weights = {
        "closed form": np.array([1.0, 0.0]),
        "network": np.array([0.0, 1.0]),
        "half and half": np.array([0.5, 0.5]),
        "chosen": decoder.weights,
    }
    found = {
        variant: auc(replace(bundle, decoder=replace(decoder, weights=each)), test)
        for variant, each in weights.items()
    }
    return {**found, "weight": float(decoder.weights[1])}


def table(rows: dict[str, dict[str, float]]) -> str:
    """Markdown."""
    lines = [
        f"| row | {' | '.join(VARIANTS)} | weight of the network |",
        "|---|" + "---|" * (len(VARIANTS) + 1),
    ]
    for name, each in rows.items():
        figures = " | ".join(f"{each[variant]:.3f}" for variant in VARIANTS)
        lines.append(f"| {name} | {figures} | {each['weight']:.2f} |")
    means = " | ".join(
        f"**{np.mean([each[variant] for each in rows.values()]):.3f}**" for variant in VARIANTS
    )
    return "\n".join([*lines, f"| **mean** | {means} | |"])


def main(words: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.real_rows", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--backbone", type=Path, required=True, metavar="DIR")
    parser.add_argument("--write", action="store_true", help="write docs/real_rows.md")
    args = parser.parse_args(words)
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    from calibration.pretraining import load_backbone

    eeg, backbone = eeg_folder(), load_backbone(args.backbone)
    if not eeg.is_dir():
        print("the recordings are not here; name their folder with RTBCI_EEG_DATA", file=sys.stderr)
        return 3
    rows = {}
    for name in ROWS:
        rows[name] = row(eeg, name, backbone)
        print(name, rows[name], flush=True)
    text = table(rows)
    print(text)
    if args.write:
        people = len(backbone.dims.subjects)
        TABLE.write_text(
            "# Networks on real recordings\n\nMade by `python -m tests.soak.real_rows "
            f"--backbone DIR --write`: MontageNet pretrained on {people} simulated people "
            "(`clear`, 122 electrodes), mounted on four Muse electrodes, fine-tuned on the rows' "
            "calibration recordings. AUC of all events; the calibration chooses by inner blocks."
            "\n\n"
            + text + "\n", "utf-8",
        )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
