"""A small dataset in the layout of the 122-channel one: few electrodes, clear classes."""

import json
from pathlib import Path

import numpy as np

from rtbci.formats.dataset import CLASSES

CHANNELS = ("Fp1", "Fp2", "F3", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2", "X1", "X2")
RATE = 250
USED = (1, 7, 13)  # class ids


def write_dataset(
    folder: Path,
    subjects: tuple[int, ...] = (2, 3, 5),
    sessions: int = 2,
    trials: int = 45,
    strength: float = 8.0,
    pictures: int = 400,
) -> Path:
    """Runs of ``trials`` epochs of 0.5 s; each class has a pattern that all subjects share."""
    rng = np.random.default_rng(7)
    patterns = strength * rng.standard_normal((len(CLASSES), len(CHANNELS)))
    course = np.exp(-(((np.arange(125) / RATE - 0.2) / 0.05) ** 2))
    names: dict[str, str] = {}
    for subject in subjects:
        for session in range(1, sessions + 1):
            home = folder / "ds005589" / f"sub-{subject:02d}" / f"ses-{session:02d}"
            home.mkdir(parents=True)
            stem = f"sub-{subject:02d}_ses-{session:02d}_task-lowSpeed_run-01"
            y = rng.permutation(np.resize(USED, trials))
            noise = rng.standard_normal((trials, 125, len(CHANNELS))).cumsum(axis=1)
            x = noise + 3 * rng.standard_normal(noise.shape)
            x += course[:, None] * patterns[y][:, None, :]
            np.save(home / f"{stem}_{RATE}Hz.npy", x.astype("<f4"))
            (home / f"{stem}_{RATE}Hz.json").write_text(json.dumps(y.tolist(), indent=2))
            rows = []
            for label in y.tolist():
                name = f"{label:03d}{rng.integers(pictures):04d}"
                names[name] = CLASSES[label]
                rows.append(f"C:\\pictures\\{CLASSES[label]}\\{name}_resized.jpg")
            text = "FilePath\r\n" + "\r\n".join(rows) + "\r\n"
            (home / f"{stem}_image.csv").write_text(text, newline="")
    lines = ["dataset\tcategory\timage_name\tabstracted"]
    lines += [f"Pascal\t{kind}\t{name}\tA {kind} number {name}" for name, kind in names.items()]
    (folder / "captions.txt").write_text("\n".join(lines))
    note = {"simulated": True, "rate": RATE, "channels": list(CHANNELS), "unit": "uV"}
    (folder / "simulated.json").write_text(json.dumps(note))
    return folder
