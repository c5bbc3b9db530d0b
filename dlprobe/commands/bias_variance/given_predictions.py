"""What --predictions and --noise-variance give: predictions from elsewhere, decomposed, and the
variance of the noise in targets.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlprobe.commands.bias_variance.error_reading import read_number
from dlprobe.errors import ConfigError, DataError

if TYPE_CHECKING:
    from dlprobe.analysis.bias_variance.curve import Point

ESTIMATE = "estimate"


def decomposed(
    path: Path, loss: str | None, noise: float | str | None
) -> tuple[Point, dict[str, Any]]:
    """The decomposition of the arrays `predictions` (replicas, samples) or (replicas, samples,
    classes) and `targets` (samples,) of an .npz file, and facts for the report. Raises DataError,
    one line, for what does not fit.

    loss: None tells it from the predictions. noise: its variance, or `estimate` from an array
        `inputs` (samples, features); None takes the array `noise` if there is one.
    """
    from dlprobe.analysis.bias_variance.curve import Point
    from dlprobe.analysis.bias_variance.loss_parts import decompose
    from dlprobe.data.npz_archive import read_arrays

    arrays = read_arrays(path)
    missing = [name for name in ("predictions", "targets") if name not in arrays]
    if missing:
        wanted = (
            "predictions (replicas, samples) or (replicas, samples, classes) and targets (samples)"
        )
        raise DataError(
            f"{path} holds arrays {', '.join(arrays) or 'none'}: expected {wanted}; save with "
            "np.savez(path, predictions=…, targets=…)"
        )
    loss = loss or loss_of(arrays["predictions"], arrays["targets"])
    known: Any = arrays.get("noise") if noise is None and loss == "squared" else noise
    facts: dict[str, Any] = {"predictions": str(path)}
    try:
        if noise == ESTIMATE and loss == "squared":
            if "inputs" not in arrays:
                raise DataError(
                    "--noise-variance estimate needs the samples' inputs: save inputs "
                    "(samples, features) beside predictions and targets"
                )
            from dlprobe.experiments.replica_design import estimated_noise

            known, facts["noise_estimate"] = estimated_noise(arrays["inputs"], arrays["targets"])
        point = Point(None, decompose(arrays["predictions"], arrays["targets"], loss, noise=known))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return point, facts


def loss_of(predictions: Any, targets: Any) -> str:
    """The loss where none is asked for: classes predicted by index or by scores, else numbers."""
    classes = targets.dtype.kind in "bui" and (
        predictions.dtype.kind in "bui" or predictions.ndim == 3
    )
    return "zero-one" if classes else "squared"


def noise_of(text: str | None) -> float | str | None:
    """A variance, or `estimate`. Raises ConfigError."""
    if text is None or text.strip().lower() == ESTIMATE:
        return text and ESTIMATE
    value = read_number(text)
    if not 0.0 <= value < math.inf:
        raise ConfigError(
            f"--noise-variance {text.strip()}: expected a variance, a number of 0 or more, or "
            f"{ESTIMATE}"
        )
    return value
