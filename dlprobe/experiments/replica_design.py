"""The design of replicas: settings along the axis, training sets, seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.bias_variance.noise_estimate import noise_variance
from dlprobe.config import FieldError, RunConfig, with_values, without_instruments
from dlprobe.errors import ConfigError
from dlprobe.experiments import axes
from dlprobe.experiments.replica_points import Design, Request
from dlprobe.experiments.replicas import Replica
from dlprobe.experiments.study import NEVER
from dlprobe.registry import counted
from dlprobe.training import trainer


def design_of(
    base: RunConfig,
    request: Request,
    data: trainer.PreparedData,
    kind: str,
    axis: str | None,
    values: tuple[str | float | None, ...],
) -> Design:
    """What replicas at these values of an axis decompose, with what is said of it; kind: where
    their training sets come from.
    """
    part = next((part for part in ("test", "val") if len(data.inputs[part])), None)
    if part is None:
        raise ConfigError(
            "split leaves no samples to predict: give a test or validation part, e.g. "
            "--split 60,0,40"
        )
    loss = request.loss or ("zero-one" if data.task == "classification" else "squared")
    if request.noise is not None and loss != "squared":
        raise ConfigError(
            "--noise-variance is of targets that are numbers, and of the squared loss: leave "
            f"it out with {data.name} and {loss}"
        )
    facts: dict[str, Any] = {
        "data": data.name,
        "predicted": f"{part} part, {counted(len(data.inputs[part]), 'sample')}",
        "vary": request.vary,
    }
    facts |= {"training_sets": {"same": "one, the training part"}.get(kind, kind)}
    if data.task == "regression" and data.outputs > 1:
        facts["targets"] = f"{data.outputs}, their squared errors summed, each in its own unit"
    if axis != "train_size":
        facts |= {
            "training_samples": len(data.inputs["train"])
            // (request.replicas if kind == "disjoint" else 1)
        }
    clean = (
        data.clean_targets[part]
        if data.clean_targets is not None and loss == "squared" and data.task == "regression"
        else None
    )
    noise = (
        request.noise
        if request.noise is not None
        else data.noise_variance
        if clean is not None
        else None
    )
    if isinstance(noise, str):
        # what was added to training targets is not in the others
        parts = ("val", "test") if base.data.label_noise else ("train", "val", "test")
        noise, facts["noise_estimate"] = estimated_noise(
            *(
                np.concatenate([made[part] for part in parts])
                for made in (data.inputs, data.targets)
            )
        )
    truth = clean if noise is not None and request.noise is None else None
    return Design(loss, axis, values, data.targets[part], part, truth, noise, facts, request)


def estimated_noise(inputs: npt.NDArray[Any], targets: npt.NDArray[Any]) -> tuple[float, str]:
    """The variance of the noise in targets (sample,) by the gamma test on inputs (sample,
    feature), and what to say of it.
    """
    value = noise_variance(inputs, targets)
    return (
        value,
        (
            f"{value:.4g}, from neighbouring samples (gamma test); its own error is not in the "
            "intervals"
        ),
    )


def settings(
    base: RunConfig, axis: str | None, texts: Sequence[str], largest: int
) -> list[tuple[str | float | None, RunConfig, int | None]]:
    """(value, configuration, training samples) at each value of the axis. Raises ConfigError
    for values that it does not take.
    """
    if axis is None:
        return [(None, base, None)]
    by_value: dict[str | float, tuple[str | float | None, RunConfig, int | None]] = {}
    for text in texts:
        config, size = _setting(base, axis, text, largest)
        # percents become samples; a value given twice is one value
        value = number(text) if size is None else size
        by_value.setdefault(value, (value, config, size))
    return list(by_value.values())


def _setting(base: RunConfig, axis: str, text: str, largest: int) -> tuple[RunConfig, int | None]:
    """Training sets get their size where they are drawn, everything else is in the
    configuration.
    """
    try:
        if axis == "train_size":
            return (base, axes.samples(text, largest))
        return (axes.axis_of(axis).apply(base, text), None)
    except FieldError:
        raise
    except ConfigError as error:
        raise ConfigError(f"--over {error}") from None


def number(text: str) -> str | float:
    """A number where the text is one: whole numbers without a point.

    >>> number("16"), number("1e-3"), number("tanh")
    (16, 0.001, 'tanh')
    """
    try:
        return int(text) if text.isascii() and text.isdigit() else float(text)
    except ValueError:
        return text


def plan(
    base: RunConfig,
    axis: str | None,
    texts: Sequence[str],
    largest: int,
    replicas: int,
    vary: str,
    seeds: int,
) -> list[Replica]:
    """All trainings. vary: `data` (one seed for all), `seed` (the same data), `both` (each of
    `replicas` training sets with `seeds` seeds of its own).

    The replicas of each value of the axis have the same training sets and seeds, so that values
    differ by nothing else.
    """
    planned_replicas = []
    for at, config, size in settings(base, axis, texts, largest):
        place = (
            ""
            if at is None
            else f"{axis}_{''.join(c if c.isalnum() or c in '.+-' else '_' for c in str(at))}-"
        )
        by_seed: dict[int, RunConfig] = {}
        for index in range(replicas * (seeds if vary == "both" else 1)):
            data = 0 if vary == "seed" else index // seeds if vary == "both" else index
            seed = base.training.seed + (0 if vary == "data" else index)
            if seed not in by_seed:
                by_seed[seed] = quiet(config, base, seed)
            planned_replicas.append(
                Replica(f"{place}data{data}-seed{seed}", at, data, seed, size, by_seed[seed])
            )
    return planned_replicas


def quiet(config: RunConfig, base: RunConfig, seed: int) -> RunConfig:
    """The configuration of a replica: its seed, and nothing recorded on the way that nobody
    reads.
    """
    training = config.training
    needed = training.early_stopping is not None or training.schedule.record.observe is not None
    values: dict[str, Any] = {
        "training.seed": seed,
        "data.data_seed": base.resolved_data_seed,
        "recording.record_every": NEVER,
    }
    return with_values(
        without_instruments(config),
        values if needed else {**values, "recording.evaluate_every": "never"},
    )
