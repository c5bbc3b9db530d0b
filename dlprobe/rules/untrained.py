"""Judging a configuration before it is trained: runs of one step at rate 0, one for each of several
initialization seeds, taken together.

A rule that looks at the start of a run says the same of a run that has nothing but its start. What
it says of most seeds is said of the configuration, in the words of the seed in the middle, with the
spread over the seeds. Its severity is that of a prediction: of a short run such things are
mentioned in passing, of a configuration it is asked whether it can learn at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.learning.states import State
from dlprobe.analysis.profiles.decomposition import FactorDecomposition, decompose, geometric_mean
from dlprobe.analysis.profiles.depth_limits import breaking_depth
from dlprobe.analysis.profiles.depth_profiles import log10_ratio
from dlprobe.analysis.profiles.run_profile import activations_of, initial_net, widths
from dlprobe.dataclass import dataclass
from dlprobe.rules.judging import Judgement, all_rules
from dlprobe.rules.outcome import Finding, Severity, in_order
from dlprobe.runs import Run

START = (
    "A002",
    "A003",
    "A004",
    "A006",
    "D001",
    "D003",
    "D004",
    "D005",
    "D006",
    "D007",
    "D008",
    "D009",
    "G001",
    "G002",
    "G005",
    "L005",
    "L006",
    "N001",
    "N002",
    "W001",
    "W002",
)
"""Codes of the rules that can tell from a run's start what will come of it; the others need the
course of a training.
"""
OF_DATA = ("D001", "D003", "D004", "D005", "D006", "D007", "D008", "D009", "L006")
"""Those that say the same of every seed: they are asked once."""
NEEDS_TRAINING = "needs training: a configuration has none yet"
MOST = 0.5  # share of the seeds that must agree
SURE = 3.0  # decades: an optimizer with a rate for every weight makes up for one or two
HOPELESS = 100.0  # first loss over that of guessing: tens are forgotten in the first epoch


@dataclass(frozen=True)
class Range:
    """A number over the seeds: the smallest, the middle and the largest; NaN where no seed has
    it.
    """

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Range:
        """Over the values that are not NaN; infinite ones count."""
        known = [value for value in values if not math.isnan(value)]
        if known:
            return cls(min(known), median(known), max(known))
        return cls(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Start:
    """A net before its first update, over several initialization seeds.

    error_signal: log10 of the RMS of hidden_1 over that of hidden_n, NaN for fewer than two hidden
        layers. slope, weight, rest: factors by which a layer changes the mean square on its way
        back, geometric means over layers and seeds; rest: normalization and correlations.
        trainable: greatest depth at which theory has the error signal inside the band, infinite
        where it never leaves it at this depth, NaN where theory does not apply.
    """

    seeds: tuple[int, ...]
    layers: tuple[str, ...]
    error_signal: Range
    slope: float
    weight: float
    rest: float
    trainable: float

    @property
    def change(self) -> float:
        """Factor per layer for the mean square of the error signal on its way back: 10^(2r/(n −
        1)), r the median of `error_signal`, n the number of hidden layers; NaN for fewer than two.
        """
        if len(self.layers) > 1:
            return 10 ** (2 * self.error_signal.median / (len(self.layers) - 1))
        return math.nan

    def to_json(self) -> dict[str, object]:
        """The judgement as data."""
        ratio = {
            "low": self.error_signal.low,
            "median": self.error_signal.median,
            "high": self.error_signal.high,
        }
        factors = {
            "change_per_layer": self.change,
            "slope_factor": self.slope,
            "weight_factor": self.weight,
            "other_factor": self.rest,
        }
        return {
            "seeds": list(self.seeds),
            "log10_error_signal_ratio": ratio,
            **factors,
            "trainable_depth": self.trainable,
        }


def start_of(runs: Sequence[Run]) -> Start:
    """What the first steps of some runs of one configuration show. Raises ValueError without a
    run, RunFileError where one is damaged.
    """
    if not runs:
        raise ValueError("expected a run")
    first = runs[0]
    specs = activations_of(first)
    names = tuple(str(first.layers.names[index]) for index in first.hidden_layers)
    ratios = [
        log10_ratio(run.row(0).hidden["error_signal_rms"]) if len(names) > 1 else math.nan
        for run in runs
    ]
    pieces = [_factors(run) for run in runs]
    slope, weight, rest = (
        _mean([getattr(piece, name) for piece in pieces])
        for name in ("slope", "weight", "remainder")
    )
    norm = _mean([piece.normalization for piece in pieces])
    net = initial_net(first, specs)
    breaks = None if net is None else breaking_depth(net)
    trainable = math.nan if net is None else math.inf if breaks is None else float(breaks - 1)
    return Start(
        tuple(-1 if run.configuration is None else run.configuration.training.seed for run in runs),
        names,
        Range.of(ratios),
        slope,
        weight,
        rest * norm,
        trainable,
    )


def _factors(run: Run) -> FactorDecomposition:
    hidden, layers = run.row(0).hidden, [run.layer_facts[index] for index in run.hidden_layers]
    norm = bool(layers) and layers[0].norm_position == "before"
    variance = hidden["preactivation_variance"] if norm else None
    return decompose(
        hidden["error_signal_rms"],
        hidden["slope_mean_square"],
        hidden["weight_rms"],
        widths(layers),
        norm_variance=variance,
    )


def _mean(series: Sequence[npt.NDArray[np.float64]]) -> float:
    return geometric_mean(np.concatenate(series)) if series else math.nan


def together(judgements: Sequence[Judgement], waiting: Sequence[str] = ()) -> Judgement:
    """What the rules of START say of most of the seeds that they were asked of. waiting: codes of
    rules that need training.

    Raises ValueError without a judgement.
    """
    if not judgements:
        raise ValueError("expected a judgement")
    findings, passed, reasons = [], [], dict.fromkeys(waiting, NEEDS_TRAINING)
    for code in START:
        shared, looked, reason = _said(code, judgements)
        if looked and shared is not None:
            findings.append(shared)
        elif looked:
            passed.append(code)
        elif reason:
            reasons[code] = reason
    return Judgement(in_order(findings), tuple(passed), dict(sorted(reasons.items())))


def _said(code: str, judgements: Sequence[Judgement]) -> tuple[Finding | None, bool, str]:
    """The finding of the seed in the middle where most seeds have one, whether the rule could
    look at a seed, and else why not.
    """
    fired = [
        finding
        for judgement in judgements
        if (finding := next((one for one in judgement.findings if one.code == code), None))
        is not None
    ]
    looked = len(fired) + sum(code in judgement.passed for judgement in judgements)
    reason = next(
        (
            judgement.not_evaluated[code]
            for judgement in judgements
            if code in judgement.not_evaluated
        ),
        "",
    )
    if not fired or len(fired) < MOST * looked:
        return None, looked > 0, reason
    middle = sorted(fired, key=lambda finding: finding.measured)[(len(fired) - 1) // 2]
    if code not in OF_DATA:
        told = (
            f"{middle.evidence.partition('; so in ')[0]}; so in {len(fired)} of {len(judgements)} "
            "initialization seeds"
        )
        middle = replace(middle, evidence=told)
    return replace(middle, severity=predicted_severity(middle)), True, ""


def predicted_severity(finding: Finding) -> Severity:
    """How sure a finding at the start is to keep a net from learning: that of its rule, but for
    what optimizers make up for where it is small.
    """
    if finding.code in ("G001", "G002"):
        return "warning" if abs(finding.measured) < SURE else "error"
    if finding.code == "L005":
        return "info" if finding.measured < HOPELESS else "warning"
    return all_rules()[finding.code].severity


def state_before(start: Start, judgement: Judgement) -> State:
    """What can be said of the configuration before it trains, the worst first."""
    return State("before training", prediction(start, judgement))


def prediction(start: Start, judgement: Judgement) -> str:
    """The judgement as a sentence: `will vanish at hidden_1: 10⁻¹² …`."""
    worst = next((finding for finding in judgement.findings if finding.severity != "info"), None)
    ratio, span = start.error_signal, _span(start)
    if worst is None:
        compared = (
            (
                f"; {start.layers[0]} gets {power(ratio.median)} times the error signal of "
                f"{start.layers[-1]} ({span})"
            )
            if span
            else ""
        )
        return f"nothing in the way{compared}"
    side = {"G001": -1.0, "G002": 1.0}.get(worst.code, math.nan)
    # a profile of zeros, and a norm that is not finite, have no ratio
    if ratio.median * side > 0.0:
        verb = (
            f"{'will' if worst.severity == 'error' else 'may'} "
            f"{'vanish' if worst.code == 'G001' else 'explode'}"
        )
        depth = (
            f"; trainable depth here about {start.trainable:.0f}"
            if start.trainable < len(start.layers)
            else ""
        )
        return (
            f"{verb} at {start.layers[0]}: {power(ratio.median)} of the error signal of "
            f"{start.layers[-1]} ({span}){depth}"
        )
    return worst.evidence


def _span(start: Start) -> str:
    """How far the seeds differ, in words; empty where no error signals can be compared."""
    low, high = (power(value) for value in (start.error_signal.low, start.error_signal.high))
    count = f"{len(start.seeds)} seeds"
    if math.isnan(start.error_signal.median):
        return ""
    if low != high:
        return f"{low} … {high} over {count}"
    return f"in all of {count}"


def power(exponent: float) -> str:
    """10 to an exponent, as people write it.

    >>> [power(each) for each in (-12.3, 0.0, -0.3, 2.6, float("-inf"))]
    ['10⁻¹²', '1', '0.50', '398', 'exactly 0']
    """
    if not math.isfinite(exponent):
        return "exactly 0" if exponent < 0 else "∞"
    if -2.0 < exponent < 3.0:
        value = 10**exponent
        if value >= 10:
            return f"{value:.0f}"
        if abs(value - 1) < 0.05:
            return "1"
        if value >= 1:
            return f"{value:.2g}"
        return f"{value:.2f}"
    return "10" + str(round(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
