"""What `recipe --quiz` shows: a profile, what may be answered, what is right, what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlprobe.render.document import (
    Block,
    Cell,
    Column,
    Document,
    Hint,
    LayerSeries,
    Lines,
    Paragraph,
    Profile,
    Table,
    Tone,
    Toned,
    Verdict,
)

if TYPE_CHECKING:
    from dlprobe.experiments.quiz import QuizQuestion


def plain(*blocks: Block, title: str = "") -> Document:
    """A document of which there is no record."""
    return Document(title, list(blocks), {})


def profile(question: QuizQuestion, number: int, count: int) -> Document:
    """The error signal before training, and nothing of the net but its depth."""
    layers = len(question.profile)
    series = [LayerSeries("error signal", question.profile)]
    caption = f"RMS of dℓ/dz before training, hidden_1 … hidden_{layers}"
    return plain(Profile(series, caption=caption), title=f"net {number} of {count}")


def net(question: QuizQuestion) -> Document:
    """The net behind the profile."""
    parts = [value for value in question.net.values() if value != "none"]
    return plain(Paragraph(f"The net: {', '.join(parts)}."))


def choices(text: str, options: Sequence[str]) -> Document:
    """A question with its numbered answers."""
    listed = [f"  {place}  {option}" for place, option in enumerate(options, start=1)]
    return plain(Lines([text, *listed]))


def again(count: int) -> Document:
    """What to type."""
    return plain(Paragraph(f"Type a number from 1 to {count}."))


def answer(right: Sequence[str], so: bool, place: int | None) -> Document:
    """Whether the answer was right, and what is."""
    said = "" if place is None else "Right: " if so else "No: "
    tone: Tone = "neutral" if place is None else "good" if so else "bad"
    return plain(Verdict(f"{said}{' or '.join(right)}.", tone))


def measured(question: QuizQuestion) -> Document:
    """Every cure that was offered, as it was measured."""
    rows: list[list[Cell]] = []
    for place, (cure, (ratio, error)) in enumerate(
        zip(question.cures, question.outcomes, strict=True)
    ):
        shown = Toned(100 * error, "good" if place in question.best else "neutral")
        rows.append([cure, ratio, shown])
    columns = [
        Column("change"),
        Column("log10 error signal, first over last layer", align="right", digits=2),
        Column("validation error", "%", "right", 3),
    ]
    return plain(Table(columns, rows, f"measured; as it is, it is {question.verdict}"))


def score(right: int, count: int, seed: int) -> Document:
    """How many answers were right, and how to go on."""
    return plain(
        Paragraph(f"{right} of {count} right."),
        Hint(f"dlprobe recipe --quiz --seed {seed + 1}"),
        Hint("dlprobe explain error signal"),
    )
