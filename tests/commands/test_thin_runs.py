"""Runs of which little was recorded: every command that reads says so in one line, or works on
what there is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import TINY, dlprobe

from dlprobe import registry
from dlprobe.config import from_mapping
from dlprobe.data import load, prepare
from dlprobe.record import layout
from dlprobe.runs import RunDescription, RunWriter, StudyWriter
from dlprobe.training import trainer
from dlprobe.training.describe import describe

NO_STEP = ("config", "evaluated", "ended", "packed", "linear")
FEW_STEPS = ("one_row", "no_evaluation", "linear_rows")


def described(layers: str) -> RunDescription:
    config = from_mapping(
        {"data": {"data": "wine"}, "model": {"layers": layers}, "training": {"epochs": 2}}
    )
    return describe(trainer.start(config, prepare(load(config.data, 0), config.data, 0, "float32")))


def rows(writer: RunWriter, layers: int, count: int) -> None:
    statistics = np.ones((count, layers, len(registry.records("statistic"))))
    writer.rows(0, np.arange(count), statistics, np.ones((count, len(layout.SCALARS))), 0.1)
    writer.flush()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Journals as kills leave them, by what was recorded."""
    place = tmp_path_factory.mktemp("thin")
    net, linear = described("5,4"), described("")
    (place / "empty.h5.journal").touch()
    writers = {
        name: RunWriter.create(place / f"{name}.h5", linear if "linear" in name else net)
        for name in (*NO_STEP, *FEW_STEPS)
    }
    writers["evaluated"].evaluation(
        0, {"train_loss": 1.0, "val_loss": 1.0, "train_error": 0.5, "val_error": 0.5}
    )
    for name in ("ended", "packed"):
        writers[name].end(
            "interrupted", {"steps_done": 0, "stopped_step": 0, "stop_reason": "Ctrl-C"}
        )
    writers["packed"].pack()
    writers["one_row"].evaluation(0, {"train_loss": 1.0})
    rows(writers["one_row"], 3, 1)
    rows(writers["no_evaluation"], 3, 3)
    rows(writers["linear_rows"], 1, 3)
    for writer in writers.values():
        writer.close()
    StudyWriter.create(place / "study_none.h5", {"experiment": "compare"}).close()
    with StudyWriter.create(place / "study_thin.h5", {"experiment": "compare"}) as study:
        study.run("a", RunWriter.create(None, net).bytes())
    assert dlprobe("train", *TINY, "-o", str(place / "good.h5")).code == 0
    return place


def one_error(outcome: object) -> str:
    (line,) = outcome.errors  # type: ignore[attr-defined]
    assert outcome.code == 2  # type: ignore[attr-defined]
    return str(line)


@pytest.mark.parametrize("name", NO_STEP)
@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "RUN"],
        ["check", "RUN", "--counts"],
        ["check", "RUN", "--advise"],
        ["check", "RUN", "--against", "good.h5"],
        ["check", "good.h5", "--against", "RUN"],
        ["diff", "RUN", "good.h5"],
        ["diff", "good.h5", "RUN"],
        ["diff", "RUN", "RUN"],
        ["prescribe", "RUN"],
    ],
    ids=" ".join,
)
def test_a_run_without_a_recorded_step_is_said_to_have_none(
    arguments: list[str], name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    line = one_error(dlprobe(*(each.replace("RUN", f"{name}.h5") for each in arguments)))
    assert line.startswith(f"error: {name}.h5 holds no recorded step")


@pytest.mark.parametrize(
    "command",
    [
        ["inspect"],
        ["check"],
        ["diff", "good.h5"],
        ["theory", "--against"],
        ["bias-variance"],
        ["prescribe"],
        ["train"],
        ["train", "--dry-run"],
    ],
)
def test_an_empty_journal_is_one_line(
    command: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert one_error(dlprobe(*command, "empty.h5")).endswith(
        "is empty: the run was stopped before it began; delete it and train again"
    )


@pytest.mark.parametrize("name", [*NO_STEP, *FEW_STEPS])
def test_what_there_is_can_be_looked_at(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for more in (
        [],
        ["--show", "layers"],
        ["--show", "metrics"],
        ["--show", "config"],
        ["--show", "environment"],
        ["--format", "json"],
    ):
        outcome = dlprobe("inspect", f"{name}.h5", *more)
        assert (outcome.code, outcome.err) == (0, ""), more
    assert ("stopped after 0 steps" in " ".join(dlprobe("inspect", f"{name}.h5").out.split())) == (
        name in NO_STEP
    )
    for more in (["gradient_rms"], ["gradient_rms", "--over", "layer"], ["batch_loss"]):
        outcome = dlprobe("inspect", f"{name}.h5", "--statistic", *more)
        assert (outcome.code, outcome.err) == (0, "")
        assert ("No step of it was recorded" in outcome.out) == (name in NO_STEP)
    assert dlprobe("train", "--dry-run", f"{name}.h5").code == 0


@pytest.mark.parametrize("name", FEW_STEPS)
def test_a_few_steps_are_judged_and_compared(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for arguments in (["check", f"{name}.h5"], ["diff", f"{name}.h5", "good.h5"]):
        outcome = dlprobe(*arguments)
        assert outcome.code in (0, 1)
        assert outcome.errors == []
    assert "not compared with the baseline: " in one_error(
        dlprobe("check", f"{name}.h5", "--against", "good.h5")
    )


def test_studies_without_runs_or_steps_are_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for arguments in (["check"], ["diff", "good.h5"]):
        assert "study_none.h5 is a study without a run" in one_error(
            dlprobe(*arguments, "study_none.h5")
        )
        assert "study_thin.h5#a holds no recorded step" in one_error(
            dlprobe(*arguments, "study_thin.h5")
        )
    assert one_error(dlprobe("compare", "study_none.h5"))
    assert dlprobe("inspect", "study_thin.h5").code == 0
