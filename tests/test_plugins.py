"""Another package adds an activation, a rule and a subcommand by entry points; `example_plugin` is
such a package, and what `dlprobe explain extending` shows.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import ROOT, environment

PACKAGE = ROOT / "tests" / "example_plugin"
STORY = """
import json, sys
from dlprobe.commands import main

def run(*arguments):
    print("===", main(list(arguments)), "of 5")

run("explain", "tent", "--format", "json")
run("train", "--data", "wine", "--layers", "8,8", "--activation", "tent", "--steps", "3",
    "-o", "tent.h5", "--quiet")
run("check", "tent.h5", "--select", "X001", "--set", "X001.shift=0.01", "--format", "json",
    "--fail-on", "warning")
run("means", "tent.h5", "--format", "json")
run("--help")
"""


def installed(folder: Path) -> Path:
    """What `pip install` leaves of the example package: its modules, and its entry points."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shutil.copytree(PACKAGE / "dlprobe_example", folder / "dlprobe_example")
    facts = folder / f"dlprobe_example-{project['version']}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (facts / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


def python(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    path = f"{ROOT}:{folder}"
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment(PYTHONPATH=path),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_package_adds_an_activation_a_rule_and_a_subcommand(tmp_path: Path) -> None:
    outcome = python(installed(tmp_path), STORY)
    results = [piece.rpartition("=== ") for piece in outcome.stdout.split(" of 5\n")[:5]]
    assert [code for _, _, code in results] == ["0", "0", "1", "0", "0"], outcome.stderr
    explained, _, checked, means, listing = (out for out, _, _ in results)
    assert json.loads(explained)["formula"] == "a = max(1 − |z|, 0)"
    (finding,) = json.loads(checked)["runs"][0]["findings"]
    shown = json.loads(means)["layers"]
    assert [layer["name"] for layer in shown] == ["hidden_1", "hidden_2", "output"]
    assert all(0.0 <= layer["mean"] <= 1.0 for layer in shown[:2])  # a tent lies between 0 and 1
    assert finding["code"] == "X001"
    assert finding["layers"][0] in ("hidden_1", "hidden_2")
    assert "means" in listing.split("Of other packages")[1]


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        ("raise OSError('no\\n lights')", "OSError: no lights"),
        (
            "from dlprobe.registry import get, register\n"
            "register('activation', get('activation', 'relu'))",
            "twice",
        ),
    ],
)
def test_a_broken_plugin_is_one_line_that_names_its_package(
    tmp_path: Path, break_it: str, reason: str
) -> None:
    folder = installed(tmp_path)
    (folder / "dlprobe_example" / "tent.py").write_text(break_it)
    script = "import sys; from dlprobe.commands import main; sys.exit(main(['explain', 'relu']))"
    outcome = python(folder, script)
    assert outcome.returncode == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert "of the package dlprobe-example" in outcome.stderr
    assert reason in outcome.stderr


def test_the_page_shows_the_package_as_it_is() -> None:
    page = (ROOT / "dlprobe" / "guide" / "extending.md").read_text(encoding="utf-8")
    files = [PACKAGE / "pyproject.toml", *sorted(PACKAGE.glob("dlprobe_example/*.py"))]
    shown = [file for file in files if file.stat().st_size]
    assert len(shown) == 4
    for file in shown:
        assert file.read_text(encoding="utf-8").strip() in page, file.name
