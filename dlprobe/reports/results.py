"""Results of a run: losses and metrics at its end or at the last evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlprobe import registry
from dlprobe.registry import counted
from dlprobe.render.document import Block, Cell, Column, Table
from dlprobe.reports.run_facts import PARTS, loss_title, part_size

if TYPE_CHECKING:
    from dlprobe.runs import Run


# the metrics of the table by title; JSON and inspect --show metrics have all
CHOSEN = {"regression": {"error": "error (RMS)", "r2": "R²"}}


def results(run: Run) -> list[Block]:
    """The table of results; nothing of a run whose file says nothing of its data."""
    return [results_table(run)] if any(part_size(run, part) for part in PARTS) else []


def results_table(run: Run) -> Table:
    """Loss and the chosen metrics of every part that has samples, with the final parameters; a
    metric that an older file lacks is left out.
    """
    chosen = {"loss": loss_title(run), **CHOSEN.get(str(run.data.get("task")), {"error": "error"})}
    parts = {part: word for part, word in PARTS.items() if part_size(run, part)}
    keys = [
        key
        for key in chosen
        if key in ("loss", "error")
        or any(result(run, f"{part}_{key}") is not None for part in parts)
    ]
    share = run.data.get("task") == "classification"
    columns = [
        Column("part"),
        Column("samples", align="right"),
        *(_column(chosen[key], share and key == "error") for key in keys),
    ]
    rows: list[list[Cell]] = [
        [
            word,
            part_size(run, part),
            *(_in_percent(result(run, f"{part}_{key}"), share and key == "error") for key in keys),
        ]
        for part, word in parts.items()
    ]
    best = [smallest_error(run, part) for part in parts]
    if any(best):
        columns += [_column("smallest error", share), Column("after step", "", "right")]
        rows = [
            [
                *row,
                *(
                    (None, None)
                    if smallest is None
                    else (_in_percent(smallest[1], share), smallest[0])
                ),
            ]
            for row, smallest in zip(rows, best, strict=True)
        ]
    evaluated: Sequence[int] = list(run.evaluations.get("step", ()))
    caption = (
        ""
        if run.final or not len(evaluated)
        else f"At the last evaluation, after {counted(evaluated[-1], 'step')}"
    )
    return Table(columns, rows, caption)


def _column(name: str, share: bool) -> Column:
    return Column(name, "%" if share else "", "right")


def smallest_error(run: Run, part: str) -> tuple[int, float] | None:
    """The evaluation with the smallest error of a part: after how many updates, and the error;
    None where none was evaluated.
    """
    errors = np.asarray(run.evaluations.get(f"{part}_error", ()), np.float64)
    if not np.isfinite(errors).any():
        return None
    best = int(np.nanargmin(errors))
    return int(run.evaluations["step"][best]), float(errors[best])


def _in_percent(value: float | None, share: bool) -> float | None:
    return 100.0 * value if share and value is not None else value


def result(run: Run, name: str) -> float | None:
    """A result at the end, or of the last evaluation where the run has no end; None where there
    is none.
    """
    last = run.final.get(name)
    if last is None and len(run.evaluations.get(name, ())):
        last = run.evaluations[name][-1]
    return None if last is None else float(last)


def column_result(run: Run, name: str) -> list[float] | None:
    """A result of each class or target at the end, or of the last evaluation; None where there
    is none.
    """
    last = run.final.get(name)
    evaluated = {**run.evaluation_classes, **run.evaluation_targets}
    if last is None and len(evaluated.get(name, ())):
        last = evaluated[name][-1]
    return None if last is None else [float(value) for value in last]


def metric_names(run: Run, *, per_column: bool) -> list[str]:
    """The registered metrics that suit the run, those of each class or target or the others, in
    the registry's order.
    """
    suited = {
        name: record
        for name, record in registry.records("metric").items()
        if run.data.get("task") in record.tasks
    }
    several = len(run.data.get("target_names", ())) > 1
    return [
        name
        for name, metric in suited.items()
        if metric.is_one_number != per_column and (several or not metric.per_target)
    ]
