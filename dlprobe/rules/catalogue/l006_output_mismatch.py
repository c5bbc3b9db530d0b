"""The output cannot say what the target asks for.

What it looks for: pairs of output activation, loss and target that cannot fit: softmax with one
unit; a bounded output, or a loss for classes, on numbers outside its range; an output that is no
probability under cross-entropy.

Why it hurts: softmax of one number is 1 whatever the net does. A sigmoid never says 7. A linear or
ReLU output under cross-entropy is clipped to where the loss has no slope. A loss that has softmax
inside, as PyTorch's CrossEntropyLoss, gets probabilities for numbers and never sees a sure answer.
The net trains, and cannot learn.

How it is measured: what a loss requires of the outputs (shares of all classes that sum to 1,
probabilities, signs, numbers) and what an output activation can give stand in their records and are
compared; for regression, also with the stored targets of validation and test part, scaled as they
were for training, or where none are stored with mean and deviation of the training part's.

When it stays silent: a run that learned well gets an info at most; regression with bounded output
is not judged where neither targets nor their moments were stored.

What to try: output-activation auto and loss auto: softmax with cross-entropy for classes, sigmoid
with binary cross-entropy for two, linear with mean squared error for numbers.

References: Bishop 2006, Pattern Recognition and Machine Learning, §5.2; Wardat et al. 2021,
    DeepLocalize; PyTorch's CrossEntropyLoss means softmax and cross-entropy together.
"""

from __future__ import annotations

import numpy as np

from dlprobe.analysis.learning.learned import WELL
from dlprobe.config import parse_spec
from dlprobe.errors import ConfigError
from dlprobe.parts.losses import Loss
from dlprobe.rules.evidence import Evidence, Floats
from dlprobe.rules.outcome import Finding, NotEvaluableError, Outcome, Passed, fired
from dlprobe.rules.program_faults import applied_twice
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

ROUNDING = 1e-6  # of the mean of standardized targets, which is 0


def check(evidence: Evidence, settings: Settings) -> Outcome:
    output = str(evidence.layer_fact("activation", -1))
    twice = applied_twice(evidence, output)
    if twice is None and "task" not in evidence.run.data:
        raise NotEvaluableError("the file does not say the task")
    said: tuple[float, str] | None
    if twice is None:
        task, loss = str(evidence.run.data["task"]), str(evidence.fact("loss")).partition("(")[0]
        limit = settings["outside"]
        said = _mismatch(evidence, output.partition("(")[0], output, task, loss, limit)
    else:
        said = float("nan"), twice[0]
    if said is None:
        return Passed()
    measured, evident = said
    severity = "info" if evidence.spared else ""
    finding = Finding(
        measured,
        settings["outside"],
        evident,
        (evidence.names[-1],),
        (),
        remedies(evidence, "outputs") if twice is None else twice[1],
        severity=severity,  # type: ignore[arg-type]
    )
    return fired(finding)


def _mismatch(
    evidence: Evidence, name: str, output: str, task: str, loss: str, limit: float
) -> tuple[float, str] | None:
    """What does not fit, and its number (NaN where it is none); None where all fits."""
    if name == "softmax" and evidence.layer_fact("units", -1) == 1:
        return float("nan"), "the output is softmax of one unit, which is 1 for every sample"
    if task == "regression":
        return _regression(evidence, output, loss, limit)
    record = _loss(loss)
    if record is None:
        return None
    low, high = bounds(output)
    unmet = record.unmet(low, high, _sums_to_one(output), task)
    if unmet:
        return (
            float("nan"),
            f"{unmet}; the output activation {output} gives values from {low:g} to {high:g}",
        )
    return None


def _loss(loss: str) -> Loss | None:
    """The record of a loss of classes, cross-entropy for `auto`; None for one that is not known."""
    try:
        record: Loss = parse_spec(
            "loss", "cross_entropy" if loss in ("auto", "None", "") else loss
        ).record
    except ConfigError:
        return None
    return record


def _sums_to_one(output: str) -> bool:
    try:
        return bool(parse_spec("activation", output).record.sums_to_one)
    except ConfigError:
        return True


def _regression(
    evidence: Evidence, output: str, loss: str, limit: float
) -> tuple[float, str] | None:
    taken = _taken(loss)
    if taken is None:
        return float("nan"), f"the loss {loss} is for classes, the targets are numbers"
    limits = bounds(output)
    low, high = max(limits[0], taken[0]), min(limits[1], taken[1])
    trained_targets = [
        _trained(evidence, evidence.run.predictions[f"{part}_targets"])
        for part in ("val", "test")
        if f"{part}_targets" in evidence.run.predictions
    ]
    if np.isinf(low) and np.isinf(high):
        return None
    who = (
        f"what the output activation {output} can give"
        if (low, high) == limits
        else f"what the output activation {output} can give and the loss {loss} take"
    )
    if not trained_targets:
        return _mean_outside(evidence, low, high, who) or _too_spread(evidence, low, high, who)
    scaled = " as they are trained" if evidence.run.targets_scaled else ""
    targets = np.concatenate(trained_targets)
    outside = float(np.mean((targets < low) | (targets > high)))
    if outside <= limit:
        return None
    return (
        outside,
        (
            f"{outside:.0%} of the targets of validation and test part{scaled} lie outside "
            f"{low:g} … {high:g}, {who}"
        ),
    )


def _mean_outside(
    evidence: Evidence, low: float, high: float, who: str
) -> tuple[float, str] | None:
    """Where only the mean of the targets is stored: a net that cannot give even that."""
    means = _trained(evidence, np.atleast_2d(evidence.run.data.get("target_mean", np.zeros(0))))
    outside = means[(means < low - ROUNDING) | (means > high + ROUNDING)]
    if not len(outside):
        return None
    return float("nan"), (
        f"the mean of the training part's targets is {outside[0]:.3g}, outside {low:g} … {high:g}, "
        f"{who}"
    )


def _too_spread(evidence: Evidence, low: float, high: float, who: str) -> tuple[float, str] | None:
    """Where only mean m and deviation s of the targets are stored: outputs that are nowhere further
    than a from m leave an RMS error of s − a at least, and so R² 1 − (1 − a/s)² at most.
    """
    data = evidence.run.data
    means = _trained(evidence, np.atleast_2d(data.get("target_mean", np.zeros(0))))
    spreads = np.ravel(data.get("target_std", 0.0) * np.abs(data.get("target_scale", 1.0)))
    furthest = np.maximum(high - means, means - low)
    for mean, spread, most in zip(means, spreads, furthest, strict=False):
        ceiling = 1.0 - max(1.0 - most / spread, 0.0) ** 2 if spread > 0.0 else 1.0
        if ceiling < WELL:
            return float("nan"), (
                f"the training part's targets of {mean:.3g} ± {spread:.3g} allow R² {ceiling:.2f} "
                f"at most within {low:g} … {high:g}, {who}"
            )
    return None


def _trained(evidence: Evidence, targets: Floats) -> Floats:
    """Stored targets (samples, outputs) as they were trained, flat."""
    data = evidence.run.data
    scaled: Floats = (targets.reshape(len(targets), -1) - data.get("target_shift", 0.0)) * data.get(
        "target_scale", 1.0
    )
    return scaled.ravel()


def _taken(loss: str) -> tuple[float, float] | None:
    """The numbers that a loss can take; None for a loss of classes, everything for one that is
    not known.
    """
    try:
        taken: tuple[float, float] | None = parse_spec(
            "loss", "mse" if loss in ("auto", "None", "") else loss
        ).record.target_range
    except ConfigError:
        return -np.inf, np.inf
    return taken


def bounds(text: str) -> tuple[float, float]:
    """Smallest and largest value of an activation; infinite where it has none, or is not known."""
    try:
        spec = parse_spec("activation", text)
        low, high = spec.record.output_range(*spec.parameters.values())
    except (ConfigError, AttributeError, TypeError):
        return -np.inf, np.inf
    return float(low), float(high)


register(
    "L006",
    "output_mismatch",
    "error",
    __doc__,
    check,
    needs=("activation", "units", "task", "config", "train_loss"),
    thresholds=[
        Threshold(
            "outside",
            0.05,
            "share of targets out of reach",
            low=0.0,
            high=1.0,
            origin="choice: one in twenty may be an outlier",
        )
    ],
    brings_about="L005 A001 G005 G002 W004 L001 L002 L004 B001",
)
