"""Every key of the window: what it does, and how the keys page names it. No Qt."""

from dataclasses import dataclass

MARKER_S = 3.0  # after M, a digit is waited for
STOP_S = 2.0  # between the two Esc that stop a session


@dataclass(frozen=True)
class Key:
    """``keys`` as Qt writes them, the first of them as it is shown."""

    action: str
    keys: tuple[str, ...]
    what: str
    shown: str = ""  # where the first key says it badly

    @property
    def label(self) -> str:
        """How the keys page shows it."""
        return self.shown or self.keys[0]


KEYS = (
    Key("pause", ("Space",), "pause or resume decisions; recording goes on"),
    Key("stop", ("Esc",), "twice within 2 s: stop the session safely", "Esc Esc"),
    Key("marker", ("M",), "marker: M, then 1 to 9", "M 1...9"),
    Key("note", ("N",), "note with the time of this moment; Enter saves it"),
    Key("understood", ("Return", "Enter"), "the alarm's action, or the button in focus", "Enter"),
    Key("larger", ("+", "="), "larger traces", "+"),
    Key("smaller", ("-",), "smaller traces"),
    Key("autoscale", ("A",), "scale that fits the traces"),
    Key("shorter", ("[",), "less time in the picture"),
    Key("longer", ("]",), "more time in the picture"),
    Key("next", ("PgDown",), "next group of electrodes", "PgDn"),
    Key("previous", ("PgUp",), "group before"),
    Key("group", ("G",), "groups of 16, 32, or all"),
    Key("freeze", ("F",), "freeze the picture, and let it go on"),
    Key("theme", ("T",), "dark or light"),
    Key("bigger", ("Ctrl++", "Ctrl+="), "larger text", "Ctrl +"),
    Key("tinier", ("Ctrl+-",), "smaller text", "Ctrl -"),
    Key("fullscreen", ("F11",), "full screen"),
    Key("keys", ("?", "F1"), "this page"),
    Key("close", ("Ctrl+Q", "Ctrl+W"), "close the window; the session goes on", "Ctrl Q"),
)  # fmt: skip


class DoublePress:
    """True at the second of two calls within ``seconds``; the clock's seconds are given."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._first = seconds, float("-inf")

    def __call__(self, now: float) -> bool:
        second = now - self._first <= self._seconds
        self._first = float("-inf") if second else now
        return second

    def waits(self, now: float) -> bool:
        """Whether the second may still come."""
        return now - self._first <= self._seconds

    def forget(self) -> None:
        """Begin anew."""
        self._first = float("-inf")
