"""Runs against a numbers baseline: what of them is compared, and how."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.comparing import rank_test
from dlprobe.analysis.comparing.misses import Misses, misses_of
from dlprobe.analysis.theory.mean_field import USUAL_KAPPA, log10_deviation
from dlprobe.dataclass import dataclass
from dlprobe.record.layout import PARTS
from dlprobe.registry import counted
from dlprobe.runs import Run

Floats: TypeAlias = npt.NDArray[np.float64]

# smaller is better
METRICS = tuple(f"{part}_{what}" for what in ("loss", "error") for part in PARTS)
PROFILES = (
    "activation_variance",
    "error_signal_rms",
    "gradient_rms",
    "weight_rms",
    "update_ratio",
    "flat_fraction",
    "active_fraction",
)
FEWEST = 3  # runs whose spread can be told
# how chance enters: a gradient is a signal times an error signal
POWERS = {"activation_variance": 2, "error_signal_rms": 1, "gradient_rms": 2}
LAYER_FACTS = ("name", "units", "activation", "normalization")
# the end of a run is its last tenth, at most this many recorded rows: a single batch fluctuates too
# much
LAST_SHARE, LAST_ROWS = (10, 256)
# share of its first value below which nobody can tell a loss, or a layer's signal, from 0
ROUNDING = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Numbers:
    """What is compared of one run. configuration: as text, without seeds. layers: what the net is
    made of. data: fingerprint and the seed of the split.

    profiles: by (statistic, "start" or "end") the numbers per layer, (layer,). floors: by metric
        what it cannot be told from 0 below, see `floor_of`.
    seed: of the training. misses: by part. targets_scaled: how, empty where they were not; losses
        then have another unit.
    weights: how many each layer has, empty where that is not known.
    """

    path: str
    configuration: str
    layers: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    fingerprint: str
    data_seed: str
    metrics: Mapping[str, float]
    profiles: Mapping[tuple[str, str], Floats]
    units: tuple[int, ...] = ()
    samples: Mapping[str, int] = field(default_factory=dict)
    classification: bool = False
    floors: Mapping[str, float] = field(default_factory=dict)
    seed: str = ""
    misses: Mapping[str, Misses] = field(default_factory=dict)
    targets_scaled: str = ""
    weights: tuple[int, ...] = ()

    def errors(self, metric: str) -> tuple[int, int] | None:
        """(wrong samples, samples) where the metric is a share of wrong classes, else None."""
        part, _, what = metric.partition("_")
        samples, value = self.samples.get(part, 0), self.metrics.get(metric, np.nan)
        if what == "error" and self.classification and samples and 0.0 <= value <= 1.0:
            return (round(value * samples), samples)
        return None


@dataclass(frozen=True)
class BaselineComparison:
    """New runs and those of the baseline."""

    new: tuple[Numbers, ...]
    old: tuple[Numbers, ...]

    @property
    def sizes(self) -> str:
        """`5 against 5 runs`."""
        return f"{len(self.new)} against {counted(len(self.old), 'run')}"

    @property
    def spread_known(self) -> bool:
        """Whether the baseline has at least FEWEST (3) runs, so that it shows how far seeds differ,
        or has a run of the same seed and split for every new run, so that seeds do not matter.
        """
        seeds = {(run.seed, run.data_seed) for run in self.old}
        return len(self.old) >= FEWEST or all(
            (run.seed, run.data_seed) in seeds for run in self.new
        )


@dataclass(frozen=True)
class Drift:
    """A profile that left its band in some layers. layers: worst first; measured: how far out,
    as a factor of the band's edge or a difference to it.
    """

    statistic: str
    when: str
    layers: tuple[str, ...]
    value: float
    low: float
    high: float
    measured: float


def numbers_of(run: Run, path: str, configuration: str) -> Numbers:
    """Read what is compared of a run. Raises RunFileError where the file is damaged."""
    columns = {
        name: [str(getattr(layer, name)) for layer in run.layer_facts] for name in LAYER_FACTS
    }
    metrics = {
        name: float(run.final[name])
        for name in METRICS
        if name in run.final and not _absent(run, name)
    }
    layers = tuple(zip(*columns.values(), strict=True))
    names = tuple(str(name) for name in run.layers.names)
    units = tuple(layer.units for layer in run.layer_facts if layer.units is not None)
    sizes = tuple(
        layer.fan_in * layer.fan_out for layer in run.layer_facts if layer.fan_in and layer.fan_out
    )
    return Numbers(
        path,
        configuration,
        layers,
        names,
        str(run.data.get("fingerprint", "")),
        _data_seed(run),
        metrics,
        _profiles(run),
        units,
        _samples(run),
        run.data.get("task") == "classification",
        _floors(run),
        json.dumps(run.facts.seed),
        misses_of(run),
        run.targets_scaled,
        sizes if len(sizes) == len(names) else (),
    )


def _floors(run: Run) -> dict[str, float]:
    """By metric: half a wrong sample; of losses and regression errors, what rounding in float32
    is of the first evaluation.
    """
    floors = {}
    for part, what in (name.split("_") for name in METRICS):
        samples = _samples(run).get(part, 0)
        if what == "error" and run.data.get("task") == "classification":
            floors[f"{part}_{what}"] = 0.5 / samples if samples else 0.0
        else:
            first = run.evaluations.get(f"train_{what}", np.empty(0))[:1]
            floors[f"{part}_{what}"] = (
                ROUNDING * float(first[0]) if len(first) and np.isfinite(first[0]) else 0.0
            )
    return floors


def floor_of(runs: Sequence[Numbers], metric: str) -> float:
    """The value below which a metric of these runs cannot be told from 0, at least 1e-12: half a
    wrong sample; for losses and regression errors the rounding of their first value. The largest
    over the runs.

    Quotients count a smaller value as this one.
    """
    return max(rank_test.SMALLEST, *(run.floors.get(metric, 0.0) for run in runs))


def _data_seed(run: Run) -> str:
    """The seed that the split derives from, as text: `data_seed`, or the run's seed."""
    return json.dumps(
        run.facts.seed if run.configuration is None else run.configuration.resolved_data_seed
    )


def _samples(run: Run) -> dict[str, int]:
    return {
        part: len(run.data[f"{part}_indices"]) for part in PARTS if f"{part}_indices" in run.data
    }


def _absent(run: Run, name: str) -> bool:
    """NaN of a part without samples; NaN of a run that diverged is a result."""
    return bool(np.isnan(run.final[name])) and run.status != "diverged"


def _profiles(run: Run) -> dict[tuple[str, str], Floats]:
    rows = len(run.steps)
    if not rows:
        return {}
    last = max(1, min(rows // LAST_SHARE, LAST_ROWS))
    profiles: dict[tuple[str, str], Floats] = {}
    for name in PROFILES:
        if name in run.statistics:
            profiles[name, "start"] = run.statistic_rows(name, 0, 1)[0].astype(np.float64)
            profiles[name, "end"] = np.median(
                run.statistic_rows(name, rows - last, rows).astype(np.float64), axis=0
            )
    return profiles


def common_metrics(comparison: BaselineComparison) -> tuple[str, ...]:
    """Metrics that every run has in the same unit."""
    return shared_metrics((*comparison.new, *comparison.old))


def shared_metrics(runs: Sequence[Numbers]) -> tuple[str, ...]:
    """Metrics that all of the runs have in one unit; losses only where all scale targets alike."""
    alike = len({run.targets_scaled for run in runs}) <= 1
    return tuple(
        name
        for name in METRICS
        if all(name in run.metrics for run in runs) and (alike or not name.endswith("_loss"))
    )


def lost_metrics(comparison: BaselineComparison) -> tuple[str, ...]:
    """Metrics that every run of the baseline has and a new one lacks."""
    had = [name for name in METRICS if all(name in run.metrics for run in comparison.old)]
    return tuple(name for name in had if any(name not in run.metrics for run in comparison.new))


def common_profiles(comparison: BaselineComparison) -> set[tuple[str, str]]:
    """Profiles that every run has, by statistic and moment."""
    return set.intersection(*(set(run.profiles) for run in (*comparison.new, *comparison.old)))


def drift(
    comparison: BaselineComparison, statistic: str, when: str, tolerance: float
) -> Drift | None:
    """Whether a profile left the band of the baseline: from its smallest number divided by the
    tolerance to its largest times it, in each layer.

    The tolerance is widened by what random weights of these sizes move by themselves: see `chance`
    (signals, gradients) and `least_tolerance` (a few weights, shares of a few units). It counts
    twice, for either side, where the baseline is a run or two with other seeds: how far seeds
    differ is not known then. Shares (`…_fraction`) have a band of ± the tolerance instead. Several
    new runs are represented by their median. None where it did not, or where nothing finite is
    there on one of the sides.
    """
    new, old = (_stack(runs, (statistic, when)) for runs in (comparison.new, comparison.old))
    if new is None or old is None:
        return None
    value, low, high = np.median(new, axis=0), old.min(axis=0), old.max(axis=0)
    share = statistic.endswith("_fraction")
    tolerance *= chance(comparison.new[0].units) ** POWERS.get(statistic, 0)
    room = np.maximum(tolerance, least_tolerance(statistic, comparison.new[0]))
    if not comparison.spread_known:
        room = 2 * room if share else room**2
    if not share:
        floor = _profile_floor(comparison, statistic, when)
        value, low, high = (np.maximum(bound, floor) for bound in (value, low, high))
    low, high = (low - room, high + room) if share else (low / room, high * room)
    with np.errstate(all="ignore"):
        outside = (
            np.maximum(value - high, low - value)
            if share
            else np.maximum(value / high, low / value)
        )
    bad = np.flatnonzero(outside > (0.0 if share else 1.0))
    if not len(bad):
        return None
    worst = bad[np.argsort(-outside[bad], kind="stable")]
    first = worst[0]
    names = tuple(comparison.new[0].names[index] for index in worst)
    return Drift(
        statistic,
        when,
        names,
        float(value[first]),
        float(low[first]),
        float(high[first]),
        float(outside[first]),
    )


def least_tolerance(statistic: str, run: Numbers) -> Floats | float:
    """(layer,): what two random nets differ in by themselves, to three standard deviations of the
    difference. The RMS of n normal weights varies by a share of 1/√(2n); the share of n units by
    1/(2√n) at most, each unit counting as on or off.

    >>> bare = Numbers("", "", (), (), "", "", {}, {}, units=(1, 100), weights=(16, 1000))
    >>> least_tolerance("weight_rms", bare).round(2).tolist(), least_tolerance("active_fraction", bare).round(2).tolist()
    ([2.12, 1.1], [2.12, 0.21])
    """  # noqa: E501
    if statistic == "weight_rms" and run.weights:
        return np.exp(3 / np.sqrt(np.array(run.weights, dtype=np.float64)))
    if statistic.endswith("_fraction") and run.units:
        return 3 / np.sqrt(2 * np.array(run.units, dtype=np.float64))
    return 0.0


def chance(units: Sequence[int]) -> float:
    """The factor by which RMS signals of two random nets of these widths differ at most, but for
    one pair in hundreds: 10^(2 s), with s the standard deviation over nets between vanishing and
    exploding (`theory.log10_deviation`).

    >>> [round(chance([width] * 11), 1) for width in (50, 100, 1000)]
    [2.7, 2.0, 1.3]
    """
    return float(10 ** (2 * log10_deviation([USUAL_KAPPA] * len(units), units))) if units else 1.0


def _profile_floor(comparison: BaselineComparison, statistic: str, when: str) -> Floats | float:
    """(layer,): below which a magnitude cannot be told from 0: the rounding of what the layer
    had at the start, or the smallest normal float32.
    """
    tiny = float(np.finfo(np.float32).tiny)
    start = _stack(comparison.old, (statistic, "start")) if when == "end" else None
    if start is None:
        return tiny
    floor: Floats = np.fmax(tiny, ROUNDING * np.abs(start).max(axis=0))
    return floor


def _stack(runs: Sequence[Numbers], key: tuple[str, str]) -> Floats | None:
    """(run, layer); None where a run does not have it."""
    if any(key not in run.profiles for run in runs):
        return None
    return np.stack([run.profiles[key] for run in runs])


def structure_differences(comparison: BaselineComparison) -> list[str]:
    """What makes the runs other experiments than those of the baseline, in words: layers, data,
    configuration.
    """
    differing = []
    for words, of in _ASPECTS:
        new, old = ({of(run) for run in runs} for runs in (comparison.new, comparison.old))
        if not new <= old:
            differing.append(words)
    if _data_differs(comparison):
        differing.append("data")
    return differing


_ASPECTS: tuple[tuple[str, Callable[[Numbers], Any]], ...] = (
    ("layers", lambda run: run.layers),
    ("configuration", lambda run: run.configuration),
)


def same_layers(comparison: BaselineComparison) -> bool:
    """Whether all runs have the same layers."""
    return len({run.layers for run in (*comparison.new, *comparison.old)}) == 1


def _data_differs(comparison: BaselineComparison) -> bool:
    """Other data for the same seed of the split: with another seed the parts differ anyway."""
    known = {run.data_seed: run.fingerprint for run in comparison.old}
    return any(
        known.get(run.data_seed, run.fingerprint) != run.fingerprint for run in comparison.new
    )


def configuration_changes(new: str, old: str) -> list[str]:
    """The keys in which two configurations differ, `training.lr: 0.001 → 0.01`."""
    ours, theirs = flat(json.loads(new)), flat(json.loads(old))
    missing = object()
    keys = [
        key
        for key in dict.fromkeys([*theirs, *ours])
        if ours.get(key, missing) != theirs.get(key, missing)
    ]
    return [f"{key}: {_shown(theirs, key)} → {_shown(ours, key)}" for key in keys]


def put_back(new: str, old: str) -> dict[str, str]:
    """What sets a configuration back to another one: `table.key` to its value as it is typed. Empty
    where that is more than values of keys.

    >>> put_back('{"training": {"lr": 0.01}}', '{"training": {"lr": "auto"}}'), put_back('{"a": {"b": 1}}', '{}')
    ({'training.lr': 'auto'}, {})
    """  # noqa: E501
    ours, theirs = flat(json.loads(new)), flat(json.loads(old))
    changed = [
        key
        for key in {**theirs, **ours}
        if key not in ours or key not in theirs or ours[key] != theirs[key]
    ]
    typed = all(isinstance(theirs.get(key), str | int | float) for key in changed)
    return {key: _shown(theirs, key) for key in changed} if typed else {}


def _shown(flat: Mapping[str, Any], key: str) -> str:
    value = flat.get(key, "(not there)")
    return value if isinstance(value, str) else json.dumps(value)


def flat(tables: Any, prefix: str = "") -> dict[str, Any]:
    """Nested tables as `table.key`.

    >>> flat({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': [2]}
    """
    if not isinstance(tables, dict):
        return {prefix: tables}
    return {
        key: value
        for name, inner in tables.items()
        for key, value in flat(inner, f"{prefix}.{name}" if prefix else str(name)).items()
    }
