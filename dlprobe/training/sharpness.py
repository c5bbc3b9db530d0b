"""The largest eigenvalue of the Hessian of the data loss, from differences of gradients of a second
net with the same parameters.

The second net has memory of its own, so the one that is trained does not notice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.config import parse_spec
from dlprobe.nn.layers import LayerSpec
from dlprobe.nn.network import Network
from dlprobe.training.measuring import largest_eigenvalue
from dlprobe.training.model import Model

Array = npt.NDArray[Any]
MOST_PRODUCTS = 60
# of the residual; the value's error is its square over the gap
TOLERANCE = {"float32": 1e-3, "float64": 1e-5}


def random_weights(layer: LayerSpec) -> bool:
    """Whether training multiplies with randomly perturbed weights."""
    return layer.transform is not None and layer.transform[0].kind == "perturbation"


class Sharpness:
    """Measures one model, without its random operations, on fixed samples, all in one batch.

    inputs (n, features), targets (n, outputs) and weights (n,) or None, of `dtype`.
    """

    def __init__(
        self,
        model: Model,
        inputs: Array,
        targets: Array,
        weights: Array | None,
        seed: int,
        dtype: str,
    ):
        self._inputs, self._targets, self._weights = inputs, targets, weights
        steady = [
            replace(layer, before=(), transform=None if random_weights(layer) else layer.transform)
            for layer in model.layers
        ]
        self._net = Network(
            steady,
            model.loss,
            parse_spec("optimizer", "sgd"),
            batch=len(inputs),
            seed=seed,
            dtype=dtype,
            keep_gradients=True,
        )
        self._start = np.random.default_rng(0).standard_normal(len(self._net.parameters))

    def largest_eigenvalue(self, parameters: Array) -> float:
        """Largest eigenvalue of the Hessian of the loss on the fixed samples, at these parameters
        (P,); NaN where a gradient is not finite.
        """
        centre = parameters.astype(np.float64)
        if not np.isfinite(centre).all():
            return float("nan")
        reach = float(np.cbrt(np.finfo(self._net.dtype).eps)) * max(
            1.0, float(np.linalg.norm(centre))
        )

        def product(direction: Array) -> Array:
            there, back = (self._gradient(centre + side * reach * direction) for side in (1, -1))
            difference: Array = (there - back) / (2 * reach)
            return difference

        return largest_eigenvalue(
            product, self._start, tolerance=TOLERANCE[self._net.dtype.name], most=MOST_PRODUCTS
        )

    def _gradient(self, parameters: Array) -> Array:
        """The batch's gradient in training mode, without a step: the rate is 0."""
        self._net.parameters[:] = parameters
        self._net.gradients[:] = np.nan  # stays where the forward pass meets infinity
        self._net.train(self._inputs, self._targets, 0, np.zeros(1), self._weights)
        gradient: Array = self._net.gradients.astype(np.float64)
        return gradient
