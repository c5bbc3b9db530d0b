"""Classes are rare, and they are the ones that are missed.

What it looks for: classes with a small share of the training part of whose validation samples most
are given to another class, in a net that does the common classes well.

Why it hurts: the error hides it: always naming the common class is 99 % right where the other has 1
%. Often the rare class is why the net is trained.

How it is measured: the share of each class in the training part over that of the commonest; the
share of a rare class's validation samples that are named right, from the confusion matrix at the
end, and the same of the common ones.

When it stays silent: without a confusion matrix of the validation part it is not evaluated; a net
that misses common classes too has another illness.

What to try: more samples of the rare class, or weights for it; a metric per class; a split that is
stratified.

References: He & Garcia 2009, Learning from imbalanced data; Buda, Maki & Mazurowski 2018, A
    systematic study of the class imbalance problem.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register


def check(evidence: Evidence, settings: Settings) -> Outcome:
    counts = evidence.class_counts
    if not len(counts) or evidence.require_time().task != "classification":
        raise NotEvaluableError("no classes")
    if not (counts < settings["share"] * counts.max()).any():
        return Passed()
    if "val_confusion" not in evidence.run.final:
        raise NotEvaluableError("no confusion matrix of the validation part")
    table = np.asarray(evidence.run.final["val_confusion"], np.float64)
    with np.errstate(all="ignore"):
        recall = np.diag(table) / table.sum(axis=1)
    rare = (counts < settings["share"] * counts.max()) & np.isfinite(recall)
    if not rare.any():
        return Passed()
    worst = int(np.flatnonzero(rare)[np.argmin(recall[rare])])
    common = float(np.nanmean(recall[~rare])) if (~rare).any() else float("nan")
    if recall[worst] >= settings["recall"] or not common > 0.5:
        return Passed()
    names = evidence.run.data.get("class_names", ())
    named = f"'{names[worst]}'" if worst < len(names) else f"number {worst}"
    evident = (
        f"class {named} has {counts[worst]:.0f} of {counts.sum():.0f} training "
        f"samples; {recall[worst]:.0%} of its {table[worst].sum():.0f} validation "
        f"samples are named right, of the common classes {common:.0%}"
    )
    return one_finding(
        float(recall[worst]),
        settings["recall"],
        evident,
        remedies=remedies(evidence, "raise_rate", "longer", "class_weights", "larger_net"),
    )


register(
    "D002",
    "class_imbalance",
    "warning",
    __doc__,
    check,
    needs=("train_class_counts", "val_confusion"),
    thresholds=[
        Threshold(
            "share",
            0.1,
            "share of the commonest class below which a class is rare",
            low=0.0,
            high=1.0,
            origin="choice: ten to one (Buda 2018)",
        ),
        Threshold(
            "recall",
            0.5,
            "share of its samples that must be named right",
            low=0.0,
            high=1.0,
            origin="definition of missed: most of them",
        ),
    ],
    brings_about="L001 B001",
)
