"""What batch normalization uses in training is not what it uses afterwards.

What it looks for: a net with batch normalization whose loss on the training part in evaluation mode, with running statistics, is far above the loss
of its own training batches around the same step.

Why it hurts: the net that was trained is not the net that is used. Every number that is reported, and every prediction, comes from the second one.

How it is measured: the training loss of the last evaluations against the mean batch loss of the recorded steps in the epoch before each: their median
ratio must exceed the threshold, and the difference a tenth of the first loss. A batch loss still falling fast makes the ratio smaller, not larger.

When it stays silent: without batch normalization there is nothing to disagree; with dropout the two losses differ by intention, so it is not
evaluated.

What to try: larger batches; layer normalization, which has no running statistics; a smaller learning rate, so that they can follow; fewer layers.

References: Ioffe 2017, Batch renormalization; Wu & Johnson 2021, Rethinking "batch" in BatchNorm, §3.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, Passed, fired
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

LAST = 5


def check(evidence: Evidence, settings: Settings) -> Outcome:
    if not any(str(each).startswith("batch") for each in evidence.layer_column("normalization")):
        raise NotEvaluableError("no such layer: no layer has batch normalization")
    if _drops(evidence):
        raise NotEvaluableError("with dropout, training and evaluation differ by intention")
    learned = evidence.require_time()
    pairs = np.array(_pairs(evidence))  # (evaluation, 2): evaluated, in training
    if not len(pairs):
        raise NotEvaluableError("no recorded steps before an evaluation")
    with np.errstate(all="ignore"):
        ratio = float(np.median(pairs[:, 0] / pairs[:, 1]))
        apart = float(np.median(pairs[:, 0] - pairs[:, 1]))
    if learned.well or not ratio > float(settings["ratio"]) or apart < 0.1 * float(learned.loss[0]):
        return Passed()
    evident = f"train_loss of the last {len(pairs)} evaluations is typically {ratio:.3g} times the batch_loss of the steps before them"
    layers = tuple(name for name, norm in zip(evidence.names, evidence.layer_column("normalization"), strict=True) if str(norm).startswith("batch"))
    cure = remedies(evidence, "larger_batch", "layer_norm", "lower_rate")
    return fired(Finding(ratio, float(settings["ratio"]), evident, layers, evidence.second_half, cure))


def _drops(evidence: Evidence) -> bool:
    model = evidence.run.config.get("model", {})
    return any(str(model.get(key, 0)) not in ("0", "0.0", "none", "None") for key in ("dropout", "input_dropout"))


def _pairs(evidence: Evidence) -> list[tuple[float, float]]:
    """Evaluated training loss and mean batch loss before it, of the last evaluations."""
    learned, steps, loss = evidence.learning, evidence.steps, evidence.scalar("batch_loss")
    found = []
    for index in range(max(1, len(learned.steps) - LAST), len(learned.steps)):
        before = loss[(steps >= learned.steps[index - 1]) & (steps < learned.steps[index])]
        if len(before) and np.isfinite(before).all() and np.isfinite(learned.loss[index]) and before.mean() > 0:
            found.append((float(learned.loss[index]), float(before.mean())))
    return found


register(
    "A007",
    "norm_mismatch",
    "warning",
    __doc__,
    check,
    needs=("normalization", "batch_loss", "train_loss"),
    thresholds=[Threshold("ratio", 1.5, "evaluated training loss over batch loss", low=1.0, origin="choice: half as much again")],
)
