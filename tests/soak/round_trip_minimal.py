"""The smallest files that readers have failed on, each under its own name.

They were found by ``python -m tests.soak.round_trip_smallest SEED``. A case stays here when it has
been mended: it then says nothing.
"""

from collections.abc import Callable

import numpy as np

from tests.soak.round_trip_cases import LONG_REMARK, Case, Stream

MANY = 257  # streams


def stream(number: int = 1, **changes: object) -> Stream:
    """An ordinary stream of ten samples of one channel, with ``changes``."""
    plain: dict[str, object] = {
        "name": f"s{number}", "kind": "EEG", "format": "float32", "rate": 100.0, "labels": ("c0",),
        "unit": "microvolts", "depth": 0, "stamps": 1000 + np.arange(10) / 100,
        "values": np.arange(10, dtype=np.float32)[:, None], "cuts": (10,), "offsets": (),
    }  # fmt: skip
    return Stream(**{**plain, **changes})  # type: ignore[arg-type]


def event(stamp: float) -> Stream:
    """A stream of one marker."""
    return stream(
        2, kind="Markers", format="string", rate=0.0, stamps=np.array([stamp]),
        values=np.array([["go"]], object), cuts=(1,),
    )  # fmt: skip


def of_lsl(*streams: Stream) -> Callable[[], Case]:
    """A case that the recorder writes from LSL's descriptions."""
    return lambda: Case(0, streams, own=False)


MINIMAL: dict[str, Callable[[], Case]] = {
    "a description 51 levels deep": of_lsl(stream(depth=51)),
    "an EEG stream next to a description 51 levels deep": of_lsl(stream(), stream(2, depth=51)),
    "a description of 4.5 MB in 1.5 million characters": of_lsl(stream(remark=LONG_REMARK)),
    "257 streams": lambda: Case(0, tuple(stream(n) for n in range(1, MANY + 1)), own=False),
    "a control character in a stream's name": of_lsl(stream(name="a\x01")),
    "a control character in a channel's label": of_lsl(stream(labels=("a\x1b",))),
    "a marker stamped 1e100 s": of_lsl(stream(), event(1e100)),
    "a marker stamped -1e100 s": of_lsl(stream(), event(-1e100)),
    "a marker stamped 1.7e18 s (nanoseconds)": of_lsl(stream(), event(1.7e18)),
    "a reading of the clock that is 1e300 s": of_lsl(stream(offsets=((1000.0, 1e300),))),
    "a reading of the clock that is NaN": of_lsl(stream(offsets=((1000.0, np.nan),))),
    "a reading of the clock that is infinite": of_lsl(stream(offsets=((1000.0, np.inf),))),
}
