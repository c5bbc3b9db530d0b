"""Bias and variance: the textbook reading of one run, and decompositions by retraining or of given predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.render.document import Block, Bullets, Cell, Chart, Column, Document, Facts, Hint, Paragraph, Series, Table, Toned, Verdict

if TYPE_CHECKING:
    from dlprobe.analysis.bias_variance_curve import Point
    from dlprobe.analysis.textbook_reading import Reading

SCHEMA = "dlprobe-bias-variance/1"


def reading_document(reading: Reading, advice: Sequence[str], of: str, context: Mapping[str, Any]) -> Document:
    """The textbook reading. of: where the numbers come from; context: `run`, `train_samples`, `val_samples`, as far as they are known."""
    line = f"textbook reading: bias {reading.bias}, variance {reading.variance}"
    run = context.get("run")
    blocks: list[Block] = [
        Verdict(line, "good" if (reading.bias, reading.variance) == ("low", "low") else "warning"),
        _errors(reading, of),
        Bullets(list(advice)),
        Paragraph("The gap E_val − E_train of one run stands for the variance here; the variance itself is over training sets and takes replicas."),
        Hint(f"dlprobe bias-variance {run or 'CONFIG'} --replicas 20   # the decomposition itself, by retraining"),
    ]
    data = {
        "schema": SCHEMA,
        "loss": "error",
        "points": [],
        "diagnosis": {"bias": reading.bias, "variance": reading.variance},
        "advice": list(advice),
        "errors": {"human": reading.human_error, "train": reading.train_error, "val": reading.val_error},
        "gaps": {"bias": reading.bias_gap, "variance": reading.variance_gap},
        "intervals": {name: list(ends) for name, ends in reading.intervals.items()},
        "doubtful": list(reading.doubtful),
        **context,
    }
    return Document("bias and variance", blocks, data)


def _errors(reading: Reading, of: str) -> Table:
    """The three errors and two gaps in percent, with intervals where they are known."""
    known = bool(reading.intervals)
    rows: list[list[Cell]] = [
        ["E_human, the reference", _percent(reading.human_error), *["", ""][: 2 * known], ""],
        ["E_train", _percent(reading.train_error), *_ends(reading, "train_error")[: 2 * known], f"bias {_gap(reading.bias_gap)}"],
        ["E_val", _percent(reading.val_error), *_ends(reading, "val_error")[: 2 * known], f"variance {_gap(reading.variance_gap)}"],
    ]
    ends = [Column("low", align="right"), Column("high", align="right")] if known else []
    about = [text for text in (of, "errors and gaps in %", "low and high: 95 % interval of each error" if known else "") if text]
    return Table([Column("error"), Column("%", align="right"), *ends, Column("gap to the line above")], rows, caption=f"{'; '.join(about)}.")


def _gap(gap: float) -> str:
    return f"{100 * gap:+.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _ends(reading: Reading, name: str) -> list[str]:
    ends = reading.intervals.get(name)
    return ["", ""] if ends is None else [_percent(ends[0]), _percent(ends[1])]


def document(
    points: Sequence[Point], diagnosis: Mapping[str, str], advice: Sequence[str], axis: str | None, facts: Mapping[str, Any], study: str | None = None
) -> Document:
    """Decompositions. axis: what `at` is; facts: what was varied and how, for people and programs; study: the file that keeps the replicas."""
    loss = points[0].found.loss
    blocks: list[Block] = [Facts([(name.replace("_", " "), _fact(value)) for name, value in facts.items() if value is not None])]
    blocks += _chart(points, axis) if len(points) > 1 else []
    blocks.append(_table(points, axis, advice))
    said = ", ".join(f"{name} {level}" for name, level in diagnosis.items())
    blocks += [Verdict(said, "good" if set(diagnosis.values()) == {"low"} else "warning"), Bullets(list(advice))]
    notes = dict.fromkeys(note for point in points for note in point.found.notes)
    lost = sum(point.lost for point in points)
    blocks.append(Bullets([*notes, *([f"{lost} replicas diverged and are left out"] if lost else []), _about(loss)]))
    if study:
        blocks.append(Hint(f"dlprobe bias-variance {study}   # decomposes the saved replicas again, without training"))
    data = {
        "schema": SCHEMA,
        "loss": loss,
        "points": [record(point) for point in points],
        "diagnosis": dict(diagnosis),
        "advice": list(advice),
        "axis": axis,
        **facts,
    }
    return Document("bias and variance", blocks, data)


def _fact(value: Any) -> Cell:
    return value if isinstance(value, str | int | float) else str(value)


def _about(loss: str) -> str:
    intervals = "95 % intervals hold for these samples: they say what other replicas would have given"
    parts = "expected loss = bias + net variance + noise"
    return f"{parts}; {intervals}" if loss == "zero-one" else f"expected loss = bias + variance + noise; {intervals}"


def _chart(points: Sequence[Point], axis: str | None) -> list[Block]:
    at = [point.at for point in points]
    numeric = all(isinstance(value, int | float) for value in at)
    x = [float(value) for value in at] if numeric else [float(index) for index in range(len(at))]  # type: ignore[arg-type]
    positive = numeric and min(x) > 0 and max(x) >= 8 * min(x)
    place = [math.log10(value) for value in x] if positive else x
    lines = (("expected loss", "expected_loss"), ("bias", "bias"), ("net variance", "net_variance"))
    series = [Series(name, place, [float(getattr(point.found, key)) for point in points]) for name, key in lines]
    label = f"log10 {axis}" if positive else str(axis) if numeric else f"{axis}: {', '.join(map(str, at))}"
    return [Chart(series, label, points[0].found.loss, caption=f"{points[0].found.loss} loss over {axis}")]


def _table(points: Sequence[Point], axis: str | None, advice: Sequence[str]) -> Table:
    best = min(points, key=lambda point: point.found.expected_loss)
    zero_one = points[0].found.loss == "zero-one"
    columns = [Column(axis or "part"), Column("expected loss", align="right"), Column("bias", align="right")]
    columns += [Column("variance", align="right"), *([Column("net variance", align="right")] if zero_one else []), Column("noise", align="right")]
    columns += [Column("95 % of loss"), Column("95 % of bias"), Column("95 % of variance"), Column("replicas", align="right")]
    if any(point.sources for point in points):
        columns += [Column("from data", align="right"), Column("from seeds", align="right")]
    rows: list[list[Cell]] = []
    for point in points:
        found = point.found
        name = "all samples" if point.at is None else str(point.at)
        cells: list[Cell] = [Toned(name, "good") if point is best and len(points) > 1 else name, found.expected_loss, found.bias, found.variance]
        cells += [*([found.net_variance] if zero_one else []), found.noise if found.noise_known else "not known"]
        cells += [_interval(found.intervals[key]) for key in ("expected_loss", "bias", "variance")]
        cells.append(found.replicas)
        if len(columns) > len(cells):
            cells += [point.sources.training_data, point.sources.seed] if point.sources else ["-", "-"]
        rows.append(cells)
    what = {
        "squared": "bias² and variance, estimated without bias",
        "zero-one": "Domingos's bias and variance",
        "cross-entropy": "Heskes's bias and variance, in nats",
    }
    return Table(columns, rows, caption=f"{points[0].found.loss} loss on {points[0].found.samples} samples: {what[points[0].found.loss]}.")


def _interval(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.3g} … {ends[1]:.3g}"


def record(point: Point) -> dict[str, Any]:
    """One point of the JSON record."""
    found = point.found
    made: dict[str, Any] = {
        "at": point.at,
        "expected_loss": found.expected_loss,
        "bias": found.bias,
        "variance": found.variance,
        "noise": found.noise if found.noise_known else None,
        "net_variance": found.net_variance,
        "intervals": {name: list(ends) for name, ends in found.intervals.items()},
        "replicas": found.replicas,
        "samples": found.samples,
        "plug_in": dict(found.plug_in),
        "lost": point.lost,
    }
    if found.kohavi_wolpert:
        made["kohavi_wolpert"] = dict(found.kohavi_wolpert)
    if point.sources is not None:
        made["sources"] = {"measure": point.sources.measure, "training_data": point.sources.training_data, "seed": point.sources.seed}
    return made
