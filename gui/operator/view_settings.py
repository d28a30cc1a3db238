"""View settings of the window: theme, text size, trace scale, time base and electrode group."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtWidgets import QApplication

from gui.operator.traces import Traces
from gui.widgets.palette import THEMES, Theme, stylesheet
from gui.widgets.remembered import FONTS, GROUPS, SCALES_UV, SECONDS, Choices, Remembered, step


class ViewSettings:
    """Theme, text size and trace settings of one window; each change is applied and stored.

    ``on_theme`` is called with the theme to draw in, ``on_freeze`` with whether the traces are
    frozen.
    """

    def __init__(
        self,
        choices: Choices,
        remembered: Remembered,
        on_theme: Callable[[Theme], None],
        on_freeze: Callable[[bool], None],
    ) -> None:
        self.choices, self._remembered = choices, remembered
        self._on_theme, self._on_freeze = on_theme, on_freeze
        self._traces: Traces | None = None
        self.actions: dict[str, Callable[[], None]] = {
            "larger": lambda: self._scale(-1), "smaller": lambda: self._scale(1),
            "autoscale": self._autoscale, "shorter": lambda: self._seconds(-1),
            "longer": lambda: self._seconds(1), "next": lambda: self._turn(1),
            "previous": lambda: self._turn(-1), "group": self._group, "freeze": self._freeze,
            "theme": self._theme, "bigger": lambda: self._font(1), "tinier": lambda: self._font(-1),
        }  # fmt: skip

    @property
    def theme(self) -> Theme:
        """The chosen theme."""
        return THEMES[self.choices.theme]

    def begin(self, traces: Traces) -> None:
        """Apply the chosen scales to new traces."""
        self._traces = traces
        traces.set_seconds(self.choices.seconds)
        traces.set_scale(self.choices.scale_uv)
        traces.set_group(0, self.choices.group or None)

    def apply(self) -> None:
        """Apply theme and text size to the application."""
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.setStyleSheet(stylesheet(self.theme, self.choices.scale))
        self._on_theme(self.theme)

    def _choose(self, **changes: object) -> None:
        self.choices = replace(self.choices, **changes)  # type: ignore[arg-type]
        self._remembered.keep(self.choices)

    def _scale(self, by: int) -> None:
        traces = self._traces
        if traces is not None:
            traces.set_scale(step(SCALES_UV, traces.scale_uv, by))
            self._choose(scale_uv=float(traces.scale_uv))

    def _autoscale(self) -> None:
        traces = self._traces
        if traces is not None:
            traces.autoscale()
            self._choose(scale_uv=float(traces.scale_uv))

    def _seconds(self, by: int) -> None:
        traces = self._traces
        if traces is not None:
            traces.set_seconds(step(SECONDS, traces.seconds, by))
            self._choose(seconds=int(traces.seconds))

    def _turn(self, by: int) -> None:
        traces, size = self._traces, self.choices.group
        if traces is not None and size:
            first = traces.group[0] + by * size
            if 0 <= first < len(traces.channels):
                traces.set_group(first, size)

    def _group(self) -> None:
        at = GROUPS.index(self.choices.group) if self.choices.group in GROUPS else 0
        self._choose(group=GROUPS[(at + 1) % len(GROUPS)])
        traces = self._traces
        if traces is not None:
            traces.set_group(traces.group[0], self.choices.group or None)

    def _freeze(self) -> None:
        traces = self._traces
        if traces is not None:
            traces.set_paused(not traces.paused)
            self._on_freeze(traces.paused)

    def _theme(self) -> None:
        self._choose(theme="light" if self.choices.theme == "dark" else "dark")
        self.apply()

    def _font(self, by: int) -> None:
        self._choose(scale=float(step(FONTS, self.choices.scale, by)))
        self.apply()
