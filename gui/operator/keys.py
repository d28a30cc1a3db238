"""Table of all keys of the window, with their actions and descriptions. No Qt."""

from dataclasses import dataclass

MARKER_S = 3.0  # time for the digit after M
STOP_S = 2.0  # between the two presses of Esc that stop a session


@dataclass(frozen=True)
class Key:
    """One action and its ``keys`` in Qt's notation; the first one is displayed."""

    action: str
    keys: tuple[str, ...]
    what: str
    shown: str = ""  # label if the first key reads badly

    @property
    def label(self) -> str:
        """Label on the page of keys."""
        return self.shown or self.keys[0]


KEYS = (
    Key("pause", ("Space",), "pause or resume decisions; recording continues"),
    Key("stop", ("Esc",), "twice within 2 s: stop the session safely", "Esc Esc"),
    Key("marker", ("M",), "marker: M, then 1 to 9", "M 1...9"),
    Key("note", ("N",), "note, stamped with the present time; Enter saves it"),
    Key("understood", ("Return", "Enter"), "action of the alarm, or the focused button", "Enter"),
    Key("larger", ("+", "="), "larger traces", "+"),
    Key("smaller", ("-",), "smaller traces"),
    Key("autoscale", ("A",), "scale that fits the traces"),
    Key("shorter", ("[",), "shorter time base"),
    Key("longer", ("]",), "longer time base"),
    Key("next", ("PgDown",), "next group of electrodes", "PgDn"),
    Key("previous", ("PgUp",), "previous group of electrodes"),
    Key("group", ("G",), "groups of 16, 32, or all"),
    Key("freeze", ("F",), "freeze or resume the traces"),
    Key("theme", ("T",), "dark or light"),
    Key("bigger", ("Ctrl++", "Ctrl+="), "larger text", "Ctrl +"),
    Key("tinier", ("Ctrl+-",), "smaller text", "Ctrl -"),
    Key("fullscreen", ("F11",), "full screen"),
    Key("keys", ("?", "F1"), "this page"),
    Key("close", ("Ctrl+Q", "Ctrl+W"), "close the window; the session continues", "Ctrl Q"),
)  # fmt: skip


class DoublePress:
    """Detector of a second call within ``seconds``; the caller passes the clock's time."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._first = seconds, float("-inf")

    def __call__(self, now: float) -> bool:
        second = now - self._first <= self._seconds
        self._first = float("-inf") if second else now
        return second

    def waits(self, now: float) -> bool:
        """Whether a second call would count now."""
        return now - self._first <= self._seconds

    def forget(self) -> None:
        """Reset to no first call."""
        self._first = float("-inf")
