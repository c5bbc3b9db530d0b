"""The program around the net keeps it from learning as it is meant to.

What it looks for: in a run that another program trained, parts that nothing trains (no gradient
comes back to them, the optimizer does not have them, they are frozen, or the model does not know
them), gradients that add up over steps, evaluation mode while it trains, a loss that compares every
sample with every other one, inputs that are not finite, and batches that are not drawn from the
whole of the data.

Why it hurts: the program runs without an error, the loss falls a little, and what is wrong stands
in none of its numbers. Layers that stay as they were drawn are random features.

How it is measured: the recorder looks at the first step at which weights have a gradient, which of
them the optimizers have, and what the graph of the loss compares; it counts steps that begin with
the gradient of the step before, and steps in evaluation mode. Inputs are not finite where the first
layer gives numbers that are not, by weights that are. Of batches: the loss of the whole
training part over the mean loss of the batches of the last epoch, where these go up and down as
those of the epoch before did, batch by batch.

When it stays silent: a run that learned well, whatever its program does, gets an info at most. Runs
that dlprobe trained are not asked.

What to try: the lines that it names, at the place where the program does what is said.

References: Humbatova et al. 2020, Taxonomy of real faults in deep learning systems; Zhang et al.
2018, An empirical study on TensorFlow program bugs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from dlprobe.record.description import OWN
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, fired
from dlprobe.rules.owner_code import modules_of
from dlprobe.rules.program_faults import TOLD, Fault, faults_of
from dlprobe.rules.rule import Settings, Threshold, register

LEAST = 8  # batches of an epoch
ALIKE = 0.5  # correlation of the losses of two epochs, batch by batch; some 0 where they are drawn

# weights and preactivation variance from which a product of finite numbers stays within float16
ORDINARY = 1e4


def check(evidence: Evidence, settings: Settings) -> Outcome:
    if evidence.run.origin == OWN:
        raise NotEvaluableError("no such program: dlprobe trained the run itself")
    severity = "info" if evidence.spared else ""
    limit = settings["order"]
    faults = [*faults_of(evidence), *_inputs(evidence), *_order(evidence, limit)]
    modules = [module.name for module in modules_of(evidence.run)]
    places = dict(zip(modules, evidence.names, strict=True))
    return fired(
        *(
            Finding(
                fault.measured,
                limit if fault.kind == "order" else math.nan,
                TOLD[fault.kind].evident(fault),
                tuple(places.get(name, name) for name in fault.layers),
                remedies=TOLD[fault.kind].remedies(evidence, fault),
                severity=severity,  # type: ignore[arg-type]
            )
            for fault in faults
        )
    )


def _inputs(evidence: Evidence) -> Iterator[Fault]:
    """What is not finite behind the first layer, whose weights are: then what came in was not."""
    try:
        row = evidence.first_row("nonfinite_forward", lambda counts: counts > 0)
        if row is None or not evidence.row("nonfinite_forward", row)[0]:
            return
        weights = evidence.row("weight_l2", row)[0]
        before = evidence.row("preactivation_variance", row - 1)[0] if row else 0.0
    except NotEvaluableError:
        return
    if weights < ORDINARY and before < ORDINARY:
        first, step = modules_of(evidence.run)[0].name, evidence.steps[row]
        yield Fault("inputs", (first,), told={"step": step})


def _order(evidence: Evidence, limit: float) -> Iterator[Fault]:
    """Batches that differ from the whole: each is learned, and forgotten with the next ones."""
    try:
        if evidence.drops or evidence.normalized:
            return  # training and evaluation differ by intention
        losses, learned = evidence.scalar("batch_loss"), evidence.require_evaluations()
    except NotEvaluableError:
        return
    size, samples = evidence.facts.batch_size, len(evidence.run.data.get("train_indices", ()))
    if not size or evidence.run.status != "finished":
        return
    for count in sorted({samples // size, -(-samples // size)}):  # a loader may drop the last batch
        if count < LEAST or len(losses) < 2 * count:
            continue
        if evidence.steps[-1] - evidence.steps[-2 * count] != 2 * count - 1:
            continue
        before, last = np.log(losses[-2 * count :]).reshape(2, count)  # (batch,) of both epochs
        mean, whole = float(np.exp(last).mean()), float(learned.loss[-1])
        if np.corrcoef(last, before)[0, 1] > ALIKE and whole > limit * mean:
            sizes = {"batches": f"{mean:.3g}", "whole": f"{whole:.3g}"}
            yield Fault("order", (), whole / mean, sizes)
            return


register(
    "L014",
    "program_fault",
    "error",
    __doc__,
    check,
    needs=("batch_loss", "train_loss"),
    thresholds=[
        Threshold(
            "order",
            1.5,
            "loss of the whole training part over that of the last epoch's batches",
            low=1.0,
            origin="choice: batches drawn at random lie within a few percent",
        )
    ],
    brings_about=(
        "G001 G002 G003 G005 N001 A001 A003 W003 W004 W005 L001 L002 L003 L004 L009 B001 B005"
    ),
    foreign=True,
)
