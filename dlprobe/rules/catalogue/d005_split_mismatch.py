"""The parts do not hold the same classes in the same shares.

What it looks for: classes whose share differs between training and validation or test part by more
than chance, or that the training part does not have at all.

Why it hurts: the validation error is that of another problem. A class without training samples
cannot be learned, and every one of its samples is an error.

How it is measured: the counts of classes per part: the total variation distance (half of the sum of
|share differences|) and a chi-squared statistic against its degrees of freedom, both of which must
be exceeded. Distributions of features per part are not in the file and are not looked at.

When it stays silent: stratified splits always pass, as do random ones of ordinary size. Regression
has no classes, so it is not evaluated.

What to try: a stratified split; more samples of the rare classes; where the parts come from
different places, say so rather than mix them.

References: Quiñonero-Candela et al. 2009, Dataset shift in machine learning; Kohavi 1995, A study
    of cross-validation (stratification).
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, Passed, fired
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register


def check(evidence: Evidence, settings: Settings) -> Outcome:
    counts = {
        part: np.asarray(evidence.run.data.get(f"{part}_class_counts", ()), np.float64)
        for part in ("train", "val", "test")
    }
    others = [part for part in ("val", "test") if len(counts[part]) and counts[part].sum() > 0]
    if not len(counts["train"]) or not others:
        raise NotEvaluableError("no classes, or no part to compare the training part with")
    findings = []
    for part in others:
        distance, deviations = compare(counts["train"], counts[part])
        unseen = int(((counts["train"] == 0) & (counts[part] > 0)).sum())
        if unseen or (distance > settings["distance"] and deviations > settings["deviations"]):
            told = f"; {unseen} of its classes have no training sample" if unseen else ""
            evident = (
                f"the class shares of the {part} part are {distance:.0%} away from those of the "
                f"training part (total variation){told}"
            )
            findings.append(
                Finding(
                    distance, settings["distance"], evident, remedies=remedies(evidence, "stratify")
                )
            )
    return fired(*findings[:1]) if findings else Passed()


def compare(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """(total variation distance of the class shares, 0 to 1; (χ² − k)/√(2k)), k the degrees of
    freedom of the test that both counts come from the same classes.

    first, second: samples per class, (classes,).
    """
    both = first + second
    kept = both > 0
    first, second, both = first[kept], second[kept], both[kept]
    distance = 0.5 * float(np.abs(first / first.sum() - second / second.sum()).sum())
    expected = both[None] * np.array([[first.sum()], [second.sum()]]) / both.sum()
    chi = float((np.square(np.stack([first, second]) - expected) / expected).sum())
    freedom = max(len(both) - 1, 1)
    return distance, (chi - freedom) / float(np.sqrt(2.0 * freedom))


register(
    "D005",
    "split_mismatch",
    "warning",
    __doc__,
    check,
    needs=("train_class_counts", "val_class_counts", "test_class_counts"),
    thresholds=[
        Threshold(
            "distance",
            0.1,
            "total variation distance of the class shares",
            low=0.0,
            high=1.0,
            origin="choice: a tenth of the samples",
        ),
        Threshold(
            "deviations",
            4.0,
            "standard deviations beyond chance",
            low=0.0,
            origin="convention: as in every band here",
        ),
    ],
    brings_about="B002 B003",
)
