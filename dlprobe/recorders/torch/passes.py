"""The forward and backward passes of recorded steps: which hooks are on the model, and what they
keep.

A call of a layer counts when its error signal comes back; its record is owned by the hook on z, so
that passes without a backward pass, such as evaluations, go away with their graph. In the first
recorded step every pass is also traced (`discovery`).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import torch
from torch import nn

from dlprobe.recorders.torch.calls import WIDE, Call, Forward, kept, pooled
from dlprobe.recorders.torch.chains import Chain, smallest_normal
from dlprobe.recorders.torch.discovery import Discovery, leaves
from dlprobe.recorders.torch.hooks import Guarded, Hook
from dlprobe.recorders.torch.layers import Layer, loss_of
from dlprobe.recorders.torch.measuring import Measuring
from dlprobe.recorders.torch.modules import Site, is_norm, kind_of, sites_of

POSITIONS = 1024  # up to which gradients of single samples are measured


class Passes:
    """What is kept of the passes of one step.

    * layers: by place in `sites`; ranks: row of each place, in the order of first calls, fixed with
      the first row; places: those of the rows, a slice where that is one
    * known_loss: what `loss_of` would find, where the framework says it
    * begun: passes of this step; cut_off: places called at first that no error signal came back to
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
        self.places: list[int] | slice = []
        self.loss: str | None = None
        self.known_loss: tuple[str | None, str] | None = None
        self.begun = 0
        self.cut_off: set[int] = set()
        self.discovery = Discovery(self.layers, model.parameters(), recording.fail)
        self._handles: list[Any] = []
        self._hooks: list[tuple[nn.Module, Hook, dict[str, bool]]] = []
        self._entering = Hook(recording, self._enter)
        self._depth = self._number = 0
        self._orders = count(1)
        self._queued = self._over = self._discovers = self._drafts = False
        self._forward: Forward | None = None
        self._lives: list[Forward] = []
        self._calls: list[Call] = []
        self._last: dict[int, Call] = {}
        self._chain = Chain(self._orders, self._last, measuring.input_square, self._called)

    # --- hooks on the model
    # ----------------------------------------------------------------------------------------------

    def attach(self) -> None:
        """Put the hooks on; in the first step those that only discover too."""
        self._discovers = not self.ranks
        self._hooks = self._hooks or self._made()
        self._handles = [
            module.register_forward_hook(hook, **options) for module, hook, options in self._hooks
        ]
        self._handles.append(self._model.register_forward_pre_hook(self._entering))

    def _made(self) -> list[tuple[nn.Module, Hook, dict[str, bool]]]:
        """The forward hooks of the modules, with the options of their registering."""
        hook, first = self._recording, not self.ranks
        normed, known = Hook(hook, self._normed), self._chain.hooks
        return [
            *(
                (site.module, known.get(k) or Hook(hook, self._called, k), {"with_kwargs": True})
                for k, site in enumerate(self.sites)
                if first or k in self.ranks
            ),
            *((module, normed, {}) for module in self._model.modules() if self._wants_norm(module)),
            *(
                (module, Hook(hook, self.discovery.activated, name), {})
                for name, module in (self._model.named_modules() if first else ())
                if not kind_of(module) and not any(module.children())
            ),
            (self._model, Hook(hook, self._leave), {"always_call": True}),
        ]

    def detach(self) -> None:
        """Take them off."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.discovery.end()

    def _wants_norm(self, module: nn.Module) -> bool:
        owner = self.discovery.norms.get(id(module))
        return is_norm(module) and (
            not self.ranks or (owner is not None and self.layers[owner].takes_norm)
        )

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        self._depth += 1
        if self._depth > 1 or not torch.is_grad_enabled():
            return
        self._new_pass()
        if self._forward is not None:
            self._chain.open(self._forward)
            if not self.ranks:
                self.discovery.begin()

    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._depth = max(self._depth - 1, 0)
        if self._depth:
            return
        if self._chain.forward is not None:  # of whose layers nobody hears in a backward pass
            for tensor in leaves(output):
                if tensor.requires_grad and not _is_transformed(tensor):
                    tensor.register_hook(Hook(self._recording, self._begins, self._chain.forward))
            self._chain.forward = None
        if self.discovery.trails is not None:
            self.discovery.finish(output, set(self._last))

    def _new_pass(self) -> None:
        self._queued = self._over = False
        self._forward = Forward(self._number) if self._begin_pass() else None
        if self._forward is not None:
            self._forward.step = self._number
            self.begun += 1

    # --- calls of layers
    # ----------------------------------------------------------------------------------------------

    def _called(
        self, place: int, module: nn.Module, inputs: Any, named: dict[str, Any], result: Any
    ) -> None:
        site = self.sites[place]
        z = result if site.kind == "dense" else site.output(result)
        x = next(iter((*inputs, *named.values())), None)
        x = x if isinstance(x, torch.Tensor) else None
        if not isinstance(z, torch.Tensor) or not z.is_floating_point() or _is_transformed(z):
            return
        gradients = torch.is_grad_enabled()
        if gradients and not self._depth and (self._forward is None or self._over):
            self._new_pass()  # called without the model around it
        forward, trails = self._forward, self.discovery.trails
        if forward is None or forward.step != self._number or not (gradients or trails):
            return
        if trails is not None:
            trails.paused = True
        call = self._call(place, site, forward, z, x)
        if trails is not None:
            self.discovery.called_with(call, z, x)
            self._last[place] = call
        if gradients:
            self._hook(call, site, z, x)
        if trails is not None:
            trails.paused = False

    def _hook(self, call: Call, site: Site, z: torch.Tensor, x: torch.Tensor | None) -> None:
        """Have the gradients of this call handed over by the tensors."""
        self._last[call.place] = call
        if not z.requires_grad:
            call.forward.silent.append(call)
            return
        self._look_back(call, site, x)
        z.register_hook(Hook(self._recording, self._signal, call))
        if call.takes >= 0 and x is not None and x.requires_grad:
            x.register_hook(Hook(self._recording, self._came_back, call))

    def _call(
        self, place: int, site: Site, forward: Forward, z: torch.Tensor, x: torch.Tensor | None
    ) -> Call:
        order = next(self._orders)
        if site.kind == "convolution":
            z = site.units_last(z.detach())
        units = z.shape[-1]
        if z.dim() == 2 and self.ranks and place not in self.discovery.overwritten:
            call = Call(place, order, forward, z.shape[0], kept(z, copy=False))
            call.version = call.z._version if z.dtype in WIDE else -1
        else:
            call = Call(place, order, forward, site.samples(z), kept(z.reshape(-1, units)))
        if site.kind == "dense" and x is not None and x.is_floating_point() and site.weights:
            call.fan_in = int(x.shape[-1])
            source = self.discovery.sources.get(place, -1) if self.ranks else -1
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
        """To the layer whose output it takes, and whose a is its input where that is a sum."""
        call.takes = self.discovery.takers.get(call.place, -1)
        before = self._last.get(call.takes)
        if before is None or x is None or before.forward is not call.forward:
            return
        if self.layers[call.takes].after == "sum":
            rows = site.units_last(x)
            if rows.numel() == before.z.numel():
                before.after = kept(rows.reshape(-1, before.units))

    def _normed(self, module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        known = self.discovery
        if known.trails is not None and not known.normed(module, output):
            return
        call = self._last.get(known.norms.get(id(module), -1))
        if call is None or self._forward is None or call.forward is not self._forward:
            return
        values = self.sites[call.place].units_last(output)
        if values.shape[-1] == call.units and values.numel() == call.z.numel():
            call.normed = kept(values.reshape(-1, call.units))

    def _signal(self, call: Call, gradient: torch.Tensor) -> None:
        forward = call.forward
        if forward.step != self._number:
            return
        self._begins(forward)
        signal = kept(
            gradient
            if gradient.dim() == 2
            else self.sites[call.place].units_last(gradient).reshape(-1, call.units),
            copy=False,
        )
        if gradient.requires_grad:
            self._drafts = True
        if call.signal is not None:  # a second backward pass through the same graph
            call.signal = signal if call.is_draft else call.signal + signal
            call.is_draft = gradient.requires_grad
            return
        call.is_draft = gradient.requires_grad
        call.signal = signal
        self._keep(call)

    def _begins(self, forward: Forward, gradient: torch.Tensor | None = None) -> None:
        """A backward pass through a forward pass, before it reaches any parameter."""
        if not self._queued and forward.step == self._number:
            self._queued = True
            self._backward_begun()

    def _keep_chain(self) -> None:
        for call in self._chain.collect():
            self._keep(call)

    def _keep(self, call: Call) -> None:
        """An error signal has come back to a call: it counts, and so does its pass."""
        self._calls.append(call)
        if not call.forward.lives:
            call.forward.lives = True
            self._lives.append(call.forward)

    def _came_back(self, call: Call, gradient: torch.Tensor) -> None:
        """What a layer's input got back is dL/da of the layer whose output it takes."""
        if call.forward.step == self._number:
            rows = gradient if gradient.dim() == 2 else self.sites[call.place].units_last(gradient)
            rows = rows if rows.dim() == 2 else rows.reshape(-1, rows.shape[-1])
            returned = kept(rows, copy=False), call.place, smallest_normal(gradient.dtype)
            call.forward.returned.setdefault(call.takes, returned)

    # --- what the recording asks
    # ----------------------------------------------------------------------------------------------

    @property
    def passes(self) -> int:
        """Number of forward passes of this step through which an error signal came back."""
        return len(self._lives)

    def backward_is_over(self) -> None:
        self._queued, self._over = False, True
        if self._drafts:  # another backward pass is to replace what this one gave
            self._keep_chain()

    def fix_ranks(self) -> dict[int, int]:
        """Row number of each place, 0, 1, … in the order of first calls; fixed when it is first
        asked for.
        """
        if not self.ranks:
            self.cut_off = self._find_cut_off()
            seen, calls = self.discovery.seen, self._counting()
            calls.sort(key=lambda call: seen.get(call.place, call.order))
            places = dict.fromkeys(call.place for call in calls)
            self.ranks = {place: rank for rank, place in enumerate(places)}
            self.places = slice(len(places)) if [*places] == [*range(len(places))] else [*places]
        return self.ranks

    def _find_cut_off(self) -> set[int]:
        """Places that were called, whose weights could have a gradient and got none."""
        reached = {call.place for call in self._calls}
        return {
            place
            for place in self.discovery.called
            if place not in reached
            and all(each.grad is None for each in self.sites[place].weights)
            and any(each.requires_grad for each in self.sites[place].weights)
        }

    def _counting(self) -> list[Call]:
        """Calls with an error signal, and those that none comes back to: of frozen layers, and of
        layers that are cut off and whose output another layer takes.
        """
        self._keep_chain()
        calls = [*self._calls, *(call for forward in self._lives for call in forward.silent)]
        for place in self.cut_off & set(self.discovery.takers.values()) if self.cut_off else ():
            last = self._last.get(place)
            if last is not None and last.forward in self._lives and last.signal is None:
                calls.append(last)
        return calls

    def taken(self) -> list[Call]:
        """All calls that count, those of one layer put together, in the order of rows. What was
        overwritten in this step is left out, and copied from the next on.
        """
        by_place: dict[int, list[Call]] = {}
        for call in self._counting():
            if call.place in call.forward.returned:
                returned = call.forward.returned[call.place]
                if returned[0].shape == call.z.shape:
                    call.activation_gradient, call.follower, call.tiny = returned
            if call.version >= 0 and call.z._version != call.version:
                self.discovery.overwritten.add(call.place)
                self._discovers = True  # hooks are to be made anew
            else:
                by_place.setdefault(call.place, []).append(call)
        return [pooled(by_place[place]) for place in self.ranks if place in by_place]

    def forget(self) -> None:
        """The step is over: what comes back of its passes from now on counts no more."""
        self._number += 1
        self.begun = 0
        self._chain.forget()
        self._drafts = False
        self._last.clear()
        self._calls, self._lives, self._forward = [], [], None

    def discover_no_more(self) -> None:
        """Of the first row: it is there, and what the layers are is known."""
        if not self._discovers:
            return
        self._chain.find(self.discovery, self.layers, self._recording)
        self._hooks = []
        self.detach()
        self.attach()

    def settle_loss(self, loss: Any) -> None:
        """What the loss says of the output layer's activation; None where it is never told."""
        if self.loss is None:
            self.loss, activation = self.known_loss or loss_of(loss)
            for layer in self.layers.values():
                layer.settle_loss(activation)

    @property
    def never_called(self) -> list[str]:
        """Layers that no pass called as modules."""
        called = {*self.ranks, *self.discovery.seen}
        return [site.name for place, site in enumerate(self.sites) if place not in called]


def _is_transformed(tensor: torch.Tensor) -> bool:
    """Whether it stands for another inside `torch.func`, whose numbers nothing may look at."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(tensor))
