"""Predictions from elsewhere that do not fit: one clear line each, which names what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import dlprobe

from dlprobe.analysis.bias_variance.loss_parts import decompose
from dlprobe.errors import DataError

ZEROS = np.zeros(4, np.int64)
HALVES = np.full((3, 4, 2), 0.5)
NUMBERS = np.arange(12.0).reshape(3, 4)
VOTES = np.array([[0, 1, 1, 0], [0, 0, 1, 0], [1, 1, 0, 0]])


def given(**arrays: Any) -> dict[str, Any]:
    return arrays


FAULTS = {
    "no targets": (
        given(predictions=NUMBERS),
        "",
        "holds arrays predictions: expected predictions",
    ),
    "no arrays": (given(), "", "holds arrays none"),
    "one axis": (given(predictions=NUMBERS[0], targets=ZEROS), "", "predictions have shape (4,)"),
    "four axes": (
        given(predictions=HALVES[None], targets=ZEROS),
        "",
        "predictions have shape (1, 3, 4, 2)",
    ),
    "samples first": (
        given(predictions=NUMBERS.T, targets=ZEROS),
        "squared",
        "replicas come first",
    ),
    "one replica": (given(predictions=NUMBERS[:1], targets=ZEROS), "squared", "of 1 replica:"),
    "no replica": (given(predictions=NUMBERS[:0], targets=ZEROS), "squared", "of 0 replicas"),
    "no samples": (given(predictions=NUMBERS[:, :0], targets=ZEROS[:0]), "", "of 0 samples"),
    "no classes": (
        given(predictions=HALVES[:, :, :0], targets=ZEROS),
        "",
        "with nothing for each sample",
    ),
    "NaN": (
        given(predictions=np.where(NUMBERS == 5, np.nan, NUMBERS), targets=ZEROS),
        "squared",
        "NaN or infinite",
    ),
    "infinite target": (
        given(predictions=NUMBERS, targets=np.array([0, 1, 2, np.inf])),
        "",
        "NaN or infinite",
    ),
    "text labels": (
        given(
            predictions=np.array([["cat", "dog"], ["dog", "dog"]]), targets=np.array(["cat", "dog"])
        ),
        "",
        "expected numbers",
    ),
    "text targets": (
        given(predictions=VOTES, targets=np.array(["a", "b", "a", "b"])),
        "zero-one",
        "give classes as indices",
    ),
    "label below 0": (
        given(predictions=2 * VOTES - 1, targets=2 * VOTES[0] - 1),
        "",
        "targets hold class -1",
    ),
    "vote below 0": (
        given(predictions=2 * VOTES - 1, targets=ZEROS),
        "",
        "predictions hold class -1",
    ),
    "fractions for votes": (
        given(predictions=HALVES[:, :, 0], targets=ZEROS),
        "zero-one",
        "predictions hold 0.5",
    ),
    "fractions for labels": (
        given(predictions=HALVES, targets=np.array([0, 1, 0.5, 1])),
        "cross-entropy",
        "targets hold 0.5",
    ),
    "label without a score": (
        given(predictions=HALVES, targets=np.array([0, 1, 2, 7])),
        "",
        "targets name class 7, predictions have the classes 0 to 1",
    ),
    "label without a probability": (
        given(predictions=HALVES, targets=np.array([0, 1, 2, 1])),
        "cross-entropy",
        "targets name class 2",
    ),
    "one score per sample": (
        given(predictions=HALVES[:, :, :1], targets=ZEROS),
        "zero-one",
        "one score per sample",
    ),
    "one probability per sample": (
        given(predictions=HALVES[:, :, :1], targets=ZEROS),
        "cross-entropy",
        "save predictions[:, :, 0]",
    ),
    "sums of 2": (
        given(predictions=2 * HALVES - 0.1, targets=ZEROS),
        "cross-entropy",
        "add up to 1.8",
    ),
    "logits": (
        given(predictions=8 * HALVES, targets=ZEROS),
        "cross-entropy",
        "of logits save the softmax",
    ),
    "scores for numbers": (
        given(predictions=HALVES, targets=ZEROS),
        "squared",
        "2 outputs per sample, targets 1",
    ),
    "one hot targets": (
        given(predictions=HALVES, targets=np.eye(2)[ZEROS]),
        "cross-entropy",
        "targets (4, 2)",
    ),
    "label of a billion": (given(predictions=VOTES * 10**9, targets=ZEROS), "", "without gaps"),
    "numbers too large": (
        given(predictions=1e200 * NUMBERS, targets=ZEROS),
        "squared",
        "too large to be squared",
    ),
    "noise below 0": (
        given(predictions=NUMBERS, targets=NUMBERS[0], noise=np.array([1.0, -1.0, 1.0, 1.0])),
        "squared",
        "negative",
    ),
    "noise NaN": (
        given(predictions=NUMBERS, targets=NUMBERS[0], noise=np.array(np.nan)),
        "squared",
        "noise holds",
    ),
    "noise of others": (
        given(predictions=NUMBERS, targets=NUMBERS[0], noise=np.ones(3)),
        "squared",
        "noise has shape (3,)",
    ),
    "noise as text": (
        given(predictions=NUMBERS, targets=NUMBERS[0], noise=np.array("loud")),
        "squared",
        "noise holds text",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_one_clear_line(name: str, tmp_path: Path) -> None:
    arrays, loss, problem = FAULTS[name]
    np.savez(tmp_path / "given.npz", **arrays)
    outcome = dlprobe(
        "bias-variance",
        "--predictions",
        str(tmp_path / "given.npz"),
        *(("--loss", loss) if loss else ()),
    )
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    assert "given.npz" in outcome.err
    assert problem in outcome.err


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "given.npz",
        predictions=np.array([[1, None], [2, 3]], object),
        targets=np.zeros(2),
    )
    outcome = dlprobe("bias-variance", "--predictions", str(tmp_path / "given.npz"))
    assert (outcome.code, "never loads" in outcome.err) == (2, True)


@pytest.mark.parametrize(
    ("made", "targets", "loss"),
    [
        (VOTES, ZEROS, "zero-one"),
        (VOTES > 0, ZEROS > 0, "zero-one"),
        (HALVES, ZEROS, "zero-one"),
        (HALVES[:, :, 0], ZEROS, "squared"),
        (VOTES, ZEROS + 0.5, "squared"),
    ],
)
def test_loss_follows_from_the_arrays(made: Any, targets: Any, loss: str, tmp_path: Path) -> None:
    """Classes by index or by scores are zero-one; fractions, one per sample, are squared even
    where the targets are whole numbers.
    """
    np.savez(tmp_path / "given.npz", predictions=made, targets=targets)
    assert (
        dlprobe(
            "bias-variance", "--predictions", str(tmp_path / "given.npz"), "--format", "json"
        ).data["loss"]
        == loss
    )


def test_targets_in_a_column_are_numbers_of_one_output() -> None:
    assert decompose(NUMBERS, NUMBERS[:1].T) == decompose(NUMBERS, NUMBERS[0])


def test_rounded_probabilities_pass() -> None:
    thirds = np.full((3, 4, 3), 0.3333)
    assert decompose(
        thirds.astype(np.float16), ZEROS, "cross-entropy"
    ).expected_loss == pytest.approx(np.log(3), abs=1e-3)


def test_noise_of_each_sample_counts_by_its_mean() -> None:
    each = decompose(NUMBERS, NUMBERS[0], noise=np.array([1.0, 2.0, 3.0, 2.0]))
    assert each == decompose(NUMBERS, NUMBERS[0], noise=2.0)


@pytest.mark.parametrize("replicas", [2, 3, 8])
def test_the_largest_values_that_are_taken_can_be_decomposed_and_larger_ones_are_refused(
    replicas: int,
) -> None:
    """The spread of bias and variance needs powers that leave float64 long before a square
    does: an OverflowError of Python, or a RuntimeWarning.
    """
    made = np.random.default_rng(0).uniform(-1.0, 1.0, (replicas, 300)) * 1e20
    found = decompose(made, np.full(300, -1e20), "squared")
    assert found.bias + found.variance == pytest.approx(found.expected_loss)
    assert np.isfinite(found.intervals["variance"]).all()
    with pytest.raises(DataError, match="too large to be squared"):
        decompose(made * 1e3, np.zeros(300), "squared")
