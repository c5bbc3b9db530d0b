"""Layers of one shape are summed side by side: what is summed on the device, the statistics that the
host makes of it, and what is done where a sum cannot be trusted.

A group is made once for steps that look alike. `sums` is called at every recorded step; `statistics`
turns the numbers of many steps, (step, layer), into statistics by
the formulas; `doubtful` finds the layers whose numbers lie where float32 fails, and `again` measures those by their definitions, in float64.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from dlprobe.recorders import definitions
from dlprobe.recorders.torch.calls import Call
from dlprobe.recorders.torch.layers import Layer

Sums: TypeAlias = dict[str, torch.Tensor]
Floats: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = Mapping[str, Floats]
LOW, HIGH = 1e-18, 1e18  # a typical number, and a norm, whose squares float32 holds
CANCELS = 16  # by how much rounding errors of a variance E x² − (E x)² may grow
MOST = 256  # pieces of scratch memory


class Scratch:
    """Memory that is used again at every step: new memory of a megabyte costs its page faults, up to a millisecond."""

    def __init__(self) -> None:
        self._known: dict[Any, torch.Tensor] = {}
        self._woken: dict[tuple[int, ...], torch.Tensor] = {}

    def like(self, key: Any, shape: Sequence[int], model: torch.Tensor, dtype: Any = None) -> torch.Tensor:
        """Memory of a shape on the model's device, in its type or another; the same for the same key."""
        whole = (key, tuple(shape), dtype or model.dtype, model.device)
        found = self._known.get(whole)
        if found is None:
            if len(self._known) >= MOST:  # batches of ever new shapes
                self._known.clear()
            found = self._known[whole] = torch.empty(tuple(shape), dtype=dtype or model.dtype, device=model.device)
        return found

    def stacked(self, key: Any, tensors: Sequence[torch.Tensor], wide: bool = False, copy: bool = False) -> torch.Tensor:
        """(layer, …) of tensors of one shape. A single one is not copied unless that is asked for."""
        if len(tensors) == 1 and not wide and not copy:
            return tensors[0].unsqueeze(0)
        out = torch.stack(tensors, out=self.like((key, len(tensors)), (len(tensors), *tensors[0].shape), tensors[0]))
        return self.widened(out, key) if wide else out

    def widened(self, tensor: torch.Tensor, key: Any = None) -> torch.Tensor:
        """A copy in float64."""
        return self.like((key, "wide"), tensor.shape, tensor, torch.float64).copy_(tensor)

    def wake(self, ranks: Sequence[int], sizes: torch.Tensor) -> None:
        """Keep the largest of a unit's sizes (layer, unit) over steps: a unit is dead as long as they are 0."""
        key = tuple(ranks)
        before = self._woken.get(key)
        self._woken[key] = sizes.clone() if before is None else torch.maximum(before, sizes, out=before)

    def dead(self, layers: int) -> Floats:
        """(layer,): the share of units that were dead on every batch since the last call; NaN of layers without a slope of their own."""
        sizes: dict[int, torch.Tensor] = {}
        for ranks, woken in self._woken.items():
            for rank, row in zip(ranks, woken, strict=True):
                sizes[rank] = row + sizes[rank] if rank in sizes else row
        self._woken = {}
        return np.array([float((sizes[rank] == 0).double().mean()) if rank in sizes else math.nan for rank in range(layers)])


def norm(values: torch.Tensor, *dims: int) -> torch.Tensor:
    """Euclidean norm over some axes."""
    return torch.linalg.vector_norm(values, dim=dims)


class Group:
    """Some layers side by side. ranks: their rows; wide: summed in float64, because float32 failed before; scratch: memory for what is in between."""

    kind = ""
    size = 1  # numbers of a layer that are summed
    trusted: tuple[str, ...] = ()  # sums that are norms of what must not under- or overflow when squared

    def __init__(self, ranks: Sequence[int], wide: bool, scratch: Scratch) -> None:
        self.ranks, self.wide, self.scratch = list(ranks), wide, scratch

    def sums(self, given: Any) -> Sums:
        """The sums of one step, (layer,) each: of its calls, or of one tensor per layer."""
        raise NotImplementedError

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        """By name (step, layer), of sums (step, layer) and `scale` (step, 1), what losses were multiplied by."""
        raise NotImplementedError

    @property
    def low(self) -> float:
        """The norm below which squares are lost; 0 of a wide group, where only what is not finite fails."""
        return 0.0 if self.wide else LOW * math.sqrt(self.size)

    def failed(self, n: Mapping[str, Floats]) -> npt.NDArray[np.bool_]:
        """Of one step, (layer,) each: the layers whose norms cannot be trusted, of a wide group those that are not finite."""
        wrong = np.zeros(len(self.ranks), bool)
        for name in self.trusted:
            wrong |= ~np.isfinite(n[name]) if self.wide else ~((n[name] > self.low) & (n[name] < HIGH))
        return wrong

    def doubtful(self, n: Mapping[str, Floats], failed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """The layers that are to be measured again, the failed ones among them."""
        return failed

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        """One layer by its definitions: statistics that replace those of the sums, and counts that add up over groups."""
        raise NotImplementedError

    def floors(self) -> dict[str, Any]:
        """By sum, what its numbers have to reach; where they do and norms are trusted, nothing is doubtful."""
        return {}

    def release(self) -> None:
        """The step is over: keep nothing of it."""


class OfCalls(Group):
    """A group whose numbers come from calls: `indices` into those of a step."""

    def __init__(self, ranks: Sequence[int], wide: bool, scratch: Scratch, calls: Sequence[Call], indices: Sequence[int], layer: Layer) -> None:
        super().__init__(ranks, wide, scratch)
        first = calls[indices[0]]
        self.indices, self.layer = list(indices), layer
        self.rows, self.units, self.samples = first.rows, first.units, first.samples
        self.size = self.rows * self.units
        self.calls: list[Call] = []

    def take(self, calls: Sequence[Call]) -> list[Call]:
        self.calls = [calls[index] for index in self.indices]
        return self.calls

    def release(self) -> None:
        self.calls = []


class Preactivations(OfCalls):
    """z: Σ z, and ‖z − mean‖ over rows and units."""

    kind = "z"
    trusted = ("z_spread",)

    def sums(self, calls: Sequence[Call]) -> Sums:
        z = self.scratch.stacked(("z", *self.ranks), [call.z for call in self.take(calls)], self.wide)
        self.stack = z
        total = z.sum((1, 2), keepdim=True)
        return {"z_sum": total, "z_spread": norm(torch.sub(z, total / self.size, out=self.scratch.like("centred", z.shape, z)), 1, 2)}

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        mean, variance = n["z_sum"] / self.size, n["z_spread"] ** 2 / self.size
        return {
            "preactivation_mean": mean,
            "preactivation_variance": variance if self.rows > 1 else variance * math.nan,
            "preactivation_mean_square": variance + mean**2,
            "nonfinite_forward": np.zeros_like(mean),
        }

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        z = array_of(self.calls[index].z)
        return definitions.of_preactivation(z), {"nonfinite_forward": definitions.nonfinite(z)}


class Activations(OfCalls):
    """a: its mean, ‖a − mean of its unit‖, the spread of the units' means, how many a > 0; slopes: their norm, flat elements, dead units."""

    kind = "a"
    trusted = ("a_within",)

    def prepare(self, before: Preactivations) -> None:
        """The group of the same calls, whose stack of z is the argument where no norm stands between."""
        self.before = before
        self.normed = bool(self.layer.norm) and not self.layer.norm_after
        self.slopes = "relu" if self.layer.is_relu and not self.layer.after else "all" if self.layer.has_slopes else ""
        self.constant = self.layer.activation == "linear" and self.slopes == "all"

    def sums(self, calls: Sequence[Call]) -> Sums:
        own, layer = self.take(calls), self.layer
        if self.normed:
            argument = self.scratch.stacked(("argument", *self.ranks), [given(call.normed) for call in own], self.wide)
        else:
            argument = (
                self.before.stack if self.before.wide == self.wide else self.scratch.stacked(("argument", *self.ranks), [call.z for call in own], self.wide)
            )
        if layer.after:
            a = self.scratch.stacked(("a", *self.ranks), [given(call.normed if layer.after == "norm" else call.after) for call in own], self.wide)
        elif layer.is_relu:
            a = torch.clamp_min(argument, 0, out=self.scratch.like(("relu", *self.ranks), argument.shape, argument))
        else:
            assert layer.again is not None
            a = layer.again(argument)
        self.stack = a
        means = a.sum(1, keepdim=True) / self.rows
        mean = means.sum(2, keepdim=True) / self.units
        scratch = self.scratch.like("centred", a.shape, a)
        active = torch.gt(a, 0, out=scratch).sum(1)
        found = {"a_mean": mean, "active": active.sum(1), "a_between": norm(means - mean, 1, 2), "a_within": norm(torch.sub(a, means, out=scratch), 1, 2)}
        if self.slopes == "relu":
            self.scratch.wake(self.ranks, active)
            found["dead"] = torch.eq(active, 0, out=torch.empty_like(active)).sum(1)
        elif self.slopes == "all" and not self.constant:
            found |= self._slopes(argument)
        return found

    def _slopes(self, argument: torch.Tensor) -> Sums:
        assert self.layer.again is not None
        with torch.enable_grad():
            point = argument.detach().requires_grad_()
            (slopes,) = torch.autograd.grad(self.layer.again(point).sum(), point)
        size = slopes.abs()
        largest = size.amax(1)
        self.scratch.wake(self.ranks, largest)
        flat = torch.lt(size, self.layer.flat_below, out=self.scratch.like("centred", size.shape, size)).sum((1, 2))
        return {"slope_norm": norm(slopes, 1, 2), "flat": flat, "dead": torch.eq(largest, 0, out=torch.empty_like(largest)).sum(1)}

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        within, between = n["a_within"] ** 2 / self.size, n["a_between"] ** 2 / self.units
        unknown = within * math.nan
        several = self.rows > 1
        found = {
            "activation_mean": n["a_mean"],
            "activation_variance": within + between if several else unknown,
            "activation_sample_variance": within if several else unknown,
            "active_fraction": n["active"] / self.size,
        }
        if self.slopes == "relu":
            share = n["active"] / self.size
            found |= {"slope_mean_square": share, "flat_fraction": 1.0 - share, "dead_fraction": n["dead"] / self.units}
        elif self.constant:
            found |= {"slope_mean_square": np.ones_like(within), "flat_fraction": np.zeros_like(within), "dead_fraction": np.zeros_like(within)}
        elif self.slopes:
            found |= {"slope_mean_square": n["slope_norm"] ** 2 / self.size, "flat_fraction": n["flat"] / self.size, "dead_fraction": n["dead"] / self.units}
        return found

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        a = array_of(self.stack[index])
        return definitions.of_activation(a), {"nonfinite_forward": definitions.nonfinite(a)}


class ErrorSignals(OfCalls):
    """dL/dz: its norm, and √Σ ‖x_i‖²‖δ_i‖² where the norms of the layer's inputs are known."""

    kind = "signal"
    trusted = ("signal_norm",)

    def prepare(self, calls: Sequence[Call], sources: Sequence[tuple[Activations, int] | None]) -> None:
        """sources: of each layer, the group and the place in it whose a is the layer's input; None where the call has the norms of its inputs itself."""
        self.sources = sources
        own = [calls[index] for index in self.indices]
        self.has_inputs = all(call.input_norms is not None or source is not None for call, source in zip(own, sources, strict=True)) and own[0].fan_in > 0
        self.given_by = list({id(source[0]): source[0] for source in sources if source is not None}.values())
        starts = np.cumsum([0, *(len(group.ranks) for group in self.given_by)])
        held = itertools.count(int(starts[-1]))
        places = [next(held) if source is None else int(starts[self.given_by.index(source[0])]) + source[1] for source in sources]
        self.picked = None if places == list(range(len(places))) and starts[-1] in (0, len(places)) else torch.tensor(places, device=own[0].z.device)
        self.has_positions = any(call.inputs is not None for call in own)
        self.fan_in = np.array([call.fan_in for call in own], np.float64)

    def sums(self, calls: Sequence[Call]) -> Sums:
        own = self.take(calls)
        signal = self.scratch.stacked(("signal", *self.ranks), [given(call.signal) for call in own], self.wide)
        rows = norm(signal, 2)
        found = {"signal_norm": norm(rows, 1)}
        if self.has_inputs:
            found["sample_norm"] = norm(rows * self._input_norms(own, rows.dtype), 1)
        return found

    def _input_norms(self, own: Sequence[Call], dtype: torch.dtype) -> torch.Tensor:
        """(layer, rows): of those that are an activation's rows, and of those that calls have."""
        parts = [norm(group.stack, 2) for group in self.given_by]
        held = [given(call.input_norms) for call, source in zip(own, self.sources, strict=True) if source is None]
        parts += [torch.stack(held)] if held else []
        whole = parts[0] if len(parts) == 1 else torch.cat([each.to(dtype) for each in parts])
        return whole.index_select(0, self.picked) if self.picked is not None else whole

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        factor = self.samples / n["scale"]
        found = {"error_signal_rms": factor * n["signal_norm"] / math.sqrt(self.size), "nonfinite_backward": np.zeros_like(n["signal_norm"])}
        if self.has_inputs:
            found["gradient_sample_rms"] = factor * n["sample_norm"] / np.sqrt(self.samples * self.fan_in * self.units)
        return found

    def doubtful(self, n: Mapping[str, Floats], failed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        return failed | np.array([call.inputs is not None for call in self.calls])

    def floors(self) -> dict[str, Any]:
        return {"signal_norm": math.inf} if self.has_positions else {}

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        call = self.calls[index]
        signal = array_of(given(call.signal))
        found = {"error_signal_rms": self.samples / scale * definitions.root_mean_square(signal)}
        if call.inputs is not None:
            spread = signal.reshape(*call.inputs.shape[:2], self.units)
            found["gradient_sample_rms"] = definitions.sample_gradient_rms(array_of(call.inputs), spread, self.samples) / scale
        elif self.has_inputs:
            source = self.sources[index]
            norms = array_of(given(call.input_norms) if source is None else norm(source[0].stack[source[1]], 1))
            product = float(np.linalg.norm(np.linalg.norm(signal.astype(np.float64), axis=1) * norms))
            found["gradient_sample_rms"] = self.samples / scale * product / math.sqrt(self.samples * call.fan_in * self.units)
        return found, {"nonfinite_backward": definitions.nonfinite(signal)}


class Returning(OfCalls):
    """dL/da: its smallest size, for what the way back from the next layer lost."""

    kind = "returning"

    def prepare(self, calls: Sequence[Call], by_place: Mapping[int, int]) -> None:
        """by_place: the index of each place's call."""
        self.following = [by_place[calls[index].feeds] for index in self.indices]
        self.tiny = np.array([calls[index].tiny for index in self.indices])

    def sums(self, calls: Sequence[Call]) -> Sums:
        own = self.take(calls)
        self.next = [calls[index] for index in self.following]
        gradient = self.scratch.stacked(("returning", *self.ranks), [given(call.activation_gradient) for call in own])
        return {"smallest": torch.abs(gradient, out=self.scratch.like("centred", gradient.shape, gradient)).amin((1, 2))}

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        return {"underflow_count": np.zeros_like(n["smallest"])}

    def doubtful(self, n: Mapping[str, Floats], failed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        return ~(n["smallest"] >= self.tiny)

    def floors(self) -> dict[str, Any]:
        return {"smallest": self.tiny}

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        call, reached = self.calls[index], array_of(given(self.next[index].signal)) != 0
        gradient = np.abs(array_of(given(call.activation_gradient)))[reached.any(axis=1)]
        return {"underflow_count": float(np.count_nonzero(gradient < call.tiny))}, {}

    def release(self) -> None:
        self.calls, self.next = [], []


class Gradients(Group):
    """dL/dW: Σ g, ‖g‖ and Σ |g|. scaled: still multiplied by the loss's scale when it is measured, and changed when the optimizer steps."""

    kind = "gradient"
    trusted = ("gradient_norm",)

    def __init__(self, ranks: Sequence[int], wide: bool, scratch: Scratch, size: int, scaled: bool) -> None:
        super().__init__(ranks, wide, scratch)
        self.size, self.scaled = size, scaled

    def sums(self, tensors: Sequence[torch.Tensor]) -> Sums:
        self.tensors = tensors
        g = self.scratch.stacked(("gradient", *self.ranks), tensors, self.wide).reshape(len(tensors), self.size)
        return {"gradient_sum": g.sum(1), "gradient_norm": norm(g, 1), "gradient_abs": torch.abs(g, out=self.scratch.like("centred", g.shape, g)).sum(1)}

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        factor = n["scale"] if self.scaled else 1.0
        size, mean, l2 = self.size, n["gradient_sum"] / factor / self.size, n["gradient_norm"] / factor
        return {
            "gradient_rms": l2 / math.sqrt(size),
            "gradient_l2": l2,
            "gradient_mean_abs": n["gradient_abs"] / factor / size,
            "gradient_variance": l2**2 / size - mean**2,
            "nonfinite_backward": np.zeros_like(l2),
        }

    def doubtful(self, n: Mapping[str, Floats], failed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        mean_square = n["gradient_norm"] ** 2 / self.size
        return failed | ~((mean_square - (n["gradient_sum"] / self.size) ** 2) * CANCELS >= mean_square)

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        gradient = array_of(self.tensors[index]) / np.float64(scale if self.scaled else 1.0)
        return definitions.of_gradient(gradient), {"nonfinite_backward": definitions.nonfinite(gradient)}

    def release(self) -> None:
        self.tensors = ()


class Weights(Group):
    """W before the update: its norm, the largest and the smallest size. A copy is kept until the optimizer has stepped."""

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
        return {"weight_norm": self.norm, "weight_largest": sizes.amax(1), "weight_smallest": sizes.amin(1)}

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        l2 = n["weight_norm"]
        return {"weight_rms": l2 / math.sqrt(self.size), "weight_l2": l2, "weight_max_abs": n["weight_largest"], "zero_weight_fraction": np.zeros_like(l2)}

    def doubtful(self, n: Mapping[str, Floats], failed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        return failed | ~(n["weight_smallest"] > 0)

    def floors(self) -> dict[str, Any]:
        return {"weight_smallest": np.nextafter(0.0, 1.0)}

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        found = definitions.of_weights(array_of(self.flat[index]))
        self.exact[index] = found["weight_l2"]
        return found, {}


class Updates(Group):
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
        return {"change": norm(self.scratch.widened(change) if self.wide else change, 1), "weight_norm": self.weights.norm}

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        return {"update_ratio": n["change"] / np.where(n["weight_norm"] > 0, n["weight_norm"], math.nan) + self.unmoved}

    def failed(self, n: Mapping[str, Floats]) -> npt.NDArray[np.bool_]:
        known = np.array([index in self.weights.exact for index in range(len(self.ranks))])
        return (super().failed(n) | known) & ~np.isnan(self.unmoved)

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        change = float(np.linalg.norm(array_of(self.weights.flat[index]).astype(np.float64)))
        size = self.weights.exact.get(index, float(self.weights.norm[index]))
        return {"update_ratio": change / size if size > 0 else math.nan}, {}


class Others(Group):
    """The norm of the gradients that are of no layer's W, for the norm of the whole gradient: no statistic of a layer."""

    def __init__(self, kind: str, scratch: Scratch, scaled: bool) -> None:
        super().__init__((), False, scratch)
        self.kind, self.scaled = kind, scaled

    def sums(self, tensors: Sequence[torch.Tensor]) -> Sums:
        return {self.kind: norm(torch.cat([each.reshape(-1) for each in tensors]), 0)}

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        return {}


class Norms(Group):
    """The norm of one tensor per layer, which becomes one statistic. roots: sizes whose roots it is divided by, for a root mean square."""

    kind = "norm"

    def __init__(self, ranks: Sequence[int], scratch: Scratch, name: str, divisors: Sequence[float], scaled: bool, wide: bool) -> None:
        super().__init__(ranks, wide, scratch)
        self.name, self.divisors, self.scaled = name, np.array(divisors), scaled

    def sums(self, tensors: Sequence[torch.Tensor]) -> Sums:
        if not self.wide:
            return {self.name: torch.stack(torch._foreach_norm(list(tensors)))}
        return {self.name: torch.stack([torch.linalg.vector_norm(each, dtype=torch.float64) for each in tensors])}

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        return {self.name: n[self.name] / self.divisors / (n["scale"] if self.scaled else 1.0)}


def given(tensor: torch.Tensor | None) -> torch.Tensor:
    """What must be there."""
    assert tensor is not None
    return tensor


def array_of(tensor: torch.Tensor) -> Any:
    """NumPy's array on the host."""
    return tensor.detach().cpu().numpy()
