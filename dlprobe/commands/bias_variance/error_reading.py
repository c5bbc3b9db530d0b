"""The textbook reading of bias and variance on the command line: error rates as people type
them, or those of a run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlprobe.commands.base.screen import Screen
from dlprobe.errors import ConfigError, ExitCode
from dlprobe.record.description import OWN

EXAMPLE = "--human-error 1% --train-error 8% --val-error 10%"
# options that keep a net from fitting its training part, by table
HOLDING = {
    "model": ("dropout", "input_dropout", "drop_connect", "noise", "input_noise"),
    "training": (
        "l1",
        "l2",
        "activity_l1",
        "activity_l2",
        "orthogonal_penalty",
        "label_smoothing",
        "mixup",
        "max_norm",
    ),
}


def share(option: str, text: str) -> float:
    """An error rate: a share from 0 to 1, or a percentage with its sign. Raises ConfigError.

    >>> share("--val-error", "0.15"), share("--val-error", "15 %")
    (0.15, 0.15)
    """
    typed = text.strip()
    number = read_number(typed.removesuffix("%"))
    value = number / 100.0 if typed.endswith("%") else number
    if 0.0 <= value <= 1.0:
        return value
    if not typed.endswith("%") and 1.0 < number <= 100.0:
        raise ConfigError(
            f"{option} {typed}: error rates are shares from 0 to 1, or percentages with their "
            f"sign: type {number:g}% or {number / 100:g}"
        )
    raise ConfigError(
        f"{option} {typed}: expected a share from 0 to 1, or a percentage, e.g. 0.08 or 8%"
    )


def read_number(text: str) -> float:
    """The number that was typed; NaN where the text is none (Python's own spellings `1_0` and
    `nan` are none).
    """
    try:
        return float(text) if "_" not in text else math.nan
    except ValueError:
        return math.nan


def read_numbers(
    texts: Mapping[str, str | None], train_samples: int, val_samples: int, screen: Screen
) -> ExitCode:
    """The textbook reading of bare numbers. texts: what was typed after `--human-error`,
    `--train-error` and `--val-error`, None where nothing was.
    """
    from dlprobe.analysis.bias_variance.reading_strategy import of_gaps, strategy
    from dlprobe.analysis.bias_variance.textbook_reading import read
    from dlprobe.reports.textbook_reading import reading_document

    if texts["--train-error"] is None or texts["--val-error"] is None:
        raise ConfigError(
            f"--train-error and --val-error belong together: give both, e.g. {EXAMPLE}"
        )
    for option, text in texts.items():
        if text is not None and read_number(text) == 1.0:
            screen.warn(f"{option} {text.strip()} is read as 100 %; of one percent type 1% or 0.01")
    human, train, val = (
        None if text is None else share(option, text) for option, text in texts.items()
    )
    assert train is not None
    assert val is not None
    reading = read(human, train, val, train_samples, val_samples)
    screen.show(
        reading_document(
            reading,
            of_gaps(reading),
            strategy(reading),
            "",
            {"run": None, "reference": reference_of(human)},
        )
    )
    return ExitCode.DONE


def reference_of(
    human: float | None, kind: str = "stated", run: str | None = None
) -> dict[str, Any]:
    """The reference as data: where it comes from, the error, and the run that it was measured
    on.
    """
    return {"kind": "none" if human is None else kind, "error": human, "run": run}


def measured(run: Any, name: str, others: Sequence[Path]) -> tuple[float, str]:
    """The smallest validation error of other runs on the same data, and which has it. Raises
    ConfigError for a run on other data, or one without the error.
    """
    from dlprobe.rules.files import each_run, run_files
    from dlprobe.runs.reading import reading

    errors = []
    for path in run_files(others):
        with reading(path):
            for where, opened in each_run(path):
                other = opened()
                same = other.data.get("fingerprint") == run.data.get("fingerprint")
                if not same and (other.data.get("name"), other.data.get("source")) != (
                    run.data.get("name"),
                    run.data.get("source"),
                ):
                    raise ConfigError(
                        f"--reference {where}: it was trained on other data "
                        f"({other.data.get('name')}) than {name} ({run.data.get('name')})"
                    )
                errors.append(
                    (_error(other, "val", str(run.data.get("task")) == "regression", where), where)
                )
    return min(errors)


def read_run(
    run: Any, name: str, human: float | None, screen: Screen, others: Sequence[Path] = ()
) -> ExitCode:
    """The textbook reading of one run at its end: shares of wrong classes, or of the targets'
    variance that is left over (1 − R²).

    human: a stated error; others: runs on the same data, the best of which is what can be reached.
    """
    from dlprobe.analysis.bias_variance.direction import direction_of
    from dlprobe.analysis.bias_variance.reading_strategy import strategy
    from dlprobe.analysis.bias_variance.textbook_reading import interval_of_unexplained, read
    from dlprobe.analysis.learning.reading import learning
    from dlprobe.reports.textbook_reading import reading_document

    learned, reference_known = learning(run), human is not None
    reference = reference_of(human)
    if others:
        human, best = measured(run, name, others)
        reference_known, reference = True, reference_of(human, "measured", best)
    regression = str(run.data.get("task")) == "regression"
    train, val = (_error(run, part, regression, name) for part in ("train", "val"))
    counts = {
        part: len(np.asarray(run.data.get(f"{part}_indices", ()))) for part in ("train", "val")
    }
    known = reference_known or not regression or run.data.get("noise_variance") is not None
    if regression:
        if human is None and learned is not None and known:
            human = 1.0 - learned.ceiling
            reference = reference_of(human, "noise")
        kept = run.predictions
        between = (
            interval_of_unexplained(kept["val_outputs"], kept["val_targets"])
            if "val_outputs" in kept
            else None
        )
        reading = read(human, train, val, val_interval=between)
    else:
        reading = read(human, train, val, counts["train"], counts["val"])
    direction = direction_of(run, human)
    context = {
        "run": name,
        "reference": reference,
        "train_samples": counts["train"],
        "val_samples": counts["val"],
        "measure": "1 - r2" if regression else "error",
    }
    what = (
        (
            "; errors are 1 − "
            f"R²{'' if reference_known else ', the reference is the share of known noise' if known else ', no reference is known'}"  # noqa: E501
        )
        if regression
        else ""
    )
    advice = strategy(
        reading,
        replace(_about(run, learned, counts["train"], known), direction=direction)
        if learned
        else None,
    )
    what += f"; the reference is the validation error of {reference['run']}" if others else ""
    of = f"{name}: {counts['train']} training and {counts['val']} validation samples{what}"
    screen.show(reading_document(reading, direction, advice, of, context))
    return ExitCode.DONE


def _error(run: Any, part: str, regression: bool, name: str) -> float:
    """The error of one part at the end. Raises ConfigError where there is none."""
    value = (
        1.0 - float(run.final.get(f"{part}_r2", np.nan))
        if regression
        else float(run.final.get(f"{part}_error", np.nan))
    )
    if math.isfinite(value) and (regression or 0.0 <= value <= 1.0):
        return value
    what = {"train": "training", "val": "validation"}[part]
    if len(np.asarray(run.data.get(f"{part}_indices", ()))) and f"{part}_loss" in run.final:
        raise ConfigError(
            f"{name} is {run.status} and its {what} error at the end is {value:g}: there is "
            f"nothing to read; dlprobe check {name} says why"
        )
    if run.origin != OWN:
        raise ConfigError(
            f"{name} was trained by another program (origin {run.origin}) and holds no {what} "
            "error at its end: give --train-error and --val-error"
        )
    ask = (
        "train it to its end"
        if part == "train" or run.status == "interrupted"
        else "train with a validation part, e.g. --split 60,20,20"
    )
    raise ConfigError(
        f"{name} has no {what} error at its end: {ask}, or give --train-error and --val-error"
    )


def _about(run: Any, learned: Any, samples: int, known: bool) -> Any:
    """What the run says beside its errors; of a configuration that this version cannot read,
    nothing.
    """
    from dlprobe.analysis.bias_variance.reading_strategy import About

    parameters = sum(layer.parameter_count or 0 for layer in run.layer_facts)
    config = run.configuration
    if config is None:
        return About(learned, parameters, samples, reference_known=known)
    settings = [
        (key, getattr(getattr(config, table), key))
        for table, keys in HOLDING.items()
        for key in keys
    ]
    holding = tuple(f"{key} {value:g}" for key, value in settings if value)
    return About(
        learned,
        parameters,
        samples,
        holding,
        config.data.label_noise,
        config.training.early_stopping is not None,
        known,
    )
