"""What recipes read off their runs, and how they draw it; no recipe is here."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dlprobe.errors import ConfigError
from dlprobe.experiments.recipe import Check, Picture, Relation

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory, Trained
    from dlprobe.training.trainer import PreparedData

COLUMNS, ROWS = 44, 14
EACH_EPOCH = "evaluate_every = 1"
SHADES = "·#o+x*"


Runs: TypeAlias = "Mapping[str, Sequence[Trained]]"
Numbers: TypeAlias = dict[str, dict[str, float]]


def middle(runs: Sequence[Trained], of: Callable[[Trained], Any]) -> list[float]:
    """Elementwise median of the arrays `of(run)` over the runs, one per seed."""
    return [float(value) for value in np.median([of(run) for run in runs], axis=0)]


def medians(runs: Runs, of: str | Callable[[Trained], float]) -> dict[str, float]:
    """By variant the median over seeds: of a loss or metric at the end, by its name, or of a
    function of a run.
    """

    def value(run: Trained) -> float:
        return run.final(of) if isinstance(of, str) else of(run)

    return {
        variant: float(statistics.median(map(value, member))) for variant, member in runs.items()
    }


def measured(runs: Runs, **of: str | Callable[[Trained], float]) -> Numbers:
    """The medians of each quantity."""
    return {spelled(quantity): medians(runs, what) for quantity, what in of.items()}


def spelled(name: str) -> str:
    """How a key of a run's losses and metrics is called: `val_loss` is validation loss."""
    part, _, rest = name.partition("_")
    return f"{ {'val': 'validation', 'train': 'training'}.get(part, part) } {rest}".replace(
        "_", " "
    ).strip()


def asked(
    numbers: Numbers,
    quantity: str,
    one: str,
    relation: Relation,
    bound: float,
    other: str = "",
    when: str = "",
) -> Check:
    """The inequality between a quantity of one variant, or its quotient by another's, and a bound.
    0/0 and ∞/∞ are NaN, which never holds. What both variants' names end with is said once.
    """
    value = numbers[quantity][one]
    if not other:
        return Check(f"{quantity}, {one}", value, relation, bound, when)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(np.float64(value) / np.float64(numbers[quantity][other]))
    (one, _, end), (other, _, same) = one.partition(", "), other.partition(", ")
    if end != same:
        one, other, end = f"{one}, {end}".rstrip(", "), f"{other}, {same}".rstrip(", "), ""
    common = "" if end in ("", when) else f", {end}"
    return Check(f"{quantity}, {one} over {other}{common}", value, relation, bound, when)


def epochs_to(name: str, goal: float) -> Callable[[Trained], float]:
    """A function of a run: epochs to the first evaluation at which `name` is `goal` or less; the
    epochs of the whole run plus 1 where there is none.
    """

    def epochs(run: Trained) -> float:
        met = [
            evaluation["step"] for evaluation in run.kept.evaluations if evaluation[name] <= goal
        ]
        steps = met[0] if met else run.session.steps + run.session.per_epoch
        return steps / run.session.per_epoch

    return epochs


def evaluation_curves(runs: Runs, name: str = "val_error") -> Picture:
    """A loss or metric of each variant's evaluations, median over seeds, on one scale."""
    series, seeds = [], {}
    for variant, trained in runs.items():
        kept = [run.kept.evaluations for run in trained]
        per_epoch = trained[0].session.per_epoch
        seeds[variant] = [[float(row[name]) for row in rows] for rows in kept]
        middle = median_curve(seeds[variant])
        epochs = [row["step"] / per_epoch for row in kept[0][: len(middle)]]
        series.append((variant, epochs, middle))
    what = spelled(name)
    return Picture(
        *("lines", f"{what} by epoch", series),
        runs=seeds,
        x_label="epoch",
        y_label=what,
        log_y=True,
    )


def median_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """Median over curves at each position, up to the end of the shortest."""
    return [float(np.median(values)) for values in zip(*curves, strict=False)]


def least_squares(inputs: Any, targets: Any) -> tuple[Any, Any, float]:
    """Of a linear neuron on inputs (samples, features) and targets (samples, outputs): the inputs
    with a column of ones, the best weights, bias last, and their mean squared error.
    """
    extended = np.column_stack([inputs, np.ones(len(inputs))]).astype(float)
    best = np.linalg.lstsq(extended, targets, rcond=None)[0]
    return extended, best, float(np.square(extended @ best - targets).sum(axis=1).mean())


def scan(
    quantity: str,
    names: Sequence[str],
    at: Sequence[float],
    values: Callable[[str, float], float],
    *,
    x_label: str = "hidden layers",
    log_x: bool = False,
    log_y: bool = True,
) -> Picture:
    """A line per name over the numbers that were tried: `values(name, number)`."""
    series = [(name, list(map(float, at)), [values(name, x) for x in at]) for name in names]
    return Picture(
        *("lines", f"{quantity} by {x_label}", series),
        x_label=x_label,
        y_label=quantity,
        log_x=log_x,
        log_y=log_y,
    )


def on_one_scale(pictures: Sequence[Picture]) -> list[Picture]:
    """Pictures of lines with a common y axis."""
    every = [y for picture in pictures for _, _, values in picture.series for y in values]
    return [replace(picture, y_reach=(min(every), max(every))) for picture in pictures]


def number_table(what: str, numbers: Numbers) -> Picture:
    """A variant per row, a quantity per column."""
    variants = list(next(iter(numbers.values())))
    rows: list[Sequence[str | float]] = [
        (variant, *(values[variant] for values in numbers.values())) for variant in variants
    ]
    return Picture("table", "", columns=(what, *numbers), rows=rows)


def dead_share(run: Trained) -> float:
    """The share of hidden units that give 0 on every training sample; 0 where units cannot die."""
    session = run.session
    part = session.data.inputs["train"], session.targets["train"]
    dead = session.network.evaluate(*part, dead=True).dead_fraction[: run.hidden]
    return float(np.nan_to_num(dead).mean())


def weight_norm(run: Trained) -> float:
    """Euclidean norm √Σ w² over the weights of all layers."""
    return float(np.sqrt(sum(np.square(weight).sum() for weight in run.weights())))


def table(what: str, number: str, values: Mapping[str, float]) -> Picture:
    """A name and a number per row."""
    return Picture("table", "", columns=(what, number), rows=list(values.items()))


def smoothed(run: Trained, steps: int, points: int = 60) -> tuple[list[float], list[float]]:
    """(mean step, mean batch loss) of each of at most `points` equal stretches of `steps` steps;
    stretches that the run did not finish are left out.
    """
    pieces = np.array_split(np.arange(steps), min(points, steps))
    reached = [piece for piece in pieces if piece[-1] < len(run.losses)]
    return [float(piece.mean()) for piece in reached], [
        float(run.losses[piece].mean()) for piece in reached
    ]


def loss_curves(runs: Runs) -> Picture:
    """The batch loss of each variant, median over seeds."""
    steps = {name: max(len(run.losses) for run in trained) for name, trained in runs.items()}
    curves = {name: [smoothed(run, steps[name]) for run in each] for name, each in runs.items()}
    seeds = {name: [losses for _, losses in every] for name, every in curves.items()}
    middle = {name: median_curve(every) for name, every in seeds.items()}
    series = [(name, curves[name][0][0][: len(y)], y) for name, y in middle.items()]
    return Picture(
        "lines",
        "training loss",
        series=series,
        x_label="step",
        y_label="batch loss",
        log_y=True,
        runs=seeds,
    )


def regions(run: Trained) -> list[str]:
    """The decision regions of a net on two inputs over ±2 of the scaled axes, one sign per
    class, x₂ upwards.
    """
    x, y = np.meshgrid(np.linspace(-2, 2, COLUMNS), np.linspace(2, -2, ROWS))
    outputs = run.outputs(np.column_stack([x.ravel(), y.ravel()]))
    classes = outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0.5).astype(int)
    return ["".join(SHADES[c % len(SHADES)] for c in row) for row in classes.reshape(ROWS, COLUMNS)]


def region_pictures(runs: Runs) -> list[Picture]:
    """The first seed's decision regions per variant; nothing where there are not two inputs."""
    planar = [
        (name, member[0])
        for name, member in runs.items()
        if len(member[0].session.data.feature_names) == 2
    ]
    return [
        Picture("drawing", f"decision regions, {name}", lines=regions(run)) for name, run in planar
    ]


def regression(lab: Laboratory) -> PreparedData:
    """The data, if their target is a number. Raises ConfigError."""
    data = lab.data()
    if data.task != "regression":
        raise ConfigError(
            f"the recipe is about squared error, and {data.name} is for {data.task}: expected "
            "regression data, e.g. --data diabetes"
        )
    if data.outputs > 1:
        raise ConfigError(
            f"the recipe is about one target, and {data.name} has {data.outputs}: name one "
            "with --target"
        )
    return data


def digits(
    layers: str,
    epochs: int,
    *,
    data: str = "split = [60, 20, 20]",
    model: str = "",
    training: str = "",
    recording: str = "",
) -> str:
    """The TOML of a net trained on handwritten digits; the others are further lines of the
    tables that they are named after.
    """
    return f"""
[data]
data = "digits"
{data}
[model]
layers = "{layers}"
{model}
[training]
epochs = {epochs}
{training}
[recording]
{recording}
"""
