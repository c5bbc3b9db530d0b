"""What is summed of the calls of layers: preactivations, activations with their slopes, and the
signals that come back.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dlprobe.recorders import definitions
from dlprobe.recorders.torch.calls import Call
from dlprobe.recorders.torch.groups import Floats, Numbers, OfCalls, Sums, array_of, given, norm


class Preactivations(OfCalls):
    """z: Σ z, and ‖z − mean‖ over rows and units."""

    kind = "z"
    trusted = ("z_spread",)

    def sums(self, calls: Sequence[Call]) -> Sums:
        z = self.scratch.stacked(
            ("z", *self.ranks), [call.z for call in self.take(calls)], self.wide
        )
        self.stack = z
        total = z.sum((1, 2), keepdim=True)
        return {
            "z_sum": total,
            "z_spread": norm(
                torch.sub(z, total / self.size, out=self.scratch.like("centred", z.shape, z)), 1, 2
            ),
        }

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
    """a: its mean, ‖a − mean of its unit‖, the spread of the units' means, how many a > 0;
    slopes: their norm, flat elements, dead units.
    """

    kind = "a"
    trusted = ("a_within",)

    def prepare(self, before: Preactivations) -> None:
        """The group of the same calls, whose stack of z is the argument where no norm stands
        between.
        """
        self.before = before
        self.normed = bool(self.layer.norm) and not self.layer.norm_after
        self.slopes = (
            "relu"
            if self.layer.is_relu and not self.layer.after
            else "all"
            if self.layer.has_slopes
            else ""
        )
        self.constant = self.layer.activation == "linear" and self.slopes == "all"

    def sums(self, calls: Sequence[Call]) -> Sums:
        own, layer = self.take(calls), self.layer
        if self.normed:
            argument = self.scratch.stacked(
                ("argument", *self.ranks), [given(call.normed) for call in own], self.wide
            )
        else:
            argument = (
                self.before.stack
                if self.before.wide == self.wide
                else self.scratch.stacked(
                    ("argument", *self.ranks), [call.z for call in own], self.wide
                )
            )
        if layer.after:
            a = self.scratch.stacked(
                ("a", *self.ranks),
                [given(call.normed if layer.after == "norm" else call.after) for call in own],
                self.wide,
            )
        elif layer.is_relu:
            a = torch.clamp_min(
                argument, 0, out=self.scratch.like(("relu", *self.ranks), argument.shape, argument)
            )
        else:
            assert layer.again is not None
            a = layer.again(argument)
        self.stack = a
        means = a.sum(1, keepdim=True) / self.rows
        mean = means.sum(2, keepdim=True) / self.units
        scratch = self.scratch.like("centred", a.shape, a)
        active = torch.gt(a, 0, out=scratch).sum(1)
        found = {
            "a_mean": mean,
            "active": active.sum(1),
            "a_between": norm(means - mean, 1, 2),
            "a_within": norm(torch.sub(a, means, out=scratch), 1, 2),
        }
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
        flat = torch.lt(
            size, self.layer.flat_below, out=self.scratch.like("centred", size.shape, size)
        ).sum((1, 2))
        return {
            "slope_norm": norm(slopes, 1, 2),
            "flat": flat,
            "dead": torch.eq(largest, 0, out=torch.empty_like(largest)).sum(1),
        }

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        within, between = n["a_within"] ** 2 / self.size, n["a_between"] ** 2 / self.units
        unknown = within * math.nan
        several = self.rows > 1
        values = {
            "activation_mean": n["a_mean"],
            "activation_variance": within + between if several else unknown,
            "activation_sample_variance": within if several else unknown,
            "active_fraction": n["active"] / self.size,
        }
        if self.slopes == "relu":
            share = n["active"] / self.size
            values |= {
                "slope_mean_square": share,
                "flat_fraction": 1.0 - share,
                "dead_fraction": n["dead"] / self.units,
            }
        elif self.constant:
            values |= {
                "slope_mean_square": np.ones_like(within),
                "flat_fraction": np.zeros_like(within),
                "dead_fraction": np.zeros_like(within),
            }
        elif self.slopes:
            values |= {
                "slope_mean_square": n["slope_norm"] ** 2 / self.size,
                "flat_fraction": n["flat"] / self.size,
                "dead_fraction": n["dead"] / self.units,
            }
        return values

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        a = array_of(self.stack[index])
        return definitions.of_activation(a), {"nonfinite_forward": definitions.nonfinite(a)}


class ErrorSignals(OfCalls):
    """dL/dz: its norm, and √Σ ‖x_i‖²‖δ_i‖² where the norms of the layer's inputs are known."""

    kind = "signal"
    trusted = ("signal_norm",)

    def prepare(
        self, calls: Sequence[Call], sources: Sequence[tuple[Activations, int] | None]
    ) -> None:
        """sources: of each layer, the group and the place in it whose a is the layer's input;
        None where the call has the norms of its inputs itself.
        """
        self.sources = sources
        own = [calls[index] for index in self.indices]
        self.has_inputs = (
            all(
                call.input_norms is not None or source is not None
                for call, source in zip(own, sources, strict=True)
            )
            and own[0].fan_in > 0
        )
        self.given_by = list(
            {id(source[0]): source[0] for source in sources if source is not None}.values()
        )
        starts = np.cumsum([0, *(len(group.ranks) for group in self.given_by)])
        held = itertools.count(int(starts[-1]))
        places = [
            next(held)
            if source is None
            else int(starts[self.given_by.index(source[0])]) + source[1]
            for source in sources
        ]
        self.picked = (
            None
            if places == list(range(len(places))) and starts[-1] in (0, len(places))
            else torch.tensor(places, device=own[0].z.device)
        )
        self.has_positions = any(call.inputs is not None for call in own)
        self.fan_in = np.array([call.fan_in for call in own], np.float64)

    def sums(self, calls: Sequence[Call]) -> Sums:
        own = self.take(calls)
        signal = self.scratch.stacked(
            ("signal", *self.ranks), [given(call.signal) for call in own], self.wide
        )
        rows = norm(signal, 2)
        found = {"signal_norm": norm(rows, 1)}
        if self.has_inputs:
            found["sample_norm"] = norm(rows * self._input_norms(own, rows.dtype), 1)
        return found

    def _input_norms(self, own: Sequence[Call], dtype: torch.dtype) -> torch.Tensor:
        """(layer, rows): of those that are an activation's rows, and of those that calls have."""
        parts = [norm(group.stack, 2) for group in self.given_by]
        held = [
            given(call.input_norms)
            for call, source in zip(own, self.sources, strict=True)
            if source is None
        ]
        parts += [torch.stack(held)] if held else []
        whole = parts[0] if len(parts) == 1 else torch.cat([part.to(dtype) for part in parts])
        return whole.index_select(0, self.picked) if self.picked is not None else whole

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        factor = self.samples / n["scale"]
        values = {
            "error_signal_rms": factor * n["signal_norm"] / math.sqrt(self.size),
            "nonfinite_backward": np.zeros_like(n["signal_norm"]),
        }
        if self.has_inputs:
            values["gradient_sample_rms"] = (
                factor * n["sample_norm"] / np.sqrt(self.samples * self.fan_in * self.units)
            )
        return values

    def doubtful(
        self, n: Mapping[str, Floats], failed: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        return failed | np.array([call.inputs is not None for call in self.calls])

    def floors(self) -> dict[str, Any]:
        return {"signal_norm": math.inf} if self.has_positions else {}

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        call = self.calls[index]
        signal = array_of(given(call.signal))
        values = {"error_signal_rms": self.samples / scale * definitions.root_mean_square(signal)}
        if call.inputs is not None:
            spread = signal.reshape(*call.inputs.shape[:2], self.units)
            values["gradient_sample_rms"] = (
                definitions.sample_gradient_rms(array_of(call.inputs), spread, self.samples) / scale
            )
        elif self.has_inputs:
            source = self.sources[index]
            norms = array_of(
                given(call.input_norms) if source is None else norm(source[0].stack[source[1]], 1)
            )
            product = float(
                np.linalg.norm(np.linalg.norm(signal.astype(np.float64), axis=1) * norms)
            )
            values["gradient_sample_rms"] = (
                self.samples / scale * product / math.sqrt(self.samples * call.fan_in * self.units)
            )
        return values, {"nonfinite_backward": definitions.nonfinite(signal)}


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
        gradient = self.scratch.stacked(
            ("returning", *self.ranks), [given(call.activation_gradient) for call in own]
        )
        return {
            "smallest": torch.abs(
                gradient, out=self.scratch.like("centred", gradient.shape, gradient)
            ).amin((1, 2))
        }

    def statistics(self, n: Numbers) -> dict[str, Floats]:
        return {"underflow_count": np.zeros_like(n["smallest"])}

    def doubtful(
        self, n: Mapping[str, Floats], failed: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        return ~(n["smallest"] >= self.tiny)

    def floors(self) -> dict[str, Any]:
        return {"smallest": self.tiny}

    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        call, reached = self.calls[index], array_of(given(self.next[index].signal)) != 0
        gradient = np.abs(array_of(given(call.activation_gradient)))[reached.any(axis=1)]
        return {"underflow_count": float(np.count_nonzero(gradient < call.tiny))}, {}

    def release(self) -> None:
        self.calls, self.next = [], []
