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
    from dlprobe.experiments.lr_find import FoundRate

SCHEMA = "dlprobe-lr-find/1"


def document(measured: FoundRate, *, data_name: str, optimizer: str, train: str) -> Document:
    """The whole answer. train: the command that trains the configuration at the rate that was
    found.
    """
    blocks: list[Block] = (
        []
        if measured.complete
        else [
            Verdict(f"stopped early: {counted(len(measured.trials), 'run')} had ended", "warning")
        ]
    )
    known = math.isfinite(measured.rate)
    blocks.append(
        Verdict(
            f"{f'lr = {measured.rate:g}' if known else 'no rate trains'} for {optimizer} on "
            f"{data_name}",
            "good" if known else "bad",
        )
    )
    blocks += [
        Paragraph(f"{measured.reason[:1].upper()}{measured.reason[1:]}.", below=True),
        _chart(measured),
    ]
    blocks.append(_table(measured) if measured.trials else Facts(_facts(measured.test)))
    if measured.by == "train_loss" and len(measured.learned) > 1:
        several = (
            f"{len(measured.learned)} of these rates learn the training part to below a thousandth "
            "of its first loss"
        )
        blocks.append(Paragraph(f"{several}: --by val_loss chooses by what is not trained on."))
    if known:
        blocks.append(Hint(train))
    return Document(
        "",
        blocks,
        _data(measured, data_name, optimizer),
        [Facts(_facts(measured.test))] if measured.trials else [],
    )


def _chart(measured: FoundRate) -> Chart:
    test = measured.test
    series = [Series("smoothed loss", test.rates.tolist(), test.smoothed.tolist())]
    positive = [value for value in test.smoothed.tolist() if math.isfinite(value) and value > 0]
    marks = {
        "begins to fall": test.falls,
        "smallest": test.lowest,
        "breaks down": test.breaks,
        "suggested": measured.rate,
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


def _table(measured: FoundRate) -> Table:
    columns = [
        Column("rate", align="right"),
        Column("training loss", align="right", digits=3),
        Column("validation loss", align="right", digits=3),
        Column(""),
    ]
    rows: list[list[Cell]] = [
        [f"{trial.rate:g}", trial.train_loss, trial.val_loss, _mark(trial, measured)]
        for trial in measured.trials
    ]
    return Table(
        columns,
        rows,
        caption=(
            f"Runs of {counted(measured.steps, 'step')} at candidate rates: losses at their end"
        ),
    )


def _mark(trial: RateTrial, measured: FoundRate) -> Cell:
    if trial.status != "finished":
        return Toned(trial.status, "bad")
    return Toned("suggested", "good") if trial.rate == measured.rate else ""


def _data(measured: FoundRate, data_name: str, optimizer: str) -> dict[str, Any]:
    test = measured.test
    return {
        "schema": SCHEMA,
        "data": data_name,
        "optimizer": optimizer,
        "suggestion": measured.rate,
        "reason": measured.reason,
        "by": measured.by,
        "steps": measured.steps,
        "complete": measured.complete,
        "learned": [trial.rate for trial in measured.learned],
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
            for t in measured.trials
        ],
    }
