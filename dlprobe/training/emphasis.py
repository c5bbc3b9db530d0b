"""What training changes of its targets and samples: label smoothing and class weights.
Evaluations keep plain targets, all samples counting alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.config import FieldError, RunConfig
from dlprobe.data import PreparedData
from dlprobe.registry import Spec, counted

Array = npt.NDArray[Any]


def refuse_impossible(config: RunConfig, loss: Spec, data: PreparedData) -> None:
    """Raise ConfigError where class weights, label smoothing or mixup have nothing to act on."""
    training = config.training
    if training.label_smoothing > 0 and data.task == "regression":
        raise training.unfit(
            "label_smoothing", "the data is regression, it has no class labels: expected 0"
        )
    for key in ("label_smoothing", "mixup") if data.task == "classification" else ():
        if getattr(training, key) > 0 and not loss.record.soft_targets:
            raise training.unfit(
                key,
                f"loss = {loss} takes whole classes, not shares of them: expected 0, or another "
                "loss, e.g. cross_entropy",
            )
    if training.class_weights is not None:
        class_weights(training.class_weights, data)


def smoothed(targets: Array, smoothing: float, independent: bool) -> Array:
    """y(1 − ε) + ε/C of one-hot rows (samples, C), as PyTorch's CrossEntropyLoss; of outputs
    that say yes or no each y(1 − ε) + ε/2, as Keras.
    """
    if smoothing == 0:
        return targets
    share = 0.5 if independent else 1.0 / targets.shape[1]
    return (targets * (1.0 - smoothing) + smoothing * share).astype(targets.dtype)


def class_weights(given: tuple[float, ...] | str, data: PreparedData) -> npt.NDArray[np.float64]:
    """The weight of each class, scaled so that the training samples' mean weight is 1: the learning
    rate keeps its meaning.

    balanced: n/(C n_k) for the C classes that the training part has (scikit-learn's). Raises
        ConfigError for regression, a list of another length, and weights that are 0 for every class
        of the training part.
    """
    shown = given if isinstance(given, str) else ",".join(f"{weight:g}" for weight in given)
    if data.task == "regression":
        raise FieldError(
            "training",
            "class_weights",
            shown,
            "the data is regression, it has no classes: expected none",
        )
    counts = data.class_counts["train"].astype(np.float64)
    if isinstance(given, str):
        weights = np.divide(1.0, counts, out=np.zeros_like(counts), where=counts > 0)
    elif len(given) != len(counts):
        raise FieldError(
            "training",
            "class_weights",
            shown,
            f"{len(given)} weights for {counted(len(counts), 'class', 'classes')}: expected "
            "one each",
        )
    else:
        weights = np.array(given, np.float64)
    total = float(weights @ counts)
    if not total > 0:
        raise FieldError(
            "training",
            "class_weights",
            shown,
            "every class of the training part weighs 0: expected a number > 0 for one of them",
        )
    return np.asarray(weights * (counts.sum() / total))


def sample_weights(config: RunConfig, data: PreparedData) -> Array | None:
    """The weight of each training sample (samples,) in the run's dtype; None where all weigh 1.

    A batch's loss is the mean of w_i ℓ_i, as in Keras. PyTorch divides by the batch's Σ w_i
    instead: then a batch of one class, or of one sample, is not weighted at all, and rare classes
    weigh less the smaller the batch. On the whole training part both are the same.
    """
    given = config.training.class_weights
    if given is None:
        return None
    return class_weights(given, data)[data.targets["train"]].astype(config.training.dtype)
