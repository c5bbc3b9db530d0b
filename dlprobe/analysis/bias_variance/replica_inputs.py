"""Whether predictions of replicas and their targets can be decomposed: people bring them from
elsewhere, so each fault is told in one clear line.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlprobe.errors import DataError
from dlprobe.registry import counted

LARGEST_VALUE = 1e20  # intervals take twelfth powers: sums of those of larger numbers leave float64
SUM_TOLERANCE = 1e-3  # of probabilities over the classes: float16 and rounded text pass
EXPECTED = (
    "expected predictions (replicas, samples) or (replicas, samples, classes), and targets "
    "(samples)"
)
WHOLE = (
    "class indices are whole numbers 0, 1, … (np.unique(labels, return_inverse=True) numbers them)"
)


def require_usable(made: Any, wanted: Any, loss: str, noise: Any = None) -> None:
    """Raise DataError where shapes, types or numbers do not fit each other or the loss. made:
    predictions, wanted: targets, both arrays.
    """
    _require_shapes(made, wanted, loss)
    if made.dtype.kind not in "biuf" or wanted.dtype.kind not in "biuf":
        raise DataError(
            f"predictions are {made.dtype}, targets {wanted.dtype}: expected numbers; give "
            "classes as indices 0, 1, …"
        )
    if not (np.isfinite(made).all() and np.isfinite(wanted).all()):
        raise DataError(
            "predictions or targets hold NaN or infinite numbers: leave out the replicas that "
            "diverged"
        )
    if noise is not None:
        _require_noise(np.asarray(noise), wanted, loss)
    {
        "squared": _require_values,
        "zero-one": _require_classes,
        "cross-entropy": _require_probabilities,
    }[loss](made, wanted)


def _require_shapes(made: Any, wanted: Any, loss: str) -> None:
    if made.ndim not in (2, 3) or wanted.ndim not in ((1, 2) if loss == "squared" else (1,)):
        raise DataError(f"predictions have shape {made.shape}, targets {wanted.shape}: {EXPECTED}")
    if made.shape[1] != len(wanted) or not len(wanted):
        turned = (
            "; replicas come first: save predictions.swapaxes(0, 1)"
            if len(made) == len(wanted) > 0
            else ""
        )
        raise DataError(
            f"predictions are of {made.shape[1]} samples, targets of {len(wanted)}: "
            f"{EXPECTED}, both of the same samples, at least one{turned}"
        )
    if len(made) < 2:
        raise DataError(
            f"found predictions of {counted(len(made), 'replica')}: bias and variance need at "
            "least 2 rows of them"
        )
    if made.ndim == 3 and not made.shape[2]:
        raise DataError(
            f"predictions have shape {made.shape}, with nothing for each sample: {EXPECTED}"
        )


def _require_noise(noise: Any, wanted: Any, loss: str) -> None:
    if loss != "squared":
        raise DataError(
            f"noise: a known noise variance belongs to the squared loss, not to {loss}: "
            "leave it out"
        )
    if noise.shape not in ((), (1,), wanted.shape, wanted.shape[:1]):
        raise DataError(
            f"noise has shape {noise.shape}: expected one variance, or one for each of the "
            f"{len(wanted)} samples"
        )
    if noise.dtype.kind not in "biuf" or not np.isfinite(noise).all() or noise.min() < 0:
        raise DataError(
            "noise holds text, NaN, infinite or negative numbers: expected the variance of "
            "the noise in the targets, 0 or more"
        )


def _require_values(made: Any, wanted: Any) -> None:
    outputs = made.shape[2] if made.ndim == 3 else 1
    expected = wanted.shape[1] if wanted.ndim == 2 else 1
    if outputs != expected:
        classes = (
            "; for scores or probabilities of classes use --loss zero-one or cross-entropy"
            if expected == 1
            else ""
        )
        raise DataError(
            f"predictions have {outputs} outputs per sample, targets {expected}: expected the "
            f"same{classes}"
        )
    largest = max(
        float(np.abs(array).max()) for array in (made.astype(np.float64), wanted.astype(np.float64))
    )
    if largest > LARGEST_VALUE:
        raise DataError(
            f"predictions or targets of size {largest:.3g} are too large to be squared: scale "
            "them, or leave out the replicas that diverged"
        )


def _require_classes(made: Any, wanted: Any) -> None:
    require_labels("targets", wanted)
    if made.ndim == 2:
        require_labels("predictions", made)
    elif made.shape[2] == 1:
        raise DataError(
            "predictions (replicas, samples, 1) hold one score per sample, of which none is "
            "the largest: give class indices (replicas, samples)"
        )
    elif wanted.max() >= made.shape[2]:
        raise DataError(
            f"targets name class {int(wanted.max())}, predictions have the classes 0 to "
            f"{made.shape[2] - 1}"
        )


def require_labels(what: str, labels: Any) -> None:
    """Raise DataError where labels are not class indices."""
    if labels.dtype.kind == "f" and not (labels == np.round(labels)).all():
        odd = labels[labels != np.round(labels)].flat[0]
        raise DataError(
            f"{what} hold {odd:g}: {WHOLE}; --loss squared takes numbers, cross-entropy "
            "probabilities, zero-one also scores of each class"
        )
    if labels.dtype.kind != "b" and labels.min() < 0:
        raise DataError(f"{what} hold class {int(labels.min())}: below 0; {WHOLE}")


def _require_probabilities(made: Any, wanted: Any) -> None:
    require_labels("targets", wanted)
    classes = max(made.shape[2], 2) if made.ndim == 3 else 2
    if wanted.max() >= classes:
        raise DataError(
            f"targets name class {int(wanted.max())}, predictions have the classes 0 to "
            f"{classes - 1}"
        )
    if made.ndim == 3 and made.shape[2] == 1:
        raise DataError(
            "predictions (replicas, samples, 1) hold one probability per sample: save "
            "predictions[:, :, 0], that of the second of two classes"
        )
    if made.min() < -1e-6 or made.max() > 1.0 + SUM_TOLERANCE:
        raise DataError(
            f"predictions go from {made.min():.4g} to {made.max():.4g}: cross-entropy takes "
            "probabilities, which sum to 1 (of logits save the softmax)"
        )
    if made.ndim == 3 and not np.allclose(
        made.sum(axis=2, dtype=np.float64), 1.0, atol=SUM_TOLERANCE
    ):
        sums = made.sum(axis=2, dtype=np.float64)
        furthest = sums.flat[np.abs(sums - 1.0).argmax()]
        raise DataError(
            f"probabilities of a sample add up to {furthest:.4g}: cross-entropy takes "
            "probabilities, which sum to 1 over the classes"
        )
