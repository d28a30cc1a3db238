"""Painters of skies and waters; each fills the whole canvas."""

from rtbci.stimuli.canvas import DAY, DUSK, NIGHT, WHITE, Canvas, Colour


def sky(canvas: Canvas) -> None:
    canvas.shade((70, 156, 232), (198, 230, 250))


def clouds(canvas: Canvas) -> None:
    canvas.shade(*DAY)
    canvas.clouds(3, 0.4)
    for _ in range(7):
        x, y = canvas.random.random(), canvas.random.uniform(0.86, 1.0)
        canvas.cloud(x, y, canvas.random.uniform(0.12, 0.2), WHITE)


def sunset_sky(canvas: Canvas) -> None:
    canvas.shade((70, 66, 138), (246, 128, 96), 0, 0.6)
    canvas.shade((246, 128, 96), (255, 214, 130), 0.6, 1)
    canvas.disc(canvas.random.uniform(0.2, 0.8), 0.9, 0.12, (255, 244, 196))
    canvas.clouds(3, 0.3, (222, 128, 134))


def night_sky(canvas: Canvas) -> None:
    canvas.shade(*NIGHT)
    canvas.stars(60, 1.0)
    canvas.moon()


def storm(canvas: Canvas) -> None:
    canvas.shade((74, 82, 98), (160, 168, 180))
    canvas.clouds(4, 0.3, (106, 114, 130))
    for _ in range(46):
        x, y = canvas.random.random(), canvas.random.random()
        canvas.shape([(x, y), (x + 0.004, y), (x - 0.012, y + 0.06)], (196, 210, 226))


def over_mountains(canvas: Canvas) -> None:
    canvas.shade(*DAY)
    canvas.clouds(2, 0.25)
    canvas.peaks(1.0, 0.42, (138, 152, 184), WHITE)
    canvas.peaks(1.02, 0.24, (98, 116, 152), WHITE)


def over_city(canvas: Canvas) -> None:
    canvas.shade(*DAY)
    canvas.clouds(2, 0.2)
    canvas.houses(1.0, [(120, 138, 164), (146, 160, 182), (104, 120, 148)], (214, 226, 236), 0.34)


def sea(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.55)
    canvas.clouds(3, 0.3)
    canvas.water(0.55, (48, 140, 204), (22, 92, 160))


def sunset_sea(canvas: Canvas) -> None:
    canvas.shade(*DUSK, y1=0.55)
    x = canvas.random.uniform(0.25, 0.75)
    canvas.disc(x, 0.53, 0.14, (255, 238, 176))
    canvas.water(0.55, (206, 122, 112), (92, 62, 112), (255, 196, 136))


def night_sea(canvas: Canvas) -> None:
    canvas.shade(*NIGHT, y1=0.55)
    canvas.stars(46, 0.5)
    canvas.moon()
    canvas.water(0.55, (38, 62, 110), (16, 30, 66), (110, 134, 180))


def stormy_sea(canvas: Canvas) -> None:
    canvas.shade((78, 88, 104), (170, 178, 188), y1=0.6)
    canvas.clouds(4, 0.28, (110, 118, 134))
    for y, colour in ((0.56, (84, 118, 134)), (0.66, (64, 98, 118)), (0.8, (48, 80, 104))):
        canvas.ridge(y, 0.03, colour, 3)


def tropical_sea(canvas: Canvas) -> None:
    canvas.shade((62, 166, 226), (196, 236, 246), y1=0.5)
    canvas.clouds(2, 0.25)
    side = canvas.random.choice((0.14, 0.86))
    canvas.disc(side, 0.52, 0.2, (244, 222, 166), 0.05)
    canvas.disc(side, 0.48, 0.12, (72, 150, 84), 0.06)
    canvas.water(0.52, (70, 208, 206), (30, 156, 184), (180, 244, 236))


def lake(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.5)
    canvas.peaks(0.53, 0.36, (140, 154, 182), WHITE)
    canvas.firs(14, 0.56, 0.13, (66, 122, 96))
    canvas.water(0.55, (120, 186, 196), (54, 130, 158), (186, 224, 226))


def harbour(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.5)
    walls: list[Colour] = [(236, 180, 120), (220, 112, 96), (242, 222, 168), (130, 170, 190)]
    canvas.houses(0.54, walls, (86, 110, 140), 0.34)
    canvas.box(0, 0.53, 1, 0.58, (156, 144, 132))
    canvas.water(0.58, (54, 146, 176), (28, 98, 138))


def river(canvas: Canvas) -> None:
    canvas.shade(*DAY, y1=0.5)
    canvas.ridge(0.46, 0.04, (138, 190, 128))
    canvas.trees(8, 0.54, 0.22, (88, 156, 88))
    canvas.shade((122, 184, 92), (104, 168, 80), 0.53, 0.6)
    canvas.water(0.6, (104, 180, 190), (52, 134, 160), (190, 226, 224))
