"""What is compared, as it is typed: axes with their values, and the metric that ranks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.errors import ConfigError
from dlprobe.registry import tidied

if TYPE_CHECKING:
    from dlprobe.config import RunConfig
    from dlprobe.data import PreparedData
    from dlprobe.experiments.axes import Axis
    from dlprobe.experiments.compare import CompareExperiment
    from dlprobe.training.prepared_sets import PreparedSets

AXIS = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)
# Axes whose values give a regression other training targets or other ways to scale them.
SCALING_AXES = {
    "target_scaling",
    "output_activation",
    "data",
    "target",
    "split",
    "train_size",
    "label_noise",
}
# What an axis stands for, where that is another option: given too, it would be overwritten without
# a word.
OPTION_OF = {
    "learning_rate": ("lr",),
    "depth": ("layers",),
    "clipping": ("clip_value", "clip_layer_norm", "clip_global_norm"),
}


def read_axes(words: Sequence[str]) -> list[tuple[Axis, list[str]]]:
    """Axes and the values given for each. Raises ConfigError.

    `init a b`, `init a,b`, `init=a,b activation=c,d` and mixtures; commas inside parentheses
    separate nothing.
    """
    from dlprobe.config import split_list
    from dlprobe.experiments.axes import axis_of

    if not words:
        raise ConfigError(
            "nothing to compare: give an axis, e.g. dlprobe compare init he_normal "
            "glorot_normal, or a study file"
        )
    if Path(words[0]).is_file():
        raise ConfigError(
            f"{words[0]} is no axis: a configuration is given with --config {words[0]}"
        )
    axes: list[tuple[Axis, list[str]]] = []
    for word in words:
        named = AXIS.fullmatch(word)
        if named or not axes:
            axis = axis_of(named[1] if named else word)
            axes.append((axis, []))
            word = named[2] if named else ""
        axis, values = axes[-1]
        values += [word] if axis.whole and word else split_list(word)
    return axes


def refuse_overwritten(axes: Sequence[tuple[Axis, list[str]]], typed: Sequence[str]) -> None:
    """Raise ConfigError for an option that an axis sets too."""
    for axis, _ in axes:
        for key in OPTION_OF.get(axis.name, (axis.name,)):
            if key in typed and axis.name != "depth":
                raise ConfigError(
                    f"--{key.replace('_', '-')} is what {axis.name} compares: leave the "
                    "option out, or give its value to the axis"
                )


def build(
    base: RunConfig,
    axes: Sequence[tuple[Axis, list[str]]],
    sets: PreparedSets,
    by: str | None,
    seeds: int | None,
) -> CompareExperiment:
    """Every combination of values, with its seeds and the metric that ranks. Raises ConfigError."""
    from dlprobe.experiments import compare

    rows = len(sets.of(base).inputs["train"])
    chosen = [(axis, values or list(axis.defaults(base, rows))) for axis, values in axes]
    bare = [axis.name for axis, values in chosen if not values]
    if bare:
        raise ConfigError(
            f"{bare[0]} has no usual values: give some, e.g. dlprobe compare {bare[0]} A B"
        )
    labels, cells = compare.cells_of(base, chosen)
    count = seeds or compare.default_seeds(len(cells))
    first = base.training.seed
    return compare.CompareExperiment(
        labels,
        tuple(cells),
        tuple(range(first, first + count)),
        metric(by, base, sets, labels),
        sets=sets,
    )


def metric(
    by: str | None, base: RunConfig, sets: PreparedSets, axes: Mapping[str, Sequence[str]]
) -> str:
    """The metric that ranks: one where less is better, and that the data have. Raises
    ConfigError.
    """
    from dlprobe.training.metrics import higher_is_better

    data = sets.of(base)
    part = "val" if len(data.inputs["val"]) else "train"
    own_losses = bool(
        set(axes) & {"loss", "label_smoothing", "class_weights"}
    ) or scales_targets_of_its_own(base, data, axes)
    name = tidied(by) if by else f"{part}_{'error' if own_losses else 'loss'}"
    try:
        if higher_is_better(name, data.task):
            raise ConfigError(
                f"--by {by}: more of it is better; expected a loss or an error, e.g. --by "
                f"{part}_error"
            )
    except ValueError as error:
        raise ConfigError(f"--by: {error}") from None
    if name.startswith("val_") and part == "train":
        raise ConfigError(
            f"--by {name}: the split leaves no validation part: give it one, e.g. --split "
            "60,20,20, or take --by train_loss"
        )
    if name.endswith("_loss") and "loss" in axes:
        raise ConfigError(
            f"--by {name}: different losses are not measured in the same unit: take --by "
            f"{part}_error"
        )
    if name.endswith("_loss") and data.task == "regression" and "target_scaling" in axes:
        raise ConfigError(
            f"--by {name}: losses of differently scaled targets are not measured in the same "
            f"unit: take --by {part}_error"
        )
    return name


def scales_targets_of_its_own(
    base: RunConfig, data: PreparedData, axes: Mapping[str, Sequence[str]]
) -> bool:
    """Whether the values of an axis may scale targets differently, so that their losses have
    different units: by name, or by other training targets.
    """
    from dlprobe.training.model import resolve

    if data.task != "regression" or not set(axes) & SCALING_AXES:
        return False
    return "target_scaling" in axes or resolve(base, data).target_scaling.kind != "none"
