"""Our own drawings of aeroplanes and buses: (words, SVG) of each."""

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
    oval,
    path,
    svg,
    turned,
)


def jet(colour: str, tail: str) -> str:
    """An airliner from the side, flying to the left."""
    light, dark = PAINT[colour]
    windows = "".join(disc(x, 43, 1.7, "#3f78b8") for x in range(36, 118, 7))
    return svg(
        path("M118 38 L136 8 H148 L142 42 Z", lit(tail)),
        path("M124 46 L150 40 L146 48 L128 52 Z", PAINT[tail][1]),
        path(
            "M6 50 Q14 34 40 33 H124 Q144 36 150 40 Q140 58 112 60 H30 Q8 60 6 50 Z",
            f"lg({light},{dark})",
        ),
        path("M8 52 Q60 58 142 48 Q134 58 112 60 H30 Q10 60 8 52 Z", PAINT[tail][0]),
        path("M14 42 Q20 36 30 35 L30 42 Z", GLASS),
        windows,
        path("M66 52 L96 84 H108 L96 52 Z", "lg(#c8d0da,#8b95a2)"),
        box(62, 60, 20, 9, "#8b95a2", 4),
        oval(62, 64.5, 3, 4.5, INK),
        wide=156,
        high=90,
    )


def biplane(colour: str, wing: str) -> str:
    """Two wings, an open seat and a propeller, flying to the left."""
    light, dark = PAINT[colour]
    return svg(
        line("M34 66 L30 80 M46 66 L46 80", INK, 2.4),
        disc(38, 82, 7, TYRE),
        disc(38, 82, 3, STEEL),
        path("M16 44 Q18 38 40 38 H70 L122 46 Q126 52 118 54 L44 64 Q18 62 16 44 Z", lit(colour)),
        path("M104 46 L116 22 H126 L124 50 Z", lit(wing)),
        path("M104 50 H128 V54 H106 Z", dark),
        line("M36 26 V60 M66 26 V60", INK, 2.2),
        box(22, 20, 60, 7, lit(wing), 3.5),
        box(20, 58, 66, 7, lit(wing), 3.5),
        disc(74, 34, 6, "#f2c9a0"),
        path("M67 34 Q68 26 76 27 Q82 30 80 36 Z", "#7f5634"),
        disc(15, 48, 5, light),
        oval(11, 48, 2, 24, "#8a6a4a"),
        wide=130,
        high=92,
    )


def front_plane(colour: str) -> str:
    """An airliner that comes towards the viewer."""
    light, dark = PAINT[colour]
    return svg(
        path("M74 8 L78 36 H70 Z", dark),
        path("M52 30 L74 38 L96 30 L96 34 L74 46 L52 34 Z", dark),
        path("M2 60 L60 46 V60 L4 66 Z", "lg(#dfe5ec,#98a2b0)"),
        path("M146 60 L88 46 V60 L144 66 Z", "lg(#dfe5ec,#98a2b0)"),
        disc(74, 52, 22, f"rg({light},{dark})"),
        path("M58 44 Q74 34 90 44 L86 50 Q74 44 62 50 Z", GLASS),
        disc(38, 64, 8, "#c2cad4"),
        disc(38, 64, 5.4, INK),
        disc(110, 64, 8, "#c2cad4"),
        disc(110, 64, 5.4, INK),
        line("M74 72 V80 M40 70 V78 M108 70 V78", INK, 2.4),
        box(71, 78, 6, 9, TYRE, 2),
        box(36, 77, 7, 9, TYRE, 2),
        box(105, 77, 7, 9, TYRE, 2),
        wide=148,
        high=90,
    )


def from_above(colour: str, stripe: str) -> str:
    """A jet seen from above, its nose to the upper left."""
    light, dark = PAINT[colour]
    return svg(
        turned(
            -48,
            60,
            60,
            path("M56 46 L10 74 V82 L56 70 Z", dark),
            path("M64 46 L110 74 V82 L64 70 Z", light),
            path("M57 92 L38 106 V111 L58 106 Z", PAINT[stripe][1]),
            path("M63 92 L82 106 V111 L62 106 Z", PAINT[stripe][0]),
            path(
                "M60 4 Q69 12 68 34 L66 96 Q64 114 60 116 Q56 114 54 96 L52 34 Q51 12 60 4 Z",
                lit(colour),
            ),
            path("M55 20 Q60 13 65 20 L64 26 H56 Z", GLASS),
            box(59, 30, 2, 74, PAINT[stripe][0], 1),
            box(32, 58, 7, 13, INK, 3),
            box(81, 58, 7, 13, INK, 3),
        ),
        wide=120,
        high=120,
    )


def seaplane(colour: str) -> str:
    """One high wing, a propeller and two floats."""
    light, dark = PAINT[colour]
    return svg(
        line("M48 52 L42 72 M74 52 L80 72", INK, 2.6),
        path("M18 72 H96 L104 76 Q100 84 90 84 H30 Q20 82 18 72 Z", "lg(#eef2f6,#a9b3bf)"),
        path(
            "M14 42 Q20 30 46 30 H72 L124 40 V46 L72 58 H36 Q16 58 14 42 Z", f"lg({light},{dark})"
        ),
        path("M110 42 L120 16 H130 L128 46 Z", dark),
        path("M34 42 Q38 32 48 31 H56 V43 Z", GLASS),
        box(59, 31, 12, 12, GLASS, 2),
        box(24, 22, 70, 8, lit("white"), 4),
        disc(13, 43, 4, INK),
        oval(9, 43, 2, 22, "#6a6f7a"),
        wide=134,
        high=92,
    )


BUS_LENGTHS = {"double": 140, "school": 144, "coach": 146, "old": 146, "city": 144}


def bus(kind: str, colour: str, stripe: str) -> str:
    """From the side, to the right: ``double``, ``city``, ``coach``, ``school`` or ``old``."""
    dark, fill = PAINT[colour][1], lit(colour)

    def wheels(*places: float) -> str:
        return "".join(disc(x, 82, 11, TYRE) + disc(x, 82, 5, STEEL) for x in places)

    def windows(y: float, first: int, last: int, h: float = 16) -> str:
        return "".join(box(x, y, 17, h, GLASS, 2.5) for x in range(first, last, 20))

    if kind == "double":
        parts = (
            box(6, 6, 128, 76, fill, 7),
            windows(12, 12, 130),
            windows(42, 12, 108),
            box(6, 32, 128, 5, PAINT[stripe][0]),
            box(113, 42, 17, 38, GLASS, 2.5),
            box(121, 42, 1.6, 38, dark),
            box(128, 66, 6, 7, "#fff3b8", 2),
            wheels(36, 98),
        )
    elif kind == "school":
        parts = (
            path("M6 22 Q6 16 12 16 H112 V42 L134 48 Q138 50 138 56 V82 H6 Z", fill),
            windows(22, 12, 96, 15),
            box(6, 46, 106, 3, INK),
            box(6, 56, 130, 3, INK),
            path("M98 22 H110 V40 H98 Z", GLASS),
            box(129, 58, 9, 7, "#fff3b8", 3),
            box(20, 8, 5, 8, "#e2574f", 2),
            wheels(34, 116),
        )
    elif kind == "coach":
        parts = (
            path("M6 20 Q6 10 16 10 H128 Q138 10 140 40 V76 Q140 82 134 82 H6 Z", fill),
            box(10, 18, 112, 24, "lg(#4a6f94,#263c58)", 4),
            path("M124 16 H130 L136 42 H124 Z", GLASS),
            path("M6 60 Q70 40 140 64 V72 Q70 52 6 70 Z", PAINT[stripe][0]),
            box(132, 62, 8, 7, "#fff3b8", 3),
            wheels(34, 112),
        )
    elif kind == "old":
        parts = (
            path("M6 30 Q8 12 30 12 H106 Q122 12 124 44 H134 Q140 46 140 56 V82 H6 Z", fill),
            path("M6 52 H140 V82 H6 Z", PAINT[stripe][0]),
            windows(22, 14, 96, 18),
            path("M104 22 Q114 22 116 42 H104 Z", GLASS),
            disc(134, 60, 5, "#fff3b8"),
            wheels(34, 114),
        )
    else:
        parts = (
            box(6, 12, 132, 70, fill, 8),
            box(10, 20, 124, 26, "lg(#4a6f94,#2c4666)", 4),
            box(50, 20, 20, 60, GLASS, 3),
            box(59, 20, 2, 60, dark),
            box(6, 66, 132, 6, PAINT[stripe][0]),
            box(118, 14, 18, 34, GLASS, 4),
            box(92, 14, 22, 5, "#ffb52e", 1),
            box(132, 60, 6, 8, "#fff3b8", 2),
            wheels(30, 106),
        )
    return svg(*parts, wide=BUS_LENGTHS[kind], high=94)


def bus_front(colour: str, double: bool) -> str:
    """A bus that comes towards the viewer."""
    top = 2 if double else 30
    upper = box(24, 10, 72, 26, GLASS, 4) if double else ""
    return svg(
        box(24, 84, 14, 14, TYRE, 3),
        box(82, 84, 14, 14, TYRE, 3),
        box(18, top, 84, 92 - top, lit(colour), 9),
        upper,
        box(36, 37, 48, 8, INK, 2),
        box(40, 39, 28, 4, "#ffb52e", 1),
        box(24, 48, 72, 24, GLASS, 4),
        box(59, 48, 2, 24, INK),
        disc(30, 80, 5, "#fff3b8"),
        disc(90, 80, 5, "#fff3b8"),
        box(44, 78, 32, 5, INK, 2),
        box(8, 50, 7, 14, INK, 2),
        box(105, 50, 7, 14, INK, 2),
        wide=120,
    )


AEROPLANES = [
    ("white _ with a red tail", jet("white", "red")),
    ("white _ with a green tail", jet("white", "green")),
    ("yellow _ with a blue tail", jet("yellow", "blue")),
    ("old red _ with two wings", biplane("red", "yellow")),
    ("old blue _ with two wings", biplane("blue", "white")),
    ("_ seen from the front", front_plane("white")),
    ("white and orange _ from above", from_above("white", "orange")),
    ("yellow sea _", seaplane("yellow")),
]
BUSES = [
    ("red double-decker _", bus("double", "red", "white")),
    ("green double-decker _", bus("double", "green", "yellow")),
    ("yellow school _", bus("school", "yellow", "black")),
    ("white travel _ with a blue wave", bus("coach", "white", "blue")),
    ("purple travel _", bus("coach", "purple", "yellow")),
    ("blue city _", bus("city", "blue", "white")),
    ("old green and white _", bus("old", "white", "green")),
    ("red double-decker _ from the front", bus_front("red", True)),
]
