"""Pages in a real headless Chromium, opened from disk with the network off. Needs `chromium`
(Debian: apt-get install chromium) and the extra `figures`.
"""

from __future__ import annotations

from tests.long_runs import main

if __name__ == "__main__":
    raise SystemExit(main("browser"))
