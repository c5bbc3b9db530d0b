"""--help: every command is there, fits 80 columns, and its examples run."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ROOT, TINY, dlprobe, environment

from dlprobe.commands.base.application import docstring, load, names
from dlprobe.commands.base.help import split_examples
from dlprobe.config import fields
from dlprobe.errors import ExitCode

LONG = {"gradients", "prescribe"}  # examples that train whole grids; tests of their own run them small


def test_every_command_stands_in_the_help_with_its_first_line() -> None:
    shown = " ".join(dlprobe("--help").out.split())
    assert names()
    assert [name for name in names() if " ".join(docstring(name).partition("\n")[0].split()) not in shown] == []


def test_no_argument_is_help() -> None:
    assert dlprobe().out == dlprobe("--help").out
    assert dlprobe().code == 0


@pytest.mark.parametrize("name", names())
def test_help_fits_80_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text, _, examples = dlprobe(name, "--help").out.partition("\nExamples\n")
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert examples.strip()


@pytest.mark.parametrize("name", names())
def test_every_command_has_the_common_options(name: str) -> None:
    options = {option for parameter in load(name).params for option in parameter.opts}
    assert {"--format", "--quiet", "--no-color", "--debug"} <= options


def test_every_configuration_key_is_an_option_of_train_with_its_help_and_default() -> None:
    shown = " ".join(dlprobe("train", "--help").out.split())
    for field in fields():
        assert f"{field.option} " in shown
        assert " ".join(field.help.split()) in shown
        assert f"default: {field.default}]" in shown


@pytest.mark.parametrize("name", sorted(set(names()) - LONG))
def test_examples_of_the_help_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert dlprobe("train", *TINY[2:]).code == 0  # the runs/digits-1.h5 of the examples
    (tmp_path / "trainer_state.json").write_text('{"log_history": [{"step": 1, "loss": 2.5}]}', encoding="utf-8")  # the logs of others
    (tmp_path / "history.csv").write_text("epoch,loss\n0,2.5\n", encoding="utf-8")
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.5}\n', encoding="utf-8")
    for line in split_examples(docstring(name))[1]:
        program, *arguments = shlex.split(line)
        outcome = dlprobe(*arguments)
        assert (program, outcome.errors) == ("dlprobe", []), line
        assert outcome.code in (ExitCode.DONE, ExitCode.FINDINGS), line


def test_examples_of_the_program_are_commands_that_exist() -> None:
    examples = dlprobe("--help").out.partition("\nExamples\n")[2]
    for line in examples.strip().splitlines():
        assert shlex.split(line)[1] in names()


def test_version_is_one_line() -> None:
    assert dlprobe("--version").out.startswith("dlprobe ")


def test_short_help_is_read_without_importing_the_command() -> None:
    script = """
import sys
from dlprobe.commands import main
main(["--help"])
print([name for name in sys.modules if name.startswith("dlprobe.commands.") and ".base" not in name])
"""
    done = subprocess.run([sys.executable, "-c", script], env=environment(), cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_completion_offers_commands_options_and_names(tmp_path: Path) -> None:
    def offered(words: str) -> str:
        variables = {"_DLPROBE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
        done = subprocess.run([sys.executable, "-m", "dlprobe"], env=environment(**variables), cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stdout

    assert "train" in offered("dlprobe tr").split()
    assert "--batch-size" in offered("dlprobe train --batch").split()
    assert "leaky_relu" in offered("dlprobe train --activation leaky").split()
    assert "initializer" in offered("dlprobe list init").split()
    (tmp_path / "runs").mkdir()
    (tmp_path / "rest.csv").touch()
    shutil.copy(ROOT / "sample_runs" / "healthy.h5", tmp_path / "run.h5")
    assert offered("dlprobe inspect ru").split() == ["run.h5", "runs/"]
    assert offered("dlprobe inspect run.h5 --statistic val_l").split() == ["val_loss"]
