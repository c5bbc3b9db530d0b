"""What recipes read off their runs, and how they draw it; no recipe is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlprobe.errors import ConfigError
from dlprobe.experiments.recipe import Picture

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory, Trained
    from dlprobe.training.trainer import PreparedData

COLUMNS, ROWS = 44, 14
NO_EVALUATION = 'evaluate_every = "never"'  # but at the end
SHADES = "·#o+x*"


def medians(runs: Mapping[str, Sequence[Trained]], name: str) -> dict[str, float]:
    """The median over seeds of a loss or metric at the end, by variant."""
    from dlprobe.experiments.laboratory import median

    return {
        variant: median(member, lambda run: run.final(name)) for variant, member in runs.items()
    }


def table(what: str, number: str, values: Mapping[str, float]) -> Picture:
    """A name and a number per row."""
    return Picture("table", "", columns=(what, number), rows=list(values.items()))


def smoothed(run: Trained, points: int = 60) -> tuple[list[float], list[float]]:
    """Steps and mean batch losses of equally long stretches: a curve that can be seen."""
    pieces = np.array_split(np.arange(len(run.losses)), min(points, len(run.losses)))
    return [float(piece.mean()) for piece in pieces], [
        float(run.losses[piece].mean()) for piece in pieces
    ]


def loss_curves(runs: Mapping[str, Sequence[Trained]]) -> Picture:
    """The batch loss of each variant's first seed."""
    series = [(name, *smoothed(run[0])) for name, run in runs.items()]
    return Picture(
        "lines",
        "training loss, first seed",
        series=series,
        x_label="step",
        y_label="batch loss",
        log_y=True,
    )


def regions(run: Trained) -> list[str]:
    """The decision regions of a net on two inputs over ±2 of the scaled axes, one sign per
    class, x₂ upwards.
    """
    x, y = np.meshgrid(np.linspace(-2, 2, COLUMNS), np.linspace(2, -2, ROWS))
    outputs = run.outputs(np.column_stack([x.ravel(), y.ravel()]))
    classes = outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0.5).astype(int)
    return ["".join(SHADES[c % len(SHADES)] for c in row) for row in classes.reshape(ROWS, COLUMNS)]


def region_pictures(runs: Mapping[str, Sequence[Trained]]) -> list[Picture]:
    """The first seed's decision regions per variant; nothing where there are not two inputs."""
    planar = [
        (name, member[0])
        for name, member in runs.items()
        if len(member[0].session.data.feature_names) == 2
    ]
    return [
        Picture("drawing", f"decision regions, {name}", lines=regions(run)) for name, run in planar
    ]


def regression(laboratory: Laboratory) -> PreparedData:
    """The data, if their target is a number. Raises ConfigError."""
    data = laboratory.data()
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
    recording: str = NO_EVALUATION,
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
