"""The count of cures: an ill case that is cured goes all the way, changes of the budget are
left out, and the committed count is that of its cases.
"""

from __future__ import annotations

import json
from pathlib import Path

from dlprobe.config import from_mapping, with_values
from dlprobe.experiments.treatments import Treatment
from dlprobe.rules import Remedy

from .__main__ import OUTCOMES
from .cases import all_cases
from .datasets import write_all
from .prescribe import (
    PRESCRIBED,
    SEEDS,
    Cure,
    Tried,
    cure_of,
    equal_budget,
    findings_of,
    ill_run,
    shuffled,
    summary,
    trained_change,
)

CONFIG = from_mapping({})


def test_a_change_that_trains_longer_is_left_out() -> None:
    changes = [
        Treatment(with_values(CONFIG, patch), ("L004",), Remedy(patch, ""))
        for patch in ({"training.epochs": "999"}, {"training.lr": "0.1"})
    ]
    assert equal_budget(CONFIG, changes) == changes[1:]


def test_a_cure_may_fail_in_one_of_five_seeds() -> None:
    def cures(*learned: bool) -> bool:
        return Tried(Treatment(CONFIG), (0.9,) * len(learned), (), learned).cures

    assert cures(True, True, False, True, True)
    assert not cures(True, False, False, True, True)
    assert not cures(True, True, True, True)


def test_the_rate_counts_cases() -> None:
    case = all_cases()[0]
    found = summary(
        [
            Cure(case, ("G001",), 1, {"model.norm": "batch"}, (1.0,) * 5, 5),
            Cure(case, ("G001",), 3, None),
        ]
    )
    assert (found["cured"], found["cases"], found["share"], found["findings_gone"]) == (
        1,
        2,
        0.5,
        1,
    )


def test_cases_that_are_ill_in_every_seed_are_taken_in_an_order_that_does_not_depend_on_the_file() -> (  # noqa: E501
    None
):
    committed = json.loads(OUTCOMES.read_text(encoding="utf-8"))
    order = [case.name for case in shuffled(committed)]
    assert order == [
        case.name for case in shuffled({"cases": dict(reversed(committed["cases"].items()))})
    ]
    assert all(set(committed["cases"][name]["labels"]) == {"ill"} for name in order)


def test_equal_initial_weights_are_cured_by_an_initializer(tmp_path: Path) -> None:
    write_all(tmp_path / "data")
    case = next(case for case in all_cases() if case.name == "blobs-zeros")
    config, found = ill_run(case, tmp_path)
    remedy = next(
        remedy
        for finding in findings_of(found)
        if finding.code == "W001"
        for remedy in finding.remedies
    )
    tried = trained_change(
        Treatment(with_values(config, remedy.patch), ("W001",), remedy), case, 0.94, tmp_path
    )
    assert tried.cures
    assert cure_of(case, ("W001",), 1, tried, False).gone == SEEDS


def test_the_committed_count_is_that_of_its_cases() -> None:
    found = json.loads(PRESCRIBED.read_text(encoding="utf-8"))
    assert set(found["cases"]) <= {
        case.name for case in all_cases() if not case.label
    }  # more seeds may find that one of them is not always ill
    assert found["summary"]["cases"] == len(found["cases"])
    assert found["summary"]["cured"] == sum(
        each["patch"] is not None for each in found["cases"].values()
    )
