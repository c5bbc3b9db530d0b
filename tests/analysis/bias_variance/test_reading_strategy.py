"""What a reading advises: each sentence where its numbers are, none that contradicts another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlprobe.analysis.bias_variance.reading_strategy import About, strategy
from dlprobe.analysis.bias_variance.textbook_reading import interval_of_unexplained, read
from dlprobe.analysis.learning.learned import Learning

STEPS = np.arange(0, 401, 100)


def run(
    train: float,
    loss: Any = (2.0, 1.0, 0.5, 0.4, 0.3),
    val_loss: Any = (2.0, 1.0, 0.6, 0.6, 0.6),
    updates: int = 400,
    task: str = "classification",
) -> Learning:
    """A run of ten even classes with these losses and this training error at the end."""
    nothing = np.full(5, np.nan)
    skill = (
        np.linspace(0.0, 1.0 - train / 0.9, 5)
        if task == "classification"
        else np.linspace(0.0, 1.0 - train, 5)
    )
    return Learning(
        task,
        STEPS,
        np.array(loss),
        np.array(val_loss),
        np.full(5, train),
        nothing,
        skill,
        nothing,
        0.9,
        1.0,
        updates,
    )


def told(
    human: float,
    train: float,
    val: float,
    *,
    parameters: int = 500,
    samples: int = 1000,
    learned: Learning | None = None,
    **about: Any,
) -> str:
    return " | ".join(
        strategy(
            read(human, train, val), About(learned or run(train), parameters, samples, **about)
        )
    )


def test_advice_of_bare_numbers_names_them() -> None:
    said = " ".join(strategy(read(0.01, 0.08, 0.10)))
    assert "7.0 points" in said
    assert "more data will not help" in said
    assert "2.0 points" in " ".join(strategy(read(0.075, 0.08, 0.10)))
    assert "both gaps are small" in " ".join(strategy(read(0.0, 0.005, 0.01)))


def test_of_two_high_gaps_the_far_larger_one_comes_first() -> None:
    bias = strategy(read(0.0, 0.30, 0.42))
    assert ("high bias" in bias[0], "its cures now would raise the bias" in " ".join(bias)) == (
        True,
        True,
    )
    variance = strategy(read(0.0, 0.04, 0.17))
    assert ("high variance" in variance[0], "see to the variance first" in variance[1]) == (
        True,
        True,
    )
    alike = " ".join(strategy(read(0.0, 0.15, 0.30)))
    assert "a bigger net" in alike
    assert "a smaller net" not in alike


def test_falling_loss_asks_for_longer_training_and_a_standing_one_does_not() -> None:
    assert (
        "train longer: in the second half of training the training loss still fell by 40 %"
        in told(0, 0.2, 0.2)
    )
    still = run(0.2, loss=(2.0, 1.0, 0.8, 0.8, 0.79))
    assert "longer training alone will not do" in told(0, 0.2, 0.2, learned=still)
    assert "rose by 25 %" in told(0, 0.2, 0.2, learned=run(0.2, loss=(2.0, 1.0, 0.8, 0.9, 1.0)))
    assert "made 40 updates only" in told(0, 0.2, 0.2, learned=run(0.2, updates=40))


def test_size_is_asked_for_only_where_it_is_missing() -> None:
    still = run(0.2, loss=(2.0, 1.0, 0.8, 0.8, 0.79))
    assert (
        "a bigger net (more units or layers): it has 50 parameters for 1,000 training samples"
        in told(0, 0.2, 0.2, learned=still, parameters=50)
    )
    assert "size is not what is missing" in told(0, 0.2, 0.2, learned=still, parameters=50_000)
    assert "first take back what keeps it from fitting: dropout 0.8" in (
        said := told(0, 0.2, 0.2, held_back=("dropout 0.8",))
    )
    assert "bigger net" not in said


def test_a_net_that_learned_nothing_has_no_bias_to_cure() -> None:
    said = strategy(read(0, 0.88, 0.9), About(run(0.88), 500, 1000))
    assert len(said) == 1
    assert "always naming the commonest class makes 90.0 %" in said[0]
    assert "naming the mean" in told(0, 4.7, 4.2, learned=run(4.7, task="regression"))


def test_turned_validation_loss_asks_to_stop_and_never_to_train_longer() -> None:
    turned = run(0.1, val_loss=(2.0, 0.5, 0.7, 0.9, 1.0))
    said = told(0, 0.1, 0.2, learned=turned)
    assert (
        "stop early: the validation loss was smallest, 0.5, after 100 updates and ends at 1" in said
    )
    assert "train longer" not in said
    assert "stop early" not in told(0, 0.1, 0.2, learned=turned, stops_early=True)
    assert "stop early" not in told(0, 0.1, 0.2)


def test_replaced_labels_are_no_bias() -> None:
    assert "so much error is no bias" in (said := told(0, 0.15, 0.12, label_noise=0.2))
    assert "train longer" not in said
    assert "below the training error" not in said
    assert "a bigger net" in told(0, 0.4, 0.4, label_noise=0.2)
    assert "learned them by heart" in told(0, 0.01, 0.15, label_noise=0.2)


def test_regression_without_a_reference_says_so() -> None:
    learned = run(0.4, task="regression")
    assert "supposes targets without noise" in told(
        0, 0.4, 0.5, learned=learned, reference_known=False
    )
    assert "supposes" not in told(0, 0.4, 0.5, learned=learned)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (11, "too few to learn them by heart"),
        (500, "more data: "),
        (5000, "more data or a smaller net: "),
    ],
)
def test_variance_is_weighed_against_the_size(parameters: int, expected: str) -> None:
    assert expected in told(0, 0.01, 0.06, parameters=parameters)


def test_an_unknown_size_is_not_told() -> None:
    """Other programs write runs too."""
    assert "parameters" not in told(0, 0.01, 0.06, parameters=0)
    assert "parameters" not in told(0, 0.2, 0.2, parameters=0)


def test_gaps_of_the_wrong_sign_are_told_unless_they_are_chance() -> None:
    assert "8.0 points below the reference" in (said := " ".join(strategy(read(0.10, 0.02, 0.03))))
    assert "both gaps" not in said
    assert "by chance, or" in " ".join(strategy(read(0.0, 0.12, 0.02)))
    assert "below the training error" not in " ".join(strategy(read(0.0, 0.12, 0.08, 1000, 50)))
    assert "noisier" in " ".join(strategy(read(0.0, 0.12, 0.02, 1000, 5000)))


def test_interval_of_the_unexplained_share_covers_it() -> None:
    """y = x + noise, predicted by x, both standard normal: 1 − R² = ½. 400 repeats of 100
    samples: 95 % intervals hold it in 90 to 98 %.
    """
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 100, 1))
    y = x + rng.standard_normal((400, 100, 1))
    ends = [interval_of_unexplained(made, wanted) for made, wanted in zip(x, y, strict=True)]
    assert 0.90 <= np.mean([low <= 0.5 <= high for low, high in ends]) <= 0.98
    assert np.isnan(interval_of_unexplained(np.ones(4), np.ones(4))).all()
