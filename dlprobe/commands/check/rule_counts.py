"""In how many runs each rule fired, with an interval: over all runs, or over the repetitions of
each configuration, by its place in a study.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from dlprobe.analysis.comparing.grouped_runs import REPETITIONS, Grid
from dlprobe.analysis.proportions import wilson
from dlprobe.reports.check import ConfigurationCount, RuleCount
from dlprobe.rules.files import Criteria, JudgedRun


def counts_of(judged: Sequence[JudgedRun], criteria: Criteria, together: bool) -> list[RuleCount]:
    """The rules that fired, most frequent first. together: over all runs, and over all comparisons
    of several with their baseline; else over each configuration that has several runs.
    """
    readable = [each for each in judged if not (each.unreadable or each.group)]
    if together:
        compared = [
            replace(count, of="comparisons")
            for count in _counts([each for each in judged if each.group], criteria, 0)
        ]
        return [*_counts(readable, criteria, 0), *compared]
    groups: dict[str, list[JudgedRun]] = {}
    for each in readable:
        groups.setdefault(each.configuration, []).append(each)
    repeated = [group for group in groups.values() if len(group) > 1]
    return [
        count
        for number, group in enumerate(repeated, 1)
        for count in _counts(group, criteria, number)
    ]


def configurations_of(judged: Sequence[JudgedRun], criteria: Criteria) -> list[ConfigurationCount]:
    """What the runs of each configuration of each study have come to, and how often each rule
    fired among them.
    """
    found = []
    for study in dict.fromkeys(each.study for each in judged if each.study):
        members = {
            each.path: each for each in judged if each.study == study and not each.unreadable
        }
        grid = Grid({}, {path: each.place for path, each in members.items()})
        for group in grid.by(grid.varying):
            runs = [members[path] for path in group.runs]
            states = Counter[str](
                each.diagnosis.state.name for each in runs if each.diagnosis is not None
            )
            repeated = next(
                (axis for axis in REPETITIONS if all(axis in each.place for each in runs)), "run"
            )
            found.append(
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
    return found


def _counts(group: Sequence[JudgedRun], criteria: Criteria, number: int) -> list[RuleCount]:
    found = []
    for rule in criteria.selection.rules:
        fired = sum(
            any(finding.code == rule.code for finding in each.judgement.findings) for each in group
        )
        evaluated = fired + sum(rule.code in each.judgement.passed for each in group)
        if fired:
            found.append(
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
    return sorted(found, key=lambda each: -each.fired)
