"""A number of the forward or backward pass is not finite.

What it looks for: the first recorded step, and the first layer in the order of computation, whose
preactivations, activations, error signals or gradients hold a NaN or an infinity.

Why it hurts: after such a step every parameter that it touches is NaN, and nothing that the net
computes from there on means anything.

How it is measured: nonfinite_forward and nonfinite_backward count the elements per layer and step;
the batch loss must be finite too. Forward passes run towards the output, so the culprit is the
first layer that is touched; backward passes run towards the input, so it is the last. A run ends at
its first such step, which is always recorded. The status diverged without such an element means
that the update itself left the range.

When it stays silent: all recorded numbers are finite. With record-every above 1 a run that another
program wrote may have had such steps in between.

What to try: a learning rate ten times smaller; clipping the global gradient norm; an initializer
that keeps the variance; scaled inputs and targets; float64 where numbers overflow without growing
without bound.

References: Higham 2002, Accuracy and Stability of Numerical Algorithms, §2; Goodfellow, Bengio &
    Courville 2016, Deep Learning, §8.2.4 and §10.11.1.
"""

from __future__ import annotations

import numpy as np

from dlprobe.analysis.profiles.row_verdict import nonfinite_layers
from dlprobe.registry import Value
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, Outcome, Passed, Remedy, fired, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register
from dlprobe.rules.suspects import calming

COUNTS = {"forward": "nonfinite_forward", "backward": "nonfinite_backward"}


def check(evidence: Evidence, settings: Settings) -> Outcome:
    recorded = [name for name in (*COUNTS.values(), "batch_loss") if evidence.run.is_recorded(name)]
    sides = {
        side: evidence.first_row(name, lambda counts: counts > 0)
        for side, name in COUNTS.items()
        if name in recorded
    }
    loss = (
        np.flatnonzero(~np.isfinite(evidence.scalar("batch_loss")))
        if "batch_loss" in recorded
        else np.empty(0)
    )
    rows = [
        row for row in (*sides.values(), int(loss[0]) if len(loss) else None) if row is not None
    ]
    if not rows and evidence.run.status == "diverged":
        return _update_overflowed(evidence)
    if not rows:
        evidence.require(*COUNTS.values(), "batch_loss")
        return Passed()
    row = min(rows)
    side = next((side for side in sides if sides[side] == row), "")
    return fired(_finding(evidence, row, side, settings["shown"]))


def _cure(evidence: Evidence) -> tuple[Remedy, ...]:
    return remedies(evidence, *calming(evidence), "clip")


def _finding(evidence: Evidence, row: int, side: str, shown: Value) -> Finding:
    step = int(evidence.steps[row])
    if not side:
        return Finding(
            float("inf"),
            0.0,
            f"the batch loss of step {step} is not finite",
            steps=(step,),
            remedies=_cure(evidence),
        )
    counts = evidence.row(f"nonfinite_{side}", row)
    order = nonfinite_layers(counts, side)
    first = order[0]
    evident = (
        f"nonfinite_{side} of step {step} counts {counts[first]:.0f} elements in "
        f"{evidence.names[first]}, the first layer of the {side} pass with any"
    )
    layers = tuple(evidence.names[index] for index in order[: int(shown)])
    return Finding(float(counts[first]), 0.0, evident, layers, (step,), _cure(evidence))


def _update_overflowed(evidence: Evidence) -> Outcome:
    step = int(evidence.steps[-1])
    evident = (
        f"the run ended as diverged after step {step}, whose recorded numbers are all finite: the "
        "update of the parameters left the range"
    )
    return one_finding(float("inf"), 0.0, evident, steps=(step,), remedies=_cure(evidence))


register(
    "N001",
    "non_finite",
    "error",
    __doc__,
    check,
    needs=("nonfinite_forward", "nonfinite_backward", "batch_loss"),
    thresholds=[
        Threshold(
            "shown", 4, "layers that a finding names", low=1, origin="choice: one line of output"
        )
    ],
    brings_about="L001 B001",
)
