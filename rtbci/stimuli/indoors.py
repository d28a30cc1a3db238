"""Painters of rooms, plain studio walls and a terrace; each fills the whole canvas."""

from rtbci.stimuli.canvas import BLACK, DAY, INK, WHITE, WOOD, Canvas, Colour, mixed


def studio(canvas: Canvas, colour: Colour) -> None:
    """A plain coloured wall that blends into the floor."""
    dark, light = mixed(colour, BLACK, 0.2), mixed(colour, WHITE, 0.25)
    canvas.shade(dark, colour, 0, 0.7)
    canvas.shade(colour, light, 0.7, 1)


def room(canvas: Canvas, wall: Colour) -> None:
    """A wall of that colour with a window or a picture, above a wooden floor."""
    light = mixed(wall, WHITE, 0.2)
    canvas.shade(light, wall, y1=0.72)
    x = canvas.random.choice((0.1, 0.62))
    if canvas.random.random() < 0.6:
        canvas.box(x, 0.1, x + 0.28, 0.44, WHITE, 0.01)
        canvas.box(x + 0.02, 0.12, x + 0.13, 0.42, (172, 214, 240))
        canvas.box(x + 0.15, 0.12, x + 0.26, 0.42, (172, 214, 240))
    else:
        canvas.box(x, 0.14, x + 0.24, 0.36, (110, 82, 60))
        canvas.box(x + 0.02, 0.16, x + 0.22, 0.34, (244, 236, 220))
        canvas.disc(x + 0.12, 0.25, 0.06, (226, 120, 84))
    canvas.box(0, 0.7, 1, 0.73, WHITE)
    canvas.shade(*WOOD, y0=0.73)
    for number in range(12):
        left = number / 11
        canvas.shape([(left, 0.73), (left * 2 - 0.5, 1), (left * 2 - 0.492, 1)], (152, 108, 70))


def kitchen(canvas: Canvas) -> None:
    canvas.shade((246, 240, 228), (232, 224, 210), y1=0.72)
    for row in range(4):
        for column in range(12):
            if (row + column) % 2:
                left, top = column / 12, 0.26 + row * 0.06
                canvas.box(left, top, left + 1 / 12, top + 0.06, (206, 224, 222))
    for number in range(4):
        canvas.box(number / 4 + 0.01, 0.02, number / 4 + 0.24, 0.24, (92, 140, 140), 0.01)
        canvas.box(number / 4 + 0.01, 0.54, number / 4 + 0.24, 0.74, (92, 140, 140), 0.01)
        canvas.disc(number / 4 + 0.2, 0.6, 0.01, WHITE)
    canvas.box(0, 0.5, 1, 0.54, (120, 94, 76))
    canvas.shade((222, 214, 204), (196, 186, 174), y0=0.74)


def office(canvas: Canvas) -> None:
    canvas.shade((222, 228, 234), (206, 214, 222), y1=0.72)
    canvas.box(0.06, 0.08, 0.94, 0.42, (166, 206, 232))
    canvas.houses(0.42, [(150, 170, 194), (132, 152, 180)], (206, 220, 232), 0.2)
    for x in (0.06, 0.35, 0.64, 0.94):
        canvas.box(x - 0.01, 0.07, x + 0.01, 0.43, WHITE)
    canvas.box(0.05, 0.41, 0.95, 0.44, WHITE)
    canvas.shade((148, 158, 172), (122, 132, 148), y0=0.72)


def evening_room(canvas: Canvas) -> None:
    canvas.shade((72, 58, 84), (96, 72, 88), y1=0.72)
    canvas.box(0.1, 0.1, 0.36, 0.44, (48, 40, 62), 0.01)
    canvas.box(0.12, 0.12, 0.34, 0.42, (28, 36, 78))
    canvas.stars(0, 0.4)
    x = 0.84
    canvas.disc(x, 0.34, 0.2, (128, 94, 88))
    canvas.box(x - 0.008, 0.36, x + 0.008, 0.74, INK)
    canvas.shape(
        [(x - 0.1, 0.38), (x - 0.06, 0.24), (x + 0.06, 0.24), (x + 0.1, 0.38)], (255, 220, 140)
    )
    canvas.shade((104, 70, 60), (72, 48, 46), y0=0.72)


def bar(canvas: Canvas) -> None:
    canvas.shade((74, 50, 44), (104, 70, 54), y1=0.8)
    for y in (0.24, 0.5):
        canvas.box(0, y, 1, y + 0.03, (150, 104, 70))
        for number in range(14):
            x = (number + 0.5) / 14
            tint = canvas.random.choice([(92, 112, 92), (120, 88, 60), (140, 120, 130)])
            canvas.box(x - 0.016, y - 0.13, x + 0.016, y, tint, 0.01)
            canvas.box(x - 0.007, y - 0.18, x + 0.007, y - 0.1, tint)
    canvas.shade((176, 120, 76), (138, 90, 56), y0=0.76)


def table_top(canvas: Canvas) -> None:
    canvas.shade((236, 226, 212), (222, 208, 190), y1=0.7)
    canvas.disc(0.25, 0.25, 0.2, (244, 236, 226))
    canvas.disc(0.8, 0.35, 0.14, (244, 236, 226))
    canvas.shade(*WOOD, y0=0.7)
    for y in (0.76, 0.83, 0.92):
        canvas.box(0, y, 1, y + 0.006, (158, 112, 72))


def terrace(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.5)
    canvas.shade((48, 144, 196), (96, 190, 214), 0.44, 0.6)
    for number in range(13):
        x = number / 12
        canvas.box(x - 0.008, 0.42, x + 0.008, 0.7, WHITE)
    canvas.box(0, 0.4, 1, 0.43, WHITE)
    canvas.shade((236, 214, 186), (214, 184, 150), y0=0.68)
