"""Units of a layer are copies of each other.

What it looks for: hidden layers in which all units have the same incoming weights at the start, and
still at the end or, of a run that did not learn, told apart by nothing but noise such as dropout.

Why it hurts: units with the same weights compute the same thing, get the same gradient and stay the
same for ever: a layer of 100 of them is a layer of one. With weights of 0, ReLU and tanh layers
have no gradient at all.

How it is measured: the columns of W in the first and in the last stored parameters (of a run that
did not learn in the first alone): the share of units of a layer whose column equals the first
unit's to 1e-6 of the largest weight. Of a run of another program: activation_variance is
activation_sample_variance to 1e-6, so that all units of a layer have one mean, or all its weights
are 0.

When it stays silent: units that differ at the start; a net with one unit per layer. A run that
learned well anyway, as a nearly linear problem lets it, gets an info.

What to try: an initializer that draws weights at random; constants are for biases.

References: Rumelhart, Hinton & Williams 1986, Learning internal representations by error
    propagation (symmetry breaking); Goodfellow et al. 2016, §8.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.record.description import OWN
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError, Outcome, fired, one_finding
from dlprobe.rules.remedies import remedies
from dlprobe.rules.rule import Settings, Threshold, register

# relative, of a variance in float32; of drawn weights units' means are some percent of it apart
ROUNDING = 1e-6
WIDENED = 2**20  # weights that are taken as float64 at a time


def check(evidence: Evidence, settings: Settings) -> Outcome:
    hidden = evidence.require_hidden()
    first, last = evidence.run.initial_parameters, evidence.run.final_parameters
    if first is None or last is None or not len(evidence.run.checkpoint_steps):
        if evidence.run.origin == OWN:
            raise NotEvaluableError("no parameters were stored")
        return _by_activations(evidence, settings["share"])
    begun, ended = (
        [alike(_weights(evidence, parameters, index)) for index in hidden]
        for parameters in (first, last)
    )
    shares = [
        min(one, other if evidence.spared else 1.0) for one, other in zip(begun, ended, strict=True)
    ]
    touched = [
        index for index, share in zip(hidden, shares, strict=True) if share >= settings["share"]
    ]
    if not touched:
        return fired()
    names = tuple(evidence.names[index] for index in touched)
    worst = hidden[int(np.argmax(shares))]
    still = ended[hidden.index(worst)]
    evident = (
        f"{max(shares):.0%} of the units of {evidence.names[worst]} have the same incoming "
        "weights in the first stored parameters"
    )
    evident += (
        " and in the last"
        if still >= settings["share"]
        else f", {still:.0%} in the last: noise alone told them apart"
    )
    steps = (0, int(evidence.run.checkpoint_steps[-1]))
    severity = "info" if evidence.well else ""
    return one_finding(
        max(shares),
        settings["share"],
        evident,
        names,
        steps,
        remedies(evidence, "init"),
        severity=severity,
    )


def _by_activations(evidence: Evidence, share: float) -> Outcome:
    """Without parameters: units that are all alike have one mean, so all of a layer's
    activation variance is that of its samples; 0 in all of it is no net.
    """
    evidence.require("activation_variance", "activation_sample_variance", "weight_rms")
    hidden, alike_at = evidence.hidden, []
    for row in (0, -1):
        whole, within = (
            evidence.row(name, row)[hidden].astype(np.float64)
            for name in ("activation_variance", "activation_sample_variance")
        )
        with np.errstate(all="ignore"):
            alike_at.append(
                np.where(
                    whole > 0,
                    np.abs(whole - within) <= ROUNDING * whole,
                    evidence.row("weight_rms", row)[hidden] == 0,
                )
            )
    touched = [
        index
        for index, same in zip(
            hidden, alike_at[0] & (alike_at[1] if evidence.spared else True), strict=True
        )
        if same and (evidence.layers[index].units or 1) > 1
    ]
    if not touched:
        return fired()
    names = tuple(evidence.names[index] for index in touched)
    evident = (
        f"all units of {names[0]} have the same mean activation at step {evidence.steps[0]}, to "
        "float32's rounding, as units of equal weights have"
    )
    severity = "info" if evidence.well else ""
    return one_finding(
        1.0, share, evident, names, evidence.span, remedies(evidence, "init"), severity=severity
    )


def alike(weights: npt.NDArray[Any]) -> float:
    """Share of the columns 2 … fan_out of W (fan_in, fan_out) that equal column 1 to 1e-6 of the
    largest |weight|; 0 for fewer than two columns. Differences are taken in float64, some rows at a
    time.
    """
    if weights.shape[1] < 2:
        return 0.0
    largest, apart = np.zeros(()), np.zeros(weights.shape[1])
    rows = max(1, WIDENED // weights.shape[1])
    for first in range(0, len(weights), rows):
        some = weights[first : first + rows].astype(np.float64)
        largest = np.maximum(largest, np.abs(some).max())
        apart = np.maximum(apart, np.abs(some - some[:, :1]).max(axis=0))
    return float((apart <= ROUNDING * largest)[1:].mean())


def _weights(evidence: Evidence, parameters: npt.NDArray[Any], index: int) -> npt.NDArray[Any]:
    start, rows, columns = (
        int(evidence.layer_fact(name, index)) for name in ("weight_offset", "fan_in", "fan_out")
    )
    if start < 0 or start + rows * columns > len(parameters):
        return np.empty((0, 0))
    return parameters[start : start + rows * columns].reshape(rows, columns)


register(
    "W001",
    "symmetric_weights",
    "error",
    __doc__,
    check,
    needs=("initial/parameters", "checkpoints/parameters", "weight_offset"),
    thresholds=[
        Threshold(
            "share",
            0.99,
            "share of a layer's units that are alike",
            low=0.0,
            high=1.0,
            origin="definition: all of them",
        )
    ],
    brings_about="W002 A001 A003 A006 G001 G005 N002 W004 L001 L004 B001",
)
