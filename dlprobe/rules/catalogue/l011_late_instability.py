"""The loss rose again by orders of magnitude after it had converged.

What it looks for: an adaptive optimizer whose training loss, once a thousandth of its start, later
stands far above its smallest value.

Why it hurts: at the floor the gradients, and with them the second moment that divides them, go to
nothing; then every step is again as long as the rate says, whatever there is left to gain. The run
ends at a random place of that noise, and may jump out of the valley.

How it is measured: medians of batch_loss over a hundred stretches of the recorded steps: the
largest one after the smallest, over the smallest, which must lie below a thousandth of the first.

When it stays silent: other optimizers have steps that shrink with the gradient, so they are not
evaluated. It is always an info: the error is small on either side.

What to try: a rate that falls towards the end; a larger ε; AMSGrad; early stopping.

References: Reddi, Kale & Kumar 2018, On the convergence of Adam and beyond; Molybog et al. 2023, A
theory on Adam instability; Kingma & Ba 2015, §2.1.
"""

from __future__ import annotations

import numpy as np

from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

STRETCHES = 100
CONVERGED = 1e-3


def check(evidence: Evidence, settings: Settings) -> Outcome:
    optimizer = str(evidence.fact("optimizer")).partition("(")[0]
    if not (optimizer.startswith(("ada", "nadam", "rms")) or optimizer in ("amsgrad",)):
        raise NotEvaluableError(f"no second moment: the optimizer is {optimizer}")
    loss = evidence.scalar("batch_loss")
    if len(loss) < STRETCHES:
        raise NotEvaluableError(f"too few steps: {len(loss)} were recorded, {STRETCHES} are needed")
    if not np.isfinite(loss).all():
        return Passed()
    rows = np.array_split(np.arange(len(loss)), STRETCHES)
    # stretches of one length at once: the first ones are longer by one where some are
    lengths = [len(stretch) for stretch in rows]
    at = lengths[0] * lengths.count(lengths[0])
    level = np.concatenate(
        [
            np.median(part.reshape(-1, length), axis=1)
            for part, length in ((loss[:at], lengths[0]), (loss[at:], lengths[-1]))
        ]
    )
    low = int(np.argmin(level))
    if not 0.0 < level[low] < CONVERGED * float(loss[0]) or low == STRETCHES - 1:
        return Passed()
    high = low + 1 + int(np.argmax(level[low + 1 :]))
    times = float(level[high] / level[low])
    if times <= settings["rise"]:
        return Passed()
    steps = (int(evidence.steps[rows[low][0]]), int(evidence.steps[rows[high][0]]))
    evident = (
        f"batch_loss had come down to {level[low]:.2g} by step {steps[0]} and stood at "
        f"{level[high]:.2g} from step {steps[1]} on, with {optimizer}"
    )
    return one_finding(
        times,
        settings["rise"],
        evident,
        steps=steps,
        remedies=remedies(evidence, "decaying_rate", "early_stopping"),
    )


register(
    "L011",
    "late_instability",
    "info",
    __doc__,
    check,
    needs=("batch_loss", "optimizer"),
    thresholds=[
        Threshold(
            "rise",
            100.0,
            "late loss over the smallest one",
            low=1.0,
            origin="choice: two orders of magnitude",
        )
    ],
)
