"""The lab streaming layer: finding, reading and sending streams. Only this room uses pylsl."""

from rtbci.errors import Missing

try:
    import pylsl  # noqa: F401  loads the LSL library too, or fails
except (ImportError, OSError, RuntimeError) as _error:
    _why = str(_error).strip().splitlines()[0]
    raise Missing(
        f"the LSL library cannot be loaded ({_why}); unset PYLSL_LIB, or install it anew: "
        "pip install --force-reinstall pylsl"
    ) from _error
