"""One training run as everybody reads it: the same names whether it is packed, still running,
dead, or part of a study.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dlprobe import registry
from dlprobe.config import completed, from_stored
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError, RunFileError
from dlprobe.record import layout
from dlprobe.record.description import OWN, LayerFacts, RunFacts, facts_of, layer_facts
from dlprobe.record.scalars import SCALARS
from dlprobe.record.step import StepRow
from dlprobe.record.values import loaded, untexts
from dlprobe.runs import content
from dlprobe.runs.contents import Contents, check_config, check_layers, check_steps
from dlprobe.runs.levels import Level, level_of

if TYPE_CHECKING:
    from dlprobe.config import RunConfig

_SLAB = 4096  # rows that are read at once in search of a number


class OwnStudy(Protocol):
    """What a run sees of the study that it was opened from: all runs by id, and their places."""

    runs: Any
    coordinates: dict[str, dict[str, Any]]


class Group(dict[str, Any]):
    """The data sets of one group that a file has, by name. Raises RunFileError for one that it
    does not have; `get` and `in` ask first.
    """

    def __init__(self, lacks: str, values: Mapping[str, Any]) -> None:
        """lacks: the beginning of what is said of one that is not there, `run.h5 holds no
        layers`.
        """
        super().__init__(values)
        self._lacks = lacks

    def __missing__(self, name: str) -> Any:
        raise RunFileError(
            f"{self._lacks}/{name}, which this needs: it was not recorded; train the run again"
        )


@dataclass(frozen=True)
class Layers(Mapping[str, Any]):
    """The layers, index 0 nearest the input: `names` as people read them, and by name of the layout
    table an array (layer,) or a tuple of texts.

    Raises RunFileError for a column that the file does not have; `get` and `in` ask first.
    """

    names: tuple[str, ...]
    columns: Group

    def __getitem__(self, name: str) -> Any:
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def get(self, name: str, default: Any = None) -> Any:
        """The column, or the default where the file does not have it."""
        return self.columns.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


def readable(names: Sequence[str], environment: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of layers; one that is a bare place in a sequence of modules with its class in front.

    >>> readable(["0", "head.2"], {"modules": [{"name": "0", "kind": "Linear"}]})
    ('Linear 0', 'head.2')
    """
    listed = environment.get("modules")
    noted = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    kinds = {str(each.get("name")): str(each.get("kind", "")) for each in noted}
    return tuple(
        f"{kinds[name]} {name}" if kinds.get(name) and name.replace(".", "").isdigit() else name
        for name in map(str, names)
    )


@dataclass(frozen=True)
class Histograms:
    """The distribution of one quantity in every layer as training goes on.

    steps: int64 (h,); counts: uint32 (h, layer, bin); edges: (h, layer, bin + 1), NaN where no
        value is finite; percentiles: (h, layer, percentile), of the finite values; nonfinite: int64
        (h, layer).
    """

    steps: NDArray[Any]
    counts: NDArray[Any]
    edges: NDArray[Any]
    percentiles: NDArray[Any]
    nonfinite: NDArray[Any]

    def part(self, rows: slice) -> Histograms:
        """The histograms at some of the steps."""
        return Histograms(
            *(
                array[rows]
                for array in (self.steps, self.counts, self.edges, self.percentiles, self.nonfinite)
            )
        )


@dataclass(frozen=True)
class TrackedUnits:
    """Percentiles of single units' preactivation. steps: int64 (t,); layers, units: int32
    (unit,); percentiles: (t, unit, percentile).
    """

    steps: NDArray[Any]
    layers: NDArray[Any]
    units: NDArray[Any]
    percentiles: NDArray[Any]

    def part(self, rows: slice, units: list[int]) -> TrackedUnits:
        """The percentiles at some of the steps, of some of the units."""
        return TrackedUnits(
            self.steps[rows],
            self.layers[units],
            self.units[units],
            self.percentiles[rows][:, units],
        )


class Run:
    """A stored run. Statistics are read when they are asked for. Every access may raise
    RunFileError where the file is damaged.

    Texts are as the file has them: data, which whatever shows them must escape. Close it, or use it
    in a `with`.
    """

    def __init__(self, contents: Contents, path: Path | None = None) -> None:
        self.path = path
        self._recorded: dict[str, bool] = {}
        self.contents = contents
        """The stored data sets themselves, by path of the layout table; what a Run offers is
        made from them.
        """
        facts = contents.facts
        check_config(facts.config, contents.name)
        self.status: str = facts.status
        """finished | interrupted | failed | diverged | running"""
        self.origin: str = facts.origin
        """Who trained the run: a name of `record.description.ORIGINS`, or one that only a
        newer version knows.
        """
        self.config: dict[str, Any] = (
            completed(facts.config, self.task) if facts.origin == OWN else facts.config
        )
        """The configuration as the run was trained, what the file's format did not say yet filled
        in: to be shown and compared as a whole. What it says is read from `configuration`, `facts`
        and `layer_facts`. Empty unless dlprobe trained the run.
        """
        self.environment: dict[str, Any] = facts.environment
        self.schema_version: tuple[int, int] = facts.schema_version
        self.writer: dict[str, Any] = facts.writer
        """Of a journal: pid, host and start time of its writer."""
        self.coordinates: dict[str, Any] = {}
        """The run's place on the axes of its study, where it was opened from one."""
        self.study: OwnStudy | None = None
        """The study that the run was opened from as one of it, and its id there."""
        self.id = ""
        self.close_study: Callable[[], None] | None = None
        """Gives the study's file back with the run, where the run alone was opened from it."""
        self.damage: str | None = facts.damage
        """What was found behind the last good frame of a journal, or None."""

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; a run of a study leaves that to its study."""
        self.contents.close()
        if self.close_study is not None:
            self.close_study()

    @cached_property
    def layers(self) -> Layers:
        """The layers and what is known of each."""
        columns = self._group("layers")
        check_layers(columns, self.contents.name)
        return Layers(readable(columns["name"], self.environment), columns)

    @cached_property
    def layer_facts(self) -> tuple[LayerFacts, ...]:
        """What is known of each layer, index 0 nearest the input; None where it is not known."""
        columns = {**self.layers.columns, "name": self.layers.names}
        if self.configuration is not None:
            model = self.configuration.model
            columns["dropout"] = [
                model.dropout if index in self.hidden_layers else 0.0
                for index in range(len(self.layers.names))
            ]
        try:
            return layer_facts(columns)
        except ValueError as error:
            raise RunFileError(
                f"{self.contents.name} is damaged or was not written by dlprobe: {error}"
            ) from None

    @cached_property
    def hidden_layers(self) -> list[int]:
        """Indices of the hidden layers: all but the output, which is the last, and a norm of
        the input, which dlprobe calls `input`.
        """
        return [
            index
            for index, name in enumerate(self.layers.names[:-1])
            if not (name == "input" and self.origin == OWN)
        ]

    @cached_property
    def configuration(self) -> RunConfig | None:
        """The configuration that dlprobe trained the run by; None for a run of another origin,
        and where this dlprobe cannot read it.
        """
        try:
            return self.required_configuration()
        except ConfigError:
            return None

    def required_configuration(self) -> RunConfig:
        """The configuration, for what cannot do without. Raises ConfigError, one line, where
        there is none or this dlprobe cannot read it.
        """
        where = self.contents.name
        if self.origin != OWN:
            raise ConfigError(
                f"{where} was trained by another program (origin {self.origin}), so it has no "
                "configuration that dlprobe could train again: "
                f"dlprobe train --like {where} trains the net of dlprobe that comes nearest; "
                f"dlprobe check {where} judges the run as it is"
            )
        try:
            return from_stored(self.config)
        except ConfigError as error:
            raise ConfigError(
                f"{where}: the configuration stored in it cannot be used: {error}"
            ) from None

    @cached_property
    def facts(self) -> RunFacts:
        """How the run was trained, as far as that is known."""
        if self.configuration is not None:
            return facts_of(
                self.configuration,
                len(self.data["train_indices"]) if "train_indices" in self.data else None,
            )
        return RunFacts(**self._group("facts"))

    @cached_property
    def steps(self) -> NDArray[Any]:
        """int64 (step,): the recorded steps, counted from 0; row t describes the step before
        its update.
        """
        steps = self.contents.read("stats/step")
        check_steps(steps, self.contents.name)
        return steps

    @cached_property
    def statistics(self) -> tuple[str, ...]:
        """Names of the statistics that were recorded."""
        return tuple(filter(self.is_recorded, registry.records("statistic")))

    @cached_property
    def scalars(self) -> tuple[str, ...]:
        """Names of the per-step scalars that were recorded."""
        return tuple(filter(self.is_recorded, SCALARS))

    def is_recorded(self, name: str) -> bool:
        """Whether a statistic or scalar was recorded: it is in the file, and not NaN in every row.

        Of a run without rows, and of one that dlprobe trained and that diverged, whose NaN are
        results, it is enough to be in the file.
        """
        if name not in self._recorded:
            self._recorded[name] = self._has_numbers(
                f"scalars/{name}"
                if name in SCALARS
                else f"stats/{registry.get('statistic', name).name}"
            )
        return self._recorded[name]

    def row(self, index: int) -> StepRow:
        """A recorded step by name; −1 is the last. Statistics are read when they are asked for."""
        index %= len(self.steps)

        def read(name: str) -> NDArray[Any] | None:
            return (
                self.statistic_rows(name, index, index + 1)[0]
                if self.contents.has(f"stats/{name}")
                else None
            )

        return StepRow(int(self.steps[index]), len(self.layers.names), read, self.hidden_layers)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Type of the statistics: float32, or float64 of a float64 run."""
        stored = (
            f"stats/{name}"
            for name in registry.records("statistic")
            if self.contents.has(f"stats/{name}")
        )
        return next((self.contents.read_rows(path, 0, 0).dtype for path in stored), np.dtype("f4"))

    def statistic(self, name: str) -> NDArray[Any]:
        """float32 (float64 in a float64 run) (step, layer); NaN = not recorded. Raises
        ConfigError for an unknown name.
        """
        return self._read("stats", registry.get("statistic", name).name)

    def statistic_rows(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` up to `stop` of a statistic, as a slice counts them (negative from the
        end), without reading the others: (rows, layer).
        """
        name = registry.get("statistic", name).name
        return self.contents.read_rows(self._present("stats", name), start, stop)

    def scalar(self, name: str) -> NDArray[Any]:
        """float64 (step,). Raises ConfigError for an unknown name."""
        if name not in SCALARS:
            raise ConfigError(registry.unknown("scalar", name, SCALARS))
        return self._read("scalars", name)

    def level(self, name: str, factor: int) -> Level:
        """A statistic's minimum, maximum and mean over every `factor` (64, 4096 or 262144)
        rows; computed where the file has none.
        """
        if factor not in layout.LEVEL_FACTORS:
            raise ConfigError(
                registry.unknown("level", str(factor), map(str, layout.LEVEL_FACTORS))
            )
        name = registry.get("statistic", name).name
        where = f"levels/x{factor}"
        if not self.contents.has(f"{where}/{name}"):
            return level_of(self.steps, self.statistic(name), factor)
        start, picture, nan = (
            self.contents.read(path)
            for path in (f"{where}/bin_start", f"{where}/{name}", f"{where}/nan_count/{name}")
        )
        return Level(start, picture[..., 0], picture[..., 1], picture[..., 2], nan)

    @cached_property
    def evaluations(self) -> dict[str, NDArray[Any]]:
        """`step` int64, losses and metrics that are one number float64, each (evaluation,)."""
        return self._evaluated(())

    @cached_property
    def evaluation_layers(self) -> dict[str, NDArray[Any]]:
        """What is evaluated per layer, each float64 (evaluation, layer), the output layer included:
        `dead_fraction`, `weight_distance`, `effective_rate`.
        """
        return self._evaluated(("layer",))

    @cached_property
    def evaluation_classes(self) -> dict[str, NDArray[Any]]:
        """Metrics of each class, each float64 (evaluation, class): `train_` or `val_` before the
        metric's name, e.g. `val_recall`.
        """
        return self._evaluated(("class",))

    @cached_property
    def evaluation_targets(self) -> dict[str, NDArray[Any]]:
        """Metrics of each target column, each (evaluation, output); empty where there is one."""
        return self._evaluated(("output",))

    @cached_property
    def targets_scaled(self) -> str:
        """How the targets of a regression were scaled for training, standardize or minmax; empty
        where they were not.

        Losses are then of scaled targets; errors, metrics and predictions are in the user's units.
        """
        kind = str(self.data.get("target_scaler", "none"))
        return "" if kind == "none" else kind

    def histograms(self, what: str) -> Histograms:
        """Histograms and percentiles of `preactivation`, `activation`, `weight` or `gradient`.

        Raises ConfigError for another name, RunFileError where the run recorded none.
        """
        known = registry.get("instrument", "histogram").of
        if what not in known:
            raise ConfigError(registry.unknown("histogram", what, known))
        if not self.contents.has(f"histograms/{what}/counts"):
            again = (
                "train again with histogram_every = auto or a number of steps"
                if self.origin == OWN
                else "they were not recorded"
            )
            raise RunFileError(f"{self.contents.name} holds no histograms: {again}")
        counts, edges, percentiles, nonfinite = (
            self._read(f"histograms/{what}", name)
            for name in ("counts", "edges", "percentiles", "nonfinite")
        )
        if edges.shape[2] != counts.shape[2] + 1 or percentiles.shape[2] != len(
            registry.get("instrument", "percentiles").percents
        ):
            raise RunFileError(
                f"{self.contents.name} is damaged or was not written by dlprobe: histograms "
                f"of the {what} have the wrong shape"
            )
        return Histograms(
            self.contents.read("histograms/step"), counts, edges, percentiles, nonfinite
        )

    @cached_property
    def instruments(self) -> dict[str, NDArray[Any]]:
        """`step` int64 (h,) and what was measured at each, (h,) or (h, layer); empty where the
        run measured nothing.
        """
        found = self._group("instruments")
        return {"step": self.contents.read("histograms/step"), **found} if found else {}

    @cached_property
    def tracked(self) -> TrackedUnits | None:
        """The units that were tracked; None where there are none."""
        if not self.contents.has("tracked/percentiles"):
            return None
        return TrackedUnits(
            *(
                self.contents.read(f"tracked/{name}")
                for name in ("step", "layer", "unit", "percentiles")
            )
        )

    @cached_property
    def final(self) -> dict[str, Any]:
        """Results at the end: numbers, texts, confusion matrices (true, predicted); empty while
        there is no end.
        """
        return self._group("final")

    @cached_property
    def data(self) -> dict[str, Any]:
        """What is known of the data: fingerprint, splits, scaler, features, classes."""
        return self._group("data")

    @property
    def task(self) -> str:
        """classification or regression; empty where the file does not say."""
        return (
            str(untexts(self.contents.read("data/task"))) if self.contents.has("data/task") else ""
        )

    @cached_property
    def predictions(self) -> dict[str, NDArray[Any]]:
        """`train_outputs`, `val_outputs`, `test_outputs`, float (sample, output): the last outputs,
        as the loss takes them; `train_targets` and so on: class numbers (sample,) or values
        (sample, output).

        Only the parts that were stored are there. A regression has both in the user's units.
        """
        return self._group("predictions")

    @cached_property
    def timing(self) -> dict[str, NDArray[Any]]:
        """`step` int64 and `step_seconds` float64, each (block,)."""
        return self._group("timing")

    @cached_property
    def initial_parameters(self) -> NDArray[Any] | None:
        """(parameter,): all parameters before the first update, or None where they were not
        kept.
        """
        return (
            self.contents.read("initial/parameters")
            if self.contents.has("initial/parameters")
            else None
        )

    @cached_property
    def final_parameters(self) -> NDArray[Any] | None:
        """(parameter,): those of the last checkpoint, or None where there is none yet."""
        if not len(self.checkpoint_steps):
            return None
        last: NDArray[Any] = self.contents.read_rows("checkpoints/parameters", -1, sys.maxsize)[0]
        return last

    @cached_property
    def checkpoint_steps(self) -> NDArray[Any]:
        """int64 (checkpoint,): updates made before each."""
        path = "checkpoints/step"
        return self.contents.read(path) if self.contents.has(path) else np.empty(0, "i8")

    @cached_property
    def checkpoints(self) -> dict[str, NDArray[Any]]:
        """`step` int64 (checkpoint,), `parameters` (checkpoint, parameter), and what a resume
        needs of the last one.
        """
        return {"step": np.empty(0, "i8"), **self._group("checkpoints")}

    @cached_property
    def content_sha256(self) -> str:
        """The content hash as the file states it; of a journal, computed."""
        return self.contents.facts.content_sha256 or self.computed_content_sha256()

    @cached_property
    def parameters_sha256(self) -> str:
        """The hash of the final parameters as the file states it; of a journal, computed. Empty
        where there are no final parameters.
        """
        stated = self.contents.facts.parameters_sha256
        return content.parameters_sha256(self.final_parameters) if stated is None else stated

    def computed_content_sha256(self) -> str:
        """The content hash computed from the bytes; differs from `content_sha256` where
        somebody changed the file.
        """
        return content.content_sha256(self.contents)

    def _read(self, group: str, name: str) -> NDArray[Any]:
        return self.contents.read(self._present(group, name))

    def _present(self, group: str, name: str) -> str:
        if not self.contents.has(f"{group}/{name}"):
            again = (
                " or it was written by an older dlprobe; train the run again"
                if self.origin == OWN
                else ""
            )
            raise RunFileError(f"{self.contents.name} holds no {name}: it was not recorded{again}")
        return f"{group}/{name}"

    def _has_numbers(self, path: str) -> bool:
        if not self.contents.has(path):
            return False
        rows = len(self.steps)
        # the first row nearly always tells
        slabs = [(0, 1), *((start, start + _SLAB) for start in range(0, rows, _SLAB))]
        return (
            rows == 0
            or (self.origin == OWN and self.status == "diverged")
            or any(not np.isnan(self.contents.read_rows(path, *slab)).all() for slab in slabs)
        )

    def _evaluated(self, dims: tuple[str, ...]) -> Group:
        return self._group("evaluations", dims)

    def _group(self, group: str, dims: tuple[str, ...] | None = None) -> Group:
        """Every data set of one group that is there; with `dims`, those that have these dimensions
        behind the first.
        """
        lines = [layout.data_sets()[f"{group}/{name}"] for name in layout.names(group)]
        found = {
            line.name: loaded(line, self.contents.read(line.path))
            for line in lines
            if dims in (None, line.dims[1:]) and self.contents.has(line.path)
        }
        return Group(f"{self.contents.name} holds no {group}", found)
