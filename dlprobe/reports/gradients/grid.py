"""The cells of the experiment that have results, as its pictures and sentences name them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dlprobe.dataclass import dataclass
from dlprobe.reports.tones import BROKEN

if TYPE_CHECKING:
    from dlprobe.analysis.profiles.depth_choice import DepthChoice
    from dlprobe.analysis.profiles.gradient_cells import CellResult
    from dlprobe.experiments.grid_cells import GridCell
    from dlprobe.rules import Diagnosis

Row = tuple["GridCell", "CellResult"]


@dataclass(frozen=True)
class Grid:
    """Cells with their results, at least one, and the states of their runs."""

    rows: Sequence[Row]
    diagnoses: Sequence[Sequence[Diagnosis]]
    """Of the runs of each row's cell, the one that learned least first."""

    def learned(self, state: str) -> list[Row]:
        """The cells most of whose seeds came to a state."""
        return [
            row
            for row, diagnoses in zip(self.rows, self.diagnoses, strict=True)
            if 2 * sum(diagnosis.state.name == state for diagnosis in diagnoses) > len(diagnoses)
        ]

    @property
    def failed(self) -> list[tuple[Row, Sequence[Diagnosis]]]:
        """The cells most of whose seeds did not learn, or lost what they had learned."""
        pairs = zip(self.rows, self.diagnoses, strict=True)
        return [
            (row, diagnoses)
            for row, diagnoses in pairs
            if 2 * sum(diagnosis.failed for diagnosis in diagnoses) > len(diagnoses)
        ]

    @cached_property
    def several_widths(self) -> bool:
        """Whether the cells have more than one width."""
        return len({cell.width for cell, _ in self.rows}) > 1

    def label(self, cell: GridCell) -> str:
        """What a cell is called, but for its depth."""
        return f"{cell.label} · {cell.width} wide" if self.several_widths else cell.label

    @cached_property
    def labels(self) -> list[str]:
        """Each label once, in the order of the cells."""
        return list(dict.fromkeys(self.label(cell) for cell, _ in self.rows))

    @cached_property
    def depths(self) -> list[int]:
        """The depths of the cells, each once, in their order."""
        return list(dict.fromkeys(cell.depth for cell, _ in self.rows))

    @property
    def deepest(self) -> int:
        """The largest depth of the cells."""
        return max(self.depths)

    @property
    def worst(self) -> Row:
        """The one of the deepest nets whose error signal is furthest from its band; of those
        without a number only where there are no others.
        """
        return max(self._deepest_rows, key=_outside)

    def best(self, choices: Sequence[DepthChoice]) -> Row | None:
        """The one of the deepest nets to use, or that came closest; without training the one
        whose error signal changes least. None of a single one.
        """
        rows = self._deepest_rows
        if len(rows) < 2:
            return None
        chosen = [
            (choice.use or choice.best).label for choice in choices if choice.depth == self.deepest
        ]
        return next((row for row in rows if self.label(row[0]) in chosen), min(rows, key=_outside))

    @property
    def _deepest_rows(self) -> list[Row]:
        return [row for row in self.rows if row[0].depth == self.deepest]

    @property
    def first_broken(self) -> Row | None:
        """The shallowest net whose error signal is outside its band before training, of those
        alike the one furthest outside; None where there is none.
        """
        broken = [row for row in self.rows if row[1].initial.verdict.verdict in BROKEN]
        return min(broken, key=lambda row: (row[0].depth, -_outside(row)), default=None)

    @cached_property
    def _by_place(self) -> dict[tuple[str, int], CellResult]:
        return {(self.label(cell), cell.depth): result for cell, result in self.rows}

    def at(self, label: str, depth: int) -> CellResult | None:
        """The result of a cell; None where it has none."""
        return self._by_place.get((label, depth))


def _outside(row: Row) -> float:
    """By how many decades the error signal before training is outside its band; −∞ where it is
    not a number.
    """
    ratio = row[1].initial.log10_error_signal_ratio.median
    return -math.inf if math.isnan(ratio) else abs(ratio) - row[1].initial.verdict.band


def place(cell: GridCell) -> dict[str, Any]:
    """Where a cell stands in the JSON record, but for its depth."""
    return {
        "activation": str(cell.activation),
        "init": str(cell.init),
        "norm": str(cell.norm or "none"),
        "width": cell.width,
        "axes": dict(cell.others),
    }
