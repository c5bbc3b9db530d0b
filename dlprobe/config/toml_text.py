"""TOML from files that nobody vouches for: what would take gigabytes to read is refused by its
text.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

# of a dotted key; people write five at most, and tomllib takes memory by the square of their number
MOST_PARTS = 20
LARGEST = 10_000_000  # characters
# to the end of the line where it is not closed
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"?|\'[^\']*+\'?')
DOTTED = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{MOST_PARTS}}}")


def loads(text: str) -> dict[str, Any]:
    """What a TOML text holds. Raises ValueError that ends in the place, as tomllib's do, or
    RecursionError where it is nested too deeply.
    """
    if len(text) > LARGEST:
        raise ValueError(f"more than {LARGEST:,} characters, no such file is read")
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") >= MOST_PARTS and (
            dotted := DOTTED.search(
                QUOTED.sub(lambda quoted: "q" * len(quoted[0]), line).partition("#")[0]
            )
        ):
            raise ValueError(
                f"A key of more than {MOST_PARTS} parts (at line {number}, column "
                f"{dotted.start() + 1})"
            )
    return tomllib.loads(text)
