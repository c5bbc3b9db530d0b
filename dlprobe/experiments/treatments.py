"""Changes worth a trial: what a diagnosis names, one by one, further and piled up."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np

from dlprobe.config import RunConfig, to_mapping, with_values
from dlprobe.config.named_files import named_files
from dlprobe.dataclass import dataclass
from dlprobe.experiments.changes import changed_values, possible, work_ratio
from dlprobe.experiments.proof_record import CURED_SHARE
from dlprobe.experiments.trials import Trial
from dlprobe.rules import Finding, Remedy
from dlprobe.rules.diagnosis import joined
from dlprobe.training.prepared_sets import PreparedSets

DEAR = 1.5  # times the run's own work, from which a change is tried after all others

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
        """(smallest, largest) metric over the seeds."""
        values = [trial.metric for trial in self.trials]
        return min(values), max(values)

    @property
    def cures(self) -> bool:
        """Whether at least CURED_SHARE (0.8) of the seeds are cured."""
        return self.cured >= CURED_SHARE * len(self.trials)

    @property
    def error_of_mean(self) -> float:
        """Standard error of the mean metric over the seeds that are finite; 0 where one seed
        says nothing of the spread.
        """
        values = [trial.metric for trial in self.trials if math.isfinite(trial.metric)]
        return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0


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
    if changed is None or named_files(changed) != named_files(config):
        return None
    return Treatment(changed, codes, remedy)


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
