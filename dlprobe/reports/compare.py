"""What `compare` says: the ranking with intervals, what is distinguishable, curves and profiles per value, and what the seeds could have found."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlprobe.render.document import Block, Bullets, Cell, Chart, Column, Document, Hint, LayerSeries, Profile, Series, Table, Tone, Toned, Verdict
from dlprobe.reports.diagnosis import cause_blocks, named, opening, states_record, worst_first
from dlprobe.reports.run import quoted
from dlprobe.reports.tones import BROKEN, VERDICT_TONES

if TYPE_CHECKING:
    from dlprobe.analysis.comparing.comparison import Comparison, Health, Margin, Pair, ValueResult
    from dlprobe.analysis.comparing.paired import Interval
    from dlprobe.experiments.compare import Cell as GridCell
    from dlprobe.experiments.compare import Compared
    from dlprobe.rules import Diagnosis

SCHEMA = "dlprobe-compare/1"
STANDING: dict[str, Tone] = {"best": "good", "not distinguishable": "neutral", "worse": "bad"}
DRAWN = 6  # lines that one chart tells apart


@dataclass(frozen=True)
class Seeds:
    """What the seeds of each value have come to, by label. diagnoses: the one that has come to least first; healed: steps from which an error signal that was
    ill at first stayed within the band, of the seeds in which it did.
    """

    diagnoses: Mapping[str, Sequence[Diagnosis]]
    healed: Mapping[str, Sequence[int]]


def seeds_of(compared: Compared, study: str | None) -> Seeds:
    """Read from the comparison; runs without a file are called by value and seed."""
    diagnoses = {}
    for label, runs in compared.runs.items():
        known = [(run, run.examined) for run in runs if run.examined is not None]
        named = [seen.diagnosis(f"{study}#{run.id}") if study else seen.diagnosis(f"{label}, seed {run.seed}", typed=False) for run, seen in known]
        diagnoses[label] = worst_first(named)
    return Seeds(diagnoses, {label: [run.healed for run in runs if run.healed is not None] for label, runs in compared.runs.items()})


def document(
    compared: Compared, *, data_name: str, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], study: str | None, keep: str = ""
) -> Document:
    """The whole answer. curves: by label (steps, median of the ranking metric) over the evaluations. keep: the command that keeps every run, where none was."""
    found, request, seeds = compared.all, compared.request, seeds_of(compared, study)
    blocks: list[Block] = [] if compared.complete else [Verdict("stopped early: the numbers are those of the runs that had ended", "warning")]
    blocks += [_ranking(found), _costs(compared), _chart(found, curves), *_profiles(found), *_margins(compared)]
    blocks += [_answer(found), Bullets(_remarks(compared, seeds)), *_worst(found, seeds)]
    blocks.append(Hint(_next(compared, study, keep)))
    return Document(f"{' × '.join(request.axes)} on {data_name}", blocks, _data(compared, data_name, curves, seeds))


def _next(compared: Compared, study: str | None, keep: str) -> str:
    """What to type next: what keeps the runs, goes on with those that lack, or shows them again."""
    if study is None:
        return f"{keep}   # keeps every run"
    return f"dlprobe compare {quoted(study)}" if compared.complete else f"dlprobe compare --resume {quoted(study)}"


def _words(metric: str) -> str:
    part, _, name = metric.partition("_")
    return f"{ {'train': 'training', 'val': 'validation'}.get(part, part) } {name.replace('_', ' ')}"


def _ranking(found: Comparison) -> Table:
    by = found.by
    columns = [
        Column("value"),
        Column("at the end", "", "right", 3),
        Column("95 %", "", "right"),
        Column("best", "", "right", 3),
        Column("against the best"),
        Column(""),
    ]
    rows = [
        [value.label, value.metrics[f"final_{by}"].value, _span(value.metrics[f"final_{by}"]), _best(value, by), _against(found, value), _standing(value)]
        for value in found.values
    ]
    return Table(columns, rows, caption=f"{_words(by)}, median of {found.power.seeds} seeds with its bootstrap interval.")


def _best(value: ValueResult, by: str) -> Cell:
    return value.metrics[f"best_{by}"].value if f"best_{by}" in value.metrics else None


def _standing(value: ValueResult) -> Cell:
    return Toned(value.standing, STANDING[value.standing])


def _span(interval: Interval) -> str:
    return "-" if math.isnan(interval.low) else f"{interval.low:.3g} … {interval.high:.3g}"


def _against(found: Comparison, value: ValueResult) -> str:
    pair = pair_of(found.pairs, value.label, found.values[0].label)
    if pair is None:
        return ""
    effect = pair.effect
    return f"{'×' if found.ratio else ''}{_signed(effect.value, found.ratio)} [{_signed(effect.low, found.ratio)}, {_signed(effect.high, found.ratio)}]"


def _signed(number: float, ratio: bool) -> str:
    if math.isnan(number):
        return "-"
    return "∞" if number > 1e6 else (f"{number:.3g}" if ratio else f"{number:+.3f}")


def pair_of(pairs: Sequence[Pair], a: str, b: str) -> Pair | None:
    """The comparison of a against b, turned round where it is kept as b against a; None for a value with itself."""
    for pair in pairs:
        if {pair.a, pair.b} == {a, b}:
            return pair if pair.a == a else pair.turned()
    return None


def _costs(compared: Compared) -> Table:
    found = compared.all
    cells = {cell.label: cell for cell in compared.request.cells}
    lost = any(value.diverged for value in found.values)
    columns = [
        Column("value"),
        Column("rate", "", "right", 3),
        Column("updates", "", "right"),
        Column("weights", "", "right"),
        Column("µs/step", "", "right", 3),
        Column("to target", "", "right", 4),
        Column("gradient at first"),
        Column("at last"),
        *([Column("diverged", "", "right")] if lost else []),
    ]
    rows = [_cost_row(value, cells[value.label], lost) for value in found.values]
    caption = f"To target: updates until the {_words(found.by)} is {found.target:.3g} or less, median over seeds." if math.isfinite(found.target) else ""
    return Table(columns, rows, caption=caption)


def _cost_row(value: ValueResult, cell: GridCell, lost: bool) -> list[Cell]:
    run, target = value.outcomes[0], value.steps_to_target.value
    return [
        value.label,
        float(cell.config.training.resolved_lr),
        run.updates,
        run.parameters,
        1e6 * value.step_seconds,
        target if math.isfinite(target) else "never",
        _health(value.start),
        _health(value.end),
        *([f"{value.diverged} of {len(value.outcomes)}"] if lost else []),
    ]


def _health(health: Health) -> Cell:
    return Toned(health.verdict, VERDICT_TONES[health.verdict]) if health.verdict else None


def _chart(found: Comparison, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Chart:
    shown = [value.label for value in found.values][:DRAWN]
    series = [Series(label, *curves[label]) for label in shown]
    finite = [y for each in series for y in each.y if math.isfinite(y) and y > 0]
    log = bool(finite) and max(finite) > 20 * min(finite)
    more = f"; the best {DRAWN} of {len(found.values)}" if len(found.values) > DRAWN else ""
    return Chart(series, "updates", _words(found.by), log_y=log, caption=f"{_words(found.by)} as training goes on, median over seeds{more}.", name="curves")


def _profiles(found: Comparison) -> list[Block]:
    blocks: list[Block] = []
    for name, when, moments in (
        ("first", "before training", [value.start for value in found.values]),
        ("last", "at the end", [value.end for value in found.values]),
    ):
        chosen = [(value.label, moment) for value, moment in zip(found.values, moments, strict=True) if len(moment.error_signal_rms) > 1]
        if chosen:
            series = [LayerSeries(label, moment.error_signal_rms.tolist(), moment.verdict, VERDICT_TONES[moment.verdict]) for label, moment in chosen]
            blocks.append(
                Profile(series, shared_scale=False, caption=f"Error signal from the first hidden layer to the last, {when}.", name=f"error_signal_{name}")
            )
    return blocks


def _margins(compared: Compared) -> list[Block]:
    return [_margin(axis, margin, compared.all) for axis, margin in compared.marginals.items()]


def _margin(axis: str, margin: Margin, found: Comparison) -> Table:
    ordered = sorted(margin.values.items(), key=lambda item: item[1].value)
    rows: list[list[Cell]] = []
    for label, interval in ordered:
        pair = pair_of(margin.pairs, label, ordered[0][0])
        standing = "best" if pair is None else "worse" if pair.different else "not distinguishable"
        rows.append([label, interval.value, _span(interval), Toned(standing, STANDING[standing])])
    mean = "geometric mean" if found.ratio else "mean"
    columns = [Column(axis), Column(mean, "", "right", 3), Column("95 %", "", "right"), Column("")]
    return Table(columns, rows, caption=f"{axis} alone: {_words(found.by)}, {mean} over all values of the other axes, median over seeds.")


def _answer(found: Comparison) -> Verdict:
    best, others = found.values[0], found.values[1:]
    tied = [value.label for value in others if value.standing == "not distinguishable"]
    tone: Tone = "good" if next(iter(best.states)) == "learned well" else "neutral"
    if not others:
        return Verdict(f"only {best.label} has runs", "warning")
    if not tied:
        return Verdict(f"{best.label} is the best", tone)
    if len(tied) == len(others):
        return Verdict(f"no value is distinguishable from the best: {', '.join([best.label, *tied])}", "neutral")
    return Verdict(f"{best.label} is the best, not distinguishable from {', '.join(tied)}", tone)


def _worst(found: Comparison, seeds: Seeds) -> list[Block]:
    """Why the worst value did not learn: the diagnosis of the seed that has come to least."""
    failed = [seeds.diagnoses[value.label][0] for value in reversed(found.values) if _failed(seeds.diagnoses.get(value.label, ()))]
    return [*opening(failed[0]), *cause_blocks(failed[0], 1)] if failed else []


def _failed(found: Sequence[Diagnosis]) -> bool:
    """Whether most seeds did not learn, or lost what they had learned."""
    return 2 * sum(each.failed for each in found) > len(found)


def _remarks(compared: Compared, seeds: Seeds) -> list[str]:
    return [
        sentence
        for sentence in (
            _learned(compared.all, seeds),
            _healed(compared.all, seeds),
            _test(compared.all),
            _power(compared.all),
            *_identical(compared.all),
            _caveat(compared),
            _edges(compared),
            _equal(compared),
        )
        if sentence
    ]


def _learned(found: Comparison, seeds: Seeds) -> str:
    """What most seeds came to, of the values of which they did not learn well: the best of them may be the best of nothing."""
    told = [
        f"{value.label} ({name} in {count} of {len(value.outcomes)} seeds){_cause(seeds.diagnoses.get(value.label, ()))}"
        for value in found.values
        for name, count in list(value.states.items())[:1]
        if name != "learned well"
    ]
    return f"most seeds did not learn well beside guessing: {'; '.join(told)}" if told else ""


def _cause(found: Sequence[Diagnosis]) -> str:
    """The cause that most often stands behind it; empty where there is none."""
    causes = Counter(named(each.cause) for each in found if each.cause is not None)
    return f": {causes.most_common(1)[0][0]}" if causes else ""


def _healed(found: Comparison, seeds: Seeds) -> str:
    """Which values learned well although their error signal was ill before training, and when it was no more."""
    told = []
    for value in found.values:
        steps, well = seeds.healed.get(value.label, ()), value.states.get("learned well", 0)
        if value.start.verdict in BROKEN and 2 * well > len(value.outcomes):
            when = f"healed at about step {sorted(steps)[len(steps) // 2]:,}" if 2 * len(steps) > len(value.outcomes) else "not healed"
            told.append(f"{value.label} ({value.start.verdict}, {when})")
    return f"ill at the first step, yet learned well: {'; '.join(told)}" if told else ""


def _test(found: Comparison) -> str:
    if not found.pairs:
        return ""
    number = f"{len(found.pairs)} comparison{'s' if len(found.pairs) > 1 else ''}"
    return f"values are called different at 5 % by an exact paired test over seeds (signed ranks), corrected for {number} (Holm)"


def _power(found: Comparison) -> str:
    power = found.power
    if not found.pairs:
        return ""
    if power.seeds < power.needed:
        return f"{power.seeds} seeds cannot show any difference among {len(found.values)} values: --seeds {power.needed} is the least"
    if not math.isfinite(power.detectable):
        return ""
    more = f"; half of that would take {power.for_half} seeds" if power.for_half else ""
    return f"as much as seeds scatter here, {power.seeds} of them find a difference of {_size(power.detectable, found.ratio)} in four of five cases{more}"


def _size(effect: float, ratio: bool) -> str:
    if not ratio:
        return f"{100 * effect:.2g} points"
    share = math.expm1(min(effect, 50.0))
    return f"{100 * share:.2g} %" if share < 1 else f"a factor of {1 + share:.3g}"


def _identical(found: Comparison) -> list[str]:
    same = [f"{pair.a} and {pair.b}" for pair in found.pairs if pair.identical]
    return [f"the same numbers to the last bit, so the option changes nothing here: {'; '.join(same)}"] if same else []


def caveat(compared: Compared) -> str:
    """What stands against the comparison where rates were not tuned; empty where they were, or where they are what is compared."""
    axes = compared.request.axes
    if any(cell.tuning for cell in compared.request.cells) or "learning_rate" in axes:
        return ""
    return (
        "the learning rate was not tuned per value: a value may look worse only because this rate suits it less; --tune-lr gives each an equal budget of rates"
    )


def _caveat(compared: Compared) -> str:
    return caveat(compared)


def _edges(compared: Compared) -> str:
    edged = [cell.label for cell in compared.request.cells if cell.tuning and cell.tuning.at_the_edge]
    return f"the best rate stands at the end of those tried, so a better one may lie beyond: {', '.join(edged)}" if edged else ""


def _equal(compared: Compared) -> str:
    batches = "batch_size" in compared.request.axes
    return {
        "samples": "every value saw the same samples, so smaller batches made more updates: see --equal updates and --equal seconds too" if batches else "",
        "updates": "every value made the same number of updates, so larger batches saw more samples",
        "seconds": "every value got the wall time that the configuration without the axis takes, by a measurement before; other machines give other numbers",
    }.get(compared.request.equal, "")


def _data(compared: Compared, data_name: str, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], seeds: Seeds) -> dict[str, Any]:
    request, found = compared.request, compared.all
    cells = {cell.label: cell for cell in request.cells}
    power = found.power
    return {
        "schema": SCHEMA,
        "data": data_name,
        "complete": compared.complete,
        "axes": {axis: list(values) for axis, values in request.axes.items()},
        "seeds": list(request.seeds),
        "by": found.by,
        "effect": "factor" if found.ratio else "difference",
        "target": found.target,
        "equal": request.equal,
        "equal_parameters": request.equal_parameters,
        "vary_data": request.vary_data,
        "tuned": any(cell.tuning for cell in request.cells),
        "caveats": [each for each in (caveat(compared), _edges(compared)) if each],
        "values": [_value_record(value, cells[value.label], curves[value.label], found.by, seeds) for value in found.values],
        "comparisons": [_pair_record(pair) for pair in found.pairs],
        "power": {
            "seeds": power.seeds,
            "comparisons": power.comparisons,
            "seeds_needed": power.needed,
            "spread": power.spread,
            "detectable": power.detectable,
            "seeds_for_half": power.for_half,
        },
        "marginals": [
            {
                "axis": axis,
                "values": [{"value": label, **_interval(each)} for label, each in margin.values.items()],
                "comparisons": [_pair_record(pair) for pair in margin.pairs],
            }
            for axis, margin in compared.marginals.items()
        ],
    }


def _value_record(value: ValueResult, cell: GridCell, curve: tuple[Sequence[float], Sequence[float]], by: str, seeds: Seeds) -> dict[str, Any]:
    run = value.outcomes[0]
    tuning = None if cell.tuning is None else [{"rate": rate, "mean": mean} for rate, mean in cell.tuning.tried]
    return {
        "label": value.label,
        "axes": dict(cell.coordinates),
        "rank": value.rank,
        "standing": value.standing,
        "seeds": [each.seed for each in value.outcomes],
        "layers": list(cell.config.model.layers),
        "learning_rate": cell.config.training.resolved_lr,
        "tuning": tuning,
        "updates": run.updates,
        "parameters": run.parameters,
        "step_seconds": value.step_seconds,
        "metrics": {name: _interval(each) for name, each in value.metrics.items()},
        "per_seed": [each.last_of(by) for each in value.outcomes],
        "steps_to_target": {**_interval(value.steps_to_target, "median"), "reached": value.reached},
        "diverged": {"runs": value.diverged, "share": value.diverged / len(value.outcomes), "low": value.diverged_low, "high": value.diverged_high},
        **states_record(seeds.diagnoses.get(value.label, ())),
        "healed": list(seeds.healed.get(value.label, ())),
        "initial": _health_record(value.start),
        "final": _health_record(value.end),
        "curve": {"steps": [int(step) for step in curve[0]], "median": list(curve[1])},
    }


def _health_record(health: Health) -> dict[str, Any]:
    return {"verdict": health.verdict or None, "counts": dict(health.counts), "error_signal_rms": health.error_signal_rms.tolist()}


def _interval(interval: Interval, name: str = "median") -> dict[str, float]:
    return {name: interval.value, "low": interval.low, "high": interval.high}


def _pair_record(pair: Pair) -> dict[str, Any]:
    effect = _interval(pair.effect, "effect")
    return {"a": pair.a, "b": pair.b, **effect, "p": pair.p, "p_adjusted": pair.p_adjusted, "different": pair.different, "seeds": pair.seeds}
