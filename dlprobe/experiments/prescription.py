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
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np

from dlprobe.config import RunConfig, to_mapping, with_values
from dlprobe.config.named_files import named_files
from dlprobe.experiments.changes import (
    change_text,
    changed_values,
    plain_defaults,
    possible,
    work_ratio,
)
from dlprobe.experiments.experiment import PlannedExperiment
from dlprobe.experiments.proof_record import CURED_SHARE
from dlprobe.experiments.study import PlannedRun, run_id
from dlprobe.experiments.trials import Trial, judged_trial_of, reachable_skill
from dlprobe.rules import Finding, Remedy
from dlprobe.rules.diagnosis import joined
from dlprobe.runs import Run
from dlprobe.training.prepared_sets import PreparedSets

DEAR = 1.5  # times the run's own work, from which a change is tried after all others
ALIKE = 1.1  # works up to this quotient are equal work
# states that an outcome can cure
FAILED = ("did not learn", "learned in part", "learned and lost", "diverged")
BUDGET = ("model.layers", "training.epochs", "training.steps")  # what alone is more of the same
# Choices of a run that are set back to their defaults where it failed, the likeliest first; those
# of one entry together.
CHOICES: tuple[tuple[str, ...], ...] = (
    ("data.scaling",),
    ("data.target_scaling",),
    ("model.output_activation", "training.loss"),
    ("training.optimizer", "training.lr"),
    ("model.init", "model.bias_init"),
    ("model.activation", "model.init", "model.bias_init"),
    ("training.l1", "training.l2", "model.dropout", "model.input_dropout"),
    ("training.schedule", "training.warmup"),
    ("training.batch_size",),
    ("model.norm",),
)

Role: TypeAlias = Literal["as it is", "change", "defaults"]


@dataclass(frozen=True)
class Treatment:
    """A configuration to train. codes: the findings that asked for it; remedy: its change and why,
    None for the run as it is and plain defaults; change: the patch in words.
    """

    config: RunConfig
    codes: tuple[str, ...] = ()
    remedy: Remedy | None = None
    role: Role = "change"
    change: str = ""


@dataclass(frozen=True)
class Result:
    """All seeds of a treatment. work: planned multiply-adds, as a multiple of the run's own;
    cured: in how many seeds, as `judged_results` says.
    """

    treatment: Treatment
    trials: tuple[Trial, ...]
    work: float = 1.0
    cured: int = 0

    @property
    def median(self) -> float:
        """Median of the metric over seeds; a run that diverged counts as infinite."""
        return float(np.median([trial.metric for trial in self.trials]))

    @property
    def span(self) -> tuple[float, float]:
        """Smallest and largest metric."""
        values = [trial.metric for trial in self.trials]
        return min(values), max(values)

    @property
    def cures(self) -> bool:
        """Whether enough seeds are cured."""
        return self.cured >= CURED_SHARE * len(self.trials)

    @property
    def error_of_mean(self) -> float:
        """Standard error of the mean metric over the seeds that are finite; 0 where one seed
        says nothing of the spread.
        """
        values = [trial.metric for trial in self.trials if math.isfinite(trial.metric)]
        return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0


def treated_codes(findings: Sequence[Finding]) -> tuple[str, ...]:
    """What is to be cured: the errors; where there is none, the warnings."""
    for severity in ("error", "warning"):
        codes = tuple(
            dict.fromkeys(finding.code for finding in findings if finding.severity == severity)
        )
        if codes:
            return codes
    return ()


def treatments(
    config: RunConfig,
    findings: Sequence[Finding],
    most: int,
    *,
    cause: Finding | None = None,
    failed: bool = False,
    sets: PreparedSets | None = None,
    together: Sequence[Finding] = (),
) -> list[Treatment]:
    """Every different change that may cure, in the order in which they are tried, at most so
    many; the other arguments are those of `Prescription`.
    """
    prepared = sets or PreparedSets()
    asked: dict[tuple[tuple[str, str], ...], list[tuple[str, Remedy]]] = {}
    for code, remedy in [
        *((fault.code, joined(together)) for fault in together),
        *_named(config, findings, cause, failed),
    ]:
        asked.setdefault(tuple(sorted(remedy.patch.items())), []).append((code, remedy))
    alone = [
        _treatment(config, tuple(dict.fromkeys(code for code, _ in same if code)), same[0][1])
        for same in asked.values()
    ]
    promising = [
        treatment
        for treatment in _different(alone, [config])
        if not is_hopeless(config, treatment, cause, prepared)
    ]
    # stable: within both halves the order stays
    promising.sort(key=lambda treatment: work_ratio(treatment.config, config, prepared) > DEAR)
    return promising[:most]


def _named(
    config: RunConfig, findings: Sequence[Finding], cause: Finding | None, failed: bool
) -> Iterator[tuple[str, Remedy]]:
    """(code, remedy): of the cause, of what is to be cured, of the other faults, and what the
    run chose itself.
    """
    codes = treated_codes(findings)
    faults = [other for other in findings if other.severity != "info" and other is not cause]
    for finding in [
        *([] if cause is None else [cause]),
        *sorted(faults, key=lambda fault: fault.code not in codes),
    ]:
        for remedy in finding.remedies:
            yield finding.code, remedy
    if failed:
        yield from (("", remedy) for remedy in own_choices(config))


def own_choices(config: RunConfig) -> Iterator[Remedy]:
    """What the run chose itself, set back to its default, each alone."""
    here, plain = to_mapping(config, whole=True), to_mapping(RunConfig(), whole=True)
    for keys in CHOICES:
        places = [key.split(".") for key in keys]
        if here[places[0][0]][places[0][1]] != plain[places[0][0]][places[0][1]]:
            patch = {f"{table}.{key}": str(plain[table][key]) for table, key in places}
            yield Remedy(
                patch,
                f"{', '.join(key for _, key in places)} as by default: no finding names the "
                "run's own choice",
            )


def is_hopeless(
    config: RunConfig, treatment: Treatment, cause: Finding | None, sets: PreparedSets
) -> bool:
    """Whether a change is only more of the same, units or updates, and the cause does not ask
    for it: a factor per layer, a wrong rate or scale stays.
    """
    if (
        cause is None
        or treatment.remedy is None
        or any(remedy.patch == treatment.remedy.patch for remedy in cause.remedies)
    ):
        return False
    changed = changed_values(config, treatment.config)
    return (
        all(key in BUDGET for key in changed) and work_ratio(treatment.config, config, sets) > 1.0
    )


def _different(made: Sequence[Treatment | None], known: Sequence[RunConfig]) -> list[Treatment]:
    """Those that are possible and train something else than what is known and than each other;
    another seed alone is what every change is trained with.
    """
    seen = [_without_seed(config) for config in known]
    different = []
    for candidate in made:
        if candidate is not None and (mapping := _without_seed(candidate.config)) not in seen:
            seen.append(mapping)
            different.append(candidate)
    return different


def _without_seed(config: RunConfig) -> dict[str, dict[str, Any]]:
    return to_mapping(
        with_values(config, {"training.seed": 0, "data.data_seed": config.resolved_data_seed})
    )


def _treatment(config: RunConfig, codes: tuple[str, ...], remedy: Remedy) -> Treatment | None:
    """None where the change is impossible, changes nothing, or has another file opened than the
    run does.
    """
    changed = possible(config, remedy.patch)
    return (
        None
        if changed is None or named_files(changed) != named_files(config)
        else Treatment(changed, codes, remedy)
    )


def second_round(
    results: Sequence[Result], findings: Sequence[Finding], most: int
) -> list[Treatment]:
    """Where no change cured: the one that helped most, joined with further ones, and the first
    changes of all that is to be cured together. None where nothing helped. results: the run as it
    is first; findings: of the run.
    """
    before, *others = results
    tried = [other for other in others if other.treatment.role == "change"]
    best = min(tried, key=lambda treatment: (-treatment.cured, treatment.median), default=before)
    if best is before or not (best.cured > before.cured or best.median < before.median):
        return []
    known = [before.treatment.config, *(other.treatment.config for other in others)]
    joined = further(
        best.treatment,
        best.trials[0].findings or (),
        [treatment.treatment for treatment in tried],
        most,
    )
    together = _different(
        [piled(before.treatment.config, findings)],
        [*known, *(treatment.config for treatment in joined)],
    )
    return [*joined[: most - len(together)], *together]


def further(
    first: Treatment, findings: Sequence[Finding], tried: Sequence[Treatment], most: int
) -> list[Treatment]:
    """A change with each that the findings of its own run name, and then with each of the other
    changes that leaves it as it is.

    Two faults of one configuration need two changes, and the second one often shows only when the
    first is out of the way.
    """
    begun = first.remedy or Remedy({}, "")
    named = treatments(first.config, findings, most)
    others = [
        treatment
        for treatment in tried
        if treatment.remedy is not None and not set(treatment.remedy.patch) & set(begun.patch)
    ]
    both = [
        _treatment(first.config, other.codes, other.remedy)
        for other in others
        if other.remedy is not None
    ]
    different = _different(
        [*named, *both], [first.config, *(treatment.config for treatment in tried)]
    )
    return [_joined(begun, treatment) for treatment in different][:most]


def _joined(begun: Remedy, second: Treatment) -> Treatment:
    """The second change, told with the first, which its configuration has already."""
    remedy = second.remedy or Remedy({}, "")
    return replace(
        second, remedy=Remedy({**begun.patch, **remedy.patch}, f"{begun.why}; then {remedy.why}")
    )


def piled(config: RunConfig, findings: Sequence[Finding]) -> Treatment | None:
    """The first remedies of all that is to be cured together; where two set the same key, the
    earlier finding's value stays. None for fewer than two.
    """
    codes = treated_codes(findings)
    first = {
        finding.code: finding.remedies[0]
        for finding in reversed(findings)
        if finding.code in codes and finding.remedies
    }
    named = [code for code in codes if code in first]
    patch = {key: value for code in reversed(named) for key, value in first[code].patch.items()}
    if len(named) < 2:
        return None
    return _treatment(
        config, tuple(named), Remedy(patch, f"the first remedies of {len(named)} findings together")
    )


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
    best = min(cures, key=lambda cure: (cure.median, cure.work))
    alike = [cure for cure in cures if not is_better(best, cure)]
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
    """What came of the treatments, the run as it is first, in the order in which they were tried;
    of a stopped experiment those all of whose seeds ended.

    planned: changes that were to be tried, as far as that was known.
    """

    results: Sequence[Result]
    complete: bool
    planned: int = 0

    @property
    def changes(self) -> list[Result]:
        """Those that change the run."""
        return [result for result in self.results if result.treatment.role == "change"]

    @property
    def cure(self) -> Result | None:
        """The cure to take; None where nothing cures."""
        return best_cure(self.results) if self.results else None

    @property
    def defaults_better(self) -> bool:
        """Whether plain defaults cure, and are better than the cure beyond the spread of the
        seeds.
        """
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
        return (
            self.defaults
            if self.defaults is not None and self.defaults.cures and not lucky
            else None
        )

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
        """Nothing where nothing is named."""
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
        """The run, measured and judged."""
        return judged_trial_of(run)

    def conclude(self, ended: Mapping[str, Trial], complete: bool) -> Tried | None:
        """None where not even the run as it is was repeated with all seeds."""
        tried = self._treatments(ended)
        results = self._results(tried, ended)
        return (
            Tried(results, complete, sum(treatment.role == "change" for treatment in tried))
            if complete or results
            else None
        )
