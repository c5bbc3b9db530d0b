"""What a change of the configuration is made into for the program that trained a run: its
modules by their names, and statements over several of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlprobe.config.records import RunConfig
from dlprobe.dataclass import dataclass
from dlprobe.record.description import OWN, LayerFacts
from dlprobe.runs import Run

RECURRENT = {"RNN", "LSTM", "GRU", "SimpleRNN"}
FEW = 3  # layers that have a line each; more of them share a loop


@dataclass(frozen=True)
class Module:
    """A layer as its owner wrote it. kind: the class; activation: the module behind it, empty where
    a function is called or none; inside_loss: what the loss does to what an activation gave; axes:
    of its output, 2 of (samples, units).
    """

    layer: LayerFacts
    kind: str = ""
    activation: str = ""
    inside_loss: str = ""
    axes: int = 0

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def has_bias(self) -> bool:
        """Whether the layer has biases: its parameter_count is fan_in · fan_out + fan_out. False
        where one of the three is not known.
        """
        fan_in, fan_out, count = self.layer.fan_in, self.layer.fan_out, self.layer.parameter_count
        return None not in (fan_in, fan_out, count) and count == (fan_in or 0) * (fan_out or 0) + (
            fan_out or 0
        )


@dataclass(frozen=True)
class CodeChange:
    """What is to be translated: the run's configuration as it is and as it is to be, its
    layers, index 0 nearest the input, and sizes of its classes.
    """

    before: RunConfig
    after: RunConfig
    modules: Sequence[Module]
    classes: Sequence[int] = ()

    @property
    def hidden(self) -> Sequence[Module]:
        return self.modules[:-1]


def modules_of(run: Run) -> list[Module]:
    """The layers of a run, named as in the model, with what its recorder noted of their modules."""
    listed = run.environment.get("modules", [])
    noted: dict[str, dict[str, Any]] = (
        {str(module.get("name")): module for module in listed if isinstance(module, dict)}
        if isinstance(listed, list)
        else {}
    )
    return [
        Module(
            replace(layer, name=name),
            str(known.get("kind", "")),
            str(known.get("activation", "")),
            str(known.get("inside_loss", "")),
            known["axes"] if isinstance(known.get("axes"), int) else 0,
        )
        for name, layer in zip(map(str, run.layers["name"]), run.layer_facts, strict=True)
        for known in [noted.get(name, {})]
    ]


def recurrent_layers(run: Run) -> tuple[str, ...]:
    """Names of the layers that work on time steps, as `run.layers` has them."""
    names = zip(run.layers.names, modules_of(run), strict=True) if run.origin != OWN else ()
    return tuple(str(name) for name, module in names if module.kind in RECURRENT)


def class_names(theirs: Mapping[str, str]) -> dict[str, str]:
    """A framework's classes by dlprobe's names of optimizers, of names by its classes."""
    plain = {"sgd": "SGD", "momentum": "SGD", "nesterov": "SGD", "amsgrad": "Adam"}
    return {own: name for name, own in theirs.items()} | plain


def class_shares(change: CodeChange) -> list[str]:
    """Weights of the classes, inverse to their sizes, 1 on average over samples; none where a
    class is empty or nobody knows them.
    """
    counts = change.classes
    if not counts or min(counts) < 1:
        return []
    return [number(float(f"{sum(counts) / (len(counts) * count):.3g}")) for count in counts]


def standardized(name: str, floor: str) -> list[str]:
    """Statements that scale both parts of `x` or `y`. floor: what keeps deviations above 0."""
    train, val = f"{name}_train", f"{name}_val"
    return [
        f"mean, deviation = {train}.mean(0), {train}.std(0){floor}",
        f"{train}, {val} = ({train} - mean) / deviation, ({val} - mean) / deviation",
    ]


def expression(name: str) -> str:
    """A module's name as Python finds it.

    >>> expression("encoder.0"), expression("head"), expression("blocks.fc-1")
    ('model.encoder[0]', 'model.head', "model.get_submodule('blocks.fc-1')")
    """
    parts = name.split(".")
    if not all(part.isdigit() or part.isidentifier() for part in parts):
        return f"model.get_submodule({name!r})"
    return "model" + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in parts)


def for_each(names: Sequence[str], line: Callable[[str], str]) -> list[str]:
    """A statement for each module, a loop where many names differ in one number that rises evenly.
    line: makes one of an expression.

    >>> for_each(["net.0", "net.2", "net.4", "net.6", "head"], lambda module: f"{module}.double()")
    ['for i in range(0, 8, 2):\\n    model.net[i].double()', 'model.head.double()']
    """
    lines: list[str] = []
    rest = list(names)
    while rest:
        count, step, place = _even(rest)
        if count <= FEW:
            lines.append(line(expression(rest.pop(0))))
            continue
        parts = rest[0].split(".")
        start = int(parts[place])
        before = expression(".".join(parts[:place])) if place else "model"
        behind = parts[place + 1 :]
        tail = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in behind)
        numbers = (
            f"range({start}, {start + count * step}, {step})"
            if step != 1
            else f"range({start}, {start + count})"
        )
        lines.append(f"for i in {numbers}:\n    {line(f'{before}[i]{tail}')}")
        rest = rest[count:]
    return lines


def _even(names: Sequence[str]) -> tuple[int, int, int]:
    """How many names from the first on differ in one number that rises by the same step; the
    step, and the place of the number among a name's parts.
    """
    best = (1, 0, 0)
    first = names[0].split(".")
    for place, part in enumerate(first):
        if (
            not part.isdigit()
            or len(names) < 2
            or not all(part.isidentifier() or part.isdigit() for part in first)
        ):
            continue
        second = names[1].split(".")
        if len(second) != len(first) or not second[place].isdigit():
            continue
        step, count = int(second[place]) - int(part), 1
        expected = list(first)
        while count < len(names) and step > 0:
            expected[place] = str(int(part) + count * step)
            if names[count] != ".".join(expected):
                break
            count += 1
        best = max(best, (count, step, place))
    return best


def number(value: float) -> str:
    """A number as Python reads it."""
    return f"{value:g}"
