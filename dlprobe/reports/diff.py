"""What `diff` says: what both runs have come to, findings that are fixed, new or the same,
configuration, metrics with intervals, profiles side by side.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dlprobe.dataclass import dataclass
from dlprobe.registry import counted
from dlprobe.render.document import (
    Block,
    Cell,
    Column,
    Document,
    Heading,
    Hint,
    Paragraph,
    Strip,
    StripGroup,
    Strips,
    Table,
    Tone,
    Toned,
    Verdict,
)
from dlprobe.reports.diagnosis import SEVERITY_TONES, cause_blocks, states_text, tone_of
from dlprobe.reports.strips import QUANTITIES

if TYPE_CHECKING:
    from dlprobe.analysis.comparing.run_diff import MetricDiff, ProfileDiff
    from dlprobe.rules import Diagnosis

SCHEMA = "dlprobe-diff/1"
NAMED = 2  # findings that the conclusion names
Sides: TypeAlias = tuple[str, str]  # what the files are called in tables


@dataclass(frozen=True)
class VerdictDiff:
    """A rule on both sides: fired and evaluated runs of each, and the first evidence."""

    code: str
    name: str
    severity: str
    a: tuple[int, int]
    b: tuple[int, int]
    a_evidence: str
    b_evidence: str

    @property
    def change(self) -> Literal["appeared", "vanished", ""]:
        """Whether most runs of one side have it and most of the other do not."""
        before, after = (2 * fired > evaluated for fired, evaluated in (self.a, self.b))
        return "" if before == after else "appeared" if after else "vanished"


@dataclass(frozen=True)
class PairDiff:
    """Runs of one configuration on both sides; a side with 0 runs has none of it. configuration:
    (key, a, b).

    shares: errors are shares of samples. before, after: the diagnoses of the runs of each side, the
        one that learned least first.
    """

    name: str
    a_runs: int
    b_runs: int
    identical: bool
    configuration: Sequence[tuple[str, Any, Any]]
    metrics: Sequence[MetricDiff]
    profiles: Sequence[ProfileDiff]
    verdicts: Sequence[VerdictDiff]
    other_data: bool
    shares: bool = False
    before: Sequence[Diagnosis] = ()
    after: Sequence[Diagnosis] = ()

    def codes(self, change: str) -> list[str]:
        """Codes of the findings that are `fixed`, `new` or the `same`."""
        word = {"fixed": "vanished", "new": "appeared", "same": ""}[change]
        return [verdict.code for verdict in self.verdicts if verdict.change == word]

    @property
    def changed(self) -> bool:
        """Whether anything is different that is more than chance: configuration, data,
        verdicts, a metric beyond its interval.
        """
        if self.identical:
            return False
        told = [bool(self.configuration), self.other_data, not (self.a_runs and self.b_runs)]
        return (
            any(told)
            or any(verdict.change for verdict in self.verdicts)
            or any(metric.changed for metric in self.metrics)
        )


def diff_document(a: str, b: str, pairs: Sequence[PairDiff], exit_code: int) -> Document:
    """The whole comparison."""
    blocks, names = list[Block](), sides(a, b)
    details: list[Block] = []
    for pair in pairs:
        heading = (
            [Heading(f"{pair.name} ({pair.a_runs} and {counted(pair.b_runs, 'run')})", 2)]
            if len(pairs) > 1
            else []
        )
        blocks += [*heading, *_pair_blocks(pair, names)]
        if behind := _pair_details(pair, names):
            details += [*heading, *behind]
    if details:
        blocks.append(Hint(f"dlprobe diff {quoted(a)} {quoted(b)} --details", details=True))
    changed = any(pair.changed for pair in pairs)
    data = {
        "schema": SCHEMA,
        "a": a,
        "b": b,
        "changed": changed,
        "pairs": [_pair_data(pair) for pair in pairs],
        "exit_code": exit_code,
    }
    return Document(f"{a} → {b}" if len(pairs) != 1 else "", blocks, data, details)


def sides(a: str, b: str) -> Sides:
    """What the two files are called in tables: their names without the folders and the suffix that
    they share; of one file before and after.

    >>> sides("runs/mon/net.h5", "runs/tue/net.h5"), sides("old.h5", "new.h5"), sides("net.h5", "net.h5")
    (('mon/net', 'tue/net'), ('old', 'new'), ('before', 'after'))
    """  # noqa: E501
    if a == b:
        return "before", "after"
    (file, _, one), (other, _, two) = a.partition("#"), b.partition("#")
    if file == other and one and two:  # runs of one study
        return one, two
    ours, theirs = (text.removesuffix(".h5").split("/") for text in (a, b))
    depth = next(
        (
            depth
            for depth in range(1, min(len(ours), len(theirs)) + 1)
            if ours[-depth] != theirs[-depth]
        ),
        0,
    )
    return ("/".join(ours[-depth:]), "/".join(theirs[-depth:])) if depth else (a, b)


def _pair_blocks(pair: PairDiff, names: Sides) -> list[Block]:
    if not (pair.a_runs and pair.b_runs):
        return [Verdict(f"only in {names[0] if pair.a_runs else names[1]}", "warning")]
    if pair.identical:
        return [*_states(pair), Verdict("identical: the content hashes are the same", "neutral")]
    blocks: list[Block] = [
        *_states(pair),
        _summary(pair),
        *_strips(pair, names),
        *_metrics(pair, names),
        *_configuration(pair, names),
    ]
    return [
        *blocks,
        Paragraph("Something changed." if pair.changed else "Nothing changed beyond chance."),
    ]


def _pair_details(pair: PairDiff, names: Sides) -> list[Block]:
    if pair.identical or not (pair.a_runs and pair.b_runs):
        return []
    return [
        *(cause_blocks(pair.after[0], 1) if pair.after else []),
        *_findings(pair),
        *_verdicts(pair, names),
    ]


def _summary(pair: PairDiff) -> Block:
    told = []
    for change in ("fixed", "new", "same"):
        codes = pair.codes(change)
        named = [
            f"{verdict.name} ({verdict.code})"
            for verdict in pair.verdicts
            if verdict.code in codes and verdict.severity != "info"
        ]
        if codes:
            told.append(
                f"{len(codes)} "
                f"{change}{': ' if named else ''}{', '.join(named[:NAMED])}{' …' if len(named) > NAMED else ''}"  # noqa: E501
            )
    worse = any(
        verdict.change == "appeared" and verdict.severity == "error" for verdict in pair.verdicts
    )
    return Verdict(
        f"findings: {'; '.join(told) or 'none on either side'}", "bad" if worse else "neutral"
    )


def _states(pair: PairDiff) -> list[Block]:
    lines: list[Block] = []
    for word, diagnosis in (("before", pair.before), ("after", pair.after)):
        if diagnosis:
            several = f" ({states_text(diagnosis)})" if len(diagnosis) > 1 else ""
            lines.append(
                Verdict(f"{word}: {diagnosis[0].sentence}{several}", tone_of(diagnosis[0]))
            )
    return lines


def _findings(pair: PairDiff) -> list[Block]:
    changed = sorted(
        (verdict for verdict in pair.verdicts if verdict.change),
        key=lambda verdict: verdict.change == "vanished",
    )
    words = {"appeared": "new", "vanished": "fixed"}
    lines: list[Block] = [
        Verdict(
            f"{words[change.change]}: {change.name} ({change.code}): "
            f"{change.b_evidence or change.a_evidence}",
            _tone(change),
            apart=not number,
        )
        for number, change in enumerate(changed)
    ]
    same = [f"{verdict.name} ({verdict.code})" for verdict in pair.verdicts if not verdict.change]
    return [*lines, *([Paragraph(f"same: {', '.join(same)}")] if same else [])]


def _tone(verdict: VerdictDiff) -> Tone:
    """A fault that is gone is good; a new one is as bad as it is severe."""
    if not verdict.change or verdict.severity == "info":
        return "neutral"
    return "good" if verdict.change == "vanished" else SEVERITY_TONES[verdict.severity]


def _configuration(pair: PairDiff, names: Sides) -> list[Block]:
    rows: list[list[Cell]] = [[key, _text(a), _text(b)] for key, a, b in pair.configuration]
    if pair.other_data:
        rows.append(["data (fingerprint)", "one", "another"])
    if not rows:
        return [Paragraph("Configuration: the same.")]
    return [Table([Column("configuration"), *map(Column, names)], rows)]


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value)


def _metrics(pair: PairDiff, names: Sides) -> list[Block]:
    if not pair.metrics:
        return [Paragraph("Metrics: none that both sides have.")]
    several = pair.a_runs > 1 and pair.b_runs > 1
    spread = "range" if several else "95 %"
    a, b = names
    columns = [
        Column("metric"),
        *(Column(name, align="right") for name in (a, spread, b, spread, f"{b} / {a}")),
        Column("changed"),
    ]
    rows: list[list[Cell]] = [
        [
            change.metric,
            *_sized(change.a, change.a_interval, share),
            *_sized(change.b, change.b_interval, share),
            _factor(change),
            _verdict(change),
        ]
        for change, share in (
            (metric, pair.shares and metric.metric.endswith("_error")) for metric in pair.metrics
        )
    ]
    caption = (
        (
            f"Medians of {pair.a_runs} and {counted(pair.b_runs, 'run')}; {b} / {a} with its 95 % "
            "interval."
        )
        if several
        else ""
    )
    return [Table(columns, rows, caption)]


def _sized(value: float, interval: tuple[float, float] | None, share: bool) -> list[Cell]:
    """A number with its interval; shares of samples in percent."""
    if not share:
        return [value, _span(interval)]
    return [
        f"{100 * value:.1f} %",
        "-" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %",
    ]


def _span(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}"


def _factor(metric: MetricDiff) -> str:
    if metric.factor is None:
        return "-"
    interval = f" ({_span(metric.factor_interval)})" if metric.factor_interval else ""
    return f"{metric.factor:.3g}{interval}"


def _verdict(metric: MetricDiff) -> Cell:
    if not metric.changed:
        return "cannot tell" if metric.changed is None else "no"
    return Toned("worse", "bad") if metric.b > metric.a else Toned("better", "good")


def _verdicts(pair: PairDiff, names: Sides) -> list[Block]:
    if not pair.verdicts:
        return [Paragraph("Findings: none on either side.")]
    words = {"appeared": "new", "vanished": "fixed", "": "the same"}
    rows: list[list[Cell]] = [
        [
            verdict.code,
            verdict.name,
            verdict.severity,
            _count(verdict.a),
            _count(verdict.b),
            Toned(words[verdict.change], _tone(verdict)),
        ]
        for verdict in pair.verdicts
    ]
    return [
        Table(
            [
                Column("code"),
                Column("finding"),
                Column("severity"),
                *map(Column, names),
                Column(""),
            ],
            rows,
        )
    ]


def _count(count: tuple[int, int]) -> str:
    fired, evaluated = count
    if not evaluated:
        return "not evaluated"
    return ("yes" if fired else "no") if evaluated == 1 else f"{fired} of {evaluated}"


def _strips(pair: PairDiff, names: Sides) -> list[Block]:
    groups: dict[str, list[Strip]] = {}
    for side, key in zip(names, ("a", "b"), strict=True):
        for profile in pair.profiles:
            groups.setdefault(QUANTITIES.get(profile.statistic, profile.statistic), []).append(
                Strip(f"{side}, {profile.moment}", getattr(profile, key).tolist())
            )
    if not groups:
        return []
    layers = pair.profiles[0].a_layers, pair.profiles[0].b_layers
    shown = (
        layers[0]
        if layers[0] == layers[1]
        else [f"layer {index + 1}" for index in range(max(map(len, layers)))]
    )
    return [Strips([StripGroup(name, strips) for name, strips in groups.items()], shown)]


def _pair_data(pair: PairDiff) -> dict[str, Any]:
    return {
        "name": pair.name,
        "runs": {"a": pair.a_runs, "b": pair.b_runs},
        "identical": pair.identical,
        "changed": pair.changed,
        "other_data": pair.other_data,
        "configuration": [{"key": key, "a": a, "b": b} for key, a, b in pair.configuration],
        "metrics": [vars(metric) for metric in pair.metrics],
        "diagnosis": {"a": _diagnosis_data(pair.before), "b": _diagnosis_data(pair.after)},
        "findings": {change: pair.codes(change) for change in ("fixed", "new", "same")},
        "verdicts": [_verdict_data(verdict) for verdict in pair.verdicts],
        "profiles": [vars(profile) for profile in pair.profiles],
    }


def _diagnosis_data(diagnoses: Sequence[Diagnosis]) -> dict[str, Any] | None:
    """The diagnosis of the run that learned least, as data."""
    return diagnoses[0].to_json() if diagnoses else None


def _verdict_data(verdict: VerdictDiff) -> dict[str, Any]:
    sides = {
        "a": {"fired": verdict.a[0], "evaluated": verdict.a[1]},
        "b": {"fired": verdict.b[0], "evaluated": verdict.b[1]},
    }
    return {
        "code": verdict.code,
        "name": verdict.name,
        "severity": verdict.severity,
        **sides,
        "change": verdict.change or None,
    }
