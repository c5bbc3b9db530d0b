"""Bias and variance: the textbook reading of one run, and decompositions by retraining or of
given predictions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from dlprobe.registry import counted
from dlprobe.render.document import (
    Block,
    Bullets,
    Cell,
    Chart,
    Column,
    Document,
    Facts,
    Hint,
    Paragraph,
    Series,
    Table,
    Toned,
    Verdict,
)

if TYPE_CHECKING:
    from dlprobe.analysis.bias_variance.curve import Point
    from dlprobe.analysis.bias_variance.loss_parts import Decomposition

SCHEMA = "dlprobe-bias-variance/1"
ROUNDING = 1e-12
ABSURD = 10.0  # times the expected loss: an interval that is wider says nothing
UNKNOWN = {"unknown": "cannot be told"}
QUESTIONS = (
    "Which question is this? The reading asks of one run which of its two errors is the larger "
    "part: E_val − E_train stands for the variance, and a net that fits its own samples better "
    "than others has it high. --replicas asks how much nets of other training sets differ: their "
    "variance may be low where the gap is high, because all of them make the same errors on new "
    "samples, which the decomposition counts as bias. It also depends on the loss: a class that "
    "stays right counts nothing in zero-one loss, and its probability does in cross-entropy."
)
ADVISED = ("sweet_spot", "double_descent")  # facts that the advice tells in words


def document(
    points: Sequence[Point],
    diagnosis: Mapping[str, str],
    advice: Sequence[str],
    axis: str | None,
    facts: Mapping[str, Any],
    study: str | None = None,
    zones: Sequence[str | None] = (),
) -> Document:
    """Decompositions. axis: what `at` is; facts: what was varied and how, for people and programs;
    study: the file that keeps the replicas; zones: where each point lies in the textbook's picture.
    """
    loss, places = points[0].parts.loss, list(zones) or [None] * len(points)
    best = min(points, key=lambda point: point.parts.expected_loss)
    said = ", ".join(f"{name} {UNKNOWN.get(level, level)}" for name, level in diagnosis.items())
    place = f"at {axis} = {best.at}, the best fit along it: " if len(points) > 1 else ""
    blocks: list[Block] = [
        Verdict(place + said, "good" if set(diagnosis.values()) == {"low"} else "warning"),
        *_around(points, best),
    ]
    part = next((line for line in advice if line.startswith(("bias is", "variance is"))), "")
    blocks += [Paragraph(part, below=True)] if part else []
    blocks += [_chart(points, axis), _parts(points, axis)] if len(points) > 1 else [_one(points[0])]
    blocks.append(Bullets([line for line in advice if line != part]))
    if study:
        blocks.append(
            Hint(
                f"dlprobe bias-variance {quoted(study)}   # decomposes the saved replicas "
                "again, without training"
            )
        )
    data = {
        "schema": SCHEMA,
        "loss": loss,
        "points": [record(point, zone) for point, zone in zip(points, places, strict=True)],
        "diagnosis": dict(diagnosis),
        "advice": list(advice),
        "axis": axis,
        **facts,
    }
    return Document("", blocks, data, _details(points, axis, facts, places))


def _details(
    points: Sequence[Point],
    axis: str | None,
    facts: Mapping[str, Any],
    places: Sequence[str | None],
) -> list[Block]:
    told = [
        (name.replace("_", " "), _fact(value))
        for name, value in facts.items()
        if value is not None and name not in ADVISED
    ]
    curves = [*_curves(points, axis, places), _intervals(points, axis)] if len(points) > 1 else []
    notes = dict.fromkeys(note for point in points for note in point.parts.notes)
    sources = [point.sources for point in points if point.sources]
    if any(min(source.training_data, source.seed) < 0 for source in sources):
        notes[
            "variance from one source is estimated without bias: below 0 it is not "
            "distinguishable from 0"
        ] = None
    lost = sum(point.lost for point in points)
    lost_note = [f"{counted(lost, 'replica')} diverged: left out"] if lost else []
    return [Facts(told), *curves, Bullets([*notes, *lost_note, *_about(points)])]


def _around(points: Sequence[Point], best: Point) -> list[Block]:
    """The smallest expected loss with its interval, and that of the values on either side;
    nothing of a single decomposition.
    """
    if len(points) < 2:
        return []
    place = list(points).index(best)
    sides = [points[index] for index in (place - 1, place + 1) if 0 <= index < len(points)]
    told = ", ".join(f"{side.parts.expected_loss:.3g} at {side.at}" for side in sides)
    return [
        Verdict(
            f"expected loss is lowest there: {best.parts.expected_loss:.3g} (95 %: "
            f"{_interval(best.parts, 'expected_loss')}); {told}"
        )
    ]


def _fact(value: Any) -> Cell:
    return value if isinstance(value, str | int | float) else str(value)


def _about(points: Sequence[Point]) -> list[str]:
    """How the parts add up, and which question they answer."""
    decomposition = points[0].parts
    told = (
        []
        if decomposition.loss == "zero-one"
        else [f"expected loss = bias + variance{' + noise' if decomposition.noise_known else ''}"]
    )
    told.append(
        "bias here is what nets of all training sets get wrong together, also where each fits "
        "its own samples; "
        "E_val − E_train of one run (the textbook reading) may be large with a small variance"
    )
    return [
        *told,
        "95 % intervals hold for these samples: they say what other replicas would have given",
    ]


def _caption(decomposition: Decomposition) -> str:
    what = {
        "squared": "bias² and variance, estimated without bias",
        "zero-one": "Domingos's bias and variance",
        "cross-entropy": "Heskes's bias and variance, in nats",
    }
    samples = counted(decomposition.samples, "sample")
    return f"{decomposition.loss} loss on {samples}: {what[decomposition.loss]}"


def _chart(points: Sequence[Point], axis: str | None) -> Chart:
    at = [point.at for point in points]
    numbers = [float(value) for value in at if isinstance(value, int | float)]
    wide = len(numbers) == len(at) and max(numbers) >= 8 * min(
        numbers, key=lambda value: value or math.inf
    )
    log = wide and min(numbers) > 0
    x = (
        numbers
        if log or (len(numbers) == len(at) and not wide)
        else [float(index) for index in range(len(at))]
    )
    order = sorted(range(len(x)), key=lambda index: x[index])
    lines = (
        ("bias", "bias"),
        ("net variance" if points[0].parts.loss == "zero-one" else "variance", "net_variance"),
        ("expected loss", "expected_loss"),
    )
    series = [
        Series(name, [x[k] for k in order], [_number(getattr(points[k].parts, key)) for k in order])
        for name, key in lines
    ]
    if any(math.isfinite(point.training) for point in points):
        series.append(
            Series(
                "training loss", [x[k] for k in order], [_number(points[k].training) for k in order]
            )
        )
    names = {place: str(value) for place, value in zip(x, at, strict=True)}
    loss = points[0].parts.loss
    return Chart(
        series,
        str(axis),
        loss,
        caption=f"{loss} loss over {axis}",
        log_x=log,
        x_names=names,
        name="parts",
    )


def _curves(points: Sequence[Point], axis: str | None, zones: Sequence[str | None]) -> list[Block]:
    """The textbook's picture: training and expected loss at each value, the gap, and the zone;
    nothing where no training loss is known.
    """
    if not any(math.isfinite(point.training) for point in points):
        return []
    rows: list[list[Cell]] = [
        [
            _name(point, points),
            _number(point.training),
            point.parts.expected_loss,
            _number(point.parts.expected_loss - point.training),
            zone or "",
        ]
        for point, zone in zip(points, zones, strict=True)
    ]
    columns = [
        Column(axis or "part"),
        *(Column(name, align="right") for name in ("E_train", "E_new", "gap")),
        Column("zone"),
    ]
    told = (
        "E_train: mean loss of the replicas on their own training samples; E_new: expected loss "
        "on new samples"
    )
    return [
        Table(
            columns if any(zones) else columns[:-1],
            rows if any(zones) else [row[:-1] for row in rows],
            caption=f"{told}.",
        )
    ]


def _one(point: Point) -> Table:
    """One decomposition, a part to a row."""
    decomposition = point.parts
    rows: list[list[Cell]] = [
        ["expected loss", decomposition.expected_loss, *_between(decomposition, "expected_loss")]
    ]
    rows.append(
        [
            "bias²" if decomposition.loss == "squared" else "bias",
            _number(decomposition.bias),
            *_between(decomposition, "bias"),
        ]
    )
    rows.append(["variance", _number(decomposition.variance), *_between(decomposition, "variance")])
    if decomposition.loss == "zero-one":
        rows.append(
            [
                "net variance",
                _number(decomposition.net_variance),
                *_between(decomposition, "net_variance"),
            ]
        )
    if decomposition.noise_known:
        rows.append(["noise", decomposition.noise, "", ""])
    if math.isfinite(point.training):
        rows.append(["training loss (E_train)", _number(point.training), "", ""])
    rows += [
        [f"{name} of Kohavi and Wolpert", _number(value), "", ""]
        for name, value in decomposition.kohavi_wolpert.items()
    ]
    if point.sources:
        rows += [
            ["variance from training data", point.sources.training_data, "", ""],
            ["variance from seeds", point.sources.seed, "", ""],
        ]
    columns = [
        Column("part"),
        Column("estimate", align="right"),
        Column("low", align="right", digits=3),
        Column("high", align="right", digits=3),
    ]
    return Table(
        columns,
        rows,
        caption=f"{_caption(decomposition)}, of {counted(decomposition.replicas, 'replica')}; low "
        "and high: 95 %.",
    )


def _between(decomposition: Decomposition, name: str) -> list[Cell]:
    low, high = decomposition.intervals[name]
    if _interval(decomposition, name) != UNKNOWN["unknown"]:
        return [_number(low), _number(high)]
    return [UNKNOWN["unknown"], ""]


def _number(value: float) -> float:
    """The number; what rounding left of 0 as 0."""
    return 0.0 if abs(value) < ROUNDING else value


def _name(point: Point, points: Sequence[Point]) -> Cell:
    best = min(points, key=lambda point: point.parts.expected_loss)
    return Toned(str(point.at), "good") if point is best else str(point.at)


def _parts(points: Sequence[Point], axis: str | None) -> Table:
    zero_one = points[0].parts.loss == "zero-one"
    known = any(point.parts.noise_known for point in points)
    apart = any(point.sources for point in points)
    names = [
        "expected loss",
        "bias",
        "variance",
        *["net variance"] * zero_one,
        *["noise"] * known,
        *["from data", "from seeds"] * apart,
        "replicas",
    ]
    rows: list[list[Cell]] = []
    for point in points:
        decomposition = point.parts
        cells: list[Cell] = [
            _name(point, points),
            decomposition.expected_loss,
            _number(decomposition.bias),
            _number(decomposition.variance),
        ]
        cells += [
            *([_number(decomposition.net_variance)] if zero_one else []),
            *([decomposition.noise if decomposition.noise_known else "not known"] if known else []),
        ]
        if apart:
            cells += (
                [point.sources.training_data, point.sources.seed] if point.sources else ["-", "-"]
            )
        rows.append([*cells, decomposition.replicas])
    columns = [Column(axis or "part"), *(Column(name, align="right") for name in names)]
    return Table(columns, rows, caption=f"{_caption(points[0].parts)}.")


def _intervals(points: Sequence[Point], axis: str | None) -> Table:
    keys = ("expected_loss", "bias", "net_variance")
    names = [
        "expected loss",
        "bias",
        "net variance" if points[0].parts.loss == "zero-one" else "variance",
    ]
    rows: list[list[Cell]] = [
        [_name(point, points), *(_interval(point.parts, key) for key in keys)] for point in points
    ]
    return Table(
        [Column(axis or "part"), *(Column(name) for name in names)],
        rows,
        caption="Their 95 % intervals.",
    )


def _interval(decomposition: Decomposition, key: str) -> str:
    """The ends; not where they lie so far apart that they say nothing."""
    ends = decomposition.intervals[key]
    if not ends[1] - ends[0] <= ABSURD * max(decomposition.expected_loss, ROUNDING):
        return UNKNOWN["unknown"]
    return f"{_number(ends[0]):.3g} … {_number(ends[1]):.3g}"


def record(point: Point, zone: str | None = None) -> dict[str, Any]:
    """One point of the JSON record."""
    decomposition = point.parts
    made: dict[str, Any] = {
        "at": point.at,
        "expected_loss": decomposition.expected_loss,
        "bias": decomposition.bias,
        "variance": decomposition.variance,
        "noise": decomposition.noise if decomposition.noise_known else None,
        "net_variance": decomposition.net_variance,
        "intervals": {name: list(ends) for name, ends in decomposition.intervals.items()},
        "replicas": decomposition.replicas,
        "samples": decomposition.samples,
        "plug_in": dict(decomposition.plug_in),
        "lost": point.lost,
        "training_loss": point.training,
        "zone": zone,
    }
    if decomposition.kohavi_wolpert:
        made["kohavi_wolpert"] = dict(decomposition.kohavi_wolpert)
    if point.sources is not None:
        made["sources"] = {
            "measure": point.sources.measure,
            "training_data": point.sources.training_data,
            "seed": point.sources.seed,
        }
    return made
