"""The benchmark itself: its cases are well-formed, its counting is right, and one ill and one
healthy case go all the way.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from dlprobe.config import from_options
from dlprobe.rules import all_rules

from .__main__ import OUTCOMES
from .cases import Case, all_cases
from .datasets import write_all
from .outcome import Outcome, best_skills, label, outcome
from .scoring import Judged, document, of_rule, summary, wilson
from .training import run_of

CASES = all_cases()


def test_names_are_unique_and_both_halves_are_large() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60
    assert min(sum(case.half == half for case in CASES) for half in ("tuned", "untouched")) >= 30


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_options_are_a_configuration_and_accepted_codes_exist(case: Case) -> None:
    from_options(
        None,
        {**case.options, "data": case.options.get("data", "digits").replace("{made}", "folder")},
    )
    assert set(case.accepted) <= set(all_rules())
    assert case.accepted or case.published == "healthy"


def test_labels_are_committed_for_every_case_and_half_of_the_runs_or_more_learned() -> None:
    found = json.loads(OUTCOMES.read_text(encoding="utf-8"))
    assert set(found["cases"]) == {case.name for case in CASES}
    labels = [each for case in found["cases"].values() for each in case["labels"]]
    assert labels.count("learned") >= labels.count("ill") > 30


def test_the_label_belongs_to_the_run() -> None:
    case = Case("a", "", "healthy", "f", {})
    ends = [Outcome(skill, 0.5) for skill in (0.9, 0.82, 0.8, 0.66, -math.inf)]
    assert [label(case, end, 0.9) for end in ends] == [
        "learned",
        "learned",
        "unclear",
        "ill",
        "ill",
    ]
    assert label(Case("b", "", "ill", "f", {}, label="ill"), ends[0], 0.9) == "ill"


def test_the_best_of_a_family_is_the_largest_median() -> None:
    cases = [Case("a", "", "", "f", {}), Case("b", "", "", "f", {})]
    assert best_skills(cases, {"a": [0.1, 0.9, 0.2], "b": [0.5, 0.4, 0.3]}) == {"f": 0.4}


def test_an_info_names_nothing_and_a_wrong_cause_is_not_right() -> None:
    case = Case("a", "", "ill", "f", {}, ("G001",))
    results = [
        Judged(case, seed, "ill", codes)
        for seed, codes in enumerate(
            ([("G001", "info")], [("L001", "error")], [("G001", "warning")])
        )
    ]
    results.append(Judged(Case("b", "", "", "f", {}), 0, "learned", [("L001", "warning")]))
    found = summary(results)
    assert [found[what]["share"] for what in ("recall", "right_cause", "accused")] == [
        pytest.approx(2 / 3, abs=1e-4),
        pytest.approx(1 / 3, abs=1e-4),
        1.0,
    ]
    assert of_rule("N001", results)["learned"]["runs"] == 1
    assert set(document(results)) == {"schema", "all", "tuned", "untouched", "rules"}


def test_the_interval_is_the_one_of_the_literature() -> None:
    """Newcombe 1998, Table I: 81 of 263 gives .2553 to .3662, 0 of 20 gives 0 to .1611."""
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "expected"), [("blobs-batch32", "learned"), ("blobs-zeros", "ill")]
)
def test_a_case_goes_all_the_way(name: str, expected: str, tmp_path: Path) -> None:
    write_all(tmp_path / "data")
    case = next(case for case in CASES if case.name == name)
    with run_of(case, 0, tmp_path) as run:
        assert (
            label(case, outcome(run), json.loads(OUTCOMES.read_text())["best"][case.family])
            == expected
        )
    with run_of(case, 0, tmp_path) as again:  # now from the folder
        assert outcome(again) == outcome(run)
