"""Settings kept between sessions: layout, theme and scales."""

from dataclasses import dataclass, fields, replace

from PySide6.QtCore import QByteArray, QSettings

SECONDS = (1, 2, 5, 10, 20, 30)  # of the time base
SCALES_UV = (20, 50, 100, 200, 500, 1000)  # a trace's height
GROUPS = (16, 32, 0)  # electrodes at once; 0: all
FONTS = (0.75, 0.85, 1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0)


@dataclass(frozen=True)
class Choices:
    """View settings chosen by the operator."""

    theme: str = "dark"
    scale: float = 1.0  # of all text
    seconds: int = 10
    scale_uv: float = 100.0
    group: int = 16


class Remembered:
    """Settings in the user's INI file; damaged entries are ignored."""

    def __init__(self, settings: QSettings | None = None) -> None:
        self._settings = settings or QSettings(
            QSettings.Format.IniFormat, QSettings.Scope.UserScope, "rtbci", "window"
        )

    def choices(self) -> Choices:
        """Stored settings."""
        found = Choices()
        for field in fields(Choices):
            kind = type(getattr(found, field.name))
            try:
                value = kind(str(self._settings.value(field.name)))
            except ValueError:
                continue
            if _is_allowed(field.name, value):
                found = replace(found, **{field.name: value})
        return found

    def keep(self, choices: Choices) -> None:
        """Store settings."""
        for field in fields(Choices):
            self._settings.setValue(field.name, getattr(choices, field.name))

    def layout(self, name: str) -> QByteArray | None:
        """Stored geometry or splitter state, or None."""
        value = self._settings.value(f"layout/{name}")
        return value if isinstance(value, QByteArray) else None

    def keep_layout(self, name: str, value: QByteArray) -> None:
        """Store a geometry or splitter state."""
        self._settings.setValue(f"layout/{name}", value)


def _is_allowed(name: str, value: object) -> bool:
    if name == "theme":
        return value in ("dark", "light")
    if name == "scale":
        return isinstance(value, float) and FONTS[0] <= value <= FONTS[-1]
    if name == "seconds":
        return value in SECONDS
    if name == "group":
        return value in GROUPS
    return isinstance(value, float) and 1 <= value <= 100_000


def step(values: tuple, now: float, by: int):
    """Next larger (``by`` 1) or smaller (-1) of ``values``; stays at the ends."""
    if by > 0:
        return next((value for value in values if value > now * 1.001), values[-1])
    return next((value for value in reversed(values) if value < now * 0.999), values[0])
