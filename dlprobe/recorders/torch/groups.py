"""Layers of one shape are summed side by side: what every group of them has, see `call_groups` and
`parameter_groups`.

A group is made once for steps that look alike. `sums` is called at every recorded step;
`statistics` turns the numbers of many steps, (step, layer), into statistics by the formulas;
`doubtful` finds the layers whose numbers lie where float32 fails, and `again` measures those by
their definitions, in float64.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from dlprobe.recorders.torch.calls import Call
from dlprobe.recorders.torch.layers import Layer

Sums: TypeAlias = dict[str, torch.Tensor]
Floats: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = Mapping[str, Floats]
LOW, HIGH = 1e-18, 1e18  # a typical number, and a norm, whose squares float32 holds
MOST = 256  # pieces of scratch memory


class Scratch:
    """Memory that is used again at every step: new memory of a megabyte costs its page faults,
    up to a millisecond.
    """

    def __init__(self) -> None:
        self._known: dict[Any, torch.Tensor] = {}
        self._woken: dict[tuple[int, ...], torch.Tensor] = {}

    def like(
        self, key: Any, shape: Sequence[int], model: torch.Tensor, dtype: Any = None
    ) -> torch.Tensor:
        """Memory of a shape on the model's device, in its type or another; the same for the
        same key.
        """
        whole = (key, tuple(shape), dtype or model.dtype, model.device)
        found = self._known.get(whole)
        if found is None:
            if len(self._known) >= MOST:  # batches of ever new shapes
                self._known.clear()
            found = self._known[whole] = torch.empty(
                tuple(shape), dtype=dtype or model.dtype, device=model.device
            )
        return found

    def stacked(
        self, key: Any, tensors: Sequence[torch.Tensor], wide: bool = False, copy: bool = False
    ) -> torch.Tensor:
        """(layer, …) of tensors of one shape. A single one is not copied unless that is asked
        for.
        """
        if len(tensors) == 1 and not wide and not copy:
            return tensors[0].unsqueeze(0)
        out = torch.stack(
            tensors,
            out=self.like((key, len(tensors)), (len(tensors), *tensors[0].shape), tensors[0]),
        )
        return self.widened(out, key) if wide else out

    def widened(self, tensor: torch.Tensor, key: Any = None) -> torch.Tensor:
        """A copy in float64."""
        return self.like((key, "wide"), tensor.shape, tensor, torch.float64).copy_(tensor)

    def wake(self, ranks: Sequence[int], sizes: torch.Tensor) -> None:
        """Keep the largest of a unit's sizes (layer, unit) over steps: a unit is dead as long
        as they are 0.
        """
        key = tuple(ranks)
        before = self._woken.get(key)
        self._woken[key] = (
            sizes.clone() if before is None else torch.maximum(before, sizes, out=before)
        )

    def dead(self, layers: int) -> Floats:
        """(layer,): the share of units that were dead on every batch since the last call; NaN
        of layers without a slope of their own.
        """
        sizes: dict[int, torch.Tensor] = {}
        for ranks, woken in self._woken.items():
            for rank, row in zip(ranks, woken, strict=True):
                sizes[rank] = row + sizes[rank] if rank in sizes else row
        self._woken = {}
        return np.array(
            [
                float((sizes[rank] == 0).double().mean()) if rank in sizes else math.nan
                for rank in range(layers)
            ]
        )


def norm(values: torch.Tensor, *dims: int) -> torch.Tensor:
    """Euclidean norm over some axes."""
    return torch.linalg.vector_norm(values, dim=dims)


class Group(ABC):
    """Some layers side by side. ranks: their rows; wide: summed in float64, because float32
    failed before; scratch: memory for what is in between.
    """

    kind = ""

    def __init__(self, ranks: Sequence[int], wide: bool, scratch: Scratch) -> None:
        self.ranks, self.wide, self.scratch = list(ranks), wide, scratch

    @abstractmethod
    def sums(self, given: Any) -> Sums:
        """The sums of one step, (layer,) each: of its calls, or of one tensor per layer."""

    @abstractmethod
    def statistics(self, n: Numbers) -> dict[str, Floats]:
        """By name (step, layer), of sums (step, layer) and `scale` (step, 1), what losses were
        multiplied by.
        """

    def release(self) -> None:  # noqa: B027 - most groups keep nothing
        """The step is over: keep nothing of it."""


class Remeasured(Group):
    """A group whose layers can be measured again where their sums are doubtful."""

    size = 1  # numbers of a layer that are summed
    trusted: tuple[
        str, ...
    ] = ()  # sums that are norms of what must not under- or overflow when squared

    def floors(self) -> dict[str, Any]:
        """By sum, what its numbers have to reach; where they do and norms are trusted, nothing
        is doubtful.
        """
        return {}

    @property
    def low(self) -> float:
        """The norm below which squares are lost; 0 of a wide group, where only what is not
        finite fails.
        """
        return 0.0 if self.wide else LOW * math.sqrt(self.size)

    def failed(self, n: Mapping[str, Floats]) -> npt.NDArray[np.bool_]:
        """Of one step, (layer,) each: the layers whose norms cannot be trusted, of a wide group
        those that are not finite.
        """
        wrong = np.zeros(len(self.ranks), bool)
        for name in self.trusted:
            wrong |= (
                ~np.isfinite(n[name]) if self.wide else ~((n[name] > self.low) & (n[name] < HIGH))
            )
        return wrong

    def doubtful(
        self, n: Mapping[str, Floats], failed: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """The layers that are to be measured again, the failed ones among them."""
        return failed

    @abstractmethod
    def again(self, index: int, scale: float) -> tuple[dict[str, float], dict[str, float]]:
        """One layer by its definitions: statistics that replace those of the sums, and counts
        that add up over groups.
        """


class OfCalls(Remeasured):
    """A group whose numbers come from calls: `indices` into those of a step."""

    def __init__(
        self,
        ranks: Sequence[int],
        wide: bool,
        scratch: Scratch,
        calls: Sequence[Call],
        indices: Sequence[int],
        layer: Layer,
    ) -> None:
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


def given(tensor: torch.Tensor | None) -> torch.Tensor:
    """What must be there."""
    assert tensor is not None
    return tensor


def array_of(tensor: torch.Tensor) -> Any:
    """NumPy's array on the host."""
    return tensor.detach().cpu().numpy()
