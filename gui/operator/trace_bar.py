"""Buttons above the traces: time base, scale, electrodes and freeze, each with a key."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from gui.widgets.flow_layout import FlowLayout
from gui.widgets.labels import button, label

PARTS = (  # caption; action, text and what it does, of each button
    ("time", ("shorter", "\u2212", "shorter time base ( [ )"),
     ("longer", "+", "longer time base ( ] )")),
    ("scale", ("smaller", "\u2212", "smaller traces ( - )"), ("larger", "+", "larger traces ( + )"),
     ("autoscale", "fit", "scale that fits the traces (A)")),
    ("electrodes", ("previous", "\u25b2", "previous group of electrodes (PgUp)"),
     ("next", "\u25bc", "next group of electrodes (PgDn)"),
     ("group", "16 / 32 / all", "groups of 16, 32, or all electrodes (G)")),
    ("", ("freeze", "freeze", "freeze or resume the traces (F)")),
)  # fmt: skip


class TraceBar(QWidget):
    """Buttons of the traces; emits ``acted`` with an action name of ``gui.operator.keys``."""

    acted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.buttons: dict[str, QPushButton] = {}
        groups = FlowLayout(self, space=14, line=4)
        for caption, *buttons in PARTS:
            group = QWidget()
            row = QHBoxLayout(group)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(4)
            if caption:
                row.addWidget(label("caption", caption))
            for action, text, what in buttons:
                self.buttons[action] = button(text, what, self.acted, action)
                row.addWidget(self.buttons[action])
            groups.addWidget(group)
        self.buttons["freeze"].setCheckable(True)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_frozen(self, frozen: bool) -> None:
        """Show whether the traces are frozen."""
        self.buttons["freeze"].setChecked(frozen)
