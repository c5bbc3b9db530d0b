"""Short ways to make the specs, nets and data that tests of the engine need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe import registry
from dlprobe.nn.layers import LayerSpec
from dlprobe.nn.network import Network
from dlprobe.registry import Spec

Array = npt.NDArray[Any]
NORMS = (
    None,
    *((name, after) for name in registry.records("normalization") for after in (False, True)),
)  # (name, behind the activation?)
DTYPES = ("float32", "float64")


def spec(kind: str, name: str, **parameters: Any) -> Spec:
    """A spec with the record's defaults, except where `parameters` says otherwise."""
    defaults = {
        parameter.name: parameter.default for parameter in registry.get(kind, name).parameters
    }
    return Spec(kind, name, {**defaults, **parameters})


def norm_spec(name: str, units: int, **parameters: Any) -> Spec:
    """A normalization that suits a width: groups, where there are any, of three units or more
    (two are always normalized to ±1).
    """
    chosen = spec("normalization", name, **parameters)
    if "groups" in chosen.parameters and "groups" not in parameters:
        groups = max(
            g
            for g in range(1, int(chosen.parameters["groups"]) + 1)
            if units % g == 0 and (units >= 3 * g or g == 1)
        )
        chosen = spec("normalization", name, **{**parameters, "groups": groups})
    return chosen


def layers(
    sizes: Sequence[int],
    activation: Any = "tanh",
    output: str = "linear",
    initializer: Any = "glorot_normal",
    norm: tuple[str, bool] | None = None,
    bias: bool = True,
) -> list[LayerSpec]:
    """A chain of dense layers; the output layer has its own activation and no norm. Names or
    specs.
    """
    last = len(sizes) - 2
    hidden = activation if isinstance(activation, Spec) else spec("activation", activation)
    start = initializer if isinstance(initializer, Spec) else spec("initializer", initializer)
    return [
        LayerSpec(
            sizes[k] if k == 0 else hidden.record.width(sizes[k]),
            sizes[k + 1],
            spec("activation", output) if k == last else hidden,
            start,
            norm=norm_spec(norm[0], hidden.record.width(sizes[k + 1]) if norm[1] else sizes[k + 1])
            if norm and k < last
            else None,
            norm_after=bool(norm and norm[1]),
            bias=bias,
        )
        for k in range(last + 1)
    ]


def network(
    sizes: Sequence[int],
    *,
    loss: Any = "mse",
    optimizer: Any = "sgd",
    batch: int = 8,
    seed: int = 0,
    dtype: str = "float64",
    keep_gradients: bool = False,
    **parts: Any,
) -> Network:
    """A net of `layers(sizes, **parts)`."""
    chosen = optimizer if isinstance(optimizer, Spec) else spec("optimizer", optimizer)
    cost = loss if isinstance(loss, Spec) else spec("loss", loss)
    return Network(
        layers(sizes, **parts),
        cost,
        chosen,
        batch=batch,
        seed=seed,
        dtype=dtype,
        keep_gradients=keep_gradients,
    )


def jitter(net: Network, seed: int = 0, size: float = 0.3) -> Network:
    """Move every parameter off its initial value, so that biases, scales and shifts are not the
    special numbers 0 and 1.
    """
    net.parameters[:] += (
        size * np.random.default_rng(seed).standard_normal(len(net.parameters))
    ).astype(net.dtype)
    return net


def targets_for(
    loss: str, samples: int, outputs: int, seed: int = 0, dtype: str = "float64"
) -> Array:
    """Targets a loss can take: one-hot rows for classes, zeros and ones (signs where it takes
    signs) for independent outputs, numbers for the others.
    """
    rng, record = np.random.default_rng((seed, 1)), registry.get("loss", loss)
    if record.independent:
        hits = rng.integers(0, 2, (samples, outputs)).astype(dtype)
        return hits * 2 - 1 if record.signed else hits
    if "regression" not in record.tasks:
        return np.eye(outputs, dtype=dtype)[rng.integers(0, outputs, samples)]
    return rng.standard_normal((samples, outputs)).astype(dtype)


def data_for(net: Network, samples: int, seed: int = 0) -> tuple[Array, Array]:
    """Normal inputs (samples, features) and targets (samples, outputs) that suit the net's loss."""
    inputs = (
        np.random.default_rng(seed)
        .standard_normal((samples, net.layers[0].fan_in))
        .astype(net.dtype)
    )
    return inputs, targets_for(net.loss.name, samples, net.layers[-1].units, seed, net.dtype.name)


def gradient_of(net: Network, inputs: Array, targets: Array) -> Array:
    """dL/d parameters, flat, of one step that moves nothing (rate 0); the net must keep its
    gradients.
    """
    net.train(inputs, targets, 0, np.zeros(1))
    return net.gradients.copy()
