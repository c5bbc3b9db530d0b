"""One diagnosis, everywhere the same: every command, format and the plugin says it, and
whatever they tell to type works.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from command_line import ROOT, dlprobe

from dlprobe.analysis.learning.states import StateName
from dlprobe.guide.schemas import FOLDER
from dlprobe.pytest_plugin import told
from dlprobe.rules.files import Criteria, judged_files

SAMPLES = ROOT / "sample_runs"
READABLE = sorted(
    path.stem for path in SAMPLES.glob("*.h5") if path.stem not in ("damaged", "initializers")
)
SMALL = ("--data", "wine", "--layers", "8x10", "--activation", "sigmoid", "--epochs", "30", "-q")
NEXT = re.compile(r"^next: (.+?)(?:   # .*)?$", re.MULTILINE)
TYPED = re.compile(r"^ +(?:Try|or|all) +(dlprobe .+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample runs, a run whose error signal vanishes, and a study with one good and one ill
    value; the tests of this file work in it.
    """
    path = tmp_path_factory.mktemp("runs")
    for name in READABLE:
        shutil.copy(SAMPLES / f"{name}.h5", path)
    study = ("--data", "wine", "--layers", "8", "--epochs", "30", "--seeds", "2", "-o", "study.h5")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        assert dlprobe("train", *SMALL, "-o", "ill.h5").code == 0
        assert dlprobe("compare", "init", "glorot_normal", "zeros", *study).code == 0
    return path


@pytest.fixture(autouse=True)
def _there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def checked(path: str) -> dict[str, Any]:
    """What `check` says of a run."""
    return dict(dlprobe("check", path, "--format", "json").data["runs"][0]["diagnosis"])


@pytest.mark.parametrize(
    "name", ["healthy", "lost", "diverged", "interrupted", "ill"]
)  # all others: python -m tests.detection.diagnoses --agree
def test_check_inspect_and_diff_say_the_same(name: str) -> None:
    said = checked(f"{name}.h5")
    assert dlprobe("inspect", f"{name}.h5", "--format", "json").data["diagnosis"] == said
    sides = dlprobe("diff", f"{name}.h5", "healthy.h5", "--format", "json").data["pairs"]
    assert said in [pair["diagnosis"]["a"] for pair in sides]


def test_train_says_what_check_says_afterwards() -> None:
    trained = dlprobe("train", *SMALL, "-o", "again.h5", "--format", "json").data
    assert trained["diagnosis"] == checked("again.h5")
    assert (trained["state"], trained["state_reason"]) == (
        trained["diagnosis"]["state"],
        trained["diagnosis"]["reason"],
    )


def test_a_study_says_of_its_worst_run_what_check_says() -> None:
    values = {
        value["label"]: value
        for value in dlprobe("compare", "study.h5", "--format", "json").data["values"]
    }
    runs = [
        run
        for run in dlprobe("check", "study.h5", "--format", "json", "--exit-zero").data["runs"]
        if "zeros" in run["path"]
    ]
    assert values["zeros"]["diagnosis"] in [run["diagnosis"] for run in runs]
    assert values["zeros"]["diagnosis"]["cause"]["code"] == "W001"
    for name, value in values.items():
        assert sum(value["states"].values()) == 2, name


def test_gradients_says_of_its_cells_what_check_says_of_their_runs() -> None:
    grid = (
        "--depth",
        "2,8",
        "--width",
        "6",
        "--activation",
        "sigmoid",
        "--init",
        "glorot_normal",
        "--norm",
        "none",
    )
    data = dlprobe(
        "gradients",
        *grid,
        "--data",
        "wine",
        "--epochs",
        "30",
        "--seeds",
        "2",
        "-o",
        "grid.h5",
        "--format",
        "json",
    ).data
    known = {
        run["path"]: run["diagnosis"]
        for run in dlprobe("check", "grid.h5", "--format", "json", "--exit-zero").data["runs"]
    }
    told_of = [cell["diagnosis"] for cell in data["cells"] if cell["diagnosis"]]
    assert told_of
    assert all(each in known.values() for each in told_of)


@pytest.mark.parametrize("name", ["vanishing", "interrupted"])
def test_every_format_and_the_plugin_say_the_first_line(name: str) -> None:
    path = f"{name}.h5"
    said = checked(path)
    sentence = f"{path}: {said['state']}: {said['reason']}"

    def of(format: str) -> str:
        return dlprobe("check", path, "--format", format).out

    assert " ".join(of("table").split())[2:].startswith(sentence)
    assert of("concise").splitlines()[0] == sentence
    assert f"{sentence.replace('%', '%25')}\n" in of("github").replace("%0A", "\n")
    assert {
        each.get("value")
        for each in ElementTree.fromstring(of("junit")).iter("property")
        if each.get("name") == "diagnosis"
    } == {sentence}
    notes = json.loads(of("sarif"))["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert sentence in [note["message"]["text"] for note in notes]
    assert f"{path}: {said['state']}" in of("markdown")
    assert said in [json.loads(line).get("diagnosis") for line in of("json-lines").splitlines()]
    (judged,) = judged_files([Path(path)], Criteria())
    assert f"  {sentence}\n" in told(judged, ("error", "warning", "info"))


def test_what_follows_from_the_cause_is_said_so_and_has_no_remedy_of_its_own() -> None:
    for format in ("concise", "junit", "sarif", "github"):
        text = dlprobe("check", "vanishing.h5", "--format", format).out
        assert text.count("follows from G001") >= 2, format
    shown = dlprobe("check", "vanishing.h5").out
    assert "It brings about: not-learning (L001)" in shown
    assert shown.count("--activation relu") == 2  # with what undoes depth too, and alone


def test_green_is_for_runs_that_learned_well_and_have_no_fault() -> None:
    marks = {
        name: dlprobe("check", f"{name}.h5").out[0]
        for name in ("healthy", "vanishing", "diverged", "exploding")
    }
    assert marks == {"healthy": "✓", "vanishing": "✗", "diverged": "✗", "exploding": "!"}


def test_every_action_of_a_run_trains_when_it_is_pasted() -> None:
    states = get_args(StateName)
    runs = dlprobe("check", "ill.h5", "diverged.h5", "--format", "json").data["runs"]
    actions = [action for run in runs for action in run["diagnosis"]["actions"]]
    commands = {
        (action["code"], *sorted(action["patch"])): action["command"] for action in actions
    }.values()
    assert len(commands) >= 4
    for command in commands:
        done = dlprobe(*shlex.split(command)[1:], "--format", "json")
        assert (done.code, done.data["state"] in states) == (0, True), command


def test_the_first_action_cures_the_net_whose_signal_vanishes() -> None:
    """Twenty sigmoid layers of the recipe's form: with ReLU and He weights the same net learns
    (Glorot, Bordes & Bengio 2011).
    """
    action = checked("ill.h5")["actions"][0]
    assert action["patch"]["model.activation"] == "relu"
    cured = dlprobe(*shlex.split(action["command"])[1:], "--format", "json").data
    assert cured["state"] in ("learned well", "learned in part")
    assert cured["profile"]["initial"]["verdict"] == "level"


def test_all_that_the_screen_of_an_ill_run_says_to_try_works() -> None:
    typed = TYPED.findall(dlprobe("check", "ill.h5").out)
    assert [command.split()[1] for command in typed] == ["train", "train", "train", "prescribe"]
    done = dlprobe(*shlex.split(typed[-1])[1:], "--force")
    assert done.code == 0, done.err


SCREENS = (
    "check ill.h5",
    "check healthy.h5",
    "check vanishing.h5 diverged.h5",
    "check study.h5",
    "check 'the ill.h5'",
    "inspect ill.h5",
    "inspect study.h5",
    "inspect 'the ill.h5' --statistic weight_histogram",
    "inspect study.h5 --statistic val_error --by init",
    "inspect study.h5 --statistic gradient_rms --extreme",
    "bias-variance 'the ill.h5'",
    "data wine",
    "recipe data_size --tiny -o 'the recipe.h5'",
    "train ill.h5 --epochs 1",
    "compare study.h5",
    "compare init glorot_normal zeros --data wine --layers 4 --epochs 1 --seeds 2",
    (
        "gradients --depth 2 --width 4 --activation relu --init he_normal --norm none --data wine "
        "--epochs 1 --seeds 1"
    ),
    "theory --data wine --layers 8x4",
    "lr-find --data wine --epochs 1 --quick",
    "new",
    "explain",
    "explain activation",
    "recipe",
)


@pytest.mark.parametrize("line", SCREENS)
def test_what_a_screen_says_to_type_works(
    line: str, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in folder.glob("*.h5"):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "the ill.h5").symlink_to(folder / "ill.h5")
    monkeypatch.chdir(tmp_path)
    shown = dlprobe(*shlex.split(line))
    assert shown.code in (0, 1), shown.err
    typed = NEXT.findall(shown.out)
    assert typed
    for command in typed:
        if command.endswith("--quiz"):  # it asks on the screen
            continue
        done = dlprobe(*shlex.split(command)[1:], "--format", "json")
        assert done.code in (0, 1), f"{command}: {done.err}"
        assert done.data.get("state", "learned well") in get_args(StateName), command


@pytest.mark.parametrize("width", [80, 200])
def test_no_line_of_prose_is_wider_than_a_hundred_columns(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for name in ("vanishing", "exploding", "healthy"):
        lines = dlprobe("check", f"{name}.h5").out.splitlines()
        assert [
            line for line in lines if len(line) > min(width, 100) and "dlprobe " not in line
        ] == []


def test_a_run_of_a_study_can_be_named_wherever_a_run_is_asked_for() -> None:
    first, other = dlprobe("check", "study.h5", "--format", "json", "--exit-zero").data["runs"][:2]
    assert checked(first["path"]) == first["diagnosis"]
    commands = [
        ("inspect",),
        ("diff", other["path"]),
        ("theory", "--against"),
        ("bias-variance",),
        ("summary",),
    ]
    commands.append(("train", "--steps", "2", "-o", "member.h5", "--force"))
    prescribe = ("prescribe", "--seeds", "1", "--tries", "1", "-o", "member.toml", "--force")
    for command in (*commands, prescribe, ("check", other["path"], "--exit-zero", "--against")):
        assert dlprobe(*command, first["path"]).code == 0, command
    for going_on in (("train", "--resume"), ("inspect", "--pack")):
        outcome = dlprobe(*going_on, first["path"])
        assert (outcome.code, len(outcome.errors), "a run of a study" in outcome.err) == (
            2,
            1,
            True,
        )
    for wrong, said in (("study.h5#nobody", "no run nobody"), ("ill.h5#1", "single run")):
        outcome = dlprobe("check", wrong)
        assert (outcome.code, len(outcome.errors), said in outcome.err) == (2, 1, True)


def test_an_interrupted_run_says_so() -> None:
    assert "stopped after" in checked("interrupted.h5")["reason"]


def test_the_schemas_describe_one_diagnosis() -> None:
    """Every output that has one has the same keys, described the same."""
    found = [
        json.loads(path.read_text(encoding="utf-8")).get("$defs", {}).get("diagnosis")
        for path in sorted(FOLDER.glob("*.json"))
    ]
    described = [dict(each["properties"]) for each in found if each]
    assert len(described) >= 6
    states = [
        set(each.pop("state")["enum"]) - {"before training"} for each in described
    ]  # of a configuration, which `check` alone judges
    assert states == [set(get_args(StateName)) - {"before training"}] * len(states)
    assert all(each == described[0] for each in described)
