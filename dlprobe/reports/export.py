"""What `export` says it wrote."""

from __future__ import annotations

from collections.abc import Sequence

from dlprobe.render.document import Document, Facts

SCHEMA = "dlprobe-export/1"
SHOWN = 6  # names


def document(
    run: str, path: str, what: str, names: Sequence[str], numbers: int, runs: Sequence[str]
) -> Document:
    """names: of the arrays; numbers: how many values they have in all; runs: ids, none where it
    is a single run.
    """
    told = ", ".join(names[:SHOWN]) + (f" … {len(names)} in all" if len(names) > SHOWN else "")
    pairs: list[tuple[str, str | int]] = [
        (what, told),
        ("numbers", f"{numbers:,}"),
        *([("runs", len(runs))] if runs else []),
        ("written to", path),
    ]
    data = {
        "schema": SCHEMA,
        "run": run,
        "path": path,
        "what": what,
        "names": list(names),
        "numbers": numbers,
        "runs": list(runs),
    }
    return Document("", [Facts(pairs)], data)
