"""import: logs that people already have become run files; what they tell is judged, and nothing
else is made up.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import dlprobe

from dlprobe import open_run
from dlprobe.runs import Run

# as Keras's CSVLogger writes it
HISTORY = "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.25,2.0,0.5,1.5\n1,0.5,1.0,0.625,1.25\n"


def state(steps: int, loss: str = "2.0 - 0.01 * step") -> str:
    """As Hugging Face's Trainer writes it."""
    entries = [
        {
            "epoch": step / 10,
            "grad_norm": 1.5,
            "learning_rate": 0.001,
            "loss": eval(loss),
            "step": step,
        }
        for step in range(1, steps + 1)
    ]
    entries += [
        {"epoch": 1.0, "eval_loss": 1.25, "eval_accuracy": 0.75, "step": steps},
        {"train_runtime": 3.0, "train_loss": 9.0, "step": steps},
    ]
    return json.dumps({"global_step": steps, "log_history": entries})


def imported(folder: Path, name: str, text: str, *options: str) -> Run:
    (folder / name).write_text(text, encoding="utf-8")
    outcome = dlprobe(
        "import", str(folder / name), "-o", str(folder / "run.h5"), "--force", *options
    )
    assert outcome.code == 0, outcome.err
    run = open_run(folder / "run.h5")
    assert isinstance(run, Run)
    return run


def test_a_trainer_state_has_rows_evaluations_and_no_summary(tmp_path: Path) -> None:
    with imported(tmp_path, "trainer_state.json", state(20)) as run:
        assert (run.origin, run.status, run.facts.learning_rate) == ("log", "finished", 0.001)
        assert list(run.steps) == list(range(20))  # entry 1 is of update 0
        np.testing.assert_allclose(run.scalar("batch_loss"), 2.0 - 0.01 * np.arange(1, 21))
        np.testing.assert_allclose(run.scalar("gradient_norm"), 1.5)
        assert list(run.evaluations["step"]) == [20]
        assert (list(run.evaluations["val_loss"]), list(run.evaluations["val_error"])) == (
            [1.25],
            [0.25],
        )
        assert run.statistics == ()


def test_epochs_become_steps_as_they_are_told_to(tmp_path: Path) -> None:
    with imported(tmp_path, "history.csv", HISTORY, "--steps-per-epoch", "30") as run:
        assert list(run.evaluations["step"]) == [30, 60]
        assert list(run.evaluations["train_loss"]) == [2.0, 1.0]
        assert list(run.evaluations["train_error"]) == [0.75, 0.5]
        assert list(run.evaluations["val_error"]) == [0.5, 0.375]
        assert run.facts.notes is not None
        assert "an epoch is 30 steps, as given" in run.facts.notes[0]


def test_sparse_columns_and_json_lines_are_read(tmp_path: Path) -> None:
    """As Lightning's CSVLogger writes it: a row has what was logged at its step."""
    with imported(
        tmp_path,
        "metrics.csv",
        "epoch,lr-SGD,step,train_loss,val_loss\n0,0.1,9,2.0,\n0,,9,,1.75\n1,0.1,19,1.5,\n",
    ) as run:
        assert (
            list(run.steps),
            list(run.scalar("batch_loss")),
            list(run.scalar("learning_rate")),
        ) == ([9, 19], [2.0, 1.5], [0.1, 0.1])  # it counts updates from 0
        assert (list(run.evaluations["step"]), list(run.evaluations["val_loss"])) == ([10], [1.75])
    lines = "\n".join(
        json.dumps({"step": step, "loss": 1.0 / step, "text": "ignored"}) for step in (1, 2, 4)
    )
    with imported(tmp_path, "log.jsonl", lines) as run:
        assert list(run.scalar("batch_loss")) == [1.0, 0.5, 0.25]


def test_a_loss_that_explodes_is_found_and_a_falling_one_is_not(tmp_path: Path) -> None:
    for loss, code, rule in (
        ("2.0 * 1.05 ** step", 1, True),
        ("2.0 * 0.97 ** step + 0.01", 0, False),
    ):
        imported(tmp_path, "trainer_state.json", state(150, loss)).close()
        outcome = dlprobe("check", str(tmp_path / "run.h5"), "--format", "json")
        found = [each["code"] for each in json.loads(outcome.out)["runs"][0]["findings"]]
        assert (outcome.code, "L002" in found) == (code, rule)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "a.csv",
            "a,b\n1,2\n",
            "no training loss in this log: found a, b; expected a column loss or train_loss",
        ),
        ("a.csv", "words", "no table with two columns or more"),
        ("a.jsonl", '{"step": 1, "loss": 2}\nnot json\n', "line 2: no JSON object"),
        ("a.json", '{"log_history": []}', "no training loss in this log"),
        ("a.json", "{" * 100_000, "line 1: no JSON object"),
        ("a.csv", "", "no table with two columns or more"),
    ],
)
def test_what_is_no_log_is_refused_in_one_line(
    name: str, text: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    outcome = dlprobe("import", str(tmp_path / name), "-o", str(tmp_path / "run.h5"))
    assert (outcome.code, outcome.out, len(outcome.errors)) == (2, "", 1)
    assert told in outcome.err
    assert not (tmp_path / "run.h5").exists()


def test_a_missing_log_is_refused_and_so_is_the_log_itself_as_the_run(tmp_path: Path) -> None:
    assert (
        "no such file"
        in dlprobe("import", str(tmp_path / "none.csv"), "-o", str(tmp_path / "run.h5")).err
    )
    (tmp_path / "history.csv").write_text(HISTORY, encoding="utf-8")
    outcome = dlprobe(
        "import", str(tmp_path / "history.csv"), "-o", str(tmp_path / "history.csv"), "--force"
    )
    assert (outcome.code, "is the log that is read" in outcome.err) == (2, True)
    assert (tmp_path / "history.csv").read_text(encoding="utf-8") == HISTORY
