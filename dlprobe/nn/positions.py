"""What stands where in the small arrays that kernels share with each other, one list of names per
array.

Numba takes module-level integers for constants, so a name costs nothing. Columns of the layer
program are in `program`, those of statistics in `observe`, those of a Regulation in `regulation`.
"""

from __future__ import annotations

# `sums`, float64: what an optimizer's update adds up over the parameters it steps. G: gradient, W:
#     weight before the update,
# CHANGE: weight after − weight before. ZERO_WEIGHTS counts weights that are exactly 0.
(
    SUM_G,
    SUM_ABS_G,
    SUM_G_SQUARED,
    SUM_W_SQUARED,
    MAX_ABS_W,
    ZERO_WEIGHTS,
    SUM_CHANGE_SQUARED,
    UPDATE_SUMS,
) = range(8)

# `counter`, uint64: what random numbers depend on. TRAINING is 1 in training and 0 in evaluation,
#     which draws none.
SEED, LAYER, STEP, TRAINING, COUNTERS = range(5)

# `slopes`, float64: what an activation's backward kernel leaves. Σ slope² and the number of flat
#     elements over the batch;
# DEFINED is 1, or 0 of an activation without slopes of single elements, such as softmax.
SUM_SLOPE_SQUARED, FLAT_ELEMENTS, DEFINED, SLOPE_SUMS = range(4)

# `place`, int64: which of the three delta buffers holds dL/da of the layer that is next on the way
#     back.
DELTA, PLACES = range(2)

MOST_COEFFICIENTS = 16  # the length of `coefficients`, whose order is each optimizer's own
