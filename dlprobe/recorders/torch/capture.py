"""Gradients and weights of a step: dL/dW as the backward pass left it, what the optimizer gets of it, W before and ΔW after.

What clips or unscales gradients does it in place between the two, which their version counters show.
The first recorded step measures at both moments; where nothing
changed, later steps measure once.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dlprobe.recorders.torch import reductions as r
from dlprobe.recorders.torch.passes import Passes
from dlprobe.recorders.torch.rows import Before, Part, Summing, Table, joined

FRAMES = 12  # of the callers of a step in which a GradScaler is looked for
ROUNDING = 1e-5  # of a clip scale that is 1


class Capture:
    """What is kept of gradients and weights until a row is complete."""

    def __init__(self, model: nn.Module, passes: Passes, optimizers: Sequence[Any], summing: Summing) -> None:
        self._passes, self._optimizers, self._summing = passes, optimizers, summing
        self._parameters = list(model.parameters())
        self._weights = {id(parameter) for site in passes.sites for parameter in site.weights}
        self._changes = True  # whether gradients are changed between backward pass and step: so it is taken to be in the first step
        self._versions: dict[int, tuple[int, int]] = {}
        self.forget()

    def forget(self) -> None:
        """The row is over, or was left out."""
        self._before: dict[int, torch.Tensor] = {}
        self._others_before: torch.Tensor | None = None
        self._parts: list[Part] = []
        self._copies: list[Before] = []
        self._moved: set[int] = set()
        self._scale = self._gradient_scale = 1.0
        self._others = self._others_clipped = 0.0
        self._changed = self._lacking = False

    # --- moments -----------------------------------------------------------------------------------------------------------------------------------------

    def after_backward(self) -> None:
        """Every gradient is there."""
        self._versions = {id(each): (id(each.grad), each.grad._version) for each in self._parameters if each.grad is not None}
        if self._changes:
            self._before = {id(each): each.grad.detach().clone() for each in self._parameters if each.grad is not None}

    def gradient_was_dropped(self) -> bool:
        """Whether, with a backward pass behind it and no step, gradients are gone or changed: then the step was left out."""
        return bool(self._passes.passes and self._versions and any(self._was_changed(each) for each in self._parameters if id(each) in self._versions))

    def _was_changed(self, parameter: nn.Parameter) -> bool:
        gradient = parameter.grad
        return gradient is None or self._versions.get(id(parameter)) != (id(gradient), gradient._version)

    def before_step(self, index: int) -> None:
        """The optimizer `index` is about to step."""
        owned = {id(each) for group in self._optimizers[index].param_groups for each in group["params"]}
        ranks = self._passes.fix_ranks()
        mine = {rank: self._passes.sites[place].weights for place, rank in ranks.items()}
        mine = {rank: weights for rank, weights in mine.items() if weights and self._belongs(weights, owned, index)}
        scaled = self._find_scale(self._optimizers[index])
        changed = any(self._was_changed(each) for each in self._parameters if id(each) in owned and id(each) in self._versions)
        self._gradients(mine, owned, changed, scaled)
        parts, copies = self._summing.of_weights(mine)
        self._parts += parts
        self._copies += copies
        self._moved |= {rank for rank, weights in mine.items() if all(each.requires_grad and id(each) in owned for each in weights)}
        biases = {rank: bias for place, rank in ranks.items() if rank in mine and (bias := self._passes.sites[place].bias) is not None}
        self._parts += self._summing.of_biases(biases)

    def _belongs(self, weights: Sequence[nn.Parameter], owned: set[int], index: int) -> bool:
        """Whether a layer is measured with this optimizer; layers that none steps are measured with the first."""
        if any(id(each) in owned for each in weights):
            return True
        every = {id(each) for optimizer in self._optimizers for group in optimizer.param_groups for each in group["params"]}
        return index == 0 and not any(id(each) in every for each in weights)

    def _gradients(self, mine: Mapping[int, list[nn.Parameter]], owned: set[int], changed: bool, scaled: bool) -> None:
        now = {rank: [each.grad for each in weights] for rank, weights in mine.items() if all(each.grad is not None for each in weights)}
        others = [each.grad for each in self._parameters if each.grad is not None and id(each) in owned and id(each) not in self._weights]
        self._changed |= changed
        if changed and not self._before:
            self._lacking = self._changes = True
        elif changed:
            before = {rank: [self._before[id(each)] for each in mine[rank]] for rank in now if all(id(each) in self._before for each in mine[rank])}
            self._parts += self._summing.of_gradients(before, lambda: self._scale, False)
            was = [self._before[id(each)] for each in self._parameters if id(each) in owned and id(each) not in self._weights and id(each) in self._before]
            self._parts += self._norm_of_others("_others", was, lambda: self._scale)
        else:
            self._parts += self._summing.of_gradients(now, lambda: self._gradient_scale, scaled)
            self._parts += self._norm_of_others("_others", others, lambda: self._gradient_scale)
        if changed:
            flat = {rank: joined(gradients) for rank, gradients in now.items()}
            self._parts += self._summing.of_norms("clipped_gradient_l2", flat, lambda: self._gradient_scale)
            self._parts += self._norm_of_others("_others_clipped", others, lambda: self._gradient_scale)

    def _norm_of_others(self, name: str, gradients: Sequence[Any], scale: Any) -> list[Part]:
        """The norm of the gradients of parameters that are no layer's W, for the norm of the whole gradient."""
        if not gradients:
            return []
        norms = torch._foreach_norm([each.to_dense() if each.is_sparse else each for each in gradients])

        def finish(numbers: dict[str, r.Floats], table: Table) -> None:
            setattr(self, name, math.hypot(getattr(self, name), float(math.sqrt((numbers["norms"] ** 2).sum())) / scale()))

        return [Part({"norms": torch.stack(list(norms))}, finish)]

    def after_step(self) -> list[Part]:
        """The optimizers have stepped: everything that was captured, and ΔW."""
        return [*self._parts, *self._summing.of_updates(self._copies, self._moved)]

    def complete(self, table: Table) -> bool:
        """What follows from several numbers of a row; what this row has shown counts for the next. Returns whether all weights are finite."""
        self._changes = self._changed
        if not self._changed:
            table["clipped_gradient_l2"][:] = table["gradient_l2"]
        layers = [self._passes.layers[place] for place in self._passes.ranks]
        mixing = [rank for rank, layer in enumerate(layers) if layer.norm == "batch"]
        weights = [id(weight) for layer in layers for weight in layer.site.weights]
        shared = [rank for rank, layer in enumerate(layers) if any(weights.count(id(weight)) > 1 for weight in layer.site.weights)]
        if mixing or shared:
            table.put([*range(max(mixing, default=-1) + 1), *shared], {"gradient_sample_rms": math.nan})
        return all(math.isfinite(table["weight_l2"][rank]) for copy in self._copies for rank in copy.places)

    # --- scales ----------------------------------------------------------------------------------------------------------------------------------------------

    def scale(self) -> float:
        """What the loss was multiplied by before the backward pass (torch.amp.GradScaler); known when parts are finished."""
        return self._scale

    def _find_scale(self, optimizer: Any) -> bool:
        """Note the scale of the GradScaler that makes this step, if one does; whether the optimizer gets gradients that are still scaled (fused)."""
        given = getattr(optimizer, "grad_scale", None)
        scale = _scale_of_caller() if given is None else given
        if scale is not None:
            tensor = scale.detach().clone().reshape(1)

            def finish(numbers: dict[str, r.Floats], table: Table) -> None:
                self._scale = float(numbers["scale"][0])
                self._gradient_scale = self._scale if given is not None else 1.0

            self._parts.insert(0, Part({"scale": tensor}, finish))
        return given is not None

    @staticmethod
    def found_infinity(optimizer: Any) -> bool:
        """Whether a fused optimizer was called with gradients that are not finite, and so left its step out."""
        found = getattr(optimizer, "found_inf", None)
        return found is not None and bool(found.item())

    # --- scalars ---------------------------------------------------------------------------------------------------------------------------------------------

    def scalars(self, table: Table) -> dict[str, float]:
        """The scalars of the row, but for the loss."""
        group = self._optimizers[0].param_groups[0]
        found = {"learning_rate": float(group["lr"]), "momentum": float(group.get("momentum", group.get("betas", (math.nan,))[0]))}
        if not self._lacking:
            found["gradient_norm"] = self._whole(table, "gradient_l2", self._others)
            clipped = self._whole(table, "clipped_gradient_l2", self._others_clipped) if self._changed else found["gradient_norm"]
            ratio = clipped / found["gradient_norm"] if found["gradient_norm"] > 0 else 1.0
            found |= {"clipped_gradient_norm": clipped, "clip_scale": 1.0 if abs(ratio - 1.0) < ROUNDING else ratio}
        return found

    def _whole(self, table: Table, name: str, others: float) -> float:
        """Over all parameters; one that several layers share counts once."""
        ranks, seen, square, norms = self._passes.ranks, set(), others**2, table[name].tolist()
        for place, rank in ranks.items():
            key = tuple(id(each) for each in self._passes.sites[place].weights)
            if key not in seen and not math.isnan(norms[rank]):
                square += norms[rank] ** 2
            seen.add(key)
        return math.sqrt(square)


def _scale_of_caller() -> torch.Tensor | None:
    """The scale of the GradScaler whose `step` is running; None where none is."""
    code = torch.amp.GradScaler.step.__code__
    frame: Any = sys._getframe(1)
    for _ in range(FRAMES + 6):
        if frame is None:
            return None
        if frame.f_code is code:
            scale: torch.Tensor | None = frame.f_locals["self"]._scale
            return scale
        frame = frame.f_back
    return None
