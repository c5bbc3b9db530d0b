"""`python -m dlprobe` is the same as `dlprobe`: for places where the console script is not on
the path.
"""

from __future__ import annotations

import sys

from dlprobe.commands import main

if __name__ == "__main__":
    sys.exit(main())
