"""How deep a net can be: where theory says that the error signal leaves its band, where training is
said to end, and where it did.

Source of the estimate 6 ξ_c: Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, "Deep Information
Propagation", §5 (ξ_c: depth scale of the correlation).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dlprobe.analysis.profiles import depth_profiles
from dlprobe.analysis.theory import mean_field
from dlprobe.analysis.theory.initial_net import InitialNet
from dlprobe.analysis.theory.phase import phase_of
from dlprobe.dataclass import dataclass

SCALES = 6.0
CRITICAL = 1e6  # layers: a depth scale beyond is that of a critical point, but for rounding
LEARNED = 0.5  # skill from which a net counts as trained: half-way from guessing to perfect


@dataclass(frozen=True)
class TrainableDepth:
    """theory: 6 ξ_c, infinite at a critical point, NaN where not derived. measured: greatest depth
    up to which every net of the grid was trained (0: none);
    fails_at: the least that was not, None where all were.
    """

    theory: float
    xi_c: float
    measured: int
    fails_at: int | None


def trainable_depth(net: InitialNet, skills: Mapping[int, float]) -> TrainableDepth:
    """`net`: the deepest of the row. `skills`: by depth the median over seeds of the share of
    what could be learned.
    """
    xi = correlation_depth(net)
    failed = [depth for depth, skill in skills.items() if not skill >= LEARNED]
    fails_at = min(failed, default=None)
    reached = [depth for depth in skills if fails_at is None or depth < fails_at]
    return TrainableDepth(SCALES * xi, xi, max(reached, default=0), fails_at)


def correlation_depth(net: InitialNet) -> float:
    """ξ_c of the last hidden layer, in layers; NaN where theory does not apply or it is not
    derived (batch norm, residual sums).
    """
    if not net.units or not mean_field.predict(net).applicable:
        return math.nan
    # a signal that grows without bound has moments beyond every float
    with np.errstate(over="ignore", invalid="ignore"):
        scale = phase_of(net).xi_c
    return math.inf if scale >= CRITICAL else scale


def breaking_depth(net: InitialNet) -> int | None:
    """The least depth at which theory's profile leaves the band of `profiles.classify`, of a net at
    least as deep; None where it never does or says nothing.

    Where the net is so deep that it overflows, the deepest half, quarter … of it that theory can
    treat is looked at.
    """
    prediction = mean_field.predict(net)
    while not prediction.applicable and len(net.units) > 1:
        net = net.cut(len(net.units) // 2)
        prediction = mean_field.predict(net)
    if not prediction.applicable:
        return None
    with np.errstate(divide="ignore"):
        ratios = np.concatenate(
            [[0.0], np.cumsum(0.5 * np.log10(np.asarray(prediction.backward_factors)))]
        )
    variances = np.nan_to_num(
        np.asarray(prediction.kappas), nan=mean_field.USUAL_KAPPA
    ) / np.asarray(net.units)
    deviations = np.sqrt(np.concatenate([[0.0], np.cumsum(variances)[:-1]])) / (2 * math.log(10))
    outside = np.flatnonzero(
        np.abs(ratios) > np.maximum(depth_profiles.DECADES, mean_field.DEVIATIONS * deviations)
    )
    return int(outside[0]) + 1 if len(outside) else None
