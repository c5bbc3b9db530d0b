"""Show the mean activation of every layer in the last recorded step.

Examples:
  dlprobe means run.h5
"""

from pathlib import Path

import dlprobe
from dlprobe.commands.base.screen import Screen
from dlprobe.render.document import Column, Document, Table


def command(run: Path, *, screen: Screen) -> None:
    """Read, build a document, show: every format and option of the other commands works."""
    with dlprobe.open_run(run) as opened:
        means = [float(mean) for mean in opened.statistic("activation_mean")[-1]]
        rows = list(zip(opened.layers.names, means, strict=True))
    columns = [Column("layer"), Column("mean activation", align="right")]
    layers = [{"name": name, "mean": mean} for name, mean in rows]
    data = {"schema": "example-means/1", "layers": layers}
    screen.show(Document(str(run), [Table(columns, rows)], data))
