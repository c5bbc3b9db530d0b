"""inspect: a run or study in any state; a recorded quantity over steps or layers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import synthetic_runs
from command_line import TINY, dlprobe

from dlprobe.config import from_options
from dlprobe.data import load, prepare
from dlprobe.runs import RunWriter, StudyWriter, open_single
from dlprobe.training import describe, trainer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inspect")
    assert dlprobe("train", *TINY, "-o", str(path / "run.h5")).code == 0
    write_study(path / "study.h5")
    return path


@pytest.fixture(autouse=True)
def _there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def sessions() -> Iterator[tuple[str, trainer.Session]]:
    base = from_options(None, {"data": "wine", "layers": "5x2", "steps": "3"})
    data = prepare(load(base.data, 0), base.data, 0, "float32")
    for activation in ("relu", "tanh"):
        yield activation, trainer.start(from_options(base, {"activation": activation}), data)


def write_study(path: Path) -> None:
    with StudyWriter.create(
        path, {"experiment": "compare", "axes": {"activation": ["relu", "tanh"]}}
    ) as study:
        for number, (activation, session) in enumerate(sessions()):
            writer = RunWriter.create(None, describe.describe(session))
            trainer.run(session, writer)
            study.run(f"run_{number}", writer.bytes(), {"activation": activation})
        study.end()
        study.pack()


def test_overview_tells_status_data_results_and_verdicts() -> None:
    out = dlprobe("inspect", "run.h5").out
    assert "status    finished" in out
    assert "wine, classification: 107 training + 36 validation + 35 test" in out
    assert "net       13-5-4-3, relu, he_normal" in out
    assert "✓ level" in out
    assert "step 0: level" in dlprobe("inspect", "run.h5", "--details").out


def test_statistic_over_steps_is_what_the_file_holds() -> None:
    data = dlprobe("inspect", "run.h5", "--statistic", "error-signal-rms", "--format", "json").data
    with open_single("run.h5") as run:  # type: ignore[arg-type]
        np.testing.assert_array_equal(np.float32(data["values"]), run.statistic("error_signal_rms"))
        assert data["steps"] == run.steps.tolist()
    assert data["definition"].startswith("root mean square over samples and units of B·dL/dz")


def test_statistic_over_layers_shows_first_and_last_step() -> None:
    data = dlprobe(
        "inspect", "run.h5", "--statistic", "gradient_rms", "--over", "layer", "--format", "json"
    ).data
    assert (data["steps"][0], data["steps"][-1]) == (0, 7)
    assert len(data["values"][0]) == len(data["layers"]) == 3


def test_metrics_of_every_part_and_class_are_shown_and_given_as_data() -> None:
    out = dlprobe("inspect", "run.h5", "--show", "metrics").out
    data = dlprobe("inspect", "run.h5", "--show", "metrics", "--format", "json").data
    with open_single("run.h5") as run:  # type: ignore[arg-type]
        confusion, recall = run.final["test_confusion"], run.final["test_recall"]
    np.testing.assert_allclose(recall, np.diag(confusion) / confusion.sum(axis=1))
    np.testing.assert_array_equal(data["test_confusion"], confusion)
    assert data["test_recall"] == recall.tolist()
    assert data["test_balanced_accuracy"] == pytest.approx(recall.mean())
    assert "Each class, test part" in out
    assert "Confusion, validation part" in out


def test_a_metric_per_class_is_a_quantity_with_a_column_per_class() -> None:
    data = dlprobe("inspect", "run.h5", "--statistic", "val-recall", "--format", "json").data
    assert data["layers"] == ["class_0", "class_1", "class_2"]
    assert np.shape(data["values"]) == (3, 3)


@pytest.mark.parametrize(
    ("name", "group", "rows"),
    [
        ("batch_loss", "scalars", 8),
        ("val_loss", "evaluations", 3),
        ("weight_distance", "evaluations", 3),
    ],
)
def test_scalars_and_evaluations_are_quantities_too(name: str, group: str, rows: int) -> None:
    data = dlprobe("inspect", "run.h5", "--statistic", name, "--format", "json").data
    assert (data["group"], len(data["values"])) == (group, rows)


def test_name_of_two_groups_means_the_statistic_unless_the_group_is_named() -> None:
    def group(name: str) -> str:
        return str(
            dlprobe("inspect", "run.h5", "--statistic", name, "--format", "json").data["group"]
        )

    assert group("dead_fraction") == "statistics"
    assert group("evaluations/dead_fraction") == "evaluations"


def test_layers_count_their_parameters() -> None:
    data = dlprobe("inspect", "run.h5", "--show", "layers", "--format", "json").data
    assert [layer["parameter_count"] for layer in data["layers"]] == [
        13 * 5 + 5,
        5 * 4 + 4,
        4 * 3 + 3,
    ]
    assert data["parameters"] == 109


def test_environment_names_versions_and_command_line() -> None:
    out = dlprobe("inspect", "run.h5", "--show", "environment").out
    assert "version numpy" in out
    assert "command line" in out


def test_study_lists_its_runs_with_axes_and_verdicts() -> None:
    data = dlprobe("inspect", "study.h5", "--format", "json").data
    assert data["axes"] == {"activation": ["relu", "tanh"]}
    assert [run["coordinates"]["activation"] for run in data["runs"]] == ["relu", "tanh"]
    out = dlprobe("inspect", "study.h5").out
    assert "run    activation  at first  at last" in out


def test_one_run_of_a_study() -> None:
    assert "13-5×2-3, tanh" in dlprobe("inspect", "study.h5", "--run", "run_1").out
    data = dlprobe(
        "inspect", "study.h5", "--run", "run_1", "--statistic", "gradient_rms", "--format", "json"
    ).data
    assert data["steps"] == [0, 1, 2]


@pytest.mark.parametrize(
    "arguments", [["--run", "run_2"], ["--statistic", "weight_histogram"], ["--show", "layers"]]
)
def test_study_without_the_run_that_is_asked_for_is_one_line(arguments: list[str]) -> None:
    outcome = dlprobe("inspect", "study.h5", *arguments)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1


def test_dead_journal_is_interrupted_until_it_is_packed(tmp_path: Path) -> None:
    _, session = next(sessions())
    path = tmp_path / "dead.h5"
    with RunWriter.create(path, describe.describe(session)) as writer:
        trainer._block(session, writer, 2)
        assert "status      running" in dlprobe("inspect", str(path)).out
    assert dlprobe("inspect", f"{path}.journal", "--format", "json").data["status"] == "interrupted"
    outcome = dlprobe("inspect", str(path), "--pack", "--format", "json")
    assert (outcome.data["status"], outcome.data["steps"]) == ("interrupted", 1)
    assert [file.name for file in tmp_path.iterdir()] == ["dead.h5"]


def test_run_without_a_recorded_step_can_be_looked_at(tmp_path: Path) -> None:
    _, session = next(sessions())
    path = tmp_path / "none.h5"
    RunWriter.create(path, describe.describe(session)).close()
    assert dlprobe("inspect", str(path)).code == 0
    assert dlprobe("inspect", str(path), "--statistic", "gradient_rms").code == 0
    assert dlprobe("inspect", str(path), "--statistic", "gradient_rms", "--over", "layer").code == 0


def test_damage_is_said(tmp_path: Path) -> None:
    _, session = next(sessions())
    path = tmp_path / "damaged.h5"
    with RunWriter.create(path, describe.describe(session)) as writer:
        for _ in range(3):
            trainer._block(session, writer, 300)
            writer.flush()
    journal = tmp_path / "damaged.h5.journal"
    content = bytearray(journal.read_bytes())
    content[len(content) * 2 // 3] ^= 0xFF
    journal.write_bytes(content)
    outcome = dlprobe("inspect", str(path))
    assert outcome.code == 0
    assert outcome.err.startswith("warning: ")
    assert "damage" in outcome.out


def test_file_that_says_little_can_be_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "little.h5"
    with RunWriter.create(path, synthetic_runs.description()) as writer:
        steps = np.arange(5)
        statistics, scalars = synthetic_runs.rows_of(steps)
        writer.rows(0, steps, np.abs(statistics), scalars, 0.1)
        writer.end("finished")
        writer.pack()
    outcome = dlprobe("inspect", str(path))
    assert outcome.code == 0, outcome.err
    assert "4-3-2-2" in outcome.out
    for show in ("layers", "config", "environment"):
        assert dlprobe("inspect", str(path), "--show", show).code == 0


def test_contents_that_cannot_be_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "impossible.h5"
    with RunWriter.create(path, synthetic_runs.description()) as writer:
        statistics, scalars = synthetic_runs.rows_of(np.arange(5))
        writer.rows(0, np.arange(5), -np.abs(statistics), scalars, 0.1)
    outcome = dlprobe("inspect", str(path))
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert "do not fit together" in outcome.err
    assert dlprobe("inspect", str(path), "--statistic", "error_signal_rms").code == 0


def test_file_that_changed_on_disk_is_one_line(tmp_path: Path) -> None:
    copy = Path(shutil.copy("run.h5", tmp_path))
    content = bytearray(copy.read_bytes())
    for place in range(3000, len(content), 997):
        content[place] ^= 0xFF
    copy.write_bytes(content)
    outcome = dlprobe("inspect", str(copy), "--quiet")
    assert outcome.code in (0, 2)
    assert len(outcome.err.splitlines()) == (1 if outcome.code else 0)
