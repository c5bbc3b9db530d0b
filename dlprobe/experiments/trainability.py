"""The map of trainability: nets over a plane of two numeric axes, weight scale × depth unless told
otherwise, each trained for the same few steps, beside the depth to which theory says that a signal
reaches.

Source: Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, Deep information propagation, fig. 5.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dlprobe.analysis.profiles.depth_limits import LEARNED, SCALES, correlation_depth
from dlprobe.analysis.theory import mean_field
from dlprobe.config import RunConfig, completed, from_mapping, to_mapping, with_values
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.experiments.axes import axis_of
from dlprobe.experiments.experiment import SeededExperiment
from dlprobe.experiments.gradients import skill_of
from dlprobe.experiments.study import NEVER, PlannedRun, run_id
from dlprobe.registry import Spec
from dlprobe.runs import Run, Study
from dlprobe.runs.content import canonical
from dlprobe.training.prepared_sets import PreparedSets

# Around the edge of chaos of tanh with σ_b² = .05, and from the depths that train everywhere to
# those that train nowhere.
SIGMA_W, SIGMA_B = "sigma_w", 0.05**0.5
SCALES_OF_WEIGHTS = ("0.8", "1", "1.1", "1.2", "1.3", "1.4", "1.6", "1.9", "2.2", "2.6")
DEPTHS = ("3", "5", "8", "12", "16", "22", "30", "40", "55", "75")
USUAL = {
    "model.activation": "tanh",
    "training.optimizer": "sgd",
    "training.lr": 0.01,
    "training.epochs": 10,
}
WIDTH = 64


@dataclass(frozen=True)
class MapAxis:
    """A numeric axis of the plane. place: the key that it changes."""

    name: str
    values: tuple[str, ...]
    place: str

    def apply(self, config: RunConfig, value: str) -> RunConfig:
        """The configuration at a value."""
        if self.name != SIGMA_W:
            return axis_of(self.name, "gradients").apply(config, value)
        init = config.model.init
        sigma_b = SIGMA_B
        if init is not None and init.name == "mean_field":
            sigma_b = float(init.parameters["sigma_b"])
        text = f"mean_field(sigma_w={value},sigma_b={sigma_b:.4g})"
        return with_values(config, {"model.init": text})


def map_axis(name: str, values: Sequence[str]) -> MapAxis:
    """An axis of numbers. Raises ConfigError."""
    try:
        ordered = sorted(dict.fromkeys(values), key=float)
    except ValueError:
        raise ConfigError(f"--map: {name}={','.join(values)}: expected numbers") from None
    if name == SIGMA_W:
        return MapAxis(name, tuple(ordered), "model.init")
    axis = axis_of(name, "gradients")
    return MapAxis(axis.name, tuple(ordered), axis.place or "model.layers")


@dataclass(frozen=True)
class Pixel:
    """One configuration of the plane."""

    x: str
    y: str
    config: RunConfig


def pixels(base: RunConfig, x: MapAxis, y: MapAxis) -> list[Pixel]:
    """The plane, row by row. Raises ConfigError for a value that an axis does not take."""
    return [
        Pixel(across, down, y.apply(x.apply(base, across), down))
        for down, across in itertools.product(y.values, x.values)
    ]


@dataclass(frozen=True)
class PixelScore:
    """What counts of one run: its training accuracy (R² for a regression), and the share of what
    could be learned.
    """

    accuracy: float
    skill: float


@dataclass(frozen=True)
class PixelResult:
    """A pixel's medians over seeds. theory: 6 ξ_c in layers at its weight scale, infinite on the
    edge of chaos, NaN where theory does not apply.
    """

    pixel: Pixel
    runs: tuple[str, ...]
    accuracy: float
    skill: float
    theory: float

    @property
    def trained(self) -> bool:
        """Whether the median skill is at least 0.5."""
        return self.skill >= LEARNED

    @property
    def reached(self) -> bool | None:
        """Whether the net is no deeper than `theory` layers; None where theory does not apply."""
        if math.isnan(self.theory):
            return None
        return len(self.pixel.config.model.layers) <= self.theory


@dataclass(frozen=True)
class Own:
    """The reader's net on the plane: where it stands, in numbers of the axes and in places of
    their values, and the nearest pixel that trained.
    """

    x: float
    y: float
    place: tuple[float, float]
    nearest: PixelResult | None


@dataclass(frozen=True)
class MapResult:
    """The plane as far as it was trained."""

    x: MapAxis
    y: MapAxis
    pixels: tuple[PixelResult, ...]
    own: Own | None
    complete: bool


@dataclass(frozen=True)
class MapExperiment(SeededExperiment[PixelScore, MapResult]):
    """Every pixel with every seed; all share the split. own: the reader's net."""

    name = "gradients --map"
    doing = "training the map"

    x: MapAxis
    y: MapAxis
    cells: Sequence[Pixel]
    seeds: Sequence[int]
    sets: PreparedSets
    own: RunConfig | None = None

    @classmethod
    def restore(cls, study: Study, told: Callable[[str], None] | None = None) -> MapExperiment:
        try:
            said = study.description
            x, y = (MapAxis(str(n), tuple(map(str, v)), str(p)) for n, v, p in said["plane"])
            cells = [
                Pixel(str(across), str(down), from_mapping(completed(config, "")))
                for across, down, config in said["pixels"]
            ]
            own = said["own"] and from_mapping(completed(said["own"], ""))
            seeds = [int(seed) for seed in said["axes"]["seed"]]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ConfigError(f"{study.path} does not say how its map was made") from None
        return cls(x, y, cells, seeds, PreparedSets(told=told), own or None)

    def describe(self) -> dict[str, Any]:
        """The axes and the configuration of every pixel, as data for the study file."""
        return {
            "experiment": self.name,
            "axes": {
                self.x.name: list(self.x.values),
                self.y.name: list(self.y.values),
                "seed": list(self.seeds),
            },
            "plane": [[axis.name, list(axis.values), axis.place] for axis in (self.x, self.y)],
            "pixels": [[pixel.x, pixel.y, to_mapping(pixel.config)] for pixel in self.cells],
            "own": None if self.own is None else to_mapping(self.own),
        }

    def plan(self, readings: Mapping[str, PixelScore]) -> list[PlannedRun]:
        """Every pixel with every seed, recorded at its first step only."""
        runs = []
        for (number, pixel), seed in itertools.product(enumerate(self.cells), self.seeds):
            seeds = {"training.seed": seed, "data.data_seed": pixel.config.resolved_data_seed}
            config = with_values(pixel.config, {**seeds, "recording.record_every": NEVER})
            where = {self.x.name: pixel.x, self.y.name: pixel.y, "seed": seed}
            runs.append(PlannedRun(self._id(number, seed), config, where))
        return runs

    def _id(self, number: int, seed: int) -> str:
        pixel = self.cells[number]
        return run_id(number, f"{self.x.name}={pixel.x},{self.y.name}={pixel.y}", seed)

    def read(self, planned: PlannedRun, run: Run) -> PixelScore:
        """Accuracy and skill of a run; NaN and −∞ where it diverged."""
        if run.status == "diverged":
            return PixelScore(math.nan, -math.inf)
        accuracy = float(run.final.get("train_accuracy", run.final.get("train_r2", np.nan)))
        return PixelScore(accuracy, skill_of(run, accuracy))

    def conclude(self, readings: Mapping[str, PixelScore], complete: bool) -> MapResult | None:
        """The plane from the runs that ended; None where none did."""
        results = []
        theory: dict[str, float] = {}
        for number, pixel in enumerate(self.cells):
            ids = [self._id(number, seed) for seed in self.seeds]
            ended = [readings[id] for id in ids if id in readings]
            if ended:
                accuracy = statistics.median(score.accuracy for score in ended)
                skill = statistics.median(score.skill for score in ended)
                reach = self._theory(pixel.config, theory)
                results.append(PixelResult(pixel, tuple(ids), accuracy, skill, reach))
        if not results:
            return None
        return MapResult(self.x, self.y, tuple(results), self._own(results), complete)

    def _theory(self, config: RunConfig, known: dict[str, float]) -> float:
        """6 ξ_c, which the last hidden layer decides, repeated without end."""
        last = with_values(config, {"model.layers": config.model.layers[-2:]})
        key = canonical(to_mapping(last))
        if key not in known:
            known[key] = SCALES * correlation_depth(self._initial(last))
        return known[key]

    def _initial(self, config: RunConfig) -> mean_field.InitialNet:
        data = self.sets.of(config)
        return mean_field.configured(config, len(data.feature_names), data.input_mean_square)

    def _own(self, results: Sequence[PixelResult]) -> Own | None:
        if self.own is None:
            return None
        where = [self._number(axis, self.own) for axis in (self.x, self.y)]
        place = [
            float(np.interp(number, list(map(float, axis.values)), range(len(axis.values))))
            for axis, number in zip((self.x, self.y), where, strict=True)
        ]

        def distance(result: PixelResult) -> float:
            x, y = self.x.values.index(result.pixel.x), self.y.values.index(result.pixel.y)
            return math.hypot(x - place[0], y - place[1])

        trained = [pixel for pixel in results if pixel.trained]
        nearest = min(trained, key=distance, default=None)
        return Own(where[0], where[1], (place[0], place[1]), nearest)

    def _number(self, axis: MapAxis, config: RunConfig) -> float:
        """Where a configuration stands on an axis: σ_w is that of its last hidden layer."""
        if axis.name == "depth":
            return float(len(config.model.layers))
        if axis.name == SIGMA_W:
            net = self._initial(config)
            return math.sqrt(net.weight_variance[-1] * net.fan_in[-1]) if net.units else math.nan
        if axis.name == "width":
            return float(config.model.layers[0]) if config.model.layers else math.nan
        table, _, key = axis.place.partition(".")
        value = getattr(getattr(config, table), key)
        return math.nan if value is None or isinstance(value, str | Spec) else float(value)

    def table(self, result: MapResult) -> dict[str, list[Any]]:
        """A pixel per row."""
        return {
            self.x.name: [pixel.pixel.x for pixel in result.pixels],
            self.y.name: [pixel.pixel.y for pixel in result.pixels],
            "train_accuracy": [pixel.accuracy for pixel in result.pixels],
            "skill": [pixel.skill for pixel in result.pixels],
            "theory_6_xi": [pixel.theory for pixel in result.pixels],
        }
