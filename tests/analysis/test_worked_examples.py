"""Worked examples: the numbers that the product's own functions give are those of pencil and
paper.
"""

from __future__ import annotations

import math

import pytest
from command_line import dlprobe

from dlprobe.analysis.worked_examples import EXAMPLES

# net A: (.3, .3, .4) class 3, (.3, .4, .3) class 2, (.1, .2, .7) class 1; net B: (.1, .2, .7), (.1,
# .7, .2), (.3, .4, .3) of the same classes
ERROR = {"A": (1 / 3, [0, 0, 1]), "B": (1 / 3, [0, 0, 1])}
SQUARED = {"A": (0.806667, [0.54, 0.54, 1.34]), "B": (0.34, [0.14, 0.14, 0.74])}
CROSS_ENTROPY = {
    "A": (1.378389, [0.916291, 0.916291, 2.302585]),
    "B": (0.639108, [0.356675, 0.356675, 1.203973]),
}
# batch (1, 2, 3), (3, 2, 4), (3, 6, 0), (5, 6, 1): means down the columns 3, 4, 2, variances 2, 4,
# 2.5; along the rows 2, 3, 3, 4 and 2/3, 2/3, 6, 14/3
ROOT = math.sqrt(1.5)
BATCH = [
    [-math.sqrt(2), -1, 1 / math.sqrt(2.5)],
    [0, -1, 2 / math.sqrt(2.5)],
    [0, 1, -2 / math.sqrt(2.5)],
    [math.sqrt(2), 1, -1 / math.sqrt(2.5)],
]
LAYER = [
    [-ROOT, 0, ROOT],
    [0, -ROOT, ROOT],
    [0, ROOT, -ROOT],
    [1 / math.sqrt(14 / 3), 2 / math.sqrt(14 / 3), -3 / math.sqrt(14 / 3)],
]
ROUNDED = 1e-5  # what ε = 1e-5 leaves of six digits


@pytest.mark.parametrize(
    ("name", "expected", "arithmetic"),
    [
        ("metric:error", ERROR, "largest is class 3, right is class 1"),
        ("mse", SQUARED, "(0.1 − 1)² + (0.2 − 0)² + (0.7 − 0)²"),
        ("cross_entropy", CROSS_ENTROPY, "−ln 0.1"),
    ],
)
def test_the_loss_table_by_hand(
    name: str, expected: dict[str, tuple[float, list[float]]], arithmetic: str
) -> None:
    data = dlprobe("explain", name, "--example", "--format", "json").data
    values = {step["what"]: step["value"] for step in data["steps"]}
    for net, (mean, costs) in expected.items():
        assert [values[f"{net}, sample {number}"] for number in (1, 2, 3)] == pytest.approx(
            costs, abs=1e-6
        )
        assert values[f"{net}, mean"] == pytest.approx(mean, abs=1e-6)
    assert arithmetic in {step["arithmetic"] for step in data["steps"]}
    beside = {row[0]: row[1:] for row in data["result"]["rows"]}
    assert [
        beside[row] for row in ("share of wrong classes", "squared error", "cross-entropy")
    ] == [
        pytest.approx([table[net][0] for net in ("A", "B")], abs=1e-6)
        for table in (ERROR, SQUARED, CROSS_ENTROPY)
    ]


@pytest.mark.parametrize(
    ("name", "expected"), [("normalization:batch", BATCH), ("batch", BATCH), ("layer", LAYER)]
)
def test_normalization_by_hand(name: str, expected: list[list[float]]) -> None:
    data = dlprobe("explain", name, "--example", "--format", "json").data
    rows = [row[1:] for row in data["result"]["rows"]]
    assert [value for row in rows for value in row] == pytest.approx(
        [value for row in expected for value in row], abs=ROUNDED
    )


def test_running_numbers_by_hand_and_as_keras_keeps_them() -> None:
    """From 0 and 1, unit 1 with mean 3 and sum of squares 8: unbiased 8/3, as Keras takes it
    8/4.
    """
    for typed, mean, variance in (
        ("batch", 0.3, 0.9 + 0.1 * 8 / 3),
        ("batch(momentum=0.01, unbiased=no)", 0.03, 0.99 + 0.01 * 2),
    ):
        steps = {
            step["what"]: step["value"]
            for step in dlprobe("explain", typed, "--example", "--format", "json").data["steps"]
        }
        assert (steps["unit 1: running mean"], steps["unit 1: running variance"]) == pytest.approx(
            (mean, variance)
        )


def test_parameters_are_worked_with() -> None:
    """The circulated table divides by m − 1: (1, 2, 3) becomes (−1, 0, 1); Keras's mean squared
    error is a third of the sum.
    """
    rows = dlprobe("explain", "layer(ddof=1)", "--example", "--format", "json").data["result"][
        "rows"
    ]
    assert rows[0][1:] == pytest.approx([-1, 0, 1], abs=ROUNDED)
    steps = dlprobe("explain", "mse(reduction=mean)", "--example", "--format", "json").data["steps"]
    assert steps[0]["value"] == pytest.approx(0.18)


@pytest.mark.parametrize("name", [f"{kind}:{name}" for kind, name in EXAMPLES])
def test_an_example_is_shown_in_80_columns_and_pointed_to(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, dlprobe("explain", name, "--example").out.splitlines())) <= 80
    assert (
        dlprobe("explain", name).out.splitlines()[-1] == f"next: dlprobe explain {name} --example"
    )


@pytest.mark.parametrize("name", ["relu", "loss", "vanishing"])
def test_what_has_no_example_says_what_has(name: str) -> None:
    outcome = dlprobe("explain", name, "--example")
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert "loss:cross_entropy" in outcome.err
