"""``python -m rtbci`` is the command ``rtbci``."""

import sys

from rtbci.cli import main

if __name__ == "__main__":
    sys.exit(main())
