"""The reported cases themselves: well-formed, half of them healthy, what an answer is measured
by, and a handful that is trained anew.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dlprobe.config import from_options, to_mapping
from dlprobe.rules import all_rules

from .__main__ import REPORTED, options_of, run_of
from .case import NAMED, NOT, STATES, WELL, Answer, Reported, faults
from .cases import all_reported
from .data import write_reported
from .measuring import is_healthy_run, measured_state

CASES = {case.name: case for case in all_reported()}
CHEAPEST = (
    "wine-1e-9",
    "wine-1e-9-two-epochs",
    "majority-forty-rows",
    "flowers-dead-biases",
    "houses-features-raw-sgd",
    "boiling-mean-raw",
    "bits-noisy-majority",
    "houses-twenty-steps",
)


def test_names_are_unique_and_halves_are_alike() -> None:
    assert len(CASES) == len(all_reported()) >= 60 + 20
    ill = sum(case.ill for case in CASES.values())
    assert 0.45 <= ill / len(CASES) <= 0.55


def test_every_case_and_its_cure_are_configurations() -> None:
    for case in CASES.values():
        config = from_options(None, options_of(case, Path("folder")))
        assert (
            not case.cure or from_options(None, options_of(case.cured, Path("folder"))) != config
        ), case.name


def test_states_codes_and_causes_are_known() -> None:
    options = {key for table in to_mapping(from_options(None, {})).values() for key in table}
    for case in CASES.values():
        alternatives = {NAMED.get(code, code) for wanted in case.must for code in wanted.split("|")}
        assert set(case.states) <= set(STATES), case.name
        assert alternatives <= set(all_rules()), case.name
        assert all(
            any(code.startswith(prefix) for code in all_rules()) for prefix in case.must_not
        ), case.name
        assert set(case.cause.split("|")) - {""} <= options | {"data"}, case.name
        assert case.why
        assert set(case.may) <= set(all_rules()), case.name


def test_an_ill_case_has_a_cause_and_a_healthy_one_has_none() -> None:
    for case in CASES.values():
        assert case.ill == bool(case.cause), case.name
        assert not case.cure or set(case.cure) & set(case.cause.split("|")), case.name
        assert all(case.options.get(key) != value for key, value in case.cure.items()), case.name
        assert case.ill or WELL in case.states or case.states == ("too short to tell",), case.name


def test_no_case_asks_for_what_it_forbids() -> None:
    for case in CASES.values():
        for wanted in case.must:
            assert not all(
                code.startswith(case.must_not or ("-",)) for code in wanted.split("|")
            ), case.name


CASE = Reported(
    "a",
    "kind",
    "family",
    {},
    True,
    (NOT,),
    "why",
    cause="lr|steps",
    must=("L001|W004",),
    must_not=("D", "G002"),
)
RIGHT = Answer(NOT, frozenset({"lr"}), (("W004", "info"), ("D001", "info"), ("G001", "error")))


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (RIGHT, []),
        (replace(RIGHT, state=WELL), ["state learned well, right is did not learn"]),
        (replace(RIGHT, codes=()), ["L001|W004 is silent"]),
        (
            replace(RIGHT, codes=(("L001", "error"), ("D001", "warning"), ("G002", "error"))),
            ["D001 accuses", "G002 accuses"],
        ),
        (replace(RIGHT, blamed=frozenset({"init"})), ["lr|steps is not what is changed"]),
        (replace(RIGHT, blamed=None), []),
    ],
)
def test_what_is_wrong_with_an_answer(answer: Answer, wrong: list[str]) -> None:
    assert faults(CASE, answer) == wrong


def test_an_ill_case_whose_fault_did_not_strike_counts_as_healthy() -> None:
    assert not is_healthy_run(CASE, WELL)  # the case does not allow it
    assert is_healthy_run(replace(CASE, states=(NOT, WELL)), WELL)
    assert not is_healthy_run(replace(CASE, states=(NOT, WELL)), NOT)
    assert not is_healthy_run(
        replace(CASE, states=(WELL,), label="ill"), WELL
    )  # ill by construction: a leak


def test_the_committed_measurement_has_every_case_and_its_outcomes_are_what_the_cases_say() -> None:
    committed = json.loads(REPORTED.read_text(encoding="utf-8"))
    everything = [*CASES.values(), *(case.cured for case in CASES.values() if case.cure)]
    assert set(committed["runs"]) == {
        f"{case.name}/{seed}" for case in everything for seed in range(committed["seeds"])
    }
    off = [
        f"{case.name}/{seed}"
        for case in everything
        for seed in range(committed["seeds"])
        if committed["runs"][f"{case.name}/{seed}"]["state"] not in case.states
    ]
    assert not off


@pytest.mark.parametrize("name", CHEAPEST)
def test_a_cheap_case_comes_out_as_it_says(name: str, tmp_path: Path) -> None:
    best = json.loads(REPORTED.read_text(encoding="utf-8"))["best"]
    made, case = write_reported(tmp_path), CASES[name]
    assert measured_state(case, run_of(case, 0, made), best[case.family])[0] in case.states
