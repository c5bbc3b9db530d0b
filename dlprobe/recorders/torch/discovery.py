"""What the traced passes of the first recorded step show of a model: what is done to each layer's
output, which layer takes it, and what is overwritten in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from dlprobe.recorders.torch.calls import Call
from dlprobe.recorders.torch.layers import Layer
from dlprobe.recorders.torch.tracing import Operation, Trails, Watching


class Discovery:
    """By place of layers in the list of sites.

    * takers: place -> the place whose output it takes; sources: place -> the place whose a, as it
      is measured, is its input; alone: places whose input nothing else takes
    * norms: id of a norm module -> the place that it belongs to
    * overwritten: places whose z is overwritten in place
    * seen: order of a place's first call, of one without gradients too
    * unregistered: shapes of weights that the model has not
    * trails: of the pass that is being traced; None while none is
    """

    def __init__(
        self,
        layers: dict[int, Layer],
        parameters: Iterable[nn.Parameter],
        fail: Callable[[Exception], None],
    ) -> None:
        self._layers, self._own, self._fail = layers, {id(each) for each in parameters}, fail
        self.takers: dict[int, int] = {}
        self.sources: dict[int, int] = {}
        self.alone: set[int] = set()
        self.norms: dict[int, int] = {}
        self.overwritten: set[int] = set()
        self.seen: dict[int, int] = {}
        self.unregistered: list[tuple[int, ...]] = []
        self.trails: Trails | None = None
        self._mode: Watching | None = None
        self._inputs: list[tuple[int, int, Any, bool]] = []

    @property
    def called(self) -> list[int]:
        """Places that a traced pass called, in the order of their first calls."""
        return sorted(self.seen, key=lambda place: self.seen[place])

    def begin(self) -> None:
        """A pass to be traced begins."""
        self.trails = Trails()
        self._mode = Watching(self.trails, self._own, self.unregistered, self._fail)
        self._mode.__enter__()

    def end(self) -> None:
        """It is over, or is given up."""
        if self._mode is not None:
            self._mode.__exit__(None, None, None)
        self._mode = self.trails = None

    def called_with(self, call: Call, z: torch.Tensor, x: torch.Tensor | None) -> None:
        """A layer was called."""
        assert self.trails is not None
        self._layers[call.place].axes = z.dim()
        trail = None if x is None else self.trails.of(x)
        if trail is not None and not self._layers[trail.origin.place].settled:
            directly = not any(each.kind == "dropout" for each in trail.operations)
            self._layers[trail.origin.place].settle(trail.operations, directly)
            self.takers[call.place] = trail.origin.place
            self._inputs.append((call.place, trail.origin.place, x, directly))
        self.trails.begin(z, call)
        self.seen.setdefault(call.place, call.order)

    def activated(self, name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        """A module that is neither a layer nor a container: where it was the activation of a
        layer, its name is noted.
        """
        trail = None if self.trails is None else self.trails.of(output)
        if trail is not None and trail.operations and trail.operations[-1].kind == "activation":
            layer = self._layers[trail.origin.place]
            layer.activation_module = layer.activation_module or name

    def normed(self, module: nn.Module, output: torch.Tensor) -> bool:
        """A norm was called; whether it is the only one between its layer and the next."""
        trail = None if self.trails is None else self.trails.of(output)
        if trail is None or sum(each.kind == "norm" for each in trail.operations) != 1:
            return False
        self.norms.setdefault(id(module), trail.origin.place)
        return True

    def finish(self, output: Any, places: set[int]) -> None:
        """The model gave its output. places: of the layers that were called."""
        trails, layers = self.trails, self._layers
        assert trails is not None
        self.end()
        for tensor in leaves(output):
            trail = trails.of(tensor)
            if trail is not None:
                layers[trail.origin.place].settle_output(trail.operations)
        for place in places:
            layers[place].settle_output(None)
        self.alone |= {place for place, _, x, _ in self._inputs if trails.uses.get(id(x), 0) == 1}
        self.alone |= places - set(self.takers)
        self.sources |= {
            place: source
            for place, source, _, directly in self._inputs
            if directly and layers[source].hands_on_a
        }
        self._inputs = []
        self.overwritten |= trails.overwritten
        for place in places - set(self.norms.values()):
            if layers[place].takes_norm:
                layers[place].hide("a norm that is no module")

    @contextmanager
    def as_one(self, tensor: torch.Tensor, operation: Operation) -> Iterator[list[torch.Tensor]]:
        """What is done to a tensor inside is one operation, however it is done; the result is
        to be put into the list.
        """
        made: list[torch.Tensor] = []
        trails = self.trails
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


def leaves(value: Any) -> list[torch.Tensor]:
    """The tensors of what a model gives: of containers, and of objects with fields."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [tensor for each in value.values() for tensor in leaves(each)]
    if isinstance(value, list | tuple):
        return [tensor for each in value for tensor in leaves(each)]
    return (
        [tensor for each in vars(value).values() for tensor in leaves(each)]
        if hasattr(value, "__dict__") and not callable(value)
        else []
    )
