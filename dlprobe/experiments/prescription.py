"""Trying remedies: the configuration of an ill run as it is, and with each change that its findings name, over a few seeds on the same data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dlprobe.config import RunConfig, to_mapping, with_values
from dlprobe.errors import ConfigError
from dlprobe.experiments.experiment import PlannedExperiment
from dlprobe.experiments.study import PlannedRun, run_id
from dlprobe.rules import Finding, Remedy
from dlprobe.rules.files import Criteria
from dlprobe.runs import Run
from dlprobe.training.prepared_sets import PreparedSets

CURED_SHARE = 0.8  # of the seeds, e.g. 4 of 5
METRICS = ("val_error", "train_error", "val_loss", "train_loss")  # the first that a run has is the one that tells whether it learned


@dataclass(frozen=True)
class Treatment:
    """A configuration to train. codes: the findings that asked for it, none for the run as it is; remedy: its change and why."""

    config: RunConfig
    codes: tuple[str, ...] = ()
    remedy: Remedy | None = None


@dataclass(frozen=True)
class Trial:
    """One seed's run of a treatment.

    ill: codes of the severity that was treated that it still has; others: errors that the ill run did not have; findings: all of its own.
    """

    metric: float
    ill: tuple[str, ...]
    others: tuple[str, ...]
    work: float
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Result:
    """All seeds of a treatment."""

    treatment: Treatment
    trials: tuple[Trial, ...]

    @property
    def median(self) -> float:
        """Of the metric; a run that diverged counts as infinite."""
        return float(np.median([trial.metric if np.isfinite(trial.metric) else np.inf for trial in self.trials]))

    @property
    def span(self) -> tuple[float, float]:
        """Smallest and largest metric."""
        values = [trial.metric if np.isfinite(trial.metric) else np.inf for trial in self.trials]
        return min(values), max(values)

    @property
    def work(self) -> float:
        """Updates times parameters: what the training costs."""
        return float(np.median([trial.work for trial in self.trials]))

    def cured(self, before: Result) -> int:
        """In how many seeds what was treated is gone, nothing worse has come, and the metric is not worse than before."""
        return sum(not trial.ill and not trial.others and trial.metric <= before.median for trial in self.trials)


def treated_codes(findings: Sequence[Finding]) -> tuple[str, ...]:
    """What is to be cured: the errors; where there is none, the warnings."""
    for severity in ("error", "warning"):
        codes = tuple(dict.fromkeys(each.code for each in findings if each.severity == severity))
        if codes:
            return codes
    return ()


def treatments(config: RunConfig, findings: Sequence[Finding], most: int) -> list[Treatment]:
    """Every different change that errors and warnings name, those of what is to be cured first, at most so many; then the first ones of what is to be cured
    piled up: those of the first two findings, of the first three and so on, at most so many again, those of all in any case.

    Warnings are asked too, because what stands behind an error is often one of them: inputs that are not scaled, too few units.
    """
    codes = treated_codes(findings)
    asked: dict[tuple[tuple[str, str], ...], list[tuple[str, Remedy]]] = {}
    for finding in sorted((each for each in findings if each.severity != "info"), key=lambda each: each.code not in codes):
        for remedy in finding.remedies:
            asked.setdefault(tuple(sorted(remedy.patch.items())), []).append((finding.code, remedy))
    alone = [_treatment(config, tuple(dict.fromkeys(code for code, _ in same)), same[0][1]) for same in asked.values()]
    singles = _different(alone, [config])[:most]
    piled = _different(_piled(config, findings, codes), [config, *(each.config for each in singles)])
    return singles + (piled if len(piled) <= most else [*piled[: most - 1], piled[-1]])


def _different(made: Sequence[Treatment | None], known: Sequence[RunConfig]) -> list[Treatment]:
    """Those that are possible and train something else than what is known and than each other."""
    seen = [to_mapping(config) for config in known]
    found = []
    for each in made:
        if each is not None and (mapping := to_mapping(each.config)) not in seen:
            seen.append(mapping)
            found.append(each)
    return found


def _treatment(config: RunConfig, codes: tuple[str, ...], remedy: Remedy) -> Treatment | None:
    try:
        return Treatment(with_values(config, remedy.patch), codes, remedy)
    except ConfigError:  # two changes that exclude each other, or one that this configuration does not take
        return None


def _piled(config: RunConfig, findings: Sequence[Finding], codes: Sequence[str]) -> list[Treatment | None]:
    """The first remedies of the first two findings, of the first three, …; where two set the same key, the earlier finding's value stays."""
    first = {each.code: each.remedies[0] for each in reversed(findings) if each.code in codes and each.remedies}
    named = [code for code in codes if code in first]
    made, patch = [], dict(first[named[0]].patch) if named else {}
    for count, code in enumerate(named[1:], 2):
        patch = {**first[code].patch, **patch}
        made.append(_treatment(config, tuple(named[:count]), Remedy(patch, f"the first remedies of {count} findings together")))
    return made


def second_round(results: Sequence[Result], most: int) -> list[Treatment]:
    """Where nothing cured: the change that helped most, joined with further ones. None where nothing helped."""
    before, *tried = results
    best = min(tried, key=lambda each: each.median, default=before)
    if best is before or not best.median < before.median:
        return []
    return further(best.treatment, best.trials[0].findings, [each.treatment for each in tried], most)


def further(first: Treatment, findings: Sequence[Finding], tried: Sequence[Treatment], most: int) -> list[Treatment]:
    """A change with each that the findings of its own run name, and then with each of the other changes that leaves it as it is.

    Two faults of one configuration need two changes, and the second one often shows only when the first is out of the way.
    """
    begun = first.remedy or Remedy({}, "")
    named = treatments(first.config, findings, most)
    others = [each for each in tried if each.remedy is not None and not set(each.remedy.patch) & set(begun.patch)]
    both = [_treatment(first.config, each.codes, each.remedy) for each in others if each.remedy is not None]
    found = _different([*named, *both], [first.config, *(each.config for each in tried)])
    return [_joined(begun, each) for each in found][:most]


def _joined(begun: Remedy, second: Treatment) -> Treatment:
    """The second change, told with the first, which its configuration has already."""
    remedy = second.remedy or Remedy({}, "")
    return replace(second, remedy=Remedy({**begun.patch, **remedy.patch}, f"{begun.why}; then {remedy.why}"))


def trial_of(run: Run, codes: Sequence[str], errors: Collection[str]) -> Trial:
    """A run of a treatment, judged. codes: what is treated; errors: those of the ill run."""
    judgement = Criteria().judge(run)
    fired = {each.code: each.severity for each in judgement.findings if each.severity != "info"}  # what has become an info is no fault any more
    new = tuple(code for code, severity in fired.items() if severity == "error" and code not in errors and code not in codes)
    work = float(run.final["steps_done"]) * sum(layer.parameter_count or 0 for layer in run.layer_facts)
    return Trial(metric_of(run), tuple(code for code in codes if code in fired), new, work, tuple(judgement.findings))


def metric_of(run: Run) -> float:
    """The first of METRICS that the run has; infinite for none."""
    values = [float(run.final[name]) for name in METRICS if name in run.final and np.isfinite(run.final[name])]
    return values[0] if values else float("inf")


def cheapest_cure(results: Sequence[Result]) -> Result | None:
    """Of those that cure in enough seeds the one with the least work; the first of equals. None where nothing helped."""
    before, *tried = results
    cures = [each for each in tried if each.cured(before) >= CURED_SHARE * len(each.trials)]
    return min(cures, key=lambda each: each.work) if cures else None


@dataclass(frozen=True)
class Tried:
    """What came of the treatments, the run as it is first, in the order in which they were tried; of a stopped experiment those all of whose seeds ended."""

    results: Sequence[Result]
    complete: bool


@dataclass(frozen=True)
class Prescription(PlannedExperiment[Trial, Tried]):
    """Every treatment that the findings of a run name, over some seeds, beside the configuration as it is; where none cures, a second round."""

    name = "prescribe"
    doing = "trying remedies"

    config: RunConfig
    findings: Sequence[Finding]
    seeds: Sequence[int]
    tries: int
    sets: PreparedSets

    @property
    def codes(self) -> tuple[str, ...]:
        """What is to be cured."""
        return treated_codes(self.findings)

    def plan(self, found: Mapping[str, Trial]) -> list[PlannedRun]:
        """Nothing where nothing is named."""
        return [
            PlannedRun(self._id(number, seed), with_values(each.config, {"training.seed": seed}), {"treatment": number, "seed": seed})
            for number, each in enumerate(self._treatments(found))
            for seed in self.seeds
        ]

    def _treatments(self, found: Mapping[str, Trial]) -> list[Treatment]:
        """The run as it is first."""
        first = self._first
        results = self._results(first, found)
        if len(results) < len(first) or not first or cheapest_cure(results) is not None:
            return first
        return [*first, *second_round(results, self.tries)]

    @cached_property
    def _first(self) -> list[Treatment]:
        named = treatments(self.config, self.findings, self.tries)
        return [Treatment(self.config), *named] if named else []

    def _id(self, number: int, seed: int) -> str:
        return run_id(number, "treatment", seed)

    def _results(self, tried: Sequence[Treatment], found: Mapping[str, Trial]) -> list[Result]:
        """Of the treatments all of whose seeds ended."""
        ids = [[self._id(number, seed) for seed in self.seeds] for number in range(len(tried))]
        return [Result(each, tuple(found[id] for id in own)) for each, own in zip(tried, ids, strict=True) if all(id in found for id in own)]

    def read(self, planned: PlannedRun, run: Run) -> Trial:
        """The run, judged."""
        return trial_of(run, self.codes, {each.code for each in self.findings if each.severity == "error"})

    def conclude(self, found: Mapping[str, Trial], complete: bool) -> Tried | None:
        """None where not even the run as it is was repeated with all seeds."""
        results = self._results(self._treatments(found), found)
        return Tried(results, complete) if complete or (results and results[0].treatment.remedy is None) else None
