"""What several initialization seeds say together, on judgements made by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from dlprobe.config import from_options
from dlprobe.experiments.untrained import first_steps
from dlprobe.rules import Finding, all_rules, judge
from dlprobe.rules.judging import Judgement
from dlprobe.rules.untrained import OF_DATA, START, Range, Start, power, prediction, together
from dlprobe.training.prepared_sets import PreparedSets


def said(*findings: Finding, passed: tuple[str, ...] = (), **reasons: str) -> Judgement:
    return Judgement(findings, passed, reasons)


def vanishing(measured: float) -> Finding:
    return Finding(
        measured,
        -1.0,
        f"at step 0 {measured}; so in 1 of 1 recorded steps looked at",
        ("hidden_1", "hidden_9"),
        (0, 0),
        (),
        "G001",
        "vanishing-gradient",
        "error",
    )


def start(low: float, median: float, high: float, trainable: float = 2.0) -> Start:
    return Start(
        (0, 1, 2),
        tuple(f"hidden_{index}" for index in range(1, 10)),
        Range(low, median, high),
        0.05,
        1.0,
        1.0,
        trainable,
    )


def test_the_seed_in_the_middle_speaks_for_most() -> None:
    found = together([said(vanishing(-4.0)), said(vanishing(-9.0)), said(vanishing(-5.0))])
    assert [(each.measured, each.evidence) for each in found.findings] == [
        (-5.0, "at step 0 -5.0; so in 3 of 3 initialization seeds")
    ]


@pytest.mark.parametrize(("fired", "counts"), [(0, False), (1, False), (2, True), (3, True)])
def test_half_of_the_seeds_must_agree(fired: int, counts: bool) -> None:
    found = together([*[said(vanishing(-4.0))] * fired, *[said(passed=("G001",))] * (4 - fired)])
    assert (bool(found.findings), found.passed) == (counts, () if counts else ("G001",))


def test_what_could_not_be_looked_at_is_said() -> None:
    found = together([said(passed=("A003",), G001="no such layer")] * 2, ["L001"])
    assert (found.passed, found.not_evaluated) == (
        ("A003",),
        {"G001": "no such layer", "L001": "needs training: a configuration has none yet"},
    )


@pytest.mark.parametrize(
    ("measured", "severity"),
    [(-1.5, "warning"), (-2.9, "warning"), (-3.0, "error"), (-math.inf, "error")],
)
def test_a_few_decades_are_a_warning(measured: float, severity: str) -> None:
    assert together([said(vanishing(measured))]).findings[0].severity == severity


def test_the_sentence_has_size_spread_and_depth() -> None:
    judgement = together([said(vanishing(-12.0))])
    assert prediction(start(-12.6, -12.0, -11.2), judgement) == (
        "will vanish at hidden_1: 10⁻¹² of the error signal of hidden_9 (10⁻¹³ … 10⁻¹¹ over 3 "
        "seeds); trainable depth here about 2"
    )
    assert prediction(start(-12.1, -12.0, -11.9, math.inf), judgement).endswith(
        "of hidden_9 (in all of 3 seeds)"
    )


def test_nothing_in_the_way_is_no_promise() -> None:
    assert prediction(start(-0.5, 0.0, 0.5), said(passed=("G001",))) == (
        "nothing in the way; hidden_1 gets 1 times the error signal of hidden_9 (0.32 … 3.2 "
        "over 3 seeds)"
    )
    assert prediction(start(math.nan, math.nan, math.nan), said()) == "nothing in the way"


def test_zeros_everywhere_have_no_ratio_to_tell() -> None:
    """Eight of ten seeds have no error signal at all; the two others say nothing of vanishing."""
    zeros = replace(
        vanishing(-math.inf),
        evidence="at step 0 the error signal is exactly zero in every hidden layer",
    )
    judgement = together([*[said(zeros)] * 8, *[said(passed=("G001",))] * 2])
    assert (
        prediction(start(-0.1, 0.04, 0.1), judgement)
        == f"{zeros.evidence}; so in 8 of 10 initialization seeds"
    )
    assert prediction(start(-math.inf, -math.inf, -40.0), judgement).startswith(
        "will vanish at hidden_1: exactly 0 of the error signal of hidden_9"
    )


def test_no_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a judgement"):
        together([])


def test_powers_read_as_people_write_them() -> None:
    assert [
        power(value) for value in (-11.6, -2.0, math.log10(0.5), 0.01, 1.0, 2.9, 5.0, math.inf)
    ] == ["10⁻¹²", "10⁻²", "0.50", "1", "10", "794", "10⁵", "∞"]


# they can look at a first step, of which they have nothing to say: dead at the end, diverged, lost
COURSE = {
    "A001",
    "L002",
    "L007",
    "L009",
    "L012",
}


@pytest.mark.parametrize(
    "options",
    [
        {"layers": "12x3", "activation": "tanh"},
        {"layers": "12,12", "norm": "batch"},
        {"data": "diabetes", "layers": "12,12"},
    ],
)
def test_no_rule_that_can_tell_from_a_start_is_forgotten(options: dict[str, str]) -> None:
    (run,) = first_steps(from_options(None, {"data": "wine", **options}), PreparedSets(), 1)
    judgement = judge(run)
    looked = {*judgement.passed, *(finding.code for finding in judgement.findings)}
    assert looked - COURSE <= set(START) <= set(all_rules())
    assert set(OF_DATA) < set(START)
