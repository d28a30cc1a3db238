"""Names on the bus that rtbci treats specially, and the marker of a late replay."""

from rtbci.messages.wire import line
from rtbci.types import Marker

RESULTS = ("rtbci-decisions", "rtbci-probabilities")  # streams of ours that hold no events
LATE_START = "rtbci-start"  # label of the marker with which a replay reports how late it runs
LATEST_S = 3600.0  # a replay that claims to be later than this is not believed
_LATE = "late"


def late_start_marker(late: float) -> str:
    """JSON text of the marker of a replay that runs ``late`` s after its due times."""
    return line({"label": LATE_START, _LATE: late})


def lateness(marker: Marker) -> float:
    """Seconds that a replay runs after its due times, from its marker; 0 if unknown or absurd."""
    late = marker.fields.get(_LATE)
    if isinstance(late, bool) or not isinstance(late, int | float):
        return 0.0
    return float(late) if 0 <= late <= LATEST_S else 0.0
