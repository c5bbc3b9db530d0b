"""Prescriptions: the configuration of an ill run as it is, with each change that may cure it, and
plain defaults, over a few seeds on the same data.

**What is tried.** What undoes all causes that stand beside each other, the changes that the cause
names, in its own order (the likeliest first), then those of other errors, of warnings, and for a
run that failed its own choices set back to their defaults; whatever makes training dearer comes
after all that does not. Never what the cause makes hopeless: more of the same (units or updates and
nothing else) is tried only where the cause asks for it. Where no change cures alone, the one that
helped most is joined with what its own findings name and with the others.

**What cures.** Of a run that failed: it learns in CURED_SHARE of the seeds, by its outcome
(`trials`), no rule asked. Of a run that learned and has findings: they are gone, no new error has
come, and it is no worse.

**Which is best.** The best median metric; of those that the seeds do not tell apart from it, within
one standard error of the difference of the means (Breiman, Friedman, Olshen & Stone 1984, §3.4.3,
the one standard error rule), the least work; within ALIKE of that, the best metric.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from dlprobe.config import RunConfig, with_values
from dlprobe.dataclass import dataclass
from dlprobe.experiments.changes import change_text, plain_defaults, work_ratio
from dlprobe.experiments.experiment import PlannedExperiment
from dlprobe.experiments.study import PlannedRun, run_id
from dlprobe.experiments.treatments import (
    Result,
    Treatment,
    _different,
    second_round,
    treated_codes,
    treatments,
)
from dlprobe.experiments.trials import Trial, judged_trial_of, reachable_skill
from dlprobe.rules import Finding
from dlprobe.runs import Run
from dlprobe.training.prepared_sets import PreparedSets

ALIKE = 1.1  # works up to this quotient are equal work
# states that an outcome can cure
FAILED = ("did not learn", "learned in part", "learned and lost", "diverged")


def judged_results(
    results: Sequence[Result], codes: Collection[str], errors: Collection[str], failed: bool
) -> list[Result]:
    """The results with the seeds that are cured; the run as it is is first. codes: what is treated;
    errors: those of the ill run; failed: whether it did not learn, so that the outcome decides.
    """
    if not results:
        return []
    reachable = reachable_skill([result.trials for result in results])
    before = results[0].median

    def cured(trial: Trial) -> bool:
        if not trial.learned(reachable):
            return False
        if failed:
            return True
        # an info is no fault any more
        fired = {
            finding.code: finding.severity
            for finding in trial.findings or ()
            if finding.severity != "info"
        }
        new = [
            code for code, severity in fired.items() if severity == "error" and code not in errors
        ]
        return (
            trial.findings is not None
            and not new
            and not set(codes) & set(fired)
            and trial.metric <= before
        )

    return [replace(result, cured=sum(map(cured, result.trials))) for result in results]


def best_cure(results: Sequence[Result]) -> Result | None:
    """The cure to take among changes that cure, no worse than the run as it is, which is first;
    None where none does.
    """
    before, *tried = results
    cures = [
        treatment
        for treatment in tried
        if treatment.treatment.role == "change"
        and treatment.cures
        and treatment.median <= before.median
    ]
    if not cures:
        return None
    alike = [cure for cure in cures if not any(is_better(other, cure) for other in cures)]
    cheapest = min(candidate.work for candidate in alike)
    return min(
        (candidate for candidate in alike if candidate.work <= ALIKE * cheapest),
        key=lambda candidate: candidate.median,
    )


def is_better(one: Result, other: Result) -> bool:
    """Whether the median of one is below the other's by more than one standard error of the
    difference of their means.
    """
    return one.median < other.median - math.hypot(one.error_of_mean, other.error_of_mean)


@dataclass(frozen=True)
class Tried:
    """The results of the treatments, that of the unchanged run first, in the order in which they
    were tried; of a stopped experiment those all of whose seeds ended.

    planned: changes that were to be tried, as far as that was known.
    """

    results: Sequence[Result]
    complete: bool
    planned: int = 0

    @property
    def changes(self) -> list[Result]:
        """The results of the treatments that change the run."""
        return [result for result in self.results if result.treatment.role == "change"]

    @property
    def cure(self) -> Result | None:
        """The cure to take; None where nothing cures."""
        return best_cure(self.results) if self.results else None

    @property
    def defaults_better(self) -> bool:
        """Whether the plain defaults cure and `is_better` than the cure."""
        return (
            self.cure is not None
            and self.defaults is not None
            and self.defaults.cures
            and is_better(self.defaults, self.cure)
        )

    @property
    def chosen(self) -> Result | None:
        """What is to be written: the cure, else plain defaults where those cure."""
        if self.cure is not None:
            return self.cure
        lucky = bool(self.results) and self.results[0].cures
        if self.defaults is not None and self.defaults.cures and not lucky:
            return self.defaults
        return None

    @property
    def defaults(self) -> Result | None:
        """Plain defaults; None where they were not trained, or are the run as it is."""
        return next(
            (result for result in self.results if result.treatment.role == "defaults"), None
        )


@dataclass(frozen=True)
class Proved:
    """What a proof that lies beside the run has trained: its change and seeds."""

    patch: Mapping[str, str]
    seeds: Sequence[int]


@dataclass(frozen=True)
class Prescription(PlannedExperiment[Trial, Tried]):
    """Everything that may cure a run, over some seeds, beside the configuration as it is and plain
    defaults; where none cures, a second round.

    config: the run's, its data seed given. findings: of the run; cause: the one furthest upstream;
        failed: whether the run did not learn. proved: what need not be trained again. together:
        causes beside each other.
    """

    name = "prescribe"
    doing = "trying remedies"
    longest_first = False  # so that a break leaves whole changes, the likeliest first

    config: RunConfig
    findings: Sequence[Finding]
    seeds: Sequence[int]
    tries: int
    sets: PreparedSets
    cause: Finding | None = None
    failed: bool = True
    proved: Proved | None = None
    together: Sequence[Finding] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """What is to be cured, the cause first."""
        codes = treated_codes(self.findings)
        return codes if self.cause is None else tuple(dict.fromkeys((self.cause.code, *codes)))

    def plan(self, results: Mapping[str, Trial]) -> list[PlannedRun]:
        """The runs of all treatments; none where findings name no change."""
        return [
            PlannedRun(
                self._id(number, seed),
                with_values(treatment.config, {"training.seed": seed}),
                self._coordinates(number, treatment, seed),
            )
            for number, treatment in enumerate(self._treatments(results))
            for seed in self._seeds_of(treatment)
        ]

    def _seeds_of(self, treatment: Treatment) -> Sequence[int]:
        """Of the change that a proof has trained all its seeds, so that both say the same of it."""
        if (
            self.proved is None
            or treatment.remedy is None
            or treatment.remedy.patch != self.proved.patch
        ):
            return self.seeds
        return tuple(dict.fromkeys((*self.seeds, *self.proved.seeds)))

    @staticmethod
    def _coordinates(number: int, treatment: Treatment, seed: int) -> dict[str, Any]:
        return {
            "treatment": number,
            "seed": seed,
            "arm": "defaults" if treatment.role == "defaults" else "change",
        }

    def _treatments(self, ended: Mapping[str, Trial]) -> list[Treatment]:
        """The run as it is first, plain defaults last of the first round."""
        first = self._first
        results = self._results(first, ended)
        if len(results) < len(first) or not first or best_cure(results) is not None:
            return first
        return [*first, *second_round(results, self.findings, self.tries)]

    @cached_property
    def _first(self) -> list[Treatment]:
        named = treatments(
            self.config,
            self.findings,
            self.tries,
            cause=self.cause,
            failed=self.failed,
            sets=self.sets,
            together=self.together,
        )
        if not named:
            return []
        plain = Treatment(plain_defaults(self.config), role="defaults")
        return [
            Treatment(self.config, role="as it is"),
            *named,
            *_different([plain], [self.config]),
        ]

    def _id(self, number: int, seed: int) -> str:
        return run_id(number, "treatment", seed)

    def _results(self, tried: Sequence[Treatment], results: Mapping[str, Trial]) -> list[Result]:
        """Results of treatments all of whose seeds ended; none where the run as it is has not."""
        ids = [
            [self._id(number, seed) for seed in self._seeds_of(treatment)]
            for number, treatment in enumerate(tried)
        ]
        ended = [
            (treatment, own)
            for treatment, own in zip(tried, ids, strict=True)
            if all(id in results for id in own)
        ]
        if not ended or ended[0][0].role != "as it is":
            return []
        ended = [
            (
                replace(
                    treatment,
                    change=change_text(self.config, treatment.remedy.patch)
                    if treatment.remedy
                    else "",
                ),
                own,
            )
            for treatment, own in ended
        ]
        made = [
            Result(
                treatment,
                tuple(results[id] for id in own),
                work_ratio(treatment.config, self.config, self.sets),
            )
            for treatment, own in ended
        ]
        return judged_results(
            made,
            self.codes,
            {finding.code for finding in self.findings if finding.severity == "error"},
            self.failed,
        )

    def read(self, planned: PlannedRun, run: Run) -> Trial:
        """The trial of a run, with its findings."""
        return judged_trial_of(run)

    def conclude(self, ended: Mapping[str, Trial], complete: bool) -> Tried | None:
        """The results of the treatments; None where not even the run as it is was repeated with all
        seeds.
        """
        tried = self._treatments(ended)
        results = self._results(tried, ended)
        if complete or results:
            return Tried(results, complete, sum(treatment.role == "change" for treatment in tried))
        return None
