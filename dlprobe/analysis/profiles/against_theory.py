"""A measured run beside what theory predicts of it: by how many standard deviations each layer
is off, and where the band is left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.theory.initial_net import InitialNet
from dlprobe.analysis.theory.mean_field import DEVIATIONS, Prediction
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.runs import Run

Floats: TypeAlias = npt.NDArray[np.float64]
QUANTITIES = ("activation_mean_square", "error_signal_rms_relative")
# an activation variance that is not defined (a batch of one) is said to be missing
NEEDED = ("preactivation_mean_square", "error_signal_rms")


@dataclass(frozen=True)
class TheoryDeviations:
    """One recorded step of a run beside theory, each array (hidden layers,).

    deviations: for each of QUANTITIES, by how many standard deviations of the finite-width law the
        layer is off: NaN where that is not defined or nothing was recorded (E a² of a batch of
        one), infinite where what was measured is not finite.
    """

    step: int
    names: tuple[str, ...]
    q: Floats
    activation_mean_square: Floats
    activation_variance: Floats
    error_signal_rms_relative: Floats
    deviations: dict[str, Floats]

    @property
    def outside(self) -> list[tuple[str, str, float]]:
        """(quantity, layer name, deviation) of every layer that is off by more than DEVIATIONS (4)
        standard deviations, activations first.
        """
        layers = []
        for quantity in QUANTITIES:
            for name, off in zip(self.names, self.deviations[quantity], strict=True):
                if abs(off) > DEVIATIONS:
                    layers.append((quantity, name, float(off)))
        return layers

    @property
    def compared(self) -> int:
        """How many deviations are not NaN, over all quantities."""
        return int(sum(np.sum(~np.isnan(off)) for off in self.deviations.values()))

    @property
    def left_at(self) -> list[tuple[str, str, float]]:
        """The entries of `outside` at which each quantity leaves its band first: for activations
        the one nearest the input, for error signals the one nearest the output.
        """
        exits = []
        for quantity in QUANTITIES:
            here = [place for place in self.outside if place[0] == quantity]
            exits += here[:1] if quantity == QUANTITIES[0] else here[-1:]
        return exits


def measured(
    run: Run, prediction: Prediction, units: Sequence[int], row: int = 0
) -> TheoryDeviations:
    """Compare a recorded row. Raises ConfigError where nothing was recorded or the run has
    another number of hidden layers.
    """
    names = tuple(run.layers.names[index] for index in run.hidden_layers)
    if not len(run.steps):
        raise ConfigError(
            "the run of --against has no recorded step: train at least one (--steps 1 --lr 0 "
            "records the state at initialization)"
        )
    if len(names) != len(units):
        raise ConfigError(
            f"the run of --against has {len(names)} hidden layers, the configuration "
            f"{len(units)}: leave out CONFIG and options to take the run's own"
        )

    missing = [name for name in NEEDED if not run.is_recorded(name)]
    if missing:
        raise ConfigError(
            f"the run of --against did not record {', '.join(missing)}: there is nothing to "
            "compare theory with"
        )
    column = run.row(row).hidden
    with np.errstate(all="ignore"):
        square = column["activation_variance"] + column["activation_mean"] ** 2
        signal = column["error_signal_rms"]
        relative = signal / signal[-1] if len(signal) else signal
    scores = dict(zip(QUANTITIES, deviations(prediction, square, relative), strict=True))
    lost = (~np.isfinite(column["preactivation_mean_square"]), ~np.isfinite(signal))
    for quantity, where in zip(QUANTITIES, lost, strict=True):
        scores[quantity][where & prediction.applicable] = math.inf
    return TheoryDeviations(
        int(run.steps[row]),
        names,
        column["preactivation_mean_square"],
        square,
        column["activation_variance"],
        relative,
        scores,
    )


def batch_mean_square(run: Run, net: InitialNet) -> float:
    """The mean square of the first batch's inputs, from hidden_1's preactivations and the run's own
    weights; `net`'s where it cannot be told.

    A batch is a sample: where features have heavy tails its mean square is off that of all data by
    more than the widest layers fluctuate.
    """
    if not len(run.steps) or not run.hidden_layers or "input" in run.layers.names or not net.units:
        return net.input_mean_square
    random = net.perturbations
    first, fan_in = run.row(0).hidden, run.layer_facts[run.hidden_layers[0]].fan_in
    if fan_in is None:
        return net.input_mean_square
    q, rms, biases = (
        first[name][0] for name in ("preactivation_mean_square", "weight_rms", "bias_rms")
    )
    weight = fan_in * (net.weight_variance[0] if net.transformed else rms**2) / random.weight_keep
    with np.errstate(all="ignore"):
        square = (
            float((q - np.nan_to_num(biases) ** 2) / weight - random.input_noise)
            * random.input_keep
        )
    return square if 0.0 < square < math.inf else net.input_mean_square


def deviations(prediction: Prediction, square: Floats, relative: Floats) -> tuple[Floats, Floats]:
    """Deviations of ln E a² and of ln δ_l²/δ_n² from theory, in standard deviations, each (hidden
    layers,); NaN where theory does not apply.

    square: measured E a². relative: measured RMS δ_l over RMS δ_n.
    """
    if not prediction.applicable:
        return np.full(len(square), math.nan), np.full(len(square), math.nan)
    forward = np.array(prediction.log_activation_variance)
    backward = np.array(prediction.log_error_variance)
    with np.errstate(all="ignore"):
        ahead = np.log(square / np.array(prediction.activation_mean_square)) + forward / 2
        back = 2 * np.log(relative / np.array(prediction.error_signal_rms_relative)) - np.array(
            prediction.log_error_shift
        )
        scores = [
            off / np.sqrt(np.where(variance > 0, variance, math.nan))
            for off, variance in ((ahead, forward), (back, backward))
        ]
    return scores[0], scores[1]
