"""Session as data: processes, end condition, and the public part that ``session.json`` keeps.

spec = live_spec(folder, bus, bundle, ...)   rtbci.session.kinds: live, replay, take-over
result = run(spec, bundle, view)             rtbci.session.run
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from rtbci.errors import BadInput
from rtbci.session.control import SessionEntry
from rtbci.session.folder import CONFIG, load_config
from rtbci.session.processes import Bus
from rtbci.session.supervised import AdoptedProcess, ProcessSpec


class SessionConfig(BaseModel):
    """Contents of ``session.json``, without secrets; entries that are missing keep defaults."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: str = "rtbci session"
    version: int = 1
    kind: str = ""  # "live" or "replay"
    command: str = ""  # with its options as they were written, for people: programs read the rest
    options: Mapping[str, object] = {}
    subject: str = ""
    bundle: str | None = None  # folder
    bundle_sha256: Mapping[str, str] = {}
    lsl_session: str | None = None
    lsl_scope: str | None = None
    versions: Mapping[str, str] = {}
    record: bool | None = None  # whether there is a recorder
    spool: str | None = None  # folder in which the recording goes on if its disk takes nothing
    decoding: tuple[str, ...] = ()  # options of ``rtbci decode``
    files: tuple[str, ...] = ()  # of a replay: names of the recordings
    speed: float | None = None  # of a replay: seconds of the recording per second
    stream: str | None = None  # of a live session: the EEG stream, if one was named
    markers: tuple[str, ...] = ()  # of a live session: marker streams, if some were named
    unit: str | None = None  # of a live session, if the stream states none

    @model_validator(mode="before")
    @classmethod
    def _from_options(cls, values: object) -> object:
        """Values of an older session, which kept these fields in the options of its command."""
        if not isinstance(values, dict) or "files" in values:
            return values
        options = values.get("options")
        options = options if isinstance(options, dict) else {}
        found: dict[str, object] = {"speed": options.get("speed")}
        if "no_record" in options:
            found["record"] = not options["no_record"]
        if isinstance(options.get("files"), list):
            found["files"] = tuple(Path(str(each)).name for each in options["files"])
        if values.get("kind") == "live":
            found["stream"], found["unit"] = options.get("stream"), options.get("unit")
            found["markers"] = options.get("markers") or ()
        return {**found, **values}

    def as_json(self) -> dict[str, object]:
        """Object for ``session.json``."""
        return self.model_dump()


@dataclass(frozen=True)
class Part:
    """Signal with a decoder of its own: a live stream, or one recording of a replay."""

    decoder: ProcessSpec
    player: ProcessSpec | None = None  # of a recording; it starts when the recording was checked
    file: str | None = None  # added to every decision, if there are several recordings


@dataclass(frozen=True)
class EndCondition:
    """End of a part, apart from a stop by a person and the failure of a process."""

    seconds: float | None = None  # after its start
    played: bool = False  # when its player reports the end of the recording


@dataclass(frozen=True)
class TakeOver:
    """Remains of the session of a killed supervisor."""

    entry: SessionEntry | None  # in the list of running sessions; None if the recorder is gone too
    recorder: AdoptedProcess | None


@dataclass(frozen=True)
class SessionSpec:
    """Specification of a session before it runs; its kind is in ``config``."""

    folder: Path  # exists, and belongs to this session
    bus: Bus
    processes: tuple[ProcessSpec, ...]  # run through all parts, e.g. the recorder
    parts: tuple[Part, ...]  # one after the other
    end: EndCondition
    config: SessionConfig
    window: bool = False  # whether to open the operator's window
    take_over: TakeOver | None = None  # the session began under another supervisor


def read_config(folder: Path) -> SessionConfig:
    """Contents of ``session.json``; raises ``BadInput`` if it cannot be read."""
    values = load_config(folder)
    try:
        return SessionConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadInput(f"{folder / CONFIG} is damaged: {where}: {first['msg']}") from error
