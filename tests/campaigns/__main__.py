"""Kill and mutation campaigns: what a few tests try a few times, tried hundreds of times with
other seeds.
"""

from __future__ import annotations

from tests.long_runs import main

if __name__ == "__main__":
    raise SystemExit(main("campaigns"))
