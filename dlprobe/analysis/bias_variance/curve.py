"""Decompositions along an axis (a capacity or learning curve): the sweet spot, double descent,
what dominates, and what to do about it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Literal

from dlprobe.analysis.bias_variance.loss_parts import Decomposition, LossSources
from dlprobe.analysis.proportions import NORMAL_95
from dlprobe.dataclass import dataclass

Level = Literal["high", "low", "unknown"]
Zone = Literal["underfitting", "good fit", "overfitting", "more data helps", "curves have met"]
DOMINATES = 1.0 / 3.0  # share of the reducible loss from which a part counts as high
SMALL = 0.015  # of an error rate: the textbook's 1.5 points
ROUNDING = 1e-12
# replicas below which an interval may say nothing: it holds so many times the loss, and little of
# it
FEW, WIDE = 10, 2.0
CAPACITY = ("width", "depth", "layers", "epochs", "steps")
RESTRAINT = ("l1", "l2", "dropout")
# axes whose values end at 1
COUNTED = ("width", "depth", "layers", "epochs", "steps", "batch_size", "train_size")
# what lowers a part; the axes that do it, and which way along them: what was tried beyond the best
# value is not advised again
CURES: dict[str, dict[str, tuple[tuple[str, ...], int]]] = {
    "bias": {
        "a bigger net": (("width", "depth", "layers"), 1),
        "longer training": (("epochs", "steps"), 1),
        "less penalty and dropout": (("l1", "l2", "dropout"), -1),
        "better features": ((), 1),
    },
    "variance": {
        "more data": (("train_size",), 1),
        "a penalty or dropout": (("l1", "l2", "dropout"), 1),
        "early stopping": (("epochs", "steps"), -1),
        "averaging several nets": ((), 1),
    },
}


@dataclass(frozen=True)
class Point:
    """The decomposition at one value of the axis (None where there is no axis); `lost`: replicas
    that diverged and are left out; training: the mean loss of the replicas on their own training
    samples, NaN where it is not known.
    """

    at: str | float | None
    parts: Decomposition
    sources: LossSources | None = None
    lost: int = 0
    training: float = math.nan


def has_order(points: Sequence[Point]) -> bool:
    """Whether the values of the axis are numbers."""
    return all(isinstance(point.at, int | float) for point in points)


def sweet_spot(points: Sequence[Point]) -> Point:
    """The point of the smallest expected loss, the first of equals."""
    return min(points, key=lambda point: point.parts.expected_loss)


def as_good(points: Sequence[Point]) -> list[Point]:
    """The other points whose interval of the expected loss overlaps that of the best one: not
    told apart from it.
    """
    best = sweet_spot(points)
    end = best.parts.intervals["expected_loss"][1]
    return [
        point
        for point in points
        if point is not best and point.parts.intervals["expected_loss"][0] <= end
    ]


def double_descent(points: Sequence[Point]) -> Point | None:
    """The top between two descents: a point whose loss is clearly above that of one before it and
    of one behind it; the highest of such. None without.

    Clearly: by more than chance makes of any of the pairs of points with a probability of 5 %
        (Bonferroni). Points of an axis without order have no top, nor has one where the nets do not
        fit their own samples: the peak stands where they begin to (Belkin et al. 2019; Nakkiran et
        al. 2020).
    """
    if not has_order(points):
        return None
    along = sorted(points, key=lambda point: float(point.at or 0.0))
    limit = NormalDist().inv_cdf(1.0 - 0.025 / max(math.comb(len(along), 2), 1)) / NORMAL_95

    def below(other: Point, top: Point) -> bool:
        low, high = top.parts, other.parts
        down = low.expected_loss - low.intervals["expected_loss"][0]
        up = high.intervals["expected_loss"][1] - high.expected_loss
        return low.expected_loss - high.expected_loss > limit * math.hypot(down, up)

    fitted = [
        top.training < DOMINATES * top.parts.expected_loss or math.isnan(top.training)
        for top in along
    ]
    tops = [
        top
        for k, top in enumerate(along)
        if fitted[k]
        and any(below(point, top) for point in along[:k])
        and any(below(point, top) for point in along[k + 1 :])
    ]
    return max(tops, key=lambda point: point.parts.expected_loss, default=None)


def levels(decomposition: Decomposition) -> dict[str, Level]:
    """Which part is high: a third and more of the loss that is not noise (and of error rates more
    than 1.5 points).

    Unknown where the interval of a few replicas holds both little and far more than all of the
    loss.
    """
    limit, whole = _limit(decomposition), decomposition.expected_loss - decomposition.noise

    def level(part: float, interval: tuple[float, float]) -> Level:
        if (
            decomposition.replicas < FEW
            and limit > 0
            and interval[0] < limit
            and interval[1] >= WIDE * whole
        ):
            return "unknown"
        return "high" if limit > 0 and part >= limit else "low"

    return {
        "bias": level(decomposition.bias, decomposition.intervals["bias"]),
        "variance": level(decomposition.net_variance, decomposition.intervals["net_variance"]),
    }


def zones(points: Sequence[Point], axis: str | None) -> list[Zone | None]:
    """Where each point lies in the textbook's picture of E_train and E_val; None along axes that
    are neither capacity nor regularization nor data.

    Over capacity (or its opposite, regularization): good fit is what is not told apart from the
    smallest expected loss and what lies between such points; with less capacity it is underfitting,
    with more overfitting. Over the size of the training set: more data helps while the gap between
    expected and training loss is a third or more of the expected loss; after that the two curves
    have met.
    """
    if axis is None or not has_order(points):
        return [None] * len(points)
    if axis == "train_size":
        return [_of_data(point) for point in points]
    way = 1 if axis in CAPACITY else -1 if axis in RESTRAINT else 0
    fits = [way * float(point.at or 0) for point in (sweet_spot(points), *as_good(points))]

    def zone(at: float) -> Zone:
        return "underfitting" if at < min(fits) else "overfitting" if at > max(fits) else "good fit"

    return [zone(way * float(point.at or 0)) if way else None for point in points]


def _of_data(point: Point) -> Zone | None:
    if not math.isfinite(point.training):
        return None
    gap = point.parts.expected_loss - point.training
    return "more data helps" if gap >= DOMINATES * point.parts.expected_loss else "curves have met"


def _limit(decomposition: Decomposition) -> float:
    """From which size on a part is high."""
    least = math.nextafter(SMALL, 1.0) if decomposition.loss == "zero-one" else 0.0
    return max(DOMINATES * (decomposition.expected_loss - decomposition.noise), least)


def advice(points: Sequence[Point], axis: str | None) -> list[str]:
    """What to do next, with the numbers behind it."""
    best = sweet_spot(points)
    said = (
        [*_sweet(points, axis, best), *_trend(points, axis)]
        if axis is not None and len(points) > 1
        else []
    )
    said += _parts(
        best.parts, {part: _open(known, points, axis, best) for part, known in CURES.items()}
    )
    said += [*_unsettled(best.parts), *_origin(best.sources)]
    top = double_descent(points)
    if top is not None:
        said.append(
            f"double descent: the loss peaks at {axis} = {top.at} "
            f"({top.parts.expected_loss:.4g}) and falls again behind it"
        )
    return said


def _unsettled(decomposition: Decomposition) -> list[str]:
    """Verdicts that lie within the intervals."""
    limit = _limit(decomposition)
    ends = {
        "bias": decomposition.intervals["bias"],
        "variance": decomposition.intervals["net_variance"],
    }
    unknown = [name for name, level in levels(decomposition).items() if level == "unknown"]
    parts = [
        f"{name} ({low:.3g} … {high:.3g})"
        for name, (low, high) in ends.items()
        if low < limit <= high and name not in unknown
    ]
    said = (
        [
            f"{decomposition.replicas} replicas do not tell the {' and the '.join(unknown)}: "
            "give more of them (--replicas 20)"
        ]
        if unknown
        else []
    )
    beside = [
        name.replace("_", " ")
        for name, (low, high) in decomposition.intervals.items()
        if not low - ROUNDING <= getattr(decomposition, name) <= high + ROUNDING
    ]
    if beside and decomposition.loss == "zero-one":
        said.append(
            f"outside its interval: the estimated {', '.join(beside)}; intervals correct for "
            f"classes that most of {decomposition.replicas} replicas name by luck: give more"
        )
    if not parts or limit <= 0.0:
        return said
    return [
        *said,
        (
            f"other replicas could turn the verdict on {' and '.join(parts)} round, which is high "
            f"from {limit:.3g} on: more of them settle it"
        ),
    ]


def _origin(sources: LossSources | None) -> list[str]:
    if sources is None or sources.seed <= 0:
        return []
    seed, data = f"{sources.seed:.3g}", f"{sources.training_data:.3g}"
    if sources.seed > sources.training_data:
        return [
            f"most variance comes from seeds ({seed}), not from training data ({data}): "
            "average over seeds"
        ]
    return [
        f"most variance comes from training data ({data}), not from seeds ({seed}): more data "
        "helps more than averaging over seeds"
    ]


def _sweet(points: Sequence[Point], axis: str | None, best: Point) -> list[str]:
    """Where the loss is smallest, what is as good, and whether the values tried end there."""
    line = f"sweet spot: {axis} = {best.at}, expected loss {best.parts.expected_loss:.4g}"
    alike = [f"{point.at}" for point in as_good(points)]
    said = [
        f"{line}; not told apart from it by these replicas: {', '.join(alike)}" if alike else line
    ]
    values = [point.at for point in points if isinstance(point.at, int | float)]
    if len(values) < len(points) or best.at not in (low := min(values), high := max(values)):
        return said
    if axis == "train_size":
        if best.at == high:
            return [
                *said,
                "the loss is smallest with the most data: more of it may well help further",
            ]
        return said
    if best.at == high or low > (1 if axis in COUNTED else 0):
        end, further = ("largest", "larger") if best.at == high else ("smallest", "smaller")
        said.append(f"{best.at} is the {end} of the values tried: try {further} ones")
    return said


def _trend(points: Sequence[Point], axis: str | None) -> list[str]:
    if not has_order(points):
        return []
    first = min(points, key=lambda point: point.at or 0)
    last = max(points, key=lambda point: point.at or 0)
    bias = f"bias goes from {_brief(first.parts.bias)} to {_brief(last.parts.bias)}"
    variance = (
        f"variance from {_brief(first.parts.net_variance)} to {_brief(last.parts.net_variance)}"
    )
    return [
        f"from {axis} = {first.at} to {last.at}, {bias}, "
        f"{'net ' if last.parts.loss == 'zero-one' else ''}{variance}"
    ]


def _brief(value: float) -> str:
    return f"{0.0 if abs(value) < ROUNDING else value:.3g}"


def _open(
    known: Mapping[str, tuple[tuple[str, ...], int]],
    points: Sequence[Point],
    axis: str | None,
    best: Point,
) -> str:
    """The cures that the points do not show to be none."""
    values = [point.at for point in points if isinstance(point.at, int | float)]

    def tried(axes: tuple[str, ...], way: int) -> bool:
        at = best.at
        return (
            axis in axes
            and isinstance(at, int | float)
            and (any(way * value > way * at for value in values) or (way < 0 and at == 0))
        )

    return ", ".join(cure for cure, (axes, way) in known.items() if not tried(axes, way))


def _share(name: str, part: float, whole: float) -> str:
    """How much of the reducible loss a part is; the other part may be below 0."""
    if part > whole + ROUNDING:
        return f"{name} is {part:.3g}, more than the reducible loss of {whole:.3g}"
    return f"{name} is {part:.3g} of {whole:.3g} reducible loss ({100 * part / whole:.0f} %)"


def _parts(decomposition: Decomposition, cures: Mapping[str, str]) -> list[str]:
    said = []
    high = levels(decomposition)
    reducible = decomposition.expected_loss - decomposition.noise
    if high["bias"] == "high":
        share = _share("bias", decomposition.bias, reducible)
        how = " (--noise-variance estimate)" if decomposition.loss == "squared" else ""
        noise = (
            ""
            if decomposition.noise_known
            else f"; noise counts as bias where it is not known{how}, and no learner gets below it"
        )
        said.append(f"{share}: {cures['bias']}; averaging nets will not help{noise}")
    if high["variance"] == "high":
        share = _share("variance", decomposition.net_variance, reducible)
        said.append(f"{share}: {cures['variance']}")
    if decomposition.noise > 0.5 * decomposition.expected_loss:
        said.append(
            f"noise is {100 * decomposition.noise / decomposition.expected_loss:.0f} % of the "
            "expected loss: no learner gets below it"
        )
    if set(high.values()) == {"low"}:
        said.append(
            f"neither part stands out in an expected loss of {decomposition.expected_loss:.4g}"
        )
    return said
