"""Our own drawings by category: where no free set of emoji has enough, and for variety."""

from stimuli_animals import CATS, COWS, DOGS, SHEEP
from stimuli_furniture import CHAIRS, SOFAS, TABLES
from stimuli_things import BOTTLES, SCREENS
from stimuli_vehicles import AEROPLANES, BUSES
from stimuli_wheels import BICYCLES, MOTORBIKES

DRAWINGS: dict[str, list[tuple[str, str]]] = {  # (words, SVG)
    "aeroplane": AEROPLANES,
    "bicycle": BICYCLES,
    "bottle": BOTTLES,
    "bus": BUSES,
    "cat": CATS,
    "chair": CHAIRS,
    "cow": COWS,
    "diningtable": TABLES,
    "dog": DOGS,
    "motorbike": MOTORBIKES,
    "sheep": SHEEP,
    "sofa": SOFAS,
    "tvmonitor": SCREENS,
}
