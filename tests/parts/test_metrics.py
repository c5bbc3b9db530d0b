"""Metric records beside scikit-learn, on balanced, lopsided and degenerate predictions;
calibration error worked by hand.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from oracles import installed, known_to

from dlprobe import registry
from dlprobe.parts.metrics import Scored

CLASSES = 4
METRICS = registry.records("metric")
OF_CLASSES = [name for name, record in METRICS.items() if "classification" in record.tasks]


def probabilities(kind: str, samples: int = 60) -> Scored:
    """Random outputs; `collapsed` always says class 2, `missing` has no sample of class 1
    though it is predicted, `absent` neither has nor predicts it.
    """
    rng = np.random.default_rng(0)
    outputs, classes = rng.dirichlet(np.ones(CLASSES), samples), rng.integers(0, CLASSES, samples)
    if kind == "collapsed":
        outputs[:, 2] += 1
        outputs /= outputs.sum(axis=1, keepdims=True)
    if kind in ("missing", "absent"):
        classes[classes == 1] = 3
    if kind == "absent":
        outputs[:, 1] = 0
    return Scored(outputs, classes, CLASSES)


def values(columns: int) -> Scored:
    rng = np.random.default_rng(1)
    targets = rng.normal(3, 2, (50, columns))
    return Scored(targets + rng.normal(0, 1, (50, columns)), targets)


def scikit_learn() -> dict[str, Callable[[Scored], Any]]:
    """Every metric that scikit-learn has too."""
    return metrics_of(pytest.importorskip("sklearn.metrics"))


def metrics_of(oracle: Any) -> dict[str, Callable[[Scored], Any]]:
    labels = range(CLASSES)

    def of_classes(function: Callable[..., Any], average: str | None) -> Callable[[Scored], Any]:
        return lambda s: function(
            s.targets, s.predicted, labels=labels, average=average, zero_division=np.nan
        )

    def specificity(s: Scored) -> Any:
        return np.array(
            [
                oracle.recall_score(s.targets != k, s.predicted != k, zero_division=np.nan)
                for k in labels
            ]
        )

    known = {
        "precision": oracle.precision_score,
        "recall": oracle.recall_score,
        "f1": oracle.f1_score,
    }
    return {
        "accuracy": lambda s: oracle.accuracy_score(s.targets, s.predicted),
        "balanced_accuracy": lambda s: oracle.balanced_accuracy_score(s.targets, s.predicted),
        "error": lambda s: (
            oracle.zero_one_loss(s.targets, s.predicted)
            if s.classes
            else oracle.root_mean_squared_error(s.targets.ravel(), s.outputs.ravel())
        ),
        "specificity": specificity,
        "macro_specificity": lambda s: np.nanmean(specificity(s)),
        "rmse": lambda s: oracle.root_mean_squared_error(s.targets.ravel(), s.outputs.ravel()),
        "mean_absolute_error": lambda s: oracle.mean_absolute_error(s.targets, s.outputs),
        "r2": lambda s: oracle.r2_score(s.targets, s.outputs, multioutput="variance_weighted"),
        "target_rmse": lambda s: oracle.root_mean_squared_error(
            s.targets, s.outputs, multioutput="raw_values"
        ),
        "target_mean_absolute_error": lambda s: oracle.mean_absolute_error(
            s.targets, s.outputs, multioutput="raw_values"
        ),
        "target_r2": lambda s: oracle.r2_score(s.targets, s.outputs, multioutput="raw_values"),
        **{name: of_classes(function, None) for name, function in known.items()},
        **{f"macro_{name}": of_classes(function, "macro") for name, function in known.items()},
    }


@pytest.mark.parametrize("name", METRICS)
def test_several_evaluations_at_once_are_measured_as_each_alone(name: str) -> None:
    """To the last bit: with every class predicted, with ever fewer, with what is no probability."""
    rng, record = np.random.default_rng(2), METRICS[name]
    if "classification" in record.tasks:
        outputs, targets = rng.dirichlet(np.ones(12), (5, 40)), rng.integers(0, 11, 40)
        outputs[1, :, 3] = outputs[2, :, 2:9] = 0.0
        outputs[3] -= 0.5
        outputs[4, 7] = np.nan
        classes, largest = 12, outputs.argmax(axis=-1)
    else:
        targets = rng.normal(3, 2, (50, 3))
        outputs, classes, largest = targets + rng.normal(0, 1, (4, 50, 3)), 0, None
    together = record.measure(Scored(outputs, targets, classes, largest=largest))
    alone = [record.measure(Scored(each, targets, classes)) for each in outputs]
    np.testing.assert_array_equal(together, np.stack(alone))


@pytest.mark.parametrize("kind", ["ordinary", "collapsed", "missing", "absent"])
@pytest.mark.parametrize(
    "name",
    known_to(
        installed("sklearn.metrics"), lambda oracle, name: name in metrics_of(oracle), OF_CLASSES
    ),
)
def test_metric_of_classes_is_that_of_scikit_learn(name: str, kind: str) -> None:
    oracle, scored = scikit_learn(), probabilities(kind)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # that a class is not there is what two of the kinds are for
        expected = oracle[name](scored)
    np.testing.assert_allclose(METRICS[name].measure(scored), expected, rtol=1e-12, equal_nan=True)


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize(
    "name", [name for name, record in METRICS.items() if "regression" in record.tasks]
)
def test_metric_of_values_is_that_of_scikit_learn(name: str, columns: int) -> None:
    oracle, scored = scikit_learn(), values(columns)
    assert METRICS[name].measure(scored) == pytest.approx(oracle[name](scored), rel=1e-12)


def test_confusion_matrix_is_that_of_scikit_learn() -> None:
    oracle, scored = pytest.importorskip("sklearn.metrics"), probabilities("missing")
    np.testing.assert_array_equal(
        scored.confusion,
        oracle.confusion_matrix(scored.targets, scored.predicted, labels=range(CLASSES)),
    )


@pytest.mark.parametrize("name", METRICS)
def test_records_say_what_they_return(name: str) -> None:
    """One number, or one per class or target; perfect predictions are at the better end of what
    a metric gives.
    """
    record = METRICS[name]
    classes = probabilities("ordinary")
    perfect = Scored(np.eye(CLASSES)[classes.targets], classes.targets, CLASSES)
    scored, best = (
        (classes, perfect)
        if "classification" in record.tasks
        else (values(2), Scored(values(2).targets, values(2).targets))
    )
    found, ideal = np.asarray(record.measure(scored)), np.asarray(record.measure(best))
    assert found.shape == ((CLASSES,) if record.per_class else (2,) if record.per_target else ())
    assert np.all(ideal == (1.0 if record.higher_is_better else 0.0))
    assert np.all((found < ideal) if record.higher_is_better else (found > ideal))


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, [0, 0, 1]), (0.0, [0, 1, 1])])
def test_a_single_output_means_the_second_class_above_the_threshold(
    threshold: float, expected: list[int]
) -> None:
    outputs = np.array([[-0.3], [0.5], [0.7]])
    assert Scored(outputs, np.zeros(3, np.int64), 2, threshold).predicted.tolist() == expected


def test_calibration_error_worked_by_hand() -> None:
    """Confidence .9 twice, right once; .65 twice, right twice: 2/4·|.5 − .9| + 2/4·|1 − .65| =
    .375.
    """
    outputs = np.array([[0.9, 0.1], [0.9, 0.1], [0.35, 0.65], [0.35, 0.65]])
    scored = Scored(outputs, np.array([0, 1, 1, 1]), 2)
    assert METRICS["calibration_error"].measure(scored) == pytest.approx(0.375)
    single = Scored(
        outputs[:, 1:], scored.targets, 2
    )  # the second class's probability alone says the same
    assert METRICS["calibration_error"].measure(single) == pytest.approx(0.375)


def test_calibration_error_is_that_of_its_definition() -> None:
    """Bins (0, 1/15], …, (14/15, 1], summed sample by sample."""
    scored, total = probabilities("ordinary", 500), 0.0
    confidence = scored.outputs.max(axis=1)
    for k in range(15):
        inside = (confidence > k / 15) & (confidence <= (k + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(
                np.mean(scored.predicted[inside] == scored.targets[inside])
                - confidence[inside].mean()
            )
    assert METRICS["calibration_error"].measure(scored) == pytest.approx(total, rel=1e-12)


def test_calibration_error_needs_probabilities() -> None:
    scored = probabilities("ordinary")
    assert np.isnan(
        METRICS["calibration_error"].measure(Scored(scored.outputs - 0.5, scored.targets, CLASSES))
    )


def test_what_is_not_there_is_nan_and_left_out_of_the_mean() -> None:
    """Classes 0 and 1 of 3; everything is taken for 0."""
    scored = Scored(np.eye(3)[[0, 0, 0, 0]], np.array([0, 0, 0, 1]), 3)
    np.testing.assert_array_equal(METRICS["precision"].measure(scored), [0.75, np.nan, np.nan])
    np.testing.assert_array_equal(METRICS["recall"].measure(scored), [1.0, 0.0, np.nan])
    np.testing.assert_allclose(METRICS["f1"].measure(scored), [6 / 7, 0.0, np.nan])
    assert METRICS["balanced_accuracy"].measure(scored) == 0.5
