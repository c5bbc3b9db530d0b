"""What a run writes is what its reader gives, from the journal and from the packed file alike."""

from __future__ import annotations

import os
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import synthetic_runs
from command_line import ROOT

import dlprobe
from dlprobe.errors import ConfigError, RunFileError
from dlprobe.record import layout
from dlprobe.runs import Run, RunWriter
from dlprobe.runs.frames import FrameType, encode, scan
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.labels import labels
from dlprobe.runs.sources import MemorySource

STEPS = 700


@pytest.fixture(scope="module", params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def both(dtype: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """The same run as journal (held open) and packed."""
    path = tmp_path_factory.mktemp("run") / "run.h5"
    writer = synthetic_runs.write(path, STEPS, dtype=dtype)
    journal = dlprobe.open_run(path)
    copy = path.with_name("copy.h5.journal")
    copy.write_bytes(path.with_name("run.h5.journal").read_bytes())
    journal = dlprobe.open_run(copy)
    packed = dlprobe.open_run(writer.pack())
    assert isinstance(journal, Run)
    assert isinstance(packed, Run)
    return journal, packed


def _same(left: object, right: object) -> None:
    assert type(left) is type(right)
    if isinstance(left, dict):
        assert isinstance(right, dict)
        assert list(left) == list(right)
        for name in left:
            _same(left[name], right[name])
    elif isinstance(left, np.ndarray):
        assert isinstance(right, np.ndarray)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)
    else:
        assert left == right


@pytest.mark.parametrize(
    "what",
    [
        "evaluations",
        "evaluation_layers",
        "final",
        "data",
        "predictions",
        "timing",
        "checkpoints",
        "instruments",
    ],
)
def test_every_group_is_the_same_in_journal_and_packed_file(
    both: tuple[Run, Run], what: str
) -> None:
    journal, packed = both
    assert getattr(journal, what)
    _same(getattr(journal, what), getattr(packed, what))


@pytest.mark.parametrize(
    "what",
    [
        "status",
        "config",
        "environment",
        "schema_version",
        "statistics",
        "scalars",
        "content_sha256",
        "parameters_sha256",
    ],
)
def test_every_fact_is_the_same_in_journal_and_packed_file(
    both: tuple[Run, Run], what: str
) -> None:
    journal, packed = both
    _same(getattr(journal, what), getattr(packed, what))


def test_statistics_and_scalars_are_the_written_ones(both: tuple[Run, Run], dtype: str) -> None:
    statistics, scalars = synthetic_runs.rows_of(np.arange(STEPS), dtype)
    for run in both:
        np.testing.assert_array_equal(run.steps, np.arange(STEPS))
        for column, name in enumerate(run.statistics):
            assert run.statistic(name).dtype == np.dtype(dtype)
            np.testing.assert_array_equal(run.statistic(name), statistics[:, :, column])
        for column, name in enumerate(run.scalars):
            np.testing.assert_array_equal(run.scalar(name), scalars[:, column])


def test_instruments_are_the_written_ones(both: tuple[Run, Run]) -> None:
    steps = list(range(0, STEPS, 200))
    for run in both:
        for path, value in synthetic_runs.measured_at(0).items():
            found = run.contents.read(path)
            assert found.shape == (len(steps), *value.shape)
            np.testing.assert_allclose(
                found,
                np.array([synthetic_runs.measured_at(step)[path] for step in steps]),
                rtol=1e-6,
            )
        histograms, tracked = run.histograms("gradient"), run.tracked
        assert tracked is not None
        assert (
            histograms.steps.tolist()
            == tracked.steps.tolist()
            == run.instruments["step"].tolist()
            == steps
        )
        assert (tracked.layers.tolist(), tracked.units.tolist()) == ([0, 2], [1, 0])
        np.testing.assert_array_equal(
            histograms.counts, run.contents.read("histograms/gradient/counts")
        )
        with pytest.raises(ConfigError, match="did you mean 'weight'"):
            run.histograms("weights")


def test_a_run_without_histograms_says_so(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "a.h5", synthetic_runs.description()) as writer:
        synthetic_runs.write_rows(writer, 0, 10, 10)
        run = dlprobe.open_run(writer.pack())
    assert (run.instruments, run.tracked) == ({}, None)
    with pytest.raises(RunFileError, match="holds no histograms: train again with histogram_every"):
        run.histograms("weight")


def test_measurements_of_different_shapes_are_damage(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "a.h5", synthetic_runs.description()) as writer:
        for step, bins in ((0, 4), (5, 3)):
            counts = np.zeros((synthetic_runs.LAYERS, bins))
            writer.instruments(step, {"histograms/weight/counts": counts})
    with (
        dlprobe.open_run(tmp_path / "a.h5") as run,
        pytest.raises(RunFileError, match="differ in shape"),
    ):
        run.contents.read("histograms/weight/counts")


def test_measurements_after_a_resume_are_void() -> None:
    with RunWriter.create(None, synthetic_runs.description()) as writer:
        for step in (0, 5, 10):
            writer.instruments(step, synthetic_runs.measured_at(step))
        before = writer.bytes()
        link = scan(MemorySource(before)).tail.link
        data = before + encode(FrameType.RESUME, 5, {}, {}, link)
    found = JournalContents(MemorySource(data))
    assert found.read("histograms/step").tolist() == found.read("tracked/step").tolist() == [0]


def test_what_was_described_comes_back(both: tuple[Run, Run], dtype: str) -> None:
    description = synthetic_runs.description(dtype)
    for run in both:
        assert run.layers.names == ("hidden_1", "hidden_2", "output")
        assert run.layers["activation"] == ("relu", "leaky_relu(slope=0.2)", "linear")
        assert run.layers["weight_offset"].tolist() == [0, 15, 23]
        assert run.data["class_names"] == ("eins", "zwölf", "=1+1")
        assert run.data["input_mean_square"] == 1.5
        assert run.final["steps_done"] == STEPS
        assert run.final["stop_reason"] == ""
        assert run.final["test_confusion"].tolist() == [[3, 1], [0, 2]]
        assert run.config == description.config
        assert run.environment == description.environment
        np.testing.assert_array_equal(run.initial_parameters, description.initial_parameters)
        np.testing.assert_array_equal(
            run.final_parameters, synthetic_runs.parameters_at(STEPS, dtype)
        )
        assert run.initial_parameters.dtype == np.dtype(dtype)


def test_an_evaluation_that_lacks_a_value_has_nan_there(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "a.h5", synthetic_runs.description()) as writer:
        writer.evaluation(0, {"train_loss": 3.0})
        writer.evaluation(5, {"train_loss": 2.0, "val_loss": 4.0}, {"dead_fraction": np.ones(3)})
        writer.end("finished")
        run = dlprobe.open_run(writer.pack())
    np.testing.assert_array_equal(run.evaluations["val_loss"], [np.nan, 4.0])
    np.testing.assert_array_equal(run.evaluation_layers["dead_fraction"], [[np.nan] * 3, [1.0] * 3])


def test_evaluations_of_format_1_2_and_blocks_that_a_resume_cuts(tmp_path: Path) -> None:
    """Before 1.3 every evaluation had a frame of its own, whose arrays had no axis for it."""
    path, description = tmp_path / "a.h5", synthetic_runs.description()
    steps = np.array([15, 5, 10])  # other programs need not keep an order
    with RunWriter.create(path, description) as writer:
        old = {
            "evaluations/train_loss": np.array(3.0),
            "evaluations/dead_fraction": np.ones(3, "f4"),
        }
        writer._frame(FrameType.EVALUATION, 0, {}, old)
        writer.evaluation_block(
            steps, {"train_loss": 3.0 - steps / 10}, {"dead_fraction": np.outer(steps, np.ones(3))}
        )
    with RunWriter.resume(dlprobe.open_run(path), description, 10) as writer:
        writer.evaluation(10, {"train_loss": 1.5})
        writer.evaluation(10, {"train_loss": 1.0})  # of the same step the later one counts
        writer.end("finished")
        run = dlprobe.open_run(writer.pack())
    assert run.evaluations["step"].tolist() == [0, 5, 10]
    assert run.evaluations["train_loss"].tolist() == [3.0, 2.5, 1.0]
    np.testing.assert_array_equal(
        run.evaluation_layers["dead_fraction"], [[1.0] * 3, [5.0] * 3, [np.nan] * 3]
    )


def test_a_run_without_any_step_is_a_run(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "a.h5", synthetic_runs.description()) as writer:
        run = dlprobe.open_run(writer.pack())
    assert run.status == "interrupted"
    assert run.statistic("gradient_rms").shape == (0, 3)
    assert (
        run.final,
        run.final_parameters,
        run.parameters_sha256,
        run.evaluations["step"].tolist(),
    ) == ({}, None, "", [])
    assert run.level("gradient_rms", 64).mean.shape == (0, 3)


def test_names_have_hyphens_or_underscores_and_unknown_ones_a_suggestion(
    both: tuple[Run, Run],
) -> None:
    run = both[1]
    np.testing.assert_array_equal(run.statistic("gradient-rms"), run.statistic("gradient_rms"))
    with pytest.raises(ConfigError, match="did you mean 'gradient_rms'"):
        run.statistic("gradient_rsm")
    with pytest.raises(ConfigError, match="did you mean 'batch_loss'"):
        run.scalar("batch_los")


def test_every_data_set_in_the_file_is_a_scale_or_in_the_table_with_its_unit_and_meaning(
    both: tuple[Run, Run],
) -> None:
    found: list[str] = []
    with h5py.File(both[1].path) as file:
        file.visititems(
            lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
        )
        scales = {name for name in found if name not in layout.data_sets()}
        assert all(h5py.h5ds.is_scale(file[name].id) for name in scales)
        assert scales == {
            *(named := labels(both[1].contents.shapes())).copies,
            *named.dimensions,
        } | {name for name in scales if name.startswith("levels/")}
        for name in sorted(set(found) - scales):
            line = layout.data_sets()[name]
            assert file[name].attrs["units"].decode() == line.units
            assert file[name].attrs["long_name"].decode() == line.meaning
            assert line.admits_rank(file[name].ndim)
            assert h5py.check_vlen_dtype(file[name].dtype) is None
            assert file[name].chunks is None or file[name].fletcher32
        page = (ROOT / "dlprobe" / "guide" / "run-file.md").read_text(encoding="utf-8")
        assert {name.decode() if isinstance(name, bytes) else name for name in file.attrs} == set(
            re.findall(r"^\| `(\w+)` \|", page, flags=re.M)
        )
    assert {name.partition("/")[0] for name in found} >= {
        "layers",
        "stats",
        "scalars",
        "timing",
        "evaluations",
        "final",
        "data",
        "predictions",
        "levels",
    }


def test_axes_of_statistics_and_evaluations_are_named(both: tuple[Run, Run]) -> None:
    with h5py.File(both[1].path) as file:
        assert [dim[0].name for dim in file["stats/gradient_rms"].dims] == [
            "/stats/step",
            "/stats/layer",
        ]
        assert [dim[0].name for dim in file["evaluations/dead_fraction"].dims] == [
            "/evaluations/step",
            "/evaluations/layer",
        ]
        assert file["scalars/batch_loss"].dims[0][0].name == "/scalars/step"


def test_reading_one_statistic_touches_few_chunks(tmp_path: Path) -> None:
    path = synthetic_runs.write(tmp_path / "a.h5", 20_000, block=4000).pack()
    with h5py.File(path) as file:
        assert file["stats/gradient_rms"].id.get_num_chunks() <= 4


def test_records_are_read_while_the_run_is_being_written(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "a.h5", synthetic_runs.description()) as writer:
        synthetic_runs.write_rows(writer, 0, 100, 10)
        writer.flush()
        run = dlprobe.open_run(tmp_path / "a.h5")
        assert (run.status, len(run.steps), run.writer["pid"]) == ("running", 100, os.getpid())
        synthetic_runs.write_rows(writer, 100, 200, 10)
        writer.flush()
        assert len(run.statistic("gradient_rms")) == 100  # as it was when it was opened
    again = dlprobe.open_run(tmp_path / "a.h5.journal")
    assert (again.status, len(again.steps)) == ("interrupted", 200)


def test_float64_numbers_beyond_float32_become_infinite_in_a_float32_run(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "a.h5", synthetic_runs.description()) as writer:
        statistics = np.full((1, synthetic_runs.LAYERS, synthetic_runs.STATISTICS), 1e300)
        writer.rows(0, np.array([0]), statistics, np.zeros((1, len(layout.SCALARS))), 0.1)
        writer.end("diverged")
        run = dlprobe.open_run(writer.pack())
    assert run.status == "diverged"
    assert np.isinf(run.statistic("gradient_rms")).all()
