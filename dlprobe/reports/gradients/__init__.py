"""The vanishing/exploding-gradient experiment: what to use, what breaks and why, the worst and
the best net, the map; behind it decay and depth profiles.
"""

from __future__ import annotations

from shlex import quote as quoted
from typing import TYPE_CHECKING

from dlprobe.registry import counted
from dlprobe.render.document import Block, Bullets, Document, Hint, Verdict
from dlprobe.reports.diagnosis import worst_first
from dlprobe.reports.gradients import pictures
from dlprobe.reports.gradients.grid import Grid
from dlprobe.reports.gradients.lessons import conclusion, lessons
from dlprobe.reports.gradients.records import choice_record, record, trainable_records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dlprobe.experiments.gradients import GridResult
    from dlprobe.experiments.grid_cells import GridCell
    from dlprobe.rules import Diagnosis
    from dlprobe.rules.diagnosis import Examined

SCHEMA = "dlprobe-gradients/1"


def diagnoses(
    cell: GridCell, examined: Mapping[str, Examined], study: str | None
) -> list[Diagnosis]:
    """Diagnoses of a cell's runs, the one that learned least first; without a file they are called
    by their place in the grid.
    """
    named = [
        seen.diagnosis(f"{study}#{id}")
        if study
        else seen.diagnosis(
            f"{cell.label}, depth {cell.depth}, seed {id.rpartition('seed')[2]}", typed=False
        )
        for id, seen in examined.items()
    ]
    return worst_first(named)


def document(
    experiment: GridResult,
    *,
    steps: int,
    data_name: str,
    threads: int,
    study: str | None,
    keep: str = "",
) -> Document:
    """The whole answer: what flows where, what training made of it, and what to type next.
    keep: the command that keeps every run, where none was.
    """
    told = zip(experiment.cells, experiment.results, experiment.examined, strict=True)
    ended = [
        (cell, result, diagnoses(cell, examined, study))
        for cell, result, examined in told
        if result is not None
    ]
    rows = [(cell, result) for cell, result, _ in ended]
    blocks: list[Block] = []
    details: list[Block] = []
    choices = experiment.choices if steps > 1 else ()
    if not experiment.complete:
        blocks.append(
            Verdict(
                f"stopped early: {len(rows)} of {counted(len(experiment.cells), 'cell')} have "
                "results",
                "warning",
            )
        )
    if rows:
        grid = Grid(rows, [diagnosis for _, _, diagnosis in ended])
        blocks += [
            *conclusion(grid, choices),
            *pictures.worst_and_best(grid, choices, steps),
            pictures.heat(grid, choices, steps, data_name),
        ]
        trainable = [pictures.trainable(experiment, steps)] if steps > 1 else []
        advice = [Bullets(experiment.advice)] if choices else []
        details = [
            *advice,
            *trainable,
            pictures.decay(grid),
            pictures.profiles(grid),
            *lessons(grid),
        ]
    if study and details:
        blocks.append(Hint(f"dlprobe gradients {quoted(study)} --details", details=True))
    blocks.append(
        Hint(
            f"dlprobe inspect {quoted(study)}"
            if study
            else f"{keep}   # keeps every run, for dlprobe inspect"
        )
    )
    facts = {"data": data_name, "steps": steps, "threads": threads, "complete": experiment.complete}
    cells = {
        "cells": [record(*future) for future in ended],
        "trainable_depth": trainable_records(experiment),
    }
    cells["use"] = [choice_record(choice) for choice in experiment.choices] if steps > 1 else []
    return Document("", blocks, {"schema": SCHEMA, **facts, **cells}, details)
