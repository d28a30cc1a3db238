"""Panels around the traces: session header, lost samples, process lamps and status line.

What is not known is a dash, never a zero. A state is a shape, a word and a colour.
"""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QWidget

from gui.widgets.flow_layout import FlowLayout
from gui.widgets.labels import (
    DASH,
    Cell,
    Sign,
    age,
    digits,
    grouped,
    hours,
    label,
    milliseconds,
    put,
    tone,
)  # fmt: skip
from gui.widgets.palette import DARK, Theme

LAMPS = {"works": "circle", "late": "triangle", "gone": "cross", "off": "ring"}
RECORDING = {"REC": ("circle", "bad"), "no recording": ("ring", "dim"), "lost": ("cross", "red")}
LOSS_ROWS = ("session", "stream", "10 s", "1 min", "10 min")


class Header(QWidget):
    """Session name, recording state, and session and stream times."""

    def __init__(self, theme: Theme = DARK, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self._state = "no recording"
        self._sign = Sign("ring", theme.dim)
        self._session = Cell("session", "large")
        self._recording = Cell("recording")
        self._times = {name: Cell(name, "large") for name in ("session time", "stream time")}
        self._file, self._part, self._speed = Cell("file"), Cell("part"), Cell("speed")
        recording = QWidget()
        row = QHBoxLayout(recording)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self._recording)
        flow = FlowLayout(self, space=26, line=2)
        for cell in (
            *(self._session, recording, *self._times.values()),
            *(self._file, self._part, self._speed),
        ):
            flow.addWidget(cell)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Session")

    def set_values(
        self,
        session: str = DASH,
        recording: str = "no recording",
        file_mb: float | None = None,
        growing: bool | None = None,
        session_s: float | None = None,
        stream_s: float | None = None,
        part: str = "",
        speed: float | None = None,
    ) -> None:
        """Show these values; sizes in MB, times in seconds."""
        self._session.put(session or DASH)
        self._state = recording
        self._recording.put(recording)
        tone(self._recording.value, {"REC": "red", "lost": "red"}.get(recording, "dim"))
        growth = {True: ", growing", False: ", not growing", None: ""}[growing]
        self._file.put(DASH if file_mb is None else f"{file_mb:.1f} MB{growth}")
        tone(self._file.value, "red" if growing is False else "")
        self._times["session time"].put(hours(session_s))
        self._times["stream time"].put(hours(stream_s))
        self._part.put(part or DASH)
        self._speed.put(DASH if speed is None else f"{speed:g}×")
        self._colour()

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self.theme = theme
        self._colour()

    def _colour(self) -> None:
        kind, color = RECORDING.get(self._state, ("ring", "dim"))
        self._sign.set(kind, getattr(self.theme, color))


class LossTable(QWidget):
    """Lost and expected samples since the start and over recent spans."""

    def __init__(self, theme: Theme = DARK, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(0, 1)
        for column, title in enumerate(("samples", "lost", "expected", "share")):
            side = "right" if column else "left"
            self._grid.addWidget(label("caption", title, side), 0, column)
        self._rows: list[tuple[QLabel, ...]] = []
        self.setAccessibleName("Lost samples")
        self.set_values([(name, None, None) for name in LOSS_ROWS])

    def set_values(self, rows: Sequence[tuple[str, int | None, int | None]] = ()) -> None:
        """Show name, lost and expected of each row; None if unknown."""
        while len(self._rows) < len(rows):
            cells = (label(), *(label("value", "", "right") for _ in range(3)))
            for column, cell in enumerate(cells):
                self._grid.addWidget(cell, len(self._rows) + 1, column)
            self._rows.append(cells)
        for at, cells in enumerate(self._rows):
            for cell in cells:
                cell.setVisible(at < len(rows))
        for (name, lost, expected), cells in zip(rows, self._rows, strict=False):
            share = DASH if lost is None or not expected else f"{100 * lost / expected:.3f} %"
            sign = "▲ " if lost else ""
            texts = (name, sign + grouped(lost), grouped(expected), share)
            for cell, text in zip(cells, texts, strict=True):
                put(cell, text)
            for cell in (cells[1], cells[3]):
                tone(cell, "amber" if lost else "dim" if lost is None else "")
            tone(cells[2], "dim")
        told = [f"{n}: {DASH if lost is None else lost} lost" for n, lost, _ in rows]
        self.setAccessibleDescription(", ".join(told))

    def set_theme(self, theme: Theme) -> None:
        """Keep the theme; the style sheet sets all colours."""
        self.theme = theme


class Lamp(QWidget):
    """One process: shape, name and state in words."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.sign, self.name, self.words = Sign("ring", "#808080"), label("value", name), label()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for part in (self.sign, self.name, self.words):
            row.addWidget(part)


class Lamps(QWidget):
    """One lamp per process: works, late, gone or off, each with its own shape."""

    def __init__(self, theme: Theme = DARK, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self._states: dict[str, tuple[str, str]] = {}
        self._lamps: dict[str, Lamp] = {}
        self._flow = FlowLayout(self, space=18, line=2)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Processes")

    def set_values(self, states: Mapping[str, tuple[str, str]] | None = None) -> None:
        """Show the state and text of each process by name."""
        self._states = dict(states or {})
        for name in [name for name in self._lamps if name not in self._states]:
            lamp = self._lamps.pop(name)
            self._flow.removeWidget(lamp)
            lamp.deleteLater()
        for name, (state, text) in self._states.items():
            if name not in self._lamps:
                self._lamps[name] = Lamp(name)
                self._flow.addWidget(self._lamps[name])
            lamp = self._lamps[name]
            words = f"{state}, {text}" if text and text != state else state
            put(lamp.words, words)
            tone(lamp.words, {"late": "amber", "gone": "red"}.get(state, "dim"))
            lamp.setAccessibleName(f"{name}: {words}")
        self._colour()
        told = [f"{name} {state}" for name, (state, _) in self._states.items()]
        self.setAccessibleDescription(", ".join(told))

    def set_theme(self, theme: Theme) -> None:
        """Draw in the colours of ``theme``."""
        self.theme = theme
        self._colour()

    def _colour(self) -> None:
        theme = self.theme
        colors = {"works": theme.good, "late": theme.doubtful, "gone": theme.bad}
        for name, (state, _) in self._states.items():
            self._lamps[name].sign.set(LAMPS.get(state, "ring"), colors.get(state, theme.dim))


class StatusLine(QWidget):
    """Age of the newest sample, latency of each step, and frame timing."""

    def __init__(self, theme: Theme = DARK, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self._flow = FlowLayout(self, space=18, line=2)
        self._values: dict[str, QLabel] = {}
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Status")
        self.set_values()

    def set_values(
        self,
        data_age_s: float | None = None,
        latencies: Mapping[str, tuple[float | None, float | None]] | None = None,
        fps: float | None = None,
        stall_ms: float | None = None,
        display: str = "",
    ) -> None:
        """Show age in seconds; latencies (p50, p95) and the longest stall in milliseconds."""
        texts = {"data age": DASH if data_age_s is None else age(data_age_s)}
        for name, (half, most) in (latencies or {}).items():
            texts[f"{name} p50/p95"] = f"{milliseconds(half)}/{milliseconds(most)} ms"
        texts["frames"] = f"{digits(fps)}/s"
        texts["longest stall"] = DASH if stall_ms is None else f"{stall_ms:.0f} ms"
        texts["display"] = display or DASH
        for name, text in texts.items():
            if name not in self._values:
                self._add(name)
            put(self._values[name], text)
        tone(self._values["data age"], "amber" if (data_age_s or 0) > 0.5 else "")
        told = ", ".join(f"{name} {text}" for name, text in texts.items())
        if told != self.accessibleDescription():
            self.setAccessibleDescription(told)

    def set_theme(self, theme: Theme) -> None:
        """Keep the theme; the style sheet sets all colours."""
        self.theme = theme

    def _add(self, name: str) -> None:
        pair = QWidget()
        row = QHBoxLayout(pair)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self._values[name] = label("value")
        row.addWidget(label("dim", name))
        row.addWidget(self._values[name])
        self._flow.addWidget(pair)
