"""A run's numbers as Dataset and DataFrame: the same numbers, with the axes that they belong to."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic_runs

import dlprobe
from dlprobe.api import Run, Study
from dlprobe.errors import ConfigError, DlprobeError
from dlprobe.runs import StudyWriter

STEPS = 250
NAMES = ["gradient_rms", "weight_l2"]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with dlprobe.open_run(synthetic_runs.write(tmp_path / "a.h5", STEPS).pack()) as found:
        assert isinstance(found, Run)
        yield found


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    with StudyWriter.create(
        tmp_path / "study.h5",
        {"experiment": "test", "axes": {"depth": [1, 2], "init": ["he", "glorot"]}},
    ) as writer:
        for id, place in (("a", {"depth": 1, "init": "he"}), ("b", {"depth": 2, "init": "glorot"})):
            writer.run(id, synthetic_runs.write(None, 10 * int(place["depth"])).bytes(), place)
        writer.end()
        path = writer.pack()
    with dlprobe.open_study(path) as found:
        yield found


def test_polars(run: Run) -> None:
    frame = run.to_polars(names=NAMES)
    assert frame.columns == ["step", "layer", *NAMES]
    assert frame.shape == (STEPS * synthetic_runs.LAYERS, 4)
    assert frame["layer"][:4].to_list() == ["hidden_1", "hidden_2", "output", "hidden_1"]
    row = frame.row(5 * synthetic_runs.LAYERS + 1, named=True)
    assert (row["step"], row["gradient_rms"]) == (5, run.statistic("gradient_rms")[5, 1])
    assert run.to_polars("scalars")["batch_loss"].to_list() == run.scalar("batch_loss").tolist()
    assert run.to_polars("evaluations")["step"].to_list() == [0, 200]


def test_pandas(run: Run) -> None:
    pytest.importorskip("pandas")
    frame = run.to_pandas("evaluation_layers")
    assert frame.index.names == ["step", "layer"]
    assert frame.loc[(200, "output"), "dead_fraction"] == np.float32(0.2)
    assert list(run.to_pandas(names=NAMES).columns) == NAMES


def test_xarray(run: Run) -> None:
    pytest.importorskip("xarray", reason="pip install 'dlprobe[xarray]'")
    found = run.to_xarray(names=NAMES)
    assert (dict(found.sizes), list(found)) == (
        {"step": STEPS, "layer": synthetic_runs.LAYERS},
        NAMES,
    )
    assert float(found["weight_l2"].sel(step=9, layer="output")) == run.statistic("weight_l2")[9, 2]
    assert found.attrs["content_sha256"] == run.content_sha256
    assert run.to_xarray("scalars")["batch_loss"].dims == ("step",)


def test_only_what_is_named_is_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    contents, whole = type(run.contents), run.contents.read_rows
    assert "gradient_rms" in run.statistics
    monkeypatch.setattr(
        contents,
        "read_rows",
        lambda self, path, start, stop: (read.append(path), whole(path, start, stop))[1],
    )
    run.to_polars(names=["gradient_rms"])
    assert set(read) == {"stats/gradient_rms"}


@pytest.mark.parametrize("library", ["polars", "pandas", "xarray"])
def test_a_study_has_one_entry_per_run(library: str, study: Study) -> None:
    pytest.importorskip(library)
    assert isinstance(study.runs["a"], Run)
    found = getattr(study, f"to_{library}")()
    plain = found.reset_index() if library == "pandas" else found
    columns = {
        name: np.asarray(plain[name]).tolist()
        for name in ("run", "status", "depth", "init", "steps_done")
    }
    assert columns == {
        "run": ["a", "b"],
        "status": ["finished"] * 2,
        "depth": [1, 2],
        "init": ["he", "glorot"],
        "steps_done": [10, 20],
    }


def test_what_is_not_there_is_told_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="did you mean 'gradient_rms'"):
        run.to_polars(names=["gradient_rsm"])
    with pytest.raises(ConfigError, match="did you mean 'scalars'"):
        run.to_polars("scalar")  # type: ignore[arg-type]

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    for library in ("xarray", "pandas"):
        with pytest.raises(
            DlprobeError,
            match=(
                rf"^{library} is not installed, which this needs: pip install "
                rf"'dlprobe\[{library}\]'$"
            ),
        ) as caught:
            getattr(run, f"to_{library}")(names=NAMES)
        assert isinstance(caught.value, ImportError)
