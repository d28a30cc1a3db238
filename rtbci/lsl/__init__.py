"""The lab streaming layer: finding streams, reading them, sending them. Nothing else has pylsl."""

from rtbci.errors import Missing

try:
    import pylsl  # noqa: F401  its library is loaded with it, or not at all
except (ImportError, OSError, RuntimeError) as _error:
    _why = str(_error).strip().splitlines()[0]
    raise Missing(
        f"the LSL library cannot be loaded ({_why}); unset PYLSL_LIB, or install it anew: "
        "pip install --force-reinstall pylsl"
    ) from _error
