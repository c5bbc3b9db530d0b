"""What is measured of layers whose numbers are not in the host's memory: PyTorch's own sums in
float64, left on the device until the row is complete.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from dlprobe.nn import observe as o
from dlprobe.nn import recorded_sums
from dlprobe.recorders.definitions import Floats
from dlprobe.recorders.torch.activations import activated, shows_a, way_of
from dlprobe.recorders.torch.call_tables import following_of
from dlprobe.recorders.torch.calls import Call
from dlprobe.recorders.torch.layers import Layer
from dlprobe.recorders.torch.measuring import Measuring, Numbers
from dlprobe.recorders.torch.parameters import Parameters, joined


class OnDevice(Measuring):
    """The sums of `recorded_sums` where the numbers are."""

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[int, torch.Tensor] = {}

    def tables(self, layers: Sequence[Parameters]) -> Any:
        return layers

    def gradients(self, numbers: Numbers, tables: Any, wanted: bool = True) -> None:
        others: dict[int, list[torch.Tensor]] = {}
        for each in tables:
            found, weight = {}, joined(each.weights)
            if weight is not None:
                self._before[each.place] = weight.detach().clone()
            gradient = each.gradient if wanted else None
            if gradient is not None:
                g = gradient.double()
                size = torch.linalg.vector_norm(g)
                found = {
                    o.GRADIENT_L2: size,
                    o.GRADIENT_RMS: size / math.sqrt(g.numel()),
                    o.GRADIENT_MEAN_ABS: g.abs().mean(),
                    o.GRADIENT_VARIANCE: g.var(correction=0),
                    o.NONFINITE_BACKWARD: _nonfinite(g),
                }
            if each.bias is not None:
                found[o.BIAS_RMS] = each.bias.double().square().mean().sqrt()
            beside = None if each.stepped is None or not wanted else joined([each.stepped.grad])
            if beside is not None:
                others.setdefault(each.place, []).append(beside.double().square().sum())
            _note(numbers, each.place, found)
        for place, squares in others.items():
            _note(numbers, place, {recorded_sums.OTHERS: torch.stack(squares).sum()})

    def updates(self, numbers: Numbers, tables: Any) -> None:
        for each in tables:
            after = joined(each.weights)
            if after is None:
                continue
            w = self._before.pop(each.place).double()
            size = torch.linalg.vector_norm(w)
            moved = torch.linalg.vector_norm(after.double() - w)
            found = {
                o.WEIGHT_L2: size,
                o.WEIGHT_RMS: size / math.sqrt(w.numel()),
                o.WEIGHT_MAX_ABS: w.abs().max(),
                o.ZERO_WEIGHT_FRACTION: _share(w == 0),
                o.UPDATE_RATIO: torch.where(size > 0, moved / size, math.nan),
            }
            _note(numbers, each.place, found)

    def input_square(self, x: torch.Tensor) -> torch.Tensor:
        return x.double().square().sum(1)

    def _sum(
        self, numbers: Numbers, calls: Sequence[Call], layers: dict[int, Layer], scale: float
    ) -> None:
        self._row_squares = dict[int, torch.Tensor]()
        for call in calls:
            index = following_of(call, calls)
            following = None if index is None else calls[index]
            self._call(numbers, call, layers[call.place], following, scale)

    def _call(
        self, numbers: Numbers, call: Call, layer: Layer, following: Call | None, scale: float
    ) -> None:
        z, several = call.z.double(), len(call.z) > 1
        found = {
            o.PREACTIVATION_MEAN: z.mean(),
            o.PREACTIVATION_MEAN_SQUARE: z.square().mean(),
            o.NONFINITE_FORWARD: _nonfinite(z),
        }
        if several:
            found[o.PREACTIVATION_VARIANCE] = z.var(correction=0)
        if shows_a(call, layer):
            found |= self._activation(call, layer)
            a = found.pop(-1)
            found[o.NONFINITE_FORWARD] = found[o.NONFINITE_FORWARD] + _nonfinite(a)
        if call.signal is not None:
            signal, factor = call.signal.double(), call.samples / scale
            found[o.ERROR_SIGNAL_RMS] = factor * signal.square().mean().sqrt()
            of_gradient = numbers.pending.get((call.place, o.NONFINITE_BACKWARD), 0)
            found[o.NONFINITE_BACKWARD] = _nonfinite(signal) + of_gradient
            squares = call.input_square
            if squares is None and call.pooled == 1:
                squares = self._row_squares.get(call.source)
            if squares is not None and call.fan_in:
                of_samples = (signal.square().sum(1) * squares).sum()
                size = call.samples * call.fan_in * call.units
                found[o.GRADIENT_SAMPLE_RMS] = factor * (of_samples / size).sqrt()
        if following is not None and following.signal is not None:
            assert call.activation_gradient is not None
            lost = call.activation_gradient.double().abs() < call.tiny
            reached = (following.signal != 0).any(1, keepdim=True)
            found[o.UNDERFLOW_COUNT] = (lost & reached).sum()
        _note(numbers, call.place, found)

    def _activation(self, call: Call, layer: Layer) -> dict[int, torch.Tensor]:
        """Its statistics, and a itself under −1."""
        way = way_of(layer)
        values, given = activated(call, layer, way)
        floor, _, constant, linear, square, flat_below = way.settings
        a = values.double().clamp_min(floor)
        self._row_squares[call.place] = a.square().sum(1)
        active = a > 0
        found = {-1: a, o.ACTIVATION_MEAN: a.mean(), o.ACTIVE_FRACTION: _share(active)}
        if len(call.z) > 1:
            found[o.ACTIVATION_VARIANCE] = a.var(correction=0)
            found[o.ACTIVATION_SAMPLE_VARIANCE] = a.var(0, correction=0).mean()
        if way.slopes == recorded_sums.NO_SLOPES:
            return found
        slopes = active.double()
        if given is not None:
            slopes = given.double().abs()
        elif way.slopes == recorded_sums.OF_A:
            slopes = (constant + a * (linear + square * a)).abs()
        largest = slopes.amax(0)
        found[o.SLOPE_MEAN_SQUARE] = slopes.square().mean()
        bound = torch.tensor(flat_below, dtype=values.dtype).double()  # of a slope's own precision
        found[o.FLAT_FRACTION] = _share(slopes < bound)
        found[o.DEAD_FRACTION] = _share(largest == 0)
        if way.wakes:
            before = self.woken.get(call.place)
            fits = before is not None and before.shape == largest.shape
            self.woken[call.place] = torch.maximum(before, largest) if fits else largest
        return found

    def dead(self, places: Sequence[int]) -> Floats:
        self.woken = {place: sizes.cpu().numpy() for place, sizes in self.woken.items()}
        return super().dead(places)


def _note(numbers: Numbers, place: int, found: dict[int, torch.Tensor]) -> None:
    numbers.pending |= {(place, column): number for column, number in found.items()}


def _share(true: torch.Tensor) -> torch.Tensor:
    return true.double().mean()


def _nonfinite(values: torch.Tensor) -> torch.Tensor:
    return (~values.isfinite()).sum()
