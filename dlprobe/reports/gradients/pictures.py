"""What the grid looks like: worst and best net, the map, trainable depths, per-layer decay
beside theory, depth profiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.registry import counted
from dlprobe.render.document import (
    Block,
    Cell,
    Column,
    HeatCell,
    HeatTable,
    LayerSeries,
    Profile,
    Table,
)
from dlprobe.reports.gradients.grid import Grid
from dlprobe.reports.strips import FlowLine, flow_strips
from dlprobe.reports.tones import VERDICT_TONES

if TYPE_CHECKING:
    from dlprobe.analysis.profiles.depth_choice import DepthChoice
    from dlprobe.analysis.profiles.gradient_cells import CellResult
    from dlprobe.experiments.gradients import GridResult


def heat(grid: Grid, choices: Sequence[DepthChoice], steps: int, data_name: str) -> HeatTable:
    """The error signal's ratio and verdict before training with what training made of it, rows
    by depths; what does best at a depth, within the noise of seeds, has a star.
    """
    best = {(label, choice.depth) for choice in choices for label in choice.alike}
    classes = any(not math.isnan(result.train_accuracy.median) for _, result in grid.rows)
    runs = {
        (grid.label(cell), cell.depth): [diagnosis.path.rpartition("#")[2] for diagnosis in seeds]
        for (cell, _), seeds in zip(grid.rows, grid.diagnoses, strict=True)
    }
    cells = [
        [
            _heat_cell(grid.at(*place), classes, place in best, runs.get(place, ()))
            for place in zip([label] * len(grid.depths), grid.depths, strict=True)
        ]
        for label in grid.labels
    ]
    widths, seeds = sorted({cell.width for cell, _ in grid.rows}), len(grid.rows[0][1].seeds)
    of_seeds = "one seed" if seeds == 1 else f"median of {counted(seeds, 'seed')}"
    units = "one unit" if widths == [1] else f"{', '.join(map(str, widths))} units"
    what = "training accuracy in %" if classes else "training loss"
    starred = f"the best {choices[0].best.part} at that depth" if choices else ""
    return HeatTable(
        grid.labels,
        [str(depth) for depth in grid.depths],
        cells,
        meaning="log10 of the error signal (RMS of dℓ/dz) at hidden_1 over that at the last hidden "
        "layer, before training",
        beside_meaning=f"{what} after {counted(steps, 'step')}"
        f"{f', * {starred} {choices[0].margin}' if best else ''}",
        low_means="vanishing",
        high_means="exploding",
        stub="activation · initializer",
        across="depth",
        caption=f"Error signal at the start, and training on {data_name}; {of_seeds}, {units} "
        "per layer.",
        name="map",
    )


def _heat_cell(
    result: CellResult | None, classes: bool, is_best: bool, runs: Sequence[str]
) -> HeatCell:
    if result is None:
        return HeatCell(math.nan, "-")
    outcome = (
        f"{100 * result.train_accuracy.median:.0f}"
        if classes
        else f"{result.train_loss.median:.2g}"
    )
    beside = f"{outcome}{'*' if is_best else ' '}"
    return HeatCell(
        result.initial.log10_error_signal_ratio.median,
        result.verdict,
        VERDICT_TONES[result.verdict],
        beside=beside,
        runs=runs,
    )


def worst_and_best(grid: Grid, choices: Sequence[DepthChoice], steps: int) -> list[Block]:
    """All three quantities through the layers of the deepest nets: the one whose error signal
    is furthest from its band, and the one to use.
    """
    worst, best = grid.worst, grid.best(choices)
    shown = {"worst": worst} if best is None or best is worst else {"worst": worst, "best": best}
    lines = [
        FlowLine(f"{name}, step {step:,}", moment.flow, moment.verdict.verdict)
        for name, (_, result) in shown.items()
        for step, moment in ((0, result.initial), (steps - 1, result.final))[: 1 + (steps > 1)]
    ]
    called = ", ".join(f"{name}: {grid.label(cell)}" for name, (cell, _) in shown.items())
    depth = grid.deepest
    names = [*(f"hidden_{index + 1}" for index in range(depth)), "output"]
    return flow_strips(lines, names, f"{called}, of {counted(depth, 'hidden layer')}")


def trainable(experiment: GridResult, steps: int) -> Table:
    """How deep each row can be trained, and theory's guess."""
    several = len({width for _, width in experiment.trainable}) > 1
    columns = [
        Column("activation · initializer"),
        Column("theory 6 ξ_c", "layers", "right", 3),
        Column("trained up to", "", "right"),
        Column("fails at", "", "right"),
    ]
    rows: list[list[Cell]] = []
    for (label, width), depths in experiment.trainable.items():
        name = f"{label} · {width} wide" if several else label
        rows.append(
            [
                name,
                _short(depths.theory),
                depths.measured or "none",
                "-" if depths.fails_at is None else depths.fails_at,
            ]
        )
    text = (
        "How deep it can be: six correlation depths (Schoenholz et al. 2017), and depths of this "
        "grid that learned half of what can be"
    )
    return Table(columns, rows, caption=f"{text}, in {counted(steps, 'step')}.")


def decay(grid: Grid) -> Table:
    """What happens from layer to layer in the deepest nets."""
    columns = [
        Column("activation · initializer"),
        Column("per layer", "×", "right", 3),
        Column("theory", "×", "right"),
        Column("e-folding", "layers", "right", 3),
        Column("slope", "factor", "right", 3),
        Column("weight", "factor", "right", 3),
        Column("signal", "×", "right", 3),
    ]
    table = [
        [grid.label(cell), *_decay_cells(result)]
        for cell, result in grid.rows
        if cell.depth == grid.deepest
    ]
    text = (
        f"Per layer towards the input at depth {grid.deepest}: how the error signal changes, "
        "and theory with its band for this width; the layers over which it "
        "changes by e; its square's two factors (activation slopes × weights); the activation "
        "variance per layer towards the output."
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
    """(low, high) of theory's band for RMS δ_1/RMS δ_n as a factor per layer; NaN where theory does
    not apply.
    """
    band = result.prediction.log10_error_signal_ratio
    steps = len(result.initial.flow.error_signal_rms) - 1
    if not result.prediction.applicable or steps < 1:
        return math.nan, math.nan
    return 10 ** min(band.low / steps, 300.0), 10 ** min(band.high / steps, 300.0)


def _middle(values: Any) -> float:
    """Geometric mean of a series of factors, NaN where there is none or one is not positive and
    finite.
    """
    numbers = [float(v) for v in values]
    if not numbers or not all(0 < v < math.inf for v in numbers):
        return math.nan
    return math.exp(sum(math.log(v) for v in numbers) / len(numbers))


def _short(number: float) -> Cell:
    if math.isnan(number):
        return "-"
    return "∞" if math.isinf(number) else float(f"{number:.3g}")


def profiles(grid: Grid) -> Profile:
    """The error signal layer by layer in the deepest nets."""
    series = [
        LayerSeries(
            grid.label(cell),
            [float(v) for v in result.initial.flow.error_signal_rms],
            result.verdict,
            VERDICT_TONES[result.verdict],
            runs=result.initial.flow.of_seeds("error_signal_rms"),
        )
        for cell, result in grid.rows
        if cell.depth == grid.deepest
    ]
    return Profile(
        series,
        shared_scale=False,
        caption=f"Error signal from hidden_1 to hidden_{grid.deepest} at initialization.",
        name="error_signal",
    )
