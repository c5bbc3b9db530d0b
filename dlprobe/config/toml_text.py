"""Small files that nobody vouches for: a pipe or device, which might be waited for for ever, is
refused, and of TOML what would take gigabytes to read.
"""

from __future__ import annotations

import errno
import re
import stat
import tomllib
from pathlib import Path
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


def read_start(path: Path, most: int) -> bytes:
    """The first bytes of a file, `most` of them or all. Raises OSError, also for what is no
    regular file.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # of a folder `open` says so itself
        raise OSError(errno.EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        return file.read(most)
