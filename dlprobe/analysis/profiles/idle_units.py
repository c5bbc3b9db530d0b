"""Units that pass on nothing: dead ones, whose slope is zero on every sample, and saturated
elements of activations that are flat on both sides.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.config import parse_spec
from dlprobe.errors import ConfigError
from dlprobe.runs import Run

Floats: TypeAlias = npt.NDArray[np.float64]
FAR = 50.0  # where an activation that flattens has done so


def dead_units(run: Run) -> Floats:
    """(layer,): share of the units with slope zero, on the whole training part at the last
    evaluation, else on the last recorded batch; NaN where not known.
    """
    evaluated = run.evaluation_layers.get("dead_fraction")
    if evaluated is not None and len(evaluated):
        return np.asarray(evaluated[-1], np.float64)
    return (
        run.row(-1)["dead_fraction"] if len(run.steps) else np.full(len(run.layers.names), np.nan)
    )


def saturated_units(run: Run) -> Floats:
    """(layer,): share of the elements that are flat at the last step; NaN where the
    activation has a side that is not flat, or nothing was recorded.
    """
    flat = (
        np.array(run.row(-1)["flat_fraction"])
        if len(run.steps)
        else np.full(len(run.layers.names), np.nan)
    )
    flat[[not flat_at_both_ends(layer.activation or "") for layer in run.layer_facts]] = np.nan
    return flat


def flat_at_both_ends(text: str) -> bool:
    """Whether an activation's slope dies out on both sides.

    >>> flat_at_both_ends("tanh"), flat_at_both_ends("relu"), flat_at_both_ends("unheard of")
    (True, False, False)
    """
    try:
        spec = parse_spec("activation", text)
        value, slope, values = spec.record.value, spec.record.slope, list(spec.parameters.values())
        ends = [abs(float(slope(z, value(z, *values), *values))) for z in (-FAR, FAR)]
    # written by a dlprobe that knows more, or an activation of whole rows
    except (ConfigError, AttributeError, TypeError, ArithmeticError):
        return False
    return all(math.isfinite(end) and end < 0.01 for end in ends)
