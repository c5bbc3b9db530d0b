"""Counting: recall, right cause, false alarms, with intervals by case, and a confusion matrix
per rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlprobe.rules import all_rules, judge
from dlprobe.runs import Run

from .cases import Case

Rate = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """One run, its label, and what the rules said: (code, severity) of the findings, reasons of
    what was not evaluated.
    """

    case: Case
    seed: int
    label: str
    codes: Sequence[tuple[str, str]]
    not_evaluated: dict[str, str] = field(default_factory=dict)

    @property
    def named(self) -> bool:
        """Whether an error or a warning was raised; an info does not count."""
        return any(severity != "info" for _, severity in self.codes)

    @property
    def right(self) -> bool:
        """Whether one of them is an accepted cause."""
        return any(
            severity != "info" and code in self.case.accepted for code, severity in self.codes
        )


def judged(run: Run) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Codes and severities of a run's findings, and what was not evaluated."""
    judgement = judge(run)
    return [(finding.code, str(finding.severity)) for finding in judgement.findings], dict(
        judgement.not_evaluated
    )


def rate(results: Iterable[Judged], hit: Callable[[Judged], bool]) -> Rate:
    """Share of runs with a hit, and the 95 % Wilson interval with the number of cases in place
    of the number of runs: seeds of a case are alike.
    """
    found = list(results)
    hits, cases = sum(map(hit, found)), len({each.case.name for each in found})
    if not found:
        return {"hits": 0, "runs": 0, "cases": 0, "share": None, "low": None, "high": None}
    share = hits / len(found)
    low, high = wilson(share, cases)
    return {
        "hits": hits,
        "runs": len(found),
        "cases": cases,
        "share": round(share, 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }


def wilson(share: float, count: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """The 95 % score interval of a share of `count` (Wilson 1927).

    >>> [round(end, 3) for end in wilson(0.0, 20)]
    [0.0, 0.161]
    """
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = (
        z
        / (1 + z * z / count)
        * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    )
    return max(0.0, centre - half), min(1.0, centre + half)


def summary(results: Sequence[Judged]) -> dict[str, Any]:
    """Recall, right cause and false alarms of some results."""
    ill, learned = (
        [each for each in results if each.label == "ill"],
        [each for each in results if each.label == "learned"],
    )
    return {
        "recall": rate(ill, lambda each: each.named),
        "right_cause": rate(ill, lambda each: each.right),
        "accused": rate(learned, lambda each: each.named),
        "unclear_runs": sum(each.label == "unclear" for each in results),
    }


def document(results: Sequence[Judged]) -> dict[str, Any]:
    """Everything that is counted, as data."""
    halves = {
        half: summary([each for each in results if each.case.half == half])
        for half in ("tuned", "untouched")
    }
    return {
        "schema": "dlprobe-detection/1",
        "all": summary(results),
        **halves,
        "rules": {code: of_rule(code, results) for code in all_rules()},
    }


def of_rule(code: str, results: Sequence[Judged]) -> dict[str, Any]:
    """The confusion matrix of one rule: fired or silent, on ill runs that accept it, on other
    ill runs, on runs that learned.
    """
    groups = {
        "accepted": [
            each for each in results if each.label == "ill" and code in each.case.accepted
        ],
        "other_ill": [
            each for each in results if each.label == "ill" and code not in each.case.accepted
        ],
        "learned": [each for each in results if each.label == "learned"],
    }
    counted: dict[str, Any] = {"severity": all_rules()[code].severity}
    for name, group in groups.items():
        counted[name] = {
            "fired": sum(any(found == code for found, _ in each.codes) for each in group),
            "named": sum(
                any(found == code and severity != "info" for found, severity in each.codes)
                for each in group
            ),
            "not_evaluated": sum(code in each.not_evaluated for each in group),
            "runs": len(group),
        }
    return counted


def table(counted: dict[str, Any]) -> str:
    """The counts as text."""
    lines = []
    for name in ("all", "tuned", "untouched"):
        part = counted[name]
        rates = "; ".join(
            f"{what} {_rate(part[what])}" for what in ("recall", "right_cause", "accused")
        )
        lines.append(f"{name}: {rates}; unclear {part['unclear_runs']}")
    lines += [
        "",
        (
            f"{'rule':6}{'severity':10}{'accepted ill':>16}{'other ill':>16}{'learned':>16}   "
            "(fired as error or warning / fired / runs)"
        ),
    ]
    for code, row in counted["rules"].items():
        cells = (
            f"{row[group]['named']}/{row[group]['fired']}/{row[group]['runs']}"
            for group in ("accepted", "other_ill", "learned")
        )
        lines.append(f"{code:6}{row['severity']:10}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def _rate(found: Rate) -> str:
    if found["share"] is None:
        return "–"
    return (
        f"{found['share']:.3f} [{found['low']:.3f}, {found['high']:.3f}] "
        f"({found['hits']}/{found['runs']} runs, {found['cases']} cases)"
    )
