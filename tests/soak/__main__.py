"""``python -m tests.soak``: the long checks."""

import sys

from tests.soak.run import main

sys.exit(main())
