"""The slope of an activation at every preactivation of an array, from the activation's own
record.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.config import parse_spec
from dlprobe.errors import ConfigError
from dlprobe.registry import Spec

Array: TypeAlias = npt.NDArray[Any]

# The commonest slopes for whole arrays; the records' own functions take one number at a time. Tests
# hold each beside its record.
FAST: dict[str, Callable[..., Array]] = {
    "linear": lambda z, a: np.ones_like(a),
    "relu": lambda z, a: (a > 0).astype(a.dtype),
    "leaky_relu": lambda z, a, slope: np.where(z > 0, 1.0, slope),
    "sigmoid": lambda z, a: a * (1.0 - a),
    "tanh": lambda z, a: 1.0 - a * a,
}


@cache
def elementwise(activation: str | None) -> Spec | None:
    """The activation, where each unit has a slope of its own; None of another one, and where it
    is not known.
    """
    try:
        spec = parse_spec("activation", activation or "")
    except ConfigError:
        return None
    return spec if hasattr(spec.record, "slope") else None


def slopes_of(spec: Spec, z: Array, a: Array) -> Array:
    """φ'(z), of the shape of z and a = φ(z)."""
    z, a = np.asarray(z, np.float64), np.asarray(a, np.float64)
    numbers = spec.record.numbers(*spec.parameters.values())
    if spec.name in FAST:
        return FAST[spec.name](z, a, *numbers)
    return np.array(
        [
            spec.record.slope(*pair, *numbers)
            for pair in zip(z.ravel().tolist(), a.ravel().tolist(), strict=True)
        ]
    ).reshape(z.shape)


@cache
def flat_below(activation: str | None) -> float:
    """The |slope| below which an element counts as flat; NaN where the activation is not known
    or has no slope of its own.
    """
    spec = elementwise(activation)
    return math.nan if spec is None else float(spec.record.flat_below(*spec.parameters.values()))
