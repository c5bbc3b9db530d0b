"""Sums over tensors on their own device, for several layers of one shape at once; the host makes statistics of them.

Sums run in the tensors' own dtype (float32), in which squares of 1e-24 are 0. Where a sum cannot be
trusted its layer is measured again from its numbers, by the
definitions in float64, and its group is widened to float64 before it is summed from then on. Measured
on one core, 128 × 300: sum 2 µs, norm 3, copy 2, comparison into
floats 3; but torch.var_mean 550, (x > 0).sum() 47, isfinite 150: the slow ones are avoided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

Sums: TypeAlias = dict[str, torch.Tensor]
Floats: TypeAlias = npt.NDArray[np.float64]
LOW, HIGH = 1e-13, 1e15  # norms whose squares a float32 holds


def norm(values: torch.Tensor, *dims: int) -> torch.Tensor:
    """Euclidean norm over some axes."""
    return torch.linalg.vector_norm(values, dim=dims)


class Memory(Protocol):
    """Where intermediate numbers go."""

    def like(self, key: Any, shape: Sequence[int], model: torch.Tensor) -> torch.Tensor: ...


def of_preactivation(z: torch.Tensor, memory: Memory) -> Sums:
    """Of z (layer, rows, units): Σ z, and ‖z − mean‖ over rows and units."""
    total = z.sum((1, 2))
    mean = (total / z[0].numel()).view(-1, 1, 1)
    return {"z_sum": total, "z_spread": norm(torch.sub(z, mean, out=memory.like("centred", z.shape, z)), 1, 2)}


def of_activation(a: torch.Tensor, is_relu: bool, memory: Memory) -> Sums:
    """Of a (layer, rows, units): Σ a, ‖a − mean of its unit‖, the spread of the units' means, how many a > 0, and of relu the dead units."""
    rows, units = a.shape[1:]
    means = a.sum(1, keepdim=True) / rows
    of_layer = means.sum((1, 2), keepdim=True) / units
    scratch = memory.like("centred", a.shape, a)
    active = torch.gt(a, 0, out=scratch).sum(1)
    within = norm(torch.sub(a, means, out=scratch), 1, 2)
    found = {"a_mean": of_layer.view(-1), "a_within": within, "a_between": norm(means - of_layer, 1, 2), "active": active.sum(1)}
    if is_relu:
        found["dead"] = torch.eq(active, 0, out=torch.empty_like(active)).sum(1)
    return found


def of_slopes(slopes: torch.Tensor, flat_below: float) -> Sums:
    """Of φ'(z) (layer, rows, units): its norm, how many elements are flat, and how many units are 0 on every row."""
    size = slopes.abs()
    flat = torch.lt(size, flat_below, out=torch.empty_like(size)).sum((1, 2))
    largest = size.amax(1)
    return {"slope_norm": norm(slopes, 1, 2), "flat": flat, "dead": torch.eq(largest, 0, out=torch.empty_like(largest)).sum(1)}


def of_error_signal(signal: torch.Tensor, input_norms: torch.Tensor | None) -> Sums:
    """Of dL/dz (layer, rows, units): its norm; with ‖x_i‖ (layer, rows) also √Σ ‖x_i‖²‖δ_i‖²."""
    rows = norm(signal, 2)
    found = {"signal_norm": norm(rows, 1)}
    if input_norms is not None:
        found["sample_norm"] = norm(rows * input_norms, 1)
    return found


def of_activation_gradient(gradient: torch.Tensor, memory: Memory) -> Sums:
    """Of dL/da (layer, rows, units): its smallest size."""
    return {"smallest": torch.abs(gradient, out=memory.like("size", gradient.shape, gradient)).amin((1, 2))}


def of_gradient(gradient: torch.Tensor, memory: Memory) -> Sums:
    """Of dL/dW (layer, parameter): Σ g, ‖g‖ and Σ |g|."""
    return {
        "gradient_sum": gradient.sum(1),
        "gradient_norm": norm(gradient, 1),
        "gradient_abs": torch.abs(gradient, out=memory.like("size", gradient.shape, gradient)).sum(1),
    }


def of_weights(weights: torch.Tensor, memory: Memory) -> Sums:
    """Of W (layer, parameter): ‖W‖, the largest and the smallest size."""
    size = torch.abs(weights, out=memory.like("size", weights.shape, weights))
    return {"weight_norm": norm(weights, 1), "weight_largest": size.amax(1), "weight_smallest": size.amin(1)}


def slopes_by_autograd(again: Callable[[torch.Tensor], torch.Tensor], argument: torch.Tensor) -> torch.Tensor:
    """φ'(z) of an elementwise activation, of the shape of the argument."""
    with torch.enable_grad():
        point = argument.detach().requires_grad_()
        (slopes,) = torch.autograd.grad(again(point).sum(), point)
    return slopes


# --- on the host ---------------------------------------------------------------------------------------------------------------------------------------------


def preactivation_statistics(n: Mapping[str, Floats], count: int, rows: int) -> dict[str, Floats]:
    """From the sums of count = rows · units elements."""
    mean, variance = n["z_sum"] / count, n["z_spread"] ** 2 / count
    return {
        "preactivation_mean": mean,
        "preactivation_variance": variance if rows > 1 else np.full_like(variance, math.nan),
        "preactivation_mean_square": variance + mean**2,
    }


def activation_statistics(n: Mapping[str, Floats], rows: int, units: int) -> dict[str, Floats]:
    within, between = n["a_within"] ** 2 / (rows * units), n["a_between"] ** 2 / units
    unknown = np.full_like(within, math.nan)
    return {
        "activation_mean": n["a_mean"],
        "activation_variance": within + between if rows > 1 else unknown,
        "activation_sample_variance": within if rows > 1 else unknown,
        "active_fraction": n["active"] / (rows * units),
    }


def slope_statistics(n: Mapping[str, Floats], rows: int, units: int, is_relu: bool) -> dict[str, Floats]:
    if is_relu:
        share = n["active"] / (rows * units)
        return {"slope_mean_square": share, "flat_fraction": 1.0 - share, "dead_fraction": n["dead"] / units}
    return {"slope_mean_square": n["slope_norm"] ** 2 / (rows * units), "flat_fraction": n["flat"] / (rows * units), "dead_fraction": n["dead"] / units}


def gradient_statistics(n: Mapping[str, Floats], size: int) -> dict[str, Floats]:
    mean_square, mean = n["gradient_norm"] ** 2 / size, n["gradient_sum"] / size
    return {
        "gradient_rms": np.sqrt(mean_square),
        "gradient_l2": n["gradient_norm"],
        "gradient_mean_abs": n["gradient_abs"] / size,
        "gradient_variance": mean_square - mean**2,
    }


def weight_statistics(n: Mapping[str, Floats], size: int) -> dict[str, Floats]:
    return {"weight_rms": n["weight_norm"] / math.sqrt(size), "weight_l2": n["weight_norm"], "weight_max_abs": n["weight_largest"]}


def on_host(groups: list[Sums]) -> list[dict[str, Floats]]:
    """The sums of several groups on the host, by one transfer per device."""
    flat = [(index, name, tensor.reshape(-1)) for index, sums in enumerate(groups) for name, tensor in sums.items()]
    found: list[dict[str, Floats]] = [{} for _ in groups]
    by_device: dict[Any, list[tuple[int, str, torch.Tensor]]] = {}
    for each in flat:
        by_device.setdefault(each[2].device, []).append(each)
    for entries in by_device.values():
        numbers = np.array(torch.cat([tensor for _, _, tensor in entries]).tolist(), np.float64)
        start = 0
        for index, name, tensor in entries:
            found[index][name] = numbers[start : start + len(tensor)]
            start += len(tensor)
    return found
