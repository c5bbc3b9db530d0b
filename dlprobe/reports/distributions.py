"""What `inspect --statistic weight_histogram` and `unit_percentiles` show: distributions as
they change over the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from dlprobe.render.document import (
    Block,
    Cell,
    Chart,
    Column,
    Density,
    Document,
    Heading,
    Hint,
    Paragraph,
    Series,
    Table,
)
from dlprobe.reports.statistic import SCHEMA, spread

if TYPE_CHECKING:
    from dlprobe.analysis.learning.loss_curve import Curve
    from dlprobe.analysis.profiles.distributions import Densities
    from dlprobe.runs.reader import Histograms, TrackedUnits

LAYERS = 4  # drawn at once
ROWS, FEW_ROWS = 14, 8  # of one layer alone, of several
MOMENTS = 8


def histograms(
    where: str,
    what: str,
    recorded: Histograms,
    names: Sequence[str],
    shown: Sequence[int],
    pictures: Sequence[Densities | None],
    *,
    asked: bool,
) -> Document:
    """The layers `shown` (indices), their densities in the same order; one layer alone gets its
    percentiles over the steps too. asked: whether somebody chose them; else the data have all
    layers.
    """
    if not len(recorded.steps):
        return Document(
            f"{where}: {what} over the steps",
            [Paragraph("No step of it was recorded.")],
            _histogram_data(where, what, recorded, names, ()),
        )
    steps = recorded.steps.tolist()
    blocks: list[Block] = [
        Paragraph(
            "The darker, the larger the share of a layer's values at that step (shade grows "
            "with the root of the share)."
        )
    ]
    for index, picture in zip(shown, pictures, strict=True):
        if picture is None:
            blocks.append(Paragraph(f"{names[index]}: no finite value to draw"))
            continue
        blocks.append(
            Density(
                picture.shares.tolist(),
                steps,
                picture.low,
                picture.high,
                "step",
                what,
                caption=f"{names[index]}: {what}",
            )
        )
    if len(shown) == 1:
        percentiles = recorded.percentiles[:, shown[0]]
        blocks += [
            _bands([steps] * percentiles.shape[1], percentiles.T.tolist(), what),
            _moments(steps, percentiles, what),
        ]
    else:
        blocks += [
            _summary(recorded, names, what),
            Hint(
                f"dlprobe inspect {quoted(where)} --statistic {what}_histogram --layers "
                f"{quoted(names[shown[-1]])}"
            ),
        ]
    return Document(
        f"{where}: {what} over the steps",
        blocks,
        _histogram_data(where, what, recorded, names, shown if asked else range(len(names))),
    )


def drawn_layers(count: int) -> list[int]:
    """Indices of the layers drawn by default: at most LAYERS (4), evenly spread, the first and last
    among them.
    """
    return spread(count, LAYERS)


def _bands(
    steps: Sequence[Sequence[float]],
    values: Sequence[Sequence[float]],
    what: str,
    caption: str = "",
) -> Chart:
    names = [f"{percent:g} %" for percent in _percents()]
    middle = len(names) // 2
    series = [
        Series(name, x, y, "" if index == middle else names[middle])
        for index, (name, x, y) in enumerate(zip(names, steps, values, strict=True))
    ]
    return Chart(series, "step", what, caption=caption, name="percentiles")


def _moments(steps: Sequence[int], percentiles: Any, what: str) -> Table:
    columns = [
        Column("step", align="right"),
        *(Column(f"{percent:g} %", align="right") for percent in _percents()),
    ]
    rows: list[list[Cell]] = [
        [int(steps[row]), *(float(value) for value in percentiles[row])]
        for row in spread(len(steps), MOMENTS)
    ]
    return Table(columns, rows, caption=f"percentiles of the {what}")


def _summary(recorded: Histograms, names: Sequence[str], what: str) -> Table:
    columns = [
        Column("layer"),
        *(
            Column(name, align="right")
            for name in ("median first", "last", "5 to 95 % first", "last", "non-finite")
        ),
    ]
    middle = recorded.percentiles.shape[2] // 2
    rows: list[list[Cell]] = []
    for index, name in enumerate(names):
        ends = [recorded.percentiles[row, index] for row in (0, -1)]
        lost = int(recorded.nonfinite[:, index].sum())
        rows.append(
            [
                name,
                *(float(end[middle]) for end in ends),
                *(float(end[-1]) - float(end[0]) for end in ends),
                lost,
            ]
        )
    return Table(
        columns,
        rows,
        caption=f"{what}: all layers, steps {int(recorded.steps[0])} and {int(recorded.steps[-1])}",
    )


def _histogram_data(
    where: str, what: str, recorded: Histograms, names: Sequence[str], shown: Sequence[int]
) -> dict[str, Any]:
    layers = [
        {
            "name": names[index],
            "counts": recorded.counts[:, index],
            "edges": recorded.edges[:, index],
            "percentiles": recorded.percentiles[:, index],
            "nonfinite": recorded.nonfinite[:, index],
        }
        for index in shown
    ]
    return {
        "schema": SCHEMA,
        "path": where,
        "histograms": what,
        "steps": recorded.steps,
        "percents": _percents(),
        "layers": layers,
    }


def _percents() -> list[float]:
    from dlprobe import registry

    return list(registry.get("instrument", "percentiles").percents)


def tracked(
    where: str, recorded: TrackedUnits, names: Sequence[str], curves: Sequence[Sequence[Curve]]
) -> Document:
    """The preactivation percentiles of each tracked unit over the steps; `curves` are those of
    each unit to draw, one per percentile.
    """
    blocks: list[Block] = [
        Paragraph(
            "Percentiles over the batch of each unit's preactivation: where they drift, the "
            "distribution that a layer sees shifts."
        )
    ]
    titles = [
        f"{names[layer]}:{unit}"
        for layer, unit in zip(recorded.layers.tolist(), recorded.units.tolist(), strict=True)
    ]
    steps = recorded.steps.tolist()
    for index, (title, bands) in enumerate(zip(titles, curves, strict=True)):
        note = (
            ""
            if not bands or len(bands[0].steps) == len(steps)
            else "means over stretches of steps"
        )
        chart = _bands(
            [band.steps.tolist() for band in bands],
            [band.values.tolist() for band in bands],
            "preactivation",
            note,
        )
        blocks += [
            Heading(title, 2),
            chart,
            _moments(steps, recorded.percentiles[:, index], "preactivation"),
        ]
    units = [
        {"unit": title, "percentiles": recorded.percentiles[:, index]}
        for index, title in enumerate(titles)
    ]
    data = {
        "schema": SCHEMA,
        "path": where,
        "steps": recorded.steps,
        "percents": _percents(),
        "tracked": units,
    }
    return Document(f"{where}: tracked units over the steps", blocks, data)
