"""What every test may rely on: one BLAS thread, no window, real recordings where there are any.

``RTBCI_TEST_ORDER=SEED`` runs the files, and the tests within each, in an order drawn from SEED:
no test may need another to have run before it.
"""

import logging
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"  # read when numpy is loaded, in this process and its children
os.environ["MPLBACKEND"] = "Agg"

CHECKOUT = Path(__file__).resolve().parent.parent


# several replays at a time each; two of these files at once would be a dozen more processes than
# the seconds that they promise allow for
REPLAYS = {
    "test_fault_table_machine.py",
    "test_fault_table_markers.py",
    "test_fault_table_signal.py",
    "test_outlet_returns.py",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests stay with one worker, which then builds the file's fixtures once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "replays" if Path(file).name in REPLAYS else file

    config.option.loadscopereorder = False  # in the order below, not by the number of tests
    return ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A file's tests stay together, or its fixtures would be built anew for each of them."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    order = list(files.values())
    if seed := os.environ.get("RTBCI_TEST_ORDER"):
        dice = random.Random(seed)  # xdist: the same for every worker
        for tests in order:
            dice.shuffle(tests)
        dice.shuffle(order)
    if hasattr(config, "workerinput"):  # long files first: no worker waits for another at the end
        order.sort(key=lambda tests: not any(map(is_long, tests)))
    items[:] = [item for tests in order for item in tests]


def is_long(item: pytest.Item) -> bool:
    """Whether it may take more than a few seconds."""
    return any(item.get_closest_marker(name) for name in ("slow", "lsl"))


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
