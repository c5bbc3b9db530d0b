"""The validation part is known from training.

What it looks for: validation (and test) samples whose inputs occur, to the last digit, in the
training part.

Why it hurts: such samples measure memory. The validation error is too good by their share, and
model selection follows it.

How it is measured: duplicates_train_val and duplicates_train_test, counted by the raw inputs while
splitting, over the samples of the part. A warning from the first threshold on, an error from the
second.

When it stays silent: tables of few possible rows share them by nature. Where the values of each
feature could make no more rows than a training part of this size meets by chance (independent
features), or one row in ten of the whole set is distinct, every split shares rows: an info. Without
a validation part it is not evaluated.

What to try: drop duplicates before splitting, or split by what the rows belong to (patient, user,
day); look where the copies come from.

References: Kaufman, Rosset & Perlich 2012, Leakage in data mining; Kapoor & Narayanan 2023, Leakage
    and the reproducibility crisis.
"""

from __future__ import annotations

import math

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.rule import Settings, Threshold, register

DISTINCT = 0.1
DEVIATIONS = 3.0  # of the share that is met by chance


def check(evidence: Evidence, settings: Settings) -> Outcome:
    data, leaks = evidence.run.data, []
    for part in ("val", "test"):
        samples = len(np.asarray(data.get(f"{part}_indices", ())))
        if samples and f"duplicates_train_{part}" in data:
            leaks.append((int(data[f"duplicates_train_{part}"]), samples, part))
    if not leaks:
        raise NotEvaluableError("no validation or test part, or duplicates were not counted")
    known, samples, part = max(leaks, key=lambda pair: pair[0] / pair[1])
    share = known / samples
    if known < 2 or share < settings["share"]:
        return Passed()
    severe = share >= settings["severe"]
    severity = "info" if _by_nature(evidence, share, part) else "error" if severe else "warning"
    evident = (
        f"{known} of the {samples} rows of the {part} part have inputs that are also in the "
        "training part"
    )
    limit = settings["severe" if severe else "share"]
    return one_finding(share, limit, evident, severity=severity)


def _by_nature(evidence: Evidence, share: float, part: str) -> bool:
    """Whether a set has so few distinct or possible rows that any split shares them."""
    data, parts = evidence.run.data, ("train", "val", "test")
    if "distinct_rows" not in data:
        return _few_outputs(evidence, part)
    train = len(np.asarray(data.get("train_indices", ())))
    # that a row was met among so many of equal chance
    by_chance = -math.expm1(-train / float(data.get("possible_rows", math.inf)))
    rows = sum(len(np.asarray(data.get(f"{name}_indices", ()))) for name in parts)
    samples = len(np.asarray(data.get(f"{part}_indices", ())))
    usual = by_chance + DEVIATIONS * math.sqrt(by_chance * (1.0 - by_chance) / samples)
    return usual >= share or int(data["distinct_rows"]) < DISTINCT * rows


def _few_outputs(evidence: Evidence, part: str) -> bool:
    """The same of an older file, by the distinct outputs: equal inputs have equal ones."""
    outputs = evidence.run.predictions.get(f"{part}_outputs")
    return (
        outputs is not None
        and len(outputs) > 0
        and len(np.unique(outputs, axis=0)) < DISTINCT * len(outputs)
    )


register(
    "D003",
    "split_leak",
    "warning",
    __doc__,
    check,
    needs=("duplicates_train_val", "duplicates_train_test", "val_indices"),
    thresholds=[
        Threshold(
            "share",
            0.02,
            "share of a part that is known",
            low=0.0,
            high=1.0,
            origin="choice: more than errors are usually told apart by",
        ),
        Threshold(
            "severe",
            0.1,
            "share from which it is an error",
            low=0.0,
            high=1.0,
            origin="choice: one sample in ten",
        ),
    ],
)
