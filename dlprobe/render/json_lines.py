"""Findings → JSON lines: one record per finding, `path` first, and one per run with `path`,
`diagnosis`, and `not_evaluated` where rules could not look, and `notes` of what rules that passed
would have found.

Before them what a project file set, as its `path` and `settings`.
"""

from __future__ import annotations

import json
from typing import TextIO

from dlprobe.render import formats
from dlprobe.render.checked import SCHEMA, checked
from dlprobe.render.document import Document
from dlprobe.render.json import jsonable


def render(
    document: Document, stream: TextIO, *, width: int | None = None, color: bool | None = None
) -> None:
    """Write the findings of the document's data, each with the path of its run, and what was
    not evaluated.
    """
    if project := checked(document).project:
        stream.write(
            json.dumps(jsonable({"path": project.path, "settings": project.settings})) + "\n"
        )
    for run in checked(document).data["runs"]:
        silent = {
            name: run[name]
            for name in ("diagnosis", "not_evaluated", "not_compared", "notes")
            if run.get(name)
        }
        for record in (*run["findings"], *([silent] if silent else ())):
            stream.write(
                json.dumps(jsonable({"path": run["path"], **record}), allow_nan=False) + "\n"
            )


formats.register("json_lines", "one JSON record per finding and line", render, (SCHEMA,))
