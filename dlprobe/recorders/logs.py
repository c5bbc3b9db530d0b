"""Logs that other programs have written already, as rows and evaluations of a run: Hugging
Face's `trainer_state.json`, CSV and JSON lines.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from dlprobe.dataclass import dataclass
from dlprobe.errors import DataError
from dlprobe.registry import counted, nearby

LARGEST = 256_000_000  # bytes of a log
SCALARS = {  # names in logs -> of record.scalars
    "batch_loss": ("loss", "train_loss", "train/loss", "train_loss_step"),
    "learning_rate": (
        "learning_rate",
        "lr",
        "train/learning_rate",
        "lr-sgd",
        "lr-adam",
        "lr-adamw",
    ),
    "gradient_norm": ("grad_norm", "gradient_norm", "train/grad_norm"),
}
LOSSES = {  # names in logs -> of evaluations
    "train_loss": ("loss", "train_loss", "train_loss_epoch"),
    "val_loss": ("val_loss", "eval_loss", "validation_loss", "eval/loss", "val/loss"),
}
ACCURACIES = {  # shares of right classes -> of evaluations, 1 − the share
    "train_error": (
        "accuracy",
        "acc",
        "train_acc",
        "train_accuracy",
        "sparse_categorical_accuracy",
        "categorical_accuracy",
    ),
    "val_error": (
        "val_accuracy",
        "val_acc",
        "eval_accuracy",
        "val_sparse_categorical_accuracy",
        "val_categorical_accuracy",
    ),
}
STEPS = ("step", "global_step", "train/global_step")
SUMMARY = "train_runtime"  # the last entry of a Hugging Face log sums up the whole training


@dataclass
class Log:
    """What a log says. rows: scalars by step, counted from 0; evaluations: values by updates
    made before; notes: what was inferred.
    """

    kind: str
    rows: dict[int, dict[str, float]] = field(default_factory=dict)
    evaluations: dict[int, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_log(path: Path, steps_per_epoch: int | None = None) -> Log:
    """A log by its content. steps_per_epoch: updates in an epoch, for logs that count epochs only.

    Raises DataError, one line, for a file that cannot be read, is no such log, or has no loss in
    it.
    """
    kind, entries = _entries(path, _text(path))
    log = Log(kind)
    by_step = any(_step(entry) is not None for entry in entries)
    first = 0 if _counts_from_zero(kind, entries) else 1
    for entry in entries:
        if SUMMARY not in entry:
            _take(log, entry, by_step, steps_per_epoch or 1, first)
    if not log.rows and not any("train_loss" in values for values in log.evaluations.values()):
        names = (
            ", ".join(sorted({name for entry in entries for name in entry})[:12]) or "no columns"
        )
        raise DataError(
            f"{path}: no training loss in this log: found {names}; expected a column loss or "
            "train_loss, and step or epoch"
        )
    if not by_step:
        of_epochs = (
            "its epochs count as steps: give --steps-per-epoch"
            if steps_per_epoch is None
            else f"an epoch is {counted(steps_per_epoch, 'step')}, as given"
        )
        log.notes.append(
            f"the log counts epochs, not steps: {of_epochs}; losses of the training part are "
            "means over the epoch"
        )
    return log


def _counts_from_zero(kind: str, entries: Sequence[Mapping[str, float]]) -> bool:
    """Whether the first update is step 0, as in Lightning's tables, which have epochs too."""
    steps = [step for entry in entries if (step := _step(entry)) is not None]
    return 0 in steps or (
        kind == "csv" and bool(steps) and any("epoch" in each for each in entries)
    )


def _take(
    log: Log, entry: Mapping[str, float], by_step: bool, steps_per_epoch: int, first: int
) -> None:
    """One entry: a row where it tells of a step, an evaluation where it tells of a part. first:
    the step that is the first update.
    """
    step = (
        _step(entry) if by_step else round((_value(entry, ("epoch",), 0.0) + 1) * steps_per_epoch)
    )
    if step is None:
        return
    made = step if not by_step else step + 1 - first  # updates
    scalars = _named(entry, SCALARS)
    values = evaluated(entry)
    if scalars:
        log.rows.setdefault(max(made - 1, 0), {}).update(scalars)
    if by_step and "val_loss" not in values:
        values = {}
    elif by_step:
        values.pop("train_loss", None)
    if values:
        log.evaluations.setdefault(made, {}).update(values)


def evaluated(entry: Mapping[str, float]) -> dict[str, float]:
    """Losses and errors of the parts, by the names of evaluations; errors are 1 − accuracies.

    >>> evaluated({"loss": 0.5, "val_accuracy": 0.75})
    {'train_loss': 0.5, 'val_error': 0.25}
    """
    return _named(entry, LOSSES) | {
        name: 1.0 - value for name, value in _named(entry, ACCURACIES).items()
    }


def _named(entry: Mapping[str, float], table: Mapping[str, Iterable[str]]) -> dict[str, float]:
    values = {name: _value(entry, names, math.nan) for name, names in table.items()}
    return {name: value for name, value in values.items() if not math.isnan(value)}


def _value(entry: Mapping[str, float], names: Iterable[str], default: float) -> float:
    return next((entry[name] for name in names if name in entry), default)


def _step(entry: Mapping[str, float]) -> int | None:
    value = _value(entry, STEPS, math.nan)
    return int(value) if math.isfinite(value) else None


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise DataError(
                f"{path}: no such file: {nearby(path)}name a log, e.g. trainer_state.json or "
                "metrics.csv"
            )
        if path.stat().st_size > LARGEST:
            raise DataError(
                f"{path} has {path.stat().st_size:,} bytes, a log has up to {LARGEST:,}"
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(
            f"{path} is no text: expected trainer_state.json, CSV or JSON lines"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def _entries(path: Path, text: str) -> tuple[str, list[dict[str, float]]]:
    """The kind of log, and its entries: numbers by name, in small letters."""
    if text.lstrip().startswith("{"):
        whole = _json(text)
        if isinstance(whole, dict) and isinstance(whole.get("log_history"), list):
            return "trainer_state", [
                _numbers(each) for each in whole["log_history"] if isinstance(each, dict)
            ]
        lines = [line for line in text.splitlines() if line.strip()]
        decoded = [_json(line) for line in lines]
        wrong = next(
            (
                number
                for number, entry in enumerate(decoded, start=1)
                if not isinstance(entry, dict)
            ),
            None,
        )
        if wrong is not None:
            raise DataError(
                f"{path}, line {wrong}: no JSON object: expected one in each line, or a "
                "trainer_state.json with log_history"
            )
        return "json-lines", [_numbers(entry) for entry in decoded]
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or len(rows[0]) < 2:
        raise DataError(
            f"{path}: no table with two columns or more: expected trainer_state.json, CSV or "
            "JSON lines"
        )
    return "csv", [_numbers(row) for row in rows]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _numbers(entry: Mapping[Any, Any]) -> dict[str, float]:
    found = {}
    for name, value in entry.items():
        try:
            found[str(name).strip().lower()] = float(value)
        except (TypeError, ValueError):
            continue
    return found
