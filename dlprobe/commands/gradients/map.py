"""`gradients --map`: the plane of nets, its axes as they are typed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.commands.base.configuration import read_configuration
from dlprobe.commands.base.executing import Execution
from dlprobe.commands.base.preparing import prepare_data
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.study_driver import carry_out
from dlprobe.commands.base.typed_line import again, free_file
from dlprobe.commands.base.writing import inputs_of
from dlprobe.commands.gradients.axes import whole_numbers
from dlprobe.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from dlprobe.experiments.trainability import MapAxis, MapExperiment, MapResult


def draw_map(
    config: Path | None,
    depth: Sequence[str] | None,
    width: Sequence[str] | None,
    others: Sequence[str] | None,
    seeds: int | None,
    execution: Execution,
    options: dict[str, str | None],
    typed: Collection[str],
    screen: Screen,
) -> ExitCode:
    """Train the plane and show it. Raises ConfigError."""
    from dlprobe.config import with_values, without_instruments
    from dlprobe.experiments import trainability as plane
    from dlprobe.experiments.axes import with_layers
    from dlprobe.training.prepared_sets import PreparedSets

    x, y = plane_axes(depth, others)
    usual = {
        key: str(value)
        for place, value in plane.USUAL.items()
        for key in (place.partition(".")[2],)
        if config is None and not (key == "epochs" and options.get("steps"))
    }
    options = {**options, **{key: value for key, value in usual.items() if options[key] is None}}
    own = without_instruments(read_configuration(config, options, screen, typed))
    base = with_values(
        own, {"recording.evaluate_every": "never", "data.data_seed": own.resolved_data_seed}
    )
    widths = whole_numbers("width", width)
    if widths is not None and len(widths) > 1:
        raise ConfigError("--map has one width for all nets: expected --width N")
    units = widths[0] if widths else base.model.layers[0] if config and base.model.layers else 0
    base = with_layers(base, units or plane.WIDTH, max(len(base.model.layers), 1))
    cells = plane.pixels(base, x, y)
    execution = execution.claimed(inputs_of(base, *(cell.config for cell in cells)))
    sets = PreparedSets((base, prepare_data(base, screen)))
    numbers = range(base.training.seed, base.training.seed + (seeds or 1))
    experiment = plane.MapExperiment(x, y, cells, numbers, sets, own if config else None)

    def shown(
        experiment: MapExperiment, result: MapResult, execution: Execution, screen: Screen
    ) -> None:
        show_map(experiment, result, execution, screen, str(config or ""))

    return carry_out(experiment, execution, screen, shown)


def plane_axes(
    depth: Sequence[str] | None, others: Sequence[str] | None
) -> tuple[MapAxis, MapAxis]:
    """Across and down: weight scale and depth, one --axis in place of the scale, or two of both.
    Raises ConfigError.
    """
    from dlprobe.config import split_list
    from dlprobe.experiments import trainability as plane

    named = []
    for text in others or ():
        name, equals, values = text.partition("=")
        if not equals or not values.strip():
            raise ConfigError(
                f"--axis {text!r}: expected KEY=NUMBER,NUMBER, e.g. --axis lr=0.01,0.1"
            )
        named.append(plane.map_axis(name.strip(), split_list(values)))
    if len(named) > 2 or (len(named) == 2 and depth):
        raise ConfigError("--map has two axes: expected two --axis, or one and --depth")
    if len(named) == 2:
        return named[0], named[1]
    across = named[0] if named else plane.map_axis(plane.SIGMA_W, plane.SCALES_OF_WEIGHTS)
    depths = whole_numbers("depth", depth)
    return across, plane.map_axis(
        "depth", plane.DEPTHS if depths is None else list(map(str, depths))
    )


def show_map(
    experiment: MapExperiment,
    result: MapResult,
    execution: Execution,
    screen: Screen,
    path: str = "",
) -> None:
    """The picture."""
    from dlprobe.reports.trainability import document

    study = str(execution.file) if execution.file else None
    keep = again("-o", free_file("map.h5"))
    screen.show(document(experiment, result, path, study, keep))
