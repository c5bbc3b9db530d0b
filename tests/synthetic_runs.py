"""A made-up run whose every number is a function of its step, so that any prefix of it can be
checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlprobe import registry
from dlprobe.record import layout
from dlprobe.record.description import layer_facts
from dlprobe.runs import RunDescription, RunWriter

LAYERS = 3
PARAMETERS = 40
STATISTICS = len(registry.records("statistic"))
SCALARS = len(layout.SCALARS)


def description(dtype: str = "float32", **config: Any) -> RunDescription:
    """Three layers, forty parameters."""
    return RunDescription(
        config={"data": {"data": "digits"}, "training": {"seed": 1, "threads": 1, **config}},
        layers=layer_facts(
            {
                "name": ["hidden_1", "hidden_2", "output"],
                "fan_in": [4, 3, 2],
                "fan_out": [3, 2, 2],
                "units": [3, 2, 2],
                "activation": ["relu", "leaky_relu(slope=0.2)", "linear"],
                "weight_offset": [0, 15, 23],
                "norm_scale_offset": [-1, -1, -1],
                "activation_offset": [-1, -1, -1],
            }
        ),
        data={
            "name": "digits",
            "fingerprint": "ab" * 32,
            "task": "classification",
            "train_indices": np.arange(6),
            "val_indices": np.arange(6, 9),
            "scaler_shift": np.linspace(0, 1, 4),
            "class_names": ["eins", "zwölf", "=1+1"],
            "train_class_counts": [3, 2, 1],
            "input_mean": 0.5,
            "input_mean_square": 1.5,
        },
        initial_parameters=np.linspace(-1, 1, PARAMETERS).astype(dtype),
        environment={"python": "3.11", "command": ["dlprobe", "train"]},
        tracked={"layer": [0, 2], "unit": [1, 0]},
    )


def rows_of(steps: np.ndarray, dtype: str = "float32") -> tuple[np.ndarray, np.ndarray]:
    """statistics (n, layer, statistic) and scalars (n, scalar) of given steps; every 7th step
    has NaN in its first layer.
    """
    grid = steps[:, None, None] + np.arange(LAYERS)[None, :, None] / 4 + np.arange(STATISTICS) / 128
    statistics = np.sin(grid).astype(dtype)
    statistics[steps % 7 == 0, 0] = np.nan
    return statistics, np.cos(steps[:, None] + np.arange(SCALARS))


def parameters_at(step: int, dtype: str = "float32") -> np.ndarray:
    """All parameters after `step` updates."""
    return np.sin(step + np.arange(PARAMETERS)).astype(dtype)


def write_rows(
    writer: RunWriter, start: int, stop: int, block: int, dtype: str = "float32"
) -> None:
    """Steps start … stop - 1 in blocks."""
    for first in range(start, stop, block):
        steps = np.arange(first, min(first + block, stop))
        writer.rows(first, steps, *rows_of(steps, dtype), seconds=0.001)


def evaluate(writer: RunWriter, step: int) -> None:
    """One evaluation after `step` updates."""
    values = {"train_loss": 1 / (step + 1), "val_loss": 2 / (step + 1)}
    writer.evaluation(
        step,
        values,
        {
            "dead_fraction": np.full(LAYERS, step / 1000),
            "weight_distance": np.arange(LAYERS) * step / 1000,
        },
    )


def measured_at(step: int) -> dict[str, np.ndarray]:
    """What instruments measured at a step, by path: histograms of 4 bins, numbers per layer,
    tracked units.
    """
    values = {}
    for k, what in enumerate(registry.get("instrument", "histogram").of):
        values |= {
            f"histograms/{what}/counts": np.arange(LAYERS * 4).reshape(LAYERS, 4) + step,
            f"histograms/{what}/edges": np.tile(np.linspace(-1, step + 1, 5), (LAYERS, 1)) + k,
            f"histograms/{what}/percentiles": np.tile(np.linspace(-1, step, 5), (LAYERS, 1)),
            f"histograms/{what}/nonfinite": np.arange(LAYERS) + k,
        }
    values |= {
        path: np.full(LAYERS if "layer" in line.dims else (), step / 8)
        for path, line in layout.data_sets().items()
        if line.group == "instruments"
    }
    return {**values, "tracked/percentiles": np.full((2, 5), step / 4)}


def finish(writer: RunWriter, step: int, dtype: str = "float32", status: str = "finished") -> None:
    """Final checkpoint and end."""
    state = {"optimizer_state": np.arange(4.0), "counters": np.array([step, 3])}
    writer.checkpoint(step, parameters_at(step, dtype), state)
    final = {
        "train_loss": 0.25,
        "steps_done": step,
        "stop_reason": "",
        "test_confusion": np.array([[3, 1], [0, 2]]),
    }
    predictions = {
        "val_outputs": np.eye(3),
        "val_targets": np.array([0, 1, 1]),
        "test_outputs": np.zeros((0, 3)),
    }
    writer.end(status, final, predictions)


def write(
    path: Path | None,
    steps: int = 700,
    block: int = 64,
    dtype: str = "float32",
    force: bool = False,
    **config: Any,
) -> RunWriter:
    """A whole run, not yet packed: rows, evaluations every 200 steps, end."""
    writer = RunWriter.create(path, description(dtype, **config), force)
    for start in range(0, steps, 200):
        evaluate(writer, start)
        writer.instruments(start, measured_at(start))
        write_rows(writer, start, min(start + 200, steps), block, dtype)
    finish(writer, steps, dtype)
    return writer
