"""What `gradients --map` shows: accuracy over the plane, how far theory says that a signal reaches,
and the reader's own net with its nearest trainable neighbour.
"""

from __future__ import annotations

import math
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from dlprobe.config.typed import text_of, train_command, train_with
from dlprobe.registry import counted
from dlprobe.render.document import Block, Bullets, Document, HeatCell, HeatTable, Hint, Verdict

if TYPE_CHECKING:
    from dlprobe.config import RunConfig
    from dlprobe.experiments.trainability import MapExperiment, MapResult, PixelResult

SCHEMA = "dlprobe-map/1"
REACHED, OWN = "+", "*"
DEFAULT_AGAIN = {  # what the map set, and nobody asked for
    "recording.evaluate_every": "1",
    "recording.histogram_every": "auto",
    "data.data_seed": "auto",
}


def document(
    experiment: MapExperiment, result: MapResult, own_path: str, study: str | None, keep: str
) -> Document:
    """The map. own_path: the file of the reader's net; study: the file that keeps the runs; keep:
    the command that keeps them, where none does.
    """
    blocks: list[Block] = [*conclusion(result), heat(experiment, result)]
    blocks += own_net(experiment, result)
    command = command_of(experiment, result, own_path)
    blocks += [Hint(command)] if command else []
    name = result.pixels[0].runs[0]
    blocks.append(
        Hint(f"dlprobe inspect {quoted(f'{study}#{name}')}   # every number is a run")
        if study
        else Hint(f"{keep}   # keeps every run")
    )
    return Document("", blocks, record(experiment, result, command))


def conclusion(result: MapResult) -> list[Block]:
    """How far training and theory agree."""
    judged = [pixel for pixel in result.pixels if pixel.reached is not None]
    trained = sum(pixel.trained for pixel in result.pixels)
    blocks: list[Block] = []
    if not result.complete:
        blocks.append(Verdict("stopped early: the map is of the nets that had ended", "warning"))
    text = f"{trained} of {counted(len(result.pixels), 'net')} learned half of what can be learned"
    if judged:
        agree = sum(pixel.trained == pixel.reached for pixel in judged)
        text += f"; 6 ξ foretells {agree} of {len(judged)}"
    return [*blocks, Verdict(f"{text}.", "neutral")]


def heat(experiment: MapExperiment, result: MapResult) -> HeatTable:
    """Accuracy in percent, blue below half of what can be learned, red above."""
    by_place = {(pixel.pixel.x, pixel.pixel.y): pixel for pixel in result.pixels}
    guess = next(
        (
            (pixel.accuracy - pixel.skill) / (1 - pixel.skill)
            for pixel in result.pixels
            if math.isfinite(pixel.skill) and pixel.skill < 1
        ),
        0.0,
    )
    half = 50 * (1 + guess)
    own = None
    if result.own and all(map(math.isfinite, result.own.place)):
        own = round(result.own.place[0]), round(result.own.place[1])
    cells = [
        [
            _cell(by_place.get((x, y)), half, own == (column, row))
            for column, x in enumerate(result.x.values)
        ]
        for row, y in enumerate(result.y.values)
    ]
    first = experiment.cells[0].config
    steps = first.training
    classes = experiment.sets.of(first).task == "classification"
    what = "accuracy" if classes else "R²"
    length = f"{steps.steps} steps" if steps.steps else f"{steps.epochs} epochs"
    marks = f"{REACHED} no deeper than 6 ξ"
    return HeatTable(
        result.y.values,
        result.x.values,
        cells,
        meaning=f"training {what} in %",
        shift=half,
        low=half - 100,
        high=100 - half,
        low_means="less than half of what can be learned",
        high_means="more",
        stub=f"{result.y.name} \\ {result.x.name}",
        caption=f"{what.capitalize()} after {length}, {result.y.name} down, {result.x.name} "
        f"across; {marks}{f', {OWN} your net' if own else ''} (Schoenholz et al. 2017)",
        name="map",
    )


def _cell(result: PixelResult | None, half: float, own: bool) -> HeatCell:
    if result is None:
        return HeatCell(math.nan, OWN if own else "")
    marks = (REACHED if result.reached else "") + (OWN if own else "")
    accuracy = 100 * result.accuracy
    text = "✗" if math.isnan(accuracy) else f"{accuracy:.0f}"
    return HeatCell(accuracy - half, marks, text=text)


def own_net(experiment: MapExperiment, result: MapResult) -> list[Block]:
    own = result.own
    if own is None:
        return []
    where = f"your net is at {result.x.name} {own.x:.3g}, {result.y.name} {own.y:.3g}"
    if own.nearest is None:
        return [Bullets([f"{where}; no net of the map learned"])]
    near = own.nearest.pixel
    best = f"{result.x.name} {near.x}, {result.y.name} {near.y}"
    return [Bullets([f"{where}; the nearest that learned: {best}"])]


def command_of(experiment: MapExperiment, result: MapResult, path: str) -> str | None:
    """The nearest trainable net as a command: of the reader's own, else the deepest of the map."""
    trained = [pixel for pixel in result.pixels if pixel.trained]
    own = result.own.nearest if result.own else None
    chosen = own or max(
        trained, key=lambda pixel: (len(pixel.pixel.config.model.layers), pixel.skill), default=None
    )
    if chosen is None:
        return None
    config = chosen.pixel.config
    if experiment.own is None or not path:
        return train_with(config, DEFAULT_AGAIN)
    patch = {axis.place: _text(config, axis.place) for axis in (result.x, result.y)}
    return train_command(path, experiment.own, patch)


def _text(config: RunConfig, place: str) -> str:
    table, _, key = place.partition(".")
    value = getattr(getattr(config, table), key)
    return text_of(list(value) if isinstance(value, tuple) else value)


def record(experiment: MapExperiment, result: MapResult, command: str | None) -> dict[str, Any]:
    """The map as data."""
    own = result.own
    near = own.nearest.pixel if own and own.nearest else None
    return {
        "schema": SCHEMA,
        "complete": result.complete,
        "x": {"name": result.x.name, "values": list(map(float, result.x.values))},
        "y": {"name": result.y.name, "values": list(map(float, result.y.values))},
        "seeds": list(experiment.seeds),
        "pixels": [
            {
                "x": float(pixel.pixel.x),
                "y": float(pixel.pixel.y),
                "depth": len(pixel.pixel.config.model.layers),
                "accuracy": pixel.accuracy,
                "skill": pixel.skill,
                "trained": pixel.trained,
                "theory_depth": pixel.theory,
                "runs": list(pixel.runs),
            }
            for pixel in result.pixels
        ],
        "own": own
        and {"x": own.x, "y": own.y, "nearest": near and {"x": float(near.x), "y": float(near.y)}},
        "command": command,
    }
