"""What a run file says of the data that a recorded net is trained on: shapes, ranges, class
counts and a fingerprint, not the data itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.data.dataset import spreads
from dlprobe.data.preparation import count_classes, fingerprint
from dlprobe.data.repeats import repeats
from dlprobe.data.scaling import target_moments

Array: TypeAlias = npt.NDArray[Any]


def data_facts(inputs: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the layout table's group `data`, by name, of the arrays as the net sees them.

    inputs: (samples, …) per part, `train` at least; targets: (samples,) whole numbers are classes,
        other numbers (samples,) or (samples, outputs) a regression. Raises ValueError where inputs
        are no numbers or their count differs from that of the targets.
    """
    x = {part: _matrix(part, values) for part, values in inputs.items()}
    y = {part: _array(values) for part, values in targets.items()}
    for part in x:
        if len(x[part]) != len(y[part]):
            raise ValueError(
                f"{part}: {len(x[part])} inputs and {len(y[part])} targets, expected one "
                "target for each sample"
            )
    wide = x["train"].astype(np.float64)
    ends = np.cumsum([0, *(len(values) for values in x.values())])
    rows = {
        f"{part}_indices": np.arange(start, end)
        for part, start, end in zip(x, ends, ends[1:], strict=False)
    }
    nothing = {part: (np.zeros((0, 1)), np.zeros(0)) for part in ("train", "val", "test")}
    every = {
        part: (x.get(part, empty[0]), y.get(part, empty[1])) for part, empty in nothing.items()
    }
    classes = _are_classes(y["train"])
    wanted = {
        part: pair[1].astype(np.int64 if classes else np.float64) for part, pair in every.items()
    }
    repeated = repeats(
        {part: pair[0].astype(np.float64) for part, pair in every.items()}, wanted, classes
    ).described()
    lacking = {
        f"duplicates_{a}_{b}" for a, b in combinations(nothing, 2) if not (a in x and b in x)
    }
    return {
        "task": "classification" if classes else "regression",
        "fingerprint": fingerprint(
            {part: pair[0] for part, pair in every.items()},
            {part: pair[1] for part, pair in every.items()},
        ),
        **rows,
        **_class_counts(y),
        "scaler": "none",
        "scaler_shift": np.zeros(wide.shape[1]),
        "scaler_scale": np.ones(wide.shape[1]),
        "feature_min": wide.min(axis=0),
        "feature_max": wide.max(axis=0),
        "feature_mean": wide.mean(axis=0),
        "feature_std": wide.std(axis=0),
        "feature_spread": spreads(wide),
        "input_mean": float(wide.mean()),
        "input_mean_square": float(np.mean(wide**2)),
        **({} if classes else _target_moments(y["train"])),
        **{name: value for name, value in repeated.items() if name not in lacking},
    }


def without_sizes(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of inputs that are indices: nothing of how large they are."""
    sizes = ("feature_", "input_", "scaler")
    return {name: value for name, value in facts.items() if not name.startswith(sizes)}


def are_whole(inputs: Any) -> bool:
    """Whether inputs are stored as whole numbers."""
    return _array(inputs).dtype.kind in "iu"


def target_variances(targets: Mapping[str, Any]) -> dict[str, float]:
    """By part, of a regression: the squared error of the best constant answer, a mean over
    outputs as PyTorch's and Keras's losses are; where targets vary at all.
    """
    arrays = {part: _array(values) for part, values in targets.items()}
    if _are_classes(arrays["train"]):
        return {}
    found = {
        part: float(values.astype(np.float64).var(axis=0).mean())
        for part, values in arrays.items()
        if len(values)
    }
    return {part: variance for part, variance in found.items() if variance > 0.0}


def kept_arrays(inputs: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays themselves by the names that the layout table has for them: x (samples,
    features) and y (samples,) of each part. Raises ValueError for targets of several numbers, for
    which it has none.
    """
    kept = {f"x_{part}": _matrix(part, values) for part, values in inputs.items()}
    y = {f"y_{part}": _array(values) for part, values in targets.items()}
    for name, values in y.items():
        if values.size != len(values):
            raise ValueError(
                f"{name} of shape {values.shape} cannot be kept, only one number a sample: "
                "leave out keep=True, and what else is said of the data is stored"
            )
    return kept | {name: values.reshape(-1) for name, values in y.items()}


def _target_moments(targets: Array) -> dict[str, Any]:
    return target_moments(targets.astype(np.float64).reshape(len(targets), -1))


def _class_counts(targets: Mapping[str, Array]) -> dict[str, Any]:
    if not _are_classes(targets["train"]):
        return {}
    count = 1 + max(int(values.max(initial=0)) for values in targets.values())
    counts = {
        f"{part}_class_counts": count_classes(values.astype(np.int64), count)
        for part, values in targets.items()
    }
    return {"class_names": [str(index) for index in range(count)], **counts}


def _are_classes(targets: Array) -> bool:
    return targets.ndim == 1 and targets.dtype.kind in "iub" and bool((targets >= 0).all())


def _matrix(part: str, values: Any) -> Array:
    """(samples, features) as they are stored."""
    array = _array(values)
    if array.dtype.kind not in "iufb" or array.ndim < 1 or not array.size:
        raise ValueError(
            f"{part}: inputs of shape {array.shape} and type {array.dtype}, expected numbers "
            "(samples, …)"
        )
    return np.ascontiguousarray(array.reshape(len(array), -1))


def _array(values: Any) -> Array:
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)
