"""One recorded quantity of a run as table and picture: over the steps, or over the layers."""

from __future__ import annotations

import math
from collections.abc import Sequence, Sized
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dlprobe.dataclass import dataclass
from dlprobe.render.document import (
    Block,
    Chart,
    Column,
    Document,
    LayerSeries,
    Paragraph,
    Profile,
    Series,
    Table,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dlprobe.analysis.learning.loss_curve import Curve

SCHEMA = "dlprobe-inspect/1"
ROWS = 16
LINES = 6
MOMENTS = 5


class NamedQuantity:
    """What is shown under a name, in percent where its values are shares of samples."""

    name: str
    share: bool

    @property
    def scale(self) -> float:
        """What values are multiplied by to be shown: error rates are told in percent."""
        return 100.0 if self.share else 1.0

    @property
    def title(self) -> str:
        """The name with the unit that is shown."""
        return f"{self.name} [%]" if self.share else self.name


@dataclass(frozen=True)
class Quantity(NamedQuantity):
    """A recorded quantity, or a part of one.

    steps: (row,); values: (row,), or (row, layer) where `layers` names the columns. all_layers: the
        columns of the whole. share: whether values are shares of samples, which are told in
        percent.
    """

    path: str
    name: str
    definition: str
    steps: NDArray[Any]
    values: NDArray[Any]
    layers: tuple[str, ...] = ()
    group: str = "statistics"
    all_layers: tuple[str, ...] = ()
    share: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are called."""
        return self.layers or (self.title,)

    @property
    def columns(self) -> NDArray[Any]:
        """The values as (row, column)."""
        return self.values if self.layers else self.values.reshape(-1, 1)

    @property
    def picked(self) -> bool:
        """Whether somebody chose these columns."""
        return bool(self.all_layers) and len(self.layers) < len(self.all_layers)

    @property
    def empty(self) -> bool:
        """Whether there is no value."""
        return not self.values.size

    def columns_only(self, chosen: Sequence[int]) -> Quantity:
        """The quantity with these columns alone."""
        return replace(
            self,
            values=self.values[:, list(chosen)],
            layers=tuple(self.layers[index] for index in chosen),
        )


def over_steps(quantity: Quantity, curves: Sequence[Curve]) -> Document:
    """How the quantity runs over the steps: a chart of `curves`, one per column, and a table of
    a few steps; JSON has all of them.
    """
    names, rows = quantity.names, spread(len(quantity.steps), ROWS)
    chosen = spread(len(names), len(names) if quantity.picked else LINES)
    table = Table(
        [Column("step", align="right"), *(Column(names[index], align="right") for index in chosen)],
        [
            [
                int(quantity.steps[row]),
                *(quantity.scale * float(value) for value in quantity.columns[row, chosen]),
            ]
            for row in rows
        ],
        caption="; ".join(
            filter(
                None, [_part(rows, quantity.steps, "recorded rows"), _part(chosen, names, "layers")]
            )
        ),
    )
    return _document(
        quantity,
        "step",
        [*_chart(quantity, curves), table],
        quantity.steps.tolist(),
        quantity.values,
    )


def _part(shown: Sequence[int], everything: Sized, word: str) -> str:
    return f"{len(shown)} of {len(everything)} {word}" if len(shown) < len(everything) else ""


def _chart(quantity: Quantity, curves: Sequence[Curve]) -> list[Block]:
    shown = [
        index
        for index, curve in enumerate(curves)
        if any(math.isfinite(value) for value in curve.values.tolist())
    ]
    chosen = [shown[position] for position in spread(len(shown), LINES)]
    lines = [
        Series(
            quantity.names[index],
            curves[index].steps.tolist(),
            (quantity.scale * curves[index].values).tolist(),
        )
        for index in chosen
    ]
    if not lines or len(lines[0].x) < 2:
        return []
    caption = "means over stretches of steps" if len(lines[0].x) < len(quantity.steps) else ""
    return [
        Chart(
            lines,
            "step",
            quantity.title,
            log_y=spans_decades([value for line in lines for value in line.y]),
            caption=caption,
            name=quantity.name,
        )
    ]


def spans_decades(values: Sequence[float]) -> bool:
    """Whether a log scale shows more: nothing below 0, and the largest above 30 × the smallest
    of what is above 0.
    """
    finite = [value for value in values if math.isfinite(value)]
    positive = [value for value in finite if value > 0]
    return bool(positive) and min(finite) >= 0 and max(positive) > 30 * min(positive)


def over_layers(quantity: Quantity) -> Document:
    """How the quantity runs through the layers, at a few steps from the first to the last."""
    rows = spread(len(quantity.steps), MOMENTS)
    steps = [int(quantity.steps[row]) for row in rows]
    table = Table(
        [Column("layer"), *(Column(f"step {step}", align="right") for step in steps)],
        [
            [name, *(float(quantity.values[row, index]) for row in rows)]
            for index, name in enumerate(quantity.layers)
        ],
    )
    profiles = [
        LayerSeries(f"step {step}", quantity.values[row].tolist())
        for step, row in zip(steps, rows, strict=True)
    ]
    return _document(
        quantity,
        "layer",
        [Profile(profiles, quantity.layers, name=quantity.name), table],
        steps,
        quantity.values[rows],
    )


def _document(
    quantity: Quantity, over: str, blocks: list[Block], steps: list[int], values: NDArray[Any]
) -> Document:
    data = {
        "schema": SCHEMA,
        "path": quantity.path,
        "statistic": quantity.name,
        "definition": quantity.definition,
        "group": quantity.group,
        "over": over,
        "layers": list(quantity.layers) or None,
        "steps": steps,
        "values": values,
    }
    shown = blocks if len(quantity.steps) else [Paragraph("No step of it was recorded.")]
    return Document(
        f"{quantity.path}: {quantity.name} over the {over}s",
        [Paragraph(quantity.definition), *shown],
        data,
    )


def spread(count: int, most: int) -> list[int]:
    """At most `most` indices of `count`, the first and the last among them.

    >>> spread(3, 5), spread(100, 4)
    ([0, 1, 2], [0, 33, 66, 99])
    """
    if count <= most:
        return list(range(count))
    return [round(index * (count - 1) / (most - 1)) for index in range(most)]
