"""What the program around a model does that keeps it from learning, as far as hooks see it: told
in the run file, and judged by rule L014.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from dlprobe.recorders.torch.passes import Passes

LOOKS = 10  # recorded steps at which gradients of the step before are looked for
NEAR = 40  # nodes of a loss's graph that are looked at
Fault = dict[str, Any]


def faults(passes: Passes, optimizers: Sequence[Any], loss: Any) -> list[Fault]:
    """Of the first recorded step: the fault and the names of its layers. loss: the tensor that was
    told, None where none was.
    """
    stepped = _stepped(optimizers)
    named: dict[str, list[str]] = {}
    for place in passes.discovery.called:
        site = passes.sites[place]
        if not site.weights:
            continue
        if not any(each.requires_grad for each in site.weights):
            named.setdefault("frozen", []).append(site.name)
        elif place in passes.cut_off:
            named.setdefault("cut off", []).append(site.name)
        elif not any(id(each) in stepped for each in site.weights):
            named.setdefault("not stepped", []).append(site.name)
    found: list[Fault] = [{"fault": fault, "layers": names} for fault, names in named.items()]
    if passes.discovery.unregistered:
        shapes = ["×".join(map(str, shape)) for shape in passes.discovery.unregistered]
        found.append({"fault": "not registered", "layers": [], "weights": shapes})
    if spread := spread_samples(loss):
        found.append({"fault": "spread", "layers": [], "samples": spread})
    return found


def spread_samples(loss: Any) -> int:
    """How many samples a loss compares each with each, since one side is (samples, 1) and the other
    (samples,); 0 of one that does not.

    >>> import torch
    >>> outputs = torch.zeros(5, 1, requires_grad=True)
    >>> spread_samples((outputs - torch.ones(5)).square().mean())
    5
    >>> spread_samples((outputs[:, 0] - torch.ones(5)).square().mean())
    0
    """
    nodes, looked = [getattr(loss, "grad_fn", None)], 0
    while nodes and looked < NEAR:
        node, looked = nodes.pop(0), looked + 1
        if node is None:
            continue
        following = [each for each, _ in node.next_functions if each is not None]
        shape = _shape(node)
        if len(following) == 1 and len(shape) == 2 and shape[0] == shape[1] > 1:
            count = int(shape[0])
            if _shape(following[0]) in ((count, 1), (count,)):
                return count
        nodes += following
    return 0


def _stepped(optimizers: Sequence[Any]) -> set[int]:
    """Ids of the parameters that optimizers have."""
    return {
        id(each) for one in optimizers for group in one.param_groups for each in group["params"]
    }


def _shape(node: Any) -> tuple[int, ...]:
    """Of what an operation gave; empty where the graph does not say."""
    known = getattr(node, "_input_metadata", None)
    return tuple(known[0].shape) if known else ()


class Habits:
    """What shows only over several steps, counted: recorded steps in evaluation mode, and those
    that began with the gradient of the step before.
    """

    def __init__(self, model: nn.Module, optimizers: Sequence[Any]) -> None:
        stepped = _stepped(optimizers)
        self._first = next((each for each in model.parameters() if id(each) in stepped), None)
        self._by_mode = [each for each in model.modules() if _goes_by_mode(each)]
        self._looks = self._old = self._evaluating = 0

    def backward_begins(self) -> None:
        """Before a step's first gradient has come. That of the parameter nearest the input comes
        last, so that what it has now is old.
        """
        if self._first is None or self._looks >= LOOKS:
            return
        self._looks += 1
        gradient = self._first.grad
        self._old += gradient is not None and bool(gradient.to_dense().any())

    def step_ends(self) -> None:
        """The optimizer is about to step."""
        self._evaluating += bool(self._by_mode) and not any(each.training for each in self._by_mode)

    @property
    def counts(self) -> dict[str, int]:
        """Counts that are not 0, by their names in the group `final` of the layout table:
        `evaluation_mode`, `gradients_kept`.
        """
        kept = {"evaluation_mode": self._evaluating}
        if self._old == self._looks:
            kept["gradients_kept"] = self._old
        return {name: count for name, count in kept.items() if count}


def _goes_by_mode(module: nn.Module) -> bool:
    """Whether a module does something else in evaluation than in training."""
    if isinstance(module, nn.modules.batchnorm._NormBase):
        return module.running_mean is not None
    return isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0
