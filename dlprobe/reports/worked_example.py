"""What `explain NAME --example` says: a small example with its arithmetic, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlprobe.registry import Spec
from dlprobe.render.document import Block, Cell, Column, Document, Hint, Paragraph, Table, Verdict

if TYPE_CHECKING:
    from dlprobe.analysis.worked_examples import ExampleGrid, WorkedExample

SCHEMA = "dlprobe-example/1"
DIGITS = 7


def worked_example(thing: Spec, example: WorkedExample) -> Document:
    """The document of an example of a loss, metric or normalization."""
    rows: list[list[Cell]] = [[step.what, step.arithmetic, step.value] for step in example.steps]
    steps = Table(
        [Column("what"), Column("arithmetic"), Column("value", align="right", digits=DIGITS)], rows
    )
    blocks: list[Block] = [
        Paragraph(example.given),
        _table(example.inputs),
        steps,
        _table(example.result),
        Verdict(example.lesson),
        Hint(f"dlprobe explain {thing.kind}:{thing.name}"),
    ]
    data: dict[str, object] = {
        "schema": SCHEMA,
        "kind": thing.kind,
        "name": thing.name,
        "given": example.given,
        "inputs": _data(example.inputs),
    }
    data |= {
        "steps": [
            {"what": step.what, "arithmetic": step.arithmetic, "value": step.value}
            for step in example.steps
        ]
    }
    data |= {"result": _data(example.result), "lesson": example.lesson}
    return Document(f"{thing}, worked by hand", blocks, data)


def _table(grid: ExampleGrid) -> Table:
    numeric = [not isinstance(cell, str) for cell in grid.rows[0]]
    columns = [
        Column(name, align="right" if number else "left", digits=DIGITS)
        for name, number in zip(grid.columns, numeric, strict=True)
    ]
    return Table(columns, grid.rows, caption=grid.caption)


def _data(grid: ExampleGrid) -> dict[str, object]:
    return {
        "caption": grid.caption,
        "columns": list(grid.columns),
        "rows": [list(row) for row in grid.rows],
    }
