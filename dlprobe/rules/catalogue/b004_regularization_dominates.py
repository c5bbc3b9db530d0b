"""What shall keep the net from overfitting keeps it from learning.

What it looks for: penalty terms larger than the data loss over the last part of training, or at the
start and then hardly any weights left; weight decay or a bound of norms that left hardly any
weights; or a training loss with dropout far above the one without; in a run that did not learn its
training part.

Why it hurts: the optimizer minimises what is larger. Weights are pulled to zero faster than the
data can pull them away, and the training error stays up. Where nearly all units are dropped, hardly
a path through the net is left.

How it is measured: the median of penalty over that of batch_loss in the last quarter of the
recorded steps; and both in the first recorded step, where the penalty then fell to less than a
tenth. Under max-norm, or weight decay that by itself leaves as little, weight_l2 of a hidden
layer at the end over that of the first row. For dropout, the batch loss (with) over the evaluated
training loss (without) at the end, and the share of units that is dropped.

When it stays silent: a run that learned well is not accused, nor one whose validation error shows
that what was learned holds: a training loss above that of validation is what dropout does. Below a
hundred updates or ten passes it is not evaluated. Without penalty, decay, bound and dropout it
passes.

What to try: a run without the option that weighs most, until the training error is low; then a
tenth of it.

References: Goodfellow et al. 2016, §7.1; Loshchilov & Hutter 2019, Decoupled weight decay;
Srivastava et al. 2014, Dropout; Humbatova et al. 2021, DeepCrime (mutants of the regularization).
"""

from __future__ import annotations

import math

import numpy as np

from dlprobe.analysis.learning.learned import HALF
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, Passed, fired, one_finding
from dlprobe.rules.remedies import without
from dlprobe.rules.rule import Settings, Threshold, register

FALLEN = 0.1  # of its first value: what a penalty is then has no weights left to weigh
PENALTIES = [
    "training.l1",
    "training.l2",
    "training.activity_l1",
    "training.activity_l2",
    "training.orthogonal_penalty",
]
DROPPED = [
    "model.dropout",
    "model.input_dropout",
    "model.drop_connect",
    "model.noise",
    "model.input_noise",
]
PULLS = ["training.optimizer", "training.max_norm"]


def check(evidence: Evidence, settings: Settings) -> Outcome:
    pulled, data = evidence.late("penalty"), evidence.late("batch_loss")
    learned = evidence.require_time()
    if learned.well:
        return Passed()
    if data > 0 and pulled > settings["share"] * data:
        evident = (
            f"in the last quarter the penalty has a median of {pulled:.3g}, {pulled / data:.3g} "
            f"times that of the data loss, {data:.3g}"
        )
        cure = without(evidence, PENALTIES, f"it weighs {pulled / data:.2g} times what the data do")
        return one_finding(
            pulled / data, settings["share"], evident, steps=evidence.second_half, remedies=cure
        )
    first, start = (float(evidence.scalar(name)[0]) for name in ("penalty", "batch_loss"))
    if start > 0 and first > settings["share"] * start and pulled < FALLEN * first:
        evident = (
            f"at first the penalty was {first:.3g}, {first / start:.3g} times the data loss; by "
            f"the last quarter it had pulled the weights down to {pulled:.3g}"
        )
        cure = without(
            evidence, PENALTIES, f"it weighed {first / start:.2g} times what the data did"
        )
        return one_finding(
            first / start, settings["share"], evident, steps=evidence.span, remedies=cure
        )
    shrunk = _shrunk(evidence, settings["left"])
    if shrunk is not None:
        return fired(shrunk)
    return _dropped(evidence, data, settings)


def _shrunk(evidence: Evidence, limit: float) -> Finding | None:
    """The hidden layer that decay or a bound left least of; None without such an option, or
    where enough is left.
    """
    if (
        not evidence.hidden
        or evidence.learning.reached >= HALF
        or not evidence.run.is_recorded("weight_l2")
    ):
        return None
    decay, bound = _pulls(evidence)
    if bound is None and not _pulled(evidence, decay) < limit:
        return None
    kept_share = (
        evidence.row("weight_l2", -1)[evidence.hidden]
        / evidence.row("weight_l2", 0)[evidence.hidden]
    )
    if np.isnan(kept_share).all():
        return None
    worst = int(np.nanargmin(kept_share))
    if not kept_share[worst] < limit:
        return None
    names = tuple(
        evidence.names[index]
        for index, share in zip(evidence.hidden, kept_share, strict=True)
        if share < limit
    )
    told = (
        f"{kept_share[worst]:.2g} of the norm of "
        f"{names[0] if len(names) == 1 else evidence.names[evidence.hidden[worst]]}'s weights is "
        "left at the end"
    )
    options = ([f"weight decay of {decay:g}"] if decay else []) + (
        [f"a bound of {bound:g}"] if bound is not None else []
    )
    evident = f"under {' and '.join(options)}, {told}"
    return Finding(
        float(kept_share[worst]),
        limit,
        evident,
        names,
        evidence.span,
        without(evidence, PULLS, told),
    )


def _pulls(evidence: Evidence) -> tuple[float, float | None]:
    """Weight decay beside the gradient, and the bound of max-norm. Of a run that was recorded
    elsewhere a decay that is no penalty, as AdamW's and all of Keras.
    """
    if evidence.config is not None:
        training = evidence.config.training
        return training.weight_decay, training.max_norm
    is_penalty = float(evidence.scalar("penalty")[0]) > 0
    return (0.0 if is_penalty else evidence.facts.l2 or 0.0), None


def _pulled(evidence: Evidence, decay: float) -> float:
    """The share of weights that decay by itself would have left: e^−Σ ηλ over the updates."""
    rates = (
        evidence.scalar("learning_rate")
        if evidence.run.is_recorded("learning_rate")
        else np.zeros(1)
    )
    return math.exp(-decay * float(np.nanmean(rates)) * evidence.learning.updates)


def _dropped(evidence: Evidence, data: float, settings: Settings) -> Outcome:
    """Whether what is dropped in training keeps the net from learning its training part."""
    learned = evidence.learning
    evaluated = float(learned.loss[-1])
    try:
        drops = evidence.drops
    except NotEvaluableError:
        drops = False
    if (
        not drops
        or not evaluated > 0
        or learned.reached >= HALF
        or not data > settings["dropped"] * evaluated
    ):
        return _most_dropped(evidence, settings) if drops else Passed()
    evident = (
        f"with dropout the loss of the last quarter is {data:.3g}, {data / evaluated:.3g} times "
        f"that without, {evaluated:.3g}"
    )
    cure = without(
        evidence, DROPPED, f"with it the loss is {data / evaluated:.2g} times that without"
    )
    return one_finding(
        data / evaluated, settings["dropped"], evident, steps=evidence.second_half, remedies=cure
    )


def _most_dropped(evidence: Evidence, settings: Settings) -> Outcome:
    """Layers of which so few units are left in training that hardly a path leads through them,
    of a run that did not get half of the way.
    """
    rate, hidden = evidence.facts.dropout or 0.0, evidence.hidden
    widths = [evidence.layers[index].units for index in hidden]
    if evidence.learning.reached >= HALF or rate <= HALF or not hidden or not all(widths):
        return Passed()
    narrowest = min(width for width in widths if width)
    units = (1.0 - rate) * narrowest
    of = f"the narrowest of {len(hidden)} hidden layers" if hidden[1:] else "the hidden layer"
    evident = f"dropout of {rate:g} leaves {units:.2g} of the {narrowest} units of {of} in a step"
    if units >= settings["units"]:
        return Passed()
    return one_finding(
        units,
        settings["units"],
        evident,
        steps=evidence.span,
        remedies=without(evidence, DROPPED, evident),
    )


register(
    "B004",
    "regularization_dominates",
    "warning",
    __doc__,
    check,
    needs=("penalty", "batch_loss", "train_loss", "weight_l2"),
    thresholds=[
        Threshold(
            "share", 1.0, "penalty over data loss", low=0.0, origin="definition: it weighs more"
        ),
        Threshold(
            "left",
            0.2,
            "share of a layer's weight norm that is left",
            low=0.0,
            high=1.0,
            origin="choice: a layer then passes on 4 % of the mean square",
        ),
        Threshold(
            "units",
            4.0,
            "units that are left of the narrowest layer",
            low=0.0,
            origin="a layer of fewer is blocked often: 1 − (1 − 2⁻ⁿ) a sample (Lu 2020)",
        ),
        Threshold(
            "dropped",
            2.0,
            "loss with dropout over loss without",
            low=1.0,
            origin="choice: dropout of .5 costs less than that where it helps",
        ),
    ],
    brings_about="A001 A003 A004 G001 G002 G005 L001 L002 L004 B001 A006 W004",
)
