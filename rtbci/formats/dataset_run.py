"""One run of the picture dataset, however its files are laid out."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One run: an array with the picture of every trial."""

    subject: str  # "sub-02"
    session: int
    number: int
    array: Path
    labels: tuple[int, ...]  # (trials,) class ids
    classes: tuple[str, ...]  # names by id
    images: tuple[str, ...] = ()  # (trials,) names without extension; empty where unknown
    captions: tuple[str | None, ...] = ()  # (trials,)
    trials_only: bool = False  # its file may hold markers that are not trials (BIDS)

    @property
    def names(self) -> tuple[str, ...]:
        """(trials,) class names."""
        return tuple(self.classes[label] for label in self.labels)
