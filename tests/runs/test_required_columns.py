"""What a run file must have, and what is said of a column that it does not have: its name, in
one line, wherever it is needed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest
from command_line import Outcome, dlprobe

from dlprobe import open_run
from dlprobe.errors import RunFileError

REQUIRED = ("layers/name", "stats/step", "initial/parameters")  # without these a file is no run
GROUPS = ("layers", "stats", "scalars")
OTHERS = ("timing/step_seconds", "evaluations/step", "histograms/step")
SAMPLE = (
    "layers/fan_in",
    "layers/units",
    "layers/activation",
    "layers/initializer",
    "stats/error_signal_rms",
    "scalars/batch_loss",
    *OTHERS,
)
ALL_COLUMNS = (
    "inspect x.h5",
    "check x.h5 --exit-zero",
)  # the other commands are tried without the columns of SAMPLE
COMMANDS = (
    *ALL_COLUMNS,
    "inspect x.h5 --show layers",
    "inspect x.h5 --show metrics",
    "inspect x.h5 --histograms",
    "check run.h5 --exit-zero --against x.h5",
    "diff x.h5 run.h5",
    "summary x.h5",
    "theory --against x.h5",
    "bias-variance x.h5",
)
# What is taken from the layer table together, and said of it: theory does not know the net, a
# baseline has other layers.
TOGETHER = {
    **{
        ("theory --against x.h5", f"layers/{name}"): "names parts that this dlprobe does not know"
        for name in ("activation", "initializer")
    },
    **{
        (
            "check run.h5 --exit-zero --against x.h5",
            f"layers/{name}",
        ): "the layers differ from those of the baseline"
        for name in ("activation", "units")
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("columns")
    assert (
        dlprobe(
            "train",
            "--data",
            "wine",
            "--layers",
            "5,4",
            "--epochs",
            "12",
            "-o",
            str(path / "run.h5"),
        ).code
        == 0
    )
    return path


def without(folder: Path, data_set: str) -> Path:
    """A copy of the run that lacks one data set."""
    shutil.copy(folder / "run.h5", folder / "x.h5")
    with h5py.File(folder / "x.h5", "r+") as file:
        del file[data_set]
    return folder / "x.h5"


def columns(folder: Path) -> Iterator[str]:
    with h5py.File(folder / "run.h5") as file:
        for group in GROUPS:
            yield from (
                f"{group}/{name}"
                for name, item in file[group].items()
                if isinstance(item, h5py.Dataset)
            )


@pytest.mark.parametrize("data_set", REQUIRED)
def test_a_file_without_a_required_data_set_is_refused_by_its_name(
    folder: Path, data_set: str
) -> None:
    with pytest.raises(RunFileError, match=f"it has no {data_set}$"):
        open_run(without(folder, data_set))


def test_every_other_column_may_be_missing_and_what_is_there_is_read(folder: Path) -> None:
    for data_set in set(columns(folder)) - set(REQUIRED):
        with open_run(without(folder, data_set)) as run:
            for column in set(run.layers) | {"name"}:
                assert len(run.layers[column]) == 3
            for name in run.statistics:
                assert run.statistic(name).shape == (len(run.steps), 3)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_column_is_done_without_or_named_in_one_line(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    complete = dlprobe(*command.replace("x.h5", "run.h5").split())
    assert complete.code == 0, complete.err
    wrong = {}
    for data_set in (*columns(folder), *OTHERS) if command in ALL_COLUMNS else SAMPLE:
        without(folder, data_set)
        outcome = dlprobe(*command.split())
        if not names_it(outcome, data_set, TOGETHER.get((command, data_set), "")):
            wrong[data_set] = outcome.err
    assert wrong == {}


def names_it(outcome: Outcome, data_set: str, instead: str) -> bool:
    """Whether a command did its work, or refused in one line that holds the name of the data
    set (of an evaluation in words: `training error`).
    """
    if outcome.code in (0, 1):
        return outcome.errors == []
    text = " ".join(outcome.errors)
    words = {"train": "training", "val": "validation"}
    name = data_set.rpartition("/")[2]
    spoken = re.sub(r"^(train|val)_", lambda part: words[part[1]] + " ", name)
    clear = any(each in text for each in (name, spoken, *([instead] if instead else [])))
    return (
        len(outcome.errors) == 1
        and clear
        and "Error" not in text
        and "do not fit together" not in text
    )
