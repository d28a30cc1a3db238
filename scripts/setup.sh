#!/bin/sh
# Find a Python, then let scripts/environment.py prepare .venv. Quick when .venv is ready.
# RTBCI_PYTHON chooses the interpreter. Exit code 2: something has to be installed by hand.
set -eu
cd -- "$(dirname -- "$0")/.."
unset PYTHONPATH PYTHONHOME PYTHONOPTIMIZE PYTHONSAFEPATH PYTHONWARNINGS VIRTUAL_ENV || true

if [ -n "${RTBCI_PYTHON:-}" ]; then
    set -- "$RTBCI_PYTHON"
elif .venv/bin/python scripts/environment.py --check 2>/dev/null; then
    exit 0
else
    set -- python3.13 python3.12 python3.11 python3
fi

# A name on the PATH may be a stub that fails, and Debian ships Python without ensurepip: ask each
# one. The first that can make an environment wins, then the first that is new enough.
probe='import sys
try:
    import ensurepip, venv
    whole = "whole"
except ImportError:
    whole = "bare"
print(whole if sys.version_info >= (3, 11) else "old %d.%d" % sys.version_info[:2])'
chosen='' found=''
for name in "$@"; do
    answer=$("$name" -c "$probe" 2>/dev/null) || continue
    case $answer in
        whole) chosen=$name; break ;;
        bare) chosen=${chosen:-$name} ;;
        *) found="$found ($name is ${answer#old })" ;;
    esac
done

if [ -z "$chosen" ]; then
    echo "rtbci: no Python 3.11 or newer among $*$found; install one (Debian, Ubuntu:" \
        "sudo apt-get install python3 python3-venv) or name it: RTBCI_PYTHON=/path/to/python" >&2
    exit 2
fi
exec "$chosen" scripts/environment.py
