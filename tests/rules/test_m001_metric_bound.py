"""M001: bounds are read as they are meant, held against the final numbers, and told where they
make no sense.
"""

from __future__ import annotations

from typing import Any

import pytest
import rule_runs

from dlprobe.analysis.comparing.bounds import bounds_of
from dlprobe.errors import ConfigError
from dlprobe.rules import Fired, NotEvaluated, Passed, Selection
from dlprobe.rules.files import criteria

DATA = {"val_indices": list(range(300)), "test_indices": list(range(200))}
FINAL = {"val_error": 15 / 300, "test_error": 0.1, "val_loss": 0.2, "val_macro_f1": 0.94}
VALUES = {"val_error": 54.0, "val_r2": 0.42, "val_loss": 0.6}


def said(bounds: str, final: dict[str, float] = FINAL, **data: Any) -> Any:
    return rule_runs.outcome(
        "M001", rule_runs.made(final=final, data={**DATA, **data}), bounds=bounds
    )


@pytest.mark.parametrize(
    ("bounds", "held"),
    [
        ("val_error<=5%", True),
        ("val_error<=.05", True),
        ("error <= 5 %", True),
        ("val_error<5%", False),
        ("val_error≤4.9%", False),
        ("accuracy>=95%", True),
        ("test-accuracy>=.95", False),
        ("val_loss<.3, macro_f1>=0.9", True),
        ("val_loss<.3; macro_f1>=0.95", False),
        ("val_loss<=2e-1", True),
    ],
)
def test_a_bound_is_kept_or_broken(bounds: str, held: bool) -> None:
    assert isinstance(said(bounds), Passed if held else Fired)


def test_the_finding_says_the_number_its_interval_and_the_bound() -> None:
    """15 of 300 by Wilson at 95 %: (.05 + z²/600 ± z √(.05·.95/300 + z²/360000))/(1 + z²/300),
    z = 1.95996: .0305 to .0808.
    """
    (found,) = said("val_error<=3.125%").findings
    assert found.evidence == (
        "val_error is 5 % (15 of 300, 95 % interval 3.05 to 8.08 %), the gate asks for "
        "val_error <= 3.125 %"
    )
    assert (found.measured, found.threshold, found.severity) == (0.05, 0.03125, "error")
    assert (
        said("val_error<=6%").note
        == "val_error is 5 % (15 of 300, 95 % interval 3.05 to 8.08 %), within val_error <= 6 %"
    )


def test_each_broken_bound_is_a_finding_also_beside_one_that_cannot_be_held() -> None:
    assert [each.measured for each in said("val_loss<.1, r2>.5, test_error<=5%").findings] == [
        0.2,
        0.1,
    ]


def test_a_run_that_diverged_keeps_no_bound() -> None:
    (found,) = said("val_loss<1e9", {"val_loss": float("nan")}).findings
    assert "val_loss is no number" in found.evidence


@pytest.mark.parametrize(
    ("bounds", "final", "task", "reason"),
    [
        ("r2>=.9", FINAL, "classification", "no val_r2"),
        ("val_error<=5", FINAL, "classification", "write 5% or 0.05"),
        ("val_error<=5%", VALUES, "regression", "no share"),
        ("", FINAL, "classification", "--gate"),
    ],
)
def test_what_cannot_be_held_is_not_evaluated(
    bounds: str, final: dict[str, float], task: str, reason: str
) -> None:
    found = said(bounds, final, task=task)
    assert isinstance(found, NotEvaluated)
    assert reason in found.reason


def test_a_regression_is_held_by_its_own_metrics() -> None:
    assert isinstance(said("val_error<=55, r2>=40%", VALUES, task="regression"), Passed)
    assert isinstance(said("r2>=.5", VALUES, task="regression"), Fired)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("val_error=5", "expected METRIC<=NUMBER"),
        ("val_error<=five", "expected METRIC<=NUMBER"),
        ("<=5%", "expected METRIC<=NUMBER"),
        ("val_eror<=5%", "did you mean 'val_error'"),
        ("val_loss<=5%", "without %"),
        ("val_precision>.9", "a number for each class"),
        ("val_error<=nan", "expected METRIC<=NUMBER"),
    ],
)
def test_what_is_no_bound_is_said_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        bounds_of(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_it_is_judged_where_a_bound_is_given_and_nowhere_else() -> None:
    def codes(*arguments: Any) -> list[str]:
        return [rule.code for rule in criteria(*arguments).selection.rules]

    assert "M001" not in codes([], [], {})
    assert "M001" not in [rule.code for rule in Selection().rules]
    assert "M001" in codes([], [], {}, ["val_error<=5%"])
    assert codes(["N001"], [], {}, ["val_error<=5%"]) == ["M001", "N001"]
    assert codes(["N001"], [], {"M001": {"bounds": "val_error<=5%"}}) == ["M001", "N001"]
    with pytest.raises(ConfigError, match="--ignore takes away"):
        codes([], ["M"], {}, ["val_error<=5%"])
