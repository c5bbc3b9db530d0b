"""From what was kept of a step to one row of statistics: sums on the device first, one transfer, then statistics on the host."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from dlprobe import registry
from dlprobe.recorders import definitions
from dlprobe.recorders.torch import reductions as r
from dlprobe.recorders.torch.calls import Call, grouped
from dlprobe.recorders.torch.layers import Layer

Floats = r.Floats
MOST = 256  # pieces of scratch memory
CANCELS = 16  # by how much rounding errors of a variance E x² − (E x)² may grow


STATISTICS = {name: index for index, name in enumerate(registry.records("statistic"))}


class Table:
    """Statistics of one step, `values` (statistic, layer) in the order of the registry; NaN until they are set."""

    def __init__(self, layers: int) -> None:
        self.values = np.full((len(STATISTICS), layers), math.nan)

    def __getitem__(self, name: str) -> Floats:
        """(layer,): a view."""
        return self.values[STATISTICS[name]]

    def put(self, places: Any, values: Mapping[str, Floats | float]) -> None:
        """Set statistics of some layers."""
        for name, numbers in values.items():
            self.values[STATISTICS[name], places] = numbers

    def add(self, places: Any, name: str, number: float) -> None:
        """Add to a count of which each part gives some."""
        before = self.values[STATISTICS[name], places]
        self.values[STATISTICS[name], places] = np.where(np.isnan(before), 0.0, before) + number


class Scratch:
    """Memory that is used again at every step: new memory of a megabyte costs its page faults, up to a millisecond."""

    def __init__(self) -> None:
        self._known: dict[Any, torch.Tensor] = {}

    def like(self, key: Any, shape: Sequence[int], model: torch.Tensor, wide: bool = False) -> torch.Tensor:
        """Memory of a shape on the model's device, in its type or in float64; the same for the same key."""
        dtype = torch.float64 if wide else model.dtype
        whole = (key, tuple(shape), dtype, model.device)
        if whole not in self._known:
            if len(self._known) >= MOST:  # batches of ever new shapes
                self._known.clear()
            self._known[whole] = torch.empty(tuple(shape), dtype=dtype, device=model.device)
        return self._known[whole]

    def stacked(self, key: Any, tensors: Sequence[torch.Tensor], wide: bool, copy: bool = False) -> torch.Tensor:
        """(layer, …) of tensors of one shape. A single one is not copied unless that is asked for."""
        if len(tensors) == 1 and not wide and not copy:
            return tensors[0].detach().unsqueeze(0)
        out = self.like((key, len(tensors)), (len(tensors), *tensors[0].shape), tensors[0])
        torch.stack(list(tensors), out=out)
        return self.like((key, "wide"), out.shape, out, wide=True).copy_(out) if wide else out


@dataclass
class Part:
    """Sums of some layers, and what makes statistics of them once they are on the host."""

    sums: r.Sums
    finish: Callable[[dict[str, Floats], Table], None]


class Summing:
    """Makes the parts of a row. Groups whose sums could not be trusted once are summed in float64 from then on."""

    def __init__(self) -> None:
        self._wide: set[Any] = set()
        self._scratch = Scratch()

    def table(self, count: int, parts: Sequence[Part]) -> Table:
        """The row that the parts make."""
        table = Table(count)
        with np.errstate(all="ignore"):
            for part, numbers in zip(parts, r.on_host([part.sums for part in parts]), strict=True):
                part.finish(numbers, table)
        return table

    def of_calls(self, calls: Sequence[Call], layers: Mapping[int, Layer], rank: Mapping[int, int], scale: Callable[[], float]) -> list[Part]:
        """Of the forward and backward pass. rank: the row of each site; scale: what losses were
        multiplied by before the backward pass, known when finishing."""
        parts: list[Part] = []
        for group in grouped(calls, [layers[call.place].key for call in calls]):
            places = [rank[call.place] for call in group]
            parts += [self._forward(group, places), *self._activation(group, places, layers[group[0].place]), *self._backward(group, places, scale)]
        by_place = {call.place: call for call in calls}
        return [*parts, *self._coming_back(calls, by_place, layers, rank)]

    def _forward(self, group: list[Call], places: list[int]) -> Part:
        rows, units = group[0].rows, group[0].units
        key = ("z", rows, units)
        wide = key in self._wide

        def finish(numbers: dict[str, Floats], table: Table) -> None:
            table.put(places, r.preactivation_statistics(numbers, rows * units, rows))
            table.add(places, "nonfinite_forward", 0.0)
            for index in self._doubtful(key, wide, numbers["z_spread"]):
                z = _array(group[index].z)
                table.put(places[index], definitions.of_preactivation(z))
                table.add(places[index], "nonfinite_forward", definitions.nonfinite(z))

        z = self._scratch.stacked(("z", units), [call.z for call in group], wide)
        return Part(r.of_preactivation(z, self._scratch), finish)

    def _activation(self, group: list[Call], places: list[int], layer: Layer) -> list[Part]:
        """Of a and its slopes, where they are seen."""
        rows, units = group[0].rows, group[0].units
        key = ("a", rows, units, layer.key)
        wide = key in self._wide
        if layer.after == "hidden" or layer.needs_loss or any(_lacks(call, layer) for call in group):
            return []
        normed = bool(layer.norm) and not layer.norm_after

        def argument_of(call: Call) -> torch.Tensor:
            return _given(call.normed if normed else call.z)

        argument = self._scratch.stacked(key, [argument_of(call) for call in group], wide)
        value = self._again(layer, argument)
        shown = [_given(call.normed if layer.after == "norm" else call.after) for call in group] if layer.after else []
        a = self._scratch.stacked((key, "a"), shown, wide) if shown else value
        assert a is not None
        same = a is value
        sums = r.of_activation(a, layer.is_relu and same, self._scratch)
        if layer.has_slopes and not (layer.is_relu and same):
            assert layer.again is not None
            sums |= {f"slope_{name}" if name == "dead" else name: each for name, each in self._slopes(layer, argument).items()}

        def finish(numbers: dict[str, Floats], table: Table) -> None:
            table.put(places, r.activation_statistics(numbers, rows, units))
            if layer.has_slopes:
                fast = layer.is_relu and same
                table.put(places, r.slope_statistics(numbers if fast else {**numbers, "dead": numbers["slope_dead"]}, rows, units, fast))
            for index in self._doubtful(key, wide, numbers["a_within"]):
                array = np.maximum(_array(argument_of(group[index])), 0) if same and layer.is_relu else _array(a[index])
                table.put(places[index], definitions.of_activation(array))
                table.add(places[index], "nonfinite_forward", definitions.nonfinite(array))

        return [Part(sums, finish)]

    def _again(self, layer: Layer, argument: torch.Tensor) -> torch.Tensor | None:
        """The activation of its argument."""
        if layer.is_relu and layer.again is not None:
            return torch.clamp_min(argument, 0, out=self._scratch.like("relu", argument.shape, argument))
        return None if layer.again is None else layer.again(argument)

    def _slopes(self, layer: Layer, argument: torch.Tensor) -> r.Sums:
        if layer.activation == "linear":
            ones = torch.ones(len(argument), dtype=argument.dtype, device=argument.device)
            count = argument[0].numel()
            return {"slope_norm": ones * math.sqrt(count), "flat": ones * 0, "dead": ones * 0}
        assert layer.again is not None
        return r.of_slopes(r.slopes_by_autograd(layer.again, argument), layer.flat_below)

    def _backward(self, group: list[Call], places: list[int], scale: Callable[[], float]) -> list[Part]:
        """Of the error signal, and of each sample's own gradient."""
        if group[0].signal is None:
            return []
        rows, units, samples = group[0].rows, group[0].units, group[0].samples
        key = ("signal", rows, units)
        wide = key in self._wide
        input_norms = None if group[0].input_norms is None else self._scratch.stacked((key, "x"), [_given(call.input_norms) for call in group], wide)

        def finish(numbers: dict[str, Floats], table: Table) -> None:
            factor = samples / scale()
            table.put(places, {"error_signal_rms": factor * numbers["signal_norm"] / math.sqrt(rows * units)})
            table.add(places, "nonfinite_backward", 0.0)
            fan_in = np.array([call.fan_in for call in group], np.float64)
            if "sample_norm" in numbers:
                table.put(places, {"gradient_sample_rms": factor * numbers["sample_norm"] / np.sqrt(samples * fan_in * units)})
            for index in self._doubtful(key, wide, numbers["signal_norm"]):
                self._signal_again(group[index], places[index], factor, table)
            for index, call in enumerate(group):
                if call.inputs is not None and call.signal is not None:
                    signal = _array(call.signal).reshape(*call.inputs.shape[:2], units)
                    own = definitions.sample_gradient_rms(_array(call.inputs), signal, samples) / scale()
                    table.put(places[index], {"gradient_sample_rms": own})

        signal = self._scratch.stacked(key, [_given(call.signal) for call in group], wide)
        return [Part(r.of_error_signal(signal, input_norms), finish)]

    @staticmethod
    def _signal_again(call: Call, place: int, factor: float, table: Table) -> None:
        assert call.signal is not None
        signal = _array(call.signal)
        found = {"error_signal_rms": factor * definitions.root_mean_square(signal)}
        if call.input_norms is not None:
            product = np.linalg.norm(signal.astype(np.float64), axis=1) * _array(call.input_norms)
            found["gradient_sample_rms"] = factor * float(np.linalg.norm(product)) / math.sqrt(call.samples * call.fan_in * call.units)
        table.put(place, found)
        table.add(place, "nonfinite_backward", definitions.nonfinite(signal))

    def _coming_back(self, calls: Sequence[Call], by_place: Mapping[int, Call], layers: Mapping[int, Layer], rank: Mapping[int, int]) -> list[Part]:
        """Of dL/da: numbers that the way back from the next layer lost."""
        given = [call for call in calls if call.activation_gradient is not None and call.pooled == 1 and call.feeds in by_place]
        given = [call for call in given if by_place[call.feeds].signal is not None and by_place[call.feeds].rows == call.rows]
        parts = []
        for group in grouped(given, [0] * len(given)):
            places = [rank[call.place] for call in group]

            def finish(numbers: dict[str, Floats], table: Table, group: list[Call] = group, places: list[int] = places) -> None:
                table.put(places, {"underflow_count": 0.0})
                for index, call in enumerate(group):
                    if not numbers["smallest"][index] >= call.tiny:
                        assert call.activation_gradient is not None
                        following = by_place[call.feeds].signal
                        assert following is not None
                        table.put(places[index], {"underflow_count": _lost(call, _array(call.activation_gradient), _array(following))})

            whole = self._scratch.stacked(("da", group[0].units), [_given(call.activation_gradient) for call in group], False)
            parts.append(Part(r.of_activation_gradient(whole, self._scratch), finish))
        return parts

    def of_gradients(self, gradients: Mapping[int, Sequence[Any]], scale: Callable[[], float], scaled: bool) -> list[Part]:
        """Of dL/dW by row. scale: what they were multiplied by; scaled: whether they are, and change when the optimizer steps."""
        parts = []
        for places, tensors in _of_one_shape(gradients):
            size = tensors[0].numel()
            wide = scaled or ("gradient", size) in self._wide
            whole = self._scratch.stacked(("gradient", *places), tensors, wide).reshape(len(tensors), size)
            parts.append(Part(r.of_gradient(whole, self._scratch), partial(self._finish_gradients, places, tensors, wide, scaled, scale)))
        return parts

    def _finish_gradients(
        self,
        places: list[int],
        tensors: list[torch.Tensor],
        wide: bool,
        scaled: bool,
        scale: Callable[[], float],
        numbers: dict[str, Floats],
        table: Table,
    ) -> None:
        size, factor = tensors[0].numel(), scale()
        statistics = r.gradient_statistics(numbers if factor == 1.0 else {name: each / factor for name, each in numbers.items()}, size)
        table.put(places, statistics)
        table.add(places, "nonfinite_backward", 0.0)
        alike = statistics["gradient_variance"] * CANCELS < statistics["gradient_rms"] ** 2
        for index in {*self._doubtful(("gradient", size), wide, numbers["gradient_norm"]), *_places_of(alike)}:
            array = _array(tensors[index])
            if not scaled:
                table.put(places[index], definitions.of_gradient(array / np.float64(factor)))
            table.add(places[index], "nonfinite_backward", definitions.nonfinite(array))

    def of_weights(self, weights: Mapping[int, Sequence[torch.Tensor]]) -> tuple[list[Part], list[Before]]:
        """Of W by row, and copies of W for the update to be measured by."""
        parts, copies = [], []
        for places, tensors in _of_one_shape(weights):
            before = self._scratch.stacked(("before", *places), tensors, False, copy=True).reshape(len(tensors), -1)
            wide = ("weight", before.shape[1]) in self._wide
            copies.append(Before(places, [weights[place] for place in places], before))
            parts.append(Part(r.of_weights(before.double() if wide else before, self._scratch), partial(self._finish_weights, copies[-1], wide)))
        return parts, copies

    def _finish_weights(self, copy: Before, wide: bool, numbers: dict[str, Floats], table: Table) -> None:
        size = int(copy.before.shape[1])
        table.put(copy.places, r.weight_statistics(numbers, size))
        table.put(copy.places, {"zero_weight_fraction": 0.0})
        for index in {*self._doubtful(("weight", size), wide, numbers["weight_norm"]), *_places_of(~(numbers["weight_smallest"] > 0))}:
            table.put(copy.places[index], definitions.of_weights(_array(copy.before[index])))

    def of_updates(self, copies: Sequence[Before], moved: set[int]) -> list[Part]:
        """Of ΔW, once the optimizers have stepped. moved: rows that they step."""
        parts = []
        for copy in copies:
            tensors = [each[0] if len(each) == 1 else joined(each) for each in copy.weights]
            after = self._scratch.stacked(("after", *copy.places), tensors, False).reshape(len(tensors), -1)
            change = torch.sub(after, copy.before, out=self._scratch.like("change", after.shape, after))
            wide = ("update", copy.before.shape[1]) in self._wide
            parts.append(Part({"change": r.norm(change.double() if wide else change, 1)}, partial(self._finish_updates, copy, after, wide, moved)))
        return parts

    def _finish_updates(self, copy: Before, after: torch.Tensor, wide: bool, moved: set[int], numbers: dict[str, Floats], table: Table) -> None:
        norms = table["weight_l2"][np.array(copy.places)]
        ratio = numbers["change"] / np.where(norms > 0, norms, math.nan)
        for index in self._doubtful(("update", copy.before.shape[1]), wide, numbers["change"]):
            ratio[index] = definitions.update_ratio(_array(copy.before[index]), _array(after[index]))
        own = [index for index, each in enumerate(copy.places) if each in moved]
        table.put([copy.places[index] for index in own], {"update_ratio": ratio[own]})

    @staticmethod
    def of_norms(name: str, tensors: Mapping[int, torch.Tensor], scale: Callable[[], float]) -> list[Part]:
        """The norm of each tensor by row, in float64."""
        if not tensors:
            return []
        places = list(tensors)
        norms = torch.stack([torch.linalg.vector_norm(each.detach(), dtype=torch.float64) for each in tensors.values()])

        def finish(numbers: dict[str, Floats], table: Table) -> None:
            table.put(places, {name: numbers[name] / scale()})

        return [Part({name: norms}, finish)]

    @staticmethod
    def of_biases(biases: Mapping[int, torch.Tensor]) -> list[Part]:
        """The root mean square of the bias parameters by row."""
        if not biases:
            return []
        places, sizes = list(biases), np.sqrt([each.numel() for each in biases.values()])
        norms = torch.stack(torch._foreach_norm([each.detach() for each in biases.values()]))

        def finish(numbers: dict[str, Floats], table: Table) -> None:
            table.put(places, {"bias_rms": numbers["norms"] / sizes})

        return [Part({"norms": norms}, finish)]

    def _doubtful(self, key: Any, wide: bool, norms: Floats) -> list[int]:
        """Entries whose sums cannot be trusted: squares that float32 does not hold, 0, NaN. Their
        group is widened from now on; of a wide one only NaN is doubtful."""
        fine = np.isfinite(norms) if wide else (norms > r.LOW) & (norms < r.HIGH)
        if fine.all():
            return []
        self._wide.add(key)
        return _places_of(~fine)


@dataclass
class Before:
    """Copies of W of one size before the update, (layer, parameter), with their rows and the parameters that they are made of."""

    places: list[int]
    weights: list[Sequence[torch.Tensor]]
    before: torch.Tensor


def _of_one_shape(tensors: Mapping[int, Sequence[Any]]) -> list[tuple[list[int], list[torch.Tensor]]]:
    """Rows and tensors that can stand side by side; several of one row are joined first."""
    groups: dict[Any, tuple[list[int], list[torch.Tensor]]] = {}
    for place, several in tensors.items():
        one = several[0] if len(several) == 1 and not several[0].is_sparse else joined(several)
        places, members = groups.setdefault((one.shape, one.device, one.dtype), ([], []))
        places.append(place)
        members.append(one)
    return list(groups.values())


def _places_of(wrong: Any) -> list[int]:
    found: list[int] = np.flatnonzero(wrong).tolist()
    return found


def _given(tensor: torch.Tensor | None) -> torch.Tensor:
    assert tensor is not None
    return tensor


def _lacks(call: Call, layer: Layer) -> bool:
    """Whether a call did not show what a is made of."""
    return (layer.takes_norm and call.normed is None) or (layer.after == "sum" and call.after is None) or (not layer.after and layer.again is None)


def joined(tensors: Sequence[Any]) -> torch.Tensor:
    """One flat tensor of several, sparse ones made dense."""
    dense = [each.detach().to_dense() if each.is_sparse else each.detach() for each in tensors]
    return dense[0].reshape(-1) if len(dense) == 1 else torch.cat([each.reshape(-1) for each in dense])


def _lost(call: Call, gradient: Any, following: Any) -> float:
    """`definitions.underflow_count` of what was widened: below the smallest normal number of the type in which it came."""
    reached = np.any(following != 0, axis=1)
    return float(np.count_nonzero(np.abs(gradient[reached]) < call.tiny))


def _array(tensor: torch.Tensor) -> Any:
    return tensor.detach().cpu().numpy()
