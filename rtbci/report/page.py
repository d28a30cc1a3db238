"""Reports as one HTML file: no script, nothing loaded from elsewhere, fit to be printed.

Templates lie in ``templates/``. All values are untrusted text and are escaped; a
Content-Security-Policy forbids everything but the page's own style sheet. Drawings
(``rtbci/report/plots.py``) escape their own text.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rtbci.report.style import STYLE


@dataclass(frozen=True)
class TableCell:
    """One cell of a table."""

    text: str
    bold: bool = False
    below: tuple[str, ...] = ()  # smaller, after or under the text
    tone: str = ""  # class of the style sheet: "pass", "fail", "dim"


@dataclass(frozen=True)
class ReportTable:
    """A table; the columns ``sentences`` hold text that may wrap."""

    head: Sequence[str]
    rows: Sequence[Sequence[TableCell | str]]
    kind: str = ""  # class of the style sheet: "wide", "stack"
    sentences: tuple[int, ...] = ()


def render(template: str, **values: object) -> str:
    """The page that ``template`` makes of ``values``."""
    return _environment().get_template(template).render(values)


def policy() -> str:
    """The Content-Security-Policy of every report: its own style sheet and nothing else."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def unbroken(text: str) -> Markup:
    """``text`` in which numbers stay with their percent sign, and p with its value, when a line is
    full."""
    text = re.sub(r"(\d) %", r"\1&nbsp;%", str(text))  # not Markup, whose join escapes
    return Markup(re.sub(r"\bp (=|&lt;) (\d)", r"p&nbsp;\1&nbsp;\2", text))


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("rtbci.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    found.filters["unbroken"] = unbroken
    found.globals.update(style=Markup(STYLE), policy=policy())
    return found
