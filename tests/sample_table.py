"""The table of `sample_runs/README.md`: what `dlprobe check` says first of each file. `python
-m tests.sample_table` writes it anew, to be reviewed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "sample_runs"
README = FOLDER / "README.md"
HEAD = "| file | `dlprobe check FILE` says first | the cause it names |"
TABLE = re.compile(rf"{re.escape(HEAD)}\n\|[-| ]+\|\n((?:\|.*\n)+)")


def rows() -> dict[str, tuple[str, str]]:
    """By file: the first line, without the file's name, and the cause; read from the README."""
    found = TABLE.search(README.read_text(encoding="utf-8"))
    assert found is not None
    cells = [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in found[1].splitlines()
    ]
    return {name.strip("`"): (said, cause) for name, said, cause in cells}


def made(files: list[str]) -> Iterator[tuple[str, str, str]]:
    """File, first line and cause as `check` has them now."""
    from command_line import dlprobe

    for name in files:
        run = dlprobe("check", str(FOLDER / name), "--format", "json", "--exit-zero").data["runs"][
            0
        ]
        said = run["diagnosis"]
        cause = said["cause"] and f"{said['cause']['name']} ({said['cause']['code']})"
        yield name, f"{said['state']}: {said['reason']}", cause or "–"


def main() -> None:
    """Write the table for the files that it has."""
    lines = "".join(
        f"| `{name}` | {said} | {cause} |\n" for name, said, cause in made(list(rows()))
    )
    text = README.read_text(encoding="utf-8")
    README.write_text(
        TABLE.sub(lambda found: found[0].replace(found[1], lines), text), encoding="utf-8"
    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
