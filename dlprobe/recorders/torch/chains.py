"""Layers in the middle of a chain: each takes the output of just one layer and hands its own to
just one. Their calls are kept with few words, for each is spoken at every layer of every step.

Autograd itself keeps the gradients of what they take and give (`retain_grad`): a hook in Python
costs 6 µs in every backward pass of a layer, this .5 µs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch

from dlprobe.recorders.torch.calls import WIDE, Call, Forward
from dlprobe.recorders.torch.discovery import Discovery
from dlprobe.recorders.torch.hooks import Guarded, Hook
from dlprobe.recorders.torch.layers import Layer


class Chain:
    """What is kept of such layers in one step.

    * orders: numbers of calls; last: by place the latest call of this step; input_square: as in
      `Measuring`; otherwise: keeps a call that is another than the usual one
    * hooks: by place; forward: the pass whose calls are kept here, None for none
    """

    def __init__(
        self,
        orders: Iterator[int],
        last: dict[int, Call],
        input_square: Callable[[torch.Tensor], torch.Tensor],
        otherwise: Callable[[int, Any, Any, Any, Any], None],
    ) -> None:
        self.orders, self.last = orders, last
        self.input_square, self.otherwise = input_square, otherwise
        self.hooks: dict[int, ChainHook] = {}
        self.forward: Forward | None = None
        self.calls: list[Call] = []
        self._collected = 0

    def find(self, known: Discovery, layers: dict[int, Layer], fail: Guarded) -> None:
        """Make the hooks, once it is known which layer takes what."""
        self.hooks = {}
        for place, takes in known.takers.items():
            layer, before = layers[place], layers[takes]
            usual = place in known.alone - known.overwritten
            if layer.site.kind != "dense" or not layer.site.weights or not usual:
                continue
            if layer.axes == 2 and "sum" not in (layer.after, before.after):
                fan_in = int(layer.site.weights[0].shape[1])
                is_a = known.sources.get(place, -1) == takes and before.axes == 2
                is_a = is_a and before.site.sizes[1] == fan_in
                self.hooks[place] = ChainHook(fail, self, place, fan_in, takes, is_a)

    def open(self, forward: Forward) -> None:
        """A pass begins. Its graph lives until the step ends, so where another waits for its
        backward pass already, this is kept otherwise.
        """
        waits = self.calls and self.calls[-1].z.grad is None
        self.forward = None if waits else forward

    def collect(self) -> list[Call]:
        """The calls that an error signal has come back to since the last time."""
        new, self._collected = [], len(self.calls)
        for call in self.calls:
            signal, returned = call.z.grad, call.x.grad
            if signal is None:
                continue
            if signal.requires_grad:  # its graph has z, which would have it
                signal, returned = signal.detach(), returned.detach()
                call.z.grad = call.x.grad = None
            if call.signal is None:
                new.append(call)
            call.signal = signal
            before = call.before
            if returned is not None and before.units == call.fan_in:
                before.activation_gradient, before.follower = returned, call.place
                before.tiny = smallest_normal(returned.dtype)
        return new

    def forget(self) -> None:
        """The step is over."""
        if self._collected < len(self.calls):
            self.collect()
        self.forward, self.calls, self._collected = None, [], 0


class ChainHook(Hook):
    """The forward hook of such a layer. takes: the place whose output it takes; is_a: that is the
    other's a, as it is measured, of `fan_in` units.
    """

    __slots__ = ("_chain", "_dtype", "_fan_in", "_form", "_is_a", "_place", "_rows", "_takes")

    def __init__(
        self, recording: Guarded, chain: Chain, place: int, fan_in: int, takes: int, is_a: bool
    ) -> None:
        super().__init__(recording, chain.otherwise, place)
        self._chain, self._place, self._form = chain, place, tuple[Any, ...]()
        self._fan_in, self._takes, self._is_a = fan_in, takes, is_a
        self._dtype: torch.dtype | None = None
        self._rows = 0

    def __call__(self, module: Any, inputs: Any = (), named: Any = None, z: Any = None) -> None:
        try:
            if not self._kept(inputs, z):
                self._chain.otherwise(self._place, module, inputs, named, z)
        except Exception as error:
            self._recording.fail(error)

    def _kept(self, inputs: Any, z: Any) -> bool:
        """Keep the call, where it is the usual one."""
        chain, takes = self._chain, self._takes
        forward, before = chain.forward, chain.last.get(takes)
        if forward is None or before is None or before.forward is not forward or not inputs:
            return False
        x, rows = inputs[0], before.rows
        if z.dim() != 2 or x.dim() != 2 or len(z) != rows or not z.requires_grad or x.is_leaf:
            return False
        if z.dtype is not self._dtype or rows != self._rows:
            if z.dtype not in WIDE:
                return False
            self._dtype, self._rows = z.dtype, rows
            self._form = self._place, z.dtype, rows
        call = Call(self._place, next(chain.orders), forward, rows, z)
        call.version, call.fan_in, call.takes, call.x = z._version, self._fan_in, takes, x
        call.before = before
        call.form = self._form
        if self._is_a:
            call.source = takes
        else:
            call.input_square = chain.input_square(x)
        z.retain_grad()
        x.retain_grad()
        chain.last[self._place] = call
        chain.calls.append(call)
        return True


@cache
def smallest_normal(dtype: torch.dtype) -> float:
    """Of a type of numbers."""
    return float(torch.finfo(dtype).tiny)
