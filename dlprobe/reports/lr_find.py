"""What `lr-find` says: the loss over the rate, the runs at the candidate rates, the suggestion
and its reason.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from dlprobe.registry import counted
from dlprobe.render.document import (
    Block,
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
    from dlprobe.analysis.learning.rate_range import RangeTest, RateTrial
    from dlprobe.experiments.lr_find import Found

SCHEMA = "dlprobe-lr-find/1"


def document(found: Found, *, data_name: str, optimizer: str, train: str) -> Document:
    """The whole answer. train: the command that trains the configuration at the rate that was
    found.
    """
    blocks: list[Block] = (
        []
        if found.complete
        else [Verdict(f"stopped early: {counted(len(found.trials), 'run')} had ended", "warning")]
    )
    known = math.isfinite(found.rate)
    blocks.append(
        Verdict(
            (
                f"{f'lr = {found.rate:g}' if known else 'no rate trains'} for {optimizer} on "
                f"{data_name}"
            ),
            "good" if known else "bad",
        )
    )
    blocks += [
        Paragraph(f"{found.reason[:1].upper()}{found.reason[1:]}.", below=True),
        _chart(found),
    ]
    blocks.append(_table(found) if found.trials else Facts(_facts(found.test)))
    if found.by == "train_loss" and len(found.learned) > 1:
        several = (
            f"{len(found.learned)} of these rates learn the training part to below a thousandth "
            "of its first loss"
        )
        blocks.append(Paragraph(f"{several}: --by val_loss chooses by what is not trained on."))
    if known:
        blocks.append(Hint(train))
    return Document(
        "",
        blocks,
        _data(found, data_name, optimizer),
        [Facts(_facts(found.test))] if found.trials else [],
    )


def _chart(found: Found) -> Chart:
    """The loss over the rate, and an upright line at each rate that the answer speaks of."""
    test = found.test
    series = [Series("smoothed loss", test.rates.tolist(), test.smoothed.tolist())]
    positive = [value for value in test.smoothed.tolist() if math.isfinite(value) and value > 0]
    marks = {
        "begins to fall": test.falls,
        "smallest": test.lowest,
        "breaks down": test.breaks,
        "suggested": found.rate,
    }
    if positive:
        ends = [min(positive), max(positive)]
        series += [
            Series(f"{name}: {rate:.3g}", [rate, rate], ends)
            for name, rate in marks.items()
            if math.isfinite(rate)
        ]
    log_y = bool(positive) and max(positive) > 20 * min(positive)
    caption = (
        f"Range test: the batch loss while the rate rises over {counted(len(test.rates), 'step')}"
    )
    return Chart(
        series, "learning rate", "loss", log_y=log_y, log_x=True, caption=caption, name="rates"
    )


def _facts(test: RangeTest) -> list[tuple[str, Cell]]:
    return [
        ("loss begins to fall at", _rate(test.falls)),
        ("loss is smallest at", _rate(test.lowest)),
        ("training breaks down at", _rate(test.breaks)),
    ]


def _rate(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "none of the rates"


def _table(found: Found) -> Table:
    columns = [
        Column("rate", align="right"),
        Column("training loss", align="right", digits=3),
        Column("validation loss", align="right", digits=3),
        Column(""),
    ]
    rows: list[list[Cell]] = [
        [f"{trial.rate:g}", trial.train_loss, trial.val_loss, _mark(trial, found)]
        for trial in found.trials
    ]
    return Table(
        columns,
        rows,
        caption=f"Runs of {counted(found.steps, 'step')} at candidate rates: losses at their end",
    )


def _mark(trial: RateTrial, found: Found) -> Cell:
    if trial.status != "finished":
        return Toned(trial.status, "bad")
    return Toned("suggested", "good") if trial.rate == found.rate else ""


def _data(found: Found, data_name: str, optimizer: str) -> dict[str, Any]:
    test = found.test
    return {
        "schema": SCHEMA,
        "data": data_name,
        "optimizer": optimizer,
        "suggestion": found.rate,
        "reason": found.reason,
        "by": found.by,
        "steps": found.steps,
        "complete": found.complete,
        "learned": [trial.rate for trial in found.learned],
        "range_test": {
            "rates": test.rates,
            "losses": test.losses,
            "smoothed": test.smoothed,
            "falls": test.falls,
            "lowest": test.lowest,
            "breaks": test.breaks,
        },
        "runs": [
            {"rate": t.rate, "status": t.status, "train_loss": t.train_loss, "val_loss": t.val_loss}
            for t in found.trials
        ],
    }
