"""Runs that another program trained: a plain NumPy net with its own backward pass, and only
what a recorder in another framework would know of it.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dlprobe.api import LayerFacts, RunDescription, RunWriter, create_run

STATISTICS = (
    *("activation_mean", "activation_variance", "activation_sample_variance"),
    *("preactivation_mean", "preactivation_variance", "preactivation_mean_square"),
    *("error_signal_rms", "gradient_rms", "gradient_l2", "weight_rms", "weight_l2"),
)
Arrays = list[np.ndarray[Any, Any]]


def description(hidden: int, **changes: Any) -> RunDescription:
    """Layer names and nothing else of the net, eleven statistics and the loss."""
    layers = [LayerFacts(f"encoder.{k}") for k in range(hidden)] + [LayerFacts("head")]
    return RunDescription(
        layers,
        **{"origin": "torch", "statistics": STATISTICS, "scalars": ("batch_loss",), **changes},
    )


def write(
    path: Path, kind: str, steps: int = 120, status: str = "finished", **changes: Any
) -> Path:
    """A run of a net of 24 units per layer on three blobs of 8 features: `vanishing` (ten
    sigmoid layers) or `healthy` (three ReLU layers).
    """
    sigmoid = kind == "vanishing"
    hidden, rate = (10, 0.05) if sigmoid else (3, 0.1)
    random = np.random.default_rng(3)
    centres = random.normal(size=(3, 8)) * 2
    sizes = [8, *[24] * hidden, 3]
    weights = [
        random.normal(size=pair) * np.sqrt((1.0 if sigmoid else 2.0) / pair[0])
        for pair in pairwise(sizes)
    ]
    with create_run(path, description(hidden, **changes), force=True) as writer:
        for step in range(steps):
            classes = random.integers(0, 3, 32)
            one_step(
                writer,
                step,
                weights,
                centres[classes] + random.normal(size=(32, 8)),
                np.eye(3)[classes],
                rate,
                sigmoid,
            )
        return writer.finish(status)


def one_step(
    writer: RunWriter,
    step: int,
    weights: Arrays,
    x: np.ndarray[Any, Any],
    targets: np.ndarray[Any, Any],
    rate: float,
    sigmoid: bool,
) -> None:
    """Forward, backward, record, update: softmax and cross-entropy, plain gradient descent, no
    biases.
    """
    inputs, z, a = [], [], [x]
    for k, w in enumerate(weights):
        inputs.append(a[-1])
        z.append(a[-1] @ w)
        a.append(
            z[-1]
            if k == len(weights) - 1
            else 1 / (1 + np.exp(-z[-1]))
            if sigmoid
            else np.maximum(z[-1], 0)
        )
    shares = np.exp(a[-1] - a[-1].max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    loss = -np.log(shares[targets == 1]).mean()
    signal = [(shares - targets) / len(x)]
    for k in range(len(weights) - 1, 0, -1):
        slope = a[k] * (1 - a[k]) if sigmoid else z[k - 1] > 0
        signal.insert(0, signal[0] @ weights[k].T * slope)
    gradients = [given.T @ delta for given, delta in zip(inputs, signal, strict=True)]
    writer.step(
        step, statistics_of(z, a[1:], signal, gradients, weights), {"batch_loss": float(loss)}
    )
    for w, gradient in zip(weights, gradients, strict=True):
        w -= rate * gradient


def statistics_of(
    z: Arrays, a: Arrays, signal: Arrays, gradients: Arrays, weights: Arrays
) -> dict[str, list[float]]:
    """The eleven statistics by their definitions."""
    measures = {
        "activation_mean": (a, np.mean),
        "activation_variance": (a, np.var),
        "activation_sample_variance": (a, lambda v: v.var(axis=0).mean()),
        "preactivation_mean": (z, np.mean),
        "preactivation_variance": (z, np.var),
        "preactivation_mean_square": (z, lambda v: np.mean(v**2)),
        "error_signal_rms": (signal, lambda v: len(v) * np.sqrt(np.mean(v**2))),
        "gradient_rms": (gradients, lambda v: np.sqrt(np.mean(v**2))),
        "gradient_l2": (gradients, np.linalg.norm),
        "weight_rms": (weights, lambda v: np.sqrt(np.mean(v**2))),
        "weight_l2": (weights, np.linalg.norm),
    }
    return {
        name: [float(measure(each)) for each in arrays]
        for name, (arrays, measure) in measures.items()
    }  # type: ignore[no-untyped-call, operator]


def hostile(path: Path, text: str) -> Path:
    """A run whose texts, each layer's name among them, are `text`."""
    layers = [LayerFacts(f"{text}{k}", 24, None, 24, text, text) for k in range(3)]
    names = {
        "statistics": ("error_signal_rms", "gradient_rms", "activation_variance"),
        "scalars": ("batch_loss",),
    }
    data = {"name": text, "class_names": [text, "b"]}
    with create_run(
        path,
        RunDescription(layers, "torch", data=data, environment={"note": text, text: text}, **names),
        force=True,
    ) as writer:
        for step in range(120):
            writer.step(
                step,
                {name: [1e-3, 1e-2, 0.1] for name in names["statistics"]},
                {"batch_loss": 1.0 / (1 + step)},
            )
        return writer.finish()
