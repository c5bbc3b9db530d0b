"""How the steps of a training are measured: groups that are made once for all steps that look
alike, and rows that wait as plain sums until there are many of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from dlprobe import registry
from dlprobe.recorders.torch.call_groups import Activations, ErrorSignals, Preactivations, Returning
from dlprobe.recorders.torch.calls import Call
from dlprobe.recorders.torch.groups import HIGH, Floats, Group, OfCalls, Remeasured, Scratch, Sums
from dlprobe.recorders.torch.layers import Layer
from dlprobe.recorders.torch.parameter_groups import CANCELS, Gradients, Others

FINITE = float(np.finfo(np.float64).max)
STATISTICS = {name: index for index, name in enumerate(registry.records("statistic"))}


@dataclass
class Measured:
    """The sums of one moment of a step on the host. overrides: of layers measured again, statistics
    by rank that replace those of the sums; counts: that add up.
    """

    plan: Plan
    numbers: Floats
    overrides: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    counts: list[tuple[int, dict[str, float]]] = field(default_factory=list)


class Plan:
    """Some groups, and where their sums stand in the numbers of a step."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.groups = list(groups)
        self.places: list[dict[str, slice]] = []

    def measure(self, sums: Sequence[Sums], scale: float, wide: set[Any]) -> Measured:
        """The sums on the host, by one transfer, and what has to be measured again. Layers of which
        float32 failed are noted in `wide`: their groups are to be made
        anew, in float64."""
        if not self.places:
            self._lay_out(sums)
        found = Measured(
            self,
            _on_host([tensor.reshape(-1) for group_sums in sums for tensor in group_sums.values()]),
        )
        if self._all_well(found.numbers):
            return found
        for group, places in zip(self.groups, self.places, strict=True):
            if not isinstance(group, Remeasured):
                continue
            own = {name: found.numbers[place] for name, place in places.items()}
            failed = group.failed(own)
            doubtful = group.doubtful(own, failed)
            if not doubtful.any():
                continue
            if failed.any() and not group.wide:
                wide.add((group.kind, *group.ranks))
            for index in np.flatnonzero(doubtful).tolist():
                replaced, counted = group.again(index, scale)
                found.overrides.append((group.ranks[index], replaced))
                found.counts.append((group.ranks[index], counted))
        return found

    def places_of(self, name: str) -> list[int]:
        """Where the numbers of a sum stand."""
        return [
            place
            for places in self.places
            if name in places
            for place in range(places[name].start, places[name].stop)
        ]

    def squares_of(self, kind: str, numbers: Floats, scale: float) -> float:
        """The sum of squares of the norms that groups of a kind (`Others`) have in the numbers
        of a step.
        """
        total = 0.0
        for group, places in zip(self.groups, self.places, strict=True):
            if isinstance(group, Others) and group.kind == kind and places:
                total += float(
                    np.sum((numbers[places[kind]] / (scale if group.scaled else 1.0)) ** 2)
                )
        return total

    def _lay_out(self, sums: Sequence[Sums]) -> None:
        start = 0
        for group_sums in sums:
            places = {}
            for name, tensor in group_sums.items():
                places[name] = slice(start, start + tensor.numel())
                start += tensor.numel()
            self.places.append(places)
        self._low, self._high = np.full(start, -math.inf), np.full(start, math.inf)
        spread: list[tuple[slice, slice, float]] = []
        for group, places in zip(self.groups, self.places, strict=True):
            if not isinstance(group, Remeasured):
                continue
            for name in group.trusted:
                self._low[places[name]], self._high[places[name]] = (
                    (0.0, FINITE) if group.wide else (group.low, HIGH)
                )
            for name, floor in group.floors().items():
                self._low[places[name]] = np.maximum(self._low[places[name]], floor)
            if isinstance(group, Gradients):
                spread.append((places["gradient_norm"], places["gradient_sum"], group.size))
        self._norms = np.concatenate(
            [np.arange(share[0].start, share[0].stop) for share in spread]
            or [np.zeros(0, np.int64)]
        )
        self._totals = np.concatenate(
            [np.arange(share[1].start, share[1].stop) for share in spread]
            or [np.zeros(0, np.int64)]
        )
        sizes = [np.full(share[0].stop - share[0].start, share[2], np.float64) for share in spread]
        self._sizes = np.concatenate(sizes or [np.zeros(0)]) * (1.0 - 1.0 / CANCELS)

    def _all_well(self, numbers: Floats) -> bool:
        """Whether nothing has to be measured again: the questions of all groups at once."""
        with np.errstate(all="ignore"):
            if not ((numbers >= self._low) & (numbers <= self._high)).all():
                return False
            return bool(
                (numbers[self._norms] ** 2 * self._sizes >= numbers[self._totals] ** 2).all()
            )

    def statistics(self, numbers: Floats, scale: Floats, values: Floats) -> None:
        """Fill values (step, statistic, layer) from numbers (step, sum) of the steps, by the
        groups' formulas. scale: (step, 1).
        """
        for group, places in zip(self.groups, self.places, strict=True):
            own = {name: numbers[:, place] for name, place in places.items()}
            for name, found in group.statistics({**own, "scale": scale}).items():
                values[:, STATISTICS[name], group.ranks] = found

    def release(self) -> None:
        for group in self.groups:
            group.release()


def _on_host(tensors: Sequence[torch.Tensor]) -> Floats:
    """All numbers of a step in float64."""
    if not tensors:
        return np.zeros(0)
    devices = {tensor.device for tensor in tensors}
    if len(devices) > 1:  # a model in parts
        return np.concatenate([tensor.cpu().double().numpy() for tensor in tensors])
    return torch.cat(list(tensors)).double().cpu().numpy()


def plan_of_calls(
    calls: Sequence[Call],
    layers: Mapping[int, Layer],
    ranks: Mapping[int, int],
    scratch: Scratch,
    wide: set[Any],
) -> Plan:
    """The groups of the forward and the backward pass."""
    by_place = {call.place: index for index, call in enumerate(calls)}
    grouped: dict[Any, list[int]] = {}
    for index, call in enumerate(calls):
        key = (
            call.rows,
            call.units,
            call.samples,
            tuple(name for name in call.arrays if name != "input_norms"),
            call.z.device,
            call.z.dtype,
            call.inputs is not None,
            layers[call.place].key,
        )
        grouped.setdefault(key, []).append(index)
    groups: list[Group] = []
    activations: dict[int, tuple[Activations, int]] = {}
    signals: list[ErrorSignals] = []
    for indices in grouped.values():
        layer, own = (
            layers[calls[indices[0]].place],
            [ranks[calls[index].place] for index in indices],
        )

        def made(
            kind: type[OfCalls],
            layer: Layer = layer,
            own: list[int] = own,
            indices: list[int] = indices,
        ) -> Any:
            return kind(own, (kind.kind, *own) in wide, scratch, calls, indices, layer)

        before: Preactivations = made(Preactivations)
        groups.append(before)
        if shows_a(layer, [calls[index] for index in indices]):
            activation: Activations = made(Activations)
            activation.prepare(before)
            groups.append(activation)
            activations |= {
                calls[index].place: (activation, place) for place, index in enumerate(indices)
            }
        if calls[indices[0]].signal is not None:
            signals.append(made(ErrorSignals))
        returned = [index for index in indices if comes_back(calls[index], calls, by_place)]
        if returned:
            returning = Returning(
                [ranks[calls[index].place] for index in returned],
                False,
                scratch,
                calls,
                returned,
                layer,
            )
            returning.prepare(calls, by_place)
            groups.append(returning)
    for group in signals:
        own_calls = [calls[index] for index in group.indices]
        group.prepare(
            calls,
            [
                activations.get(call.source)
                if call.input_norms is None and call.pooled == 1
                else None
                for call in own_calls
            ],
        )
    return Plan([*groups, *signals])


def shows_a(layer: Layer, calls: Sequence[Call]) -> bool:
    """Whether a layer's activation can be measured."""
    if layer.after == "hidden" or layer.needs_loss or (not layer.after and layer.again is None):
        return False
    lacking = [
        call
        for call in calls
        if (layer.takes_norm and call.normed is None)
        or (layer.after == "sum" and call.after is None)
    ]
    return not lacking


def comes_back(call: Call, calls: Sequence[Call], by_place: Mapping[int, int]) -> bool:
    """Whether dL/da is there, and the error signal of the layer that it came through."""
    if call.activation_gradient is None or call.pooled > 1 or call.feeds not in by_place:
        return False
    following = calls[by_place[call.feeds]]
    return (
        following.signal is not None
        and following.rows == call.rows
        and call.activation_gradient.shape == call.z.shape
    )


def signature(calls: Sequence[Call], layers: Mapping[int, Layer]) -> tuple[Any, ...]:
    """What two steps share that can be measured by one plan."""
    return tuple(
        (
            call.place,
            call.z.shape,
            call.z.dtype,
            call.samples,
            call.pooled,
            call.feeds,
            call.source,
            call.normed is None,
            call.after is None,
            call.signal is None,
            call.activation_gradient is None,
            call.input_norms is None,
            call.inputs is None,
            layers[call.place].needs_loss,
        )
        for call in calls
    )


def filled(rows: int, layers: int) -> Floats:
    """Values (step, statistic, layer) that are not known yet."""
    return np.full((rows, len(STATISTICS), layers), math.nan)
