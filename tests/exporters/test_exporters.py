"""Exports read back by the libraries that they are made for: the same numbers, names and
choices, in bounded memory; nothing in a text acts.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import synthetic_runs
from command_line import ROOT, dlprobe

from dlprobe.record.description import LayerFacts, RunDescription
from dlprobe.runs import Run, RunWriter, StudyWriter, open_single

NAMES = ("gradient_rms", "weight_l2")
STEPS = range(100, 180, 3)
CHOICE = ("--statistic", ",".join(NAMES), "--layers", "hidden_2,output", "--steps", "100:179:3")
Read = Callable[[Path], dict[str, np.ndarray[Any, Any]]]


def flat(frame: polars.DataFrame) -> dict[str, np.ndarray[Any, Any]]:
    """A table as arrays (step, layer)."""
    assert frame["layer"].to_list() == ["hidden_2", "output"] * len(STEPS)
    assert frame["step"].to_list() == [step for step in STEPS for _ in range(2)]
    return {
        name: frame[name].to_numpy().reshape(-1, 2)
        for name in frame.columns
        if name not in ("step", "layer")
    }


def read_npz(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(path) as found:  # no pickle
        assert (found["step"].tolist(), found["layer"].tolist()) == (
            list(STEPS),
            ["hidden_2", "output"],
        )
        return {name: found[name] for name in found.files if name not in ("step", "layer")}


def read_netcdf(engine: str) -> Read:
    def read(path: Path) -> dict[str, np.ndarray[Any, Any]]:
        xarray = pytest.importorskip("xarray")
        pytest.importorskip(engine)
        with xarray.open_dataset(path, engine={"netCDF4": "netcdf4"}.get(engine, engine)) as found:
            assert found["step"].values.tolist() == list(STEPS)
            assert [
                name if isinstance(name, str) else name.decode() for name in found["layer"].values
            ] == ["hidden_2", "output"]
            assert "dL/dW" in found["gradient_rms"].attrs["long_name"]
            assert found["gradient_rms"].dims == ("step", "layer")
            return {name: found[name].values for name in found.data_vars}

    return read


def read_events(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """By TensorBoard's own loader."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    series: dict[str, dict[int, float]] = {}
    for event in loader.EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            series.setdefault(value.tag, {})[event.step] = value.tensor.float_val[0]
    assert set(series) == {f"{name}/{layer}" for name in NAMES for layer in ("hidden_2", "output")}
    return {
        name: np.array(
            [
                [series[f"{name}/{layer}"][step] for layer in ("hidden_2", "output")]
                for step in STEPS
            ]
        )
        for name in NAMES
    }


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return synthetic_runs.write(tmp_path / "run.h5", 250).pack()


@pytest.mark.parametrize(
    ("ending", "read"),
    [
        (
            ".csv",
            lambda path: flat(
                polars.read_csv(path, schema_overrides=dict.fromkeys(NAMES, polars.Float32))
            ),
        ),
        (".parquet", lambda path: flat(polars.read_parquet(path))),
        (".npz", read_npz),
        pytest.param(".nc", read_netcdf("h5netcdf"), id="h5netcdf"),
        pytest.param(".nc", read_netcdf("netCDF4"), id="netCDF4"),
        (".tfevents", read_events),
    ],
)
def test_what_was_chosen_comes_back_to_the_last_bit(
    ending: str, read: Read, run: Path, tmp_path: Path
) -> None:
    if ending == ".tfevents":
        pytest.importorskip("tensorboard")
    outcome = dlprobe(
        "export", str(run), *CHOICE, "-o", str(tmp_path / f"out{ending}"), "--format", "json"
    )
    assert (outcome.code, outcome.data["names"], outcome.data["numbers"]) == (
        0,
        list(NAMES),
        2 * len(STEPS) * 2,
    )
    found = read(tmp_path / f"out{ending}")
    with open_single(run) as whole:
        for name in NAMES:
            np.testing.assert_array_equal(found[name], whole.statistic(name)[list(STEPS)][:, 1:])
    assert list(found) == list(NAMES)


@pytest.mark.parametrize("what", ["statistics", "scalars", "evaluations", "evaluation_layers"])
def test_a_kind_is_written_whole_and_nan_stays_nan(what: str, run: Path, tmp_path: Path) -> None:
    assert dlprobe("export", str(run), "--what", what, "-o", str(tmp_path / "out.npz")).code == 0
    with open_single(run) as whole, np.load(tmp_path / "out.npz") as found:
        known: dict[str, Any] = {
            "statistics": {name: whole.statistic(name) for name in whole.statistics},
            "scalars": {name: whole.scalar(name) for name in whole.scalars},
            "evaluations": {
                name: values for name, values in whole.evaluations.items() if name != "step"
            },
            "evaluation_layers": whole.evaluation_layers,
        }[what]
        assert set(found.files) - {"step", "layer"} == set(known) - {"step"}
        for name in set(known) - {"step"}:
            np.testing.assert_array_equal(found[name], known[name])


def test_runs_of_a_study_stand_below_each_other_and_results_in_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with StudyWriter.create(
        Path("study.h5"), {"experiment": "test", "axes": {"init": ["=cmd()", "he"]}}
    ) as writer:
        for id, steps, init in (("a", 20, "=cmd()"), ("b", 30, "he")):
            writer.run(id, synthetic_runs.write(None, steps).bytes(), {"init": init})
        writer.end()
        writer.pack()
    assert (
        dlprobe(
            "export",
            "study.h5",
            "--what",
            "scalars",
            "--statistic",
            "batch_loss",
            "-o",
            "all.parquet",
        ).code
        == 0
    )
    table = polars.read_parquet("all.parquet")
    assert table.group_by("run", maintain_order=True).len().rows() == [("a", 20), ("b", 30)]
    with open_single("study.h5#b") as run:
        assert table.filter(run="b")["batch_loss"].to_list() == run.scalar("batch_loss").tolist()
    assert (
        dlprobe(
            "export", "study.h5", "--run", "b*", "--statistic", "gradient_rms", "-o", "b.npz"
        ).code
        == 0
    )
    with np.load("b.npz") as found:
        assert found.files == ["b/step", "b/layer", "b/gradient_rms"]
    assert dlprobe("export", "study.h5", "--what", "results", "-o", "results.csv").code == 0
    results = polars.read_csv("results.csv")
    assert results.select("run", "status", "init").rows() == [
        ("a", "finished", "'=cmd()"),
        ("b", "finished", "he"),
    ]


def test_no_text_of_a_file_acts_in_a_spreadsheet_or_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hostile = ["=1+1", "+1", "-1", "@SUM(A1)", "\x1b[2Jred", "a,b\nc"]
    description = RunDescription(
        [LayerFacts(name) for name in hostile],
        origin="torch",
        statistics=["gradient_rms"],
        scalars=["batch_loss"],
    )
    with RunWriter.create(Path("run.h5"), description) as writer:
        writer.step(0, {"gradient_rms": -np.arange(6.0)}, {"batch_loss": 1.0})
        writer.finish()
    safe = ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "\\x1b[2Jred", "a,b\\nc"]
    assert dlprobe("export", "run.h5", "-o", "out.csv").code == 0
    table = polars.read_csv("out.csv")
    assert (table["layer"].to_list(), table["gradient_rms"].to_list()) == (
        safe,
        [-0.0, -1.0, -2.0, -3.0, -4.0, -5.0],
    )
    shown = dlprobe("inspect", "run.h5", "--statistic", "gradient_rms", "--format", "csv")
    assert polars.read_csv(shown.out.encode()).columns == ["step", *safe]
    assert "\x1b" not in shown.out + (tmp_path / "out.csv").read_text()


def test_parameters_come_back_by_layer(tmp_path: Path) -> None:
    """The weights of a trained run give its own predictions: relu layers and a linear output,
    by NumPy alone.
    """
    sample = ROOT / "sample_runs" / "healthy.h5"
    assert dlprobe("export", str(sample), "--parameters", "-o", str(tmp_path / "w.npz")).code == 0
    with open_single(sample) as run, np.load(tmp_path / "w.npz") as found:
        assert isinstance(run, Run)
        np.testing.assert_array_equal(found["parameters"], run.final_parameters)
        sizes = sum(found[name].size for name in found.files if "/" in name)
        assert sizes == len(found["parameters"])
        for layer in run.layer_facts:
            assert found[f"{layer.name}/weight"].shape == (layer.fan_in, layer.fan_out)
            start = int(layer.bias_offset or 0)
            np.testing.assert_array_equal(
                found[f"{layer.name}/bias"],
                found["parameters"][start : start + int(layer.fan_out or 0)],
            )


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".npz", ".nc"])
def test_nothing_is_overwritten_unasked_and_a_failed_export_leaves_what_was_there(
    ending: str, run: Path, tmp_path: Path
) -> None:
    out = tmp_path / f"out{ending}"
    command = ("export", str(run), "--statistic", "gradient_rms", "-o", str(out))
    assert dlprobe(*command).code == 0
    before = out.read_bytes()
    assert (dlprobe(*command).code, dlprobe(*command, "--force").code) == (2, 0)
    with run.open("rb+") as file:  # a flipped bit in each of the last kilobytes
        file.seek(len(run.read_bytes()) // 2)
        file.write(b"\xff" * 4096)
    outcome = dlprobe("export", str(run), "-o", str(out), "--force")
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert out.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"run.h5", out.name}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-o", "out.txt"), "ends in .csv, .nc"),
        (("-o", "run.csv", "--statistic", "gradient_rm"), "did you mean 'gradient_rms'"),
        (("-o", "run.csv", "--layers", "hidden_9"), "unknown layer"),
        (("-o", "run.csv", "--steps", "5"), "expected FIRST:LAST"),
        (("-o", "run.csv", "--what", "scalars", "--layers", "hidden_1"), "leave the layers out"),
        (("-o", "run.csv", "--what", "results"), "give a study"),
        (("-o", "run.csv", "--run", "a"), "is a single run"),
        (("-o", "run.csv", "--parameters"), "ends in .npz"),
    ],
)
def test_what_cannot_be_written_is_refused_in_a_line(
    arguments: tuple[str, ...], said: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    outcome = dlprobe("export", "run.h5", *arguments)
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert said in outcome.err


def test_without_tensorboard_a_line_says_what_to_install(run: Path, tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['tensorboard'] = None; from dlprobe.commands import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "export", str(run), "-o", str(tmp_path / "a.tfevents")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install 'dlprobe[tensorboard]'" in done.stderr
