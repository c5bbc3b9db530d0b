"""Batch norms in evaluation: the statistics of a whole part of the data beside the running ones
that training left, and evaluation by the former.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.nn import program
from dlprobe.nn.network import Network

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RunningNorm:
    """A normalization that evaluates by running statistics: its layer, ε, and its memory in the
    net. mean, variance: (units,), writable views.
    """

    layer: int
    epsilon: float
    mean: Array
    variance: Array
    block: int

    @property
    def units(self) -> int:
        return len(self.mean)


@dataclass(frozen=True)
class Mismatch:
    """Per layer (layer,), NaN where no norm has running statistics, how far these are from those of
    the data seen in evaluation mode.

    mean: root mean square over units of (μ − μ_running)/√(σ²_running + ε). variance_ratio:
        geometric mean over units of (σ² + ε)/(σ²_running + ε).
    """

    mean: Floats
    variance_ratio: Floats


def running_norms(network: Network) -> list[RunningNorm]:
    """The norms with running statistics, input side first."""
    norms = []
    for index, layer in enumerate(network.layers):
        if layer.norm is None or not layer.norm.record.persistent(1):
            continue
        row = network.program.operations_of(index, program.NORMALIZATION)[0]
        start, units = int(row[program.STATE]), int(row[program.WIDTH_OUT])
        state = network._net.state[start : start + 2 * units]
        norms.append(
            RunningNorm(
                index,
                float(layer.norm.parameters["epsilon"]),
                state[:units],
                state[units:],
                int(row[program.X]),
            )
        )
    return norms


def measure(
    network: Network, norms: list[RunningNorm], inputs: Array, targets: Array
) -> list[tuple[Floats, Floats]]:
    """Mean and variance (over n) of what each norm is given, (units,) each, over all samples in
    evaluation mode: one pass.

    Sums are of deviations from the running mean, in float64.
    """
    sums = [(np.zeros(norm.units), np.zeros(norm.units)) for norm in norms]
    for start in range(0, len(inputs), network.rows):
        rows = len(inputs[start : start + network.rows])
        network.evaluate(inputs[start : start + rows], targets[start : start + rows])
        for norm, (total, square) in zip(norms, sums, strict=True):
            x = network._net.blocks[norm.block : norm.block + rows * norm.units].reshape(
                rows, norm.units
            )
            deviation = x.astype(np.float64) - norm.mean
            total += deviation.sum(axis=0)
            square += (deviation * deviation).sum(axis=0)
    n = len(inputs)
    return [
        (norm.mean + total / n, np.maximum(square / n - (total / n) ** 2, 0.0))
        for norm, (total, square) in zip(norms, sums, strict=True)
    ]


def running_mismatch(network: Network, inputs: Array, targets: Array) -> Mismatch | None:
    """How far the running statistics are from those of these samples in evaluation mode, at the
    cost of one pass; None without such norms or samples.
    """
    norms = running_norms(network)
    if not norms or not len(inputs):
        return None
    found = nothing_known(network)
    with np.errstate(all="ignore"):  # a net that diverged has NaN to compare
        for norm, (mean, variance) in zip(
            norms, measure(network, norms, inputs, targets), strict=True
        ):
            note(found, norm, mean, variance)
    return found


@contextmanager
def evaluating_by_data(
    network: Network, inputs: Array, targets: Array
) -> Iterator[Mismatch | None]:
    """Inside, the net evaluates by the statistics of `inputs` in place of the running ones; yields
    how far those were off, None without such norms.

    Norms are set layer after layer, each on the output of the already set ones, at the cost of one
    pass over `inputs` per norm. Afterwards the running statistics are what they were.
    """
    norms = running_norms(network)
    if not norms or not len(inputs):
        yield None
        return
    kept, found = network.snapshot(), nothing_known(network)
    with np.errstate(all="ignore"):
        for norm in norms:
            ((mean, variance),) = measure(network, [norm], inputs, targets)
            note(found, norm, mean, variance)
            norm.mean[:], norm.variance[:] = mean, variance
    try:
        yield found
    finally:
        network.restore(kept)


def nothing_known(network: Network) -> Mismatch:
    return Mismatch(np.full(len(network.layers), np.nan), np.full(len(network.layers), np.nan))


def note(mismatch: Mismatch, norm: RunningNorm, mean: Floats, variance: Floats) -> None:
    """Enter one norm's layer, from the data's mean and variance and the running ones that it
    holds.
    """
    running = norm.variance.astype(np.float64) + norm.epsilon
    mismatch.mean[norm.layer] = np.sqrt(np.mean((mean - norm.mean) ** 2 / running))
    mismatch.variance_ratio[norm.layer] = np.exp(
        np.mean(np.log((variance + norm.epsilon) / running))
    )
