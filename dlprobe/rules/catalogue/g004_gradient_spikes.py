"""The gradient norm has spikes far above its usual size.

What it looks for: a heavy tail of gradient_norm: its 99th percentile lies many times above its
median.

Why it hurts: single steps undo what hundreds have learned. Adaptive optimizers remember a spike and
slow down for as long as their averages last.

How it is measured: gradient_norm of the recorded steps after the first tenth, in windows of a
tenth, so that a norm that falls as the run converges is no tail: the median over the windows of
their 99th percentile over their median. Severity info: a tail alone harms no run that we measured.

When it stays silent: a run that learned well is not accused; below a hundred updates or ten passes
it is not evaluated; with fewer than 100 recorded rows neither.

What to try: clipping the global norm at a few times its median, which binds on the spikes only; a
larger batch; a smaller rate.

References: Pascanu, Mikolov & Bengio 2013; Zhang, He, Sra & Jadbabaie 2020, Why gradient clipping
    accelerates training.
"""

from __future__ import annotations

import numpy as np

from dlprobe.registry import counted
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, Passed, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

ROWS = 100


def check(evidence: Evidence, settings: Settings) -> Outcome:
    if evidence.require_time().well:
        return Passed()
    norm = evidence.scalar("gradient_norm")[len(evidence.steps) // 10 :]
    if len(norm) < ROWS:
        raise NotEvaluableError(
            f"too few steps: {counted(len(norm), 'row')} after the first tenth were recorded, "
            f"{ROWS} are needed"
        )
    tails = [_tail(window) for window in np.array_split(norm, 9)]
    tail = float(np.median([tail for tail in tails if np.isfinite(tail)] or [1.0]))
    if tail <= settings["tail"]:
        return Passed()
    evident = (
        "in windows of a tenth of the rows, the 99th percentile of gradient_norm is typically "
        f"{tail:.3g} times its median"
    )
    return one_finding(
        tail,
        settings["tail"],
        evident,
        steps=evidence.span,
        remedies=remedies(evidence, "clip", "larger_batch", "lower_rate"),
    )


def _tail(window: np.ndarray) -> float:
    middle, high = (
        np.percentile(window[np.isfinite(window)], [50, 99])
        if np.isfinite(window).any()
        else (0.0, 0.0)
    )
    return float(high / middle) if middle > 0 else float("nan")


register(
    "G004",
    "gradient_spikes",
    "info",
    __doc__,
    check,
    needs=("gradient_norm", "train_loss"),
    thresholds=[
        Threshold(
            "tail",
            10.0,
            "99th percentile of the norm over its median",
            low=1.0,
            origin="choice: an order of magnitude",
        )
    ],
    brings_about="L003",
)
