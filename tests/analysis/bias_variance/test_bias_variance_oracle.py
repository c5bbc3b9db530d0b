"""decompose against mlxtend's bias_variance_decomp on the same predictions: equal where mlxtend
is right, and a record of where its parts do not add up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from oracles import installed, known_to

from dlprobe.analysis.bias_variance.loss_parts import LOSSES, Decomposition, decompose

Array = npt.NDArray[Any]
NAMES = {"squared": "mse", "zero-one": "0-1_loss"}  # mlxtend knows no cross-entropy
KNOWN = known_to(installed("mlxtend"), lambda _, name: name in NAMES, LOSSES)
DESIGNS = ((2, 5, 2), (7, 30, 2), (8, 30, 3), (25, 60, 10))  # replicas, samples, classes


class Canned:
    """An estimator that learns nothing: after the k-th fit it predicts the k-th row."""

    def __init__(self, rows: Array) -> None:
        self.rows, self.fits = rows, 0

    def fit(self, inputs: Array, targets: Array) -> Canned:
        self.fits += 1
        return self

    def predict(self, inputs: Array) -> Array:
        row: Array = self.rows[self.fits - 1]
        return row


def canned(loss: str, replicas: int, samples: int, classes: int) -> tuple[Array, Array]:
    """Predictions of learners that are right more often than not, and what they should have
    been.
    """
    rng = np.random.default_rng(replicas)
    if loss == "squared":
        truth = rng.standard_normal(samples)
        return truth + 0.3 + rng.standard_normal((replicas, samples)), truth
    labels = rng.integers(0, classes, samples)
    lost = rng.random((replicas, samples)) < np.linspace(0.0, 0.9, samples)
    return np.where(lost, rng.integers(0, classes, (replicas, samples)), labels), labels


def both(loss: str, made: Array, truth: Array) -> tuple[Decomposition, tuple[float, float, float]]:
    """Our decomposition, and mlxtend's (expected loss, bias, variance)."""
    oracle = pytest.importorskip("mlxtend.evaluate")
    inputs = np.zeros((len(truth), 1))
    loss_bias_variance = oracle.bias_variance_decomp(
        Canned(made),
        inputs,
        truth,
        inputs,
        truth,
        loss=NAMES[loss],
        num_rounds=len(made),
        random_seed=0,
    )
    return decompose(made, truth, loss), tuple(map(float, loss_bias_variance))  # type: ignore[return-value]


@pytest.mark.parametrize("design", DESIGNS, ids=str)
@pytest.mark.parametrize("loss", KNOWN)
def test_loss_bias_and_variance_are_those_of_mlxtend(
    loss: str, design: tuple[int, int, int]
) -> None:
    """Squared: its forms are the plug-in ones. 0-1: the mode's error and the share of other
    votes.
    """
    ours, theirs = both(loss, *canned(loss, *design))
    assert (ours.expected_loss, ours.plug_in["bias"], ours.plug_in["variance"]) == pytest.approx(
        theirs, rel=1e-12
    )


@pytest.mark.parametrize("design", DESIGNS, ids=str)
@pytest.mark.parametrize("loss", KNOWN)
def test_our_parts_add_up_to_the_loss_of_mlxtend(loss: str, design: tuple[int, int, int]) -> None:
    ours, theirs = both(loss, *canned(loss, *design))
    assert ours.bias + ours.net_variance == pytest.approx(theirs[0], rel=1e-12)


def test_zero_one_parts_of_mlxtend_do_not_add_up_where_most_replicas_are_wrong() -> None:
    """Votes 1, 1, 0 with truth 0: loss 2/3, the mode is wrong (bias 1), one vote in three
    differs from it (variance 1/3): 4/3. It lowers the loss: net −1/3.
    """
    ours, theirs = both("zero-one", np.array([[1], [1], [0]]), np.array([0]))
    assert theirs == pytest.approx((2 / 3, 1.0, 1 / 3))
    assert theirs[1] + theirs[2] == pytest.approx(theirs[0] + 2 / 3)
    assert (ours.bias, ours.net_variance) == pytest.approx((1.0, -1 / 3))


def test_squared_bias_of_mlxtend_holds_part_of_the_variance() -> None:
    """1,000 repeats of 4 replicas without any bias, s.d. 1: mlxtend reports variance/4 as bias²
    and 3/4 of the variance; ours are 0 and 1 on average.
    """
    made = np.random.default_rng(0).standard_normal(
        (4, 1000)
    )  # samples are repeats: both average over them
    ours, theirs = both("squared", made, np.zeros(1000))
    assert theirs[1:] == pytest.approx((0.25, 0.75), abs=0.05)  # standard errors .011 and .019
    assert (ours.bias, ours.variance) == pytest.approx((0.0, 1.0), abs=0.08)


class Recorded:
    """A real estimator whose predictions are kept."""

    def __init__(self, estimator: Any) -> None:
        self.estimator, self.made = estimator, list[Array]()

    def fit(self, inputs: Array, targets: Array) -> Recorded:
        self.estimator.fit(inputs, targets)
        return self

    def predict(self, inputs: Array) -> Array:
        self.made.append(self.estimator.predict(inputs))
        return self.made[-1]


@pytest.mark.parametrize("loss", KNOWN)
def test_real_learners_on_bootstrap_samples_of_mlxtend(loss: str) -> None:
    """Trees grown on 15 of its bootstrap samples: what it reports, from the predictions that it
    saw.
    """
    oracle, trees = pytest.importorskip("mlxtend.evaluate"), pytest.importorskip("sklearn.tree")
    rng = np.random.default_rng(4)
    inputs = rng.standard_normal((120, 3))
    numbers = np.sin(inputs[:, 0]) + 0.3 * rng.standard_normal(120)
    truth = numbers if loss == "squared" else (numbers > 0).astype(np.int64)
    learner = Recorded(
        (trees.DecisionTreeRegressor if loss == "squared" else trees.DecisionTreeClassifier)(
            random_state=0
        )
    )
    theirs = oracle.bias_variance_decomp(
        learner,
        inputs[:80],
        truth[:80],
        inputs[80:],
        truth[80:],
        loss=NAMES[loss],
        num_rounds=15,
        random_seed=1,
    )
    ours = decompose(np.array(learner.made), truth[80:], loss)
    assert (ours.expected_loss, ours.plug_in["bias"], ours.plug_in["variance"]) == pytest.approx(
        theirs, rel=1e-12
    )
    assert ours.bias + ours.net_variance == pytest.approx(theirs[0], rel=1e-12)
