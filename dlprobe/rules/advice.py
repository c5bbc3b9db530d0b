"""A run beside the practical guidelines: what it has in place of each, and whether what it shows
speaks for a change.

The guidelines are those that `dlprobe new --preset guidelines` writes. The rules are the evidence:
where the run does not follow a guideline, a finding that the guideline's part is known to cure
speaks for it, and so does every error or warning that asks for a change of that option; where it
does, a finding that this part itself causes speaks against. Nothing else does: a run that learned
well has nothing worth changing. Advice is no finding and fails nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from dlprobe.analysis.profiles.idle_units import flat_at_both_ends
from dlprobe.config.presets import Guideline, guidelines
from dlprobe.config.records import RunConfig
from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.registry import Value, counted
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.judging import all_rules, judge
from dlprobe.rules.outcome import Finding, NotEvaluableError, NotEvaluated, findings_of
from dlprobe.runs import Run
from dlprobe.runs.reading import reading

Worth: TypeAlias = Literal["yes", "no", "no evidence"]
Settings: TypeAlias = Mapping[str, Mapping[str, Value]]


@dataclass(frozen=True)
class Advice:
    """One guideline and a run. key: `table.key`; value: what the guideline has there, has: what the
    run has; followed: whether that does as the guideline says; shows: measured numbers, or why
    there are none; codes: the findings that speak for a change.
    """

    guideline: str
    key: str
    value: str
    has: str
    followed: bool
    shows: str
    worth_changing: Worth
    codes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The line as data."""
        return {**asdict(self), "codes": list(self.codes)}


@dataclass(frozen=True)
class Case:
    """What a guideline is judged by. numbers: what the run shows, in words; lacking: rules whose
    findings the guideline's part is known to cure;
    following: rules whose findings it is known to cause.
    """

    numbers: Callable[[Evidence], str]
    lacking: tuple[str, ...]
    following: tuple[str, ...] = ()


def advise(run: Run, path: Path, settings: Settings | None = None) -> tuple[Advice, ...]:
    """A line for every guideline that is for a net of this depth; none where the run's
    configuration cannot be read. settings: thresholds by code.
    """
    evidence = Evidence(run)
    config = evidence.config
    if config is None:
        return ()
    wanted = _wanted(run, path, settings or {})
    return tuple(
        _line(evidence, config, guideline, path, settings or {}, wanted.get(guideline.place, []))
        for guideline in guidelines(len(evidence.hidden))
    )


def _wanted(run: Run, path: Path, settings: Settings) -> dict[str, list[Finding]]:
    """The errors and warnings of a run by the options that they ask to change."""
    by_advice: dict[str, list[Finding]] = {}
    try:
        with reading(path), np.errstate(all="ignore"):
            findings = judge(run, settings=settings).findings
    except RunFileError:  # the exit code is that of the rules that were asked
        return by_advice
    for finding in findings:
        for place in (
            {place for remedy in finding.remedies for place in remedy.patch}
            if finding.severity != "info"
            else ()
        ):
            by_advice.setdefault(place, []).append(finding)
    return by_advice


def _line(
    evidence: Evidence,
    config: RunConfig,
    guideline: Guideline,
    path: Path,
    settings: Settings,
    wanted: list[Finding],
) -> Advice:
    followed = guideline.followed(config)
    try:
        with reading(path), np.errstate(all="ignore"):
            shows, worth, codes = _looked(
                evidence, CASES[guideline.place], followed, settings, [] if followed else wanted
            )
    except (
        RunFileError
    ) as error:  # what the rules that were asked did not read; the exit code is theirs
        shows, worth, codes = str(error), "no evidence", ()
    return Advice(
        guideline.title,
        guideline.place,
        guideline.value,
        guideline.has(config),
        followed,
        shows,
        worth,
        codes,
    )


def _looked(
    evidence: Evidence, case: Case, followed: bool, settings: Settings, wanted: list[Finding]
) -> tuple[str, Worth, tuple[str, ...]]:
    outcomes = {
        code: all_rules()[code].apply(evidence, settings.get(code))
        for code in (case.following if followed else case.lacking)
    }
    findings = [*findings_of(outcomes.values()), *wanted]
    if findings:
        return (
            f"{findings[0].code}: {findings[0].evidence}",
            "yes",
            tuple(dict.fromkeys(fired.code for fired in findings)),
        )
    try:
        numbers = case.numbers(evidence)
    except NotEvaluableError as reason:
        return str(reason), "no evidence", ()
    asked = followed or any(not isinstance(outcome, NotEvaluated) for outcome in outcomes.values())
    if not asked:
        return (
            (
                f"{numbers}; "
                f"{next(outcome.reason for outcome in outcomes.values() if isinstance(outcome, NotEvaluated))}"  # noqa: E501
            ),
            "no evidence",
            (),
        )
    return numbers + ("; the run learned well" if outcomes and _well(evidence) else ""), "no", ()


def _well(evidence: Evidence) -> bool:
    try:
        return evidence.well
    except NotEvaluableError:
        return False


def _units(evidence: Evidence) -> str:
    """The layer with most dead units, and the layer that is flattest among those that are flat
    at both ends.
    """
    hidden = evidence.require_hidden()
    both = [
        index for index in hidden if flat_at_both_ends(evidence.layer_fact("activation", index))
    ]
    dead = evidence.run.evaluation_layers.get("dead_fraction")
    last = evidence.require_evaluations().last_finite
    told = []
    if dead is not None and np.isfinite(dead[last][hidden]).any():
        told.append(
            f"{_largest(evidence, dead[last], hidden)} of the units are dead at the last "
            "finite evaluation"
        )
    if (
        both
        and "flat_fraction" in evidence.run.statistics
        and np.isfinite(evidence.row("flat_fraction", -1)[both]).any()
    ):
        told.append(
            f"{_largest(evidence, evidence.row('flat_fraction', -1), both)} of the elements "
            "are flat at the last recorded step"
        )
    if not told:
        raise NotEvaluableError("neither dead units nor flat elements were recorded")
    return "; ".join(told)


def _largest(evidence: Evidence, values: Any, layers: list[int]) -> str:
    worst = max(layers, key=lambda index: np.nan_to_num(values[index], nan=-1.0))
    return f"in {evidence.names[worst]}, the worst layer, {values[worst]:.0%}"


def _start(evidence: Evidence) -> str:
    first = evidence.profiles[0]
    return f"{first.verdict.verdict} at step {first.step}: {first.verdict.reason}"


def _depth(evidence: Evidence) -> str:
    profiles = evidence.profiles
    ratios = [
        profile.verdict.log10_ratio
        for profile in profiles
        if not np.isnan(profile.verdict.log10_ratio)
    ]
    level = sum(profile.verdict.verdict == "level" for profile in profiles)
    told = f"the error signal is level over depth in {level} of {counted(len(profiles), 'row')}"
    if ratios:
        told += (
            ": log10 of the error signal of the first hidden layer over the last is "
            f"{min(ratios):.2f} to {max(ratios):.2f}"
        )
    mismatch = evidence.run.evaluation_layers.get("norm_mean_mismatch")
    if mismatch is not None and len(mismatch) and np.isfinite(mismatch[-1]).any():
        told += f"; running means are off by at most {np.nanmax(mismatch[-1]):.2g} deviations"
    return told


def _fall(evidence: Evidence) -> str:
    learned = evidence.learning
    first, last = float(learned.loss[0]), float(learned.loss[-1])
    told = (
        f"{learned.loss_name} went from {first:.4g} to {last:.4g} in "
        f"{counted(learned.updates, 'update')}"
    )
    if last < first:
        told += (
            ", half of the way by update "
            f"{learned.steps[int(np.argmax(learned.loss <= (first + last) / 2))]}"
        )
    return told


def _swing(evidence: Evidence) -> str:
    learned = evidence.learning
    swing, rising = learned.swing
    if np.isnan(swing):
        raise NotEvaluableError(
            f"too few finite {learned.moments_name} in the second half of training"
        )
    what = f"from one {learned.moment_name} to the next {learned.loss_name}"
    return (
        f"{what} changes by {swing:.0%} of itself in the second half, {rising:.0%} of the "
        "changes upwards"
    )


def _rise(evidence: Evidence) -> str:
    learned = evidence.learning
    if np.isnan(learned.val_loss).all():
        raise NotEvaluableError("no validation part")
    lowest = float(learned.val_loss[learned.best_val])
    last = float(learned.val_loss[-1])
    best = learned.steps[learned.best_val]
    return (
        f"val_loss was smallest, {lowest:.4g}, after {counted(best, 'update')} and ends at "
        f"{last:.4g}, {learned.val_rise:.3g} times that"
    )


CASES: dict[str, Case] = {
    "model.activation": Case(_units, ("A001", "A002", "G001"), ("A001",)),
    "model.init": Case(_start, ("W001", "W002", "G001", "G002", "A003", "A004")),
    "training.optimizer": Case(_fall, ("L001", "L004")),
    "training.schedule": Case(_swing, ("L003",)),
    "training.early_stopping": Case(_rise, ("B003",)),
    "model.norm": Case(_depth, ("G001", "G002", "A003", "A004"), ("A007",)),
}
