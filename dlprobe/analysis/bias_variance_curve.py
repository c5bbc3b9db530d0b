"""Decompositions along an axis (a capacity or learning curve): the sweet spot, double descent, what dominates, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dlprobe.analysis.bias_variance import Decomposition, Sources

Level = Literal["high", "low"]
DOMINATES = 1.0 / 3.0  # share of the reducible loss from which a part counts as high
SMALL = 0.015  # of an error rate: the textbook's 1.5 points


@dataclass(frozen=True)
class Point:
    """The decomposition at one value of the axis (None where there is no axis); `lost`: replicas that diverged and are left out."""

    at: str | float | None
    found: Decomposition
    sources: Sources | None = None
    lost: int = 0


def sweet_spot(points: Sequence[Point]) -> Point:
    """The point of the smallest expected loss, the first of equals."""
    return min(points, key=lambda point: point.found.expected_loss)


def double_descent(points: Sequence[Point]) -> Point | None:
    """The top between two descents: a point whose loss is above an earlier and a later one's, its interval clear of both; the highest of such. None without."""
    tops = []
    for index, point in enumerate(points):
        low = point.found.intervals["expected_loss"][0]
        before = any(other.found.intervals["expected_loss"][1] < low for other in points[:index])
        after = any(other.found.intervals["expected_loss"][1] < low for other in points[index + 1 :])
        if before and after:
            tops.append(point)
    return max(tops, key=lambda point: point.found.expected_loss, default=None)


def levels(found: Decomposition) -> dict[str, Level]:
    """Which part is high: a third and more of the loss that is not noise (and of error rates more than 1.5 points)."""
    reducible = found.expected_loss - found.noise
    least = SMALL if found.loss == "zero-one" else 0.0

    def level(part: float) -> Level:
        return "high" if reducible > 0 and part >= DOMINATES * reducible and part > least else "low"

    return {"bias": level(found.bias), "variance": level(found.net_variance)}


def advice(points: Sequence[Point], axis: str | None) -> list[str]:
    """What to do next, with the numbers behind it."""
    best = sweet_spot(points)
    found, said = best.found, []
    share = 100.0 / max(found.expected_loss - found.noise, 1e-300)
    high = levels(found)
    if axis is not None and len(points) > 1:
        edge = best in (points[0], points[-1])
        more = "; it lies at the end of the values tried: try further ones" if edge else ""
        said.append(f"sweet spot: {axis} = {best.at}, expected loss {found.expected_loss:.4g}{more}")
    if high["bias"] == "high":
        said.append(f"bias is {share * found.bias:.0f} % of the reducible loss: a bigger net, longer training, less penalty; averaging nets will not help")
    if high["variance"] == "high":
        said.append(
            f"variance is {share * found.net_variance:.0f} % of the reducible loss: more data, a penalty or dropout, early stopping, or averaging several nets"
        )
    if found.noise > 0.5 * found.expected_loss:
        said.append(f"noise is {100 * found.noise / found.expected_loss:.0f} % of the expected loss: no learner gets below it")
    if not said or set(high.values()) == {"low"}:
        said.append(f"neither part stands out in an expected loss of {found.expected_loss:.4g}")
    origin = best.sources
    if origin is not None and origin.seed > 0:
        larger, other = ("seeds", "training data") if origin.seed > origin.training_data else ("training data", "seeds")
        said.append(
            f"most variance comes from {larger}, not from {other}: "
            + ("average over seeds" if larger == "seeds" else "more data helps more than averaging over seeds")
        )
    top = double_descent(points)
    if top is not None:
        said.append(f"double descent: the loss peaks at {axis} = {top.at} ({top.found.expected_loss:.4g}) and falls again behind it")
    return said
