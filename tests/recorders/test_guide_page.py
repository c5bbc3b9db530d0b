"""The manual's page `pytorch`, executed: the sick script is found sick, the cured one is not,
and the probe at its end writes a run.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_line import ROOT, dlprobe
from recorded_torch import torch

PAGE = ROOT / "dlprobe" / "guide" / "pytorch.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every Python block of the page has run, in their order."""
    where = tmp_path_factory.mktemp("page")
    names: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        for block in re.findall(
            r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S
        ):
            exec(compile(block, "page", "exec"), names)
    assert isinstance(names["model"], torch.nn.Module)
    return where


def codes(path: Path, severity: str) -> list[str]:
    findings = json.loads(dlprobe("check", str(path), "--format", "json").out)["runs"][0][
        "findings"
    ]
    return [each["code"] for each in findings if each["severity"] == severity]


def test_the_sick_script_is_about_as_long_as_promised() -> None:
    first = re.findall(
        r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S
    )[0]
    assert 35 <= len(first.splitlines()) <= 45


def test_check_finds_what_the_page_says(folder: Path) -> None:
    ill = dlprobe("check", str(folder / "sick.h5"))
    assert ill.code == 1
    assert "G001" in codes(folder / "sick.h5", "error")
    assert "did not learn" in " ".join(ill.out.split())
    cure = "model[i] = torch.nn.Sequential(model[i], torch.nn.BatchNorm1d(model[i].out_features))"
    assert cure in ill.out
    assert cure in PAGE.read_text(encoding="utf-8").partition("## The cure")[2]


def test_the_cure_cures(folder: Path) -> None:
    assert dlprobe("check", str(folder / "cured.h5")).code == 0
    assert codes(folder / "cured.h5", "error") == []
    difference = dlprobe("diff", str(folder / "sick.h5"), str(folder / "cured.h5"))
    assert (difference.code, "G001" in difference.out) == (0, True)


def test_the_probe_of_the_page_writes_a_run(folder: Path) -> None:
    assert dlprobe("inspect", str(folder / "probed.h5")).code == 0
