"""What `gradients --find-depth` found: the depth at which each row of the grid breaks before
training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.registry import counted
from dlprobe.render.document import Block, Cell, Column, Document, Hint, Table, Toned, Verdict
from dlprobe.reports.gradients import SCHEMA
from dlprobe.reports.gradients.grid import place
from dlprobe.reports.tones import VERDICT_TONES

if TYPE_CHECKING:
    from dlprobe.experiments.find_depth import BreakingDepth

HOW = (
    "Looked for by doubling and halving, as if what breaks at one depth broke at all greater "
    "ones; theory: of infinitely wide layers."
)


def document(
    depths: Sequence[BreakingDepth], *, data_name: str, seeds: int, threads: int
) -> Document:
    """Where each row of the grid breaks."""
    columns = [
        Column("activation · initializer"),
        Column("level to", "", "right"),
        Column("breaks at", "", "right"),
        Column(""),
        Column("theory", "", "right"),
    ]
    rows: list[list[Cell]] = []
    for row in depths:
        breaks = (
            Toned(row.verdict, VERDICT_TONES[row.verdict])
            if row.breaks_at
            else f"not up to {row.deepest}"
        )
        name = f"{row.cell.label} · {row.cell.width} wide"
        rows.append([name, row.healthy_at, row.breaks_at, breaks, row.theory])
    blocks: list[Block] = (
        []
        if all(row.complete for row in depths)
        else [Verdict("stopped early: the depths are those looked at so far", "warning")]
    )
    blocks.append(
        Table(
            columns,
            rows,
            caption="Hidden layers at which the error signal breaks before training, on "
            f"{data_name}, {counted(seeds, 'seed')}. {HOW}",
        )
    )
    first = next((row for row in depths if row.breaks_at), None)
    if first is not None:
        spec = first.cell
        blocks.append(
            Hint(
                f"dlprobe gradients --depth {first.breaks_at} --activation "
                f'"{spec.activation}" --init "{spec.init}" --width {spec.width}'
            )
        )
    facts = {
        "data": data_name,
        "steps": 1,
        "threads": threads,
        "complete": all(row.complete for row in depths),
    }
    records = [_record(row) for row in depths]
    return Document(
        "how deep until the gradient breaks?",
        blocks,
        {"schema": SCHEMA, **facts, "cells": [], "find_depth": records},
    )


def _record(depth: BreakingDepth) -> dict[str, Any]:
    return {
        **place(depth.cell),
        "healthy_at": depth.healthy_at,
        "breaks_at": depth.breaks_at,
        "verdict": depth.verdict,
        "theory_breaks_at": depth.theory,
        "deepest": depth.deepest,
        "tried": [
            {
                "depth": probe.depth,
                "verdict": probe.verdict,
                "log10_error_signal_ratio": probe.log10_ratio,
            }
            for probe in depth.probes
        ],
    }
