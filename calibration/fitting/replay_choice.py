"""Which bundle decodes a replay: a named one, the newest of the person, or one made for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtbci.decoding.bundle import Bundle, load_bundle, newest_bundle
from rtbci.decoding.offline import Source
from rtbci.formats.reading import ReadingSettings
from rtbci.signal.recording import Recording
from rtbci.subjects import same_subject, subject_of

if TYPE_CHECKING:
    from calibration.fitting.settings import CalibrationSettings


@dataclass(frozen=True)
class ReplayChoice:
    """A bundle, the files that it decodes, a function that reads each, and a sentence about it."""

    bundle: Bundle
    files: tuple[Path, ...]
    sources: tuple[Source, ...]
    sentence: str


def choose(
    files: Sequence[Path],
    reading: ReadingSettings,
    named: Path | None,
    bundles: Path,
    labels: Mapping[str, str] | None,
    settings: "Callable[[str, Mapping[str, str]], CalibrationSettings]",
    progress: Callable[[str, int, int], None],
    tell: Callable[[str], None],
) -> ReplayChoice:
    """The choice for ``files``: without a bundle, or with ``labels``, their first runs calibrate.

    ``settings`` makes those of a calibration from the subject and the labels; ``tell`` gets
    sentences for the person.
    """
    subject, how = subject_of(files[0].absolute()), "decoding with"
    if named is None and subject and not labels:
        homes = (home for home in sorted(bundles.glob("*")) if same_subject(home.name, subject))
        named, how = next(filter(newest_bundle, homes), None), "decoding with the newest"

    def source(path: Path) -> Source:
        return lambda: (reading.read_whole(path, tell), None)

    if named is not None:
        bundle = load_bundle(named)
        classes = ", ".join(bundle.decoder.classes)
        about = f"bundle {bundle.path} of {bundle.subject} ({classes}; {bundle.verdict.word})"
        return ReplayChoice(bundle, tuple(files), tuple(map(source, files)), f"{how} {about}")

    from calibration.fitting.first_runs import calibrate_on_first_runs

    def read(path: Path) -> Recording:  # several are bridged one after the other, when replayed
        return reading.read_whole(path, tell) if len(files) == 1 else reading.read(path)

    asked = settings(subject or "sub-unnamed", labels or {})
    found = calibrate_on_first_runs(files, read, asked, progress)
    for refused in found.refused:
        tell(f"left out: {refused.file} {refused.reason}")
    start = found.start
    sources = tuple(map(source, found.files)) if start is None else (lambda: start,)
    return ReplayChoice(found.bundle, found.files, sources, found.sentence)
