"""Bounds on what a run ends with: `val_error<=5%`, `r2>=.9`, read from text and held against
the final numbers.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.record import layout
from dlprobe.registry import unknown

EXAMPLE = "val_error<=5%"
SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
ALSO = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}
FORM = re.compile(
    r"\s*([A-Za-z_][\w-]*)\s*(<=|>=|=<|=>|≤|≥|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(%?)\s*"
)
PART = "val"  # of a metric that is named without one
# metrics that are no shares of anything, so that percent means nothing
UNBOUNDED = ("loss", "rmse", "mean_absolute_error")
ERRORS = tuple(f"{part}_error" for part in layout.PARTS)


@dataclass(frozen=True)
class Bound:
    """One bound. metric: as the file names it; sign: one of SIGNS; limit: in the metric's own
    unit; percent: whether it was given in percent.
    """

    metric: str
    sign: str
    limit: float
    percent: bool = False

    def held(self, value: float) -> bool:
        """Whether a value keeps the bound; NaN keeps none."""
        return SIGNS[self.sign](value, self.limit)

    def number(self, value: float) -> str:
        """A value as the bound is written.

        >>> Bound("val_error", "<=", 0.05, percent=True).number(1 / 15)
        '6.67 %'
        """
        return f"{100 * value:.3g} %" if self.percent else f"{value:.4g}"

    def __str__(self) -> str:
        if self.percent:
            return f"{self.metric} {self.sign} {100 * self.limit:g} %"
        return f"{self.metric} {self.sign} {self.limit:g}"


def bounds_of(texts: str | Sequence[str]) -> list[Bound]:
    """The bounds that texts mean, each text one or several with commas or semicolons between.
    Raises ConfigError, one line.

    >>> [str(bound) for bound in bounds_of("val_error<=5%, r2 >= .9")]
    ['val_error <= 5 %', 'val_r2 >= 0.9']
    """
    bounds = [texts] if isinstance(texts, str) else texts
    return [_bound(word) for text in bounds for word in re.split("[,;]", text) if word.strip()]


def _bound(text: str) -> Bound:
    match = FORM.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"--gate {text.strip()[:60]!r}: expected METRIC<=NUMBER, or >=, < or >, for "
            f"example {EXAMPLE}"
        )
    name, sign, number, percent = match.groups()
    metric = _metric(name.replace("-", "_"))
    if percent and metric.partition("_")[2] in UNBOUNDED:
        raise ConfigError(
            f"--gate {text.strip()[:60]!r}: {metric} is no share of anything: give a number "
            "without %"
        )
    return Bound(
        metric,
        ALSO.get(sign, sign),
        float(number) / 100 if percent else float(number),
        bool(percent),
    )


def _metric(name: str) -> str:
    """The name as the file has it. Raises ConfigError for one that no run ends with, and for a
    row of numbers.
    """
    starts = tuple(f"{part}_" for part in layout.PARTS)
    final = (line for line in layout.data_sets().values() if line.group == "final")
    known = {line.name: line.dims for line in final if line.name.startswith(starts)}
    metric = name if name in known else f"{PART}_{name}"
    if metric not in known:
        raise ConfigError(
            f"--gate: {unknown('metric', name[:60], [n for n, dims in known.items() if not dims])}"
        )
    if known[metric]:
        raise ConfigError(
            f"--gate: {metric} is a number for each {known[metric][0]}, not one: name a "
            "metric of the whole part, for example val_macro_f1"
        )
    return metric


def with_accuracy(final: Mapping[str, Any]) -> dict[str, Any]:
    """What a classification ends with, accuracies too where the file has the error only."""
    own = {
        f"{part}_accuracy": 1.0 - final[error]
        for part, error in zip(layout.PARTS, ERRORS, strict=True)
        if error in final
    }
    return {**own, **final}


def refused(bound: Bound, final: Mapping[str, Any], classification: bool) -> str:
    """Why a bound cannot be held against what this run ends with; empty where it can."""
    if bound.metric not in final:
        return f"the run has no {bound.metric} at its end"
    if bound.metric in ERRORS and classification and bound.limit > 1:
        return (
            f"{bound.metric} is a share from 0 to 1: write {bound.limit:g}% or "
            f"{bound.limit / 100:g}"
        )
    if bound.metric in ERRORS and not classification and bound.percent:
        return (
            f"{bound.metric} of a regression is in the unit of the target, no share: give a "
            "number without %"
        )
    return ""
