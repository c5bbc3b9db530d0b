"""The public names: loaded when first used, listed at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import synthetic_runs

import dlprobe
from dlprobe.errors import RunFileError
from dlprobe.runs import StudyWriter


def test_every_public_name_is_listed_and_there() -> None:
    public = {name for name in dir(dlprobe) if not name.startswith("__")}
    assert public == {"decompose", "open_run", "open_study", "recorders"}
    assert "__version__" in dir(dlprobe)
    assert all(getattr(dlprobe, name) is not None for name in dlprobe.__all__)
    with pytest.raises(AttributeError, match="open_ruin"):
        dlprobe.open_ruin  # noqa: B018


def test_importing_dlprobe_and_listing_it_loads_nothing() -> None:
    script = (
        "import dlprobe, sys; dir(dlprobe); print([name for name in ('numpy', 'h5py', 'numba', "
        "'pydantic') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(dlprobe.__file__).parents[1],
    )
    assert result.stdout.strip() == "[]"


def test_a_study_is_opened_as_one_and_a_run_is_refused(tmp_path: Path) -> None:
    run = synthetic_runs.write(tmp_path / "run.h5", 10).pack()
    with StudyWriter.create(tmp_path / "study.h5", {"experiment": "test", "axes": {}}) as writer:
        writer.run("a", synthetic_runs.write(None, 10).bytes())
        writer.end()
        path = writer.pack()
    with dlprobe.open_study(path) as study:
        assert list(study.runs) == ["a"]
    with pytest.raises(
        RunFileError,
        match=r"is a single run, a study is needed here: open it with dlprobe\.open_run",
    ):
        dlprobe.open_study(run)
