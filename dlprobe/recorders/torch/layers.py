"""What the discovery step found out about a layer: what is done to its output, where its
activation a is seen, and what cannot be recorded, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

import torch

from dlprobe.dataclass import dataclass
from dlprobe.recorders.slopes import elementwise, flat_below
from dlprobe.recorders.torch.modules import Site
from dlprobe.recorders.torch.tracing import Operation

Again = Callable[[torch.Tensor], torch.Tensor]


@dataclass
class Layer:
    """A site as the model uses it.

    * activation: dlprobe's name with parameters, None where it is not known; again: the activation
      as a function of its argument, None where that is not seen
    * norm: dlprobe's name of the normalization, empty without; norm_after: it stands behind the
      activation
    * after: what makes a of the activation's value: "norm", "sum", or nothing
    * altered: something unknown was done to a before the next layer took it
    * dropout: share of a that is dropped before the next layer takes it; needs_loss: the loss may
      hold its activation
    * notes: what cannot be recorded, and why
    * activation_module: name of the module that is its activation, empty where a function is
      called; axes: of its output, 0 before the first call
    * given: what the model gives comes from it; inside_loss: what the loss does to that although an
      activation has been done already
    """

    site: Site
    activation: str | None = None
    again: Again | None = None
    norm: str = ""
    norm_after: bool = False
    after: str = ""
    residual: bool = False
    altered: bool = False
    dropout: float = 0.0
    settled: bool = False
    needs_loss: bool = False
    notes: list[str] = field(default_factory=list)
    activation_module: str = ""
    axes: int = 0
    given: bool = False
    inside_loss: str = ""

    @property
    def name(self) -> str:
        return self.site.name

    @property
    def takes_norm(self) -> bool:
        """Whether the output of the norm behind it is needed: as the activation's argument, or
        as a.
        """
        return bool(self.norm) and (self.after == "norm" or not self.norm_after)

    @property
    def has_slopes(self) -> bool:
        """Whether each unit has a slope of its own, at an argument that is seen."""
        return self.again is not None and elementwise(self.activation) is not None

    @property
    def flat_below(self) -> float:
        """The |slope| below which an element is flat."""
        return flat_below(self.activation)

    @property
    def hands_on_a(self) -> bool:
        """Whether what is measured as its a is what the next layer takes: nothing unknown was done
        to it.
        """
        seen = self.after != "hidden" and not self.needs_loss and not self.altered
        return seen and (self.again is not None or bool(self.after))

    @property
    def is_relu(self) -> bool:
        return self.activation == "relu"

    def settle(self, operations: Sequence[Operation], directly: bool) -> None:
        """What was done to its output until the next layer took it. directly: that layer's
        input is the very result, not dropped out, so that it shows a.
        """
        if self.settled:
            return
        self.settled = True
        kinds = [each.kind for each in operations]
        place = kinds.index("activation") if "activation" in kinds else len(kinds)
        before, behind = kinds[:place], kinds[place + 1 :]
        self.dropout = max((each.rate for each in operations), default=0.0)
        self.residual, self.altered = (
            "sum" in kinds,
            "other" in behind or kinds.count("activation") > 1,
        )
        if "norm" in kinds:
            self.norm = operations[kinds.index("norm")].name or ""
            self.norm_after = kinds.index("norm") > place
        if place < len(kinds):
            self.activation, self.again = operations[place].name, operations[place].again
        elif "other" not in kinds:
            self.activation, self.again = "linear", identity
        if any(kind != "norm" for kind in before) and place < len(
            kinds
        ):  # its argument is the sum, or whatever else, which nothing hooks
            self.again = None
        if self.residual:
            self.after, shown = "sum", directly
        elif "norm" in behind:
            self.after, shown = "norm", True
        else:
            shown = self.again is not None
        if not shown:
            self.hide(
                "a sum that no layer takes as it is"
                if self.residual
                else (
                    f"{', '.join(_told(each) for each in operations)} between it and the next layer"
                )
            )

    def hide(self, why: str) -> None:
        """Mark the activation of the layer as not seen."""
        self.after, self.again = "hidden", None
        self.notes.append(f"{self.name}: a and its slopes are not recorded: {why}")

    def settle_output(self, operations: Sequence[Operation] | None) -> None:
        """What was done to its output until the model gave it out; None where it did not. The
        loss may hold the rest (`settle_loss`).
        """
        if self.settled:
            return
        self.settled = True
        if operations is None:
            self.hide("its output reaches no other layer, and is not what the model gives")
            return
        self.settled, self.given = False, True
        self.settle(operations, False)
        self.needs_loss = not self.after and self.activation in ("linear", "log_softmax")

    def settle_loss(self, output_activation: str) -> None:
        """The activation that the loss has inside: PyTorch's CrossEntropyLoss means softmax and
        cross-entropy. Empty: the loss is not known.
        """
        if not self.needs_loss:
            takes = output_activation in ("softmax", "sigmoid", "log")
            known_already = self.activation in (None, "linear", "log_softmax") or self.altered
            if self.given and takes and not known_already:
                self.inside_loss = output_activation
            return
        self.needs_loss = False
        if not output_activation:
            self.activation = None
            self.hide("the loss may hold an activation: tell it with rec.loss(loss)")
        elif self.activation == "linear" or output_activation == "softmax":
            known: dict[str, Again] = {
                "softmax": _softmax,
                "sigmoid": torch.sigmoid,
                "linear": identity,
                "log": identity,
            }
            self.again = known[output_activation]
            self.activation = "linear" if output_activation == "log" else output_activation


def _told(operation: Operation) -> str:
    return operation.name or operation.kind


def identity(z: torch.Tensor) -> torch.Tensor:
    """The activation of a layer without one."""
    return z


def _softmax(z: torch.Tensor) -> torch.Tensor:
    return torch.softmax(z, -1)


# what stands in the names of a loss's graph -> dlprobe's loss, and the activation that it has
# inside
LOSSES = (
    ("LogSoftmaxBackward", "cross_entropy", "softmax"),
    ("BinaryCrossEntropyWithLogitsBackward", "binary_cross_entropy(reduction=mean)", "sigmoid"),
    ("BinaryCrossEntropyBackward", "binary_cross_entropy(reduction=mean)", ""),
    ("NllLoss", "cross_entropy", "log"),
    ("MseLossBackward", "mse(reduction=mean)", ""),
    ("L1LossBackward", "mae(reduction=mean)", ""),
    ("HuberLossBackward", "huber(reduction=mean)", ""),
    ("SmoothL1LossBackward", "huber(reduction=mean)", ""),
    ("KlDivBackward", "kl", ""),
    ("MultiMarginLossBackward", "multi_margin", ""),
)
NEAR = 40  # nodes of the graph that are looked at


def loss_of(loss: Any) -> tuple[str | None, str]:
    """dlprobe's name of the loss that gave a tensor, None where it is not known, and the output
    activation inside it, `linear` where there is none.

    >>> loss_of(torch.nn.functional.cross_entropy(torch.zeros(2, 3, requires_grad=True), torch.tensor([0, 1])))
    ('cross_entropy', 'softmax')
    """  # noqa: E501
    names: list[str] = []
    nodes: list[Any] = [getattr(loss, "grad_fn", None)]
    while nodes and len(names) < NEAR:
        node = nodes.pop(0)
        if node is not None:
            names.append(type(node).__name__)
            nodes += [following for following, _ in node.next_functions]
    for part, name, activation in LOSSES:
        if any(part in each for each in names):
            logged = activation == "log" and "LogBackward0" in names
            return name, "linear" if logged or not activation else activation
    return None, ""
