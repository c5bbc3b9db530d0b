"""What the decay of an error signal is made of: slope factor × weight factor × the rest, layer
by layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.theory.mean_field import per_layer
from dlprobe.dataclass import dataclass

Floats: TypeAlias = npt.NDArray[np.float64]
NOTABLE = 0.1  # a remainder within 10 % of 1 per layer is not worth a word


@dataclass(frozen=True)
class FactorDecomposition:
    """The factors of a profile. Arrays are (n − 1,); entry l leads from hidden_{l+1} back to
    hidden_l; all are of mean squares, as χ is.

    backward: E δ_l²/E δ_{l+1}² = slope · weight · normalization · remainder. slope: mean square
        slope of layer l. weight: units_{l+1} · weight_rms_{l+1}².
    normalization: what dividing by a norm's deviation does (1 where no norm_variance was given).
        remainder: what else there is, mostly the correlation of slopes, weights and signal; a norm
        after the activation, whose divisor is not recorded, ends up here too.
    forward: activation variance of layer l + 1 over that of layer l. decay_factor, e_folding_depth:
        of the RMS, per layer (see `theory.per_layer`).
    sentence: the above in words, empty where there is nothing to say.
    """

    backward: Floats
    slope: Floats
    weight: Floats
    normalization: Floats
    remainder: Floats
    forward: Floats
    decay_factor: float
    e_folding_depth: float
    sentence: str


def decompose(
    error_signal_rms: npt.ArrayLike,
    slope_mean_square: npt.ArrayLike,
    weight_rms: npt.ArrayLike,
    units: Sequence[int],
    *,
    activation_variance: npt.ArrayLike | None = None,
    norm_variance: npt.ArrayLike | None = None,
) -> FactorDecomposition:
    """Split the backward ratio of every pair of hidden layers, from the recorded statistics of one
    step, each (n,), hidden_1 … hidden_n.

    norm_variance: (n,), the variance that a norm divides by (recorded preactivation_variance for a
        norm before the activation); None without norm.
    Ratios with a zero denominator are infinite, 0/0 is NaN. Raises ValueError where a series has
    not n entries.
    """
    signal = _series("error signals", error_signal_rms, units)
    slope = _series("mean square slopes", slope_mean_square, units)[:-1]
    weights = np.asarray(units, dtype=np.float64) * _series("weight RMS", weight_rms, units) ** 2
    spread = _series(
        "activation variances",
        np.full(len(units), np.nan) if activation_variance is None else activation_variance,
        units,
    )
    divided = _series(
        "norm variances", np.ones(len(units)) if norm_variance is None else norm_variance, units
    )
    normalization = _ratio(np.ones(len(divided)), divided)[:-1]
    with np.errstate(all="ignore"):
        # divide first: squares of a vanished signal underflow
        backward = _ratio(signal[:-1], signal[1:]) ** 2
    weight = weights[1:]
    with np.errstate(all="ignore"):
        remainder = _ratio(backward, slope * weight * normalization)
    forward = _ratio(spread[1:], spread[:-1])
    decay, depth = _decay(signal)
    sentence = _sentence(decay, slope, weight, normalization, remainder)
    return FactorDecomposition(
        backward, slope, weight, normalization, remainder, forward, decay, depth, sentence
    )


def _series(what: str, values: npt.ArrayLike, units: Sequence[int]) -> Floats:
    series = np.asarray(values, dtype=np.float64)
    if series.shape != (len(units),):
        raise ValueError(
            f"{what} have shape {series.shape}; expected one for each of {len(units)} hidden layers"
        )
    return series


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(all="ignore"):
        return np.asarray(above / below, dtype=np.float64)


def _decay(rms: Floats) -> tuple[float, float]:
    """Decay factor and e-folding depth of the whole profile, from its ends."""
    if len(rms) < 2:
        return 1.0, math.inf
    with np.errstate(all="ignore"):
        return per_layer(float(np.log10(rms[0]) - np.log10(rms[-1])), len(rms) - 1)


def geometric_mean(factors: Floats) -> float:
    """The geometric mean of factors ≥ 0; NaN entries are left out, any 0 makes it 0, NaN where
    nothing is left.

    >>> geometric_mean(np.array([1.0, 4.0]))
    2.0
    """
    kept = factors[~np.isnan(factors)]
    if not len(kept):
        return math.nan
    with np.errstate(all="ignore"):
        return float(np.exp(np.mean(np.log(kept))))


def median_factors(parts: Sequence[FactorDecomposition]) -> str:
    """The factors per layer over seeds, in words: geometric means over the layers of the
    medians over seeds; empty where there is nothing to say.
    """
    known = [
        part
        for part in parts
        if len(part.slope) and math.isfinite(part.decay_factor) and part.decay_factor > 0.0
    ]
    known = [part for part in known if len(part.slope) == len(known[0].slope)]
    if not known:
        return ""
    columns = [
        np.median([getattr(part, name) for part in known], axis=0)
        for name in ("slope", "weight", "normalization", "remainder")
    ]
    decay = math.exp(float(np.median([math.log(part.decay_factor) for part in known])))
    return _factors(decay, columns[0], columns[1], columns[2], columns[3])


def _sentence(
    decay: float, slope: Floats, weight: Floats, normalization: Floats, remainder: Floats
) -> str:
    """In words, with geometric means over the layers; the printed factors multiply to the
    printed change of the mean square.
    """
    told = _factors(decay, slope, weight, normalization, remainder)
    moves = (
        "keeps its size"
        if told and short(decay) == "1.0"
        else f"{'falls' if decay < 1.0 else 'grows'} ×{short(decay)}"
    )
    return f"error signal {moves} per layer towards the input: {told}" if told else ""


def _factors(
    decay: float, slope: Floats, weight: Floats, normalization: Floats, remainder: Floats
) -> str:
    """`mean square ×0.053 = slope factor 0.055 × weight factor 1.0`."""
    if not len(slope) or not math.isfinite(decay) or decay <= 0.0:
        return ""
    parts = [
        ("slope factor", geometric_mean(slope)),
        ("weight factor", geometric_mean(weight)),
        ("norm factor", geometric_mean(normalization)),
    ]
    rest = geometric_mean(remainder)
    if not (
        math.isfinite(rest) and all(math.isfinite(value) and value > 0.0 for _, value in parts)
    ):
        return ""
    told = [
        f"{name} {short(value)}"
        for name, value in parts
        if name != "norm factor" or (normalization != 1.0).any()
    ]
    if abs(rest - 1.0) > NOTABLE:
        told.append(f"remainder {short(rest)}")
    return f"mean square ×{short(decay**2)} = {' × '.join(told)}"


def short(value: float) -> str:
    """A number as people write it, two significant digits where that is enough.

    >>> [short(x) for x in (0.0471, 1.0, 1.034, 12.3, 480.0, 3.2e-7, 0.0)]
    ['0.047', '1.0', '1.03', '12', '480', '3.2e-7', '0']
    """
    if value == 0.0 or not math.isfinite(value):
        return f"{value:g}"
    size = abs(value)
    if not 1e-4 <= size < 99_999.5:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    if size >= 9.95:
        return f"{value:.0f}"
    # near 1 a second decimal, because a factor of 1.03 per layer doubles in 23
    if 0.9 <= size < 1.1:
        return "1.0" if f"{value:.2f}" == "1.00" else f"{value:.2f}"
    return f"{value:.1f}" if size >= 1.0 else f"{value:.2g}"
