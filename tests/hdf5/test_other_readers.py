"""Other tools read packed files: xarray by both netCDF engines, every group and the whole tree,
and HDF5's own command-line tools.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import synthetic_runs

from dlprobe.record import layout
from dlprobe.runs import RunWriter, StudyWriter
from dlprobe.runs.labels import labels

STEPS = 300  # enough for a level


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of every kind of data set, one of float64, and a study of two runs."""
    folder = tmp_path_factory.mktemp("files")
    for dtype in ("float32", "float64"):
        with synthetic_runs.write(folder / f"{dtype}.h5", STEPS, dtype=dtype) as writer:
            writer.pack()
    with StudyWriter.create(
        folder / "study.h5", {"experiment": "test", "axes": {"seed": [1, 2]}}
    ) as study:
        for id in ("a", "b"):
            with synthetic_runs.write(None, 20) as run:
                study.run(id, run.bytes(), {"seed": id})
        study.end({"id": ["a", "b"], "loss": [0.1, 0.2]})
        study.pack()
    return {name: folder / f"{name}.h5" for name in ("float32", "float64", "study")}


@pytest.fixture(params=["h5netcdf", "netcdf4"])
def engine(request: pytest.FixtureRequest) -> str:
    """Both libraries by which xarray reads HDF5."""
    pytest.importorskip(
        "h5netcdf" if request.param == "h5netcdf" else "netCDF4",
        reason="pip install 'dlprobe[xarray]'",
    )
    return str(request.param)


@pytest.fixture
def xarray() -> Any:
    """The library."""
    return pytest.importorskip("xarray", reason="pip install 'dlprobe[xarray]'")


def _data_sets(path: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """(group, name, values) of everything but texts and what only names an axis."""
    with h5py.File(path) as file:
        found: list[str] = []
        file.visititems(
            lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
        )
        for name in found:
            named = file[name].attrs.get("NAME", b"")
            if file[name].dtype.kind != "S" and not bytes(named).startswith(
                b"This is a netCDF dimension"
            ):
                group, _, last = name.rpartition("/")
                yield group, last, file[name][()]


@pytest.mark.parametrize("name", ["float32", "float64", "study"])
def test_every_group_opens_with_named_axes_and_the_same_numbers(
    name: str, engine: str, files: dict[str, Path], xarray: Any
) -> None:
    by_group: dict[str, list[tuple[str, np.ndarray]]] = {}
    for group, last, values in _data_sets(files[name]):
        by_group.setdefault(group, []).append((last, values))
    assert len(by_group) > 12
    for group, sets in by_group.items():
        with xarray.open_dataset(
            files[name], group=group, engine=engine, decode_cf=False
        ) as opened:
            assert not [str(dim) for dim in opened.sizes if str(dim).startswith("phony")], group
            for last, values in sets:
                np.testing.assert_array_equal(
                    opened[last].values, values, err_msg=f"{group}/{last}"
                )


def test_the_tree_opens_and_axes_are_called_what_they_count(
    engine: str, files: dict[str, Path], xarray: Any
) -> None:
    with xarray.open_datatree(files["float32"], engine=engine) as tree:
        assert tree["stats/gradient_rms"].dims == ("step", "layer")
        assert tree["scalars/batch_loss"].dims == ("step",)
        assert tree["evaluations/dead_fraction"].dims == ("step", "layer")
        assert tree["histograms/weight/counts"].dims == ("step", "layer", "bin")
        assert tree["levels/x64/gradient_rms"].dims == ("bin_start", "layer", "min_max_mean")
        assert tree["data/train_indices"].dims == ("train_sample",)
        assert tree["data/train_class_counts"].dims == ("class",)
        assert tree["final/test_confusion"].dims == ("true", "predicted")
        assert tree["scalars/step"].values.tolist() == list(range(STEPS))
        assert tree["evaluations/step"].values.tolist() == [0, 200]
        assert (
            float(tree["stats/gradient_rms"].sel(step=33, layer=2))
            == tree["stats/gradient_rms"].values[33, 2]
        )


def test_no_axis_has_the_name_of_another_data_set() -> None:
    """A scale of its own group is the data set of its name, where there is one."""
    shapes = {
        path: (np.dtype("f4"), (2,) * len(line.dims)) for path, line in layout.data_sets().items()
    }
    for path, axis, scale in labels(shapes).attached:
        line = layout.data_sets().get(scale)
        assert line is None or (
            line.dims == (layout.data_sets()[path].dims[axis],)
            and line.name == scale.rpartition("/")[2]
        )


def test_a_run_without_rows_opens(engine: str, tmp_path: Path, xarray: Any) -> None:
    with RunWriter.create(tmp_path / "a.h5", synthetic_runs.description()) as writer:
        writer.finish("interrupted")
    with xarray.open_datatree(tmp_path / "a.h5", engine=engine) as tree:
        assert tree["stats/gradient_rms"].shape == (0, synthetic_runs.LAYERS)


TOOLS = [
    command
    for command in (["h5ls", "-r"], ["h5dump"], ["h5dump", "-pBH"])
    if shutil.which(command[0])
]

if TOOLS:  # of Debian's hdf5-tools, where they are installed

    @pytest.mark.parametrize("command", TOOLS, ids=" ".join)
    @pytest.mark.parametrize("name", ["float32", "study"])
    def test_the_tools_of_hdf5_read_everything(
        command: list[str], name: str, files: dict[str, Path]
    ) -> None:
        told = subprocess.run(
            [*command, str(files[name])], capture_output=True, text=True, check=True
        )
        assert told.stderr == ""
        assert "gradient_rms" in told.stdout
