"""Dark and light themes that are readable with colour vision deficiency.

The hues are those of Okabe and Ito, moved in lightness until they stand out of their ground: text
by at least 4.5 to 1, everything else that carries meaning by at least 3 to 1 (WCAG 2.1). No state
is told by colour alone: each has a shape and a word too.
"""

from dataclasses import dataclass

FAMILY = '"Inter", "Noto Sans", "DejaVu Sans", sans-serif'
BASE = 13  # px, body text at scale 1
TARGET = 28  # px, height of what can be clicked at scale 1; at least 24


@dataclass(frozen=True)
class Theme:
    """Colours as ``#rrggbb``, named by their meaning."""

    name: str  # "dark" or "light"
    background: str
    panel: str
    text: str
    dim: str  # text that may be overlooked
    line: str  # outlines of what can be clicked
    accent: str  # what is selected
    good: str
    doubtful: str
    bad: str
    info: str  # the three levels of an alarm
    amber: str
    red: str
    gap: str  # hatching where samples are missing
    traces: tuple[str, ...]  # neighbours take turns
    classes: tuple[str, ...]


DARK = Theme(
    name="dark",
    background="#101418",
    panel="#181d23",
    text="#e8ebef",
    dim="#9aa5b1",
    line="#6b7683",
    accent="#56b4e9",
    good="#2bb88a",
    doubtful="#e69f00",
    bad="#ff7a52",
    info="#9fb4c8",
    amber="#f0b429",
    red="#ff7a52",
    gap="#a98467",
    traces=("#a9c3d6", "#7fa3bd"),
    classes=("#56b4e9", "#e69f00", "#2bb88a", "#cc79a7", "#f0e442", "#ff7a52", "#b8bec6"),
)

LIGHT = Theme(
    name="light",
    background="#ffffff",
    panel="#f3f5f7",
    text="#15191e",
    dim="#56606b",
    line="#7c8793",
    accent="#0067a3",
    good="#007a58",
    doubtful="#9a6200",
    bad="#9c1a1a",
    info="#4a5c6d",
    amber="#8f5a00",
    red="#a81c1c",
    gap="#9b7350",
    traces=("#2f5d80", "#5b86a5"),
    classes=("#0072b2", "#b87900", "#008a64", "#a8487f", "#7a6a00", "#c24a00", "#5a6068"),
)

THEMES = {theme.name: theme for theme in (DARK, LIGHT)}


def channels(color: str) -> tuple[int, int, int]:
    """Red, green and blue of ``#rrggbb``, 0 to 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def luminance(color: str) -> float:
    """Relative luminance of WCAG 2.1: 0 is black, 1 is white."""
    parts = [value / 255 for value in channels(color)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    darker, lighter = sorted((luminance(a), luminance(b)))
    return (lighter + 0.05) / (darker + 0.05)


def mix(a: str, b: str, share: float) -> str:
    """Mixture of ``a`` with ``share`` (0 to 1) of ``b``."""
    pairs = zip(channels(a), channels(b), strict=True)
    return "#" + "".join(f"{round(x + (y - x) * share):02x}" for x, y in pairs)


def hairline(theme: Theme) -> str:
    """Colour of separators and grid, which carry no meaning and need no contrast."""
    return mix(theme.background, theme.line, 0.38)


def ink_on(color: str) -> str:
    """Black or white, whichever has more contrast on ``color``."""
    return max("#000000", "#ffffff", key=lambda ink: contrast(ink, color))


def stylesheet(theme: Theme, scale: float = 1.0) -> str:
    """Style sheet of the application; ``scale`` 2 doubles every size."""

    def px(size: float) -> str:
        return f"{round(size * scale)}px"

    soft = mix(theme.panel, theme.text, 0.08)
    pressed = mix(theme.panel, theme.text, 0.16)
    rule = hairline(theme)
    return f"""
* {{ font-family: {FAMILY}; font-size: {px(BASE)}; color: {theme.text}; }}
QMainWindow, QDialog, QWidget#page {{ background: {theme.background}; }}
QFrame[card="true"] {{ background: {theme.panel}; border: 1px solid {rule};
    border-radius: {px(6)}; }}
QLabel {{ background: transparent; border: none; }}
QLabel[role="caption"] {{ color: {theme.dim}; font-size: {px(11)}; }}
QLabel[role="dim"] {{ color: {theme.dim}; }}
QLabel[role="value"] {{ font-weight: 600; }}
QLabel[role="title"] {{ color: {theme.dim}; font-size: {px(11)}; font-weight: 600;
    letter-spacing: {px(1)}; }}
QLabel[role="large"] {{ font-size: {px(17)}; font-weight: 600; }}
QLabel[role="huge"] {{ font-size: {px(28)}; font-weight: 700; }}
QLabel[tone="dim"] {{ color: {theme.dim}; }}
QLabel[tone="good"] {{ color: {theme.good}; }}
QLabel[tone="amber"] {{ color: {theme.amber}; }}
QLabel[tone="red"] {{ color: {theme.red}; }}
QLabel[role="key"] {{ background: {soft}; border: 1px solid {theme.line};
    border-radius: {px(4)}; padding: {px(2)} {px(7)}; font-weight: 600; }}
QPushButton, QToolButton, QComboBox {{ background: {soft}; border: 1px solid {theme.line};
    border-radius: {px(5)}; padding: {px(3)} {px(11)}; min-height: {px(TARGET - 8)}; }}
QPushButton:hover, QToolButton:hover, QComboBox:hover {{ background: {pressed}; }}
QPushButton:pressed, QPushButton:checked, QToolButton:checked {{ background: {pressed};
    border-color: {theme.accent}; }}
QPushButton:focus, QToolButton:focus, QComboBox:focus, QLineEdit:focus
    {{ border: 2px solid {theme.accent}; padding: {px(2)} {px(10)}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {theme.dim}; border-color: {rule}; }}
QPushButton[tone="red"] {{ border-color: {theme.red}; color: {theme.red}; font-weight: 600; }}
QLineEdit {{ background: {theme.background}; border: 1px solid {theme.line};
    border-radius: {px(5)}; padding: {px(3)} {px(8)}; min-height: {px(TARGET - 8)};
    selection-background-color: {theme.accent}; selection-color: {ink_on(theme.accent)}; }}
QComboBox QAbstractItemView {{ background: {theme.panel}; border: 1px solid {theme.line};
    selection-background-color: {pressed}; selection-color: {theme.text}; }}
QSplitter::handle:horizontal {{ background: {rule}; margin: 0 1px; }}
QSplitter::handle:vertical {{ background: {rule}; margin: 1px 0; }}
QScrollArea, QScrollArea > QWidget, QScrollArea > QWidget > QWidget
    {{ background: transparent; border: none; }}
QScrollBar:vertical {{ background: transparent; width: {px(10)}; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: {px(10)}; margin: 0; }}
QScrollBar::handle {{ background: {theme.line}; border-radius: {px(4)};
    min-height: {px(24)}; min-width: {px(24)}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QToolTip {{ background: {theme.panel}; color: {theme.text}; border: 1px solid {theme.line};
    padding: {px(4)}; }}
"""
