"""Text spaces: embeddings of sentences, with which a decoded EEG embedding can be compared.

space = text_space()
points = space.embed(["A brown horse on a meadow", "Two cars on a bridge"])  # (2, 384)
"""

from pathlib import Path
from typing import Literal

from rtbci.errors import BadInput
from rtbci.types import TextSpace

NAMES = ("minilm",)


def text_space(name: str = "minilm", cache: Path | Literal["user"] | None = "user") -> TextSpace:
    """Text space of that name, with its embeddings cached on disk in ``cache``.

    ``"user"`` is the user's cache folder; None disables the cache. Raises ``Missing`` if the extra
    ``deep`` is not installed and ``BadInput`` for an unknown name.
    """
    if name not in NAMES:
        raise BadInput(f"there is no text space {name!r}; known: {', '.join(NAMES)}")
    from rtbci.text.cache import CachedTextSpace, user_cache
    from rtbci.text.minilm import MiniLM

    space = MiniLM()
    if cache is None:
        return space
    return CachedTextSpace(space, user_cache() if cache == "user" else cache)
