"""Our own drawings of tables, sofas and chairs: (words, SVG) of each."""

from stimuli_svg import PAINT, box, disc, flipped, line, lit, oval, path, svg, turned


def plate(x: float, y: float) -> str:
    return oval(x, y, 8, 2.6, "#fff") + oval(x, y - 0.4, 5, 1.5, "#dfe4ea")


def vase(x: float, y: float) -> str:
    stems = line(f"M{x} {y - 8} L{x - 4} {y - 16} M{x} {y - 8} L{x + 4} {y - 17}", "#4d8b4f", 1)
    flowers = disc(x - 4, y - 17, 3.2, "#ef6b7f") + disc(x + 4, y - 18, 3.2, "#f8c64e")
    return stems + flowers + disc(x, y - 20, 3.4, "#fff") + box(x - 3, y - 9, 6, 10, "#5a9cd0", 2)


def fruit(x: float, y: float) -> str:
    pieces = disc(x - 4, y - 7, 3.6, "#e2574f") + disc(x + 4, y - 7, 3.6, "#f3a055")
    pieces += disc(x, y - 9, 3.6, "#9ccf5f")
    return pieces + path(
        f"M{x - 10} {y - 6} H{x + 10} Q{x + 8} {y + 1} {x} {y + 1} "
        f"Q{x - 8} {y + 1} {x - 10} {y - 6} Z",
        "#f4efe6",
    )


def cake(x: float, y: float) -> str:
    candles = "".join(
        box(x + dx - 0.5, y - 15, 1, 5, "#5b8fdc") + oval(x + dx, y - 16.4, 0.9, 1.6, "#ffb52e")
        for dx in (-5, 0, 5)
    )
    return (
        candles
        + box(x - 10, y - 10, 20, 10, "#fbe3d2", 2)
        + box(x - 10, y - 10, 20, 4, "#f08ca4", 2)
    )


def candle(x: float, y: float) -> str:
    return box(x - 1.4, y - 13, 2.8, 13, "#fffaf0", 1) + oval(x, y - 16, 1.4, 2.8, "#ffb52e")


def teapot(x: float, y: float) -> str:
    handle = f"M{x + 8} {y - 9} q7 1 0 6"
    spout = f"M{x - 7} {y - 3} L{x - 14} {y - 9} L{x - 12} {y - 9} L{x - 6} {y - 7} Z"
    return (
        line(handle, "#e8eef2", 1.8)
        + path(spout, "#e8eef2")
        + oval(x, y - 5, 9, 6, "lg(#ffffff,#c9d6de)")
        + disc(x, y - 11.5, 1.6, "#5a9cd0")
    )


def wine(x: float, y: float) -> str:
    bowl = path(
        f"M{x - 3} {y - 12} H{x + 3} Q{x + 3} {y - 6} {x} {y - 6} "
        f"Q{x - 3} {y - 6} {x - 3} {y - 12} Z",
        "#b23a5a",
    )
    return bowl + box(x - 0.4, y - 6, 0.8, 5, "#dfe8ee") + oval(x, y - 0.6, 3, 0.9, "#dfe8ee")


THINGS = {
    "vase": vase,
    "fruit": fruit,
    "cake": cake,
    "candle": candle,
    "teapot": teapot,
    "plate": plate,
    "wine": wine,
}


def side_chair(x: float, colour: str) -> str:
    """A chair from the side, its back to the left."""
    light, dark = PAINT[colour]
    legs = line(f"M{x + 2} 66 L{x} 92 M{x + 19} 66 L{x + 20} 92", dark, 2.6)
    return legs + line(f"M{x} 30 L{x + 3} 66", light, 3.6) + box(x + 1, 61, 21, 5, light, 2)


def back_chair(x: float, colour: str) -> str:
    """The back of a chair behind the table."""
    light, dark = PAINT[colour]
    return box(x - 11, 16, 22, 32, dark, 4) + box(x - 8, 19, 16, 26, light, 3)


def table(shape: str, top: str, cloth: str, chairs: str, things: str) -> str:
    """A dining table: ``rect`` on four legs, ``round`` on one, ``long`` on trestles."""
    light, dark = PAINT[top]
    seats = ""
    if chairs:
        behind = (44, 96) if shape == "long" else (70,)
        seats = "".join(back_chair(x, chairs) for x in behind)
    if shape == "round":
        low = box(66, 52, 8, 36, dark, 2) + path("M70 84 Q50 88 46 94 H94 Q90 88 70 84 Z", dark)
        board = oval(70, 52, 44, 10, dark) + oval(70, 49, 44, 10, light)
        if cloth:
            board = path("M26 49 L30 74 Q50 82 70 79 Q92 82 110 74 L114 49 Z", lit(cloth))
            board += oval(70, 49, 44, 10, PAINT[cloth][0])
        places = {1: (70,), 2: (52, 88), 3: (46, 70, 94)}
    else:
        wide = 62 if shape == "long" else 50
        legs = [70 - wide + 4, 70 + wide - 9]
        if shape == "long":
            low = "".join(
                path(
                    f"M{x} 54 L{x - 8} 94 H{x - 3} L{x + 3} 62 L{x + 9} 94 H{x + 14} L{x + 6} 54 Z",
                    dark,
                )
                for x in (26, 108)
            )
        else:
            low = "".join(box(x, 54, 5, 40, dark, 1) for x in legs)
            low += "".join(box(x, 52, 4, 34, dark, 1) for x in (legs[0] + 10, legs[1] - 9))
        edge = 12
        board = path(
            f"M{70 - wide + edge} 42 H{70 + wide - edge} L{70 + wide} 53 H{70 - wide} Z", light
        ) + box(70 - wide, 53, 2 * wide, 5, dark, 1.5)
        if cloth:
            board += path(
                f"M{70 - wide + edge} 42 H{70 + wide - edge} L{70 + wide} 53 V66 "
                f"l-10 4 l-10 -4 l-10 4 l-10 -4 L{70 - wide + 40} 66 l-10 4 l-10 -4 l-10 4 l-10 -4 "
                f"V53 Z",
                lit(cloth),
            )
        places = {1: (70,), 2: (50, 90), 3: (44, 70, 96)}
    names = things.split()
    laid = "".join(
        f'<g transform="translate({x} 49) scale(1.35)">{THINGS[name](0, 0)}</g>'
        for name, x in zip(names, places[len(names)], strict=True)
    )
    sides = side_chair(2, chairs) + flipped(70, side_chair(2, chairs)) if chairs else ""
    return svg(seats, low, sides, board, laid, wide=140)


def sofa(kind: str, colour: str, pillows: str) -> str:
    """A sofa: ``classic``, ``long``, ``chesterfield``, ``modern``, ``corner`` or ``curved``."""
    light, dark = PAINT[colour]
    fill = lit(colour)
    if kind == "modern":
        legs = line("M18 74 L14 90 M122 74 L126 90", "#3a2c26", 3)
        body = box(16, 34, 108, 30, dark, 4) + box(8, 56, 124, 18, fill, 3)
        body += box(18, 36, 50, 24, light, 4) + box(71, 36, 50, 24, light, 4)
        body += box(8, 46, 9, 20, light, 3) + box(123, 46, 9, 20, light, 3)
    elif kind == "corner":
        legs = "".join(box(x, 82, 5, 8, "#3a2c26") for x in (12, 124))
        body = box(10, 30, 120, 34, dark, 6) + box(14, 33, 36, 30, light, 5)
        body += box(52, 33, 36, 30, light, 5) + box(90, 33, 36, 30, light, 5)
        body += box(8, 58, 84, 24, fill, 4) + box(88, 58, 44, 28, light, 5)
        body += box(4, 46, 14, 38, light, 5)
    elif kind == "curved":
        legs = "".join(box(x, 80, 5, 10, "#6a4a35", 2) for x in (26, 68, 110))
        body = path("M8 66 Q6 24 70 24 Q134 24 132 66 Q132 78 120 80 H20 Q8 78 8 66 Z", dark)
        body += path("M16 62 Q16 30 70 30 Q124 30 124 62 Z", light)
        body += path(
            "M20 58 H120 Q126 60 124 72 Q120 80 112 80 H28 Q18 80 16 72 Q14 60 20 58 Z", fill
        )
    else:
        seats = 3 if kind == "long" else 2
        legs = "".join(box(x, 82, 6, 9, "#5a4032", 2) for x in (16, 118))
        body = box(14, 26, 112, 42, dark, 9)
        wide = 100 / seats
        for number in range(seats):
            x = 20 + number * wide
            body += box(x + 0.8, 30, wide - 1.6, 30, light, 6)
            body += box(x + 0.8, 58, wide - 1.6, 15, light, 4)
        body += box(18, 70, 104, 13, fill, 4)
        body += box(5, 46, 18, 38, light, 8) + box(117, 46, 18, 38, light, 8)
        if kind == "chesterfield":
            body += "".join(disc(x, y, 1.3, dark) for x in range(28, 116, 12) for y in (38, 48))
            body += disc(14, 52, 8, light) + disc(14, 52, 4, dark)
            body += disc(126, 52, 8, light) + disc(126, 52, 4, dark)
    cushions = "".join(
        turned(angle, x, 52, box(x - 8, 44, 16, 16, lit(name), 4))
        for name, x, angle in zip(pillows.split(), (34, 106, 70), (-12, 12, 0), strict=False)
    )
    return svg(legs, body, cushions, wide=140)


def chair(kind: str, colour: str, seat: str) -> str:
    """A chair of one of nine kinds."""
    light, dark = PAINT[colour]
    soft, deep = PAINT[seat]
    if kind == "ladder":
        return svg(
            *(box(x, 8, 5, 84, dark, 2) for x in (30, 65)),
            *(box(32, y, 36, 6, light, 2) for y in (13, 26, 39)),
            box(25, 54, 50, 8, lit(seat), 4),
            *(box(x, 60, 5, 34, light, 2) for x in (27, 68)),
        )
    if kind == "office":
        wheels = "".join(disc(x, 94, 3.4, "#26282f") for x in (28, 50, 72))
        return svg(
            line("M50 62 V82 M50 84 L28 90 M50 84 L72 90 M50 84 V92", "#4a4d57", 4),
            wheels,
            box(28, 8, 44, 44, lit(colour), 12),
            box(46, 48, 8, 12, "#4a4d57"),
            line("M22 54 V44 H30 M78 54 V44 H70", "#4a4d57", 4),
            box(24, 54, 52, 11, lit(seat), 5),
        )
    if kind == "armchair":
        return svg(
            box(20, 82, 7, 12, "#5a4032", 2),
            box(73, 82, 7, 12, "#5a4032", 2),
            box(20, 14, 60, 56, dark, 16),
            box(26, 20, 48, 44, light, 12),
            box(24, 58, 52, 16, lit(seat), 6),
            box(16, 72, 68, 14, dark, 6),
            box(10, 42, 18, 44, lit(colour), 9),
            box(72, 42, 18, 44, lit(colour), 9),
        )
    if kind == "rocking":
        return svg(
            line("M10 86 Q48 102 92 84", dark, 4),
            line("M30 60 L26 92 M68 60 L74 91", dark, 4),
            line("M24 10 L34 60", light, 5),
            line("M36 8 L44 58", dark, 2.4),
            line("M30 9 L39 59", dark, 2.4),
            box(20, 6, 22, 6, light, 3),
            line("M30 42 H66 V60", light, 4),
            box(28, 56, 46, 8, lit(seat), 4),
        )
    if kind == "director":
        return svg(
            line("M24 56 L76 92 M76 56 L24 92", dark, 4),
            line("M18 94 H82", dark, 4),
            line("M22 20 V58 M78 20 V58", light, 4),
            box(20, 16, 60, 18, lit(seat), 3),
            box(16, 44, 12, 5, light, 2),
            box(72, 44, 12, 5, light, 2),
            box(20, 55, 60, 8, lit(seat), 3),
        )
    if kind == "shell":
        return svg(
            line("M40 62 L28 94 M60 62 L72 94 M46 62 L42 88 M54 62 L58 88", "#b98a5c", 3.4),
            path(
                "M24 18 Q50 6 76 18 Q82 36 78 54 Q70 68 50 68 Q30 68 22 54 Q18 36 24 18 Z",
                lit(colour),
            ),
            path("M28 50 Q50 44 72 50 Q70 64 50 64 Q30 64 28 50 Z", dark),
        )
    if kind == "bar":
        return svg(
            line("M38 46 L28 96 M62 46 L72 96 M33 74 H67", dark, 4),
            box(32, 8, 36, 26, lit(colour), 8),
            box(36, 30, 4, 14, dark),
            box(60, 30, 4, 14, dark),
            box(28, 40, 44, 9, lit(seat), 4),
        )
    if kind == "garden":
        slats = "".join(
            path(f"M{x} 14 Q{x + 4} 9 {x + 8} 14 L{x + 7} 62 H{x + 1} Z", fill)
            for x, fill in zip((22, 33, 44, 55, 66), (light, dark) * 3, strict=False)
        )
        return svg(
            line("M20 60 L14 94 M80 60 L86 94", dark, 5),
            slats,
            box(10, 50, 20, 5, light, 2),
            box(70, 50, 20, 5, light, 2),
            box(18, 60, 64, 9, lit(colour), 3),
            box(18, 71, 64, 6, light, 2),
        )
    return svg(  # dining: an upholstered back
        box(30, 60, 5, 34, dark, 2),
        box(65, 60, 5, 34, dark, 2),
        box(26, 62, 5, 32, "#5a4032", 2),
        box(69, 62, 5, 32, "#5a4032", 2),
        path("M28 12 Q50 4 72 12 L68 58 H32 Z", dark),
        path("M33 17 Q50 10 67 17 L64 52 H36 Z", soft),
        box(23, 54, 54, 11, f"lg({soft},{deep})", 5),
    )


TABLES = [
    ("wooden _ with a bowl of fruit", table("rect", "brown", "", "", "fruit")),
    ("white _ with plates and flowers", table("rect", "white", "", "", "plate vase plate")),
    ("_ with a red cloth", table("rect", "brown", "red", "", "plate plate")),
    ("round _ with a white cloth", table("round", "dark", "white", "", "candle")),
    ("round wooden _", table("round", "brown", "", "", "teapot")),
    ("_ with blue chairs", table("rect", "brown", "", "blue", "plate plate")),
    ("round _ with red chairs", table("round", "white", "", "red", "vase")),
    ("long wooden _ with chairs", table("long", "brown", "", "dark", "plate fruit plate")),
    ("long _ with a green cloth", table("long", "dark", "green", "", "plate cake plate")),
    ("_ with a birthday cake", table("rect", "brown", "pink", "", "cake")),
    ("dark _ with candles and wine", table("rect", "dark", "", "", "wine candle wine")),
    ("_ with a blue cloth and teapot", table("rect", "brown", "blue", "", "teapot")),
    ("round _ with a yellow cloth", table("round", "dark", "yellow", "", "fruit")),
    ("white _ with green chairs", table("rect", "white", "", "green", "vase")),
    ("long white _ with flowers", table("long", "white", "", "", "vase vase vase")),
    ("round black _ with wine", table("round", "black", "", "", "wine wine")),
    ("_ set for a candle dinner", table("rect", "dark", "white", "dark", "wine candle wine")),
    ("long _ with yellow chairs", table("long", "brown", "", "yellow", "plate plate")),
]
SOFAS = [
    ("red _ with two cushions", sofa("classic", "red", "white yellow")),
    ("green _ with a cushion", sofa("long", "green", "beige")),
    ("white _ with red cushions", sofa("long", "white", "red red")),
    ("brown leather _", sofa("chesterfield", "dark", "")),
    ("green leather _", sofa("chesterfield", "green", "")),
    ("grey modern _", sofa("modern", "grey", "yellow teal")),
    ("orange modern _", sofa("modern", "orange", "")),
    ("beige corner _", sofa("corner", "beige", "brown blue")),
    ("blue corner _ with cushions", sofa("corner", "blue", "white orange")),
    ("pink curved _", sofa("curved", "pink", "")),
    ("purple velvet _", sofa("curved", "purple", "yellow yellow")),
    ("black _ with white cushions", sofa("classic", "black", "white white")),
    ("teal _ with orange cushions", sofa("long", "teal", "orange orange")),
    ("yellow _ with blue cushions", sofa("modern", "yellow", "blue blue")),
]
CHAIRS = [
    ("brown kitchen _", chair("ladder", "brown", "brown")),
    ("white _ with a red seat", chair("ladder", "white", "red")),
    ("black office _", chair("office", "black", "black")),
    ("blue office _ on wheels", chair("office", "blue", "blue")),
    ("red arm _", chair("armchair", "red", "red")),
    ("green arm _ with soft cushion", chair("armchair", "green", "beige")),
    ("wooden rocking _", chair("rocking", "brown", "red")),
    ("folding _ with blue cloth", chair("director", "brown", "blue")),
    ("yellow plastic _", chair("shell", "yellow", "yellow")),
    ("white plastic _", chair("shell", "white", "white")),
    ("high bar _ with black seat", chair("bar", "grey", "black")),
    ("white garden _", chair("garden", "white", "white")),
    ("teal garden _", chair("garden", "teal", "teal")),
    ("dining _ with purple back", chair("dining", "dark", "purple")),
    ("dining _ with grey back", chair("dining", "brown", "grey")),
]
