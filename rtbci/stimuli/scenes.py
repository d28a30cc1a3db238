"""All scenes by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PIL import Image

from rtbci.stimuli import indoors, outdoors, sky_and_sea
from rtbci.stimuli.canvas import Canvas, Colour


@dataclass(frozen=True)
class Scene:
    """Painter of a scene, its words in a caption, and the placement of objects in it."""

    paint: Callable[[Canvas], None]
    words: str  # follow the object in the caption: "on a meadow"
    ground: float = 0.86  # height at which objects stand, 0 top to 1 bottom
    flying: bool = False  # objects float around ``ground`` instead of standing on it


def paint(name: str, size: int, seed: int) -> Image.Image:
    """Scene of that name as an RGB picture of ``size`` pixels a side."""
    canvas = Canvas(size, seed)
    SCENES[name].paint(canvas)
    return canvas.finished()


COLOURS: dict[str, Colour] = {
    "red": (214, 76, 70),
    "yellow": (246, 210, 92),
    "green": (112, 178, 112),
    "blue": (88, 142, 214),
    "pink": (244, 166, 190),
    "grey": (172, 178, 186),
}
WALLS: dict[str, Colour] = {
    "green": (168, 200, 172),
    "blue": (156, 192, 216),
    "yellow": (240, 218, 156),
    "pink": (236, 196, 196),
    "white": (232, 232, 228),
    "grey": (188, 192, 198),
}
SCENES: dict[str, Scene] = {
    "sky": Scene(sky_and_sea.sky, "in a blue sky", 0.5, True),
    "clouds": Scene(sky_and_sea.clouds, "above white clouds", 0.48, True),
    "sunset sky": Scene(sky_and_sea.sunset_sky, "in the evening sky", 0.46, True),
    "night sky": Scene(sky_and_sea.night_sky, "in the night sky", 0.52, True),
    "storm": Scene(sky_and_sea.storm, "in the rain", 0.54, True),
    "over mountains": Scene(sky_and_sea.over_mountains, "over snowy mountains", 0.44, True),
    "over city": Scene(sky_and_sea.over_city, "over the city", 0.42, True),
    "meadow": Scene(outdoors.meadow, "on a meadow"),
    "hills": Scene(outdoors.hills, "among green hills"),
    "wheat": Scene(outdoors.wheat, "in a wheat field"),
    "forest": Scene(outdoors.forest, "in the forest"),
    "snow": Scene(outdoors.snow, "in the snow"),
    "desert": Scene(outdoors.desert, "in the desert"),
    "beach": Scene(outdoors.beach, "on the beach"),
    "farm": Scene(outdoors.farm, "on a farm"),
    "park": Scene(outdoors.park, "in the park"),
    "garden": Scene(outdoors.garden, "in a garden"),
    "mountains": Scene(outdoors.mountains, "near mountains"),
    "autumn": Scene(outdoors.autumn, "under autumn trees"),
    "sunset": Scene(outdoors.sunset, "at sunset"),
    "night": Scene(outdoors.night, "at night"),
    "street": Scene(outdoors.street, "on a street"),
    "night street": Scene(outdoors.night_street, "in a city at night"),
    "rain": Scene(outdoors.rain, "in the rain"),
    "highway": Scene(outdoors.highway, "on a country road"),
    "bridge": Scene(outdoors.bridge, "on a red bridge", 0.9),
    "runway": Scene(outdoors.runway, "over the runway", 0.4, True),
    "sea": Scene(sky_and_sea.sea, "at sea", 0.84),
    "sunset sea": Scene(sky_and_sea.sunset_sea, "at sea at sunset", 0.84),
    "night sea": Scene(sky_and_sea.night_sea, "at sea at night", 0.84),
    "stormy sea": Scene(sky_and_sea.stormy_sea, "in a stormy sea", 0.84),
    "tropical sea": Scene(sky_and_sea.tropical_sea, "near an island", 0.84),
    "lake": Scene(sky_and_sea.lake, "on a mountain lake", 0.84),
    "harbour": Scene(sky_and_sea.harbour, "in the harbour", 0.86),
    "river": Scene(sky_and_sea.river, "on a river", 0.86),
    "railway": Scene(outdoors.railway, "among green hills", 0.9),
    "station": Scene(outdoors.station, "at the station", 0.9),
    "snowy railway": Scene(outdoors.snowy_railway, "in the snow", 0.9),
    "night railway": Scene(outdoors.night_railway, "at night", 0.9),
    "kitchen": Scene(indoors.kitchen, "in the kitchen", 0.9),
    "office": Scene(indoors.office, "in an office", 0.88),
    "evening room": Scene(indoors.evening_room, "in a dark room", 0.9),
    "bar": Scene(indoors.bar, "in a bar", 0.88),
    "table top": Scene(indoors.table_top, "on a wooden table", 0.87),
    "terrace": Scene(indoors.terrace, "on a terrace", 0.88),
    **{
        f"{name} studio": Scene(partial(indoors.studio, colour=colour), f"against a {name} wall")
        for name, colour in COLOURS.items()
    },
    **{
        f"{name} room": Scene(partial(indoors.room, wall=colour), f"in a {name} room", 0.9)
        for name, colour in WALLS.items()
    },
}
