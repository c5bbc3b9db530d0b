"""Initializers: one record each, in the modules of this folder.

`weights(rng, fan_in, fan_out, *parameters)` draws a matrix (fan_in, fan_out) in float64;
`variance(fan_in, fan_out, *parameters)` is what theory uses: the mean square of independent weights
around 0, NaN where they are not that or no formula tells it.
`biases(rng, fan_in, fan_out, *parameters)` is given only where the initializer is defined to draw
them; otherwise they start at 0.
`data_dependent` initializers are finished by the engine on a first batch; `from_file` ones take
their arrays from the file at `path`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, registrar

Matrix = npt.NDArray[np.float64]
Draw = Callable[..., Matrix]


@dataclass(frozen=True)
class Initializer:
    """What is known of an initializer. `variance` and `bias_variance` are those of one weight
    and one bias parameter; `also_called`: elsewhere.
    """

    name: str
    summary: str
    formula: str
    weights: Draw
    variance: Callable[..., float]
    source: str
    biases: Draw | None = None
    bias_variance: Callable[..., float] = lambda *_: 0.0
    data_dependent: bool = False
    from_file: bool = False
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""
    also_called: tuple[str, ...] = ()


add_initializer = registrar("initializer", Initializer)


# std of a standard normal cut at ±2; drawing at σ/this and cutting at 2 of that gives std σ
# (Keras's VarianceScaling)
TRUNCATED_STD = 0.8796256610342398


def draw_normal(rng: np.random.Generator, shape: tuple[int, ...], std: float) -> Matrix:
    drawn = rng.standard_normal(shape)
    drawn *= std  # in place: a large matrix is drawn in twice the memory of its float32
    return drawn


def draw_uniform(rng: np.random.Generator, shape: tuple[int, ...], bound: float) -> Matrix:
    return rng.uniform(-bound, bound, shape)


def draw_truncated(rng: np.random.Generator, shape: tuple[int, ...], std: float) -> Matrix:
    """Normal numbers cut at two deviations, by drawing again what falls outside."""
    drawn = rng.standard_normal(shape)
    while (outside := np.abs(drawn) > 2.0).any():
        drawn[outside] = rng.standard_normal(int(outside.sum()))
    return drawn * (std / TRUNCATED_STD)
