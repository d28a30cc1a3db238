"""Keys and buttons of the window and the session requests they trigger.

One table (``gui.operator.keys``) says which key does what. Keys are taken before any widget sees
them, so that Space pauses whatever was clicked last; only a line that is being written keeps its
letters.
"""

from collections.abc import Callable, Mapping
from time import monotonic

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QWidget

from gui.operator.keys import KEYS, MARKER_S, STOP_S, DoublePress
from gui.operator.session_state import SessionState
from gui.operator.signal_feed import Moment
from gui.widgets.headmap import HeadMap
from rtbci.messages import Order, Pause, Resume, SetMarker, Stop, WriteNote

_LOOSE = Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier


class Actions(QObject):
    """Event filter of the application that turns keys of one ``window`` into actions.

    ``send`` passes a request to the session, ``now`` returns the time of a marker, ``hide_keys``
    returns whether the page of keys was open, and ``others`` holds the actions of other parts.
    """

    def __init__(
        self,
        window: QWidget,
        note: QLineEdit,
        state: SessionState,
        send: Callable[[Order], None],
        now: Callable[[], Moment],
        hide_keys: Callable[[], bool],
        others: Mapping[str, Callable[[], None]],
    ) -> None:
        super().__init__(window)
        self._window, self._note, self._state = window, note, state
        self._send, self._now, self._hide_keys = send, now, hide_keys
        self.stop_twice = DoublePress(STOP_S)
        self._marker_until = float("-inf")
        self._note_at: Moment | None = None
        self._actions: dict[str, Callable[[], None]] = {
            "pause": self.pause, "stop": self.stop, "marker": self.begin_marker,
            "note": self.begin_note, "close": self._close, **others,
        }  # fmt: skip
        assert set(self._actions) == {each.action for each in KEYS}
        self._by_key = {_combination(key): each.action for each in KEYS for key in each.keys}

    def act(self, action: str) -> None:
        """Run the action of a key or button."""
        self._actions[action]()

    def eventFilter(self, target: QObject, event: QEvent) -> bool:
        """Return True for keys that triggered an action."""
        kind = event.type()
        if kind not in (QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride):
            return False
        if not isinstance(target, QWidget) or target.window() is not self._window:
            return False
        assert isinstance(event, QKeyEvent)
        focus = QApplication.focusWidget()
        if isinstance(focus, QLineEdit):
            if kind == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape:
                self.end_note(None)
                return True
            return False
        if kind == QEvent.Type.ShortcutOverride:
            return False
        return self._press(event, focus)

    def marker_waits(self) -> bool:
        """Whether M was pressed and its digit has not been pressed yet."""
        return monotonic() < self._marker_until

    def _press(self, event: QKeyEvent, focus: QWidget | None) -> bool:
        text = event.text()
        if self.marker_waits() and text in "123456789" and text:
            self._marker_until = float("-inf")
            now = self._now()
            self._send(SetMarker(text, stamp=now.stamp, index=now.index))
            return True
        action = self._by_key.get(_pressed(event)) or self._by_key.get(text)
        if action == "understood" and isinstance(focus, QAbstractButton):
            focus.click()
            return True
        if action is None or (action == "understood" and isinstance(focus, HeadMap)):
            return False
        if event.isAutoRepeat() and action in ("pause", "stop", "marker", "freeze", "theme"):
            return True  # a key that is held is pressed once
        if action == "stop" and self._cancel():
            return True
        self.act(action)
        return True

    def _cancel(self) -> bool:
        """Close the open prompt or page on Esc; True if one was open."""
        if self.marker_waits():
            self._marker_until = float("-inf")
            return True
        return self._hide_keys()

    def pause(self) -> None:
        """Pause or resume decisions."""
        self._send(Resume() if self._state.paused else Pause())

    def stop(self) -> None:
        """End the session safely on the second press within two seconds."""
        if self._state.link == "ended":
            self._close()
        elif self.stop_twice(monotonic()):
            self._state.say("stopping safely: the recording is being closed", "amber")
            self._send(Stop())

    def begin_marker(self) -> None:
        """Start waiting for the digit of a marker."""
        self._marker_until = monotonic() + MARKER_S

    def begin_note(self) -> None:
        """Open the note line; the note is stamped with the time of opening."""
        self._note_at = self._now()
        self._note.setVisible(True)
        self._note.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def end_note(self, text: str | None) -> None:
        """Send the note; None discards it."""
        if text and text.strip():
            at = self._note_at or self._now()
            self._send(WriteNote(text.strip(), stamp=at.stamp, index=at.index))
        self._note.clear()
        self._note.setVisible(False)
        self._window.setFocus(Qt.FocusReason.OtherFocusReason)

    def _close(self) -> None:
        self._window.close()


def _combination(key: str) -> str:
    """Normalised spelling of a key: its text if it has one, otherwise Qt's name."""
    if len(key) == 1:
        return key.upper() if key.isalpha() else key
    return QKeySequence(key).toString()


def _pressed(event: QKeyEvent) -> str:
    """Normalised spelling of a pressed key, independent of keyboard layout."""
    modifiers = event.modifiers() & ~_LOOSE
    text = event.text()
    if not modifiers and len(text) == 1 and text.isprintable() and not text.isspace():
        return text.upper()
    return QKeySequence(event.key() | modifiers.value).toString()
