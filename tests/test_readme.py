"""The examples of the README and of the manual's pages run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml
from command_line import ROOT, environment
from documents import CONFIGURATION, DOCUMENTS, blocks, commands

from dlprobe.commands import main
from dlprobe.commands.check.project_file import project_file

YAML = [yaml.safe_load(block) for block in blocks("yaml")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_of_a_document_runs_in_its_order(
    document: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    failed = []
    for line in commands(document):
        code = main(shlex.split(line, comments=True)[1:])
        out, err = capfd.readouterr()
        if code != 0 or not (out + err).strip():
            failed.append(f"{line}: exit {code}: {err}")
    assert not failed


def test_the_readme_is_short_and_links_every_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert len(commands(ROOT / "README.md")) >= 10
    linked = {ROOT / target for target in re.findall(r"\]\(([^):]+)\)", text)}
    assert [target for target in linked if not target.exists()] == []
    assert set(DOCUMENTS[1:]) <= linked


def test_every_configuration_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    configurations = blocks("toml", CONFIGURATION)
    assert configurations
    for text in configurations:
        (tmp_path / "net.toml").write_text(text, encoding="utf-8")
        assert main(["train", "net.toml", "--quiet"]) == 0


def test_the_python_example_reads_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main(["train", "--layers", "8,8", "--steps", "3", "-o", "sigmoid.h5", "--quiet"])
    dlprobe_reads, xarray_reads = blocks("python", ROOT / "dlprobe" / "guide" / "run-file.md")
    names: dict[str, object] = {}
    exec(compile(dlprobe_reads, "example", "exec"), names)
    assert getattr(names["profile"], "shape", None) == (3,)
    pytest.importorskip("xarray")
    exec(compile(xarray_reads, "example", "exec"), names)
    assert getattr(names["signal"], "shape", None) == (3, 3)


def test_the_workflow_runs_as_written(project: Path) -> None:
    """Every `run` of the GitHub workflow in the order of its steps, with the shell that GitHub
    uses; installing is what this checkout stands for.
    """
    workflow = next(document for document in YAML if "jobs" in document)
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands.pop(0) == "pip install ."
    assert len(commands) >= 3
    for command in commands:
        done = shell(project, command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert "sample" in (project / "summary.md").read_text(encoding="utf-8")


def test_the_action_annotates_writes_a_summary_and_fails_as_check_does(project: Path) -> None:
    action = yaml.safe_load(
        (ROOT / ".github" / "actions" / "check" / "action.yml").read_text(encoding="utf-8")
    )
    install, check = [step for step in action["runs"]["steps"] if "run" in step]
    assert install["run"].startswith("pip install")
    names = {f"${{{{ inputs.{name} }}}}" for name in action["inputs"]}
    assert set(check["env"].values()) == names
    for files, code in (("sample_runs/healthy.h5", 0), ("sample_runs/d[ei]*.h5", 1)):
        done = shell(project, check["run"], FILES=files, OPTIONS="--ignore B")
        assert done.returncode == code, done.stderr
        assert ("::error" in done.stdout) == (code == 1)
    assert "diverged" in (project / "summary.md").read_text(encoding="utf-8")


def test_the_pre_commit_hooks_judge_what_they_are_given(project: Path) -> None:
    """pre-commit appends the files of a commit that match `files` to the entry."""
    offered = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    local = next(document for document in YAML if "repos" in document)["repos"][0]["hooks"]
    for hook in (*offered, *local):
        assert re.search(hook["files"], "runs/net.h5")
        assert not re.search(hook["files"], "README.md")
        assert [
            shell(project, f"{hook['entry']} sample_runs/{name}.h5").returncode
            for name in ("healthy", "diverged")
        ] == [0, 1]


def test_the_pytest_example_runs(project: Path) -> None:
    (text,) = blocks("py")
    (project / "test_example.py").write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "sample_runs" / "healthy.h5", project / "relu.h5")
    plugin = (
        ""
        if any(each.value == "dlprobe.pytest_plugin" for each in entry_points(group="pytest11"))
        else "-p dlprobe.pytest_plugin"
    )
    done = shell(
        project,
        f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider {plugin} test_example.py",
    )
    assert "2 passed" in done.stdout, done.stdout


def test_the_project_file_example_is_read(project: Path) -> None:
    (text,) = blocks("ini")
    (project / "pyproject.toml").write_text(text, encoding="utf-8")
    assert project_file(project).texts("select") == ["G", "A", "L", "N"]
    assert shell(project, "dlprobe check sample_runs/healthy.h5").returncode == 0


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone as far as the examples look: the sample runs, and `dlprobe` as a command."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "dlprobe"
    program.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m dlprobe "$@"\n', encoding="utf-8"
    )
    program.chmod(0o755)
    shutil.copytree(ROOT / "sample_runs", tmp_path / "sample_runs")
    return tmp_path


def shell(folder: Path, command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the runner of GitHub does."""
    variables = environment(
        PATH=f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        GITHUB_STEP_SUMMARY=str(folder / "summary.md"),
        **changes,
    )
    return subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
