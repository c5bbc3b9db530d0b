"""Reading: a run or study by its path, packed, still being written, or left by a killed process."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlprobe import runs
from dlprobe.api import conversions, reporting
from dlprobe.api.tables import columns_of, results_of
from dlprobe.errors import RunFileError
from dlprobe.exporters.parts import What
from dlprobe.runs.study import Runs

if TYPE_CHECKING:
    import pandas
    import polars
    import xarray


class Run(runs.Run):
    """A stored run; see `dlprobe.runs.Run` for what it holds. Numbers are read when they are asked
    for.

    `to_xarray`, `to_pandas` and `to_polars` take `what` and `names`:

    * what: `statistics` (step, layer), `scalars` (step), `evaluations` (step: updates made before
      each) or `evaluation_layers` (step, layer)
    * names: which of them, e.g. `["gradient_rms"]`; only these are read. None: all that were
      recorded

    All raise ConfigError for a kind or name that the run does not have, RunFileError where the file
    is damaged.
    """

    def to_xarray(
        self, what: What = "statistics", names: Iterable[str] | None = None
    ) -> xarray.Dataset:
        """A Dataset with dimensions `step` and, where there is one number per layer, `layer`
        (names). Raises MissingExtraError without xarray.
        """
        attributes = {
            "status": self.status,
            "origin": self.origin,
            "content_sha256": self.content_sha256,
        }
        return conversions.as_xarray(columns_of(self, what, names), attributes)

    def to_pandas(
        self, what: What = "statistics", names: Iterable[str] | None = None
    ) -> pandas.DataFrame:
        """A DataFrame indexed by `step` and, where there is one number per layer, `layer`.
        Raises MissingExtraError without pandas.
        """
        return conversions.as_pandas(columns_of(self, what, names))

    def to_polars(
        self, what: What = "statistics", names: Iterable[str] | None = None
    ) -> polars.DataFrame:
        """A DataFrame with columns `step`, where there is one number per layer `layer`, then
        one for each name.
        """
        return conversions.as_polars(columns_of(self, what, names))

    def figure(
        self, name: str | None = None, theme: str = "light", width: int = 640
    ) -> dict[str, Any]:
        """A picture of the run as a Vega-Lite specification, e.g. `figure("loss")`; None: all below
        each other. width: of each plot, pixels.

        Marimo and Jupyter draw it (`altair.Chart.from_dict`); `--figure FILE` writes it. Raises
        ConfigError with the names that there are.
        """
        return reporting.figure(self, name, theme, width)

    def _repr_html_(self) -> str:
        """The first section of the report, which notebooks show."""
        return reporting.run_html(self)


class Study(runs.Study):
    """A stored study: `runs` by id (each a `Run`, opened when it is asked for), `axes`,
    `coordinates`, `table`; see `dlprobe.runs.Study`.

    `to_xarray`, `to_pandas` and `to_polars` give one entry per run: its status, its value on each
    axis, and its final results that are one number.
    """

    def to_xarray(self) -> xarray.Dataset:
        """A Dataset with dimension `run` (ids). Raises MissingExtraError without xarray."""
        return conversions.as_xarray(results_of(self), {"status": self.status})

    def to_pandas(self) -> pandas.DataFrame:
        """A DataFrame indexed by `run`. Raises MissingExtraError without pandas."""
        return conversions.as_pandas(results_of(self))

    def to_polars(self) -> polars.DataFrame:
        """A DataFrame with columns `run`, `status`, one for each axis, then results."""
        return conversions.as_polars(results_of(self))

    def _repr_html_(self) -> str:
        """Axes and results, which notebooks show."""
        return reporting.study_html(self, results_of(self))


def open_run(path: Path | str) -> Run | Study:
    """The run or study at `path`: `NAME.h5`, or its journal where it is not packed yet; a journal
    can also be named itself.

    Raises RunFileError, one line, where the file is missing, empty, cut, damaged, hostile, of a
    newer format or no run file. Damage in the middle of a journal is a DlprobeWarning, and `damage`
    of what is returned: everything before it is there.
    """
    opened = runs.open_run(path)
    return _study(opened) if isinstance(opened, runs.Study) else Run(opened.contents, opened.path)


def open_study(path: Path | str) -> Study:
    """The study at `path`, as `open_run` finds it. Raises RunFileError, one line, where there
    is none or it is a single run.
    """
    study = open_run(path)
    if isinstance(study, Study):
        return study
    study.close()
    raise RunFileError(
        f"{path} is a single run, a study is needed here: open it with dlprobe.open_run"
    )


def _study(saved: runs.Study) -> Study:
    def opened(id: str) -> Run:
        return Run(saved.runs.open(id).contents)

    study = Study(
        saved.path, Runs(list(saved.runs), opened), saved.description, saved.status, saved.close
    )
    known: dict[str, Any] = {
        name: getattr(saved, name) for name in ("coordinates", "table", "damage")
    }
    for name, value in known.items():
        setattr(study, name, value)
    return study
