"""Text spaces: sentences as points, so that what was seen can be compared with words.

space = text_space()
points = space.embed(["A brown horse on a meadow", "Two cars on a bridge"])  # (2, 384)
"""

from pathlib import Path
from typing import Literal

from rtbci.errors import BadInput
from rtbci.types import TextSpace

NAMES = ("minilm",)


def text_space(name: str = "minilm", cache: Path | Literal["user"] | None = "user") -> TextSpace:
    """The space of that name, with its embeddings kept in ``cache``.

    ``"user"`` is the user's cache folder, None keeps nothing. Raises ``Missing`` where the extra
    ``deep`` is not installed and ``BadInput`` for a name that is not known.
    """
    if name not in NAMES:
        raise BadInput(f"there is no text space {name!r}; known: {', '.join(NAMES)}")
    from rtbci.text.cache import CachedTextSpace, user_cache
    from rtbci.text.minilm import MiniLM

    space = MiniLM()
    if cache is None:
        return space
    return CachedTextSpace(space, user_cache() if cache == "user" else cache)
