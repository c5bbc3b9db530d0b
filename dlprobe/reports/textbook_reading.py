"""What the textbook reading of a run says: errors, gaps, and what to do about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from dlprobe.record.sizes import percent_number
from dlprobe.render.document import (
    Block,
    Bullets,
    Cell,
    Column,
    Document,
    Hint,
    Paragraph,
    Table,
    Verdict,
)

if TYPE_CHECKING:
    from dlprobe.analysis.bias_variance.direction import Direction
    from dlprobe.analysis.bias_variance.textbook_reading import Reading
from dlprobe.reports.bias_variance import QUESTIONS, SCHEMA


def reading_document(
    reading: Reading,
    direction: Direction,
    advice: Sequence[str],
    of: str,
    context: Mapping[str, Any],
) -> Document:
    """The textbook reading. of: where the numbers come from; context: `run`, `train_samples`,
    `val_samples`, as far as they are known.
    """
    line = f"textbook reading: {reading.verdict}"
    run = context.get("run")
    blocks: list[Block] = [
        Verdict(line, "good" if (reading.bias, reading.variance) == ("low", "low") else "warning"),
        Paragraph(
            f"One direction: {direction.way}. {direction.reason[:1].upper()}{direction.reason[1:]}."
        ),
        _errors(reading, of),
        Bullets(list(advice)),
        *(
            [
                Hint(
                    f"dlprobe bias-variance {quoted(str(run))} --replicas 20   # the "
                    "decomposition itself, by retraining"
                )
            ]
            if run
            else []
        ),
    ]
    data = {
        "schema": SCHEMA,
        "loss": "error",
        "points": [],
        "diagnosis": {"bias": reading.bias, "variance": reading.variance},
        "direction": {"way": direction.way, "reason": direction.reason},
        "advice": list(advice),
        "errors": {
            "human": reading.human_error,
            "train": reading.train_error,
            "val": reading.val_error,
        },
        "gaps": {"bias": reading.bias_gap, "variance": reading.variance_gap},
        "intervals": {name: list(ends) for name, ends in reading.intervals.items()},
        "doubtful": list(reading.doubtful),
        **context,
    }
    return Document("", blocks, data, [Paragraph(QUESTIONS)])


def _errors(reading: Reading, of: str) -> Table:
    known = bool(reading.intervals)
    rows: list[list[Cell]] = [
        [
            "E_human, the reference",
            "not given" if reading.human_error is None else _percent(reading.human_error),
            *["", ""][: 2 * known],
            "",
        ],
        [
            "E_train",
            _percent(reading.train_error),
            *_ends(reading, "train_error")[: 2 * known],
            f"bias {'at most ' if reading.human_error is None else ''}{_gap(reading.bias_gap)}",
        ],
        [
            "E_val",
            _percent(reading.val_error),
            *_ends(reading, "val_error")[: 2 * known],
            f"variance {_gap(reading.variance_gap)}",
        ],
    ]
    ends = [Column("low", align="right"), Column("high", align="right")] if known else []
    about = [
        text
        for text in (
            of,
            "errors and gaps in %",
            "low and high: 95 % interval of each error" if known else "",
        )
        if text
    ]
    return Table(
        [Column("error"), Column("%", align="right"), *ends, Column("gap to the line above")],
        rows,
        caption=f"{'; '.join(about)}.",
    )


def _gap(gap: float) -> str:
    return f"{'+' if gap >= 0 else ''}{percent_number(gap, 2)}"


def _percent(share: float) -> str:
    return percent_number(share, 2)


def _ends(reading: Reading, name: str) -> list[str]:
    ends = reading.intervals.get(name)
    return ["", ""] if ends is None else [_percent(ends[0]), _percent(ends[1])]
