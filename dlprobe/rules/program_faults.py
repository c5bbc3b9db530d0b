"""Faults of a program that trains a net, as recorders tell them: in words, and the lines of that
program that mend them. One place for each kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any

from dlprobe.dataclass import dataclass
from dlprobe.record.frameworks import TORCH_OPTIMIZERS
from dlprobe.registry import counted
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Remedy
from dlprobe.rules.owner_code import expression, modules_of, number


@dataclass(frozen=True)
class Fault:
    """One fault. layers: names, from the input on; measured: its number, NaN where it has none;
    told: what else the recorder noted.
    """

    kind: str
    layers: tuple[str, ...] = ()
    measured: float = math.nan
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def modules(self) -> str:
        """The layers as the owner of a PyTorch model writes them."""
        names = [expression(name) for name in self.layers]
        between = " … " if len(names) > 2 else " and "
        return between.join(dict.fromkeys([names[0], names[-1]]))


@dataclass(frozen=True)
class FaultTelling:
    """How a kind of fault is told. why: of its remedy; lines: by the origin of the run."""

    evident: Callable[[Fault], str]
    why: Callable[[Fault], str]
    lines: Mapping[str, Callable[[Evidence, Fault], list[str]]] = field(default_factory=dict)

    def remedies(self, evidence: Evidence, fault: Fault) -> tuple[Remedy, ...]:
        made = self.lines.get(evidence.run.origin)
        statements = [] if made is None else made(evidence, fault)
        lines = [line for statement in statements for line in statement.splitlines()]
        return (Remedy({}, self.why(fault), tuple(lines)),)


def faults_of(evidence: Evidence) -> Iterator[Fault]:
    """What the recorder saw of a run's program."""
    noted, final = evidence.run.environment.get("program", []), evidence.run.final
    for entry in noted if isinstance(noted, list) else []:
        if isinstance(entry, dict) and entry.get("fault") in TOLD:
            layers = tuple(name for name in entry.get("layers", ()) if isinstance(name, str))
            yield Fault(str(entry["fault"]), layers, float(len(layers)) or math.nan, entry)
    for kind, name in (("kept", "gradients_kept"), ("evaluating", "evaluation_mode")):
        if int(final.get(name, 0)):
            yield Fault(kind, (), float(final[name]), {"steps": len(evidence.steps)})


def _optimizer_made(evidence: Evidence, fault: Fault) -> list[str]:
    facts = evidence.facts
    name = str(facts.optimizer or "").partition("(")[0]
    classes = {own: theirs for theirs, own in TORCH_OPTIMIZERS.items()}
    arguments = [f"lr={number(facts.learning_rate)}"] if facts.learning_rate else []
    arguments += [f"momentum={number(facts.momentum)}"] if facts.momentum else []
    made = classes.get(name, "SGD")
    return [f"optimizer = torch.optim.{made}(model.parameters(), {', '.join(arguments)})"]


def _thawed(evidence: Evidence, fault: Fault) -> list[str]:
    lines = [f"{expression(name)}.requires_grad_(True)" for name in fault.layers]
    return [*lines, *_optimizer_made(evidence, fault)]


INSIDE = {  # what a loss does to what it is given, and PyTorch's names of such losses
    "softmax": ("applies softmax itself", "CrossEntropyLoss"),
    "sigmoid": ("applies sigmoid itself", "BCEWithLogitsLoss"),
    "log": ("takes logarithms of probabilities", "NLLLoss"),
}
TOLD = {
    "frozen": FaultTelling(
        lambda fault: f"{fault.modules} {_are(fault)} frozen (requires_grad=False)",
        lambda fault: f"{counted(len(fault.layers), 'layer')} trained too",
        {
            "torch": _thawed,
            "keras": lambda evidence, fault: [
                f"model.get_layer({name!r}).trainable = True" for name in fault.layers
            ],
        },
    ),
    "cut off": FaultTelling(
        lambda fault: (
            f"no gradient comes back to {fault.modules}: on the way from there to the loss "
            "something cuts the graph, or nothing leads there"
        ),
        lambda fault: "the gradient reaches what stands before",
        {
            "torch": lambda evidence, fault: [
                f"# in forward(), behind {expression(fault.layers[-1])}: no .detach(), .data, "
                ".item(), .numpy(), torch.tensor(…) or torch.no_grad()"
            ]
        },
    ),
    "not stepped": FaultTelling(
        lambda fault: f"{fault.modules} {_are(fault)} in no parameter group of the optimizer",
        lambda fault: "the optimizer has every parameter of the model that is trained",
        {"torch": _optimizer_made},
    ),
    "not registered": FaultTelling(
        lambda fault: (
            f"forward() uses weights of {', '.join(fault.told.get('weights', ())[:3])} that are "
            "not among model.parameters(), so nothing trains them"
        ),
        lambda fault: "modules in a Python list or dict are not registered",
        {
            "torch": lambda evidence, fault: [
                "# in __init__(): torch.nn.ModuleList([…]) in place of a list, ModuleDict of a dict"
            ]
        },
    ),
    "spread": FaultTelling(
        lambda fault: (
            f"the loss compares each of {fault.told.get('samples')} outputs with all "
            f"{fault.told.get('samples')} targets: one of the two has an axis of length 1 more"
        ),
        lambda fault: "outputs and targets of one shape",
        {"torch": lambda evidence, fault: ["loss = criterion(model(x).squeeze(-1), y)"]},
    ),
    "kept": FaultTelling(
        lambda fault: "every step began with the gradient of the step before, so gradients add up",
        lambda fault: "gradients begin at 0 in every step",
        {"torch": lambda evidence, fault: ["# before loss.backward():", "optimizer.zero_grad()"]},
    ),
    "evaluating": FaultTelling(
        lambda fault: (
            f"the model was in evaluation mode in {fault.measured:.0f} of "
            f"{fault.told.get('steps')} recorded steps: norms go by their running statistics, "
            "nothing is dropped"
        ),
        lambda fault: "training mode, which model.eval() ends",
        {"torch": lambda evidence, fault: ["# before every epoch of training:", "model.train()"]},
    ),
    "inputs": FaultTelling(
        lambda fault: (
            f"in step {fault.told.get('step')} what came into {fault.modules} was not finite: it "
            "gave NaN or infinite numbers by weights that were neither"
        ),
        lambda fault: "no sample with NaN or infinite numbers",
        {
            "torch": lambda evidence, fault: [
                "known = x_train.flatten(1).isfinite().all(1)",
                "x_train, y_train = x_train[known], y_train[known]",
            ],
            "keras": lambda evidence, fault: [
                "known = np.isfinite(x_train.reshape(len(x_train), -1)).all(1)",
                "x_train, y_train = x_train[known], y_train[known]",
            ],
        },
    ),
    "order": FaultTelling(
        lambda fault: (
            f"in the last epoch the loss of a batch was {fault.told['batches']} and that of the "
            f"whole training part {fault.told['whole']}: what a batch teaches is lost with those "
            "that follow, as where samples come in the order of their classes"
        ),
        lambda fault: "batches drawn from the whole training part",
        {
            "torch": lambda evidence, fault: [
                "dataset = torch.utils.data.TensorDataset(x_train, y_train)",
                "loader = torch.utils.data.DataLoader("
                f"dataset, batch_size={evidence.facts.batch_size}, shuffle=True)",
            ],
            "keras": lambda evidence, fault: ["model.fit(x_train, y_train, shuffle=True)"],
        },
    ),
}


def applied_twice(evidence: Evidence, output: str) -> tuple[str, tuple[Remedy, ...]] | None:
    """What is to be said of a loss that takes numbers, or their logarithms, where the model gives
    what an activation made of them; None where it does not. output: the activation.
    """
    last = modules_of(evidence.run)[-1]
    if last.inside_loss not in INSIDE:
        return None
    takes, torch_name = INSIDE[last.inside_loss]
    told = f"the loss ({torch_name}) {takes} and the model ends with {output}"
    lines = {
        "torch": f"{expression(last.activation)} = torch.nn.Identity()"
        if last.activation
        else f"# in forward(): return what {expression(last.name)} gives, without {output}",
        "keras": f"model.get_layer({last.activation or last.name!r}).activation = "
        "keras.activations.linear  # and model.compile(…) again",
    }
    if last.inside_loss == "log":
        lines["torch"] = "criterion = torch.nn.CrossEntropyLoss()  # of the layer before softmax"
    why = f"the model gives what {expression(last.name)} gives, with no activation behind"
    return told, (Remedy({}, why, (lines[evidence.run.origin],)),)


def _are(fault: Fault) -> str:
    return "is" if len(fault.layers) == 1 else "are"
