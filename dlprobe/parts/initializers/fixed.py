"""Initializers of one value or of one fixed distribution, and uniform weights on ±1/√fan_in."""

from __future__ import annotations

import math

import numpy as np

from dlprobe.parts.initializers import add_initializer, draw_normal, draw_truncated, draw_uniform
from dlprobe.registry import Parameter

add_initializer(
    name="zeros",
    summary="all weights zero",
    formula="w = 0",
    weights=lambda rng, fan_in, fan_out: np.zeros((fan_in, fan_out)),
    variance=lambda fan_in, fan_out: 0.0,
    source="none needed",
    use="Biases; showing what symmetry does.",
    traps="Units of a layer stay identical for ever, and no gradient passes.",
)
add_initializer(
    name="ones",
    summary="all weights one",
    formula="w = 1",
    weights=lambda rng, fan_in, fan_out: np.ones((fan_in, fan_out)),
    variance=lambda fan_in, fan_out: 0.0,
    source="none needed",
    use="Showing what symmetry does.",
    traps=(
        "Units of a layer stay identical for ever, and preactivations grow by fan_in per layer."
    ),
)
add_initializer(
    name="constant",
    summary="all weights the same",
    formula="w = value",
    weights=lambda rng, fan_in, fan_out, value: np.full((fan_in, fan_out), float(value)),
    variance=lambda fan_in, fan_out, value: 0.0,
    source="none needed",
    parameters=(Parameter("value", 0.01, "the value of every weight"),),
    use="Biases: small positive ones let ReLU units start alive. Showing what symmetry does.",
    traps="Units of a layer stay identical for ever.",
)
add_initializer(
    name="normal",
    summary="normal weights of a fixed standard deviation",
    formula="w ~ N(0, std²)",
    weights=lambda rng, fan_in, fan_out, std: draw_normal(rng, (fan_in, fan_out), std),
    variance=lambda fan_in, fan_out, std: std * std,
    source="the usual choice before Glorot & Bengio 2010",
    parameters=(Parameter("std", 1.0, "standard deviation", low=0.0),),
    use="Showing what one deviation does at many widths; N(0, 1) is what lectures start from.",
    traps="The same std means another network at every width.",
)
add_initializer(
    name="uniform",
    summary="uniform weights between fixed bounds",
    formula="w ~ U(−bound, bound)",
    weights=lambda rng, fan_in, fan_out, bound: draw_uniform(rng, (fan_in, fan_out), bound),
    variance=lambda fan_in, fan_out, bound: bound * bound / 3.0,
    source="none needed",
    parameters=(Parameter("bound", 0.05, "largest |w|", low=0.0),),
    use="Starting as Keras's RandomUniform does (±.05).",
    traps="The same bound means another network at every width.",
)
add_initializer(
    name="truncated_normal",
    summary="normal weights of a fixed standard deviation, cut at two deviations",
    formula="w ~ N(0, (std/.8796)²) cut at 2·std/.8796, so that the standard deviation is std",
    weights=lambda rng, fan_in, fan_out, std: draw_truncated(rng, (fan_in, fan_out), std),
    variance=lambda fan_in, fan_out, std: std * std,
    source="Keras, VarianceScaling (truncated_normal)",
    parameters=(Parameter("std", 0.05, "standard deviation after cutting", low=0.0),),
    use="Weights of a fixed deviation without outliers.",
    traps="The same std means another network at every width. Keras's TruncatedNormal(stddev) cuts "
    "a normal of that deviation, which leaves .8796 of it: give that here.",
)
add_initializer(
    name="scaled_uniform",
    summary="uniform weights on ±1/√fan_in, zero biases",
    formula="w ~ U(−1/√fan_in, 1/√fan_in)",
    weights=lambda rng, fan_in, fan_out: draw_uniform(
        rng, (fan_in, fan_out), 1.0 / math.sqrt(fan_in)
    ),
    variance=lambda fan_in, fan_out: 1.0 / (3.0 * fan_in),
    source="Glorot & Bengio 2010, §2.3, eq. 1 (the standard initialization they compare with)",
    use="Comparing with the standard initialization of Glorot & Bengio's figures.",
    traps="A third of LeCun's variance: deep nets vanish.",
)
