"""Configuration of LSL: session and scope of a process, and the names of our own streams.

liblsl reads its configuration once, at the first call, so ``configure`` must come before it. The
settings in a lab's own ``lsl_api.cfg`` stay in force except for those that are set here.
"""

import configparser
import io
import os
import secrets
import socket
from pathlib import Path

import pylsl

PORT_RANGE = 128  # the default of 32 shows only 17 outlets of one machine in machine scope
# Within liblsl's defaults a stream that comes back answers up to 1.5 s after its return, and every
# question holds two ports of the range for up to 5 s: sessions that lost their streams at the same
# time used up all 128, and an outlet that came back found none on which it can be asked.
# liblsl reserves 5 s of samples for every inlet at once: 2 GB for an idle outlet that declares
# 1,024 doubles at 50 kHz. Beyond the reserve it asks for memory as samples come.
TUNING = {  # s, but for the last
    "ContinuousResolveInterval": "0.05",  # 0.5: asked every 0.8 s instead of 1.75
    "UnicastMinRTT": "0.25",  # 0.75
    "MulticastMaxRTT": "0.75",  # 3
    "UnicastMaxRTT": "0.75",  # 5
    "InletBufferReserveMs": "20",  # 5000
}
OURS = "rtbci-"  # prefix of the names of our streams
# Configuration files in the order in which liblsl looks for them.
HOMES = ("lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg")

_session: str | None = None


def configure(session: str | None = None, scope: str | None = None) -> None:
    """Limit this process to streams of ``session`` within ``scope`` (None: as the lab's file says).

    Must be called before any other function of pylsl; later changes have no effect in liblsl.
    """
    global _session
    config = _own_file()
    changes = {("ports", "PortRange"): str(PORT_RANGE)}
    if session is not None:
        changes["lab", "SessionID"] = session
    if scope is not None:
        changes["multicast", "ResolveScope"] = scope
    for key, value in TUNING.items():
        changes["tuning", key] = config.get("tuning", key, fallback=value)
    # liblsl logs every reconnection to stderr, which is reserved for our own messages.
    changes["log", "level"] = "-3"
    for (section, key), value in changes.items():
        if not config.has_section(section):
            config.add_section(section)
        if session is None and scope is None and config.has_option(section, key):
            continue
        config.set(section, key, value)
    text = io.StringIO()
    config.write(text)
    pylsl.set_config_content(text.getvalue())
    _session = session or config.get("lab", "SessionID", fallback="default")


def new_session() -> str:
    """New session id that no other program uses."""
    return f"rtbci-{secrets.token_hex(4)}"


def session_id() -> str:
    """LSL session of this process; "default" is LSL's default."""
    return _session or "default"


def stream_name(what: str) -> str:
    """Name of our stream of ``what``: eeg, markers, decisions, probabilities."""
    return OURS + what


def source_id(what: str) -> str:
    """Source id of our stream of ``what``; the same after a restart, so that LSL recovers it."""
    return f"rtbci:{socket.gethostname()}:{session_id()}:{what}"


def _own_file() -> configparser.ConfigParser:
    """The lab's own configuration; empty if it has none."""
    config = configparser.ConfigParser(interpolation=None)
    config.optionxform = str  # type: ignore[method-assign]  # liblsl's keys have capitals
    named = os.environ.get("LSLAPICFG")
    for path in [named] if named else HOMES:
        file = Path(path).expanduser()
        try:
            if file.is_file():
                config.read(file, encoding="utf-8")
                return config
        except (configparser.Error, OSError, UnicodeDecodeError):
            return configparser.ConfigParser(interpolation=None)
    return config
