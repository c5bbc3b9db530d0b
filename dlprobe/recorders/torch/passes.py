"""The forward and backward passes of recorded steps: which hooks are on the model, and what they
keep.

A call of a layer counts when its error signal comes back; its record is owned by the hook on z, so
that passes without a backward pass, such as evaluations, go away
with their graph. In the first recorded step every pass is also traced (`tracing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import nn

from dlprobe.recorders.torch.calls import WIDE, Call, Forward, kept, pooled
from dlprobe.recorders.torch.hooks import Guarded, Hook
from dlprobe.recorders.torch.layers import Layer, loss_of
from dlprobe.recorders.torch.measuring import Measuring
from dlprobe.recorders.torch.modules import Site, is_norm, kind_of, sites_of
from dlprobe.recorders.torch.tracing import Operation, Trails, Watching

INPUT_GRADIENT = {
    "AddmmBackward0": 1,
    "MmBackward0": 0,
}  # where in the gradients of a product's inputs that of x stands
POSITIONS = 1024  # up to which gradients of single samples are measured


class Passes:
    """What is kept of the passes of one step.

    * layers: by place in `sites`; ranks: row of each place, in the order of first calls, fixed with
      the first row
    * begin_pass: asked whether a pass that begins is to be kept; backward_begun: told when the
      first error signal of a backward pass has come
    """

    def __init__(
        self,
        model: nn.Module,
        recording: Guarded,
        begin_pass: Callable[[], bool],
        backward_begun: Callable[[], None],
        measuring: Measuring,
    ) -> None:
        self._model, self._recording, self._measuring = model, recording, measuring
        self._begin_pass, self._backward_begun = begin_pass, backward_begun
        self.sites: list[Site] = sites_of(model)
        self.layers = {place: Layer(site) for place, site in enumerate(self.sites)}
        self.ranks: dict[int, int] = {}
        self.loss: str | None = None
        self.known_loss: tuple[str | None, str] | None = (
            None  # what `loss_of` would find, where the framework says it
        )
        self.begun = 0
        self._takers: dict[int, int] = {}  # place -> the place whose output it takes
        self._norms: dict[int, int] = {}  # id of a norm module -> the place that it belongs to
        self._handles: list[Any] = []
        self._trails: Trails | None = None
        self._mode: Watching | None = None
        self._depth = self._order = self._number = 0
        self._queued = self._over = False
        self._forward: Forward | None = None
        self._lives: list[Forward] = []
        self._calls: list[Call] = []
        self._last: dict[int, Call] = {}
        self._alone: set[int] = set()  # places whose input nothing else takes
        self._sources: dict[
            int, int
        ] = {}  # place -> the place whose a, as it is measured, is its input
        self._overwritten: set[int] = set()  # places whose z is overwritten in place
        self._inputs: list[tuple[int, int, Any, bool]] = []
        # dL/da (rows, units) as it came back through the input of another layer, of a pass and a
        # place; the layer that took it, and the smallest normal number of its type
        self._returned: dict[tuple[Forward, int], tuple[torch.Tensor, int, float]] = {}
        self.cut_off: set[int] = set()  # places called at first that no error signal came back to
        self.unregistered: list[tuple[int, ...]] = []  # shapes of weights that the model has not
        self._seen: dict[
            int, int
        ] = {}  # order of a place's first call, of one without gradients too

    # --- hooks on the model
    # ----------------------------------------------------------------------------------------------

    def attach(self) -> None:
        """Put the hooks on."""
        hook = self._recording
        self._handles = [
            self._model.register_forward_pre_hook(Hook(hook, self._enter)),
            *(
                site.module.register_forward_hook(Hook(hook, self._called, place))
                for place, site in enumerate(self.sites)
                if place in self.ranks or not self.ranks
            ),
            *(
                module.register_forward_hook(Hook(hook, self._normed))
                for module in self._model.modules()
                if self._wants_norm(module)
            ),
            *(
                module.register_forward_hook(Hook(hook, self._activated, name))
                for name, module in self._model.named_modules()
                if not self.ranks and not kind_of(module) and not any(module.children())
            ),
            self._model.register_forward_hook(Hook(hook, self._leave), always_call=True),
        ]

    def detach(self) -> None:
        """Take them off."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._end_trace()

    def _wants_norm(self, module: nn.Module) -> bool:
        return is_norm(module) and (
            not self.ranks
            or (id(module) in self._norms and self.layers[self._norms[id(module)]].takes_norm)
        )

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        self._depth += 1
        if self._depth > 1 or not torch.is_grad_enabled():
            return
        self._new_pass()
        if not self.ranks and self._forward is not None:
            self._trails = Trails()
            own = {id(each) for each in self._model.parameters()}
            self._mode = Watching(self._trails, own, self.unregistered, self._recording.fail)
            self._mode.__enter__()

    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._depth = max(self._depth - 1, 0)
        if self._depth or self._trails is None:
            return
        trails = self._trails
        self._end_trace()
        for tensor in _leaves(output):
            trail = trails.of(tensor)
            if trail is not None:
                self.layers[trail.origin.place].settle_output(trail.operations)
        for place in self._last:
            self.layers[place].settle_output(None)
        self._alone = {
            place for place, _, x, _ in self._inputs if trails.uses.get(id(x), 0) == 1
        } | (set(self._last) - set(self._takers))
        self._sources = {
            place: source
            for place, source, _, directly in self._inputs
            if directly and self._shows_a(source)
        }
        self._inputs, self._overwritten = [], trails.overwritten
        for place in set(self._last) - set(self._norms.values()):
            if self.layers[place].takes_norm:
                self.layers[place].hide("a norm that is no module")

    @contextmanager
    def as_one(self, tensor: torch.Tensor, operation: Operation) -> Iterator[list[torch.Tensor]]:
        """What is done to a tensor inside is one operation, however it is done; the result is
        to be put into the list.
        """
        made: list[torch.Tensor] = []
        trails = self._trails
        if trails is None:
            yield made
            return
        trails.paused = True
        try:
            yield made
        finally:
            trails.paused = False
        trail = trails.of(tensor)
        if trail is not None:
            trails.uses[id(tensor)] = trails.uses.get(id(tensor), 0) + 1
            for result in made:
                trails.note(result, trail.then(operation))

    def _shows_a(self, place: int) -> bool:
        """Whether what is measured as a layer's a is what the next layer takes: nothing unknown
        was done to it.
        """
        layer = self.layers[place]
        return (
            layer.after != "hidden"
            and not layer.needs_loss
            and (layer.again is not None or bool(layer.after))
            and not layer.altered
        )

    def _end_trace(self) -> None:
        if self._mode is not None:
            self._mode.__exit__(None, None, None)
        self._mode = self._trails = None

    def _new_pass(self) -> None:
        self._queued = self._over = False
        self._forward = Forward(self._number) if self._begin_pass() else None
        if self._forward is not None:
            self._forward.step = self._number
            self.begun += 1

    def _called(self, place: int, module: nn.Module, inputs: Any, result: Any) -> None:
        site = self.sites[place]
        z = result if site.kind == "dense" else site.output(result)
        x = inputs[0] if inputs and isinstance(inputs[0], torch.Tensor) else None
        if not isinstance(z, torch.Tensor) or not z.is_floating_point():
            return
        gradients = torch.is_grad_enabled()
        if gradients and not self._depth and (self._forward is None or self._over):
            self._new_pass()  # called without the model around it
        forward, trails = self._forward, self._trails
        if forward is None or forward.step != self._number or not (gradients or trails):
            return
        if trails is not None:
            trails.paused = True
        call = self._call(place, site, forward, z, x)
        if trails is not None:
            self._trace(call, z, x)
        if gradients:
            self._hook(call, site, z, x)
        if trails is not None:
            trails.paused = False

    def _hook(self, call: Call, site: Site, z: torch.Tensor, x: torch.Tensor | None) -> None:
        """Have the gradients of this call handed over: by the product itself, where its input
        goes nowhere else, or by the tensors.
        """
        self._last[call.place] = call
        node = z.grad_fn
        if node is None:
            call.forward.silent.append(call)
            return
        place = INPUT_GRADIENT.get(type(node).__name__, -1)
        if place >= 0 and call.place in self._alone and x is not None and x.dim() == 2:
            node.register_hook(Hook(self._recording, self._both, call, place))
        else:
            z.register_hook(Hook(self._recording, self._signal, call))
            self._look_back(call, site, x)

    def _both(
        self,
        call: Call,
        place: int,
        input_gradients: tuple[Any, ...],
        output_gradients: tuple[Any, ...],
    ) -> None:
        """Behind a product x W: dL/dz, and what its input gets back. The usual case is written out,
        for every function called here is called at every layer of every step.
        """
        signal, forward = output_gradients[0], call.forward
        if forward.step != self._number or signal is None:
            return
        if self._queued and forward.lives and call.signal is None and signal.dtype in WIDE:
            call.signal = signal.detach() if signal.requires_grad else signal
            self._calls.append(call)
        else:
            self._signal(call, signal)
        source, gradient = self._takers.get(call.place, -1), input_gradients[place]
        if source >= 0 and gradient is not None:
            self._came_back(call, source, gradient)

    def _call(
        self, place: int, site: Site, forward: Forward, z: torch.Tensor, x: torch.Tensor | None
    ) -> Call:
        self._order += 1
        if site.kind == "convolution":
            z = site.units_last(z.detach())
        units = z.shape[-1]
        if z.dim() == 2 and self.ranks and place not in self._overwritten:
            call = Call(place, self._order, forward, z.shape[0], kept(z, copy=False))
            call.version = call.z._version if z.dtype in WIDE else -1
        else:
            call = Call(place, self._order, forward, site.samples(z), kept(z.reshape(-1, units)))
        if site.kind == "dense" and x is not None and x.is_floating_point() and site.weights:
            call.fan_in = int(x.shape[-1])
            source = self._sources.get(place, -1) if self.ranks else -1
            if (
                x.dim() == 2
                and source >= 0
                and x.dtype in WIDE
                and self._forwarded(source, forward, x)
            ):
                call.source = source
            elif x.dim() == 2:
                call.input_square = self._measuring.input_square(x)
            elif x.dim() > 2 and x[0].numel() // x.shape[-1] <= POSITIONS:
                call.inputs = kept(x.reshape(x.shape[0], -1, x.shape[-1]))
        return call

    def _forwarded(self, source: int, forward: Forward, x: torch.Tensor) -> bool:
        """Whether the source was called in this pass, with an output of this input's shape."""
        before = self._last.get(source)
        return before is not None and before.forward is forward and before.z.shape == x.shape

    def _look_back(self, call: Call, site: Site, x: torch.Tensor | None) -> None:
        """To the layer whose output it takes: its a, where a sum shows it, and the dL/da that
        will come back.
        """
        place = self._takers.get(call.place, -1)
        if place < 0 or x is None:
            return
        before, rows = self._last.get(place), site.units_last(x)
        if (
            before is not None
            and before.forward is call.forward
            and self.layers[place].after == "sum"
            and rows.numel() == before.z.numel()
        ):
            before.after = kept(rows.reshape(-1, before.units))
        if x.requires_grad:
            x.register_hook(Hook(self._recording, self._came_back, call, place))

    def _trace(self, call: Call, z: torch.Tensor, x: torch.Tensor | None) -> None:
        assert self._trails is not None
        self.layers[call.place].axes = z.dim()
        trail = None if x is None else self._trails.of(x)
        if trail is not None and not self.layers[trail.origin.place].settled:
            directly = not any(each.kind == "dropout" for each in trail.operations)
            layer = self.layers[trail.origin.place]
            layer.settle(trail.operations, directly)
            self._takers[call.place] = trail.origin.place
            self._inputs.append((call.place, trail.origin.place, x, directly))
        self._trails.begin(z, call)
        self._seen.setdefault(call.place, call.order)
        self._last[call.place] = call

    def _activated(self, name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        """A module that is neither a layer nor a container: where it was the activation of a
        layer, its name is noted.
        """
        trail = None if self._trails is None else self._trails.of(output)
        if trail is not None and trail.operations and trail.operations[-1].kind == "activation":
            layer = self.layers[trail.origin.place]
            layer.activation_module = layer.activation_module or name

    def _normed(self, module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        if self._trails is not None:
            trail = self._trails.of(output)
            if trail is None or sum(each.kind == "norm" for each in trail.operations) != 1:
                return
            self._norms.setdefault(id(module), trail.origin.place)
        call = self._last.get(self._norms.get(id(module), -1))
        if call is None or self._forward is None or call.forward is not self._forward:
            return
        values = self.sites[call.place].units_last(output)
        if values.shape[-1] == call.units and values.numel() == call.z.numel():
            call.normed = kept(values.reshape(-1, call.units))

    def _signal(self, call: Call, gradient: torch.Tensor) -> None:
        forward = call.forward
        if forward.step != self._number:
            return
        if not self._queued:
            self._queued = True
            self._backward_begun()
        signal = kept(
            gradient
            if gradient.dim() == 2
            else self.sites[call.place].units_last(gradient).reshape(-1, call.units),
            copy=False,
        )
        if call.signal is not None:  # a second backward pass through the same graph
            call.signal = call.signal + signal
            return
        call.signal = signal
        self._calls.append(call)
        if not forward.lives:
            forward.lives = True
            self._lives.append(forward)

    def _came_back(self, call: Call, place: int, gradient: torch.Tensor) -> None:
        """What a layer's input got back is dL/da of the layer at `place`."""
        if call.forward.step == self._number:
            rows = gradient if gradient.dim() == 2 else self.sites[call.place].units_last(gradient)
            rows = rows if rows.dim() == 2 else rows.reshape(-1, rows.shape[-1])
            returned = kept(rows, copy=False), call.place, smallest_normal(gradient.dtype)
            self._returned.setdefault((call.forward, place), returned)

    # --- what the recording asks
    # ----------------------------------------------------------------------------------------------

    @property
    def passes(self) -> int:
        """Number of forward passes of this step through which an error signal came back."""
        return len(self._lives)

    def backward_is_over(self) -> None:
        self._queued, self._over = False, True

    def fix_ranks(self) -> dict[int, int]:
        """Row number of each place, 0, 1, … in the order of first calls; fixed when it is first
        asked for.
        """
        if not self.ranks:
            self.cut_off = self._find_cut_off()
            calls = self._counting()
            calls.sort(key=lambda call: self._seen.get(call.place, call.order))
            self.ranks = {
                place: rank
                for rank, place in enumerate(dict.fromkeys(call.place for call in calls))
            }
        return self.ranks

    def _find_cut_off(self) -> set[int]:
        """Places that were called, whose weights could have a gradient and got none."""
        reached = {call.place for call in self._calls}
        return {
            place
            for place in self.called
            if place not in reached
            and all(each.grad is None for each in self.sites[place].weights)
            and any(each.requires_grad for each in self.sites[place].weights)
        }

    def _counting(self) -> list[Call]:
        """Calls with an error signal, and those that none comes back to: of frozen layers, and of
        layers that are cut off and whose output another layer takes.
        """
        silent = [call for forward in self._lives for call in forward.silent]
        taken = self.cut_off & set(self._takers.values())
        last = [self._last[place] for place in taken if place in self._last]
        return [
            *self._calls,
            *silent,
            *(call for call in last if call.forward in self._lives and call.signal is None),
        ]

    def taken(self) -> list[Call]:
        """All calls that count, those of one layer put together, in the order of rows. What was
        overwritten in this step is left out, and copied from the next on."""
        calls: dict[int, list[Call]] = {}
        for call in sorted(self._counting(), key=lambda call: call.order):
            returned = self._returned.get((call.forward, call.place))
            if returned is not None and returned[0].shape == call.z.shape:
                call.activation_gradient, call.feeds, call.tiny = returned
            if call.overwritten:
                self._overwritten.add(call.place)
            elif call.place in self.ranks:
                calls.setdefault(call.place, []).append(call)
        return [pooled(calls[place]) for place in self.ranks if place in calls]

    def forget(self) -> None:
        """The step is over: what comes back of its passes from now on counts no more."""
        self._number += 1
        self.begun = 0
        self._calls, self._lives, self._last, self._returned, self._forward = [], [], {}, {}, None

    def settle_loss(self, loss: Any) -> None:
        """What the loss says of the output layer's activation; None where it is never told."""
        if self.loss is None:
            self.loss, activation = self.known_loss or loss_of(loss)
            for layer in self.layers.values():
                layer.settle_loss(activation)

    @property
    def called(self) -> list[int]:
        """Places that a traced pass called, in the order of their first calls."""
        return sorted(self._seen, key=lambda place: self._seen[place])

    @property
    def never_called(self) -> list[str]:
        """Layers that no pass called as modules."""
        return [
            site.name
            for place, site in enumerate(self.sites)
            if place not in self.ranks and place not in self._seen
        ]


@cache
def smallest_normal(dtype: torch.dtype) -> float:
    """Of a type of numbers."""
    return float(torch.finfo(dtype).tiny)


def _leaves(value: Any) -> list[torch.Tensor]:
    """The tensors of what a model gives: of containers, and of objects with fields."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [tensor for each in value.values() for tensor in _leaves(each)]
    if isinstance(value, list | tuple):
        return [tensor for each in value for tensor in _leaves(each)]
    return (
        [tensor for each in vars(value).values() for tensor in _leaves(each)]
        if hasattr(value, "__dict__") and not callable(value)
        else []
    )
