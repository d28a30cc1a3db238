"""How files are to be read, as one value, and files read that way."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rtbci.formats import read
from rtbci.signal.epoch_gaps import PAUSE, bridge
from rtbci.signal.recording import Recording


@dataclass(frozen=True)
class ReadingSettings:
    """Arguments of ``rtbci.formats.read`` besides the file; None: as the file states."""

    channels: tuple[str, ...] | None = None
    rename: Path | None = None
    trigger: str | None = None
    rate: float | None = None
    unit: str | None = None
    stream: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """As options of a command that reads the same file; all its channels are kept."""
        given = {"rename": self.rename, "trigger": self.trigger, "rate": self.rate,
                 "unit": self.unit, "stream": self.stream}  # fmt: skip
        return tuple(f"--{name}={value}" for name, value in given.items() if value is not None)

    def read(self, path: Path, pick: bool = False) -> Recording:
        """The recording with all its channels, or (``pick``) those of ``channels``.

        Raises ``BadInput`` for one that cannot be read.
        """
        return read(
            path,
            channels=self.channels if pick else None,
            rename=self.rename,
            trigger=self.trigger,
            rate=self.rate,
            unit=self.unit,
            stream=self.stream,
        )

    def read_whole(self, path: Path, tell: Callable[[str], None]) -> Recording:
        """The recording as one signal; ``tell`` gets a sentence if epochs were bridged."""
        recording = bridge(self.read(path))
        if recording.bridged is not None:
            tell(
                f"{path.name} holds {len(recording.bridged)} epochs and nothing between them: "
                f"bridged by {PAUSE:g} s each, for the filters; no brain was there"
            )
        return recording
