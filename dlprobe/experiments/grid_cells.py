"""Cells of the grid of nets: axes, labels, configurations."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import partial

from dlprobe.config import RunConfig, with_values
from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.experiments.axes import DEFAULT_WIDTH, axis_of, with_layers
from dlprobe.registry import Spec

# One decade of depths, the three activations and the three initializations of the lectures, and
# what mends the deepest nets.
DEFAULT_DEPTHS = (5, 10, 20, 50)


DEFAULT_ACTIVATIONS = ("sigmoid", "tanh", "relu")


DEFAULT_INITS = ("normal(std=1)", "glorot_normal", "he_normal")


DEFAULT_SEEDS = 3


DEFAULT_EPOCHS = 10


@dataclass(frozen=True)
class Axes:
    """The values of each axis as a user types them; None takes the default ones. others:
    further axes by name, see `axes.axis_of`.
    """

    depths: Sequence[int] | None = None
    widths: Sequence[int] | None = None
    activations: Sequence[str] | None = None
    inits: Sequence[str] | None = None
    norms: Sequence[str] | None = None
    others: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class GridCell:
    """One configuration of the grid, the same for all its seeds. others: its values on further
    axes.
    """

    depth: int
    width: int
    config: RunConfig
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def activation(self) -> Spec:
        return self.config.model.activations[0] if self.depth else Spec("activation", "linear", {})

    @property
    def init(self) -> Spec:
        return self.config.model.resolved_init

    @property
    def norm(self) -> Spec | None:
        return self.config.model.norm

    @property
    def label(self) -> str:
        """The cell's row in a table: everything but the depth and width."""
        norm = [f"{self.norm} norm"] if self.norm else []
        return " · ".join(
            [
                str(self.activation),
                str(self.init),
                *norm,
                *(f"{axis} {value}" for axis, value in self.others.items()),
            ]
        )


def grid(base: RunConfig, axes: Axes) -> list[GridCell]:
    """Every combination. Without any axis given: the three activations × three initializers,
    and ReLU + He with batch normalization.
    """
    return [row(depth) for row in rows(base, axes) for depth in axes.depths or DEFAULT_DEPTHS]


def rows(base: RunConfig, axes: Axes) -> list[Callable[[int], GridCell]]:
    """Every combination but the depth, each as what makes its cell of a depth. Raises
    ConfigError for a wrong value.
    """
    parts = list(
        itertools.product(
            axes.activations or DEFAULT_ACTIVATIONS,
            axes.inits or DEFAULT_INITS,
            axes.norms or ("none",),
        )
    )
    if axes.activations is None and axes.inits is None and axes.norms is None and not axes.others:
        parts.append(("relu", "he_normal", "batch"))
    combinations = itertools.product(
        parts, axes.widths or (DEFAULT_WIDTH,), itertools.product(*axes.others.values())
    )
    return [
        partial(cell_of, base, part, width, dict(zip(axes.others, values, strict=True)))
        for part, width, values in combinations
    ]


def cell_of(
    base: RunConfig, part: tuple[str, str, str], width: int, others: Mapping[str, str], depth: int
) -> GridCell:
    """A cell of the grid. part: activation, initializer, norm; others: values of further axes by
    name.
    """
    values = dict(zip(("model.activation", "model.init", "model.norm"), part, strict=True))
    config, labels = with_values(with_layers(base, width, depth), values), {}
    for name, value in others.items():
        axis = axis_of(name)
        labels[axis.name] = axis.label(config, value)
        config = axis.apply(config, value)
    return GridCell(depth, width, config, labels)


def run_config(cell: GridCell, seed: int) -> RunConfig:
    """A cell's configuration with a seed of its own."""
    return with_values(
        cell.config, {"training.seed": seed, "data.data_seed": cell.config.resolved_data_seed}
    )


def run_id(cell: GridCell, seed: int) -> str:
    """A name for the run in a study file, from its place in the grid."""
    others = "".join(f"{axis}={value}-" for axis, value in cell.others.items())
    text = f"{cell.activation}-{cell.init}-{cell.norm or 'none'}-{others}{cell.width}x{cell.depth}-seed{seed}"  # noqa: E501
    plain = re.sub(r"[^A-Za-z0-9_.=+,-]+", "_", text)[:128]
    if not plain[:1].isalnum():
        raise RunFileError(f"no run id can be made of {text!r}")
    return plain


def coordinates(cell: GridCell, seed: int) -> dict[str, str | int]:
    """The run's value on each axis."""
    return {
        "depth": cell.depth,
        "width": cell.width,
        "activation": str(cell.activation),
        "init": str(cell.init),
        "norm": str(cell.norm or "none"),
        **cell.others,
        "seed": seed,
    }
