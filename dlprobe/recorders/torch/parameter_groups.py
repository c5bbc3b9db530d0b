"""What is summed of one tensor per layer: gradients, weights and their updates, norms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dlprobe.recorders import definitions
from dlprobe.recorders.torch.groups import (
    Floats,
    Group,
    Numbers,
    Remeasured,
    Scratch,
    Sums,
    array_of,
    norm,
)

CANCELS = 16  # by how much rounding errors of a variance E x² − (E x)² may grow


class Gradients(Remeasured):
    """dL/dW: Σ g, ‖g‖ and Σ |g|. scaled: still multiplied by the loss's scale when it is
    measured, and changed when the optimizer steps.
    """

    kind = "gradient"
    trusted = ("gradient_norm",)

    def __init__(
        self, ranks: Sequence[int], wide: bool, scratch: Scratch, size: int, scaled: bool
    ) -> None:
        super().__init__(ranks, wide, scratch)
        self.size, self.scaled = size, scaled

    def sums(self, tensors: Sequence[torch.Tensor]) -> Sums:
        self.tensors = tensors
        g = self.scratch.stacked(("gradient", *self.ranks), tensors, self.wide).reshape(
            len(tensors), self.size
        )
        return {
            "gradient_sum": g.sum(1),
            "gradient_norm": norm(g, 1),
            "gradient_abs": torch.abs(g, out=self.scratch.like("centred", g.shape, g)).sum(1),
        }

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        factor = n["scale"] if self.scaled else 1.0
        size, mean, l2 = (
            self.size,
            n["gradient_sum"] / factor / self.size,
            n["gradient_norm"] / factor,
        )
        return {
            "gradient_rms": l2 / math.sqrt(size),
            "gradient_l2": l2,
            "gradient_mean_abs": n["gradient_abs"] / factor / size,
            "gradient_variance": l2**2 / size - mean**2,
            "nonfinite_backward": np.zeros_like(l2),
        }

    def doubtful(
        self, n: Mapping[str, Floats], failed: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        mean_square = n["gradient_norm"] ** 2 / self.size
        return failed | ~(
            (mean_square - (n["gradient_sum"] / self.size) ** 2) * CANCELS >= mean_square
        )

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        gradient = array_of(self.tensors[index]) / np.float64(scale if self.scaled else 1.0)
        return definitions.of_gradient(gradient), {
            "nonfinite_backward": definitions.nonfinite(gradient)
        }

    def release(self) -> None:
        self.tensors = ()


class Weights(Remeasured):
    """W before the update: its norm, the largest and the smallest size. A copy is kept until
    the optimizer has stepped.
    """

    kind = "weight"
    trusted = ("weight_norm",)

    def __init__(self, ranks: Sequence[int], wide: bool, scratch: Scratch, size: int) -> None:
        super().__init__(ranks, wide, scratch)
        self.size = size
        self.exact: dict[int, float] = {}

    def sums(self, tensors: Sequence[torch.Tensor]) -> Sums:
        self.copies = self.scratch.stacked(("before", *self.ranks), tensors, copy=True)
        self.flat, self.exact = self.copies.reshape(len(tensors), self.size), {}
        sizes = torch.abs(self.flat, out=self.scratch.like("centred", self.flat.shape, self.flat))
        self.norm = norm(self.scratch.widened(self.flat) if self.wide else self.flat, 1)
        return {
            "weight_norm": self.norm,
            "weight_largest": sizes.amax(1),
            "weight_smallest": sizes.amin(1),
        }

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        l2 = n["weight_norm"]
        return {
            "weight_rms": l2 / math.sqrt(self.size),
            "weight_l2": l2,
            "weight_max_abs": n["weight_largest"],
            "zero_weight_fraction": np.zeros_like(l2),
        }

    def doubtful(
        self, n: Mapping[str, Floats], failed: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        return failed | ~(n["weight_smallest"] > 0)

    def floors(self) -> dict[str, Any]:
        return {"weight_smallest": np.nextafter(0.0, 1.0)}

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        values = definitions.of_weights(array_of(self.flat[index]))
        self.exact[index] = values["weight_l2"]
        return values, {}


class Updates(Remeasured):
    """The norm of ΔW, which is made in the copies of W. moved: which layers the optimizers step."""

    kind = "update"
    trusted = ("change",)

    def __init__(self, weights: Weights, wide: bool, moved: Sequence[bool]) -> None:
        super().__init__(weights.ranks, wide, weights.scratch)
        self.size = weights.size
        self.weights, self.unmoved = weights, np.where(moved, 0.0, math.nan)

    def sums(self, tensors: Sequence[torch.Tensor]) -> Sums:
        torch._foreach_sub_(self.weights.copies.unbind(), list(tensors))
        change = self.weights.flat
        return {
            "change": norm(self.scratch.widened(change) if self.wide else change, 1),
            "weight_norm": self.weights.norm,
        }

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        return {
            "update_ratio": n["change"] / np.where(n["weight_norm"] > 0, n["weight_norm"], math.nan)
            + self.unmoved
        }

    def failed(self, n: Mapping[str, Floats]) -> npt.NDArray[np.bool_]:
        known = np.array([index in self.weights.exact for index in range(len(self.ranks))])
        return (super().failed(n) | known) & ~np.isnan(self.unmoved)

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        change = float(np.linalg.norm(array_of(self.weights.flat[index]).astype(np.float64)))
        size = self.weights.exact.get(index, float(self.weights.norm[index]))
        return {"update_ratio": change / size if size > 0 else math.nan}, {}


class Others(Group):
    """The norm of the gradients that are of no layer's W, for the norm of the whole gradient:
    no statistic of a layer.
    """

    def __init__(self, kind: str, scratch: Scratch, scaled: bool) -> None:
        super().__init__((), False, scratch)
        self.kind, self.scaled = kind, scaled

    def sums(self, tensors: Sequence[torch.Tensor]) -> Sums:
        return {self.kind: norm(torch.cat([tensor.reshape(-1) for tensor in tensors]), 0)}

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        return {}


class Norms(Group):
    """The norm of one tensor per layer, which becomes one statistic. roots: sizes whose roots
    it is divided by, for a root mean square.
    """

    kind = "norm"

    def __init__(
        self,
        ranks: Sequence[int],
        scratch: Scratch,
        name: str,
        divisors: Sequence[float],
        scaled: bool,
        wide: bool,
    ) -> None:
        super().__init__(ranks, wide, scratch)
        self.name, self.divisors, self.scaled = name, np.array(divisors), scaled

    def sums(self, tensors: Sequence[torch.Tensor]) -> Sums:
        if not self.wide:
            return {self.name: torch.stack(torch._foreach_norm(list(tensors)))}
        return {
            self.name: torch.stack(
                [torch.linalg.vector_norm(tensor, dtype=torch.float64) for tensor in tensors]
            )
        }

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        return {self.name: n[self.name] / self.divisors / (n["scale"] if self.scaled else 1.0)}
