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
    from dlprobe.analysis.development import Development
    from dlprobe.analysis.gradient_cells import CellResult, Moment
    from dlprobe.analysis.profiles import SeedRange
    from dlprobe.experiments.find_depth import BreakingDepth
    from dlprobe.experiments.gradients import Cell as GridCell
    from dlprobe.experiments.gradients import Experiment

SCHEMA = "dlprobe-gradients/1"
TONES: dict[str, Tone] = {"healthy": "good", "vanishing": "bad", "exploding": "bad", "diverged": "bad", "collapsed": "warning"}
Row = tuple["GridCell", "CellResult"]
HOW = "Looked for by doubling and halving, as if what breaks at one depth broke at all greater ones; theory: of infinitely wide layers."


def document(experiment: Experiment, *, steps: int, data_name: str, threads: int, study: str | None) -> Document:
    """The whole answer: what flows where, what training made of it, and what to type next."""
    rows = [(cell, result) for cell, result in zip(experiment.cells, experiment.results, strict=True) if result is not None]
    blocks: list[Block] = []
    if not experiment.complete:
        blocks.append(Verdict(f"stopped early: {len(rows)} of {len(experiment.cells)} cells have results", "warning"))
    if rows:
        trainable = [_trainable(experiment, steps)] if steps > 1 else []
        blocks += [_heat(rows), _accuracy(rows, steps, data_name), *trainable, _decay(rows), _profiles(rows), *_lessons(rows)]
    blocks.append(Hint(f"dlprobe inspect {study}" if study else "dlprobe gradients -o study.h5   # keeps every run; then: dlprobe inspect study.h5"))
    facts = {"data": data_name, "steps": steps, "threads": threads, "complete": experiment.complete}
    cells = {"cells": [record(*row) for row in rows], "trainable_depth": trainable_records(experiment)}
    return Document("does the gradient reach the first layer?", blocks, {"schema": SCHEMA, **facts, **cells})


def _trainable(experiment: Experiment, steps: int) -> Table:
    several = len({width for _, width in experiment.trainable}) > 1
    columns = [
        Column("activation · initializer"),
        Column("theory 6 ξ_c", "layers", "right", 3),
        Column("trained up to", "", "right"),
        Column("fails at", "", "right"),
    ]
    rows: list[list[Cell]] = []
    for (label, width), found in experiment.trainable.items():
        name = f"{label} · {width} wide" if several else label
        rows.append([name, _short(found.theory), found.measured or "none", "-" if found.fails_at is None else found.fails_at])
    text = f"How deep it can be: six correlation depths (Schoenholz et al. 2017), and depths of this grid that learned half of what can be, in {steps} steps."
    return Table(columns, rows, caption=text)


def trainable_records(experiment: Experiment) -> list[dict[str, Any]]:
    """The trainable depth of each row of the grid."""
    return [
        {"label": label, "width": width, "theory": found.theory, "xi_c": found.xi_c, "measured": found.measured, "fails_at": found.fails_at}
        for (label, width), found in experiment.trainable.items()
    ]


def depth_document(found: Sequence[BreakingDepth], *, data_name: str, seeds: int, threads: int) -> Document:
    """Where each row of the grid breaks."""
    columns = [
        Column("activation · initializer"),
        Column("healthy to", "", "right"),
        Column("breaks at", "", "right"),
        Column(""),
        Column("theory", "", "right"),
    ]
    rows: list[list[Cell]] = []
    for each in found:
        breaks = Toned(each.verdict, TONES[each.verdict]) if each.breaks_at else f"not up to {each.deepest}"
        name = f"{each.cell.label} · {each.cell.width} wide"
        rows.append([name, each.healthy_at, each.breaks_at, breaks, each.theory])
    blocks: list[Block] = [] if all(each.complete for each in found) else [Verdict("stopped early: the depths are those looked at so far", "warning")]
    blocks.append(Table(columns, rows, caption=f"Hidden layers at which the error signal breaks before training, on {data_name}, {seeds} seeds. {HOW}"))
    first = next((each for each in found if each.breaks_at), None)
    if first is not None:
        spec = first.cell
        blocks.append(Hint(f'dlprobe gradients --depth {first.breaks_at} --activation "{spec.activation}" --init "{spec.init}" --width {spec.width}'))
    facts = {"data": data_name, "steps": 1, "threads": threads, "complete": all(each.complete for each in found)}
    records = [depth_record(each) for each in found]
    return Document("how deep until the gradient breaks?", blocks, {"schema": SCHEMA, **facts, "cells": [], "find_depth": records})


def depth_record(found: BreakingDepth) -> dict[str, Any]:
    """One row of the JSON record."""
    return {
        **place(found.cell),
        "healthy_at": found.healthy_at,
        "breaks_at": found.breaks_at,
        "verdict": found.verdict,
        "theory_breaks_at": found.theory,
        "deepest": found.deepest,
        "tried": [{"depth": probe.depth, "verdict": probe.verdict, "log10_error_signal_ratio": probe.log10_ratio} for probe in found.probes],
    }


def place(cell: GridCell) -> dict[str, Any]:
    """Where a cell stands, but for its depth."""
    return {"activation": str(cell.activation), "init": str(cell.init), "norm": str(cell.norm or "none"), "width": cell.width, "axes": dict(cell.others)}


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
        Column("theory", "×", "right"),
        Column("e-folding", "layers", "right", 3),
        Column("slope", "factor", "right", 3),
        Column("weight", "factor", "right", 3),
        Column("signal", "×", "right", 3),
    ]
    table = [[_label(cell, rows), *_decay_cells(result)] for cell, result in rows if cell.depth == deepest]
    text = (
        f"Per layer towards the input at depth {deepest}: how the error signal changes, and theory with its band for this width; the layers over which it "
        "changes by e; its square's two factors (activation slopes × weights); the activation variance per layer towards the output."
    )
    return Table(columns, table, caption=text)


def _decay_cells(result: CellResult) -> list[Cell]:
    now, theory = result.initial, result.prediction
    numbers = (
        now.e_folding_depth,
        _middle(now.slope_factor),
        _middle(now.weight_factor),
        _middle(now.forward_ratio),
    )
    low, high = decay_band(result)
    band = f"{theory.decay_factor:.3g} ({low:.2g}…{high:.2g})" if not math.isnan(low) else "-"
    return [_short(now.decay_factor), band, *(_short(number) for number in numbers)]


def decay_band(result: CellResult) -> tuple[float, float]:
    """Theory's band of the ratio over all layers, as a factor per layer; NaN where it does not apply."""
    band, steps = result.prediction.log10_error_signal_ratio, len(result.initial.profiles["error_signal_rms"]) - 1
    if not result.prediction.applicable or steps < 1:
        return math.nan, math.nan
    return 10 ** min(band.low / steps, 300.0), 10 ** min(band.high / steps, 300.0)


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
    bullets = [
        sentence
        for sentence in (
            _hidden_by_weights(rows),
            _outside_theory(rows),
            _healed(rows),
            _relapsed(rows),
            _healthy_but_unlearned(rows),
            _broken_but_learned(rows),
        )
        if sentence
    ]
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


def _healed(rows: Sequence[Row]) -> str:
    found = [(c, r) for c, r in rows if r.initial.verdict.verdict in ("vanishing", "exploding") and 2 * r.development.healed.seeds > len(r.seeds)]
    return f"broken at initialization, within the band from about the step given: {_when(found, rows, healed=True)}" if found else ""


def _relapsed(rows: Sequence[Row]) -> str:
    found = [(c, r) for c, r in rows if 2 * r.development.relapsed.seeds > len(r.seeds)]
    return f"leaves the band while training, from about the step given: {_when(found, rows, healed=False)}" if found else ""


def _when(found: Sequence[Row], rows: Sequence[Row], healed: bool) -> str:
    steps = [(result.development.healed if healed else result.development.relapsed).step for _, result in found]
    shown = [f"{_label(cell, rows)} at depth {cell.depth} (step {step:.0f})" for (cell, _), step in zip(found[:3], steps, strict=False)]
    return "; ".join(shown) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


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
        "decay_factor_low": decay_band(result)[0],
        "decay_factor_high": decay_band(result)[1],
        "e_folding_depth": result.prediction.e_folding_depth,
        "applicable": result.prediction.applicable,
        "reason": result.prediction.reason,
        "assumptions": list(result.prediction.assumptions),
    }
    initial["log10_error_signal_ratio"]["theory"] = theory
    return {
        "depth": cell.depth,
        **place(cell),
        "seeds": list(result.seeds),
        "initial": initial,
        "final": final,
        "skill": result.skill.median,
        "development": development_record(result.development),
        "verdict": result.verdict,
        "reason": result.reason,
    }


def development_record(found: Development) -> dict[str, Any]:
    """How the ratio ran over training, and what happened to it."""
    return {
        "steps": [int(step) for step in found.steps],
        "log10_error_signal_ratio": found.ratios.tolist(),
        "healed": {"seeds": found.healed.seeds, "step": found.healed.step},
        "relapsed": {"seeds": found.relapsed.seeds, "step": found.relapsed.step},
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
