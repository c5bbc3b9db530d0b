"""Runs for the tests of rules: made up, with ordinary numbers except where a test says
otherwise, or trained in a blink.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlprobe import registry
from dlprobe.config import from_mapping, to_mapping
from dlprobe.record import layout
from dlprobe.record.description import layer_facts
from dlprobe.rules import Finding, Fired, NotEvaluated, Outcome, all_rules
from dlprobe.rules.evidence import Evidence
from dlprobe.runs import Run, RunDescription, RunWriter
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource

ORDINARY = {
    "activation_mean": 0.4,
    "activation_variance": 0.34,
    "activation_sample_variance": 0.3,
    "active_fraction": 0.5,
    "preactivation_variance": 1.0,
    "preactivation_mean_square": 1.0,
    "error_signal_rms": 0.1,
    "slope_mean_square": 0.5,
    "flat_fraction": 0.5,
    "gradient_rms": 0.01,
    "gradient_l2": 1.0,
    "gradient_mean_abs": 0.008,
    "gradient_variance": 1e-4,
    "gradient_sample_rms": 0.02,
    "weight_rms": 0.14,
    "weight_l2": 14.0,
    "weight_max_abs": 0.5,
    "bias_rms": 0.01,
    "update_ratio": 1e-3,
}
SCALARS = {
    "learning_rate": 0.001,
    "gradient_norm": 1.0,
    "clip_scale": 1.0,
    "clipped_gradient_norm": 1.0,
}
LEARNED = {
    "train_loss": (2.3, 0.02),
    "val_loss": (2.3, 0.1),
    "train_error": (0.9, 0.0),
    "val_error": (0.9, 0.03),
}
FAILED = {
    "train_loss": (2.3, 2.29),
    "val_loss": (2.3, 2.3),
    "train_error": (0.9, 0.89),
    "val_error": (0.9, 0.9),
}
NOTHING = float("nan")


def made(
    statistics: Mapping[str, Any] | None = None,
    *,
    steps: int = 400,
    hidden: int = 3,
    units: int = 100,
    activation: str = "relu",
    output_activation: str = "softmax",
    norm: str = "none",
    scalars: Mapping[str, Any] | None = None,
    evaluations: Mapping[str, Sequence[float]] | None = None,
    layer_evaluations: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    final: Mapping[str, Any] | None = None,
    predictions: Mapping[str, Any] | None = None,
    status: str = "finished",
    parameters: tuple[Any, Any] | None = None,
    layers: Mapping[str, Any] | None = None,
    instruments: Mapping[str, Any] | None = None,
) -> Run:
    """A run of `steps` steps and ten classes in memory; a statistic is a number, (layer,), (step,
    1) or (step, layer), NaN for not recorded.

    `evaluations` are values over training, spread evenly from step 0 to the end; one that learned
    is the default. `parameters`: first and last ones.
    `layers` replaces columns of the layer table. `instruments`: by path, (look, …), at ten looks
    spread evenly.
    """
    evaluations = LEARNED if evaluations is None else evaluations
    names = [*(f"hidden_{k + 1}" for k in range(hidden)), "output"]
    first, last = parameters if parameters is not None else (np.ones(4, "f4"), np.ones(4, "f4"))
    described = RunDescription(
        config=to_mapping(
            from_mapping(
                {"model": {"layers": f"{units}x{hidden}" if hidden else ""}, **(config or {})}
            )
        ),
        layers=layer_facts(
            {**_layers(names, units, activation, output_activation, norm), **(layers or {})}
        ),
        data={
            "name": "digits",
            "task": "classification",
            "class_names": list("abcdefghij"),
            "train_class_counts": [100] * 10,
            **(data or {}),
        },
        initial_parameters=first,
    )
    writer = RunWriter.create(None, described)
    columns = [
        _column({**ORDINARY, **(statistics or {})}.get(name, 0.0), steps, len(names))
        for name in registry.records("statistic")
    ]
    loss = np.linspace(2.3, 0.05, steps)
    values = {"batch_loss": loss, "penalty": 0.0, **SCALARS, **(scalars or {})}
    _write_rows(
        writer,
        np.stack(columns, axis=-1),
        np.stack(
            [np.broadcast_to(values.get(name, NOTHING), steps) for name in layout.SCALARS], axis=-1
        ),
    )
    for look, step in enumerate(np.linspace(0, steps - 1, 10).astype(int) if instruments else ()):
        writer.instruments(
            int(step), {path: np.asarray(values)[look] for path, values in instruments.items()}
        )
    _evaluate(writer, steps, evaluations, layer_evaluations or {})
    writer.checkpoint(steps, last)
    ends = {
        name: series[-1]
        for name, series in evaluations.items()
        if f"final/{name}" in layout.data_sets()
    }
    writer.end(status, {**ends, "steps_done": steps, **(final or {})}, predictions or {})
    return Run(JournalContents(MemorySource(writer.bytes())))


def _layers(
    names: list[str], units: int, activation: str, output_activation: str, norm: str
) -> dict[str, Any]:
    last = len(names) - 1
    return {
        "name": names,
        "fan_in": [64] + [units] * last,
        "fan_out": [units] * last + [10],
        "units": [units] * last + [10],
        "activation": [activation] * last + [output_activation],
        "initializer": ["he_normal"] * (last + 1),
        "bias_initializer": ["zeros"] * (last + 1),
        "normalization": [norm] * last + ["none"],
        "norm_position": ["" if norm == "none" else "before"] * last + [""],
        "weight_offset": [0] * (last + 1),
        "bias_offset": [-1] * (last + 1),
    }


def _column(value: Any, steps: int, layers: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(value, "f4"), (steps, layers))


def _write_rows(writer: RunWriter, statistics: np.ndarray, scalars: np.ndarray) -> None:
    for start in range(0, len(scalars), 4096):
        piece = slice(start, start + 4096)
        writer.rows(start, np.arange(len(scalars))[piece], statistics[piece], scalars[piece], 0.001)


def _evaluate(
    writer: RunWriter,
    steps: int,
    evaluations: Mapping[str, Sequence[float]],
    layers: Mapping[str, Any],
) -> None:
    count = max((len(series) for series in evaluations.values()), default=0)
    for index, step in enumerate(np.linspace(0, steps, count).astype(int)):
        values = {name: float(series[index]) for name, series in evaluations.items()}
        writer.evaluation(
            int(step),
            values,
            {name: np.asarray(series[index], "f4") for name, series in layers.items()},
        )


def outcome(code: str, run: Run, **thresholds: Any) -> Outcome:
    """What one rule says of a run."""
    return all_rules()[code].apply(Evidence(run), thresholds)


def finding(code: str, run: Run, **thresholds: Any) -> Finding:
    """The first finding of a rule that must fire."""
    said = outcome(code, run, **thresholds)
    assert isinstance(said, Fired), said
    return said.findings[0]


def reason(code: str, run: Run, **thresholds: Any) -> str:
    """Why a rule could not be evaluated, which it must say."""
    said = outcome(code, run, **thresholds)
    assert isinstance(said, NotEvaluated), said
    return said.reason
