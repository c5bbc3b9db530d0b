"""How often each rule fired over many runs: `check --counts`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from dlprobe.dataclass import dataclass
from dlprobe.render.checked import SEVERITIES, Severity
from dlprobe.render.document import Block, Cell, Column, Heading, Paragraph, Table, Toned, Verdict
from dlprobe.reports.diagnosis import SEVERITY_TONES as TONES

if TYPE_CHECKING:
    pass


COUNTS_SCHEMA = "dlprobe-check-counts/1"


FEW_RUNS = 4  # so many are named in a command to type


FEW_ROWS = 24  # configurations of a study in one table


FEW_PLACES = 4  # configurations that are named in one sentence


@dataclass(frozen=True)
class RuleCount:
    """How often a rule fired among the runs that it could be evaluated on. low, high: 95 % interval
    of the share. configuration: 0 for all runs.

    of: whether runs are counted, or comparisons of several runs with their baseline.
    """

    code: str
    name: str
    severity: Severity
    fired: int
    evaluated: int
    low: float
    high: float
    configuration: int = 0
    of: Literal["runs", "comparisons"] = "runs"


@dataclass(frozen=True)
class ConfigurationCount:
    """The runs of one configuration of a study: its place in words and by axis, paths of its runs,
    how many are in which state, and the rules that fired.

    repeated: what its runs differ in, seed or replica.
    """

    study: str
    label: str
    place: Mapping[str, Any]
    runs: Sequence[str]
    states: Mapping[str, int]
    rules: Sequence[RuleCount]
    repeated: str = "run"

    @property
    def severity(self) -> int:
        """Index of its worst finding in SEVERITIES, or their number where there is none."""
        return min(
            (SEVERITIES.index(rule.severity) for rule in self.rules), default=len(SEVERITIES)
        )

    def to_json(self) -> dict[str, Any]:
        """The line as data."""
        rules = [
            {
                "code": rule.code,
                "name": rule.name,
                "severity": rule.severity,
                "fired": rule.fired,
                "evaluated": rule.evaluated,
            }
            for rule in self.rules
        ]
        return {
            "study": self.study,
            "coordinates": dict(self.place),
            "runs": list(self.runs),
            "states": dict(self.states),
            "findings": rules,
        }


def _by_configuration(configurations: Sequence[ConfigurationCount], details: bool) -> list[Block]:
    """What fired in which configurations, rule by rule, and what the runs of each have come to."""
    blocks: list[Block] = []
    for study in dict.fromkeys(configuration.study for configuration in configurations):
        mine = [configuration for configuration in configurations if configuration.study == study]
        fired: dict[str, list[tuple[RuleCount, ConfigurationCount]]] = {}
        for counts in mine:
            for count in counts.rules:
                fired.setdefault(count.code, []).append((count, counts))
        worst = sorted(
            fired.values(),
            key=lambda places: (
                SEVERITIES.index(places[0][0].severity),
                -sum(count.fired for count, _ in places),
            ),
        )
        blocks += (
            [Heading(study, 2)]
            if study != configurations[0].study or study != configurations[-1].study
            else []
        )
        blocks += [Verdict(_fired_in(places), TONES[places[0][0].severity]) for places in worst]
        columns = [
            Column("configuration"),
            Column("runs", align="right"),
            Column("have come to"),
            Column("findings"),
        ]
        shown = (
            mine
            if details or len(mine) <= FEW_ROWS
            else sorted(mine, key=lambda counts: counts.severity)[:FEW_ROWS]
        )
        rows: list[list[Cell]] = [
            [
                entry.label,
                len(entry.runs),
                _states(entry),
                ", ".join(f"{rule.code} {_fired(rule)}" for rule in entry.rules),
            ]
            for entry in shown
        ]
        some = (
            f"; {len(shown)} of {len(mine)}, the worst first, --details shows all"
            if len(shown) < len(mine)
            else ""
        )
        blocks.append(
            Table(
                columns,
                rows,
                "The configurations of the study: what their runs have come to, and the "
                f"rules that fired{some}",
            )
        )
    return blocks


def _fired_in(places: Sequence[tuple[RuleCount, ConfigurationCount]]) -> str:
    """`vanishing-gradient (G001) in 3 of 3 seeds of sigmoid · glorot_normal; 2 of 3 of …`."""
    told = [
        f"{count.fired} of {count.evaluated} {'' if number else _noun(count, of)}of {of.label}"
        for number, (count, of) in enumerate(places)
    ]
    rest = f" and of {len(told) - FEW_PLACES} more" if len(told) > FEW_PLACES else ""
    return f"{places[0][0].name} ({places[0][0].code}) in {'; '.join(told[:FEW_PLACES])}{rest}"


def _noun(count: RuleCount, of: ConfigurationCount) -> str:
    return f"{of.repeated}{'' if count.evaluated == 1 else 's'} "


def _states(counts: ConfigurationCount) -> str:
    if len(counts.states) == 1:
        return next(iter(counts.states))
    return ", ".join(f"{state} {count}" for state, count in counts.states.items())


def _count_table(counts: Sequence[RuleCount], caption: str) -> Block:
    if not counts:
        return Paragraph("no rule fired")
    several = len({count.configuration for count in counts}) > 1
    columns = [
        Column("code"),
        Column("rule"),
        Column("severity"),
        Column("fired", align="right"),
        Column("95 %", align="right"),
    ]
    rows: list[list[Any]] = [
        [
            count.code,
            count.name,
            Toned(count.severity, TONES[count.severity]),
            _fired(count),
            f"{count.low:.0%} to {count.high:.0%}",
        ]
        for count in counts
    ]
    if several:
        columns.append(Column("configuration", align="right"))
        rows = [[*row, count.configuration] for row, count in zip(rows, counts, strict=True)]
    return Table(columns, rows, caption)


def _fired(count: RuleCount) -> str:
    unit = "" if count.of == "runs" else f" comparison{'' if count.evaluated == 1 else 's'}"
    return f"{count.fired} of {count.evaluated}{unit}"


def _count_data(count: RuleCount) -> dict[str, Any]:
    named = {"code": count.code, "name": count.name, "severity": count.severity}
    return {
        **named,
        "fired": count.fired,
        "evaluated": count.evaluated,
        "low": count.low,
        "high": count.high,
        "of": count.of,
    }
