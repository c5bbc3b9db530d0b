"""What the vanishing/exploding-gradient experiment concludes from the seeds of one cell:
profiles at initialization and after training, beside theory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.profiles import depth_profiles
from dlprobe.analysis.profiles.decomposition import median_factors
from dlprobe.analysis.profiles.depth_profiles import FlowVerdict, SeedRange
from dlprobe.analysis.profiles.development import Course, Development, develop
from dlprobe.analysis.profiles.flow import Flow, flow_of, median_flow
from dlprobe.analysis.profiles.row_verdict import RowVerdict, judge_row
from dlprobe.analysis.theory import mean_field
from dlprobe.dataclass import dataclass
from dlprobe.record.step import StepRow
from dlprobe.registry import counted

Floats: TypeAlias = npt.NDArray[np.float64]
EMPTY = Course(np.empty(0), np.empty(0))


@dataclass(frozen=True)
class SeedResult:
    """One run of a cell. `first` and `last`: the first and last recorded step; None if none.

    `diverged` says where the run became non-finite, empty if it did not. Losses and accuracies are
    of the end of training; NaN where unknown. `val_r2`: of a regression.
    `skill`: share of what could be learned on the training part, 0 for guessing the largest class
        (or the mean), 1 for no error. `course`: how the ratio ran.
    """

    seed: int
    first: StepRow | None
    last: StepRow | None
    diverged: str
    diverged_at_start: bool
    train_loss: float
    train_accuracy: float
    val_accuracy: float
    val_r2: float = math.nan
    skill: float = math.nan
    course: Course = EMPTY


@dataclass(frozen=True)
class Moment:
    """The profiles of a cell at one moment; arrays are medians over seeds per hidden layer, factors
    (hidden − 1,) of mean squares. because: the factors of one layer in words.
    """

    log10_error_signal_ratio: SeedRange
    decay_factor: float
    e_folding_depth: float
    flow: Flow
    activation_sample_variance: Floats
    slope_factor: Floats
    weight_factor: Floats
    backward_ratio: Floats
    forward_ratio: Floats
    verdict: FlowVerdict
    because: str = ""


@dataclass(frozen=True)
class CellResult:
    """A cell's verdict (at initialization, or what training came to where that says more), with
    the profiles behind it and theory's prediction.
    """

    seeds: tuple[int, ...]
    initial: Moment
    final: Moment
    prediction: mean_field.Prediction
    train_loss: SeedRange
    train_accuracy: SeedRange
    val_accuracy: SeedRange
    verdict: str
    reason: str
    skill: SeedRange
    development: Development


def summarize(results: Sequence[SeedResult], net: mean_field.InitialNet) -> CellResult:
    """Judge one cell from its seeds. `net` is what theory sees of it."""
    prediction = mean_field.predict(net)
    initial = moment(
        [(r.first, r.diverged if r.diverged_at_start else "") for r in results], net, prediction
    )
    final = moment([(r.last, r.diverged) for r in results], net, prediction)
    verdict, reason = conclude(initial.verdict, results)
    return CellResult(
        seeds=tuple(r.seed for r in results),
        initial=initial,
        final=final,
        prediction=prediction,
        train_loss=depth_profiles.seed_range([r.train_loss for r in results]),
        train_accuracy=depth_profiles.seed_range([r.train_accuracy for r in results]),
        val_accuracy=depth_profiles.seed_range([r.val_accuracy for r in results]),
        verdict=verdict,
        reason=reason,
        skill=depth_profiles.seed_range([0.0 if r.diverged else r.skill for r in results]),
        development=develop([r.course for r in results], initial.verdict.band),
    )


def conclude(initial: FlowVerdict, results: Sequence[SeedResult]) -> tuple[str, str]:
    """The cell's verdict is that of initialization, where the cause lies; a net that starts
    unbroken and ends non-finite in most seeds is diverged.
    """
    lost = [r for r in results if r.diverged and not r.diverged_at_start]
    note = (
        (
            f"{len(lost)} of {counted(len(results), 'run')} became non-finite while training, "
            f"first at {lost[0].diverged}"
        )
        if lost
        else ""
    )
    if initial.verdict not in depth_profiles.BROKEN and 2 * len(lost) > len(results):
        return "diverged", note
    return initial.verdict, "; ".join(filter(None, (initial.reason, note)))


def moment(
    seeds: Sequence[tuple[StepRow | None, str]],
    net: mean_field.InitialNet,
    prediction: mean_field.Prediction,
) -> Moment:
    """Profiles, factors and verdict over seeds at one moment; each seed gives its row (or None)
    and where it diverged.
    """
    hidden = len(net.units)
    tables = [StepRow.blank(hidden + 1) if row is None else row for row, _ in seeds]
    judged = [
        judge(table, where, net, prediction)
        for table, (_, where) in zip(tables, seeds, strict=True)
    ]
    parts = [judgement.decomposition for judgement in judged]
    ratios = depth_profiles.seed_range(
        [depth_profiles.log10_ratio(t.hidden["error_signal_rms"]) for t in tables]
    )
    decay, depth = mean_field.per_layer(ratios.median, max(hidden - 1, 0))
    return Moment(
        ratios,
        decay,
        depth,
        median_flow([flow_of(table) for table in tables]),
        depth_profiles.seed_medians([t.hidden["activation_sample_variance"] for t in tables]),
        slope_factor=depth_profiles.seed_medians([part.slope for part in parts]),
        weight_factor=depth_profiles.seed_medians([part.weight for part in parts]),
        backward_ratio=depth_profiles.seed_medians([part.backward for part in parts]),
        forward_ratio=depth_profiles.seed_medians([part.forward for part in parts]),
        verdict=depth_profiles.combine_seeds([judgement.verdict for judgement in judged]),
        because=median_factors(parts),
    )


def judge(
    row: StepRow, diverged: str, net: mean_field.InitialNet, prediction: mean_field.Prediction
) -> RowVerdict:
    """One seed's verdict, with κ of the predicted preactivations where theory applies and of
    the measured ones elsewhere.
    """
    return judge_row(
        row,
        net.units,
        activations=net.activations,
        norm_before=net.normalization is not None and net.position == "before",
        kappas=prediction.kappas if prediction.applicable else None,
        diverged=diverged,
    )
