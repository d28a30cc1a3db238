"""Square canvas that draws the parts of scenes: gradients, hills, clouds, trees, houses, roads.

Coordinates run from 0 to 1, right and down. The canvas has twice the final size and is halved at
the end, which smooths all edges. The details are drawn from a seed; the same seed gives the same
pixels.
"""

import math
from functools import lru_cache
from random import Random

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Shade = tuple[Colour, Colour]  # colours at the top and at the bottom

WHITE: Colour = (250, 250, 248)
BLACK: Colour = (0, 0, 0)
INK: Colour = (38, 42, 56)
DAY: Shade = ((96, 176, 236), (206, 234, 250))
DUSK: Shade = ((92, 74, 140), (255, 176, 104))
NIGHT: Shade = ((14, 20, 50), (48, 60, 110))
GREY: Shade = ((132, 142, 156), (206, 212, 218))
GRASS: Shade = ((134, 196, 88), (84, 152, 62))
SAND: Shade = ((244, 222, 170), (226, 194, 132))
WOOD: Shade = ((204, 158, 110), (172, 124, 80))


class Canvas:
    """Square picture, painted from back to front; coordinates from 0 to 1."""

    def __init__(self, size: int, seed: int) -> None:
        """Empty canvas for a picture of ``size`` pixels a side; ``seed`` sets the details."""
        self.pixels = 2 * size
        self.image = Image.new("RGB", (self.pixels, self.pixels), WHITE)
        self.draw = ImageDraw.Draw(self.image)
        self.random = Random(seed)

    def shade(self, top: Colour, bottom: Colour, y0: float = 0.0, y1: float = 1.0) -> None:
        """A gradient over the full width from one colour to another."""
        first, last = round(y0 * self.pixels), round(y1 * self.pixels)
        self.image.paste(_gradient(top, bottom, last - first, self.pixels), (0, first))

    def shape(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """A filled polygon."""
        self.draw.polygon([(x * self.pixels, y * self.pixels) for x, y in points], fill=colour)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, r: float = 0) -> None:
        """A filled rectangle, its corners rounded by ``r``."""
        n = self.pixels
        self.draw.rounded_rectangle((x0 * n, y0 * n, x1 * n, y1 * n), r * n, fill=colour)

    def disc(self, x: float, y: float, rx: float, colour: Colour, ry: float | None = None) -> None:
        """A filled circle, or an ellipse if ``ry`` is given."""
        n, ry = self.pixels, rx if ry is None else ry
        self.draw.ellipse(((x - rx) * n, (y - ry) * n, (x + rx) * n, (y + ry) * n), fill=colour)

    def ridge(self, y: float, height: float, colour: Colour, waves: float = 1.5) -> None:
        """Filled hills with a smooth outline around ``y``."""
        phase, second = self.random.uniform(0, 6.3), self.random.uniform(0, 6.3)
        points = [(0.0, 1.0)]
        for step in range(33):
            x = step / 32
            rise = math.sin(x * 6.3 * waves + phase) + 0.4 * math.sin(x * 15 * waves + second)
            points.append((x, y - height * rise / 1.4))
        self.shape([*points, (1.0, 1.0)], colour)

    def peaks(self, y: float, height: float, colour: Colour, cap: Colour | None = None) -> None:
        """Mountains that stand on ``y``, with tops of colour ``cap`` if it is given."""
        x = self.random.uniform(-0.2, 0.0)
        while x < 1.1:
            wide = self.random.uniform(0.28, 0.5)
            top = y - height * self.random.uniform(0.6, 1.0)
            middle = x + wide * self.random.uniform(0.42, 0.58)
            self.shape([(x, y), (middle, top), (x + wide, y)], colour)
            if cap:
                share = 0.3
                left = middle + (x - middle) * share
                right = middle + (x + wide - middle) * share
                low = top + (y - top) * share
                teeth = [(right, low), ((middle + right) / 2, low - 0.015), (middle, low + 0.02)]
                edge = [((left + middle) / 2, low - 0.012), (left, low)]
                self.shape([(middle, top), *teeth, *edge], cap)
            x += wide * self.random.uniform(0.55, 0.8)

    def cloud(self, x: float, y: float, size: float, colour: Colour) -> None:
        """Five overlapping discs on a flat base."""
        for dx, dy, r in ((-0.9, 0, 0.42), (-0.35, -0.3, 0.6), (0.4, -0.22, 0.5), (0.95, 0, 0.38)):
            self.disc(x + dx * size, y + dy * size, r * size, colour)
        self.box(x - 0.95 * size, y - 0.1 * size, x + size, y + 0.4 * size, colour, 0.2 * size)

    def clouds(self, count: int, low: float, colour: Colour = WHITE) -> None:
        """Clouds between the top and ``low``."""
        for number in range(count):
            x = (number + self.random.uniform(0.1, 0.9)) / count
            self.cloud(x, self.random.uniform(0.08, low), self.random.uniform(0.05, 0.1), colour)

    def stars(self, count: int, low: float) -> None:
        """Stars between the top and ``low``."""
        for _ in range(count):
            x, y = self.random.random(), self.random.uniform(0, low)
            self.disc(x, y, self.random.uniform(0.002, 0.005), (255, 250, 220))

    def firs(self, count: int, y: float, height: float, colour: Colour) -> None:
        """A row of fir trees that stand on ``y``."""
        for number in range(count):
            x = (number + self.random.uniform(0.2, 0.8)) / count
            tall = height * self.random.uniform(0.7, 1.1)
            self.box(x - 0.008, y - 0.1 * tall, x + 0.008, y + 0.01, (96, 68, 48))
            for level in (0.0, 0.26, 0.5):
                base, half = y - tall * (0.08 + level), tall * (0.24 - 0.2 * level)
                tip = base - tall * 0.45
                self.shape([(x - half, base), (x, tip), (x + half, base)], colour)

    def trees(self, count: int, y: float, height: float, colour: Colour) -> None:
        """A row of round trees that stand on ``y``."""
        for number in range(count):
            x = (number + self.random.uniform(0.2, 0.8)) / count
            tall = height * self.random.uniform(0.75, 1.1)
            self.box(x - 0.011, y - 0.5 * tall, x + 0.011, y + 0.005, (112, 78, 54))
            light = mixed(colour, WHITE, 0.1)
            self.disc(x - 0.14 * tall, y - 0.62 * tall, 0.22 * tall, colour)
            self.disc(x + 0.15 * tall, y - 0.6 * tall, 0.2 * tall, colour)
            self.disc(x, y - 0.78 * tall, 0.25 * tall, light)

    def houses(self, y: float, colours: list[Colour], lit: Colour, tallest: float) -> None:
        """A row of houses with windows that stand on ``y``."""
        x = self.random.uniform(-0.1, 0.0)
        while x < 1.0:
            wide = self.random.uniform(0.14, 0.24)
            top = y - tallest * self.random.uniform(0.5, 1.0)
            self.box(x, top, x + wide, y, self.random.choice(colours))
            columns = max(2, round(wide / 0.06))
            for row in range(int((y - top - 0.03) / 0.075)):
                for column in range(columns):
                    left = x + wide * (column + 0.28) / columns
                    low = top + 0.03 + row * 0.075
                    self.box(left, low, left + wide * 0.44 / columns, low + 0.042, lit)
            x += wide

    def moon(self) -> None:
        """A moon in one of the upper corners."""
        x = self.random.choice((0.16, 0.84))
        self.disc(x, 0.16, 0.075, (250, 244, 214))
        self.disc(x + 0.02, 0.145, 0.014, (228, 220, 188))
        self.disc(x - 0.025, 0.175, 0.02, (228, 220, 188))

    def dots(self, count: int, top: float, colours: list[Colour], size: float) -> None:
        """Small spots below ``top``: petals, leaves, snowflakes."""
        for _ in range(count):
            x, y = self.random.random(), self.random.uniform(top, 1)
            self.disc(x, y, size * self.random.uniform(0.5, 1.2), self.random.choice(colours))

    def road(self, y: float, colour: Colour = (104, 108, 118)) -> None:
        """A road from ``y`` to the lower edge."""
        self.shade(colour, mixed(colour, BLACK, 0.15), y0=y)
        self.box(0, y, 1, y + 0.012, (226, 226, 222))
        for number in range(5):
            x = number / 4 - 0.08
            self.box(x, y + 0.19, x + 0.13, y + 0.206, (240, 238, 230))

    def water(self, y: float, far: Colour, near: Colour, glint: Colour = (150, 206, 236)) -> None:
        """Water with glints from ``y`` to the lower edge."""
        self.shade(far, near, y0=y)
        for _ in range(26):
            x, deep = self.random.random(), self.random.uniform(0.04, 0.96)
            wide = 0.02 + 0.08 * deep
            self.disc(x, y + (1 - y) * deep, wide, glint, 0.0022 + 0.002 * deep)

    def rails(self) -> None:
        """One railway track along the lower edge."""
        self.shade((156, 146, 138), (128, 118, 112), y0=0.82)
        for number in range(13):
            x = number / 12
            self.box(x - 0.026, 0.87, x + 0.026, 0.93, (104, 74, 56))
        for y in (0.862, 0.918):
            self.box(0, y, 1, y + 0.014, (186, 190, 198))

    def finished(self) -> Image.Image:
        """The picture at its final size."""
        return self.image.reduce(2)


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """Colour ``one`` mixed with a share of ``other``."""
    red, green, blue = (round(a * (1 - share) + b * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@lru_cache(256)
def _gradient(top: Colour, bottom: Colour, height: int, width: int) -> Image.Image:
    share = np.linspace(0, 1, max(height, 1))[:, None, None]
    column = np.array(top) * (1 - share) + np.array(bottom) * share
    return Image.fromarray(column.round().astype(np.uint8)).resize((width, max(height, 1)))
