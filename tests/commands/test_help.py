"""Help: `dlprobe` tells what to type first, `-h` the options that people use, `--help`
everything; examples run.
"""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ROOT, TINY, dlprobe, environment

from dlprobe.commands.base.application import load
from dlprobe.commands.base.catalogue import entry, names
from dlprobe.commands.base.help import MOST_OPTIONS, STORIES, split_examples
from dlprobe.config import fields
from dlprobe.errors import ExitCode

LONG = {
    "gradients",
    "prescribe",
}  # examples that train whole grids; tests of their own run them small
LISTED = {
    "Run": ["train", "gradients", "compare", "bias-variance"],
    "Read": ["inspect", "diff", "report"],
    "Fix and guard": ["check", "prescribe", "lr-find"],
    "Predict": ["theory", "data"],
    "Learn": ["explain", "recipe"],
    "also": ["export", "import", "new", "doctor"],
}
COMMON = {"--format", "--details", "--quiet", "--no-color", "--debug"}


def test_the_commands_are_listed_in_their_groups_and_no_other_one_is() -> None:
    assert set(names()) == {name for members in LISTED.values() for name in members}
    out = dlprobe("--help").out
    found = {
        group: re.findall(
            r"^  ([a-z-]+) {2,}", out.partition(f"\n{group}\n")[2].partition("\n\n")[0], re.M
        )
        for group in LISTED
    }
    assert found == LISTED
    shown = " ".join(out.split())
    assert [name for name in names() if entry(name).summary not in shown] == []


def test_a_line_of_the_listing_is_one_line_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = dlprobe("--help").out.splitlines()
    assert [
        name
        for name in names()
        if not any(
            re.fullmatch(rf"  {name} +{re.escape(entry(name).summary)}", line) for line in lines
        )
    ] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("list", "explain"),
        ("list rules", "explain rules"),
        ("summary --data wine", "train --dry-run --data wine"),
        ("help", "--help"),
        ("help lr_find", "lr-find --help"),
        ("help summary", "train --help"),
        ("version", "--version"),
        ("", "-h"),
    ],
)
def test_other_names_are_the_command_that_they_stand_for(old: str, new: str) -> None:
    said, meant = dlprobe(*old.split()), dlprobe(*new.split())
    assert (said, said.code) == (meant, 0)
    assert said.out.strip()


def test_the_stories_are_told_in_a_screen_and_every_line_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    lines = dlprobe().out.splitlines()
    assert len(lines) <= 26
    assert [line for line in lines if len(line) > 80] == []
    rows = "\n".join(f"{x / 10},{(x % 7) / 7},{'ab'[x % 2]}" for x in range(60))
    Path("mine.csv").write_text(f"height,age,label\n{rows}\n", encoding="utf-8")
    assert dlprobe("new", "--layers", "8x4", "-o", "deep.toml").code == 0
    assert dlprobe("train", "--data", "mine.csv", "--seed", "1", "-o", "good.h5").code == 0
    told = [line for _, story in STORIES for line, _ in story]
    assert [line for line in told if f"  {line}  " not in "\n".join(lines)] == []
    for line in told:
        if line != "dlprobe gradients":  # tests of its own run it small
            assert dlprobe(*shlex.split(line)[1:]).code in (ExitCode.DONE, ExitCode.FINDINGS), line


@pytest.mark.parametrize("name", names())
def test_short_help_is_what_people_use_on_one_screen(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = dlprobe(name, "-h").out
    text, _, examples = out.partition("\nExamples\n")
    options = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", text, re.M)
    assert len(options) <= MOST_OPTIONS
    assert {option for each in load(name).params for option in each.opts} >= set(load(name).short)
    assert len(out.splitlines()) <= 40
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "dlprobe --help" in examples


@pytest.mark.parametrize("name", names())
def test_help_names_every_option_in_80_columns_without_breaking_a_word(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {}
    for width in (80, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        texts[width], _, examples = dlprobe(name, "--help").out.partition("\nExamples\n")
        assert examples.strip()
    assert [line for line in texts[80].splitlines() if len(line) > 80] == []
    assert texts[80].split() == texts[200].split()
    parameters = load(name).params
    shown = [
        max(each.opts, key=len)
        for each in parameters
        if each.param_type_name == "option" and not getattr(each, "hidden", False)
    ]
    assert [option for option in shown if option not in re.split(r"[\s,|]+", texts[80])] == []
    assert {option for each in parameters for option in each.opts} >= COMMON


def test_common_options_are_described_once() -> None:
    described = [
        name
        for name in ("train", "check", "doctor")
        if "no progress, notes or warnings" in dlprobe(name, "--help").out
    ]
    assert described == []
    out = dlprobe("--help").out
    assert [option for option in COMMON if option not in out] == []
    assert "no progress, notes or warnings" in out


def test_every_configuration_key_is_an_option_of_train_with_its_help_and_default() -> None:
    shown = " ".join(dlprobe("train", "--help").out.split())
    for field in fields():
        assert f"{field.option} " in shown
        assert " ".join(field.help.split()) in shown
        assert f"default: {field.default}]" in shown


def test_another_command_describes_only_what_it_has_otherwise() -> None:
    shown = " ".join(dlprobe("gradients", "--help").out.split())
    assert "default: sigmoid,tanh,relu]" in shown
    assert "default: digits]" not in shown
    assert "Data: as in dlprobe help train --data --target" in shown


@pytest.mark.parametrize("name", sorted(set(names()) - LONG))
def test_examples_of_the_help_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert dlprobe("train", *TINY[2:]).code == 0  # the runs/digits-1.h5 of the examples
    (tmp_path / "trainer_state.json").write_text(
        '{"log_history": [{"step": 1, "loss": 2.5}]}', encoding="utf-8"
    )  # the logs of others
    (tmp_path / "history.csv").write_text("epoch,loss\n0,2.5\n", encoding="utf-8")
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.5}\n', encoding="utf-8")
    for line in split_examples(entry(name).text)[1]:
        program, *arguments = shlex.split(line)
        outcome = dlprobe(*arguments)
        assert (program, outcome.errors) == ("dlprobe", []), line
        assert outcome.code in (ExitCode.DONE, ExitCode.FINDINGS), line


def test_examples_of_the_program_run() -> None:
    for line in dlprobe("--help").out.partition("\nExamples\n")[2].strip().splitlines():
        assert dlprobe(*shlex.split(line)[1:]).code == 0


def test_version_is_one_line() -> None:
    assert re.fullmatch(r"dlprobe \S.*\n", dlprobe("version").out)


def test_short_help_is_read_without_importing_the_command() -> None:
    script = """
import sys
from dlprobe.commands import main
main(["--help"])
print([name for name in sys.modules if name.startswith("dlprobe.commands.") and ".base" not in name])
"""  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_completion_offers_commands_options_and_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("_DLPROBE_COMPLETE", "complete_bash")

    def offered(words: str) -> str:
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
        return dlprobe().out

    assert "train" in offered("dlprobe tr").split()
    assert "--batch-size" in offered("dlprobe train --batch").split()
    assert "leaky_relu" in offered("dlprobe train --activation leaky").split()
    assert "initializer" in offered("dlprobe explain init").split()
    (tmp_path / "runs").mkdir()
    (tmp_path / "rest.csv").touch()
    shutil.copy(ROOT / "sample_runs" / "healthy.h5", tmp_path / "run.h5")
    assert offered("dlprobe inspect ru").split() == ["run.h5", "runs/"]
    assert offered("dlprobe inspect run.h5 --statistic val_l").split() == ["val_loss"]
