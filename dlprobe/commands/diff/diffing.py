"""Two files read for `diff`: runs paired by configuration, with what the rules say of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dlprobe.analysis.comparing.baseline import Numbers, numbers_of
from dlprobe.dataclass import dataclass
from dlprobe.reports.diagnosis import worst_first
from dlprobe.reports.diff import PairDiff, VerdictDiff
from dlprobe.rules import Diagnosis, Judgement, all_rules, diagnose
from dlprobe.rules.files import Criteria, configuration_of, each_run, whole_configuration
from dlprobe.runs.reading import reading


@dataclass(frozen=True)
class Side:
    """One run, read: its numbers, judgement, diagnosis, whole configuration and content hash."""

    numbers: Numbers
    judgement: Judgement
    diagnosis: Diagnosis
    config: dict[str, Any]
    content: str


def read_sides(path: Path, criteria: Criteria) -> dict[str, list[Side]]:
    """Every run of a file by configuration. Raises RunFileError."""
    sides: dict[str, list[Side]] = {}
    with reading(path):
        for where, opened in each_run(path):
            run = opened()
            configuration = configuration_of(run)
            judgement = criteria.judge(run)
            numbers = numbers_of(run, where, configuration)
            side = Side(
                numbers,
                judgement,
                diagnose(run, judgement, where),
                whole_configuration(run),
                run.content_sha256,
            )
            sides.setdefault(configuration, []).append(side)
    return sides


def pairs(a: dict[str, list[Side]], b: dict[str, list[Side]]) -> Iterator[PairDiff]:
    """What belongs together: the same configuration, or the only one of each file; what the
    other side does not have stands alone.
    """
    if len(a) == len(b) == 1:
        yield pair(next(iter(a.values())), next(iter(b.values())))
        return
    for configuration in dict.fromkeys([*a, *b]):
        yield pair(a.get(configuration, []), b.get(configuration, []))


def pair(a: Sequence[Side], b: Sequence[Side]) -> PairDiff:
    """The comparison of one configuration's runs; an empty side has nothing to compare."""
    from dlprobe.analysis.comparing import run_diff

    if not a or not b:
        one = (a or b)[0]
        return PairDiff(
            _named(one), len(a), len(b), False, [], [], [], [], False, False, *_diagnoses(a, b)
        )
    ours, theirs = ([side.numbers for side in sides] for sides in (a, b))
    configuration = (
        run_diff.configuration_diffs(a[0].config, b[0].config) if len(a) == len(b) == 1 else []
    )
    if len(a) * len(b) > 1 and ours[0].configuration != theirs[0].configuration:
        configuration = run_diff.configuration_diffs(_bare(a[0]), _bare(b[0]))
    same = sorted(side.content for side in a) == sorted(side.content for side in b)
    metrics, profiles = run_diff.metric_diffs(ours, theirs), run_diff.profile_diffs(ours, theirs)
    shares = all(side.classification for side in (*ours, *theirs))
    other_data = len(a) == len(b) == 1 and ours[0].fingerprint != theirs[0].fingerprint
    return PairDiff(
        _named(a[0]),
        len(a),
        len(b),
        same,
        configuration,
        metrics,
        profiles,
        verdict_diffs(a, b),
        other_data,
        shares,
        *_diagnoses(a, b),
    )


def _diagnoses(*sides: Sequence[Side]) -> list[list[Diagnosis]]:
    """Diagnoses of the runs of each side, the one that learned least first."""
    return [worst_first([outcome.diagnosis for outcome in side]) for side in sides]


def _bare(side: Side) -> Any:
    return json.loads(side.numbers.configuration)


def _named(side: Side) -> str:
    """What a pair of a study is called: the path of its first run."""
    return side.numbers.path


def verdict_diffs(a: Sequence[Side], b: Sequence[Side]) -> list[VerdictDiff]:
    """Every rule that fired on one of the sides."""
    diffs = []
    for code, rule in all_rules().items():
        ours, theirs = (_fired(sides, code) for sides in (a, b))
        if ours[0] or theirs[0]:
            diffs.append(
                VerdictDiff(
                    code,
                    rule.title,
                    rule.severity,
                    ours,
                    theirs,
                    _evidence(a, code),
                    _evidence(b, code),
                )
            )
    return diffs


def _fired(sides: Sequence[Side], code: str) -> tuple[int, int]:
    """In how many runs a rule fired, of how many it could be evaluated on."""
    fired = sum(any(finding.code == code for finding in side.judgement.findings) for side in sides)
    return fired, fired + sum(code in side.judgement.passed for side in sides)


def _evidence(sides: Sequence[Side], code: str) -> str:
    return next(
        (
            finding.evidence
            for side in sides
            for finding in side.judgement.findings
            if finding.code == code
        ),
        "",
    )
