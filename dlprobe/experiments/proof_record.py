"""The record of a proof: what was undone, what came of both arms, and the verdict that follows
(`proof` says why so).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, TypeAlias

from dlprobe.analysis.comparing.count_tests import p_more_errors
from dlprobe.dataclass import dataclass
from dlprobe.experiments.trials import Trial, reachable_skill
from dlprobe.registry import counted

CURED_SHARE = 0.8  # of the seeds, e.g. 4 of 5
LEVEL = 0.05  # of the exact test

SOMETHING = ("learned well", "learned in part")  # states of a run that learned something

Verdict: TypeAlias = Literal["proved", "not proved", "unfinished"]


@dataclass(frozen=True)
class Cause:
    """What is to be proved. code, name: of the finding; patch: the change that undoes it, by
    `table.key` as typed; why: the remedy's line.

    beside: (code, name) of the further causes that the patch undoes with it.
    """

    code: str
    name: str
    patch: Mapping[str, str]
    why: str = ""
    beside: tuple[tuple[str, str], ...] = ()

    @property
    def sentence(self) -> str:
        """`poor-initial-scale (W002) and held-back (L013)`."""
        return " and ".join(
            dict.fromkeys(
                f"{name} ({code})" for code, name in ((self.code, self.name), *self.beside)
            )
        )

    def to_json(self) -> dict[str, Any]:
        """The cause as data."""
        beside = [{"code": code, "name": name} for code, name in self.beside]
        return {
            "code": self.code,
            "name": self.name,
            "patch": dict(self.patch),
            "why": self.why,
            "beside": beside,
        }


@dataclass(frozen=True)
class Proof:
    """The trials of a proof and what follows from them.

    change: the patch in words. seeds: that were asked for; pairs: by seed, the trial with the cause
        undone and the restarts of its sham, of the seeds that ended. defaults: trials of the plain
        defaults, where nothing else says what can be reached. earlier: what was undone before, of
        the same causes fewer, and did not prove them.
    """

    cause: Cause
    change: str
    seeds: tuple[int, ...]
    pairs: Mapping[int, tuple[Trial, tuple[Trial, ...]]]
    defaults: tuple[Trial, ...] = ()
    earlier: tuple[Proof, ...] = ()

    @cached_property
    def reachable(self) -> float:
        """The best median skill among the arms; NaN where no reference was trained, since the
        arms alone do not tell.
        """
        if not self.defaults:
            return math.nan
        undone = [trial for trial, _ in self.pairs.values()]
        return reachable_skill(
            [
                undone,
                *([shams[at] for _, shams in self.pairs.values()] for at in range(self.restarts)),
                self.defaults,
            ]
        )

    @property
    def restarts(self) -> int:
        """Number of restarts of each sham, the least over seeds; 0 without pairs."""
        return min((len(shams) for _, shams in self.pairs.values()), default=0)

    @property
    def outcomes(self) -> list[tuple[bool, bool]]:
        """(learned with the cause undone, learned with any restart of the sham) of each pair, in
        the order of `pairs`.
        """
        return [
            (trial.learned(self.reachable), any(sham.learned(self.reachable) for sham in shams))
            for trial, shams in self.pairs.values()
        ]

    @property
    def undone(self) -> int:
        """Number of seeds that learn with the cause undone."""
        return sum(cured for cured, _ in self.outcomes)

    @property
    def sham(self) -> int:
        """Number of seeds that learn with the sham."""
        return sum(luck for _, luck in self.outcomes)

    @property
    def complete(self) -> bool:
        """Whether there is a pair for every seed asked for."""
        return len(self.pairs) == len(self.seeds)

    @property
    def verdict(self) -> Verdict:
        """`unfinished` where a seed is missing, else `proved` or `not proved`, as `verdict_reason`
        says.
        """
        if not self.complete:
            return "unfinished"
        if verdict_reason(self.undone, self.sham, len(self.pairs)) == "":
            return "proved"
        return "not proved"

    @property
    def reason(self) -> str:
        """Why it is not proved; empty where it is."""
        if not self.complete:
            return f"{len(self.pairs)} of {counted(len(self.seeds), 'seed')} have ended"
        reason = verdict_reason(
            self.undone, self.sham, len(self.pairs), "them" if self.cause.beside else "it"
        )
        return " ".join(filter(None, [reason, self._helps]))

    @property
    def _helps(self) -> str:
        """How far undoing the cause helps where it does not cure, by the same test; empty where
        it does not help.
        """
        count = len(self.pairs)
        undone = sum(trial.state in SOMETHING for trial, _ in self.pairs.values())
        sham = sum(
            any(trial.state in SOMETHING for trial in shams) for _, shams in self.pairs.values()
        )
        if (
            self.undone >= CURED_SHARE * count
            or sham >= undone
            or p_more_errors(undone, count, sham, count) > LEVEL + 1e-9
        ):
            return ""
        return (
            f"(but it helps: {undone} of {count} learn something, {sham} of {count} with the sham)"
        )

    @property
    def sentence(self) -> str:
        """`proved: 5 of 5 seeds learn with init = he_normal, 0 of 5 with the sham`, and why
        where it is not.
        """
        count = len(self.pairs)
        counts = (
            f"{self.undone} of {counted(count, 'seed')} "
            f"{'learns' if self.undone == 1 else 'learn'} with {self.change}, {self.sham} of "
            f"{count} with the sham"
        )
        word = "not proved" if self.verdict == "unfinished" else self.verdict
        return f"{word}: {counts}{f'; {self.reason}' if self.reason else ''}"

    def to_json(self) -> dict[str, Any]:
        """The proof as data, without its single trials."""
        counts = {
            "seeds": list(self.seeds),
            "trained": len(self.pairs),
            "undone": self.undone,
            "sham": self.sham,
            "restarts": self.restarts,
        }
        said = {"verdict": self.verdict, "sentence": self.sentence, "reason": self.reason or None}
        reachable = self.reachable if math.isfinite(self.reachable) else None
        made = {
            **said,
            "cause": self.cause.to_json(),
            "change": self.change,
            **counts,
            "reachable": reachable,
        }
        return {**made, "earlier": [trial.to_json() for trial in self.earlier]}


def verdict_reason(undone: int, sham: int, count: int, what: str = "it") -> str:
    """Why counts of seeds that learn prove nothing; empty where they prove the cause. what: `it` of
    one cause, `them` of several.

    >>> [verdict_reason(*counts, 5) == "" for counts in ((5, 0), (5, 1), (4, 0), (5, 2), (4, 1))]
    [True, True, True, False, False]
    """
    if count == 0 or p_more_errors(count, count, 0, count) > LEVEL + 1e-9:
        return (
            f"too few seeds to tell: with {count} even the clearest result may be chance, 3 or "
            "more are needed"
        )
    if p_more_errors(undone, count, sham, count) <= LEVEL + 1e-9:
        if undone >= CURED_SHARE * count:
            return ""
        return f"undoing {what} alone helps in some seeds only: something else stands beside {what}"
    if undone < CURED_SHARE * count:
        if sham:
            return (
                "both learn in some seeds only: chance decides, and something else stands behind it"
            )
        return f"undoing {what} alone does not cure: another cause stands behind or beside {what}"
    return (
        "other weights and another order of samples cure it too: chance decides more than "
        "this cause"
    )
