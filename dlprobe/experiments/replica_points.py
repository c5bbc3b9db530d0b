"""From what replicas say of the common samples to the decomposition at each value of an axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.bias_variance.curve import Point
from dlprobe.analysis.bias_variance.loss_parts import decompose, sources
from dlprobe.analysis.bias_variance.replica_inputs import LARGEST_VALUE
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.experiments.replicas import Answer
from dlprobe.parts.metrics import Scored

Array: TypeAlias = npt.NDArray[Any]

DEFAULT_REPLICAS = 20
SHARED = (
    "nets on one training set are alike: with few training sets the intervals are too narrow, and "
    "the variance comes out a little small"
)


@dataclass(frozen=True)
class Request:
    """What is asked of retraining, in the words of the options; a study file keeps it by these
    names to go on later. None: what the data suggest.

    noise: the variance of the noise in targets, or `estimate`. over: an axis, `width` or
        `width=2,4`; values: those of the axis where `over` has none.
    """

    replicas: int = DEFAULT_REPLICAS
    vary: str = "data"
    seeds: int = 2
    noise: float | str | None = None
    resample: str | None = None
    over: str | None = None
    values: str | None = None
    loss: str | None = None


@dataclass(frozen=True)
class Design:
    """What is asked. truth: the samples' targets without noise where they are known; noise: its
    variance; part: whose samples are predicted.

    asked: the request that leads to it.
    """

    loss: str
    axis: str | None
    values: tuple[str | float | None, ...]
    targets: Array
    part: str
    truth: Array | None = None
    noise: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    asked: Request = field(default_factory=Request)


@dataclass(frozen=True)
class Decomposed:
    """The decomposition at each value of the axis, as far as two replicas ended there with
    finite outputs.
    """

    design: Design
    points: Sequence[Point]


def points(
    design: Design,
    replicas: Sequence[tuple[str | float | None, int, Answer]],
    threshold: float,
    trained_on: str = "cross_entropy",
) -> list[Point]:
    """The decomposition at each value from (value, data number, answer) of every replica; values of
    which fewer than two replicas are usable are left out.

    trained_on: the name of the loss that the nets were trained with.
    """
    decomposed = []
    for value in design.values:
        here = [(data, answer) for at, data, answer in replicas if at == value]
        usable = [
            (data, answer)
            for data, answer in here
            if float(np.abs(answer.outputs).max()) <= LARGEST_VALUE
        ]
        if len(usable) < 2:
            continue
        made, wanted = predictions_of(design, [answer.outputs for _, answer in usable], threshold)
        exact = design.loss == "squared" and design.truth is not None
        noise = design.noise if design.loss == "squared" else None
        parts = decompose(
            made,
            design.truth if exact else wanted,
            design.loss,
            noise=noise,
            noise_in_targets=not exact,
        )
        groups = [data for data, _ in usable]
        apart = (
            sources(made, groups, design.loss)
            if design.facts.get("vary") == "both" and len(usable) == len(here)
            else None
        )
        if len(set(groups)) < len(groups):
            parts = (
                replace(parts, notes=(*parts.notes, SHARED))
                if design.facts.get("vary") == "both"
                else parts
            )
        decomposed.append(
            Point(
                value,
                parts,
                apart,
                len(here) - len(usable),
                own_loss(design, [answer for _, answer in usable], trained_on),
            )
        )
    return decomposed


def own_loss(design: Design, answers: Sequence[Answer], trained_on: str) -> float:
    """Mean over replicas of the loss on their own training samples, in the loss that is decomposed;
    NaN where runs do not record it (a squared loss of class probabilities).

    trained_on: the loss of the training. A squared loss is n times the mean square error for n
        outputs.
    """
    classes = design.targets.dtype.kind in "iu"
    if design.loss == "zero-one":
        return float(np.mean([answer.train_error for answer in answers]))
    if design.loss == "cross-entropy":
        if trained_on.endswith("cross_entropy"):
            return float(np.mean([answer.train_loss for answer in answers]))
        return math.nan
    outputs = 1 if design.targets.ndim == 1 else design.targets.shape[1]
    if classes:
        return math.nan
    return float(np.mean([outputs * answer.train_error**2 for answer in answers]))


def predictions_of(
    design: Design, outputs: Sequence[Array], threshold: float
) -> tuple[Array, Array]:
    """What the loss takes of the nets' outputs: classes, probabilities or values; and the
    targets likewise.
    """
    classes = design.targets.dtype.kind in "iu"
    stacked = (
        np.stack(outputs).astype(np.float64) if outputs else np.zeros((0, len(design.targets), 1))
    )
    if design.loss == "zero-one":
        if not classes:
            raise ConfigError(
                "--loss zero-one needs classes, the targets are numbers: use --loss squared"
            )
        count = max(stacked.shape[2], 2)
        return np.stack(
            [Scored(outputs, design.targets, count, threshold).predicted for outputs in stacked]
        ) if len(stacked) else stacked[:, :, 0], design.targets
    if design.loss == "cross-entropy":
        if not classes:
            raise ConfigError(
                "--loss cross-entropy needs classes, the targets are numbers: use --loss squared"
            )
        return (stacked[:, :, 0] if stacked.shape[2] == 1 else stacked), design.targets
    if not classes:
        return stacked, design.targets.reshape(len(design.targets), -1)
    wanted = (
        design.targets[:, None].astype(np.float64)
        if stacked.shape[2] == 1
        else np.eye(stacked.shape[2])[design.targets]
    )
    return stacked, wanted


def table(decomposed: Sequence[Point]) -> dict[str, list[object]]:
    """The decompositions as columns, as a study file keeps them."""
    columns: dict[str, list[object]] = {
        "at": ["" if point.at is None else str(point.at) for point in decomposed]
    }
    for name in ("expected_loss", "bias", "variance", "net_variance", "noise"):
        columns[name] = [getattr(point.parts, name) for point in decomposed]
    columns["replicas"] = [point.parts.replicas for point in decomposed]
    return columns
