"""In how many runs each rule fired, with an interval: over all runs, or over the repetitions of
each configuration, by its place in a study.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from dlprobe.analysis.comparing.grouped_runs import REPETITIONS, RunGrid
from dlprobe.analysis.proportions import wilson
from dlprobe.reports.check_counts import ConfigurationCount, RuleCount
from dlprobe.rules.files import Criteria, JudgedRun


def counts_of(judged: Sequence[JudgedRun], criteria: Criteria, together: bool) -> list[RuleCount]:
    """The rules that fired, most frequent first. together: over all runs, and over all comparisons
    of several with their baseline; else over each configuration that has several runs.
    """
    readable = [judgement for judgement in judged if not (judgement.unreadable or judgement.group)]
    if together:
        compared = [
            replace(count, of="comparisons")
            for count in _counts(
                [judgement for judgement in judged if judgement.group], criteria, 0
            )
        ]
        return [*_counts(readable, criteria, 0), *compared]
    groups: dict[str, list[JudgedRun]] = {}
    for judgement in readable:
        groups.setdefault(judgement.configuration, []).append(judgement)
    repeated = [group for group in groups.values() if len(group) > 1]
    return [
        count
        for number, group in enumerate(repeated, 1)
        for count in _counts(group, criteria, number)
    ]


def configurations_of(judged: Sequence[JudgedRun], criteria: Criteria) -> list[ConfigurationCount]:
    """For each configuration of each study the states of its runs, and how often each rule fired
    among them.
    """
    configurations = []
    for study in dict.fromkeys(judgement.study for judgement in judged if judgement.study):
        members = {
            judgement.path: judgement
            for judgement in judged
            if judgement.study == study and not judgement.unreadable
        }
        grid = RunGrid({}, {path: member.place for path, member in members.items()})
        for group in grid.by(grid.varying):
            runs = [members[path] for path in group.runs]
            states = Counter[str](
                run.diagnosis.state.name for run in runs if run.diagnosis is not None
            )
            repeated = next(
                (axis for axis in REPETITIONS if all(axis in run.place for run in runs)), "run"
            )
            configurations.append(
                ConfigurationCount(
                    study,
                    group.label,
                    group.place,
                    group.runs,
                    states,
                    _counts(runs, criteria, 0),
                    repeated,
                )
            )
    return configurations


def _counts(group: Sequence[JudgedRun], criteria: Criteria, number: int) -> list[RuleCount]:
    counts = []
    for rule in criteria.selection.rules:
        fired = sum(
            any(finding.code == rule.code for finding in member.judgement.findings)
            for member in group
        )
        evaluated = fired + sum(rule.code in member.judgement.passed for member in group)
        if fired:
            counts.append(
                RuleCount(
                    rule.code,
                    rule.title,
                    criteria.severity(rule),
                    fired,
                    evaluated,
                    *wilson(fired, evaluated),
                    number,
                )
            )
    return sorted(counts, key=lambda count: -count.fired)
