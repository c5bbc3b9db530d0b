"""What a run file says of a run before its first step: configuration, layers, data, initial
parameters, environment.
"""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from dlprobe.config import to_mapping
from dlprobe.data import PreparedData, Scaler
from dlprobe.data.scaling import target_moments
from dlprobe.nn.layers import LayerSpec
from dlprobe.record.description import LayerFacts, RunDescription, layer_facts
from dlprobe.training.session import Session

LIBRARIES = ("dlprobe", "numpy", "scipy", "numba", "llvmlite", "h5py")


def describe(session: Session) -> RunDescription:
    """The description of a run that is about to start."""
    return RunDescription(
        config=to_mapping(session.config),
        layers=describe_layers(session),
        data=describe_data(session.data) | describe_targets(session.data, session.target_scaler),
        initial_parameters=session.initial,
        environment=environment(session.network.threads),
        tracked=session.watch.described(),
    )


def describe_layers(session: Session) -> tuple[LayerFacts, ...]:
    """The layer table: what each layer is made of and where its numbers stand."""
    layers = session.model.layers
    columns = {
        "name": list(session.model.names),
        "fan_in": [layer.fan_in for layer in layers],
        "fan_out": [layer.fan_out for layer in layers],
        "units": [layer.units for layer in layers],
        "activation": [str(layer.activation) for layer in layers],
        "initializer": [str(layer.initializer) if layer.matrix else "" for layer in layers],
        "bias_initializer": [bias_initializer(layer) for layer in layers],
        "normalization": [str(layer.norm) if layer.norm else "none" for layer in layers],
        "norm_position": [
            ("after" if layer.norm_after else "before") if layer.norm else "" for layer in layers
        ],
        "residual": [str(layer.residual) if layer.residual else "none" for layer in layers],
        "parameter_count": session.network.parameter_counts(),
        **session.network.offsets(),
    }
    return layer_facts(columns)


def bias_initializer(layer: LayerSpec) -> str:
    """The name of what draws the bias parameters; empty without bias."""
    if not layer.bias:
        return ""
    if layer.bias_initializer is not None:
        return str(layer.bias_initializer)
    return str(layer.initializer) if layer.initializer.record.biases is not None else "zeros"


def describe_data(data: PreparedData) -> dict[str, Any]:
    """What rules, resuming and reading a file again need of the data."""
    facts: dict[str, Any] = {
        "name": data.name,
        "source": data.source,
        "licence": data.licence,
        "task": data.task,
        "notes": list(data.notes),
        "fingerprint": data.fingerprint,
        "feature_names": list(data.feature_names),
        "class_names": list(data.class_names),
        "scaler": data.scaler.kind,
        "scaler_shift": data.scaler.shift,
        "scaler_scale": data.scaler.scale,
        "feature_min": data.feature_min,
        "feature_max": data.feature_max,
        "feature_mean": data.feature_mean,
        "feature_std": data.feature_std,
        "feature_spread": data.feature_spread,
        "input_mean": data.input_mean,
        "input_mean_square": data.input_mean_square,
    }
    facts |= {f"{part}_indices": rows for part, rows in data.indices.items()}
    facts |= {
        f"{part}_class_counts": counts for part, counts in data.class_counts.items() if len(counts)
    }
    facts |= data.repeats.described()
    spoiled = {
        "noisy_labels": data.noisy_labels,
        "label_noise_std": data.label_noise_std,
        "outlier_rows": data.outlier_rows,
        "feature_fill": data.feature_fill,
    }
    facts |= {name: values for name, values in spoiled.items() if len(values)}
    if data.noise_variance is not None:
        facts["noise_variance"] = data.noise_variance
    return {
        key: value for key, value in facts.items() if not (isinstance(value, list) and not value)
    }


def describe_targets(data: PreparedData, scaler: Scaler | None) -> dict[str, Any]:
    """What the targets of a regression are called and how they are scaled, which leads from
    losses and outputs back to them.
    """
    if scaler is None:
        return {}
    targets = data.targets["train"].reshape(-1, data.outputs).astype(np.float64)
    scaling = {
        "target_scaler": scaler.kind,
        "target_shift": scaler.shift,
        "target_scale": scaler.scale,
    }
    return {"target_names": list(data.target_names), **target_moments(targets), **scaling}


def environment(threads: int = 1) -> dict[str, Any]:
    """Versions, machine and command line; kept apart from what content hashes cover."""
    facts: dict[str, Any] = {f"version_{name}": _version(name) for name in LIBRARIES}
    return {
        **facts,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 0,
        "threads": threads,
        # set, it changes the order of sums in matrix products, and so the content hash
        "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE", ""),
        "command_line": " ".join(["dlprobe", *sys.argv[1:]]),
    }


@cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
