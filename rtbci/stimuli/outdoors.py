"""Painters of meadows, forests, streets and railways; each fills the whole canvas."""

from rtbci.stimuli.canvas import DAY, DUSK, GRASS, GREY, NIGHT, SAND, WHITE, Canvas, Colour


def meadow(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.62)
    canvas.clouds(2, 0.25)
    canvas.ridge(0.56, 0.04, (128, 186, 118))
    canvas.shade(*GRASS, y0=0.62)
    canvas.dots(26, 0.66, [(255, 240, 130), (250, 250, 250), (246, 150, 180)], 0.006)


def hills(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.7)
    canvas.disc(canvas.random.choice((0.16, 0.84)), 0.16, 0.08, (255, 232, 130))
    for y, colour in ((0.5, (158, 204, 146)), (0.6, (126, 184, 108)), (0.74, (100, 164, 78))):
        canvas.ridge(y, 0.07, colour, canvas.random.uniform(0.8, 1.6))


def wheat(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.58)
    canvas.clouds(2, 0.22)
    canvas.trees(5, 0.585, 0.1, (92, 140, 84))
    canvas.shade((246, 214, 110), (216, 164, 62), y0=0.58)
    for number in range(9):
        x = number / 8
        canvas.shape(
            [(0.5 + (x - 0.5) * 0.5, 0.585), (x * 2 - 0.5, 1), (x * 2 - 0.53, 1)], (228, 184, 82)
        )


def forest(canvas: Canvas) -> None:
    canvas.shade((168, 206, 190), (214, 230, 206), y1=0.7)
    canvas.firs(9, 0.66, 0.5, (112, 160, 136))
    canvas.firs(7, 0.72, 0.62, (64, 122, 92))
    canvas.shade((112, 146, 78), (74, 108, 56), y0=0.7)


def snow(canvas: Canvas) -> None:
    canvas.shade((150, 186, 220), (228, 238, 248), y1=0.65)
    canvas.peaks(0.66, 0.3, (150, 168, 200), WHITE)
    canvas.firs(6, 0.67, 0.2, (92, 132, 122))
    canvas.shade((246, 250, 255), (214, 226, 242), y0=0.65)
    canvas.dots(50, 0.0, [WHITE], 0.008)


def desert(canvas: Canvas) -> None:
    canvas.shade((108, 178, 226), (250, 226, 180), y1=0.62)
    canvas.disc(0.8, 0.18, 0.09, (255, 244, 190))
    canvas.ridge(0.58, 0.06, (232, 180, 112), 0.9)
    canvas.ridge(0.68, 0.05, (244, 202, 136), 0.7)
    canvas.shade((242, 200, 134), (218, 166, 98), y0=0.8)


def beach(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.46)
    canvas.clouds(2, 0.2)
    canvas.shade((34, 136, 190), (110, 206, 214), 0.46, 0.64)
    canvas.shade(*SAND, y0=0.64)
    canvas.ridge(0.66, 0.012, SAND[0], 2)
    canvas.shade(*SAND, y0=0.68)
    trunk = canvas.random.choice((0.1, 0.9))
    canvas.shape([(trunk - 0.02, 0.7), (trunk + 0.01, 0.25), (trunk + 0.03, 0.7)], (150, 110, 70))
    for dx, dy in ((-0.16, 0.05), (-0.12, -0.07), (0.0, -0.12), (0.12, -0.07), (0.17, 0.05)):
        tip = (trunk + dx, 0.26 + dy)
        canvas.shape([(trunk, 0.24), (trunk + dx * 0.6, 0.2 + dy * 0.6), tip], (70, 146, 84))
        canvas.shape([(trunk, 0.28), (trunk + dx * 0.6, 0.24 + dy * 0.6), tip], (56, 128, 74))


def farm(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.6)
    canvas.clouds(2, 0.2)
    canvas.shade(*GRASS, y0=0.58)
    x = canvas.random.choice((0.04, 0.62))
    canvas.box(x, 0.36, x + 0.32, 0.6, (186, 62, 52))
    roof = [(x - 0.03, 0.37), (x + 0.05, 0.25), (x + 0.27, 0.25), (x + 0.35, 0.37)]
    canvas.shape(roof, (112, 52, 48))
    canvas.box(x + 0.11, 0.45, x + 0.21, 0.6, (244, 232, 214))
    canvas.box(x + 0.12, 0.46, x + 0.2, 0.6, (150, 50, 44))
    for number in range(9):
        canvas.box(number / 8 - 0.012, 0.58, number / 8 + 0.012, 0.72, (240, 232, 218))
    for y in (0.61, 0.66):
        canvas.box(0, y, 1, y + 0.018, (240, 232, 218))


def park(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.6)
    canvas.trees(5, 0.62, 0.46, (84, 152, 84))
    canvas.shade(*GRASS, y0=0.6)
    canvas.shape([(0.4, 0.6), (0.52, 0.6), (1.1, 1), (0.1, 1)], (226, 206, 168))


def garden(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.5)
    for number in range(11):
        x = number / 10
        canvas.box(x - 0.04, 0.3, x + 0.035, 0.66, (250, 246, 238), 0.012)
    canvas.box(0, 0.4, 1, 0.43, (232, 226, 214))
    canvas.shade(*GRASS, y0=0.64)
    for number in range(14):
        x, y = (number + canvas.random.random()) / 14, canvas.random.uniform(0.62, 0.7)
        canvas.disc(x, y, 0.04, (74, 146, 74))
        canvas.disc(
            x,
            y - 0.02,
            0.016,
            canvas.random.choice([(240, 90, 110), (255, 208, 80), (190, 110, 210)]),
        )


def mountains(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.7)
    canvas.peaks(0.66, 0.46, (132, 146, 176), WHITE)
    canvas.peaks(0.68, 0.26, (98, 118, 146))
    canvas.firs(11, 0.69, 0.12, (62, 118, 92))
    canvas.shade((142, 186, 102), (98, 148, 72), y0=0.68)


def autumn(canvas: Canvas) -> None:
    canvas.shade((176, 200, 214), (246, 232, 208), y1=0.66)
    for colour in ((226, 150, 60), (206, 92, 50), (236, 184, 72)):
        canvas.trees(3, 0.67, 0.5, colour)
    canvas.shade((196, 158, 90), (158, 112, 62), y0=0.66)
    canvas.dots(40, 0.68, [(226, 120, 50), (240, 180, 70), (186, 70, 44)], 0.011)


def sunset(canvas: Canvas) -> None:
    canvas.shade(*DUSK, y1=0.66)
    canvas.disc(canvas.random.uniform(0.2, 0.8), 0.6, 0.13, (255, 236, 170))
    canvas.ridge(0.62, 0.05, (124, 84, 110))
    canvas.shade((120, 94, 84), (74, 58, 66), y0=0.68)


def night(canvas: Canvas) -> None:
    canvas.shade(*NIGHT, y1=0.7)
    canvas.stars(46, 0.55)
    canvas.moon()
    canvas.ridge(0.62, 0.05, (36, 52, 78))
    canvas.shade((58, 84, 84), (34, 52, 60), y0=0.7)


def street(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.6)
    walls: list[Colour] = [(232, 196, 160), (206, 132, 108), (236, 218, 180), (170, 190, 196)]
    canvas.houses(0.68, walls, (120, 150, 178), 0.58)
    canvas.shade((206, 204, 200), (190, 188, 186), 0.68, 0.74)
    canvas.road(0.74)


def night_street(canvas: Canvas) -> None:
    canvas.shade((16, 18, 44), (54, 54, 96), y1=0.7)
    walls: list[Colour] = [(40, 44, 74), (54, 52, 88), (34, 38, 62)]
    canvas.houses(0.7, walls, (255, 214, 120), 0.6)
    canvas.shade((74, 76, 92), (64, 66, 82), 0.7, 0.75)
    canvas.road(0.75, (48, 50, 64))


def rain(canvas: Canvas) -> None:
    canvas.shade(*GREY, y1=0.6)
    canvas.houses(0.68, [(128, 136, 150), (148, 152, 160), (112, 122, 138)], (186, 196, 204), 0.5)
    canvas.shade((150, 154, 160), (140, 144, 150), 0.68, 0.74)
    canvas.road(0.74, (84, 90, 100))
    for _ in range(70):
        x, y = canvas.random.random(), canvas.random.random()
        canvas.shape([(x, y), (x + 0.004, y), (x - 0.01, y + 0.05)], (214, 224, 234))


def highway(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.6)
    canvas.clouds(2, 0.22)
    canvas.ridge(0.54, 0.05, (142, 186, 130))
    canvas.shade((150, 196, 104), (122, 172, 84), 0.6, 0.72)
    canvas.road(0.7)


def bridge(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.8)
    canvas.ridge(0.62, 0.04, (120, 168, 150))
    canvas.shade((64, 148, 196), (40, 116, 170), y0=0.72)
    for x in (0.2, 0.8):
        canvas.box(x - 0.02, 0.12, x + 0.02, 1, (196, 74, 58))
        for far in (0.16, 0.3, 0.44):
            for side in (-1, 1):
                end = x + side * far
                canvas.shape([(x, 0.14), (end, 0.78), (end + 0.006, 0.78)], (214, 100, 80))
    canvas.box(0, 0.78, 1, 0.92, (96, 100, 110))
    canvas.box(0, 0.91, 1, 0.94, (196, 74, 58))


def runway(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.6)
    canvas.clouds(3, 0.3)
    canvas.ridge(0.57, 0.025, (134, 178, 140))
    canvas.shade((148, 190, 106), (128, 172, 90), 0.6, 0.7)
    canvas.road(0.7)


def railway(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.6)
    canvas.clouds(2, 0.25)
    canvas.ridge(0.58, 0.06, (126, 182, 112))
    canvas.shade((140, 194, 96), (112, 166, 78), 0.66, 0.82)
    canvas.rails()


def station(canvas: Canvas) -> None:
    canvas.shade((214, 222, 230), (236, 238, 240), y1=0.8)
    canvas.shape([(0, 0.06), (1, 0.06), (1, 0.16), (0, 0.2)], (92, 110, 132))
    for x in (0.12, 0.5, 0.88):
        canvas.box(x - 0.014, 0.16, x + 0.014, 0.74, (120, 136, 156))
    canvas.box(0.3, 0.26, 0.7, 0.34, (44, 74, 130), 0.02)
    canvas.box(0.34, 0.285, 0.66, 0.315, WHITE, 0.01)
    canvas.shade((206, 196, 182), (184, 172, 158), 0.72, 0.82)
    canvas.box(0, 0.79, 1, 0.82, (246, 206, 84))
    canvas.rails()


def snowy_railway(canvas: Canvas) -> None:
    canvas.shade((150, 186, 220), (228, 238, 248), y1=0.65)
    canvas.peaks(0.66, 0.34, (150, 168, 200), WHITE)
    canvas.firs(8, 0.7, 0.22, (92, 132, 122))
    canvas.shade((246, 250, 255), (222, 232, 244), 0.68, 0.82)
    canvas.rails()
    canvas.dots(40, 0.0, [WHITE], 0.008)


def night_railway(canvas: Canvas) -> None:
    canvas.shade(*NIGHT, y1=0.7)
    canvas.stars(40, 0.5)
    canvas.moon()
    canvas.ridge(0.64, 0.05, (38, 54, 80))
    canvas.rails()
