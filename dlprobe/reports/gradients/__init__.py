"""The picture of the vanishing/exploding-gradient experiment: heat table, accuracies, per-layer decay beside theory, depth profiles, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlprobe.render.document import Block, Document, Hint, Verdict
from dlprobe.reports.gradients import pictures
from dlprobe.reports.gradients.grid import Grid
from dlprobe.reports.gradients.lessons import lessons
from dlprobe.reports.gradients.records import record, trainable_records

if TYPE_CHECKING:
    from dlprobe.experiments.gradients import GridResult

SCHEMA = "dlprobe-gradients/1"


def document(experiment: GridResult, *, steps: int, data_name: str, threads: int, study: str | None) -> Document:
    """The whole answer: what flows where, what training made of it, and what to type next."""
    rows = [(cell, result) for cell, result in zip(experiment.cells, experiment.results, strict=True) if result is not None]
    blocks: list[Block] = []
    if not experiment.complete:
        blocks.append(Verdict(f"stopped early: {len(rows)} of {len(experiment.cells)} cells have results", "warning"))
    if rows:
        grid = Grid(rows)
        trainable = [pictures.trainable(experiment, steps)] if steps > 1 else []
        blocks += [pictures.heat(grid), pictures.accuracy(grid, steps, data_name), *trainable, pictures.decay(grid), pictures.profiles(grid), *lessons(grid)]
    blocks.append(
        Hint(f"dlprobe inspect {study}" if study else "dlprobe gradients … -o study.h5   # the same, with every run kept; then: dlprobe inspect study.h5")
    )
    facts = {"data": data_name, "steps": steps, "threads": threads, "complete": experiment.complete}
    cells = {"cells": [record(*row) for row in rows], "trainable_depth": trainable_records(experiment)}
    return Document("does the gradient reach the first layer?", blocks, {"schema": SCHEMA, **facts, **cells})
