"""Campaigns and framework checks: pytest collects none of them, so what keeps them working is tried here, a few times each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import long_runs

FOLDERS = ("campaigns", "frameworks")


@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder in FOLDERS for name in long_runs.names(folder)])
def test_pytest_would_not_collect_it(folder: str, name: str) -> None:
    text = (Path(__file__).parent / folder / f"{name}.py").read_text(encoding="utf-8")
    assert not name.startswith("test_")
    assert "COUNT" in text
    assert "skip" not in text


@pytest.mark.parametrize(("name", "count"), [("killed_packing", 2), ("mutated_files", 5), ("killed_resume", 0)])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_campaign_says_what_it_tried_and_what_failed(name: str, count: int) -> None:
    found = long_runs.run("campaigns", name, count, seed=1)
    assert (found["check"], found["count"], found["seed"], found["failed"]) == (name, count, 1, [])
    if name == "mutated_files":
        assert found["read_as_written"] + found["refused"] == count


def test_a_failure_is_printed_and_is_the_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = __import__("tests.campaigns.mutated_files", fromlist=["run"])
    monkeypatch.setattr(module, "run", lambda count, seed, folder: {"failed": [f"{count} tries with seed {seed}"]})
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
