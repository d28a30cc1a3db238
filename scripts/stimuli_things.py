"""Our own drawings of screens and bottles: (words, SVG) of each."""

from stimuli_svg import PAINT, box, disc, line, lit, oval, path, svg


def shown(name: str) -> str:
    """What a screen of 100 x 56 units shows, at (0, 0)."""
    if name == "hills":
        return (
            box(0, 0, 100, 56, "lg(#7cc4f2,#d8f0fb)")
            + disc(78, 14, 7, "#fff3b0")
            + path("M0 40 Q25 22 50 38 T100 34 V56 H0 Z", "#6bb26a")
            + path("M0 48 Q30 36 60 48 T100 46 V56 H0 Z", "#4a9450")
        )
    if name == "football":
        stripes = "".join(box(x, 14, 10, 42, "#57a857") for x in range(0, 100, 20))
        return (
            box(0, 0, 100, 56, "#69ba66")
            + box(0, 0, 100, 14, "#8fa3b8")
            + stripes
            + line("M0 20 H100 M50 20 V56", "#ffffff", 1)
            + disc(34, 38, 4, "#fff")
            + box(60, 26, 5, 12, "#d64545", 2)
            + box(74, 34, 5, 12, "#3f66c4", 2)
        )
    if name == "news":
        return (
            box(0, 0, 100, 56, "lg(#2f4f9a,#7b9be0)")
            + disc(50, 22, 9, "#f2c9a0")
            + path("M41 21 Q42 10 50 10 Q59 10 59 21 Q56 15 50 15 Q44 15 41 21 Z", "#4a3020")
            + path("M32 50 Q34 32 50 32 Q66 32 68 50 Z", "#26304a")
            + box(0, 44, 100, 9, "#d63f3f")
            + box(6, 47, 52, 3, "#ffffff")
        )
    if name == "code":
        rows = ((6, 30), (12, 44), (18, 26), (18, 38), (12, 20), (6, 52), (12, 34))
        tints = ("#7ee0a0", "#f0c070", "#88b8f8")
        return box(0, 0, 100, 56, "#1d2230") + "".join(
            box(x, 5 + 7 * n, w, 3, tints[n % 3], 1) for n, (x, w) in enumerate(rows)
        )
    if name == "bars":
        tints = ("#f2f2f2", "#f0e04a", "#4ad0d8", "#4cc25a", "#d058c8", "#e0483e", "#4560d8")
        return "".join(box(n * 14.3, 0, 14.5, 56, tint) for n, tint in enumerate(tints))
    if name == "fish":
        bubbles = "".join(disc(x, y, 1.6, "#c8f0ff") for x, y in ((66, 14), (70, 22), (24, 12)))
        return (
            box(0, 0, 100, 56, "lg(#38a8d8,#12568c)")
            + oval(46, 28, 16, 9, "#f58c3a")
            + path("M60 28 L74 18 V38 Z", "#f58c3a")
            + box(42, 19, 5, 18, "#fff")
            + disc(36, 26, 2, "#222")
            + bubbles
        )
    if name == "chart":
        return box(0, 0, 100, 56, "#f6f8fb") + "".join(
            box(12 + 20 * n, 50 - h, 12, h, tint)
            for n, (h, tint) in enumerate(
                ((14, "#5b8fdc"), (26, "#68b274"), (20, "#f3a055"), (38, "#e2574f"))
            )
        )
    if name == "night":
        return (
            box(0, 0, 100, 56, "lg(#141c40,#46508c)")
            + disc(76, 14, 7, "#fff3c8")
            + path(
                "M0 56 V34 H14 V24 H28 V38 H40 V18 H56 V40 H70 V28 H86 V36 H100 V56 Z", "#0c1024"
            )
            + "".join(
                box(x, y, 2, 3, "#ffd56a")
                for x, y in ((18, 30), (22, 36), (44, 24), (49, 32), (74, 34), (44, 40), (90, 42))
            )
        )
    return box(0, 0, 100, 56, "lg(#3a3f4a,#14161b)") + path("M60 0 H84 L44 56 H20 Z", "#4a505e")


def screen(kind: str, frame: str, content: str) -> str:
    """A television or monitor: ``foot``, ``legs``, ``wall``, ``desk``, ``cabinet`` or ``tube``."""
    light, dark = PAINT[frame]
    inner = f'<g transform="translate(20 14)">{shown(content)}</g>'
    case = box(16, 10, 108, 64, light, 4) + box(18, 12, 104, 60, dark, 3) + inner
    glare = path("M20 14 H60 L34 70 H20 Z", "#ffffff1c")
    if kind == "tube":
        small = f'<g transform="translate(28 26) scale(0.68 0.86)">{shown(content)}</g>'
        knobs = disc(112, 36, 4, "#e8dcc8") + disc(112, 50, 4, "#e8dcc8")
        knobs += "".join(box(106, y, 12, 1.6, dark) for y in (60, 64, 68))
        return svg(
            line("M70 18 L46 2 M70 18 L98 0", "#8a929c", 2.4),
            line("M36 82 L30 96 M104 82 L110 96", dark, 5),
            box(16, 16, 108, 68, lit(frame), 9),
            box(24, 22, 76, 56, "#2a2c33", 8),
            small,
            knobs,
            wide=140,
        )
    if kind == "desk":
        return svg(
            case,
            glare,
            path("M62 74 H78 L80 88 H60 Z", dark),
            box(44, 86, 52, 5, light, 2.5),
            box(16, 93, 92, 5, "#dfe2e6", 2),
            oval(120, 95.5, 6, 3, "#dfe2e6"),
            wide=140,
        )
    if kind == "cabinet":
        return svg(
            box(6, 78, 128, 18, "lg(#b98a5c,#8a6140)", 3),
            box(12, 82, 56, 11, "#a3754a", 2),
            box(72, 82, 56, 11, "#a3754a", 2),
            disc(64, 87, 1.5, "#f0d8a8"),
            disc(76, 87, 1.5, "#f0d8a8"),
            box(54, 72, 32, 7, dark),
            case,
            glare,
            wide=140,
        )
    if kind == "legs":
        feet = line("M34 74 L28 88 M106 74 L112 88", dark, 4)
        return svg(feet, case, glare, wide=140, high=92)
    return svg(
        box(62, 72, 16, 12, dark), box(40, 83, 60, 5, light, 2.5), case, glare, wide=140, high=92
    )


def bottle(kind: str, glass: str, cap: str, label: str) -> str:
    """A bottle by its outline: ``wine``, ``beer``, ``water``, ``milk``, ``square`` or ``sport``."""
    blown = {  # outline, cap and label
        "wine": (
            "M45 12 H55 V34 Q66 40 66 54 V92 Q66 97 61 97 H39 Q34 97 34 92 V54 Q34 40 45 34 Z",
            box(44, 4, 12, 12, cap, 2) + box(34, 60, 32, 22, label),
        ),
        "beer": (
            "M45 10 H55 L56 36 Q67 46 67 58 V92 Q67 97 62 97 H38 Q33 97 33 92 V58 Q33 46 44 36 Z",
            box(43, 4, 14, 7, cap, 1.5) + oval(50, 72, 16, 11, label),
        ),
        "water": (
            "M43 14 H57 Q58 22 66 28 Q70 32 68 40 V56 Q66 60 68 64 V92 Q68 97 62 97 H38 "
            "Q32 97 32 92 V64 Q34 60 32 56 V40 Q30 32 34 28 Q42 22 43 14 Z",
            box(42, 4, 16, 11, cap, 2) + box(32, 44, 36, 20, label),
        ),
        "milk": (
            "M41 12 H59 V26 Q70 36 70 50 V92 Q70 97 64 97 H36 Q30 97 30 92 V50 Q30 36 41 26 Z",
            box(39, 5, 22, 9, cap, 3) + disc(50, 66, 13, label),
        ),
    }
    if kind in blown:
        outline, parts = blown[kind]
        return svg(path(outline, glass), parts, box(38, 46, 4, 40, "#ffffff66", 2))
    if kind == "square":
        return svg(
            box(44, 4, 12, 16, cap, 2),
            box(45, 18, 10, 12, glass),
            box(28, 28, 44, 68, glass, 8),
            box(28, 50, 44, 26, label),
            box(33, 36, 4, 54, "#ffffff66", 2),
        )
    return svg(
        box(44, 4, 12, 8, "#3a3d46", 3),
        path("M40 12 H60 L64 26 H36 Z", cap),
        box(34, 25, 32, 71, glass, 9),
        box(34, 44, 32, 5, label),
        box(34, 78, 32, 5, label),
        box(39, 32, 4, 58, "#ffffff66", 2),
    )


SCREENS = [
    ("black _ with green hills", screen("foot", "black", "hills")),
    ("black _ with a football match", screen("legs", "black", "football")),
    ("grey _ with the news", screen("legs", "grey", "news")),
    ("black _ with lines of code", screen("desk", "black", "code")),
    ("_ with coloured bars", screen("foot", "black", "bars")),
    ("_ with an orange fish", screen("cabinet", "black", "fish")),
    ("white _ with a chart", screen("desk", "white", "chart")),
    ("large _ with a city at night", screen("cabinet", "black", "night")),
    ("black _ that is off", screen("foot", "black", "off")),
    ("old wooden _ with an aerial", screen("tube", "brown", "hills")),
    ("old red _ with an aerial", screen("tube", "red", "bars")),
    ("old white _ with the news", screen("tube", "beige", "news")),
    ("white _ with a blue sea", screen("desk", "white", "fish")),
    ("grey _ on a wooden stand", screen("cabinet", "grey", "off")),
]
BOTTLES = [
    ("green wine _", bottle("wine", "lg(#4f8a58,#2e5a3a)", "#7a2436", "#f4ecd8")),
    ("red wine _ with white label", bottle("wine", "lg(#8a2a3c,#4e1420)", "#d8b64a", "#fbf6ea")),
    ("brown beer _", bottle("beer", "lg(#a4662e,#643812)", "#e0bc4c", "#f6e6b4")),
    ("green beer _ with red label", bottle("beer", "lg(#5aa25e,#2f6a3c)", "#e8e8e8", "#d84a42")),
    ("clear water _ with blue cap", bottle("water", "lg(#d8f0fb,#9ccfe8)", "#2f72c4", "#4a90d8")),
    ("cola _ with red cap", bottle("water", "lg(#5a2c1c,#2c120a)", "#d8302c", "#d8302c")),
    ("milk _ with blue cap", bottle("milk", "lg(#ffffff,#e2e8ee)", "#4a86d0", "#8ec0ee")),
    ("orange juice _", bottle("milk", "lg(#fbb542,#ee8a1e)", "#5aa050", "#fff1d0")),
    ("whisky _ with black label", bottle("square", "lg(#d8923a,#a4601c)", "#2c2c30", "#2c2c30")),
    ("pink perfume _", bottle("square", "lg(#f8c4d4,#e58ea8)", "#d8b64a", "#fdeef2")),
    ("blue sports _", bottle("sport", "lg(#5b9cec,#2f66b8)", "#f0f0f0", "#f0f0f0")),
    ("ketchup _ with white cap", bottle("sport", "lg(#e2473e,#b02a24)", "#fafafa", "#fce8c0")),
]
