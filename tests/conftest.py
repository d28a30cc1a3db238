"""What every test may rely on: one BLAS thread, no window, real recordings where there are any.

``RTBCI_TEST_ORDER=SEED`` runs the files, and the tests within each, in an order drawn from SEED:
no test may need another to have run before it.
"""

import logging
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"  # read when numpy is loaded, in this process and its children
os.environ["MPLBACKEND"] = "Agg"

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests stay together, or its fixtures would be built anew for each of them."""
    seed = os.environ.get("RTBCI_TEST_ORDER")
    if not seed:
        return
    dice, files = random.Random(seed), {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    for tests in (order := list(files.values())):
        dice.shuffle(tests)
    dice.shuffle(order)
    items[:] = [item for tests in order for item in tests]  # xdist: the same for every worker


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


@pytest.fixture
def quiet_pyxdf() -> Iterator[None]:
    """It logs whatever is wrong with a file that was damaged on purpose."""
    logger = logging.getLogger("pyxdf")
    level, logger.level = logger.level, logging.CRITICAL + 1
    yield
    logger.level = level


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """Two are slower than one for networks as small as ours."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
