"""Examples small enough for pencil and paper: every value comes from the record's own functions,
the arithmetic beside it says how to get there by hand.

The two sets of outputs are the ones that textbooks use to show why nets are trained on
cross-entropy and not on the number of wrong classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.parts.losses import ElementwiseLoss
from dlprobe.parts.metrics import Scored
from dlprobe.registry import Spec

OUTPUTS = {
    "A": ((0.3, 0.3, 0.4), (0.3, 0.4, 0.3), (0.1, 0.2, 0.7)),
    "B": ((0.1, 0.2, 0.7), (0.1, 0.7, 0.2), (0.3, 0.4, 0.3)),
}
CLASSES = (2, 1, 0)  # of the three samples, counted from 0
BLOCK = ((1.0, 2.0, 3.0), (3.0, 2.0, 4.0), (3.0, 6.0, 0.0), (5.0, 6.0, 1.0))  # (sample, unit)
DIGITS = 7


@dataclass(frozen=True)
class ExampleStep:
    """One line of arithmetic and its result."""

    what: str
    arithmetic: str
    value: float


@dataclass(frozen=True)
class ExampleGrid:
    """A small table of numbers and names."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]


@dataclass(frozen=True)
class WorkedExample:
    """given: what is worked out, in a sentence; inputs and result frame the steps; lesson: what
    it shows.
    """

    given: str
    inputs: ExampleGrid
    steps: tuple[ExampleStep, ...]
    result: ExampleGrid
    lesson: str


def worked_example(thing: Spec) -> WorkedExample | None:
    """The example of a loss, metric or normalization with its parameters; None where there is
    none.
    """
    make = EXAMPLES.get((thing.kind, thing.name))
    return None if make is None else make(thing)


def _of_outputs(thing: Spec) -> WorkedExample:
    steps: list[ExampleStep] = []
    for net, outputs in OUTPUTS.items():
        costs = [_cost(thing, p, target) for p, target in zip(outputs, CLASSES, strict=True)]
        for sample, (p, target, cost) in enumerate(zip(outputs, CLASSES, costs, strict=True), 1):
            steps.append(
                ExampleStep(f"{net}, sample {sample}", _arithmetic(thing, p, target), cost)
            )
        steps.append(
            ExampleStep(
                f"{net}, mean",
                f"({' + '.join(_short(cost) for cost in costs)})/3",
                _mean_cost(thing, net),
            )
        )
    inputs = ExampleGrid(
        "Outputs of two nets for three samples",
        ("net", "sample", "p₁", "p₂", "p₃", "class"),
        tuple(
            (net, str(sample), *p, str(target + 1))
            for net, rows in OUTPUTS.items()
            for sample, (p, target) in enumerate(zip(rows, CLASSES, strict=True), 1)
        ),
    )
    beside = {
        "share of wrong classes": Spec("metric", "error", {}),
        "squared error": Spec("loss", "mse", {"reduction": "sum"}),
        "cross-entropy": Spec("loss", "cross_entropy", {}),
    }
    result = ExampleGrid(
        "Side by side",
        ("", "net A", "net B"),
        tuple(
            (name, *(_mean_cost(fault, net) for net in OUTPUTS)) for name, fault in beside.items()
        ),
    )
    lesson = (
        "Both nets are wrong once in three; the losses tell that B is surer where it is right and "
        "less wrong where it is wrong."
    )
    return WorkedExample(
        "Three classes; the target is 1 for the sample's class and 0 for the others.",
        inputs,
        tuple(steps),
        result,
        lesson,
    )


def _cost(thing: Spec, p: Sequence[float], target: int) -> float:
    """What one sample costs: its loss, or 1 where the metric calls it wrong."""
    if not isinstance(thing.record, ElementwiseLoss):
        return float(thing.record.measure(Scored(np.array([p]), np.array([target]), len(p))))
    numbers = thing.record.numbers(thing.parameters)
    total = sum(
        thing.record.value(probability, float(index == target), *numbers)
        for index, probability in enumerate(p)
    )
    return float(total * thing.record.share(thing.parameters, len(p)))


def _mean_cost(thing: Spec, net: str) -> float:
    if isinstance(thing.record, ElementwiseLoss):
        return float(
            np.mean(
                [_cost(thing, p, target) for p, target in zip(OUTPUTS[net], CLASSES, strict=True)]
            )
        )
    return float(
        thing.record.measure(Scored(np.array(OUTPUTS[net]), np.array(CLASSES), len(CLASSES)))
    )


def _arithmetic(thing: Spec, p: Sequence[float], target: int) -> str:
    if thing.name == "cross_entropy":
        return f"−ln {p[target]:g}"
    if thing.name == "mse":
        squares = " + ".join(
            f"({probability:g} − {int(index == target)})²" for index, probability in enumerate(p)
        )
        return squares if thing.parameters["reduction"] == "sum" else f"({squares})/{len(p)}"
    return f"largest is class {int(np.argmax(p)) + 1}, right is class {target + 1}"


def _of_block(thing: Spec) -> WorkedExample:
    """Batch norm down the columns of the block, layer norm along its rows."""
    block = np.array(BLOCK)
    samples, units = block.shape
    record, batch = thing.record, thing.name == "batch"
    state = np.zeros(record.persistent(units) + record.scratch(units))
    state[units : record.persistent(units)] = 1.0  # running variances begin at 1
    result = np.empty_like(block)
    constants = np.array(record.constants(*thing.parameters.values()), dtype=np.float64)
    record.forward(
        block,
        result,
        np.array(record.learned(units)),
        state,
        constants,
        np.zeros(1, np.int64),
        True,
    )
    steps: list[ExampleStep] = []
    lines, normalized = (block.T, result.T) if batch else (block, result)
    off = 0 if batch else int(thing.parameters["ddof"])
    for number, (line, out) in enumerate(zip(lines, normalized, strict=True), 1):
        steps += _line_steps(f"{'unit' if batch else 'sample'} {number}", line, out, off)
    if batch:
        steps += _running_steps(thing, block[:, 0], float(state[0]), float(state[units]))
    columns = ("", *(f"unit {unit + 1}" for unit in range(units)))
    inputs, outcome = (
        ExampleGrid(
            caption,
            columns,
            tuple((f"sample {row + 1}", *map(float, values)) for row, values in enumerate(numbers)),
        )
        for caption, numbers in (("Preactivations of a batch", block), ("Normalized", result))
    )
    lesson = (
        (
            "A sample's numbers depend on the others of its batch; in evaluation the running mean "
            "and variance take their place."
        )
        if batch
        else (
            "Every sample is treated by itself, in training as in evaluation; a batch of one "
            "will do."
        )
    )
    return WorkedExample(
        f"{samples} samples, {units} units, γ = 1, β = 0, ε = {thing.parameters['epsilon']:g}.",
        inputs,
        tuple(steps),
        outcome,
        lesson,
    )


def _line_steps(
    name: str, line: npt.NDArray[np.float64], out: npt.NDArray[np.float64], off: int
) -> list[ExampleStep]:
    """Mean, variance and first number of what is normalized together; `off` is taken from the
    count that the variance is divided by.
    """
    mean, variance = float(line.mean()), float(line.var(ddof=off))
    squares = " + ".join(_short(float(number - mean) ** 2) for number in line)
    return [
        ExampleStep(f"{name}: mean", f"({' + '.join(map(_short, line))})/{len(line)}", mean),
        ExampleStep(
            f"{name}: mean square distance from it", f"({squares})/{len(line) - off}", variance
        ),
        ExampleStep(
            f"{name}: first number",
            f"({_short(line[0])} − {_short(mean)})/√({_short(variance)} + ε)",
            float(out[0]),
        ),
    ]


def _running_steps(
    thing: Spec, column: npt.NDArray[np.float64], mean: float, variance: float
) -> list[ExampleStep]:
    """What the first unit's running numbers become, from 0 and 1."""
    take = float(thing.parameters["momentum"])
    seen = float(column.var(ddof=int(bool(thing.parameters["unbiased"]))))
    return [
        ExampleStep(
            "unit 1: running mean",
            f"{1 - take:g} · 0 + {take:g} · {_short(float(column.mean()))}",
            mean,
        ),
        ExampleStep(
            "unit 1: running variance", f"{1 - take:g} · 1 + {take:g} · {_short(seen)}", variance
        ),
    ]


def _short(value: float) -> str:
    return f"{value:.{DIGITS}g}"


EXAMPLES: dict[tuple[str, str], Callable[[Spec], WorkedExample]] = {
    ("metric", "error"): _of_outputs,
    ("loss", "mse"): _of_outputs,
    ("loss", "cross_entropy"): _of_outputs,
    ("normalization", "batch"): _of_block,
    ("normalization", "layer"): _of_block,
}
