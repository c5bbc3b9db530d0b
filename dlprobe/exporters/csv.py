"""CSV: a row for each step and layer. A text that a spreadsheet would take for a formula gets
an apostrophe before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlprobe.exporters import kinds
from dlprobe.exporters.formats import register
from dlprobe.exporters.parts import Part
from dlprobe.exporters.tables import frames

FORMULA = "^[=+@-]"


def write(path: Path, parts: Sequence[Part]) -> None:
    """Write the table. Raises RunFileError where a run is damaged, OSError where the disk is
    full.
    """
    import polars

    texts = polars.col(polars.String)
    with path.open("xb") as file:
        for number, frame in enumerate(frames(parts)):
            safe = frame.with_columns(
                polars.when(texts.str.contains(FORMULA))
                .then("'" + texts)
                .otherwise(texts)
                .name.keep()
            )
            safe.write_csv(file, include_header=number == 0)


register("csv", "a table as text, a row for each step and layer", ".csv", kinds.CSV, write)
