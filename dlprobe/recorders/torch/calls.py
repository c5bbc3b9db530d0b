"""One call of a layer in a recorded step: what is kept of it until the step is over, and how
several calls are put together.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

WIDE = (torch.float32, torch.float64)


def kept(tensor: torch.Tensor, copy: bool = True) -> torch.Tensor:
    """A copy, in float32 where it is narrower: the tensor itself may be overwritten in place before
    the step ends. Without copy the tensor itself where it is not
    narrower: what overwrites it all the same is seen by its version."""
    tensor = tensor.detach() if tensor.requires_grad else tensor
    if tensor.dtype in WIDE:
        return tensor.clone() if copy else tensor
    return tensor.float()


@dataclass(eq=False)
class Forward:
    """One pass of the model. It counts once an error signal has come back through one of its calls;
    others, such as evaluations, are dropped with their graph.

    silent: calls that no error signal comes back to, of frozen layers. returned: by the place of a
    layer, dL/da (rows, units) as it came back through the input of another, the place of that one,
    and the smallest normal number of its type.
    """

    step: int
    lives: bool = False
    silent: list[Call] = field(default_factory=list)
    returned: dict[int, tuple[torch.Tensor, int, float]] = field(default_factory=dict)


class Call:
    """What one call of a layer gave; rows are samples × positions.

    * place: of the layer in the list of sites; order: of the call among all
    * z: `rows` × `units` numbers; version: of z where it is no copy, else −1; normed: what the norm
      behind it gave; after: what a sum behind the activation gave
    * signal: dL/dz (rows, units); activation_gradient: dL/da, as it came, tiny the smallest normal
      number of its type, and follower the site that it came through, −1 as long as none has;
      is_draft: the signal is of a backward pass that made a graph, for another to follow
    * x: what a layer in the middle of a chain took, and before: the call that gave it; form: of
      such a layer's call, instead of what a table is made of otherwise (`form_of`)
    * takes: the site whose output it takes; source: the site whose a its input is; −1 for none
    * samples: in the batch; pooled: calls in one pass, put together
    * fan_in: width of the input; inputs: x (samples, positions, fan_in) where there are positions,
      input_square: Σ x² (rows,), float64, where there are none
    """

    normed: torch.Tensor | None = None
    after: torch.Tensor | None = None
    signal: torch.Tensor | None = None
    activation_gradient: torch.Tensor | None = None
    inputs: torch.Tensor | None = None
    x: Any = None
    before: Any = None
    form: tuple[Any, ...] = ()
    input_square: torch.Tensor | None = None
    fan_in = 0
    takes = follower = source = version = -1
    tiny = 0.0
    is_draft = False
    pooled = 1

    def __init__(
        self, place: int, order: int, forward: Forward, samples: int, z: torch.Tensor
    ) -> None:
        self.place, self.order, self.forward = place, order, forward
        self.samples, self.z = samples, z
        self.rows, self.units = z.shape


ARRAYS = ("z", "normed", "after", "signal", "activation_gradient", "input_square")


def pooled(calls: Sequence[Call]) -> Call:
    """All calls of one layer in a step as one: those of several passes are more samples, those
    in one pass more positions of the same samples.
    """
    if len(calls) == 1:
        return calls[0]
    calls = sorted(calls, key=lambda call: call.order)
    whole, passes = copy.copy(calls[0]), list(dict.fromkeys(call.forward for call in calls))
    once_each = len(passes) == len(calls)
    for name in ARRAYS:
        arrays = [getattr(call, name) for call in calls]
        there = all(each is not None for each in arrays)
        if name == "input_square":  # else a sample's gradient is the sum over its calls
            there = there and once_each
        setattr(whole, name, torch.cat(arrays) if there else None)
    whole.inputs, whole.rows, whole.form = None, len(whole.z), ()
    if once_each and all(_fits(call, calls[0]) for call in calls):
        whole.inputs = torch.cat([call.inputs for call in calls if call.inputs is not None])
    whole.samples = sum(
        next(call.samples for call in calls if call.forward is one) for one in passes
    )
    whole.pooled = 1 if once_each else len(calls)
    return whole


def _fits(call: Call, first: Call) -> bool:
    return (
        call.inputs is not None
        and first.inputs is not None
        and call.inputs.shape[1:] == first.inputs.shape[1:]
    )
