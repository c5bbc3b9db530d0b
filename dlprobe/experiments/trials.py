"""Trials: single trainings of a changed configuration, and what each came to, measured without any rule.

A trial *learned* where the run's own end says so (`analysis.learning`): it learned well; or, of data
of which nobody gets that much, it is as good as the best configuration that was tried on them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from dlprobe.analysis.learning.learned import NOTHING, Learning, learning, state
from dlprobe.config import RunConfig, from_mapping, to_mapping, with_values
from dlprobe.errors import ConfigError
from dlprobe.experiments.study import pinned, work
from dlprobe.rules import Finding
from dlprobe.rules.files import Criteria
from dlprobe.rules.remedies import widths_text
from dlprobe.runs.content import canonical

if TYPE_CHECKING:
    from dlprobe.runs import Run
    from dlprobe.training.prepared_sets import PreparedSets

LEARNED = "learned well"
SHARE = 0.9  # of the reachable skill, as in the detection benchmark
METRICS = ("val_error", "train_error", "val_loss", "train_loss")  # the first that a run has is compared
PREPARED_ANEW = ("scaling", "target_scaling")  # of [data], what plain defaults do in their own way


@dataclass(frozen=True)
class Trial:
    """One training.

    state: the run's, a `StateName`. skill: 1 − error/chance or R² at the end, on the validation part
    where there is one, −∞ where it is no number. metric: the first of METRICS, infinite for none.
    risen: whether a loss ends above its value before training. findings: what rules say of it; None
    where they were not asked.
    """

    state: str
    skill: float
    metric: float
    risen: bool = False
    findings: tuple[Finding, ...] | None = None

    def learned(self, reachable: float = math.nan) -> bool:
        """Whether the run learned; `reachable` is the skill of the best known configuration, NaN where none is known."""
        if self.state == LEARNED:
            return True
        return self.state == "learned in part" and not self.risen and reachable >= NOTHING and self.skill >= SHARE * reachable


Measure: TypeAlias = "Callable[[Run], Trial]"


def trial_of(run: Run) -> Trial:
    """What a run came to. Raises RunFileError where it is damaged."""
    found = learning(run)
    reached = state(found, run.status).name
    return Trial(reached, _skill(found) if run.status != "diverged" else -math.inf, metric_of(run), found is not None and _risen(found))


def judged_trial_of(run: Run) -> Trial:
    """The same with what rules say of the run."""
    measured = trial_of(run)
    return Trial(measured.state, measured.skill, measured.metric, measured.risen, Criteria().judge(run).findings)


def _skill(found: Learning | None) -> float:
    if found is None:
        return -math.inf
    last = (float(found.val_skill[-1]), float(found.skill[-1]))
    return next((value for value in last if math.isfinite(value)), -math.inf)


def _risen(found: Learning) -> bool:
    return any(bool(loss[-1] > loss[0]) for loss in (found.loss, found.val_loss))


def metric_of(run: Run) -> float:
    """The first of METRICS that the run has; infinite for none."""
    values = [float(run.final[name]) for name in METRICS if name in run.final and np.isfinite(run.final[name])]
    return values[0] if values else math.inf


def reachable_skill(groups: Iterable[Sequence[Trial]]) -> float:
    """The largest median skill of groups of trials, each the seeds of one configuration; NaN without trials."""
    medians = [float(np.median([trial.skill for trial in group])) for group in groups if group]
    return max(medians, default=math.nan)


def plain_defaults(config: RunConfig) -> RunConfig:
    """What `dlprobe train` makes of the same data, split and seed without any other option; recorded as `config` says."""
    mapping, plain = to_mapping(config, whole=True), to_mapping(RunConfig(), whole=True)
    data = {**mapping["data"], **{key: plain["data"][key] for key in PREPARED_ANEW}}
    training = {key: mapping["training"][key] for key in ("seed", "threads")}
    recording = mapping["recording"]
    if recording["evaluate_every"] == "never":
        recording = {**recording, "evaluate_every": plain["recording"]["evaluate_every"]}
    return from_mapping({"data": data, "training": training, "recording": recording})


def work_ratio(config: RunConfig, other: RunConfig, sets: PreparedSets) -> float:
    """Planned multiply-adds of `config` over those of `other`."""
    return work(config, sets) / max(work(other, sets), 1.0)


def key_of(config: RunConfig) -> str:
    """What two trials share that trained the same: SHA-256 of the configuration, its seed included, paths left out."""
    return hashlib.sha256(canonical(pinned(config)).encode()).hexdigest()


def change_text(config: RunConfig, patch: Mapping[str, str]) -> str:
    """A patch in words: the keys that it changes without their tables, and in place of `auto` what that means where the configuration alone says it.

    >>> change_text(from_mapping({"model": {"init": "zeros"}}), {"model.init": "auto", "model.bias_init": "auto"})
    'init = he_normal'
    """
    changed = with_values(config, patch)
    before, after = to_mapping(config, whole=True), to_mapping(changed, whole=True)
    resolved = {"model.init": str(changed.model.resolved_init), "training.lr": f"{changed.training.resolved_lr:g}"}
    told = []
    for place, typed in patch.items():
        table, key = place.rpartition(".")[::2]
        if not table or before[table][key] != after[table][key]:
            told.append(f"{key} = {resolved.get(place, typed) if typed == 'auto' else typed}")
    return ", ".join(told)


def value_text(config: RunConfig, place: str) -> str:
    """The value of a `table.key` as it would be typed.

    >>> value_text(RunConfig(), "model.layers")
    '100,100'
    """
    table, key = place.split(".")
    value = to_mapping(config, whole=True)[table][key]
    if place == "model.layers":
        return widths_text(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(f"{each}" for each in value) if isinstance(value, list) else f"{value}"


def possible(config: RunConfig, patch: Mapping[str, str]) -> RunConfig | None:
    """The patched configuration; None where the change is impossible for it, or changes nothing."""
    try:
        changed = with_values(config, patch)
    except ConfigError:
        return None
    return None if to_mapping(changed) == to_mapping(config) else changed
