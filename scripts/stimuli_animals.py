"""Our own drawings of sheep, cats, dogs and cows: (words, SVG) of each."""

from stimuli_svg import box, disc, flipped, line, oval, path, svg

INK = "#2f2d33"


def eye(x: float, y: float, r: float = 3.2) -> str:
    """A dark eye with a light in it."""
    return disc(x, y, r, INK) + disc(x - r * 0.3, y - r * 0.35, r * 0.34, "#fff")


def sheep(wool: str, shade: str, skin: str, pose: str = "side") -> str:
    """A sheep: ``side``, ``graze``, ``front`` or ``lamb``."""
    if pose == "front":
        curls = "".join(
            disc(x, y, 13, wool)
            for x, y in (
                (24, 40),
                (36, 26),
                (54, 20),
                (72, 26),
                (84, 40),
                (86, 58),
                (76, 74),
                (54, 80),
                (32, 74),
                (22, 58),
            )
        )
        face = (
            oval(54, 54, 19, 24, skin) + oval(28, 48, 10, 5.5, skin) + oval(80, 48, 10, 5.5, skin)
        )
        top = "".join(disc(x, y, 9, shade) for x, y in ((42, 30), (54, 27), (66, 30)))
        nose = line("M50 66 Q54 70 58 66 M54 64 V67", INK if skin != INK else "#d8d0d0", 1.6)
        eyes = (
            disc(46, 50, 4, "#fff") + disc(62, 50, 4, "#fff") + eye(46, 50, 2.6) + eye(62, 50, 2.6)
        )
        legs = box(38, 84, 9, 14, skin, 3) + box(61, 84, 9, 14, skin, 3)
        return svg(legs, curls, disc(54, 52, 32, wool), face, top, eyes, nose, wide=108)
    small = pose == "lamb"
    legs = "".join(box(x, 64, 7, 32 if small else 28, skin, 3) for x in (34, 46, 76, 88))
    r = 11 if small else 14
    places = (
        (30, 44),
        (42, 34),
        (58, 30),
        (74, 32),
        (88, 38),
        (94, 50),
        (84, 62),
        (66, 66),
        (48, 66),
        (32, 60),
    )
    curls = "".join(disc(x, y, r, wool) for x, y in places) + oval(62, 50, 34, 20, wool)
    curls += "".join(
        line(f"M{x - 5} {y} q5 6 10 0", shade, 2)
        for x, y in ((44, 46), (62, 40), (80, 48), (56, 58), (74, 62))
    )
    tail = disc(20, 48, 7, shade)
    low = 26 if pose == "graze" else 0
    head = oval(108, 42 + low, 13, 16, skin) + oval(94, 36 + low, 8, 4.5, skin)
    head += disc(102, 28 + low, 8, wool) + disc(111, 28 + low, 7, wool)
    head += disc(111, 40 + low, 3.4, "#fff") + eye(111.6, 40 + low, 2.2)
    head += line(f"M113 {52 + low} q4 2 6 -1", "#d89a9a", 1.6)
    return svg(tail, legs, curls, head, wide=126)


def sitting(fur: str, shade: str, belly: str, eyes: str, marks: str, dog: bool) -> str:
    """A cat or a dog that sits; ``marks`` are stripes, spots, mask or nothing."""
    tail = line(
        "M74 88 Q100 86 94 60" if not dog else "M76 86 Q94 78 92 62", shade, 8 if dog else 7
    )
    body = path("M30 96 Q26 60 40 50 H64 Q78 60 74 96 Z", f"lg({fur},{shade})")
    chest = path("M42 94 Q40 64 52 56 Q64 64 62 94 Z", belly)
    feet = oval(41, 94, 9, 5, fur) + oval(63, 94, 9, 5, fur)
    head = oval(52, 34, 26, 22, f"lg({fur},{shade})")
    if dog:
        ears = path("M28 24 Q14 26 18 52 Q28 56 32 38 Z", shade)
        ears += flipped(52, ears)
        muzzle = oval(52, 43, 13, 10, belly) + oval(52, 38, 5, 3.6, INK)
        muzzle += line("M52 42 V46 M52 46 Q47 51 43 47 M52 46 Q57 51 61 47", INK, 1.7)
        muzzle += path("M48 49 Q52 60 56 49 Z", "#f08a98")
        look = eye(41, 30, 3.8) + eye(63, 30, 3.8)
    else:
        ears = path("M28 26 L28 2 L46 16 Z", fur) + path("M31 21 L31 8 L41 16 Z", "#f0a8ae")
        ears += flipped(52, ears)
        muzzle = path("M49 39 H55 L52 43 Z", "#e88a94")
        muzzle += line("M52 43 Q48 48 44 45 M52 43 Q56 48 60 45", INK, 1.5)
        muzzle += line("M34 42 L18 39 M34 45 L19 47 M70 42 L86 39 M70 45 L85 47", "#8a8a90", 1)
        look = "".join(oval(x, 33, 5.4, 6, eyes) + oval(x, 33, 2.1, 5, INK) for x in (41, 63))
    extra = ""
    if marks == "stripes":
        extra = line("M52 13 V22 M44 14 V20 M60 14 V20", shade, 3)
        extra += line("M31 66 L40 68 M30 76 L39 78 M73 66 L64 68 M74 76 L65 78", shade, 3)
    elif marks == "spots":
        extra = oval(64, 28, 9, 9, INK) + oval(34, 70, 5, 6, INK) + oval(70, 78, 5, 7, INK)
        extra += oval(36, 86, 4, 3.4, INK) + oval(36, 18, 4, 3, INK)
        look = eye(41, 30, 3.8) + disc(63, 30, 3.8, "#fff") + eye(63, 30, 2.8)
    elif marks == "mask":
        extra = oval(52, 40, 14, 13, shade)
    return svg(tail, body, chest, feet, ears, head, extra, muzzle, look, wide=108)


def lying_cat(fur: str, shade: str) -> str:
    """A cat that sleeps, curled up."""
    ears = path("M22 46 L20 26 L38 36 Z", fur) + path("M48 36 L64 26 L63 46 Z", fur)
    eyes = line("M30 54 q5 4 9 0 M46 54 q5 4 9 0", INK, 2)
    stripes = line("M82 36 Q88 44 86 52 M96 38 Q102 46 100 54 M110 46 Q114 52 112 58", shade, 3.4)
    return svg(
        oval(78, 62, 50, 32, f"lg({fur},{shade})"),
        stripes,
        line("M124 74 Q110 94 60 90", shade, 9),
        line("M60 90 L44 88", fur, 8),
        ears,
        oval(42, 56, 25, 20, fur),
        eyes,
        path("M39 59 H45 L42 63 Z", "#e88a94"),
        line("M42 63 Q38 67 35 65 M42 63 Q46 67 49 65", INK, 1.4),
        wide=134,
        high=96,
    )


def cow(coat: str, shade: str, spots: str, bell: bool) -> str:
    """A cow from the side, to the right."""
    legs = "".join(box(x, 62, 9, 34, shade, 3) + box(x, 90, 9, 6, INK, 2) for x in (26, 38, 78, 90))
    body = path(
        "M16 40 Q18 28 36 28 H92 Q106 28 106 44 V62 Q104 74 92 74 H30 Q16 74 16 58 Z",
        f"lg({coat},{shade})",
    )
    marks = (
        "".join(
            oval(x, y, rx, ry, spots)
            for x, y, rx, ry in ((36, 40, 12, 9), (66, 52, 13, 10), (92, 38, 8, 8), (48, 66, 8, 5))
        )
        if spots
        else ""
    )
    udder = path("M46 73 Q52 84 58 73 Z", "#f0aab0")
    tail = line("M17 40 Q6 50 10 68", shade, 3) + oval(10, 71, 4, 6, INK)
    head = oval(118, 34, 15, 18, coat) + oval(122, 46, 14, 9, "#f2b8b4") + eye(116, 30)
    head += disc(118, 46, 1.8, "#a06068") + disc(127, 46, 1.8, "#a06068")
    head += oval(100, 26, 9, 4.6, shade) + line(
        "M108 18 Q104 10 110 6 M126 17 Q132 10 128 5", "#e8dcc0", 4
    )
    ring = (
        box(98, 56, 14, 4, "#b23a36", 2) + path("M100 60 H110 L113 71 H97 Z", "#e8b83c")
        if bell
        else ""
    )
    return svg(tail, legs, udder, body, marks, head, ring, wide=140)


SHEEP = [
    ("fluffy white _", sheep("#f8f5ee", "#e0d9cc", "#4a4148")),
    ("black _", sheep("#5a545c", "#3c373e", "#8a7668")),
    ("brown _", sheep("#a98563", "#86654a", "#e8d4bc")),
    ("white _ that grazes", sheep("#f8f5ee", "#e0d9cc", "#e6c6a6", "graze")),
    ("small white lamb _", sheep("#fdfaf4", "#ece2d4", "#f2cdb4", "lamb")),
    ("grey _ that eats grass", sheep("#b9b6b4", "#96928f", "#3c383e", "graze")),
    ("white _ seen from the front", sheep("#f8f5ee", "#e6dfd2", "#4a4148", "front")),
    ("brown _ seen from the front", sheep("#a98563", "#8d6b4e", "#ecd9c2", "front")),
    ("_ with a pink face", sheep("#f8f5ee", "#e6dfd2", "#f2c4b4", "front")),
]
CATS = [
    ("white _ with blue eyes", sitting("#fbf9f6", "#dcd6d0", "#ffffff", "#6ab4e8", "", False)),
    ("grey striped _", sitting("#a9adb4", "#7b8088", "#d8dbe0", "#b8d86a", "stripes", False)),
    ("black _ with yellow eyes", sitting("#4b4a52", "#2e2d33", "#5a5962", "#f2d24e", "", False)),
    ("brown striped _", sitting("#b98c5e", "#86602f", "#ecd8bc", "#8ac86a", "stripes", False)),
    (
        "cream _ with a dark mask",
        sitting("#f0e2cc", "#8a6a54", "#f8f0e2", "#6ab4e8", "mask", False),
    ),
    ("orange _ that sleeps", lying_cat("#f4ab5c", "#d27f34")),
    ("grey _ that sleeps", lying_cat("#a9adb4", "#7b8088")),
]
DOGS = [
    ("white _ with black spots", sitting("#fbf9f6", "#dcd8d4", "#ffffff", INK, "spots", True)),
    ("brown sitting _", sitting("#a9764c", "#744a2b", "#d8b48c", INK, "", True)),
    ("black sitting _", sitting("#55535b", "#34323a", "#a08a7a", INK, "", True)),
    ("golden sitting _", sitting("#eebf6e", "#c48f3c", "#fae6bc", INK, "", True)),
]
COWS = [
    ("brown _ with a bell", cow("#b07a4c", "#8a5a34", "", True)),
    ("white _ with brown spots", cow("#fbf7f0", "#e0d6c8", "#9a6640", False)),
    ("black _ with a bell", cow("#5a5660", "#3a3740", "", True)),
]
