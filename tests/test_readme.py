"""The README's examples run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from dlprobe.commands import main

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.S)
COMMANDS = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if line.startswith("dlprobe ")]


def test_every_command_of_the_readme_runs_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(COMMANDS) > 10
    failed = []
    for line in COMMANDS:
        code = main(shlex.split(line)[1:])
        out, err = capfd.readouterr()
        if code != 0 or not out.strip():
            failed.append(f"{line}: exit {code}: {err}")
    assert not failed


def test_the_readme_configuration_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (text,) = [block for kind, block in BLOCKS if kind == "toml"]
    (tmp_path / "net.toml").write_text(text, encoding="utf-8")
    assert main(["train", "net.toml", "--quiet"]) == 0


def test_the_readme_python_reads_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main(["train", "--layers", "8,8", "--steps", "3", "-o", "sigmoid.h5", "--quiet"])
    (text,) = [block for kind, block in BLOCKS if kind == "python"]
    names: dict[str, object] = {}
    exec(compile(text, "README.md", "exec"), names)
    assert getattr(names["profile"], "shape", None) == (3,)
