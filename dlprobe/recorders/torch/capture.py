"""Gradients and weights of a step: dL/dW as the backward pass left it, what the optimizer gets of
it, W before and ΔW after.

What clips or unscales gradients does it in place between the two, which their version counters
show. The first recorded step measures at both moments; where nothing changed, later steps measure
once.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from dlprobe.recorders.torch.facts import decays
from dlprobe.recorders.torch.groups import Floats, Group, Scratch, Sums
from dlprobe.recorders.torch.parameter_groups import Gradients, Norms, Others, Updates, Weights
from dlprobe.recorders.torch.passes import Passes

SCALER_STEP = torch.amp.GradScaler.step.__code__
FRAMES = 16  # callers of a step among which a GradScaler is looked for


@dataclass(frozen=True)
class Owned:
    """What one optimizer steps. layers: (rank, weights) of the layers that are measured with
    it; others: its parameters that are no layer's W.
    """

    layers: list[tuple[int, list[nn.Parameter]]]
    moved: list[bool]
    weights: dict[int, list[nn.Parameter]]
    biases: list[tuple[int, nn.Parameter]]
    parameters: list[nn.Parameter]
    others: list[nn.Parameter]


class Capture:
    """What is kept of gradients and weights until a row is complete."""

    def __init__(
        self,
        model: nn.Module,
        passes: Passes,
        optimizers: Sequence[Any],
        scratch: Scratch,
        wide: set[Any],
        probes: bool,
    ) -> None:
        self._passes, self._optimizers, self._scratch, self._wide = (
            passes,
            optimizers,
            scratch,
            wide,
        )
        self._parameters, self._probes = list(model.parameters()), probes
        self._owned: dict[int, Owned] = {}
        self._made: dict[Any, tuple[list[Group], list[Updates]]] = {}
        # whether gradients are changed between backward pass and step: so it is taken to be in the
        # first step
        self._changes = True
        self._versions: dict[int, tuple[int, int]] = {}
        self._initial: dict[int, list[torch.Tensor]] = {}
        self.forget()

    def forget(self) -> None:
        """The row is over, or was left out."""
        self._before: dict[int, torch.Tensor] = {}
        self.groups: list[Group] = []
        self.sums: list[Sums] = []
        self.updates: list[tuple[Updates, Owned]] = []
        self.key: tuple[Any, ...] = ()
        self.scale = 1.0
        self.changed = self.lacking = False

    # --- moments
    # ----------------------------------------------------------------------------------------------

    def after_backward(self) -> None:
        """Every gradient is there."""
        self._versions = {
            id(each): (id(gradient), gradient._version)
            for each in self._parameters
            if (gradient := each.grad) is not None
        }
        if self._changes:
            self._before = {
                id(each): each.grad.detach().clone()
                for each in self._parameters
                if each.grad is not None
            }

    def gradient_was_dropped(self) -> bool:
        """Whether, with a backward pass behind it and no step, gradients are gone or changed:
        then the step was left out.
        """
        return bool(self._passes.passes and self._versions) and self._were_changed(self._parameters)

    def _were_changed(self, parameters: Sequence[nn.Parameter]) -> bool:
        versions = self._versions
        for parameter in parameters:
            known = versions.get(id(parameter))
            if known is not None:
                gradient = parameter.grad
                if gradient is None or known[0] != id(gradient) or known[1] != gradient._version:
                    return True
        return False

    def before_step(self, index: int) -> None:
        """The optimizer `index` is about to step: measure gradients, keep W."""
        if index not in self._owned:
            self._owned[index] = self._owned_by(index)
            self._initial |= {
                rank: [each.detach().clone() for each in weights]
                for rank, weights in self._owned[index].layers
            }
        owned = self._owned[index]
        scaled = self._find_scale(self._optimizers[index])
        changed = self._were_changed(owned.parameters)
        lacking = changed and not self._before
        self.changed, self.lacking = self.changed or changed, self.lacking or lacking
        present = tuple(
            all(each.grad is not None for each in weights) for _, weights in owned.layers
        )
        key = (
            index,
            present,
            changed,
            lacking,
            scaled,
            self.scale != 1.0,
            len(self._wide),
            sum(each.grad is not None for each in owned.others),
        )
        if key not in self._made:
            self._made[key] = self._groups(index, owned, present, changed, lacking, scaled)
        self.key = (*self.key, key)
        groups, updates = self._made[key]
        self.groups += groups
        self.sums += [self._sums(index, group, owned) for group in groups]
        self.updates += [(each, owned) for each in updates]

    def after_step(self) -> tuple[list[Updates], list[Sums]]:
        """The optimizers have stepped."""
        return [each for each, _ in self.updates], [
            each.sums(_joined_all([owned.weights[rank] for rank in each.ranks]))
            for each, owned in self.updates
        ]

    def distances(self, layers: int) -> Floats:
        """(layer,): ‖W − W₀‖/‖W₀‖, W₀ of the first recorded step; NaN where it was 0 or is not
        known.
        """
        found = np.full(layers, math.nan)
        weights = {
            rank: own for owned in self._owned.values() for rank, own in owned.weights.items()
        }
        for rank, before in self._initial.items():
            size = math.hypot(*(float(each.double().norm()) for each in before))
            moved = math.hypot(
                *(
                    float((now.detach() - then).double().norm())
                    for now, then in zip(weights[rank], before, strict=True)
                )
            )
            found[rank] = moved / size if size > 0 else math.nan
        return found

    def row_is_over(self) -> None:
        """What this row has shown counts for the next: where gradients are changed, they are
        copied before.
        """
        self._changes = self.changed

    # --- groups
    # ----------------------------------------------------------------------------------------------

    def _owned_by(self, index: int) -> Owned:
        """What one optimizer steps, once the rows are known."""
        own = {
            id(each) for group in self._optimizers[index].param_groups for each in group["params"]
        }
        every = {
            id(each)
            for optimizer in self._optimizers
            for group in optimizer.param_groups
            for each in group["params"]
        }
        layers, biases = [], []
        for place, rank in self._passes.fix_ranks().items():
            site = self._passes.sites[place]
            if any(id(each) in own for each in site.weights) or (
                index == 0 and site.weights and not any(id(each) in every for each in site.weights)
            ):
                layers.append((rank, site.weights))
                if site.bias is not None:
                    biases.append((rank, site.bias))
        weights = {id(each) for site in self._passes.sites for each in site.weights}
        parameters = [each for each in self._parameters if id(each) in own]
        moved = [
            not self._probes and all(each.requires_grad and id(each) in own for each in weights)
            for _, weights in layers
        ]
        return Owned(
            layers,
            moved,
            dict(layers),
            biases,
            parameters,
            [each for each in parameters if id(each) not in weights],
        )

    def _groups(
        self,
        index: int,
        owned: Owned,
        present: Sequence[bool],
        changed: bool,
        lacking: bool,
        scaled: bool,
    ) -> tuple[list[Group], list[Updates]]:
        """The groups of a step in which these gradients are there. scaled: gradients are scaled
        where they are measured.
        """
        of_scaled_loss = scaled or (changed and self.scale != 1.0)  # before unscaling changed it
        with_gradient = [layer for layer, there in zip(owned.layers, present, strict=True) if there]
        groups: list[Group] = []
        if not lacking:
            for members in _of_one_shape(with_gradient):
                ranks = [rank for rank, _ in members]
                size = sum(each.numel() for each in members[0][1])
                groups.append(
                    Gradients(
                        ranks,
                        ("gradient", *ranks) in self._wide,
                        self._scratch,
                        size,
                        of_scaled_loss,
                    )
                )
            groups.append(Others("others", self._scratch, of_scaled_loss))
        if changed:
            ranks = [rank for rank, _ in with_gradient]
            groups.append(
                Norms(ranks, self._scratch, "clipped_gradient_l2", [1.0] * len(ranks), scaled, True)
            )
            groups.append(Others("others_clipped", self._scratch, scaled))
        if decays(self._optimizers[index]):
            groups.append(Others("penalty", self._scratch, False))
        if owned.biases:
            roots = [math.sqrt(bias.numel()) for _, bias in owned.biases]
            groups.append(
                Norms(
                    [rank for rank, _ in owned.biases],
                    self._scratch,
                    "bias_rms",
                    roots,
                    False,
                    False,
                )
            )
        moved = dict(zip([rank for rank, _ in owned.layers], owned.moved, strict=True))
        updates = []
        for members in _of_one_shape(owned.layers):
            ranks = [rank for rank, _ in members]
            size = sum(each.numel() for each in members[0][1])
            weights = Weights(ranks, ("weight", *ranks) in self._wide, self._scratch, size)
            groups.append(weights)
            updates.append(
                Updates(weights, ("update", *ranks) in self._wide, [moved[rank] for rank in ranks])
            )
        return groups, updates

    def _sums(self, index: int, group: Group, owned: Owned) -> Sums:
        """A group's sums of this step's tensors."""
        if isinstance(group, Weights):
            return group.sums(_joined_all([owned.weights[rank] for rank in group.ranks]))
        if isinstance(group, Gradients):
            if self.changed:
                return group.sums(
                    [
                        _joined([self._before[id(each)] for each in owned.weights[rank]])
                        for rank in group.ranks
                    ]
                )
            return group.sums(
                _joined_all([[each.grad for each in owned.weights[rank]] for rank in group.ranks])
            )
        if isinstance(group, Norms) and group.name == "bias_rms":
            return group.sums([bias for _, bias in owned.biases])
        if isinstance(group, Norms):
            return group.sums(
                [_joined([each.grad for each in owned.weights[rank]]) for rank in group.ranks]
            )
        assert isinstance(group, Others)
        if group.kind == "penalty":
            return group.sums(_decayed(self._optimizers[index]))
        before = group.kind == "others" and self.changed
        gradients = [self._before.get(id(each)) if before else each.grad for each in owned.others]
        there = [_dense(each) for each in gradients if each is not None]
        return group.sums(there) if there else {}

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


def _of_one_shape(
    layers: Sequence[tuple[int, list[nn.Parameter]]],
) -> list[list[tuple[int, list[nn.Parameter]]]]:
    """Layers whose weights can stand side by side."""
    groups: dict[Any, list[tuple[int, list[nn.Parameter]]]] = {}
    for rank, weights in layers:
        key = tuple((each.shape, each.device, each.dtype) for each in weights)
        groups.setdefault(key, []).append((rank, weights))
    return list(groups.values())


def _decayed(optimizer: Any) -> list[torch.Tensor]:
    """Norms of the parameters of each group, whose squares sum up to the penalty ½ λ Σ w²."""
    found = []
    for group in optimizer.param_groups:
        stepped = [each.detach() for each in group["params"] if each.grad is not None]
        if stepped and group.get("weight_decay"):
            factor = math.sqrt(0.5 * float(group["weight_decay"]))
            found.append(torch.stack(torch._foreach_norm(stepped)) * factor)
    return found


def _dense(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to_dense() if tensor.is_sparse else tensor.detach()


def _joined_all(several: Sequence[Sequence[Any]]) -> list[torch.Tensor]:
    """`_joined` of each; fast for the usual ones."""
    if all(len(each) == 1 and not each[0].is_sparse for each in several):
        return [each[0] for each in several]
    return [_joined(each) for each in several]


def _joined(tensors: Sequence[Any]) -> torch.Tensor:
    """One tensor of several, sparse ones made dense."""
    return (
        _dense(tensors[0])
        if len(tensors) == 1
        else torch.cat([_dense(each).reshape(-1) for each in tensors])
    )


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
