"""A real-time brain-computer interface: from the cap's microvolts to a decision.

>>> import rtbci
>>> recording = rtbci.read("recording.xdf")
>>> bundle = rtbci.load_bundle("sub-02")

Nothing heavy is loaded until it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtbci.decoding.bundle import load_bundle
    from rtbci.decoding.pipeline import Pipeline
    from rtbci.formats import read

__version__ = "0.1.0"
__all__ = ["Pipeline", "__version__", "load_bundle", "read"]

_HOMES = {
    "Pipeline": "rtbci.decoding.pipeline",
    "load_bundle": "rtbci.decoding.bundle",
    "read": "rtbci.formats",
}


def __getattr__(name: str) -> Any:
    """The public names, imported from their homes on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rtbci' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    """Names of the package, those not loaded yet included."""
    return sorted({*globals(), *__all__})
