"""Table of ``tests/soak/leave_one_out.py`` as Markdown and JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.soak.leave_one_out import CALIBRATED, FEW, OTHERS, PEOPLE, STRENGTHS, TUNINGS, paired

COMMAND = "python -m tests.soak.leave_one_out"
CLASSES = {"clear": 8, "realistic": 20}
Cells = Mapping[str, Mapping[str, Any]]


def table(cells: Cells) -> str:
    """Markdown table of the finished cells."""
    parts = [summary(cells, strength) for strength in STRENGTHS]
    return "\n\n".join(part for part in parts if part)


def summary(cells: Cells, strength: str) -> str:
    """The rows of one strength."""
    folds = [cells[f"fold/{strength}/montagenet/{i}"] for i in range(PEOPLE)
             if f"fold/{strength}/montagenet/{i}" in cells]  # fmt: skip
    if len(folds) < 2:
        return ""
    chance = 1 / CLASSES[strength]
    columns = [("closed", "closed form")]
    for how in TUNINGS:
        columns += [(f"{how}_network", f"network, {how}"), (f"{how}_stacked", f"stacked, {how}")]
    lines = [
        f"### `{strength}`: {CLASSES[strength]} classes, chance {chance:.1%}",
        "",
        f"| new person | {' | '.join(title for _, title in columns)} | weights of the network | "
        "pretraining | fine-tuning |",
        "|---|" + "---|" * (len(columns) + 3),
    ]
    for each in folds:
        figures = " | ".join(f"{each[name]:.1%}" for name, _ in columns)
        weights = ", ".join(f"{each[f'{how}_weight']:.2f}" for how in TUNINGS)
        seconds = ", ".join(f"{each[f'{how}_fit_s']:.0f}" for how in TUNINGS)
        lines.append(
            f"| {each['subject']} | {figures} | {weights} | {each['pretraining_s']:.0f} s | "
            f"{seconds} s |"
        )
    means = " | ".join(f"{np.mean([f[name] for f in folds]):.1%}" for name, _ in columns)
    lines += [f"| mean | {means} | | | |", ""]
    for how in TUNINGS:
        mean, low, high = paired([each[f"{how}_stacked"] - each["closed"] for each in folds])
        lines.append(
            f"Stacked ({how}) minus closed form, paired over {len(folds)} people: "
            f"{100 * mean:+.1f} points, 95 % interval [{100 * low:+.1f}, {100 * high:+.1f}].  "
        )
    return "\n".join(lines + others(cells, strength, folds))


def others(cells: Cells, strength: str, folds: list[Mapping[str, Any]]) -> list[str]:
    """The founding networks, beside the same people's closed form."""
    lines = []
    for model in OTHERS:
        own = [cells.get(f"alone/{strength}/{model}/{i}") for i in range(FEW)]
        there = [each for each in own if each is not None]
        shared = cells.get(f"fold/{strength}/{model}/0")
        if len(there) < FEW and shared is None:
            continue
        alone = np.mean([each["network"] for each in there]) if there else float("nan")
        seconds = np.mean([each["seconds"] for each in there]) if there else float("nan")
        pretrained = "" if shared is None else (
            f"{shared['network']:.1%} | {shared['pretraining_s']:.0f} s"
        )  # fmt: skip
        lines.append(f"| {model} | {alone:.1%} | {seconds:.0f} s | {pretrained or '| '} |")
    if not lines:
        return []
    reference = np.mean([each["closed"] for each in folds[:FEW]])
    return [
        "",
        f"| network | alone on {CALIBRATED} trials, mean of {FEW} people | time | pretrained on "
        f"{PEOPLE - 1}, {folds[0]['subject']} | time |",
        "|---|---|---|---|---|",
        f"| closed form (same people) | {reference:.1%} | | {folds[0]['closed']:.1%} | |",
        f"| MontageNet (same people) | | | {folds[0]['quick_network']:.1%} | "
        f"{folds[0]['pretraining_s']:.0f} s |",
        *lines,
    ]


def write(cells: Cells, path: Path) -> None:
    """``path`` for programs, and the same name with .md for people."""
    kept = {name: dict(cell) for name, cell in cells.items() if not name.startswith("windows/")}
    document = {"command": COMMAND, "cells": kept}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    text = (
        "# Leave one person out\n\n"
        f"Made by `{COMMAND}` (resumable per cell; `--list` names the cells). Balanced accuracy of "
        f"simulated participants: {CALIBRATED} trials calibrate, the 110 that follow "
        "test, so that one person's figure has a standard error of 3 to 5 points and only the "
        "means say something. Times are of one thread with another cell beside it. `network` is "
        "MontageNet alone; `quick` and `heads` are the two ways of `--tune`.\n\n"
        "What this does not say: simulated people share three quarters of the map from meaning to "
        "sources, and nobody knows how much real ones share. Published networks, trained on "
        "thirteen real people, find about 12 % of the 20 classes, less than these do at "
        "`realistic`.\n\n"
    )
    path.with_suffix(".md").write_text(text + table(cells) + "\n", encoding="utf-8")
