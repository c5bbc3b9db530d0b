"""The picture of the vanishing/exploding-gradient experiment: heat table, accuracies, per-layer decay beside theory, depth profiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.render.document import (
    Block,
    Bullets,
    Cell,
    Column,
    Document,
    HeatCell,
    HeatTable,
    Hint,
    LayerSeries,
    Paragraph,
    Profile,
    Table,
    Tone,
    Toned,
    Verdict,
)

if TYPE_CHECKING:
    from dlprobe.analysis.gradient_cells import CellResult, Moment
    from dlprobe.analysis.profiles import SeedRange
    from dlprobe.experiments.gradients import Cell as GridCell
    from dlprobe.experiments.gradients import Experiment

SCHEMA = "dlprobe-gradients/1"
TONES: dict[str, Tone] = {"healthy": "good", "vanishing": "bad", "exploding": "bad", "diverged": "bad", "collapsed": "warning"}
Row = tuple["GridCell", "CellResult"]


def document(experiment: Experiment, *, steps: int, data_name: str, threads: int, study: str | None) -> Document:
    """The whole answer: what flows where, what training made of it, and what to type next."""
    rows = [(cell, result) for cell, result in zip(experiment.cells, experiment.results, strict=True) if result is not None]
    blocks: list[Block] = []
    if not experiment.complete:
        blocks.append(Verdict(f"stopped early: {len(rows)} of {len(experiment.cells)} cells have results", "warning"))
    if rows:
        blocks += [_heat(rows), _accuracy(rows, steps, data_name), _decay(rows), _profiles(rows), *_lessons(rows)]
    blocks.append(Hint(f"dlprobe inspect {study}" if study else "dlprobe gradients -o study.h5   # keeps every run; then: dlprobe inspect study.h5"))
    facts = {"data": data_name, "steps": steps, "threads": threads, "complete": experiment.complete}
    return Document("does the gradient reach the first layer?", blocks, {"schema": SCHEMA, **facts, "cells": [record(*row) for row in rows]})


def _labels(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(_label(cell, rows) for cell, _ in rows))


def _label(cell: GridCell, rows: Sequence[Row]) -> str:
    several = len({other.width for other, _ in rows}) > 1
    return f"{cell.label} · {cell.width} wide" if several else cell.label


def _by_place(rows: Sequence[Row]) -> dict[tuple[str, int], CellResult]:
    return {(_label(cell, rows), cell.depth): result for cell, result in rows}


def _depths(rows: Sequence[Row]) -> list[int]:
    return list(dict.fromkeys(cell.depth for cell, _ in rows))


def _heat(rows: Sequence[Row]) -> HeatTable:
    found, depths = _by_place(rows), _depths(rows)
    cells = [[_heat_cell(found.get((label, depth))) for depth in depths] for label in _labels(rows)]
    widths = sorted({cell.width for cell, _ in rows})
    return HeatTable(
        _labels(rows),
        [str(depth) for depth in depths],
        cells,
        meaning="log10 of the error signal (RMS of dℓ/dz) at hidden_1 over that at the last hidden layer, before training",
        low_means="vanishing",
        high_means="exploding",
        stub="activation · initializer",
        across="depth",
        caption=f"At initialization, median of {len(rows[0][1].seeds)} seeds, {', '.join(map(str, widths))} units per layer. "
        "Verdicts compare with what chance alone does.",
    )


def _heat_cell(result: CellResult | None) -> HeatCell:
    if result is None:
        return HeatCell(math.nan, "-")
    return HeatCell(result.initial.log10_error_signal_ratio.median, result.verdict, TONES[result.verdict])


def _accuracy(rows: Sequence[Row], steps: int, data_name: str) -> Table:
    found, depths = _by_place(rows), _depths(rows)
    classes = any(not math.isnan(result.train_accuracy.median) for _, result in rows)
    table = [[label, *(_outcome(found.get((label, depth)), classes) for depth in depths)] for label in _labels(rows)]
    what = "training accuracy in %" if classes else "training loss"
    columns = [Column("activation · initializer"), *(Column(str(depth), align="right", digits=3) for depth in depths)]
    return Table(columns, table, caption=f"After {steps} steps on {data_name}: {what} by hidden layers, median over seeds.")


def _outcome(result: CellResult | None, classes: bool) -> Cell:
    if result is None:
        return "-"
    if not classes:
        return float(f"{result.train_loss.median:.3g}")
    accuracy = result.train_accuracy.median
    return Toned(f"{100 * accuracy:.0f}", "good" if accuracy >= 0.9 else "bad" if accuracy < 0.5 else "neutral")


def _decay(rows: Sequence[Row]) -> Table:
    deepest = max(_depths(rows))
    columns = [
        Column("activation · initializer"),
        Column("per layer", "×", "right", 3),
        Column("theory", "×", "right", 3),
        Column("e-folding", "layers", "right", 3),
        Column("slope", "factor", "right", 3),
        Column("weight", "factor", "right", 3),
        Column("signal", "×", "right", 3),
    ]
    table = [[_label(cell, rows), *_decay_cells(result)] for cell, result in rows if cell.depth == deepest]
    text = (
        f"Per layer towards the input at depth {deepest}: how the error signal changes, and theory; the layers over which it changes by e; its square's two "
        "factors (activation slopes × weights); the activation variance per layer towards the output."
    )
    return Table(columns, table, caption=text)


def _decay_cells(result: CellResult) -> list[Cell]:
    now, theory = result.initial, result.prediction
    numbers = (
        now.decay_factor,
        theory.decay_factor if theory.applicable else math.nan,
        now.e_folding_depth,
        _middle(now.slope_factor),
        _middle(now.weight_factor),
        _middle(now.forward_ratio),
    )
    return [_short(number) for number in numbers]


def _middle(values: Any) -> float:
    """Geometric mean of a series of factors, NaN where there is none or one is not positive and finite."""
    numbers = [float(v) for v in values]
    if not numbers or not all(0 < v < math.inf for v in numbers):
        return math.nan
    return math.exp(sum(math.log(v) for v in numbers) / len(numbers))


def _short(number: float) -> Cell:
    if math.isnan(number):
        return "-"
    return "∞" if math.isinf(number) else float(f"{number:.3g}")


def _profiles(rows: Sequence[Row]) -> Profile:
    deepest = max(_depths(rows))
    series = [
        LayerSeries(_label(cell, rows), [float(v) for v in result.initial.profiles["error_signal_rms"]], result.verdict, TONES[result.verdict])
        for cell, result in rows
        if cell.depth == deepest
    ]
    return Profile(series, shared_scale=False, caption=f"Error signal from hidden_1 to hidden_{deepest} at initialization, each on its own log scale.")


def _lessons(rows: Sequence[Row]) -> list[Block]:
    """What these numbers say, each sentence only where they say it."""
    counts = {name: sum(result.verdict == name for _, result in rows) for name in TONES}
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    healthy_only = counts["healthy"] == len(rows)
    blocks: list[Block] = [Verdict(f"{len(rows)} nets: {said}", "good" if healthy_only else "warning")]
    bullets = [sentence for sentence in (_hidden_by_weights(rows), _outside_theory(rows), _healthy_but_unlearned(rows), _broken_but_learned(rows)) if sentence]
    if bullets:
        blocks.append(Bullets(bullets))
    reasons = [(cell, result) for cell, result in rows if cell.depth == max(_depths(rows)) and result.verdict != "healthy"]
    blocks += [Paragraph(f"{_label(cell, rows)}, depth {cell.depth}: {result.verdict}: {result.reason}.") for cell, result in reasons[:3]]
    return blocks


def _names(found: Sequence[Row], rows: Sequence[Row]) -> str:
    shown = [f"{_label(cell, rows)} at {cell.depth}" for cell, _ in found[:3]]
    return "; ".join(shown) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def _hidden_by_weights(rows: Sequence[Row]) -> str:
    """Vanishing that the weight gradients' first/last ratio would not show."""
    found = []
    for cell, result in rows:
        gradients = result.initial.profiles["gradient_rms"]
        if result.verdict == "vanishing" and len(gradients) > 2 and gradients[-1] > 0 and 1 / 3 < gradients[1] / gradients[-1] < 3:
            found.append((cell, result))
    return f"vanishing that the ratio of weight gradients hides (it stays within a factor of 3): {_names(found, rows)}" if found else ""


def _outside_theory(rows: Sequence[Row]) -> str:
    found = []
    for cell, result in rows:
        band, seen = result.prediction.log10_error_signal_ratio, result.initial.log10_error_signal_ratio.median
        if result.prediction.applicable and math.isfinite(seen) and not band.low <= seen <= band.high:
            found.append((cell, result))
    judged = sum(result.prediction.applicable and math.isfinite(result.initial.log10_error_signal_ratio.median) for _, result in rows)
    if not judged:
        return ""
    inside = f"mean-field theory's band for this width holds {judged - len(found)} of the {judged} measured ratios"
    return f"{inside}; outside: {_names(found, rows)}" if found else inside


def _healthy_but_unlearned(rows: Sequence[Row]) -> str:
    found = [(c, r) for c, r in rows if r.verdict == "healthy" and r.train_accuracy.median < 0.5]
    return f"healthy at initialization, yet below 50 % training accuracy at the end (a healthy start is no promise): {_names(found, rows)}" if found else ""


def _broken_but_learned(rows: Sequence[Row]) -> str:
    found = [(c, r) for c, r in rows if r.verdict != "healthy" and r.train_accuracy.median >= 0.9]
    return f"not healthy at initialization, yet 90 % and more at the end (the optimizer coped): {_names(found, rows)}" if found else ""


def record(cell: GridCell, result: CellResult) -> dict[str, Any]:
    """One cell of the JSON record."""
    final = moment_record(result.final) | {
        "train_loss": result.train_loss.median,
        "train_accuracy": result.train_accuracy.median,
        "val_accuracy": result.val_accuracy.median,
    }
    initial = moment_record(result.initial)
    band = result.prediction.log10_error_signal_ratio
    theory = {
        "value": band.value,
        "low": band.low,
        "high": band.high,
        "decay_factor": result.prediction.decay_factor,
        "e_folding_depth": result.prediction.e_folding_depth,
        "applicable": result.prediction.applicable,
        "reason": result.prediction.reason,
        "assumptions": list(result.prediction.assumptions),
    }
    initial["log10_error_signal_ratio"]["theory"] = theory
    return {
        "depth": cell.depth,
        "activation": str(cell.activation),
        "init": str(cell.init),
        "norm": str(cell.norm or "none"),
        "width": cell.width,
        "seeds": list(result.seeds),
        "initial": initial,
        "final": final,
        "verdict": result.verdict,
        "reason": result.reason,
    }


def moment_record(moment: Moment) -> dict[str, Any]:
    """Profiles of a cell at one moment; arrays run over hidden_1 … hidden_n, factors over the pairs of neighbours."""
    profiles: Mapping[str, Any] = moment.profiles
    return {
        "log10_error_signal_ratio": range_record(moment.log10_error_signal_ratio),
        "decay_factor": moment.decay_factor,
        "e_folding_depth": moment.e_folding_depth,
        "activation_variance": [float(v) for v in profiles["activation_variance"]],
        "activation_sample_variance": [float(v) for v in profiles["activation_sample_variance"]],
        "error_signal_rms": [float(v) for v in profiles["error_signal_rms"]],
        "gradient_rms": [float(v) for v in profiles["gradient_rms"]],
        "slope_factor": [float(v) for v in moment.slope_factor],
        "weight_factor": [float(v) for v in moment.weight_factor],
        "backward_ratio": [float(v) for v in moment.backward_ratio],
        "forward_ratio": [float(v) for v in moment.forward_ratio],
        "verdict": moment.verdict.verdict,
        "band": moment.verdict.band,
    }


def range_record(values: SeedRange) -> dict[str, Any]:
    """Median and range over seeds."""
    return {"median": values.median, "low": values.low, "high": values.high, "missing_seeds": values.missing}
