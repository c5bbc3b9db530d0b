"""What the parameters say of a step: gradients as the backward pass left them, what the optimizer
gets of it, W before and ΔW after.

What clips or unscales gradients does it in place between the two, which their version counters
show. The first recorded step measures at both moments; where nothing changed, later steps measure
once.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from dlprobe.dataclass import dataclass
from dlprobe.nn import observe as o
from dlprobe.nn.recorded_sums import OTHERS
from dlprobe.recorders.definitions import Floats
from dlprobe.recorders.torch.facts import decays
from dlprobe.recorders.torch.measuring import Measuring, Numbers
from dlprobe.recorders.torch.parameters import Parameters
from dlprobe.recorders.torch.passes import Passes

SCALER_STEP = torch.amp.GradScaler.step.__code__
NONE = id(None)
FRAMES = 16  # callers of a step among which a GradScaler is looked for
SIZES_OF_GRADIENT = [o.GRADIENT_RMS, o.GRADIENT_L2, o.GRADIENT_MEAN_ABS]


@dataclass(frozen=True)
class Owned:
    """What one optimizer steps. layers: by place the weights of the layers that are measured
    with it; unmoved: places of those that it does not step; numbers: of its parameters among those
    of the model; rows: all rows that are measured, the last one that of parameters that are of no
    layer; tables: what of them `Measuring` takes.
    """

    layers: dict[int, list[nn.Parameter]]
    unmoved: list[int]
    numbers: list[int]
    rows: list[int]
    tables: Any


class Capture:
    """What is kept of gradients and weights until a row is complete.

    numbers: those of the step, a row of each place, and one of each optimizer's other parameters;
    scale: what the loss was multiplied by; changed: an optimizer got other gradients than the
    backward pass left; lacking: and what those were is not known; penalty: ½ λ Σ w² of weight
    decay.
    """

    def __init__(
        self,
        model: nn.Module,
        passes: Passes,
        optimizers: Sequence[Any],
        measuring: Measuring,
        probes: bool,
    ) -> None:
        self._passes, self._optimizers, self._measuring = passes, optimizers, measuring
        self._parameters, self._probes = list(model.parameters()), probes
        self._owned: dict[int, Owned] = {}
        # whether gradients are changed between backward pass and step: so it is taken to be in the
        # first step
        self._changes = True
        # of each parameter: id and version of its gradient as the backward pass left it
        self._left: tuple[list[int], list[int]] = [], []
        self._initial: dict[int, list[torch.Tensor]] = {}
        self._apart: list[int] | None = None
        # rows that are still scaled, and rows of what an optimizer got
        self._scaled: list[int] = []
        self._got_scaled: list[int] = []
        self._got_rows: list[int] = []
        self.forget()

    def forget(self) -> None:
        """The row is over, or was left out."""
        self.numbers = Numbers(len(self._passes.sites) + len(self._optimizers))
        self._got: Numbers | None = None
        self._early = False
        self._scaled, self._got_scaled, self._got_rows = [], [], []
        self._stepped: list[Owned] = []
        self._penalties: list[torch.Tensor] = []
        self.scale = 1.0
        self.changed = self.lacking = False

    # --- moments
    # ----------------------------------------------------------------------------------------------

    def after_backward(self) -> None:
        """Every gradient is there."""
        self._left = self._as_they_are()
        if self._changes:
            self._early = True
            for index in range(len(self._optimizers)):
                self._measure(self.numbers, self._owned_by(index))

    def gradient_was_dropped(self) -> bool:
        """Whether, with a backward pass behind it and no step, gradients are gone or changed:
        then the step was left out.
        """
        every = range(len(self._parameters))
        return bool(self._passes.passes) and self._were_changed(every)

    def _as_they_are(self) -> tuple[list[int], list[int]]:
        """Of all gradients id and version."""
        gradients = [each.grad for each in self._parameters]
        return [*map(id, gradients)], [0 if each is None else each._version for each in gradients]

    def _were_changed(self, numbers: Sequence[int]) -> bool:
        """Whether a gradient is another than the backward pass left it; of parameters by number."""
        left, now = self._left, self._as_they_are()
        if left == now or not left[0]:
            return False
        return any(
            left[0][k] != NONE and (left[0][k] != now[0][k] or left[1][k] != now[1][k])
            for k in numbers
        )

    def before_step(self, index: int) -> None:
        """The optimizer `index` is about to step: measure gradients, keep W."""
        self._passes.fix_ranks()
        owned = self._owned_by(index)
        scaled = self._find_scale(self._optimizers[index])
        unscaled = self.scale != 1.0 and not scaled  # which no version tells
        changed = unscaled or self._were_changed(owned.numbers)
        lacking = changed and not self._early
        self.changed, self.lacking = self.changed or changed, self.lacking or lacking
        if not self._early:
            self._measure(self.numbers, owned, lacking)
        if changed:
            self._got = self._got or Numbers(len(self.numbers.values))
            self._measure(self._got, owned)
            self._got_rows += owned.rows
            self._got_scaled += owned.rows if scaled else []
        if scaled or (changed and self.scale != 1.0):  # before unscaling changed it
            self._scaled += owned.rows
        if decays(self._optimizers[index]):
            self._penalties += _decayed(self._optimizers[index])
        self._stepped.append(owned)

    def _measure(self, numbers: Numbers, owned: Owned, lacking: bool = False) -> None:
        """Gradients and biases of what an optimizer steps, and copies of W; lacking: no
        gradients.
        """
        if not self._initial.keys() >= owned.layers.keys():
            for place, weights in owned.layers.items():
                self._initial[place] = [each.detach().clone() for each in weights]
        self._measuring.gradients(numbers, owned.tables, not lacking)

    def after_step(self) -> None:
        """The optimizers have stepped."""
        for owned in self._stepped:
            self._measuring.updates(self.numbers, owned.tables)

    def complete(self) -> tuple[Floats, float, float]:
        """The numbers of the step, float64 (place, column), columns as in `recorded_sums`; and the
        sums of squares of all gradients that are in no row: as the backward pass left them, and as
        the optimizers got them.
        """
        values = self.numbers.settled()
        got = values if self._got is None else self._got.settled()
        for array, rows in ((values, self._scaled), (got, self._got_scaled)):
            if rows:
                array[np.ix_(rows, SIZES_OF_GRADIENT)] /= self.scale
                array[np.ix_(rows, [o.GRADIENT_VARIANCE, OTHERS])] /= self.scale**2
        values[:, o.CLIPPED_GRADIENT_L2] = values[:, o.GRADIENT_L2]
        others = squares = values[:, OTHERS]
        if got is not values:
            rows, others = self._got_rows, squares.copy()
            values[rows, o.CLIPPED_GRADIENT_L2] = got[rows, o.GRADIENT_L2]
            others[rows] = got[rows, OTHERS]
        for owned in self._stepped:
            if owned.unmoved:
                values[owned.unmoved, o.UPDATE_RATIO] = math.nan
        if self._apart is None:
            self._apart = self._places_apart()
        before = after = float(squares.sum())
        if others is not squares:
            after = float(others.sum())
        if self._apart:
            before += float(np.nansum(values[self._apart, o.GRADIENT_L2] ** 2))
            after += float(np.nansum(values[self._apart, o.CLIPPED_GRADIENT_L2] ** 2))
        return values, before, after

    def _places_apart(self) -> list[int]:
        """Places without a row whose W is of no row either."""
        sites, ranks = self._passes.sites, self._passes.ranks
        counted = {id(each) for place in ranks for each in sites[place].weights}
        return [
            place
            for place, site in enumerate(sites)
            if place not in ranks and not any(id(each) in counted for each in site.weights)
        ]

    @property
    def with_weights(self) -> list[int]:
        """Places whose weights are measured."""
        return list(self._initial)

    @property
    def penalty(self) -> float:
        """½ λ Σ w² over what the optimizers' weight decay is the gradient of."""
        return math.fsum(float(norm) ** 2 for norms in self._penalties for norm in norms)

    def distances(self, places: Sequence[int]) -> Floats:
        """(place,): ‖W − W₀‖/‖W₀‖, W₀ of the first recorded step; NaN where it was 0 or is not
        known.
        """
        return np.array([self._distance(place) for place in places])

    def _distance(self, place: int) -> float:
        before, now = self._initial.get(place), self._passes.sites[place].weights
        if before is None:
            return math.nan
        size = math.hypot(*(float(each.double().norm()) for each in before))
        moved = math.hypot(
            *(
                float((new.detach() - old).double().norm())
                for new, old in zip(now, before, strict=True)
            )
        )
        return moved / size if size > 0 else math.nan

    def row_is_over(self) -> None:
        """What this row has shown counts for the next: where gradients are changed, they are
        measured before.
        """
        self._changes = self.changed

    def _owned_by(self, index: int) -> Owned:
        """What one optimizer steps; settled with the first row, when all is called."""
        if index in self._owned:
            return self._owned[index]
        own = {
            id(each) for group in self._optimizers[index].param_groups for each in group["params"]
        }
        every = {
            id(each)
            for optimizer in self._optimizers
            for group in optimizer.param_groups
            for each in group["params"]
        }
        layers, measured, sites = {}, list[Parameters](), self._passes.sites
        counted = {id(each) for site in sites for each in site.weights}
        for place, site in enumerate(sites):
            if any(id(each) in own for each in site.weights) or (
                index == 0 and site.weights and not any(id(each) in every for each in site.weights)
            ):
                layers[place], stepped = site.weights, None
                if site.bias is not None and id(site.bias) in own - counted:
                    stepped = site.bias
                    counted.add(id(site.bias))
                measured.append(Parameters(place, site.weights, site.bias, stepped))
        own_numbers = [k for k, each in enumerate(self._parameters) if id(each) in own]
        unmoved = [
            place
            for place, weights in layers.items()
            if self._probes or not all(each.requires_grad and id(each) in own for each in weights)
        ]
        rows = [*layers, len(sites) + index]
        measured += [
            Parameters(rows[-1], stepped=each)
            for each in map(self._parameters.__getitem__, own_numbers)
            if id(each) not in counted
        ]
        tables = self._measuring.tables(measured)
        self._owned[index] = Owned(layers, unmoved, own_numbers, rows, tables)
        return self._owned[index]

    # --- scales
    # ----------------------------------------------------------------------------------------------

    def _find_scale(self, optimizer: Any) -> bool:
        """Note the scale of the GradScaler that makes this step, if one does; whether the
        optimizer gets gradients that are still scaled (fused).
        """
        given = getattr(optimizer, "grad_scale", None)
        scale = _scale_of_caller() if given is None else given
        self.scale = self.scale if scale is None else float(scale)
        return given is not None

    @staticmethod
    def found_infinity(optimizer: Any) -> bool:
        """Whether a fused optimizer was called with gradients that are not finite, and so left
        its step out.
        """
        found = getattr(optimizer, "found_inf", None)
        return found is not None and bool(found.item())


def _decayed(optimizer: Any) -> list[torch.Tensor]:
    """Norms of the parameters of each group, whose squares sum up to the penalty ½ λ Σ w²."""
    found = []
    for group in optimizer.param_groups:
        stepped = [each.detach() for each in group["params"] if each.grad is not None]
        if stepped and group.get("weight_decay"):
            factor = math.sqrt(0.5 * float(group["weight_decay"]))
            found.append(torch.stack(torch._foreach_norm(stepped)) * factor)
    return found


def _scale_of_caller() -> torch.Tensor | None:
    """The scale of the GradScaler whose `step` is running; None where none is."""
    frame: Any = sys._getframe(1)
    for _ in range(FRAMES):
        if frame is None:
            return None
        if frame.f_code is SCALER_STEP:
            scale: torch.Tensor | None = frame.f_locals["self"]._scale
            return scale
        frame = frame.f_back
    return None
