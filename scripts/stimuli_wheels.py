"""Our own drawings of bicycles and motorbikes: (words, SVG) of each."""

from functools import partial

from stimuli_svg import (
    GLASS,
    INK,
    PAINT,
    STEEL,
    TYRE,
    box,
    disc,
    line,
    lit,
    path,
    ring,
    svg,
    turned,
)


def wheel(x: float, y: float, r: float, tyre: str = TYRE, width: float = 3) -> str:
    """A wheel with spokes."""
    spokes = "".join(
        turned(angle, x, y, line(f"M{x - r} {y} H{x + r}", STEEL, 0.7))
        for angle in range(0, 180, 30)
    )
    return (
        spokes + ring(x, y, r, tyre, width) + ring(x, y, r - 2.4, STEEL, 0.9) + disc(x, y, 2.4, INK)
    )


def bicycle(kind: str, colour: str) -> str:
    """To the right: ``city``, ``race``, ``mountain``, ``child``, ``cargo`` or ``high``."""
    light, dark = PAINT[colour]
    if kind == "high":
        return svg(
            wheel(70, 54, 38, TYRE, 2.6),
            wheel(18, 82, 11, TYRE, 2.4),
            line("M70 54 L66 12 Q44 12 30 44 L18 82", light, 3.2),
            line("M58 12 H78", INK, 3),
            box(44, 11, 16, 4, "#6a4632", 2),
            disc(70, 54, 4, dark),
            line("M70 54 V66", INK, 2.4),
            box(66, 65, 9, 3, INK, 1),
            wide=112,
            high=96,
        )
    r = {"child": 15}.get(kind, 22)
    wide = 3.8 if kind == "mountain" else 2.6
    back, front, low = (26, 104, 92 - r)
    if kind == "cargo":
        back, front = 22, 116
    wheels = wheel(back, low, r, TYRE, wide) + wheel(front, low, r, TYRE, wide)
    seat, pedal, head = (46, 34), (58, low + 2), (92, 30)
    tube = f"M{back} {low} L{seat[0]} {seat[1] + 6} L{pedal[0]} {pedal[1]} Z"
    down = f"M{pedal[0]} {pedal[1]} L{head[0]} {head[1] + 8}"
    cross = f"M{seat[0] + 1} {seat[1] + 10} L{head[0]} {head[1] + 4}"
    if kind in ("city", "cargo"):
        cross = f"M{seat[0] + 4} {seat[1] + 22} Q{pedal[0] + 10} {low - 14} {head[0]} {head[1] + 8}"
    fork = f"M{head[0]} {head[1]} L{front} {low}"
    frame = line(f"{tube} {down} {cross} {fork}", light, 3.6)
    post = line(f"M{seat[0]} {seat[1] + 6} L{seat[0] - 3} {seat[1] - 4}", dark, 3)
    saddle = path(
        f"M{seat[0] - 14} {seat[1] - 8} Q{seat[0]} {seat[1] - 10} {seat[0] + 9} "
        f"{seat[1] - 5} Q{seat[0] - 2} {seat[1] - 1} {seat[0] - 12} {seat[1] - 2} Z",
        INK,
    )
    bars = {
        "race": "M92 30 L90 22 Q106 18 106 28 Q104 34 98 33",
        "city": "M92 30 L89 16 Q82 12 74 18",
        "cargo": "M92 30 L89 16 Q82 12 74 18",
        "child": "M92 30 L90 14 L80 8 M90 14 L98 8",
        "mountain": "M92 30 L90 20 M82 18 L100 22",
    }[kind]
    crank = (
        ring(*pedal, 6, INK, 2)
        + line(f"M{pedal[0]} {pedal[1]} l6 10", INK, 2.4)
        + box(pedal[0] + 2, pedal[1] + 9, 9, 3, INK, 1)
    )
    extra = ""
    if kind == "city":
        extra = (
            box(96, 22, 22, 15, "lg(#d8b080,#a87c4c)", 3)
            + line("M8 50 Q26 38 44 52", dark, 2.6)
            + line("M98 27 H116 M98 32 H116", "#8a6238", 1)
        )
    elif kind == "cargo":
        extra = disc(98, 40, 6, "#e2574f") + disc(110, 41, 5, "#68b274")
        extra += path("M84 44 H126 L122 66 H90 Z", "lg(#c89a68,#96693c)")
    elif kind == "child":
        extra = wheel(back + 4, 86, 6, TYRE, 2) + disc(106, 24, 4, "#f6cf62")
    return svg(wheels, frame, post, saddle, line(bars, INK, 3), crank, extra, wide=140, high=96)


def motorbike(kind: str, colour: str) -> str:
    """From the side, to the right: ``cruiser``, ``sport``, ``dirt``, ``moped`` or ``touring``."""
    light, dark = PAINT[colour]

    def tyre(x: float, r: float = 20) -> str:
        return (
            disc(x, 92 - r, r, TYRE)
            + disc(x, 92 - r, r - 6, STEEL)
            + disc(x, 92 - r, r - 8.5, "#5a5f6a")
            + disc(x, 92 - r, 3, STEEL)
        )

    fill, drawn = lit(colour), partial(svg, wide=140, high=96)
    if kind == "moped":
        return drawn(
            tyre(24, 14),
            tyre(116, 14),
            line("M112 74 L98 20 L86 14", INK, 4),
            path(
                "M8 62 Q10 46 34 46 H66 L72 66 H88 L98 34 L106 36 L106 74 Q104 80 96 80 H40 "
                "Q36 66 24 66 Q12 66 8 74 Z",
                fill,
            ),
            box(22, 38, 46, 9, "#5a4032", 4),
            disc(104, 34, 6, "#fff3b8"),
            path("M96 14 L106 30 L100 34 Z", light),
        )
    if kind == "sport":
        return drawn(
            tyre(26),
            tyre(114),
            line("M114 72 L98 34", STEEL, 5),
            line("M26 72 L58 66", INK, 6),
            path("M46 46 L8 32 L12 26 L58 38 Z", dark),
            box(52, 52, 30, 24, "#6a707c", 4),
            path("M44 44 Q64 28 88 30 L108 44 Q104 60 92 74 H60 Z", fill),
            path("M90 28 Q102 26 112 46 L100 42 Z", GLASS),
            path("M14 32 L56 42 L50 46 L22 38 Z", INK),
            line("M84 28 L94 24", INK, 4),
            path("M60 70 L36 80 L34 84 L66 76 Z", STEEL),
            disc(109, 46, 3.6, "#fff3b8"),
        )
    if kind == "dirt":
        return drawn(
            tyre(24, 19),
            tyre(116, 21),
            line("M116 70 L96 24", STEEL, 4.5),
            line("M24 72 L62 66", STEEL, 5),
            path("M4 44 L40 38 L60 40 L60 46 L8 50 Z", light),
            box(54, 50, 26, 24, "#6a707c", 5),
            path("M54 36 H88 L98 44 L84 56 H62 Z", fill),
            path("M30 34 Q50 34 66 38 L62 44 L30 40 Z", INK),
            path("M98 44 L132 46 L128 50 L98 50 Z", light),
            line("M84 20 L102 24", INK, 4),
            box(98, 26, 12, 16, "#f7f5f1", 3),
        )
    forks = "M116 72 L92 18" if kind == "cruiser" else "M114 72 L98 22"
    extra = line("M92 18 L78 16", INK, 4) + disc(100, 28, 6, "#fff3b8")
    if kind == "touring":
        extra = path("M92 8 Q104 10 108 30 L98 34 Z", GLASS) + path(
            "M94 26 L112 30 L112 46 L94 48 Z", fill
        )
        extra += box(4, 22, 28, 22, lit("grey"), 5) + box(18, 48, 26, 20, lit("grey"), 5)
        extra += line("M96 24 L82 22", INK, 4) + disc(110, 38, 4, "#fff3b8")
    return drawn(
        tyre(26),
        tyre(116),
        line(forks, STEEL, 5),
        line("M26 72 L66 70", STEEL, 6),
        path("M6 58 Q14 44 38 50 L42 58 Q26 52 12 66 Z", dark),
        box(54, 48, 32, 26, "#6a707c", 6),
        disc(64, 60, 8, STEEL),
        disc(78, 62, 6, STEEL),
        path("M58 40 Q74 26 96 36 L92 48 H60 Z", fill),
        path("M24 42 Q42 34 62 42 L58 50 H30 Z", INK),
        line("M66 76 H24", "#d8dde2", 5),
        extra,
    )


BICYCLES = [
    ("green city _ with a basket", bicycle("city", "green")),
    ("pink city _ with a basket", bicycle("city", "pink")),
    ("yellow racing _", bicycle("race", "yellow")),
    ("red racing _", bicycle("race", "red")),
    ("blue mountain _", bicycle("mountain", "blue")),
    ("black mountain _", bicycle("mountain", "black")),
    ("purple child's _", bicycle("child", "purple")),
    ("teal cargo _ with a box", bicycle("cargo", "teal")),
    ("old _ with a high wheel", bicycle("high", "brown")),
]
MOTORBIKES = [
    ("black cruiser _", motorbike("cruiser", "black")),
    ("blue cruiser _", motorbike("cruiser", "blue")),
    ("green sports _", motorbike("sport", "green")),
    ("white sports _", motorbike("sport", "white")),
    ("yellow dirt _", motorbike("dirt", "yellow")),
    ("blue dirt _", motorbike("dirt", "blue")),
    ("red touring _ with boxes", motorbike("touring", "red")),
    ("pink moped _", motorbike("moped", "pink")),
    ("green moped _", motorbike("moped", "green")),
]
