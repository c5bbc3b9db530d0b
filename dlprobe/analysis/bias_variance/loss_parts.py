"""Bias and variance of a learner over training sets, from the predictions of its replicas, for
three losses; the parts add up to the loss exactly.

Squared (Geman, Bienenstock & Doursat 1992): E(f − y)² = (E f − y)² + Var f, with the estimators
that are unbiased for K replicas.
0-1 (Domingos 2000): the main prediction is the mode; loss = bias + net variance, where variance
hurts where the mode is right and helps where it is wrong. Beside it Kohavi & Wolpert 1996, whose
variance ½(1 − Σ p²) is never negative.
Cross-entropy (Heskes 1998): the main prediction is proportional to exp(E ln p); loss = KL(y‖main) +
E KL(main‖p).

Intervals are of 95 % and conditional on the samples predicted: they say what other replicas would
have given on the same samples. Only where known noise was taken out of noisy targets do they count
that noise too, as normal and independent: of the truth at these samples no more is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.bias_variance import replica_bootstrap, replica_intervals
from dlprobe.analysis.bias_variance.replica_inputs import require_usable
from dlprobe.analysis.bias_variance.replica_laws import share_of_mean
from dlprobe.analysis.bias_variance.vote_intervals import vote_intervals
from dlprobe.dataclass import dataclass
from dlprobe.errors import DataError
from dlprobe.registry import unknown

Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.int64]
Interval: TypeAlias = tuple[float, float]

LOSSES = ("squared", "zero-one", "cross-entropy")
SMALLEST_PROBABILITY = 1e-7  # as the training losses clip
LARGEST_ELEMENTS = 2**27
SMALLEST_VARIANCE = 1e-14  # of the loss, or nats: below it is rounding


@dataclass(frozen=True)
class Decomposition:
    """A loss split into its parts: expected_loss = bias + net_variance + noise, up to rounding.

    bias, variance: squared: the unbiased estimates of bias² and variance (bias² may come out
        negative); zero-one: Domingos's; cross-entropy: Heskes's, corrected by the jackknife.
        net_variance is the variance, but for zero-one what it adds to the loss. noise: 0 where it
        was not told; it is in the bias then.
    plug_in: `bias` and `variance` without correction. kohavi_wolpert: its unbiased `bias` and
        `variance` (zero-one only). intervals: by name, 95 %; those of zero-one are corrected for
        modes that switch, which the estimates are not: with few replicas and many samples near a
        tie they may lie beside them (a note says so). What no interval can cover in 95 %: see
        `replica_intervals` and `vote_intervals`.
    """

    loss: str
    replicas: int
    samples: int
    expected_loss: float
    bias: float
    variance: float
    net_variance: float
    noise: float
    noise_known: bool
    intervals: Mapping[str, Interval]
    plug_in: Mapping[str, float]
    kohavi_wolpert: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def decompose(
    predictions: Any,
    targets: Any,
    loss: str = "squared",
    *,
    noise: Any = None,
    noise_in_targets: bool = True,
) -> Decomposition:
    """Bias and variance of K replicas' predictions on n samples.

    predictions: squared: (K, n), or (K, n, outputs), whose squares are summed over outputs;
        zero-one: (K, n) class indices, or (K, n, classes) scores whose largest counts;
        cross-entropy: (K, n, classes) probabilities, or (K, n) of the second of two classes.
        targets: (n,), squared also (n, outputs).
    noise: variance of the noise in the targets (a number, or one per sample; squared only).
        noise_in_targets False: the targets are the truth without it. Raises DataError for shapes or
        numbers that do not fit.

    >>> decompose([[1.0], [3.0]], [0.0]).plug_in
    {'bias': 4.0, 'variance': 1.0}
    """
    if loss not in LOSSES:
        raise DataError(unknown("loss", loss, LOSSES))
    made, wanted = np.asarray(predictions), np.asarray(targets)
    require_usable(made, wanted, loss, noise)
    if loss == "squared":
        return squared(_numbers(made), _numbers(wanted), noise, noise_in_targets)
    if loss == "zero-one":
        return zero_one(made, wanted)
    return cross_entropy(_numbers(made), wanted)


def _numbers(array: Any) -> Floats:
    return np.asarray(array, np.float64)


def squared(
    made: Floats, wanted: Floats, noise: Any = None, noise_in_targets: bool = True
) -> Decomposition:
    """`decompose` for the squared loss."""
    replicas, samples = made.shape[:2]
    flat = made.reshape(replicas, samples, -1)
    gram = replica_intervals.Gram.of(
        (flat - wanted.reshape(samples, -1)).reshape(replicas, -1) / math.sqrt(samples)
    )
    level = 0.0 if noise is None else float(np.mean(noise)) * flat.shape[2]
    inside = level if noise_in_targets else 0.0
    loss, bias, variance = gram.loss + level - inside, gram.bias - inside, gram.variance
    ends = gram.intervals()
    if inside:
        scatter = replica_intervals.NoiseInTargets(level, samples, samples * flat.shape[2])
        ends = {
            **ends,
            "loss": scatter.around(ends["loss"], gram.loss, bias),
            "bias": scatter.around(ends["bias"], gram.bias, bias),
        }
    return Decomposition(
        loss="squared",
        replicas=replicas,
        samples=samples,
        expected_loss=loss,
        bias=bias,
        variance=variance,
        net_variance=variance,
        noise=level,
        noise_known=noise is not None,
        intervals={
            "expected_loss": _shifted(ends["loss"], level - inside),
            "bias": _shifted(ends["bias"], -inside),
            "variance": ends["variance"],
            "net_variance": ends["variance"],
        },
        plug_in={"bias": gram.plug_in_bias - inside, "variance": gram.plug_in_variance},
        notes=(
            *_squared_notes(bias, variance / (gram.loss or 1.0), noise is not None),
            *_few(replicas),
        ),
    )


def _shifted(interval: Interval, by: float) -> Interval:
    return interval[0] + by, interval[1] + by


def _squared_notes(bias: float, variance: float, noise_known: bool) -> tuple[str, ...]:
    notes = [] if noise_known else ["noise in the targets, which is not known, counts as bias"]
    if bias < 0.0:
        notes.append(
            "bias² is estimated without bias of its own, so it can come out below 0: it is "
            "not distinguishable from 0"
        )
    return (*notes, *_alike(variance))


def _alike(variance: float) -> tuple[str, ...]:
    if variance > SMALLEST_VARIANCE:
        return ()
    return (
        (
            "all replicas predict the same: that shows no variance, and intervals without "
            "width say nothing of other replicas"
        ),
    )


def _few(replicas: int) -> tuple[str, ...]:
    if replicas < replica_bootstrap.FEW:
        return (
            "so few replicas do not show the law they follow: the intervals take them as normal",
        )
    return ()


def classes_of(made: Any) -> Indices:
    """Class indices (K, n): as they are, or the largest of the scores of each sample (the first
    of equals).
    """
    if made.ndim == 3:
        return np.asarray(made.argmax(axis=2), np.int64)
    return np.asarray(made, np.int64)


def zero_one(made: Any, wanted: Any) -> Decomposition:
    """`decompose` for the 0-1 loss."""
    labels = classes_of(made)
    truth = classes_of(wanted[None])[0]
    classes = int(max(labels.max(), truth.max(), 1)) + 1
    if labels.size * classes > LARGEST_ELEMENTS:
        raise DataError(
            f"{labels.shape[0]} × {labels.shape[1]} predictions of {classes} classes are too "
            "many numbers: number the classes 0, 1, … without gaps"
        )
    hits = (labels[:, :, None] == np.arange(classes)).astype(np.float64)  # (K, n, classes)
    parts = domingos(hits.mean(axis=0)[None], truth)
    loss, bias, variance = (float(part[0]) for part in parts)
    gram = replica_intervals.Gram.of(
        ((hits - np.eye(classes)[truth]) / math.sqrt(2.0 * len(truth))).reshape(len(labels), -1)
    )
    values = {"bias": bias, "variance": variance, "net_variance": loss - bias}
    ends = vote_intervals(hits, truth)
    switching = [
        name for name, value in values.items() if not ends[name][0] <= value <= ends[name][1]
    ]
    return Decomposition(
        loss="zero-one",
        replicas=len(labels),
        samples=len(truth),
        expected_loss=loss,
        bias=bias,
        variance=variance,
        net_variance=loss - bias,
        noise=0.0,
        noise_known=False,
        intervals={"expected_loss": share_of_mean((labels != truth).mean(axis=1)), **ends},
        plug_in={"bias": bias, "variance": variance},
        kohavi_wolpert={"bias": gram.bias, "variance": gram.variance},
        notes=_vote_notes(loss, variance, switching),
    )


def _vote_notes(loss: float, variance: float, switching: Sequence[str]) -> tuple[str, ...]:
    notes = [
        "Domingos: the main prediction is the mode, the first class of equals; expected_loss "
        "= bias + net_variance"
    ]
    if switching:
        told = " and ".join(name.replace("_", " ") for name in switching)
        notes.append(
            "many samples are near a tie, where the mode of few replicas switches: the "
            f"intervals correct for it, the estimated {told} does not"
        )
    if loss in (0.0, 1.0):
        notes.append(
            "all replicas are right everywhere, or wrong: the interval of the expected loss "
            "takes the samples as one, as nothing shows more"
        )
    if variance == 0.0:
        notes.append(
            "all replicas predict the same: intervals say what so few agreeing votes leave open"
        )
    return tuple(notes)


def domingos(shares: Floats, truth: Indices) -> tuple[Floats, Floats, Floats]:
    """0-1 loss, bias and variance, each (B,), means over samples (Domingos 2000). Bias is the share
    of samples whose main prediction, the class with the largest share, is wrong; variance is 1 −
    the mean share of the main prediction, not the net variance: bias + variance is not the loss.

    shares: (B, n, classes), the share of replicas that name each class. truth: (n,) class numbers.
    """
    samples = np.arange(len(truth))
    main = shares.argmax(axis=2)
    agree = np.take_along_axis(shares, main[:, :, None], axis=2)[:, :, 0]
    return (
        1.0 - shares[:, samples, truth].mean(axis=1),
        (main != truth).mean(axis=1),
        1.0 - agree.mean(axis=1),
    )


def cross_entropy(made: Floats, wanted: Any) -> Decomposition:
    """`decompose` for cross-entropy."""
    truth = classes_of(wanted[None])[0]
    chances = np.stack([1.0 - made, made], axis=2) if made.ndim == 2 else made
    logs = np.log(np.clip(chances, SMALLEST_PROBABILITY, 1.0))
    losses = -logs[:, np.arange(len(truth)), truth].mean(axis=1)  # (K,)
    spread = _heskes_variance(logs.mean(axis=0)[None])[0]
    count, total = len(logs), logs.sum(axis=0)
    without = np.array([_heskes_variance(((total - log) / (count - 1))[None])[0] for log in logs])
    pseudo = count * spread - (count - 1) * without
    variance, loss = float(pseudo.mean()), float(losses.mean())
    between = replica_intervals.of_divergences(pseudo, *_divergences(logs))
    return Decomposition(
        loss="cross-entropy",
        replicas=count,
        samples=len(truth),
        expected_loss=loss,
        bias=loss - variance,
        variance=variance,
        net_variance=variance,
        noise=0.0,
        noise_known=False,
        intervals={
            "expected_loss": replica_bootstrap.of_mean(losses),
            "bias": replica_bootstrap.of_mean(losses - pseudo),
            "variance": between,
            "net_variance": between,
        },
        plug_in={"bias": loss - float(spread), "variance": float(spread)},
        notes=(
            "noise in the labels, which is not known, counts as bias",
            "in nats; probabilities below 1e-7 count as 1e-7",
            *_alike(variance),
            *_few(count),
        ),
    )


def _heskes_variance(mean_logs: Floats) -> Floats:
    """E KL(main‖p) = −ln Σ exp(E ln p), mean over samples: (B,) of (B, n, classes)."""
    top = mean_logs.max(axis=2)
    logs: Floats = -(top + np.log(np.exp(mean_logs - top[:, :, None]).sum(axis=2))).mean(axis=1)
    return logs


def _divergences(logs: Floats) -> tuple[Floats, Floats]:
    """Divergences of every replica, from ln p (K, n, classes): KL(main‖p), mean over samples, (K,);
    and the inner products of what is half the square of it, (K, K).

    Near the main prediction KL(main‖p) is half the variance of ln p under it.
    """
    mean = logs.mean(axis=0)
    main = np.exp(mean - np.logaddexp.reduce(mean, axis=1, keepdims=True))
    away = logs - mean
    level = np.sum(main * away, axis=2)
    rows = (np.sqrt(main / (2.0 * len(mean))) * (away - level[:, :, None])).reshape(len(logs), -1)
    return (np.sum(main * np.log(main), axis=1) - np.sum(main * logs, axis=2)).mean(
        axis=1
    ), rows @ rows.T


@dataclass(frozen=True)
class LossSources:
    """Variance by where it comes from: training data (of the mean over seeds) and seed (within the
    same data); the two add up to all of it.

    `measure`: of which loss: squared; Kohavi and Wolpert's for classes; Brier's for probabilities.
    """

    measure: str
    training_data: float
    seed: float


def sources(predictions: Any, groups: Any, loss: str) -> LossSources:
    """Split the variance of replicas by nested analysis of variance; `groups` (K,) numbers
    their training data, each with the same number ≥ 2 of seeds.
    """
    made, sets = np.asarray(predictions), np.unique(np.asarray(groups))
    measure = {"squared": "squared", "zero-one": "kohavi_wolpert", "cross-entropy": "brier"}[loss]
    if loss == "zero-one":
        labels = classes_of(made)
        made = (labels[:, :, None] == np.arange(int(labels.max()) + 1)) / math.sqrt(2.0)
    rows = _numbers(made).reshape(len(made), -1) / math.sqrt(made.shape[1])
    blocks = [rows[np.asarray(groups) == group] for group in sets]
    seeds = len(blocks[0])
    if len(sets) < 2 or seeds < 2 or any(len(block) != seeds for block in blocks):
        raise DataError(
            "variance over data and seeds apart needs at least 2 training sets with the same "
            "number of seeds, at least 2"
        )
    within = float(np.mean([block.var(axis=0, ddof=1).sum() for block in blocks]))
    between = float(np.stack([block.mean(axis=0) for block in blocks]).var(axis=0, ddof=1).sum())
    return LossSources(measure, between - within / seeds, within)
