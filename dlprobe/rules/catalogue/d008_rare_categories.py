"""A text column has about as many values as the training part has samples for them.

What it looks for: a column that was one-hot encoded and most of whose training samples have a value
that hardly any other sample has, in a net that does better on its training part than on new
samples.

Why it hurts: each value becomes an input that is on in a few samples, and standardized it is large
there. The net gives each its weight, by which it knows the samples by heart; of new samples most
have a value that it never saw.

How it is measured: by the means of the one-hot features in the training part; the share of its
samples whose value of this column fewer than ten of them have. The column with the fewest samples
for each value counts.

When it stays silent: a run that learned well, was too short to tell, or does as well on new samples
as on its training part gets an info. Inputs whose columns are not told are not evaluated.

What to try: leave the column out; dates as numbers of days, of which new ones lie between known
ones.

References: Micci-Barreca 2001, A preprocessing scheme for high-cardinality categorical attributes;
    Guo & Berkhahn 2016, Entity embeddings of categorical variables.
"""

from __future__ import annotations

from dlprobe.rules.changes_of_data import rarest_column
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

BEHIND = 0.1  # skill that the validation part lacks


def check(evidence: Evidence, settings: Settings) -> Outcome:
    column = rarest_column(evidence)
    if not column:
        raise NotEvaluableError("no text column was one-hot encoded")
    counts, samples = evidence.category_counts[column], len(evidence.run.data["train_indices"])
    share = float(counts[counts < settings["samples"]].sum()) / samples
    if not share > settings["share"]:
        return Passed()
    evident = (
        f"{column!r} has {len(counts)} values in {samples} training samples: {share:.0%} of them "
        f"have a value that fewer than {settings['samples']:g} share"
    )
    learned = evidence.learning
    as_good = len(learned.skill) and learned.skill[-1] - learned.val_skill[-1] < BEHIND
    return one_finding(
        share,
        settings["share"],
        evident,
        remedies=remedies(evidence, "ordinal_dates", "drop_categories"),
        severity="info" if evidence.spared or as_good else "",
    )


register(
    "D008",
    "rare_categories",
    "warning",
    __doc__,
    check,
    needs=("feature_names", "feature_mean", "train_indices"),
    thresholds=[
        Threshold(
            "samples",
            10,
            "training samples of a value from which on it is not rare",
            low=2,
            origin="choice: the mean of ten is known to a third of a deviation",
        ),
        Threshold(
            "share",
            0.5,
            "share of the training samples with a rare value",
            low=0.0,
            high=1.0,
            origin="definition of most",
        ),
    ],
    brings_about="L001 B002 B003 B005 L007 L009",
)
