"""Checks beside whole frameworks, over more configurations than the tests of the suite draw.
Needs: pip install '.[test,oracles,frameworks]'.
"""

from __future__ import annotations

from tests.long_runs import main

if __name__ == "__main__":
    raise SystemExit(main("frameworks"))
