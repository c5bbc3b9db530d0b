"""What `compare` says: which values can be told apart, why the worst is the worst, the three
quantities of each through its layers, and the ranking.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from shlex import quote as quoted
from typing import TYPE_CHECKING

from dlprobe.config import to_mapping
from dlprobe.record.sizes import factor_text
from dlprobe.registry import counted
from dlprobe.render.document import (
    Block,
    Bullets,
    Cell,
    Column,
    Document,
    Facts,
    Heading,
    Hint,
    Paragraph,
    Table,
    Toned,
    Verdict,
)
from dlprobe.reports.compare_details import (
    DRAWN,
    STANDING,
    against_best,
    chart,
    costs,
    margins,
    scale,
    size,
    span,
    unit,
    words,
)
from dlprobe.reports.compare_record import Seeds, comparison_record, value_record
from dlprobe.reports.compare_remarks import _edges, _remarks, caveat
from dlprobe.reports.diagnosis import brief, cause_blocks, opening, worst_first
from dlprobe.reports.run_facts import shortened
from dlprobe.reports.strips import FlowLine, flow_strips
from dlprobe.reports.tones import BROKEN

if TYPE_CHECKING:
    from dlprobe.analysis.comparing.comparison import Comparison, ValueResult
    from dlprobe.config import RunConfig
    from dlprobe.experiments.compare import Compared
    from dlprobe.rules import Diagnosis

LEARNED = {"learned well", "learned in part"}  # states that have something
WIDE = 0.2  # share of dead or saturated units from which a column shows them


def seeds_of(compared: Compared, study: str | None) -> Seeds:
    """Read from the comparison; runs without a file are called by value and seed."""
    diagnoses = {}
    for label, runs in compared.runs.items():
        known = [(run, run.examined) for run in runs if run.examined is not None]
        named = [
            seen.diagnosis(f"{study}#{run.id}")
            if study
            else seen.diagnosis(f"{label}, seed {run.seed}", typed=False)
            for run, seen in known
        ]
        diagnoses[label] = worst_first(named)
    return Seeds(
        diagnoses,
        {
            label: [run.healed for run in runs if run.healed is not None]
            for label, runs in compared.runs.items()
        },
    )


def document(
    compared: Compared,
    *,
    data_name: str,
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    study: str | None,
    keep: str = "",
    more: str = "",
) -> Document:
    """The whole answer. curves: by label (steps, median of the ranking metric) over the
    evaluations. keep: the command that keeps every run, where none was;
    more: the same for the command with enough seeds.
    """
    comparison = compared.all
    seeds = seeds_of(compared, study)
    lines = shared_lines([cell.config for cell in compared.request.cells], data_name)
    blocks: list[Block] = (
        []
        if compared.complete
        else [Verdict("stopped early: the numbers are those of the runs that had ended", "warning")]
    )
    blocks += [
        *_conclusion(comparison, seeds),
        *_strips(compared, start=True),
        _ranking(comparison),
    ]
    if told := [
        f"{value.label}: {because(comparison, value)}" for value in comparison.values[:DRAWN]
    ]:
        blocks += [
            Heading(
                "Because before training, from layer to layer towards the input, the error "
                "signal is",
                2,
            ),
            Bullets(told),
        ]
    blocks += [
        Facts(list(lines.items())),
        *([Paragraph(note)] if (note := caveat(compared)) else []),
    ]
    details: list[Block] = [
        against_best(comparison),
        costs(compared),
        chart(comparison, curves),
        *_strips(compared, start=False),
        *margins(compared),
    ]
    details += [Bullets(_remarks(compared, seeds)), *_worst(comparison, seeds)]
    if study and compared.complete:
        blocks.append(Hint(f"dlprobe compare {quoted(study)} --details", details=True))
    blocks.append(Hint(_next(compared, study, keep, more)))
    records = [
        value_record(compared, value, curves[value.label], seeds) for value in comparison.values
    ]
    cautions = [caution for caution in (caveat(compared), _edges(compared)) if caution]
    return Document(
        "", blocks, comparison_record(compared, data_name, lines, records, cautions), details
    )


def _next(compared: Compared, study: str | None, keep: str, more: str) -> str:
    """What to type next: what goes on with runs or seeds that lack, keeps the runs, or looks
    into them.
    """
    seeds = compared.all.power.needed
    if study is None:
        return (
            f"{more}   # enough seeds to tell"
            if compared.all.too_few_seeds and more
            else f"{keep}   # keeps every run"
        )
    if not compared.complete:
        return f"dlprobe compare --resume {quoted(study)}"
    if compared.all.too_few_seeds:
        return f"dlprobe compare --resume {quoted(study)} --seeds {seeds}"
    return f"dlprobe inspect {quoted(study)}"


def shared_lines(configs: Sequence[RunConfig], data_name: str) -> dict[str, str]:
    """Data, net and training that all values share, in words; what is compared is said to be."""
    tables = [to_mapping(config) for config in configs]

    def told(table: str, key: str, word: str = "", usual: object = None) -> str:
        values = list(dict.fromkeys(str(tables_of_value[table][key]) for tables_of_value in tables))
        if len(values) > 1:
            return f"{word or key} compared"
        if values[0].lower() == str(usual).lower():
            return ""
        return f"{f'{word} ' if word else ''}{values[0]}"

    layers = list(dict.fromkeys(config.model.layers for config in configs))
    rates = list(dict.fromkeys(config.training.resolved_lr for config in configs))
    net = [
        "hidden layers compared"
        if len(layers) > 1
        else f"{shortened(layers[0]) or 'no'} hidden units",
        told("model", "activation"),
        told("model", "init"),
    ]
    net += [
        told("model", key, key, usual)
        for key, usual in (("norm", "none"), ("residual", "none"), ("dropout", 0.0))
    ]
    training = [
        told("training", "optimizer"),
        "learning rate compared" if len(rates) > 1 else f"learning rate {rates[0]:g}",
    ]
    training += [
        told("training", "batch_size", "batch size"),
        told("training", "epochs", "epochs", None),
        told("training", "steps", "steps", None),
    ]
    return {
        "data": data_name,
        "net": ", ".join(filter(None, net)),
        "training": ", ".join(filter(None, training)),
    }


def _conclusion(comparison: Comparison, seeds: Seeds) -> list[Block]:
    """Which values can be told apart, and why the worst is the worst."""
    lines: list[Block] = [_answer(comparison)]
    if len(comparison.values) > 1:
        worst = comparison.values[-1]
        failed = _failed(seeds.diagnoses.get(worst.label, ()))
        lines.append(
            Verdict(
                f"{'worst' if worst.standing == 'worse' else 'last'}: {worst.label}: "
                f"{_why(comparison, worst, seeds)}",
                "bad" if failed else "neutral",
            )
        )
    return lines


def _answer(comparison: Comparison) -> Verdict:
    best, others, seeds = comparison.values[0], comparison.values[1:], comparison.power.seeds
    tied = [value.label for value in others if value.standing != "worse"]
    worse = [value for value in others if value.standing == "worse"]
    learned = next(iter(best.states)) == "learned well"
    numbers = f"{words(comparison.by)} {_number(comparison, best)}"
    if not others:
        return Verdict(f"only {best.label} has runs", "warning")
    if comparison.too_few_seeds:
        return Verdict(
            f"too few seeds for a test: {seeds} cannot show any difference among "
            f"{counted(len(comparison.values), 'value')}, {comparison.power.needed} can"
            f"{_apart(comparison)}",
            "warning",
        )
    alike = f"{_listed([best.label, *tied])} cannot be told apart with {counted(seeds, 'seed')}"
    if not worse:
        return Verdict(alike, "neutral")
    behind = (
        f"{_listed([value.label for value in worse])} {'is' if len(worse) == 1 else 'are'} worse: "
        f"{_number(comparison, worse[0])}"
    )
    if len(worse) > 1:
        behind += f" to {_number(comparison, worse[-1])}"
    rest = f"{behind} against {_number(comparison, best)} {words(comparison.by)}"
    return Verdict(
        f"{alike}; {rest}"
        if tied
        else f"{best.label} is the best of {counted(seeds, 'seed')} ({numbers}); {behind}",
        "good" if learned else "neutral",
    )


def _apart(comparison: Comparison) -> str:
    """Values that no test is needed for: no seed has anything to show, and all of the best have."""
    best = comparison.values[0]
    lost = [v for v in comparison.values if v.states and not (v.states.keys() & LEARNED)]
    if not best.states or best.states.keys() - LEARNED or not lost:
        return ""
    numbers = " to ".join(
        dict.fromkeys(_number(comparison, value) for value in (lost[0], lost[-1]))
    )
    return (
        f"; but no seed of {_listed([value.label for value in lost])} learned: {numbers} against "
        f"{_number(comparison, best)} {words(comparison.by)}"
    )


def _number(comparison: Comparison, value: ValueResult) -> str:
    median = value.metrics[f"final_{comparison.by}"].value
    return size(comparison, median)


def _listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _why(comparison: Comparison, value: ValueResult, seeds: Seeds) -> str:
    """The cause that the diagnosis names, of a value that did not learn, unless the profile
    itself is broken; else what the profile says.
    """
    diagnoses = [
        diagnosis
        for diagnosis in seeds.diagnoses.get(value.label, ())
        if diagnosis.cause is not None
    ]
    if (
        value.start.verdict not in BROKEN
        and _failed(seeds.diagnoses.get(value.label, ()))
        and diagnoses
    ):
        cause = diagnoses[0].cause
        assert cause is not None
        return brief(cause)
    if value.start.verdict == "level" and value.because:
        return f"its error signal is level ({value.because} per layer), which does not explain it"
    return _per_layer(value)


def _per_layer(value: ValueResult) -> str:
    """`exploding, mean square ×52 = slope factor 0.51 × weight factor 100 per layer`."""
    factors = f"{value.because} per layer" if value.because else ""
    return ", ".join(filter(None, [value.start.verdict, factors])) or "no error signal was recorded"


def because(comparison: Comparison, value: ValueResult) -> str:
    """What one layer does to the error signal before training, what that makes of it on its
    way, and the loss before training where it is off.
    """
    signal = value.start.flow.error_signal_rms
    told = [_per_layer(value)]
    if value.because and len(signal) > 1 and signal[-1] > 0:
        told.append(
            f"×{factor_text(float(signal[0] / signal[-1]))} over {counted(len(signal), 'layer')}"
        )
    first = value.first(loss_name(comparison))
    chance = comparison.chance if comparison.by == loss_name(comparison) else math.nan
    if math.isfinite(first) and math.isfinite(chance) and not 0.5 < first / chance < 2.0:
        told.append(f"first loss {first:.3g}, guessing has {chance:.3g}")
    return "; ".join(told)


def loss_name(comparison: Comparison) -> str:
    """The loss of the part that ranks."""
    return f"{comparison.by.partition('_')[0]}_loss"


def _strips(compared: Compared, start: bool) -> list[Block]:
    values = compared.all.values[:DRAWN]
    lines = []
    for value in values:
        health = value.start if start else value.end
        theory = (
            next(
                (
                    run.theory
                    for run in compared.runs.get(value.label, ())
                    if run.theory is not None
                ),
                None,
            )
            if start
            else None
        )
        lines.append(FlowLine(value.label, health.flow, health.verdict, theory))
    depths = {len(line.flow.gradient_rms) for line in lines if len(line.flow.gradient_rms)}
    deepest = max(depths, default=0)
    last = "output" if len(depths) == 1 else f"layer {deepest}"
    names = [
        *(
            f"{'hidden_' if len(depths) == 1 else 'layer '}{index + 1}"
            for index in range(deepest - 1)
        ),
        last,
    ]
    more = (
        f"; the first {DRAWN} of {counted(len(compared.all.values), 'value')}"
        if len(compared.all.values) > DRAWN
        else ""
    )
    return flow_strips(
        lines,
        names,
        f"{'Before training' if start else 'At the end'}, median over "
        f"{counted(compared.all.power.seeds, 'seed')}{more}",
    )


def _ranking(comparison: Comparison) -> Table:
    by, loss = comparison.by, loss_name(comparison)
    idle = [
        name
        for name in ("dead", "saturated")
        if any(value.middle(name) >= WIDE for value in comparison.values)
    ]
    columns = [
        Column("value"),
        Column("first loss", "", "right", 3),
        Column("end", unit(comparison), "right", 3),
        Column("95 %", unit(comparison), "right"),
    ]
    columns += [*(Column(name, "%", "right", 2) for name in idle), Column("")]
    rows: list[list[Cell]] = [
        [
            value.label,
            _finite(value.first(loss)),
            scale(comparison) * value.metrics[f"final_{by}"].value,
            span(value.metrics[f"final_{by}"], scale(comparison)),
            *(
                None if math.isnan(value.middle(name)) else 100 * value.middle(name)
                for name in idle
            ),
            Toned(value.standing, STANDING[value.standing]),
        ]
        for value in comparison.values
    ]
    return Table(
        columns,
        rows,
        caption=f"First loss, and {words(by)} at the end, median of "
        f"{counted(comparison.power.seeds, 'seed')}; worse: by an exact paired test (Holm).",
    )


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _worst(comparison: Comparison, seeds: Seeds) -> list[Block]:
    failed = [
        seeds.diagnoses[value.label][0]
        for value in reversed(comparison.values)
        if _failed(seeds.diagnoses.get(value.label, ()))
    ]
    return [*opening(failed[0]), *cause_blocks(failed[0], 1)] if failed else []


def _failed(diagnoses: Sequence[Diagnosis]) -> bool:
    """Whether most seeds did not learn, or lost what they had learned."""
    return 2 * sum(diagnosis.failed for diagnosis in diagnoses) > len(diagnoses)
