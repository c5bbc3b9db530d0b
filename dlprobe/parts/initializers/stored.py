"""The initializer that reads its arrays from a file."""

from __future__ import annotations

import math

import numpy as np

from dlprobe.parts.initializers import add_initializer
from dlprobe.registry import Parameter

add_initializer(
    name="file",
    summary="your own arrays from an .npz file, one for each layer",
    formula="W = <layer>_weights (fan_in, fan_out), b = <layer>_bias (fan_out,), e.g. "
    "hidden_1_weights, output_bias",
    weights=lambda rng, fan_in, fan_out, path, sha256: np.zeros((fan_in, fan_out)),
    variance=lambda fan_in, fan_out, path, sha256: math.nan,
    from_file=True,
    source="none needed",
    parameters=(
        Parameter(
            "path",
            "",
            "the .npz file, made with np.savez(path, hidden_1_weights=…, hidden_1_bias=…, "
            "…, output_weights=…)",
        ),
        Parameter(
            "sha256",
            "",
            "first digits of the file's SHA-256, checked when given; a run file records "
            "them, so that a repeat sees the same arrays",
        ),
    ),
    use="Starting two programs from the same numbers; weights of another framework; as "
    "bias_init, biases only.",
    traps="PyTorch stores (fan_out, fan_in): transpose. Every layer needs its weights; a bias "
    "that the file does not hold starts at 0, norms at 1 and 0.",
)
