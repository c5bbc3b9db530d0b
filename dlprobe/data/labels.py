"""What the target is: classes or numbers. The one place that decides the task."""

from __future__ import annotations

import numpy as np

from dlprobe.data.dataset import Array, Floats, Indices
from dlprobe.data.places import Fault, quoted
from dlprobe.dataclass import dataclass

# above this a float64 no longer tells neighbouring integers apart
LARGEST_WHOLE = 2.0**53
MOST_CODES = 1000  # classes that integers 0, 1, 2, … are taken for


@dataclass(frozen=True)
class Targets:
    """Decided targets: int64 (samples,) with class names, or float64 (samples, 1) without."""

    values: Array
    class_names: tuple[str, ...]
    note: str

    @property
    def task(self) -> str:
        return "classification" if self.class_names else "regression"


def from_texts(codes: Indices, labels: tuple[str, ...], task: str, fault: Fault) -> Targets:
    """Classes from text labels; `codes` (samples,) are positions in the sorted `labels`."""
    if task == "regression":
        raise fault(
            0, f"found {quoted(labels[codes[0]])}, expected a number: the task is regression"
        )
    used, renumbered = np.unique(codes, return_inverse=True)
    if len(used) == len(codes) and len(codes) > 1:
        what = (
            f"each of the {len(codes)} rows has a label of its own ({quoted(labels[codes[0]])} is "
            "the first), expected classes"
        )
        raise fault(0, f"{what}: name the label column with target")
    if len(used) == 1:
        raise fault(
            0, f"every row has the label {quoted(labels[used[0]])}, expected two classes or more"
        )
    names = tuple(labels[i] for i in used)
    return Targets(
        renumbered.reshape(-1).astype(np.int64),
        names,
        f"task: classification ({len(names)} text labels)",
    )


def from_numbers(values: Floats, task: str, fault: Fault, integers: bool = False) -> Targets:
    """Classes or regression targets from finite numbers (samples,).

    `auto` takes whole numbers for classes when there are at most max(2, min(100, samples/10))
    distinct ones and each has two rows, or where an array of `integers` holds exactly 0 … k−1, k at
    most half its length.
    """
    if task == "regression":
        return Targets(as_column(values), (), "task: regression (asked for)")
    fractional = (values != np.floor(values)) | (np.abs(values) > LARGEST_WHOLE)
    if fractional.any():
        return without_whole_labels(values, int(np.argmax(fractional)), task, fault)
    distinct, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    few = len(distinct) <= max(2.0, min(100.0, len(values) / 10)) and counts.min() >= 2
    if (
        integers
        and 1 < len(distinct) <= min(MOST_CODES, len(values) / 2)
        and np.array_equal(distinct, np.arange(len(distinct)))
    ):
        few = True
    if task == "auto" and not few:
        count = (
            "one whole number" if len(distinct) == 1 else f"{len(distinct)} distinct whole numbers"
        )
        note = (
            f"task: regression ({count} in {len(values)} row{'s' * (len(values) > 1)}; task = "
            "classification makes them classes)"
        )
        return Targets(as_column(values), (), note)
    if len(distinct) == 1:
        raise fault(
            0,
            f"every row has the label {distinct[0]:g}, expected two classes or more (task = "
            "regression accepts a constant)",
        )
    names = tuple(str(int(label)) for label in distinct)
    why = (
        "asked for"
        if task == "classification"
        else "whole numbers; task = regression keeps them as numbers"
    )
    return Targets(
        codes.reshape(-1).astype(np.int64),
        names,
        f"task: classification ({len(names)} classes {names[0]}…{names[-1]}, {why})",
    )


def without_whole_labels(values: Floats, first: int, task: str, fault: Fault) -> Targets:
    """Fractional numbers are regression targets, or an error where classes were asked for."""
    if task == "classification":
        raise fault(
            first,
            f"found {values[first]:g}, expected a whole number or text as class label: the "
            "task is classification",
        )
    return Targets(as_column(values), (), "task: regression (the target has fractional numbers)")


def as_column(values: Floats) -> Floats:
    return np.ascontiguousarray(values, dtype=np.float64).reshape(-1, 1)  # (samples, 1)
