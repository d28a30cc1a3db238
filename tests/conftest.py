"""What every test may rely on: one BLAS thread, no window, real recordings where there are any."""

import os
from pathlib import Path

import pytest

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"  # read when numpy is loaded, in this process and its children
os.environ["MPLBACKEND"] = "Agg"

CHECKOUT = Path(__file__).resolve().parent.parent


def eeg_folder() -> Path:
    """Where real recordings are looked for."""
    folder = os.environ.get("RTBCI_EEG_DATA")
    return Path(folder) if folder else CHECKOUT.parent / "shared" / "data" / "eeg"


@pytest.fixture(scope="session")
def eeg() -> Path:
    """The folder with real recordings; tests that need it are skipped where it is not."""
    path = eeg_folder()
    if not path.is_dir():
        pytest.skip(f"no recordings in {path}; RTBCI_EEG_DATA names the folder that holds them")
    return path
