"""Metrics: one record each, of what a net's outputs on one part of the data are worth.

`measure(scored)` returns one number, one per class where `per_class` says so, or one per target
column where `per_target` does; of several evaluations at once as many, along the leading axis. 0/0
is NaN, never 0 or 1, and NaN classes are left out of macro means (scikit-learn's
zero_division=nan): no recall of a class that the part does not have, no precision of a class that
was never predicted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, registrar

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
CALIBRATION_BINS = 15
BOTH, CLASSES, VALUES = ("classification", "regression"), ("classification",), ("regression",)
TARGET_UNIT = "unit of the target"


@dataclass(frozen=True)
class Scored:
    """One part of the data with what the net made of it, in one evaluation or in several.

    outputs: (…, samples, units). targets: class indices (samples,), or values (samples, units)
        where `classes` is 0, both in the user's units. A single output means the second class where
        it is above `threshold`. largest: (…, samples) the unit of each sample's largest output,
        where somebody has found it already. The axes … are those of all that is measured.
    """

    outputs: Array
    targets: Array
    classes: int = 0
    threshold: float = 0.5
    largest: npt.NDArray[np.int64] | None = None

    @cached_property
    def measured(self) -> dict[Callable[[Scored], Floats], Floats]:
        """Cache of `once`: results by the function that measured them."""
        return {}

    @cached_property
    def chosen(self) -> npt.NDArray[np.int64]:
        """The unit of each sample's largest output, (…, samples)."""
        return np.argmax(self.outputs, axis=-1) if self.largest is None else self.largest

    @cached_property
    def predicted(self) -> npt.NDArray[np.int64]:
        """Class number of each sample, (…, samples): the index of the largest output; of a single
        output 1 above `threshold`, else 0.
        """
        one = self.outputs.shape[-1] == 1
        classes = self.outputs[..., 0] > self.threshold if one else self.chosen
        return np.minimum(classes, self.classes - 1).astype(np.int64)

    @cached_property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each sample's class is the true one, (…, samples)."""
        return np.equal(self.predicted, self.targets)

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """Number of samples by true and predicted class, (…, true, predicted)."""
        pairs = self.targets * self.classes + self.predicted
        counts = counted(pairs, self.classes**2).astype(np.int64)
        return counts.reshape(*pairs.shape[:-1], self.classes, self.classes)

    @cached_property
    def residuals(self) -> Floats:
        """Output minus target, (…, samples, units)."""
        return self.outputs.astype(np.float64) - self.targets.reshape(len(self.targets), -1)

    @property
    def all_residuals(self) -> Floats:
        """`residuals` with samples and units in one axis, (…, samples · units)."""
        return self.residuals.reshape(*self.residuals.shape[:-2], -1)


def counted(places: npt.NDArray[np.int64], size: int, weights: Array | None = None) -> Array:
    """Counts of each of 0 … size − 1 along the last axis of `places` (…, n): (…, size); with
    weights (…, n) the sums of these instead.
    """
    rows = places.reshape(-1, places.shape[-1])
    shifted = (rows + size * np.arange(len(rows))[:, None]).ravel()
    totals = np.bincount(shifted, None if weights is None else weights.ravel(), size * len(rows))
    return totals.reshape(*places.shape[:-1], size)


@dataclass(frozen=True)
class Metric:
    """What is known of a metric. `higher_is_better` is the direction in which `early_stopping` and
    plateau schedules want it.

    Targets and outputs are in the user's units, however targets were scaled for training; `units`
    is what that makes of the metric. `per_target` metrics are of regressions with several targets.
    """

    name: str
    summary: str
    formula: str
    measure: Callable[[Scored], Any]
    tasks: tuple[str, ...]
    higher_is_better: bool
    source: str
    per_class: bool = False
    per_target: bool = False
    units: str = "1"
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""

    @property
    def is_one_number(self) -> bool:
        """Whether it is one number, and not one per class or target."""
        return not (self.per_class or self.per_target)


add_metric = registrar("metric", Metric)


def error(scored: Scored) -> Floats:
    return rmse(scored) if scored.classes == 0 else 1.0 - accuracy(scored)


add_metric(
    name="error",
    summary="share of wrong classes; for regression the root mean square error",
    formula="1 − accuracy; for regression rmse",
    measure=error,
    tasks=BOTH,
    higher_is_better=False,
    source="what textbooks call training and validation error",
    units="1, of a regression the unit of the target",
)


def accuracy(scored: Scored) -> Floats:
    return np.asarray(np.mean(scored.right, axis=-1))


add_metric(
    name="accuracy",
    summary="share of right classes",
    formula="Σ_k C_kk / n, C_jk the samples of class j that were taken for k",
    measure=accuracy,
    tasks=CLASSES,
    higher_is_better=True,
    source="scikit-learn: accuracy_score",
    traps="With classes of unequal size the largest one alone makes it high: read "
    "balanced_accuracy beside it.",
)


def ratio(part: Array, whole: Array) -> Floats:
    """part/whole elementwise, NaN for 0/0."""
    with np.errstate(all="ignore"):
        return np.asarray(part / whole.astype(np.float64), np.float64)


def mean_of_defined(values: Floats) -> Floats:
    """The mean over the last axis without NaN; NaN where nothing else is there."""
    defined = ~np.isnan(values)
    if defined.all():
        return np.asarray(np.mean(values, axis=-1))
    counts = defined.sum(axis=-1)
    means = np.full(counts.shape, np.nan)
    for count in set(counts[counts > 0].tolist()):  # as many numbers are added up in the same way
        rows = counts == count
        means[rows] = np.mean(values[rows][defined[rows]].reshape(-1, count), axis=-1)
    return means


def diagonal(table: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Samples of each class that were predicted right, (…, class), from tables (…, true,
    predicted).
    """
    return np.diagonal(table, axis1=-2, axis2=-1)


def once(measure: Callable[[Scored], Floats]) -> Callable[[Scored], Floats]:
    """Decorator: what several metrics are made of is measured once."""

    def measured(scored: Scored) -> Floats:
        if measure not in scored.measured:
            scored.measured[measure] = measure(scored)
        return scored.measured[measure]

    return measured


@once
def precision(scored: Scored) -> Floats:
    return ratio(diagonal(scored.confusion), scored.confusion.sum(axis=-2))


@once
def recall(scored: Scored) -> Floats:
    return ratio(diagonal(scored.confusion), scored.confusion.sum(axis=-1))


@once
def specificity(scored: Scored) -> Floats:
    table = scored.confusion
    others = len(scored.targets) - table.sum(axis=-1)
    return ratio(others - table.sum(axis=-2) + diagonal(table), others)


@once
def f1(scored: Scored) -> Floats:
    table = scored.confusion
    return ratio(2 * diagonal(table), table.sum(axis=-2) + table.sum(axis=-1))


PER_CLASS: dict[str, tuple[Callable[[Scored], Floats], str, str, str]] = {
    "precision": (
        precision,
        "of what was taken for the class, the share that is of it",
        "TP/(TP + FP)",
        "NaN for a class that was never predicted.",
    ),
    "recall": (
        recall,
        "of what is of the class, the share that was found (sensitivity)",
        "TP/(TP + FN)",
        "NaN for a class that the part does not have.",
    ),
    "specificity": (
        specificity,
        "of what is not of the class, the share that was not taken for it",
        "TN/(TN + FP)",
        "Near 1 for each of many classes.",
    ),
    "f1": (
        f1,
        "harmonic mean of precision and recall",
        "2 TP/(2 TP + FP + FN)",
        "0 for a class of the part that was never found, NaN for one that is not there.",
    ),
}


def macro(per_class: Callable[[Scored], Floats]) -> Callable[[Scored], Floats]:
    """The mean over classes of a metric, NaN classes left out."""
    return lambda scored: mean_of_defined(per_class(scored))


for _name, (_measure, _summary, _formula, _traps) in PER_CLASS.items():
    add_metric(
        name=_name,
        summary=f"{_summary}, for each class",
        formula=f"{_formula}, the class against all others",
        measure=_measure,
        tasks=CLASSES,
        higher_is_better=True,
        source="van Rijsbergen 1979; scikit-learn with zero_division=nan",
        per_class=True,
        traps=_traps,
    )
    add_metric(
        name=f"macro_{_name}",
        summary=f"mean of {_name} over the classes",
        formula=f"1/K Σ_k {_name}_k over the K classes where it is defined",
        measure=macro(_measure),
        tasks=CLASSES,
        higher_is_better=True,
        source="scikit-learn: average='macro', zero_division=nan",
        use="Classes count alike however many samples they have.",
    )

add_metric(
    name="balanced_accuracy",
    summary="accuracy with every class counted alike",
    formula="mean recall of the classes that the part has",
    measure=macro(recall),
    tasks=CLASSES,
    higher_is_better=True,
    source="Brodersen et al. 2010; scikit-learn: balanced_accuracy_score",
    use="Classes of unequal size: guessing the largest one gives 1/K.",
    traps="The same number as macro_recall.",
)


def calibration_error(scored: Scored) -> Floats:
    """Expected calibration error, 0 to 1, over 15 equal bins (0, 1/15] … (14/15, 1] of the
    confidence; NaN where an output is not within 0 to 1.
    """
    outputs = scored.outputs
    within = (outputs.min(axis=(-2, -1)) >= 0) & (outputs.max(axis=(-2, -1)) <= 1)
    if outputs.shape[-1] > 1:
        confidence = np.take_along_axis(outputs, scored.chosen[..., None], -1)[..., 0]
        confidence = confidence.astype(np.float64)
    else:
        second = outputs[..., 0].astype(np.float64)
        confidence = np.maximum(second, 1 - second)
    confidence = np.where(within[..., None], confidence, 1.0)
    bins = np.ceil(confidence * CALIBRATION_BINS).astype(np.int64) - 1
    gap = counted(bins.clip(0, CALIBRATION_BINS - 1), CALIBRATION_BINS, scored.right - confidence)
    return np.where(within, np.abs(gap).sum(axis=-1) / outputs.shape[-2], np.nan)


add_metric(
    name="calibration_error",
    summary="how far the confidence of predictions is from the share that is right (expected "
    "calibration error)",
    formula=f"Σ_b n_b/n |accuracy_b − mean confidence_b| over {CALIBRATION_BINS} equal bins b of "
    "the predicted class's probability",
    measure=calibration_error,
    tasks=CLASSES,
    higher_is_better=False,
    source="Guo et al. 2017, On calibration of modern neural networks, with its 15 bins",
    traps="NaN where outputs are not probabilities. Biased upwards on small parts: every bin "
    "adds the size of its sampling error.",
)


def rmse(scored: Scored) -> Floats:
    with np.errstate(all="ignore"):
        return np.asarray(np.sqrt(np.mean(np.square(scored.all_residuals), axis=-1)))


add_metric(
    name="rmse",
    summary="root mean square error",
    formula="√(mean over samples and outputs of (p − y)²)",
    measure=rmse,
    tasks=VALUES,
    higher_is_better=False,
    source="Gauss 1809; scikit-learn: root_mean_squared_error of all outputs together",
    traps="Of several targets the one with the largest unit decides it: read target_rmse.",
    units=TARGET_UNIT,
)


def mean_absolute_error(scored: Scored) -> Floats:
    with np.errstate(all="ignore"):
        return np.asarray(np.mean(np.abs(scored.all_residuals), axis=-1))


add_metric(
    name="mean_absolute_error",
    summary="mean absolute error",
    formula="mean over samples and outputs of |p − y|",
    measure=mean_absolute_error,
    tasks=VALUES,
    higher_is_better=False,
    source="scikit-learn: mean_absolute_error",
    use="Less moved by a few large errors than rmse.",
    traps="Of several targets the one with the largest unit decides it: read "
    "target_mean_absolute_error.",
    units=TARGET_UNIT,
)


def r2(scored: Scored) -> Floats:
    wanted = scored.targets.reshape(len(scored.targets), -1).astype(np.float64)
    with np.errstate(all="ignore"):
        spread = float(np.square(wanted - wanted.mean(axis=0)).sum())
        residual = np.square(scored.all_residuals).sum(axis=-1)
        return np.asarray(1.0 - residual / spread if spread > 0 else np.full_like(residual, np.nan))


add_metric(
    name="r2",
    summary="coefficient of determination",
    formula="R² = 1 − Σ(y − p)²/Σ(y − ȳ)², both summed over samples and outputs",
    measure=r2,
    tasks=VALUES,
    higher_is_better=True,
    source="Wright 1921; scikit-learn: r2_score with multioutput='variance_weighted'",
    traps="0 is what the mean of the targets gives; below 0 is worse. NaN where the targets are "
    "constant. Of several targets the one that varies most decides it: read target_r2.",
)


def of_each_target(measure: Callable[[Scored], Floats]) -> Callable[[Scored], Floats]:
    """A metric of every target column by itself, (…, outputs)."""

    def measured(scored: Scored) -> Floats:
        columns = scored.targets.reshape(len(scored.targets), -1)
        return np.stack(
            [
                measure(Scored(scored.outputs[..., k : k + 1], columns[:, k : k + 1]))
                for k in range(columns.shape[1])
            ],
            axis=-1,
        )

    return measured


for _measure_one, _title, _of_column, _unit in (
    (rmse, "root mean square error", "√(mean over samples of (p − y)²)", TARGET_UNIT),
    (mean_absolute_error, "mean absolute error", "mean over samples of |p − y|", TARGET_UNIT),
    (r2, "coefficient of determination", "R² = 1 − Σ(y − p)²/Σ(y − ȳ)², summed over samples", "1"),
):
    add_metric(
        name=f"target_{_measure_one.__name__}",
        summary=f"{_title} of each target, where there are several",
        formula=_of_column,
        measure=of_each_target(_measure_one),
        tasks=VALUES,
        higher_is_better=_measure_one is r2,
        source="scikit-learn with multioutput='raw_values'",
        per_target=True,
        use=f"Several targets of different unit or spread, which {_measure_one.__name__} puts "
        "into one number.",
        units=_unit,
    )
