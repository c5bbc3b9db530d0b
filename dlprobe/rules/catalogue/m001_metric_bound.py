"""A number that the run ends with is outside the bound that was asked for.

What it looks for: final losses, errors and other metrics that break a bound of `--gate`, for
example `val_error<=5%`, `test_accuracy>=.95` or `r2>=.9` (the validation part, where none is
named).

Why it hurts: comparing with a baseline lets a result get worse by a little every time; a bound in
absolute terms is what the user of the network needs.

How it is measured: the number in `final` is compared with the bound as it is given; of repetitions
each run has to keep it. For errors the
Wilson interval of the share is said too: with few samples a bound near it is kept or broken by
luck.

When it stays silent: every bound is kept. Judged only where a bound is given; not evaluated where
the run has no such number, or a bound makes no sense for it (an error share above 1, percent of a
regression's error), unless another bound is broken.

What to try: a bound outside the interval that the evidence names, more validation samples, or what
the other findings advise; dlprobe check
RUN --gate "val_error<=5%" --format json shows the numbers.

References: ours; the interval is that of Wilson 1927, J. Am. Stat. Assoc. 22:209.
"""

from __future__ import annotations

import math

from dlprobe.analysis.comparing.bounds import (
    ERRORS,
    EXAMPLE,
    Bound,
    bounds_of,
    refused,
    with_accuracy,
)
from dlprobe.analysis.proportions import wilson
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, Passed, fired
from dlprobe.rules.rule import Settings, Threshold, register


def check(evidence: Evidence, settings: Settings) -> Outcome:
    bounds = bounds_of(str(settings["bounds"]))
    if not bounds:
        raise NotEvaluableError(f'no bound was given: add --gate "{EXAMPLE}"')
    classes = evidence.run.data.get("task") == "classification"
    final = with_accuracy(evidence.run.final) if classes else evidence.run.final
    reasons = [reason for bound in bounds if (reason := refused(bound, final, classes))]
    told = [
        (bound, float(final[bound.metric]))
        for bound in bounds
        if not refused(bound, final, classes)
    ]
    broken = [_finding(evidence, bound, value) for bound, value in told if not bound.held(value)]
    if reasons and not broken:
        raise NotEvaluableError("; ".join(reasons))
    if broken:
        return fired(*broken)
    return Passed(
        "; ".join(f"{_measured(evidence, bound, value)}, within {bound}" for bound, value in told)
    )


def _finding(evidence: Evidence, bound: Bound, value: float) -> Finding:
    return Finding(
        value, bound.limit, f"{_measured(evidence, bound, value)}, the gate asks for {bound}"
    )


def _measured(evidence: Evidence, bound: Bound, value: float) -> str:
    if not math.isfinite(value):
        return f"{bound.metric} is no number ({evidence.run.status})"
    samples = len(evidence.run.data.get(f"{bound.metric.partition('_')[0]}_indices", ()))
    if (
        bound.metric not in ERRORS
        or not samples
        or evidence.run.data.get("task") != "classification"
    ):
        return f"{bound.metric} is {bound.number(value)}"
    wrong = round(value * samples)
    low, high = wilson(wrong, samples)
    return (
        f"{bound.metric} is {bound.number(value)} ({wrong:,} of {samples:,}, 95 % interval "
        f"{100 * low:.3g} to {100 * high:.3g} %)"
    )


register(
    "M001",
    "metric_bound",
    "error",
    __doc__,
    check,
    needs=("val_error", "val_loss"),
    thresholds=[
        Threshold(
            "bounds",
            "",
            "bounds, with semicolons between",
            origin="given by --gate: there is none by default",
        )
    ],
    symptom=True,
    on_request=True,
)
