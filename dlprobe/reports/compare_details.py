"""What stands behind a comparison: effects seed by seed, costs, curves, and the axes of several
each alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlprobe.render.document import Block, Cell, Chart, Column, Series, Table, Tone, Toned
from dlprobe.reports.tones import VERDICT_TONES

if TYPE_CHECKING:
    from dlprobe.analysis.comparing.comparison import Comparison, Health, Margin, Pair, ValueResult
    from dlprobe.analysis.comparing.paired import Interval
    from dlprobe.experiments.compare import Compared
    from dlprobe.experiments.compare_budgets import ComparedCell

STANDING: dict[str, Tone] = {
    "best": "good",
    "not distinguishable": "neutral",
    "worse": "bad",
    "too few seeds to tell": "warning",
}
DRAWN = 6  # values that one picture tells apart


def words(metric: str) -> str:
    part, _, name = metric.partition("_")
    return (
        f"{ {'train': 'training', 'val': 'validation'}.get(part, part) } {name.replace('_', ' ')}"
    )


def against_best(comparison: Comparison) -> Table:
    columns = [
        Column("value"),
        Column("best", unit(comparison), "right", 3),
        Column("against the best"),
        Column(""),
    ]
    rows: list[list[Cell]] = [
        [
            value.label,
            _best(comparison, value),
            _against(comparison, value),
            Toned(value.standing, STANDING[value.standing]),
        ]
        for value in comparison.values
    ]
    return Table(
        columns,
        rows,
        caption=f"Smallest {words(comparison.by)} on the way, and the "
        f"{'factor' if comparison.ratio else 'difference in points'} seed by seed.",
    )


def unit(comparison: Comparison) -> str:
    """What the ranking metric is shown in: errors that are shares of samples in percent, as
    everywhere.
    """
    return "" if comparison.ratio else "%"


def scale(comparison: Comparison) -> float:
    """Factor from values to what is shown in `unit`: 1 for losses, 100 (percent) for shares of
    wrong answers.
    """
    return 1.0 if comparison.ratio else 100.0


def _best(comparison: Comparison, value: ValueResult) -> Cell:
    name = f"best_{comparison.by}"
    return scale(comparison) * value.metrics[name].value if name in value.metrics else None


def span(interval: Interval, scaled: float = 1.0) -> str:
    if math.isnan(interval.low):
        return "-"
    return f"{scaled * interval.low:.3g} … {scaled * interval.high:.3g}"


def _against(comparison: Comparison, value: ValueResult) -> str:
    pair = pair_of(comparison.pairs, value.label, comparison.values[0].label)
    if pair is None:
        return ""
    effect = pair.effect
    return (
        f"{'×' if comparison.ratio else ''}{_signed(effect.value, comparison.ratio)} "
        f"[{_signed(effect.low, comparison.ratio)}, {_signed(effect.high, comparison.ratio)}]"
    )


def _signed(number: float, ratio: bool) -> str:
    if math.isnan(number):
        return "-"
    return "∞" if number > 1e6 else (f"{number:.3g}" if ratio else f"{100 * number:+.1f}")


def pair_of(pairs: Sequence[Pair], a: str, b: str) -> Pair | None:
    """The comparison of a against b, turned round where it is kept as b against a; None for a
    value with itself.
    """
    for pair in pairs:
        if {pair.a, pair.b} == {a, b}:
            return pair if pair.a == a else pair.turned()
    return None


def size(comparison: Comparison, value: float) -> str:
    """A value of the ranking metric with its unit."""
    return f"{value:.3g}" if comparison.ratio else f"{100 * value:.1f} %"


def costs(compared: Compared) -> Table:
    comparisons = compared.all
    cells = {cell.label: cell for cell in compared.request.cells}
    lost, timed = any(value.diverged for value in comparisons.values), comparisons.differs_in_time
    columns = [
        Column("value"),
        Column("rate", "", "right", 3),
        Column("updates", "", "right"),
        Column("weights", "", "right"),
        *([Column("µs/step", "", "right", 3)] if timed else []),
        Column("to target", "", "right", 4),
        Column("gradient at first"),
        Column("at last"),
        *([Column("diverged", "", "right")] if lost else []),
    ]
    rows = [_cost_row(value, cells[value.label], lost, timed) for value in comparisons.values]
    caption = (
        (
            f"To target: updates until the {words(comparisons.by)} is "
            f"{size(comparisons, comparisons.target)} or less, median over seeds."
        )
        if math.isfinite(comparisons.target)
        else ""
    )
    return Table(columns, rows, caption=caption)


def _cost_row(value: ValueResult, cell: ComparedCell, lost: bool, timed: bool) -> list[Cell]:
    run, target = value.outcomes[0], value.steps_to_target.value
    return [
        value.label,
        float(cell.config.training.resolved_lr),
        run.updates,
        run.parameters,
        *([1e6 * value.step_seconds] if timed else []),
        target if math.isfinite(target) else "never",
        _health(value.start),
        _health(value.end),
        *([f"{value.diverged} of {len(value.outcomes)}"] if lost else []),
    ]


def _health(health: Health) -> Cell:
    return Toned(health.verdict, VERDICT_TONES[health.verdict]) if health.verdict else None


def chart(
    comparison: Comparison, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]
) -> Chart:
    scaled = scale(comparison)
    series = []
    for value in comparison.values[:DRAWN]:
        steps, medians = curves[value.label]
        known = [run.curves[comparison.by] for run in value.outcomes if comparison.by in run.curves]
        runs = [(scaled * one).tolist() for one in known] if len(known) > 1 else []
        series.append(
            Series(value.label, steps, [scaled * median for median in medians], runs=runs)
        )
    finite = [y for curve in series for y in curve.y if math.isfinite(y) and y > 0]
    log = bool(finite) and max(finite) > 20 * min(finite)
    more = (
        f"; the best {DRAWN} of {len(comparison.values)}" if len(comparison.values) > DRAWN else ""
    )
    return Chart(
        series,
        "updates",
        f"{words(comparison.by)}{'' if comparison.ratio else ' [%]'}",
        log_y=log,
        caption=f"{words(comparison.by)} as training goes on, median over seeds{more}.",
        name="curves",
    )


def margins(compared: Compared) -> list[Block]:
    return [_margin(axis, margin, compared.all) for axis, margin in compared.marginals.items()]


def _margin(axis: str, margin: Margin, comparison: Comparison) -> Table:
    ordered = sorted(margin.values.items(), key=lambda item: item[1].value)
    rows: list[list[Cell]] = []
    for label, interval in ordered:
        pair = pair_of(margin.pairs, label, ordered[0][0])
        standing = (
            "best"
            if pair is None
            else "worse"
            if pair.different
            else "too few seeds to tell"
            if margin.too_few_seeds
            else "not distinguishable"
        )
        rows.append([label, interval.value, span(interval), Toned(standing, STANDING[standing])])
    mean = "geometric mean" if comparison.ratio else "mean"
    columns = [Column(axis), Column(mean, "", "right", 3), Column("95 %", "", "right"), Column("")]
    return Table(
        columns,
        rows,
        caption=f"{axis} alone: {words(comparison.by)}, {mean} over all values of the other axes, "
        "median over seeds.",
    )
