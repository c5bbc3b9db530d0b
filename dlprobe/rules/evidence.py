"""What rules look at: one view of a run, shared by all of them, that reads each thing once and as
little of it as is needed.

A run of a million steps must be judged in seconds, so a statistic is read whole only while it is
short; beyond that rules see the stored levels (minimum, maximum and mean of every 64, 4,096 or
262,144 rows) and single rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.comparing.baseline import BaselineComparison
from dlprobe.analysis.learning.learned import Learning
from dlprobe.analysis.learning.reading import learning
from dlprobe.analysis.likeness import Likeness, likeness
from dlprobe.analysis.profiles.run_profile import (
    StepProfile,
    activations_of,
    can_be_judged,
    step_profile,
)
from dlprobe.config.records import RunConfig
from dlprobe.dataclass import dataclass
from dlprobe.record import layout
from dlprobe.record.description import LayerFacts, RunFacts
from dlprobe.registry import counted
from dlprobe.rules.outcome import NotEvaluableError
from dlprobe.runs import Run

Floats: TypeAlias = npt.NDArray[np.float64]
Steps: TypeAlias = npt.NDArray[np.int64]
T = TypeVar("T")

MOMENTS = 9
WHOLE = 2**21  # numbers of a statistic that are read as they are


@dataclass(frozen=True)
class StatisticSeries:
    """A statistic over training: `rows` recorded rows in each bin (1 where it is read whole),
    first step of each bin (bin,), and (bin, layer) numbers.
    """

    rows: int
    steps: Steps
    mean: Floats
    low: Floats
    high: Floats


class Evidence:
    """A run as rules see it. What a run lacks raises NotEvaluableError, which makes the rule
    *not evaluated*; damage raises RunFileError.
    """

    def __init__(self, run: Run, comparison: BaselineComparison | None = None) -> None:
        self.run = run
        self.comparison = comparison
        """The run, or the repetitions that it belongs to, against a numbers baseline; None
        where none was given.
        """
        self._known: dict[Any, Any] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the layers, index 0 nearest the input."""
        return tuple(str(name) for name in self.run.layers.names)

    @property
    def layers(self) -> tuple[LayerFacts, ...]:
        """What is known of each layer."""
        return self.run.layer_facts

    @property
    def normalized(self) -> bool:
        """Whether some layer has a normalization."""
        return any(layer.is_normalized for layer in self.layers)

    @property
    def class_counts(self) -> Floats:
        """Training samples of each class; empty where they are not known."""
        return np.asarray(self.run.data.get("train_class_counts", ()), np.float64)

    def feature_name(self, index: int) -> str:
        """A feature as sentences name it: in quotes, or by its number where it has no name."""
        names = self.run.data.get("feature_names", ())
        return repr(names[index]) if index < len(names) else f"feature {index + 1}"

    @cached_property
    def category_counts(self) -> dict[str, Floats]:
        """Training samples of each value of the text columns that were one-hot encoded, by column;
        empty where the file does not tell.
        """
        data, places = self.run.data, ("feature_names", "feature_mean", "feature_max")
        samples = len(data.get("train_indices", ()))
        found: dict[str, list[float]] = {}
        if all(place in data for place in places):
            for name, mean, high in zip(*(data[place] for place in places), strict=True):
                column, encoded, _ = str(name).partition("=")
                if encoded and high == 1.0:
                    found.setdefault(column, []).append(samples * float(mean))
        return {column: np.round(counts) for column, counts in found.items()}

    @property
    def facts(self) -> RunFacts:
        """How the run was trained, as far as that is known."""
        return self.run.facts

    @property
    def hidden(self) -> list[int]:
        """Indices of the hidden layers."""
        return self.run.hidden_layers

    @cached_property
    def steps(self) -> Steps:
        """The recorded steps, at least one."""
        if not len(self.run.steps):
            raise NotEvaluableError("no step was recorded")
        return self.run.steps.astype(np.int64)

    @property
    def drops(self) -> bool:
        """Whether units or inputs are dropped in training."""
        drops = self.facts.drops
        known = [layer.dropout for layer in self.layers if layer.dropout is not None]
        if drops is None and not known:
            raise NotEvaluableError("the file does not say whether units are dropped in training")
        return bool(drops) or any(rate > 0 for rate in known)

    @property
    def config(self) -> RunConfig | None:
        """The configuration; None of a run that dlprobe did not train, and of one that cannot
        be read here.
        """
        return self.run.configuration

    @cached_property
    def likeness(self) -> Likeness:
        """The configuration that comes nearest to a run of another origin."""
        return likeness(self.run)

    def fact(self, name: str) -> Any:
        """How the run was trained: a fact of RunFacts, which must be known."""
        value = getattr(self.facts, name)
        if value is None:
            raise NotEvaluableError(f"the file does not say the run's {name}")
        return value

    def layer_fact(self, name: str, index: int) -> Any:
        """A fact of LayerFacts, which must be known of this layer."""
        value = getattr(self.layers[index], name)
        if value is None:
            raise NotEvaluableError(
                f"the file does not say the {name} of {self.layers[index].name}"
            )
        return value

    def layer_column(self, name: str) -> list[Any]:
        """A fact of LayerFacts, which must be known of all layers, (layer,)."""
        if all(getattr(layer, name) is None for layer in self.layers):
            raise NotEvaluableError(f"the layer table has no {name}")
        return [self.layer_fact(name, index) for index in range(len(self.layers))]

    def require_comparison(self) -> BaselineComparison:
        """The comparison with a numbers baseline."""
        if self.comparison is None:
            raise NotEvaluableError("no baseline was given: add --against RUN")
        return self.comparison

    def require_hidden(self, count: int = 1) -> list[int]:
        """Indices of the hidden layers. Raises NotEvaluableError for fewer than `count`."""
        if len(self.hidden) < count:
            raise NotEvaluableError(
                f"no such layer: {count} hidden layers are needed, the net has {len(self.hidden)}"
            )
        return self.hidden

    @cached_property
    def learning(self) -> Learning:
        """How well the run learned."""
        learned = learning(self.run)
        if learned is None:
            raise NotEvaluableError(
                "the run was never evaluated, and its batch_loss was not recorded"
            )
        return learned

    def require_evaluations(self) -> Learning:
        """How well the run learned by its evaluations: the loss of its batches tells too little."""
        if not self.learning.evaluated:
            raise NotEvaluableError(
                "the run was never evaluated: its batch_loss alone does not tell"
            )
        return self.learning

    @property
    def well(self) -> bool:
        """Whether the run learned well: then no rule accuses what did not hinder it."""
        return self.learning.well

    @property
    def spared(self) -> bool:
        """Whether findings are only infos: the run learned well, or was too short to judge and did
        not diverge.
        """
        return self.learning.well or (self.learning.brief and self.run.status != "diverged")

    def require_time(self) -> Learning:
        """How well the run learned, of a run that had the time to: a run of a few updates is
        not judged by its result.
        """
        if self.learning.brief:
            made = self.learning.updates
            raise NotEvaluableError(
                f"too short to tell: {counted(made, 'update')} "
                f"{'was' if made == 1 else 'were'} made, {self.learning.needed} are needed"
            )
        return self.learning

    @cached_property
    def moments(self) -> list[int]:
        """At most MOMENTS (9) evenly spaced row numbers at which profiles are looked at, the first
        and last row among them.
        """
        return sorted(
            {round(position) for position in np.linspace(0, len(self.steps) - 1, MOMENTS)}
        )

    @cached_property
    def profiles(self) -> list[StepProfile]:
        """Depth profiles with their verdicts at `moments`; at least two hidden layers are
        needed.
        """
        self.require_hidden(2)
        self.require("error_signal_rms")
        specs = activations_of(self.run)
        profiled = [
            step_profile(self.run, row, specs)
            for row in self.moments
            if can_be_judged(self.run, row)
        ]
        if all(np.isnan(profile.flow.error_signal_rms).all() for profile in profiled):
            raise NotEvaluableError("error_signal_rms was not recorded")
        return profiled

    def series(self, name: str) -> StatisticSeries:
        """A statistic over training, in few enough bins to be cheap."""
        return self._once(("series", name), lambda: self._series(name))

    def rows(self, name: str, start: int, stop: int) -> Floats:
        """Recorded rows of a statistic as a slice counts them, (rows, layer). Short statistics
        are read whole, once.
        """
        self.require(name)
        if len(self.steps) * len(self.names) > WHOLE:
            return self._once(("rows", name, start, stop), lambda: self._read(name, start, stop))
        whole: Floats = self._once(("rows", name), lambda: self._read(name, 0, len(self.steps)))
        return whole[start:stop]

    def row(self, name: str, index: int) -> Floats:
        """(layer,): one recorded row of a statistic; −1 is the last."""
        index = index if index >= 0 else len(self.steps) + index
        numbers: Floats = self.rows(name, index, index + 1)[0]
        return numbers

    def _read(self, name: str, start: int, stop: int) -> Floats:
        values: Floats = self.run.statistic_rows(name, start, stop).astype(np.float64)
        return values

    def typical(self, name: str) -> Floats:
        """(layer,): the median over training of a statistic; NaN where a layer has none."""
        values = self.series(name).mean
        return np.array(
            [
                np.median(kept) if len(kept := column[np.isfinite(column)]) else np.nan
                for column in values.T
            ]
        )

    def instrument(self, name: str) -> tuple[Steps, Floats]:
        """Steps and numbers of an instrument, (look,) and (look, layer) or (look,)."""
        measured = self.run.instruments
        if name not in measured or np.isnan(measured[name]).all():
            raise NotEvaluableError(f"{name} was not recorded")
        return measured["step"].astype(np.int64), measured[name].astype(np.float64)

    def late(self, name: str) -> float:
        """The median of a scalar over the last quarter of the recorded steps."""
        values = self.scalar(name)
        return float(np.median(values[-max(len(values) // 4, 1) :]))

    @property
    def span(self) -> tuple[int, int]:
        """(first, last) recorded step."""
        return int(self.steps[0]), int(self.steps[-1])

    @property
    def second_half(self) -> tuple[int, int]:
        """(step of the row in the middle, step of the last row)."""
        return int(self.steps[len(self.steps) // 2]), int(self.steps[-1])

    def first_row(self, name: str, high: Callable[[Floats], npt.NDArray[np.bool_]]) -> int | None:
        """The first recorded row in which `high` holds for some layer; None without one.

        `high` must be monotone: maxima of bins of rows are tested before single rows.
        """
        series = self.series(name)
        bins = np.flatnonzero(high(series.high).any(axis=1))
        if not len(bins):
            return None
        start = int(bins[0]) * series.rows
        if series.rows == 1:
            return start
        inside = np.flatnonzero(high(self.rows(name, start, start + series.rows)).any(axis=1))
        return start + int(inside[0])

    def scalar(self, name: str) -> Floats:
        """(row,): a scalar of every recorded step."""
        self.require(name)
        return self._once(("scalar", name), lambda: self.run.scalar(name))

    def _once(self, key: Any, read: Callable[[], T]) -> T:
        if key not in self._known:
            self._known[key] = read()
        value: T = self._known[key]
        return value

    def require(self, *names: str) -> None:
        """Statistics and scalars that must have been recorded."""
        missing = [name for name in names if not self.run.is_recorded(name)]
        if missing:
            raise NotEvaluableError(
                f"{' and '.join(missing)} {'was' if len(missing) == 1 else 'were'} not recorded"
            )

    def _series(self, name: str) -> StatisticSeries:
        self.require(name)
        size = len(self.steps) * len(self.names)
        factor = next(
            (factor for factor in (1, *layout.LEVEL_FACTORS) if size <= WHOLE * factor),
            layout.LEVEL_FACTORS[-1],
        )
        if factor == 1:
            values = self.rows(name, 0, len(self.steps))
            series = StatisticSeries(1, self.steps, values, values, values)
        else:
            level = self.run.level(name, factor)
            series = StatisticSeries(
                factor,
                level.bin_start.astype(np.int64),
                *(
                    column.astype(np.float64)
                    for column in (level.mean, level.minimum, level.maximum)
                ),
            )
        if np.isnan(series.mean).all():
            raise NotEvaluableError(
                f"{name} was not recorded or is not defined for any layer of this net"
            )
        return series
