"""Judging a run: which rules, with which thresholds, and what each of them said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Any, TypeAlias

from dlprobe import registry
from dlprobe.analysis.comparing.baseline import BaselineComparison
from dlprobe.config import parse_spec
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.record.description import OWN
from dlprobe.registry import Value, tidied
from dlprobe.rules.agreement import agreed
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import (
    Finding,
    Fired,
    NotEvaluated,
    Outcome,
    Passed,
    Severity,
    findings_of,
    in_order,
    worst,
)
from dlprobe.rules.rule import Rule
from dlprobe.runs import Run

Settings: TypeAlias = Mapping[str, Mapping[str, Value]]


def all_rules() -> dict[str, Rule]:
    """Every rule by code, in the order of codes."""
    rules: list[Rule] = sorted(registry.records("rule").values(), key=lambda rule: rule.code)
    return {rule.code: rule for rule in rules}


@dataclass(frozen=True)
class Selection:
    """Which rules: codes or prefixes of codes (`G`, `G00`, `G001`), or names. `select` empty means
    all but those on request; `also` are added to them, and `ignore` goes last.

    Raises ConfigError, when it is made, for what no rule answers to.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for text in (*self.select, *self.ignore, *self.also):
            matching(text)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The chosen rules in the order of codes."""
        named = {code for text in (*self.select, *self.also) for code in matching(text)}
        chosen = (
            named
            if self.select
            else named | {code for code, rule in all_rules().items() if not rule.on_request}
        )
        left_out = {code for text in self.ignore for code in matching(text)}
        return tuple(rule for code, rule in all_rules().items() if code in chosen - left_out)


def matching(text: str) -> tuple[str, ...]:
    """Codes of the rules that a code, a prefix or a name means. Raises ConfigError with a
    suggestion and the list for none.
    """
    rules = all_rules()
    plain = tidied(text)
    codes = tuple(
        code
        for code, rule in rules.items()
        if plain and (code.lower().startswith(plain) or rule.name == plain)
    )
    if not codes:
        message = registry.unknown("rule", text.strip()[:60], rules, registry.listing("rule"))
        raise ConfigError(
            f"{message}; a prefix such as {next(iter(rules))[0]} means all that begin with it"
        )
    return codes


def read_settings(
    texts: Iterable[str] | Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Value]]:
    """Thresholds by code and name, typed and checked, from `CODE.threshold=value` texts or a
    mapping of tables (as in TOML).

    Raises ConfigError for an unknown rule or threshold and for a value it does not take.

    >>> read_settings(["N001.shown=2"])
    {'N001': {'shown': 2}}
    """
    tables: dict[str, dict[str, Any]] = {}
    for code, table in texts.items() if isinstance(texts, Mapping) else map(_setting, texts):
        tables.setdefault(_one_rule(code).code, {}).update(table)
    return {code: _checked(all_rules()[code], table) for code, table in tables.items()}


def _setting(text: str) -> tuple[str, dict[str, Any]]:
    place, equals, value = text.partition("=")
    code, dot, name = place.strip().partition(".")
    if not (equals and dot and name.strip() and value.strip()):
        raise ConfigError(
            f"{text[:70]!r} is not a setting: expected CODE.threshold=value, for example "
            "G001.share=0.8; dlprobe explain CODE lists thresholds"
        )
    return code, {name.strip().replace("-", "_"): value.strip()}


def _one_rule(text: str) -> Rule:
    codes = matching(text)
    if len(codes) > 1:
        raise ConfigError(
            f"{text!r} means {len(codes)} rules ({', '.join(codes)}): thresholds are set for one"
        )
    return all_rules()[codes[0]]


def _checked(rule: Rule, table: Mapping[str, Any]) -> dict[str, Value]:
    spec = parse_spec("rule", {**table, "name": rule.name})
    return {name: spec.parameters[name] for name in spec.given}


@dataclass(frozen=True)
class Judgement:
    """What the rules said of one run: findings in the order of severity and code, codes that
    passed, and reasons of those not evaluated by code;
    notes: by code, of rules that passed, what they would have found.
    """

    findings: tuple[Finding, ...] = ()
    passed: tuple[str, ...] = ()
    not_evaluated: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def evaluated(self) -> int:
        """How many rules could look; where it is 0 the run has not passed anything."""
        return len(self.passed) + len({finding.code for finding in self.findings})

    @property
    def worst(self) -> Severity | None:
        """The most severe severity among the findings; None without findings."""
        return worst(self.findings)

    def to_json(self) -> dict[str, Any]:
        """The judgement as data, without the path of its run."""
        return {
            "findings": [finding.to_json() for finding in self.findings],
            "passed": list(self.passed),
            "not_evaluated": [
                {"code": code, "reason": reason} for code, reason in self.not_evaluated.items()
            ],
            "notes": [{"code": code, "note": note} for code, note in self.notes.items()],
        }


def judge(
    run: Run,
    selection: Selection | None = None,
    settings: Settings | None = None,
    comparison: BaselineComparison | None = None,
) -> Judgement:
    """Apply the chosen rules to a run; `comparison` is for those that compare with a numbers
    baseline. Raises RunFileError where the file is damaged.
    """
    evidence, chosen = Evidence(run, comparison), selection or Selection()
    outcomes = {
        rule.code: rule.apply(evidence, (settings or {}).get(rule.code))
        for rule in chosen.rules
        if run.origin != OWN or not rule.foreign or chosen.select
    }
    judgement = collected(outcomes)
    return replace(judgement, findings=agreed(judgement.findings, evidence))


def collected(outcomes: Mapping[str, Outcome]) -> Judgement:
    """The judgement that outcomes by code make."""
    findings = in_order(findings_of(outcomes.values()))
    reasons = {
        code: outcome.reason
        for code, outcome in outcomes.items()
        if isinstance(outcome, NotEvaluated)
    }
    passed = tuple(
        code
        for code, outcome in outcomes.items()
        if code not in reasons and not isinstance(outcome, Fired)
    )
    notes = {
        code: outcome.note
        for code, outcome in outcomes.items()
        if isinstance(outcome, Passed) and outcome.note
    }
    return Judgement(tuple(findings), passed, reasons, notes)
