"""Shapes as SVG text. A fill ``lg(#light,#dark)`` runs from above to below, ``rg`` from within."""

import re

PAINT = {  # light, dark
    "red": ("#e2574f", "#b23a36"),
    "blue": ("#5b8fdc", "#3866ad"),
    "green": ("#68b274", "#42824f"),
    "yellow": ("#f6cf62", "#d5a236"),
    "white": ("#f7f5f1", "#d4d0c9"),
    "brown": ("#b07f53", "#7f5634"),
    "dark": ("#7a5138", "#503223"),
    "black": ("#4a4d57", "#26282f"),
    "grey": ("#a9b0ba", "#7c848f"),
    "pink": ("#f2a6bd", "#d17793"),
    "purple": ("#9a79c4", "#6c4e96"),
    "orange": ("#f3a055", "#cf7530"),
    "teal": ("#5bb5b3", "#358482"),
    "beige": ("#ecdcc0", "#c9b38e"),
}

GLASS = "lg(#a8dcf6,#5ea8d8)"
TYRE, STEEL, INK = "#2c2e36", "#b9c0c8", "#3a3d48"


def svg(*parts: str, wide: float = 100, high: float = 100) -> str:
    """A drawing of ``wide`` x ``high`` units."""
    body = "".join(parts)
    defs = ""
    for number, fill in enumerate(sorted(set(re.findall(r"[lr]g\([^)]*\)", body)))):
        first, last = fill[3:-1].split(",")
        stops = f'<stop stop-color="{first}"/><stop offset="1" stop-color="{last}"/>'
        if fill[0] == "l":
            defs += f'<linearGradient id="g{number}" x2="0" y2="1">{stops}</linearGradient>'
        else:
            place = 'cx="0.38" cy="0.3" r="0.8"'
            defs += f'<radialGradient id="g{number}" {place}>{stops}</radialGradient>'
        body = body.replace(fill, f"url(#g{number})")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}">'
        f"<defs>{defs}</defs>{body}</svg>"
    )


def box(x: float, y: float, w: float, h: float, fill: str, r: float = 0) -> str:
    """A rectangle with rounded corners."""
    return f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="{r}" fill="{fill}"/>'


def oval(x: float, y: float, rx: float, ry: float, fill: str) -> str:
    """An ellipse around (x, y)."""
    return f'<ellipse cx="{x}" cy="{y}" rx="{rx}" ry="{ry}" fill="{fill}"/>'


def disc(x: float, y: float, r: float, fill: str) -> str:
    """A circle around (x, y)."""
    return oval(x, y, r, r, fill)


def path(d: str, fill: str) -> str:
    """A filled path."""
    return f'<path d="{d}" fill="{fill}"/>'


def line(d: str, colour: str, width: float) -> str:
    """A drawn path with round ends."""
    return (
        f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{width}" '
        'stroke-linecap="round" stroke-linejoin="round"/>'
    )


def ring(x: float, y: float, r: float, colour: str, width: float) -> str:
    """A circle that is not filled."""
    return (
        f'<circle cx="{x}" cy="{y}" r="{r}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
    )


def turned(angle: float, x: float, y: float, *parts: str) -> str:
    """Parts turned clockwise around (x, y)."""
    return f'<g transform="rotate({angle} {x} {y})">{"".join(parts)}</g>'


def flipped(x: float, *parts: str) -> str:
    """Parts mirrored at the vertical through ``x``."""
    return f'<g transform="matrix(-1 0 0 1 {2 * x} 0)">{"".join(parts)}</g>'


def lit(colour: str) -> str:
    """A fill of that colour, lighter above."""
    return "lg({},{})".format(*PAINT[colour])
