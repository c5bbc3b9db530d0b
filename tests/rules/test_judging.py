"""Three outcomes, selection, thresholds: what `judge` makes of rules and a run."""

from __future__ import annotations

import subprocess
import sys

import pytest
import rule_runs

from dlprobe.errors import ConfigError
from dlprobe.rules import (
    Finding,
    Fired,
    Judgement,
    NotEvaluated,
    Passed,
    Remedy,
    Selection,
    all_rules,
    judge,
    read_settings,
)
from dlprobe.rules.judging import collected, matching
from dlprobe.rules.outcome import worst


def test_every_chosen_rule_has_exactly_one_outcome() -> None:
    judgement = judge(rule_runs.made())
    told = [
        *{each.code for each in judgement.findings},
        *judgement.passed,
        *judgement.not_evaluated,
    ]
    assert sorted(told) == sorted(
        code for code, rule in all_rules().items() if not (rule.on_request or rule.foreign)
    )


def test_a_selection_takes_codes_prefixes_and_names_and_ignore_goes_last() -> None:
    assert [rule.code for rule in Selection(("N",)).rules] == [
        code for code in all_rules() if code.startswith("N")
    ]
    assert (
        [rule.code for rule in Selection(("N001",)).rules]
        == [rule.code for rule in Selection(("non-finite",)).rules]
        == ["N001"]
    )
    assert "N001" not in [rule.code for rule in Selection(("N",), ("n001",)).rules]
    assert matching("n0") == matching("N00")


@pytest.mark.parametrize("text", ["X", "N0011", "", "finite"])
def test_what_no_rule_answers_to_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="unknown rule"):
        Selection((text,))


def test_settings_are_typed_and_checked() -> None:
    assert (
        read_settings(["N001.shown=2"])
        == read_settings({"non-finite": {"shown": 2}})
        == {"N001": {"shown": 2}}
    )


@pytest.mark.parametrize(
    "text",
    [
        "N001.shown=none",
        "N001.shown=0",
        "N001.layers=2",
        "N001=2",
        "N001.shown",
        "Q001.shown=2",
        ".shown=2",
    ],
)
def test_wrong_settings_are_one_line(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_settings([text])
    assert "\n" not in str(error.value)


def test_findings_come_by_severity_then_code() -> None:
    def one(code: str, severity: str) -> Fired:
        return Fired((Finding(1.0, 2.0, "", code=code, severity=severity),))  # type: ignore[arg-type]

    judgement = collected(
        {
            "A": one("A", "info"),
            "B": one("B", "error"),
            "C": Passed(),
            "D": NotEvaluated("why"),
            "E": one("E", "error"),
        }
    )
    assert [each.code for each in judgement.findings] == ["B", "E", "A"]
    assert (judgement.passed, judgement.not_evaluated, judgement.worst, judgement.evaluated) == (
        ("C",),
        {"D": "why"},
        "error",
        4,
    )


def test_a_judgement_of_nothing_has_evaluated_nothing() -> None:
    assert Judgement(not_evaluated={"D": "why"}).evaluated == 0
    assert worst(()) is None


def test_json_keys_are_the_documented_ones_and_what_is_not_finite_is_null() -> None:
    finding = Finding(
        float("inf"),
        0.0,
        "said",
        ("output",),
        (3,),
        (Remedy({"training.lr": "0.1"}, "why"),),
        "N001",
        "non-finite",
        "error",
    )
    assert Judgement((finding,), ("L001",), {"G001": "why"}, {"L001": "so far"}).to_json() == {
        "findings": [
            {
                "code": "N001",
                "name": "non-finite",
                "severity": "error",
                "layers": ["output"],
                "steps": [3],
                "measured": None,
                "threshold": 0.0,
                "evidence": "said",
                "remedies": [{"patch": {"training.lr": "0.1"}, "why": "why"}],
            }
        ],
        "passed": ["L001"],
        "not_evaluated": [{"code": "G001", "reason": "why"}],
        "notes": [{"code": "L001", "note": "so far"}],
    }


def test_judging_imports_no_compiler() -> None:
    script = (
        "import sys; from dlprobe.rules import judge, all_rules; all_rules(); print([n for n in "
        "('numba', 'h5py', 'scipy') if n in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
