"""One call of a layer in a recorded step: what is kept of it until the step is over, and how
several calls are put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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

    silent: calls that no error signal comes back to, of frozen layers.
    """

    step: int
    lives: bool = False
    silent: list[Call] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Call:
    """What one call of a layer gave; rows are samples × positions.

    * place: of the layer in the list of sites; order: of the call among all
    * z: (rows, units); normed: what the norm behind it gave; after: what a sum behind the
      activation gave
    * signal: dL/dz (rows, units); activation_gradient: dL/da, as it came
    * feeds: the site that takes a, −1 where none does as it is; source: the site whose a its input
      is;
      tiny: the smallest normal number of dL/da's type; pooled: calls in one pass, put together;
      version: of z where it is no copy, else −1
    * samples: in the batch; fan_in: width of the input; inputs: x (samples, positions, fan_in)
      where there are positions, input_square: Σ x² (rows,), float64,
      where there are none
    """

    place: int
    order: int
    forward: Forward
    samples: int
    z: torch.Tensor
    normed: torch.Tensor | None = None
    after: torch.Tensor | None = None
    signal: torch.Tensor | None = None
    activation_gradient: torch.Tensor | None = None
    inputs: torch.Tensor | None = None
    input_square: torch.Tensor | None = None
    fan_in: int = 0
    feeds: int = -1
    source: int = -1
    tiny: float = 0.0
    pooled: int = 1
    version: int = -1

    @property
    def overwritten(self) -> bool:
        """Whether z was changed in place since it was kept without a copy."""
        return self.version >= 0 and self.z._version != self.version

    @property
    def rows(self) -> int:
        return int(self.z.shape[0])

    @property
    def units(self) -> int:
        return int(self.z.shape[1])

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of the tensors that are there."""
        return tuple(name for name in ARRAYS if getattr(self, name) is not None)


ARRAYS = ("z", "normed", "after", "signal", "activation_gradient", "input_square")


def pooled(calls: Sequence[Call]) -> Call:
    """All calls of one layer in a step as one: those of several passes are more samples, those
    in one pass more positions of the same samples.
    """
    if len(calls) == 1:
        return calls[0]
    passes = list(dict.fromkeys(call.forward for call in calls))
    once_each = len(passes) == len(calls)
    joined: dict[str, Any] = {
        name: torch.cat([getattr(call, name) for call in calls])
        for name in ARRAYS
        if all(name in call.arrays for call in calls)
    }
    if not once_each:  # a sample's gradient is then the sum over its calls
        joined.pop("input_square", None)
    samples = sum(next(call.samples for call in calls if call.forward is one) for one in passes)
    missing: dict[str, Any] = {name: None for name in ARRAYS if name not in joined}
    inputs = (
        torch.cat([call.inputs for call in calls])
        if once_each and all(_fits(call, calls[0]) for call in calls)
        else None
    )
    return replace(
        calls[0],
        samples=samples,
        inputs=inputs,
        pooled=1 if once_each else len(calls),
        **joined,
        **missing,
    )


def _fits(call: Call, first: Call) -> bool:
    return (
        call.inputs is not None
        and first.inputs is not None
        and call.inputs.shape[1:] == first.inputs.shape[1:]
    )
