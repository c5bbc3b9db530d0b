"""Campaigns and framework checks: pytest collects none of them, so what keeps them working is
tried here, a few times each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests import long_runs

FOLDERS = ("campaigns", "frameworks")


@pytest.mark.parametrize(
    ("folder", "name"), [(folder, name) for folder in FOLDERS for name in long_runs.names(folder)]
)
def test_pytest_would_not_collect_it(folder: str, name: str) -> None:
    text = (Path(__file__).parent / folder / f"{name}.py").read_text(encoding="utf-8")
    assert not name.startswith("test_")
    assert "COUNT" in text
    assert "skip" not in text


SHORT = {"killed_packing": 2, "killed_resume": 1, "killed_study": 1, "killed_training": 3}
SHORT |= {"mutated_files": 5, "odd_places": 2, "power_loss": 2, "stopped_writes": 1}


@pytest.mark.parametrize(("name", "count"), SHORT.items())
@pytest.mark.skipif(sys.platform == "win32", reason="no fork and no SIGKILL")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_campaign_says_what_it_tried_and_what_failed(name: str, count: int) -> None:
    found = long_runs.run("campaigns", name, count, seed=1)
    assert (found["check"], found["count"], found["seed"], found["failed"]) == (name, count, 1, [])
    if name == "mutated_files":
        assert sum(found["run"].values()) == count


def test_the_matrix_of_recorded_loops_is_tried_from_the_start() -> None:
    pytest.importorskip("torch")
    found = long_runs.run("frameworks", "recorders", 3, seed=0)
    assert (found["count"], found["failed"]) == (3, [])
    assert set(found["largest_difference"]) == {"exact", "bf16"}


def test_runs_of_one_law_pass_the_gate_and_planted_errors_do_not() -> None:
    """`gate_pairs` in short: one of the 200 pairs on either split, on digits."""
    found = long_runs.run("campaigns", "gate_pairs", 1, seed=0)
    assert found["failed"] == []
    assert found["planted, flipped, same seed, large"]["found"] == 1
    assert [told for kind, told in found.items() if kind.startswith("alarms")] == [[]] * 4


def test_the_advised_direction_is_the_better_one() -> None:
    """`bias_directions` in short: the first of 160 drawn runs, carried out both ways with five
    seeds.
    """
    found = long_runs.run("campaigns", "bias_directions", 1, seed=3)
    assert (found["more data or regularization"], found["failed"]) == ({"said": 1, "right": 1}, [])


def test_a_failure_is_printed_and_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = __import__("tests.campaigns.mutated_files", fromlist=["run"])
    monkeypatch.setattr(
        module, "run", lambda count, seed, folder: {"failed": [f"{count} tries with seed {seed}"]}
    )
    assert long_runs.main("campaigns", ["mutated_files", "--count", "3", "--seed", "4"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert found["failed"] == ["3 tries with seed 4"]


def test_configurations_for_pytorch_are_drawn_from_the_whole_registry() -> None:
    pytest.importorskip("torch")
    import random

    from tests.frameworks import pytorch

    chance = random.Random(0)
    drawn = [pytorch.draw(chance) for _ in range(600)]
    assert {case.activation for case in drawn} == set(pytorch.twins.HIDDEN)
    assert {case.loss for case in drawn} == {loss for loss, _ in pytorch.twins.LOSSES}
    assert {case.norm for case in drawn} == set(pytorch.NORMS)
    assert drawn != [pytorch.draw(chance) for _ in range(600)]
