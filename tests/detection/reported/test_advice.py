"""What is advised does not contradict itself, and undoes what is wrong, in the cheapest cases;
`python -m tests.detection.reported.advice` does all.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dlprobe.config import from_mapping
from dlprobe.rules import Finding, Remedy, judge

from .__main__ import run_of
from .advice import contradictions, first_action, known_best
from .cases import all_reported
from .data import write_reported

CASES = {case.name: case for case in all_reported()}
MANY_FINDINGS = (
    "flowers-sigmoid-7",
    "flowers-batch-of-two",
    "houses-price-raw",
    "houses-shuffled",
    "flowers-momentum-20",
)
CURED = (
    "wine-1e-9",
    "flowers-dead-biases",
    "flowers-momentum-20",
    "houses-features-raw-sgd",
    "boiling-tanh-output",
    "houses-l2-1",
)
CONFIG = from_mapping({"model": {"dropout": 0.5}, "training": {"lr": 0.01}})


def found(code: str, patch: dict[str, str]) -> Finding:
    return Finding(
        1.0, 1.0, "evidence", remedies=(Remedy(patch, "why"),), code=code, severity="warning"
    )


def test_contradictions_are_seen() -> None:
    assert contradictions(
        CONFIG, [found("L003", {"training.lr": "0.001"}), found("L004", {"training.lr": "0.1"})]
    ) == ["lr up by ['L004'], down by ['L003']"]
    assert contradictions(CONFIG, [found("B002", {"model.dropout": "0.3"})]) == [
        "B002 gives dropout 0.3 to a run with 0.5"
    ]
    assert not contradictions(
        CONFIG,
        [
            found("L003", {"training.lr": "0.001"}),
            found("L001", {"training.optimizer": "sgd", "training.lr": "0.1"}),
        ],
    )


@pytest.mark.parametrize("name", MANY_FINDINGS)
def test_findings_of_a_run_do_not_contradict_each_other(name: str, tmp_path: Path) -> None:
    run = run_of(CASES[name], 0, write_reported(tmp_path))
    findings = judge(run).findings
    assert len(findings) > 1
    assert not contradictions(run.required_configuration(), findings)


@pytest.mark.parametrize("name", CURED)
def test_the_first_action_cures_and_makes_no_new_error(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    assert first_action(
        case, run_of(case, 1, write_reported(tmp_path)), known_best()[case.family]
    ) == ("learned", [])
