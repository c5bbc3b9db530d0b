"""N001: the first number that is not finite."""

from __future__ import annotations

import numpy as np
from rule_runs import finding, made, outcome, reason

from dlprobe.rules import Passed

NAN = float("nan")


def _counts(*places: tuple[int, int]) -> np.ndarray:
    found = np.zeros((400, 4))
    for step, layer in places:
        found[step, layer] = 7
    return found


def test_the_first_layer_of_the_forward_pass_is_named() -> None:
    said = finding("N001", made({"nonfinite_forward": _counts((17, 1), (17, 2), (17, 3))}))
    assert (said.layers, said.steps, said.measured) == (
        ("hidden_2", "hidden_3", "output"),
        (17,),
        7.0,
    )


def test_backwards_it_is_the_layer_nearest_the_output() -> None:
    assert finding("N001", made({"nonfinite_backward": _counts((9, 0), (9, 1))})).layers == (
        "hidden_2",
        "hidden_1",
    )


def test_an_infinite_loss_is_enough() -> None:
    loss = np.where(np.arange(400) < 5, 1.0, np.inf)
    assert finding("N001", made(scalars={"batch_loss": loss})).steps == (5,)


def test_an_update_that_overflows_is_found_by_the_status() -> None:
    said = finding("N001", made(status="diverged"))
    assert "update" in said.evidence
    assert said.remedies[0].patch == {"training.lr": "0.0001"}


def test_finite_numbers_pass() -> None:
    assert outcome("N001", made()) == Passed()


def test_without_the_counts_it_is_not_evaluated() -> None:
    assert "nonfinite_forward" in reason("N001", made({"nonfinite_forward": NAN}))
