"""Bias and variance by retraining: replicas of one configuration at one or several values of an axis, planned here and trained by `replicas`.

A replica's predictions on the common samples are what counts. They come from the replica's run, or from a study file that kept it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.bias_variance import decompose, sources
from dlprobe.analysis.bias_variance_curve import Point
from dlprobe.analysis.misses import threshold_of
from dlprobe.analysis.replica_inputs import LARGEST_VALUE
from dlprobe.config import RunConfig, completed, fields, from_mapping, to_mapping, with_values, without_instruments
from dlprobe.errors import ConfigError, RunFileError
from dlprobe.experiments.replicas import Prepared, Replica
from dlprobe.experiments.study import NEVER, PlannedRun, finished_runs, refuse_other_data
from dlprobe.parts.metrics import Scored
from dlprobe.registry import tidied, unknown
from dlprobe.runs import Run, Study

Array: TypeAlias = npt.NDArray[Any]

EXPERIMENT = "bias-variance"
DEFAULT_VALUES = {
    "width": "1,2,4,8,16,32,64",
    "depth": "0,1,2,3,4,6",
    "train_size": "10%,20%,40%,70%,100%",
    "dropout": "0,0.1,0.2,0.4,0.6",
    "l2": "0,1e-4,1e-3,1e-2,1e-1",
    "l1": "0,1e-4,1e-3,1e-2,1e-1",
    "epochs": "1,2,5,10,20,50",
}
SHARED = "nets on one training set are alike: with few training sets the intervals are too narrow, and the variance comes out a little small"
OWN_AXES = ("width", "depth", "train_size")


@dataclass(frozen=True)
class Design:
    """What is asked. truth: the samples' targets without noise where they are known; noise: its variance; part: whose samples are predicted.

    asked: the options that lead to it, as a study file keeps them to go on later.
    """

    loss: str
    axis: str | None
    values: tuple[str | float | None, ...]
    targets: Array
    part: str
    truth: Array | None = None
    noise: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)


def axis_of(text: str) -> tuple[str, str]:
    """The axis and its values from `width` or `width=2,4,8`. Raises ConfigError for an axis that there is not, or that needs values."""
    name, equals, values = text.partition("=")
    key = tidied(name).rpartition(".")[2]
    known = dict.fromkeys([*OWN_AXES, *(each.key for each in fields())])
    if key not in known:
        raise ConfigError(unknown("axis", name.strip(), known, "those that dlprobe bias-variance --help shows"))
    values = values if equals else DEFAULT_VALUES.get(key, "")
    if not values.strip():
        raise ConfigError(f"--over {key}: expected values with commas, e.g. --over {key}=A,B,C or --values A,B,C")
    return key, values


def settings(base: RunConfig, axis: str | None, texts: Sequence[str], largest: int) -> list[tuple[str | float | None, RunConfig, int | None]]:
    """(value, configuration, training samples) at each value of the axis. Raises ConfigError for values that it does not take."""
    if axis is None:
        return [(None, base, None)]
    found: dict[str | float, tuple[str | float | None, RunConfig, int | None]] = {}
    for text in texts:
        config, size = _setting(base, axis, text, largest)
        value = number(text) if size is None else size  # percents become samples; a value given twice is one value
        found.setdefault(value, (value, config, size))
    return list(found.values())


def _setting(base: RunConfig, axis: str, text: str, largest: int) -> tuple[RunConfig, int | None]:
    layers = base.model.layers
    if axis == "train_size":
        size = float(text[:-1]) / 100 * largest if text.endswith("%") and whole(text[:-1]) else float(text) if whole(text) else math.nan
        if not 1 <= round(size if math.isfinite(size) else 0) <= largest:
            raise ConfigError(f"--over train-size: {text!r}: expected samples from 1 to {largest}, or percents like 20%")
        return base, round(size)
    if axis in ("width", "depth") and not (whole(text) and int(text) >= (1 if axis == "width" else 0)):
        raise ConfigError(f"--over {axis}: {text!r}: expected whole numbers with commas, e.g. --over {axis}={DEFAULT_VALUES[axis]}")
    if axis == "width":
        return with_values(base, {"model.layers": ",".join([text] * max(len(layers), 1))}), None
    if axis == "depth":
        return with_values(base, {"model.layers": ",".join([str(layers[0] if layers else 100)] * int(text))}), None
    home = next(each.table for each in fields() if each.key == axis)
    return with_values(base, {f"{home}.{axis}": text}), None


def whole(text: str) -> bool:
    return text.isascii() and text.isdigit()


def number(text: str) -> str | float:
    """A number where the text is one: whole numbers without a point.

    >>> number("16"), number("1e-3"), number("tanh")
    (16, 0.001, 'tanh')
    """
    if whole(text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


def plan(base: RunConfig, axis: str | None, texts: Sequence[str], largest: int, replicas: int, vary: str, seeds: int) -> list[Replica]:
    """All trainings. vary: `data` (one seed for all), `seed` (the same data), `both` (each of `replicas` training sets with `seeds` seeds of its own).

    The replicas of each value of the axis have the same training sets and seeds, so that values differ by nothing else.
    """
    found = []
    for at, config, size in settings(base, axis, texts, largest):
        place = "" if at is None else f"{axis}_{''.join(c if c.isalnum() or c in '.+-' else '_' for c in str(at))}-"
        by_seed: dict[int, RunConfig] = {}
        for index in range(replicas * (seeds if vary == "both" else 1)):
            data = 0 if vary == "seed" else index // seeds if vary == "both" else index
            seed = base.training.seed + (0 if vary == "data" else index)
            if seed not in by_seed:
                by_seed[seed] = quiet(config, base, seed)
            found.append(Replica(f"{place}data{data}-seed{seed}", at, data, seed, size, by_seed[seed]))
    return found


def quiet(config: RunConfig, base: RunConfig, seed: int) -> RunConfig:
    """The configuration of a replica: its seed, and nothing recorded on the way that nobody reads."""
    training = config.training
    needed = training.early_stopping is not None or training.schedule.record.observe is not None
    values: dict[str, Any] = {"training.seed": seed, "data.data_seed": base.resolved_data_seed, "recording.record_every": NEVER}
    return with_values(without_instruments(config), values if needed else {**values, "recording.evaluate_every": "never"})


def points(design: Design, replicas: Sequence[tuple[str | float | None, int, Array]], threshold: float) -> list[Point]:
    """The decomposition at each value from (value, data number, outputs) of every replica; values of which fewer than two replicas are usable are left out."""
    found = []
    for value in design.values:
        here = [(data, outputs) for at, data, outputs in replicas if at == value]
        usable = [(data, outputs) for data, outputs in here if float(np.abs(outputs).max()) <= LARGEST_VALUE]
        if len(usable) < 2:
            continue
        made, wanted = predictions_of(design, [outputs for _, outputs in usable], threshold)
        exact = design.loss == "squared" and design.truth is not None
        noise = design.noise if design.loss == "squared" else None
        parts = decompose(made, design.truth if exact else wanted, design.loss, noise=noise, noise_in_targets=not exact)
        groups = [data for data, _ in usable]
        apart = sources(made, groups, design.loss) if design.facts.get("vary") == "both" and len(usable) == len(here) else None
        if len(set(groups)) < len(groups):
            parts = replace(parts, notes=(*parts.notes, SHARED)) if design.facts.get("vary") == "both" else parts
        found.append(Point(value, parts, apart, len(here) - len(usable)))
    return found


def predictions_of(design: Design, outputs: Sequence[Array], threshold: float) -> tuple[Array, Array]:
    """What the loss takes of the nets' outputs: classes, probabilities or values; and the targets likewise."""
    classes = design.targets.dtype.kind in "iu"
    stacked = np.stack(outputs).astype(np.float64) if outputs else np.zeros((0, len(design.targets), 1))
    if design.loss == "zero-one":
        if not classes:
            raise ConfigError("--loss zero-one needs classes, the targets are numbers: use --loss squared")
        count = max(stacked.shape[2], 2)
        return np.stack([Scored(each, design.targets, count, threshold).predicted for each in stacked]) if len(stacked) else stacked[:, :, 0], design.targets
    if design.loss == "cross-entropy":
        if not classes:
            raise ConfigError("--loss cross-entropy needs classes, the targets are numbers: use --loss squared")
        return (stacked[:, :, 0] if stacked.shape[2] == 1 else stacked), design.targets
    if not classes:
        return stacked, design.targets.reshape(len(design.targets), -1)
    wanted = design.targets[:, None].astype(np.float64) if stacked.shape[2] == 1 else np.eye(stacked.shape[2])[design.targets]
    return stacked, wanted


def description(design: Design, base: RunConfig, replicas: Sequence[Replica]) -> dict[str, Any]:
    """What a study file says of the experiment: enough to decompose it again."""
    axes = {"at": list(design.values), "data": sorted({each.data for each in replicas}), "seed": sorted({each.seed for each in replicas})}
    told = {"loss": design.loss, "axis": design.axis, "values": list(design.values), "part": design.part, "noise": design.noise, "facts": dict(design.facts)}
    told["asked"] = dict(design.asked)
    truth = None if design.truth is None else design.truth.tolist()
    return {"experiment": EXPERIMENT, "axes": axes, "config": to_mapping(base), "bias_variance": {**told, "truth": truth}}


def table(found: Sequence[Point]) -> dict[str, list[object]]:
    """The decompositions as columns, as a study file keeps them."""
    columns: dict[str, list[object]] = {"at": ["" if point.at is None else str(point.at) for point in found]}
    for name in ("expected_loss", "bias", "variance", "net_variance", "noise"):
        columns[name] = [getattr(point.found, name) for point in found]
    columns["replicas"] = [point.found.replicas for point in found]
    return columns


def from_study(study: Study, loss: str | None, noise: float | None = None) -> tuple[Design, list[Point]]:
    """Decompose a saved study again, for its own loss and noise variance or others. Raises RunFileError where the file does not say what it should."""
    told = study.description.get("bias_variance")
    if study.description.get("experiment") != EXPERIMENT or not isinstance(told, dict):
        raise RunFileError(f"{study.path} is a study of something else: expected one that `dlprobe bias-variance --replicas K -o FILE` wrote")
    part, values = str(told.get("part")), told.get("values")
    if part not in ("train", "val", "test") or not isinstance(values, list) or not study.runs:
        raise RunFileError(f"{study.path} is damaged or empty: there are no replicas in it to decompose")
    replicas: list[tuple[str | float | None, int, Array]] = []
    targets, threshold = None, 0.5
    for id in study.runs:
        run, where = study.runs.open(id), study.coordinates.get(id, {})
        outputs = run.predictions[f"{part}_outputs"]
        targets, threshold = run.predictions[f"{part}_targets"], threshold_of(run) or 0.0
        replicas.append((where.get("at"), int(where.get("data", 0)), outputs if run.status == "finished" else np.full_like(outputs, np.nan)))
    assert targets is not None
    truth = None if told.get("truth") is None or noise is not None else np.array(told["truth"], np.float64)
    axis = told.get("axis")
    facts = told["facts"] if isinstance(told.get("facts"), dict) else {}
    design = Design(
        loss or str(told.get("loss")), str(axis) if axis else None, tuple(values), targets, part, truth, told.get("noise") if noise is None else noise, facts
    )
    return design, points(design, replicas, threshold)


def asked_of(study: Study) -> tuple[RunConfig, dict[str, Any]]:
    """(configuration, options) of a saved study. Raises RunFileError where it does not hold them."""
    told = study.description.get("bias_variance")
    asked = told.get("asked") if isinstance(told, dict) else None
    if not isinstance(asked, dict) or {"replicas", "seeds", "vary", "resample", "loss", "noise", "over", "values"} - set(asked):
        raise RunFileError(f"{study.path} does not say how its replicas were made: expected a study that this version of dlprobe bias-variance -o wrote")
    return from_mapping(completed(study.description["config"], "")), asked


def outputs_of(study: Study, replicas: Sequence[Replica], prepared: Prepared) -> dict[str, Array]:
    """The outputs of the planned replicas that a study holds, by id. Raises ConfigError where one has another configuration or other data."""
    part = study.description["bias_variance"]["part"]
    by_id = {each.id: each for each in replicas}

    def read(planned: PlannedRun, run: Run) -> Array:
        refuse_other_data(study, run, prepared(by_id[planned.id].data, by_id[planned.id].size))
        outputs = run.predictions[f"{part}_outputs"]
        return outputs if run.status == "finished" else np.full_like(outputs, np.nan)

    return finished_runs(study, [PlannedRun(each.id, each.config) for each in replicas], read)
