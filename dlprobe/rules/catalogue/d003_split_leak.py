"""The validation part is known from training.

What it looks for: validation (and test) samples whose inputs occur, to the last digit, in the training part.

Why it hurts: such samples measure memory. The validation error is too good by their share, and model selection follows it.

How it is measured: duplicates_train_val and duplicates_train_test, counted by the raw inputs while splitting, over the samples of the part. A warning
from the first threshold on, an error from the second.

When it stays silent: a few duplicates are normal where features are coarse. Data with few distinct rows at all (judged by the distinct outputs on the
validation part: fewer than one in ten) get an info: there every split shares rows. Without a validation part it is not evaluated.

What to try: drop duplicates before splitting, or split by what the rows belong to (patient, user, day); look where the copies come from.

References: Kaufman, Rosset & Perlich 2012, Leakage in data mining; Kapoor & Narayanan 2023, Leakage and the reproducibility crisis.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, Passed, fired
from dlprobe.rules.rule import Settings, Threshold, register

DISTINCT = 0.1


def check(evidence: Evidence, settings: Settings) -> Outcome:
    data, found = evidence.run.data, []
    for part in ("val", "test"):
        samples = len(np.asarray(data.get(f"{part}_indices", ())))
        if samples and f"duplicates_train_{part}" in data:
            found.append((int(data[f"duplicates_train_{part}"]), samples, part))
    if not found:
        raise NotEvaluableError("no validation or test part, or duplicates were not counted")
    known, samples, part = max(found, key=lambda each: each[0] / each[1])
    share = known / samples
    if known < 2 or share < float(settings["share"]):
        return Passed()
    severe = share >= float(settings["severe"])
    severity = "info" if _few_rows(evidence, part) else "error" if severe else "warning"
    evident = f"{known} of the {samples} rows of the {part} part have inputs that are also in the training part"
    return fired(Finding(share, float(settings["severe" if severe else "share"]), evident, severity=severity))  # type: ignore[arg-type]


def _few_rows(evidence: Evidence, part: str) -> bool:
    """Whether a part has so few distinct rows that any split shares them; equal inputs have equal outputs."""
    outputs = evidence.run.predictions.get(f"{part}_outputs")
    return outputs is not None and len(outputs) > 0 and len(np.unique(outputs, axis=0)) < DISTINCT * len(outputs)


register(
    "D003",
    "split_leak",
    "warning",
    __doc__,
    check,
    needs=("duplicates_train_val", "duplicates_train_test", "val_indices"),
    thresholds=[
        Threshold("share", 0.02, "share of a part that is known", low=0.0, high=1.0, origin="choice: more than errors are usually told apart by"),
        Threshold("severe", 0.1, "share from which it is an error", low=0.0, high=1.0, origin="choice: one sample in ten"),
    ],
)
