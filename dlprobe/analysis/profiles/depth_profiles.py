"""Depth profiles: the one verdict on a profile of error signals, and what the decay is made of.

A profile is a series over the hidden layers, hidden_1 (nearest the input) … hidden_n; the output
layer is not part of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.profiles.decomposition import FactorDecomposition, short
from dlprobe.analysis.theory.mean_field import DEVIATIONS, USUAL_KAPPA, log10_deviation
from dlprobe.dataclass import dataclass
from dlprobe.record.sizes import power_of_ten
from dlprobe.registry import counted, first_of

Floats: TypeAlias = npt.NDArray[np.float64]
Name: TypeAlias = Literal[
    "vanishing", "exploding", "level", "diverged", "collapsed", "not evaluated"
]

# From best to worst; a tie between seeds goes to the worse.
BROKEN: tuple[Name, ...] = ("collapsed", "vanishing", "exploding", "diverged")
VERDICTS: tuple[Name, ...] = ("not evaluated", "level", *BROKEN)
DECADES = 1.0


@dataclass(frozen=True)
class FlowVerdict:
    """The judgement of one profile, not of the net: one that learns nothing may have a level one.

    log10_ratio: r = log10 RMS δ_1/RMS δ_n, −inf and NaN legal; band: what |r| must exceed; reason:
        one sentence.
    """

    verdict: Name
    log10_ratio: float
    band: float
    reason: str


def classify(
    error_signal_rms: npt.ArrayLike,
    units: Sequence[int],
    kappas: Sequence[float] | float = USUAL_KAPPA,
    *,
    activation_sample_variance: npt.ArrayLike | None = None,
    activation_mean_square: npt.ArrayLike | None = None,
    output_error_signal_rms: float = math.nan,
    diverged: str = "",
    decomposition: FactorDecomposition | None = None,
    names: Sequence[str] | None = None,
) -> FlowVerdict:
    """Judge a depth profile of the error signal; every command and rule that says "vanishing" says
    it through this function.

    error_signal_rms: (n,), hidden_1 … hidden_n. units: (n,) widths. kappas: one number or (n,),
        `Moments.kappa` of each layer's activation at its predicted or measured q (NaN: 5).
        activation_sample_variance, activation_mean_square: (n,), for the collapse test.
        output_error_signal_rms: the output layer's error signal, needed only to judge a profile of
        zeros. diverged: where the run became non-finite ("step 12, hidden_3"), empty if it did not.
        decomposition: quoted in the reason. names: (n,), what the layers are called; None: hidden_1
        … hidden_n.
    Raises ValueError where lengths differ or an error signal is negative.

    With r = log10 RMS δ_1/RMS δ_n, s the standard deviation of r over random nets of the same
    depth, widths and activation that sit exactly between vanishing and exploding (χ = 1), s =
    √(Σ_{l<n} κ_l/N_l)/(2 ln 10), and **band = max(1, 4 s)**:

    * *diverged*: the run ended non-finite, or a number of the profile is NaN or infinite;
    * *not evaluated*: fewer than two hidden layers, or no error signal at hidden_n to compare with;
    * *vanishing*: **r < −band**; also where hidden_1 has exactly no error signal while hidden_n has
      (r = −∞), or no hidden layer has while the output has;
    * *exploding*: **r > band**;
    * *collapsed*: neither, and **½ log10(S_n/S_1) < −band** with S the between-sample variance of
      the activation as a share of its mean square, or S_1 or S_n is 0: hidden_n gives (nearly) the
      same output for every sample, so no gradient can tell samples apart. A share, because a net
      whose weights merely shrink the signal keeps the samples as far apart as they were, for its
      size;
    * *level*: all else.

    Why one decade: an optimizer has one rate for all layers, and a change of scale below ten is the
    most it absorbs. Why 4 s: a critical net shows that much by chance once in 16,000. It is the law
    of a single input; a batch of independent inputs fluctuates less, so the band errs towards
    level. Why the same band for S: its root is what the layers above see of the samples and it
    fluctuates by the same law. Six 100-unit nets of 50 and 100 layers (ReLU with layer norm, tanh,
    sigmoid) that fell below a decade were trained on digits for 20 epochs: none passed 20 %
    accuracy on its training data.
    """
    profile = _profile(error_signal_rms, units)
    names = [f"hidden_{index + 1}" for index in range(len(profile))] if names is None else names
    band = max(DECADES, DEVIATIONS * log10_deviation(_kappas(kappas, len(units)), units))
    ratio = _log10_ratio(profile)
    if reason := _divergence(profile, diverged, names):
        return FlowVerdict("diverged", math.nan, band, reason)
    if len(profile) < 2:
        return FlowVerdict(
            "not evaluated", ratio, band, "nothing to compare: fewer than two hidden layers"
        )
    verdict, reason = _compare(profile, ratio, band, output_error_signal_rms, names)
    if verdict not in BROKEN and (
        collapse := _collapse(activation_sample_variance, activation_mean_square, names, band)
    ):
        return FlowVerdict("collapsed", ratio, band, collapse)
    if decomposition is not None and verdict in BROKEN and decomposition.sentence:
        reason = f"{reason}; {decomposition.sentence}"
    return FlowVerdict(verdict, ratio, band, reason)


def log10_ratio(error_signal_rms: npt.ArrayLike) -> float:
    """r = log10 RMS δ_1/RMS δ_n of a profile (n,): −inf where only hidden_1 is 0, NaN where
    hidden_n is 0, not finite or missing.

    >>> log10_ratio([0.001, 0.01, 0.1])
    -2.0
    """
    return _log10_ratio(np.asarray(error_signal_rms, dtype=np.float64))


def _log10_ratio(profile: Floats) -> float:
    if not len(profile) or not np.isfinite(profile[[0, -1]]).all() or profile[-1] == 0.0:
        return math.nan
    return math.log10(profile[0]) - math.log10(profile[-1]) if profile[0] > 0.0 else -math.inf


def _profile(values: npt.ArrayLike, units: Sequence[int]) -> Floats:
    profile = np.asarray(values, dtype=np.float64)
    if profile.shape != (len(units),):
        raise ValueError(
            f"the profile has shape {profile.shape}; expected one error signal for each of "
            f"{len(units)} hidden layers"
        )
    if (profile < 0.0).any():
        raise ValueError(f"the profile holds {profile.min():g}; an RMS cannot be negative")
    return profile


def _kappas(kappas: Sequence[float] | float, depth: int) -> tuple[float, ...]:
    if isinstance(kappas, int | float):
        return (float(kappas),) * depth
    return tuple(float(kappa) for kappa in kappas)


def _divergence(profile: Floats, diverged: str, names: Sequence[str]) -> str:
    bad = np.flatnonzero(~np.isfinite(profile))
    if diverged:
        return f"the run became non-finite at {diverged}"
    if len(bad):
        # backward passes run towards the input, so an overflow starts at the layer nearest the
        # output
        return (
            f"the error signal is not finite in {_layers(bad, names)}; on the way back this "
            f"starts at {names[bad[-1]]}"
        )
    return ""


def _compare(
    profile: Floats, ratio: float, band: float, output: float, names: Sequence[str]
) -> tuple[Name, str]:
    """The inequalities on r, with exact zeros apart."""
    first, last = names[0], names[-1]
    zero = np.flatnonzero(profile == 0.0)
    if len(zero) == len(profile) and output > 0.0:
        return (
            "vanishing",
            (
                "the error signal is exactly zero in every hidden layer while the output layer "
                f"has {short(output)}"
            ),
        )
    if math.isnan(ratio):
        return (
            "not evaluated",
            f"the error signal of {last} is exactly zero: there is none to compare with",
        )
    if math.isinf(ratio):
        return (
            "vanishing",
            (
                f"the error signal is exactly zero in {_layers(zero, names)} while {last} has "
                f"{short(profile[-1])}"
            ),
        )
    size = f"the error signal of {first} is {_times(ratio)} × that of {last}"
    span = f"the band {_times(-band)} … {_times(band)}"
    if ratio < -band:
        return "vanishing", f"{size}, below {span}"
    if ratio > band:
        return "exploding", f"{size}, above {span}"
    return "level", f"{size}, within {span}"


def _times(exponent: float) -> str:
    """10^exponent as people read it: a plain number while it is one."""
    return short(10.0**exponent) if abs(exponent) < 4.0 else power_of_ten(exponent)


def _collapse(
    sample_variance: npt.ArrayLike | None,
    mean_square: npt.ArrayLike | None,
    names: Sequence[str],
    band: float,
) -> str:
    """Why hidden_n cannot tell samples apart; empty if it can, or where nothing finite was
    recorded (a batch of one).
    """
    if sample_variance is None:
        return ""
    depth = len(names)
    spread = np.asarray(sample_variance, dtype=np.float64)
    if spread.shape != (depth,):
        raise ValueError(
            f"the between-sample variances have shape {spread.shape}; expected one for each "
            f"of {depth} hidden layers"
        )
    size = np.ones(depth) if mean_square is None else np.asarray(mean_square, dtype=np.float64)
    if size.shape != (depth,):
        raise ValueError(
            f"the mean square activations have shape {size.shape}; expected one for each of "
            f"{depth} hidden layers"
        )
    if not np.isfinite([*spread[[0, -1]], *size[[0, -1]]]).all():
        return ""
    if spread[0] <= 0.0 or spread[-1] <= 0.0:
        return (
            "every sample has exactly the same activations in "
            f"{_layers(np.flatnonzero(spread <= 0.0), names)}"
        )
    fall = 0.5 * (
        math.log10(spread[-1]) - math.log10(size[-1]) - math.log10(spread[0]) + math.log10(size[0])
    )
    if fall >= -band:
        return ""
    return (
        f"samples differ {_times(fall)} × as much in {names[-1]} as in {names[0]} (root of the "
        f"between-sample variance's share), below {_times(-band)}"
    )


def _layers(indices: npt.NDArray[np.intp], names: Sequence[str]) -> str:
    """`hidden_1`, `hidden_1 … hidden_4`, or a list of up to four where they are not neighbours."""
    names = [names[index] for index in indices]
    if len(names) > 2 and indices[-1] - indices[0] == len(names) - 1:
        return f"{names[0]} … {names[-1]}"
    return first_of(names, 4)


def combine_seeds(verdicts: Sequence[FlowVerdict]) -> FlowVerdict:
    """One verdict for several seeds of a configuration: the most frequent, ties to the worse; r is
    the median of the seeds that share it.

    The reason is that of the seed nearest the median, preceded by "in 2 of 3 seeds: " where seeds
    disagree. Raises ValueError for no verdicts.
    """
    if not verdicts:
        raise ValueError("no verdicts to combine: expected one per seed")
    counts = {name: sum(verdict.verdict == name for verdict in verdicts) for name in VERDICTS}
    winner = max(VERDICTS, key=lambda name: (counts[name], VERDICTS.index(name)))
    agreeing = [verdict for verdict in verdicts if verdict.verdict == winner]
    agreeing.sort(key=lambda verdict: (math.isnan(verdict.log10_ratio), verdict.log10_ratio))
    middle = agreeing[(len(agreeing) - 1) // 2]
    share = (
        ""
        if len(agreeing) == len(verdicts)
        else f"in {len(agreeing)} of {counted(len(verdicts), 'seed')}: "
    )
    return FlowVerdict(
        winner,
        seed_range([verdict.log10_ratio for verdict in agreeing]).median,
        middle.band,
        share + middle.reason,
    )


@dataclass(frozen=True)
class SeedRange:
    """Median, smallest and largest over seeds; NaN seeds (diverged) are left out and counted in
    `missing`, −inf and inf are kept.
    """

    median: float
    low: float
    high: float
    missing: int = 0


def seed_range(values: npt.ArrayLike) -> SeedRange:
    """Median and range of one number over seeds (seeds,); all NaN where no seed has one.

    >>> seed_range([-2.0, float("-inf"), -1.0])
    SeedRange(median=-2.0, low=-inf, high=-1.0, missing=0)
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    kept = np.sort(numbers[~np.isnan(numbers)])
    missing = len(numbers) - len(kept)
    if not len(kept):
        return SeedRange(math.nan, math.nan, math.nan, missing)
    lower, upper = float(kept[(len(kept) - 1) // 2]), float(kept[len(kept) // 2])
    return SeedRange(
        lower if lower == upper else 0.5 * (lower + upper), float(kept[0]), float(kept[-1]), missing
    )


def seed_medians(profiles: npt.ArrayLike) -> Floats:
    """Median over seeds of each layer, (seeds, n) → (n,), in log space for an even number of
    seeds: an RMS spans decades. NaN seeds are left out.
    """
    table = np.asarray(profiles, dtype=np.float64)
    return np.array([_median_of_magnitudes(column) for column in table.T], dtype=np.float64)


def _median_of_magnitudes(column: Floats) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        median = seed_range(np.log10(column)).median
    return 10.0**median if median < 308.0 else median
