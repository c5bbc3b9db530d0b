"""Statistics: what is recorded of every layer at every recorded step, one record each.

The order here is the order of columns in the engine and of data sets in the run file. Row t
describes step t before its update.
A new statistic is one line here and the line of the kernel that fills it (`nn/observe.py`); its
slow twin stands in `tests/slow_twins.py`.
"""

from __future__ import annotations

from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, register


@dataclass(frozen=True)
class Statistic:
    """One number per layer and recorded step. `summary` is its exact definition, `side` the
    pass that gives it.
    """

    name: str
    summary: str
    side: str
    units: str = "1"
    dims: tuple[str, ...] = ("step", "layer")
    use: str = ""
    parameters: tuple[Parameter, ...] = ()


def _statistic(name: str, side: str, summary: str, use: str = "") -> None:
    register("statistic", Statistic(name, summary, side, use=use))


_A = (
    "of the activation a (before dropout, after the residual sum; the output layer's after its "
    "output activation)"
)
_statistic("activation_mean", "forward", f"mean {_A}, pooled over batch × units")
_statistic("activation_variance", "forward", f"population variance {_A}, pooled over batch × units")
_statistic(
    "activation_sample_variance",
    "forward",
    f"variance over the batch of each unit {_A}, averaged over units; NaN for a batch of one",
    "Pooled variance hides collapse: sigmoid nets with Glorot weights keep .0147 pooled at "
    "every depth while this falls to 4e-7 by layer 5.",
)
_statistic("active_fraction", "forward", "share of elements with a > 0")
_statistic("preactivation_mean", "forward", "mean of z = a_prev W + b, pooled over batch × units")
_statistic(
    "preactivation_variance", "forward", "population variance of z, pooled over batch × units"
)
_statistic("preactivation_mean_square", "forward", "mean of z²: the q of mean-field theory")
_statistic("nonfinite_forward", "forward", "number of NaN or infinite elements in z or a")
_statistic(
    "error_signal_rms",
    "backward",
    "root mean square over samples and units of B·dL/dz, B the batch size: without batch norm "
    "each sample's own dℓ/dz",
    "The series that shows vanishing: it falls by orders of magnitude towards the input where "
    "the ratio of weight gradients stays at 1.",
)
_statistic(
    "slope_mean_square",
    "backward",
    "mean of the activation's squared slope: its own factor in the decay of the error signal; "
    "NaN for softmax",
)
_statistic(
    "flat_fraction",
    "backward",
    "share of elements whose slope is below 1 % of the activation's largest slope (saturated "
    "or off); NaN for softmax",
)
_statistic(
    "dead_fraction",
    "backward",
    "share of units with zero slope on the whole batch; NaN for softmax",
)
_statistic(
    "underflow_count",
    "backward",
    "exact zeros and subnormals of dL/da in rows where the next layer's error signal is not "
    "zero; NaN for the output layer",
)
_statistic("nonfinite_backward", "backward", "number of NaN or infinite elements in dL/dz or dL/dW")
_statistic(
    "gradient_rms",
    "gradient",
    "root mean square of dL/dW over the layer's weights, L the batch mean of the loss, before "
    "clipping, without penalty terms",
)
_statistic(
    "gradient_l2",
    "gradient",
    "Euclidean norm of dL/dW over the layer's weights, before clipping, without penalty terms",
)
_statistic(
    "gradient_mean_abs",
    "gradient",
    "mean of |dL/dW| over the layer's weights, before clipping, without penalty terms",
)
_statistic(
    "gradient_variance",
    "gradient",
    "population variance of dL/dW over the layer's weights, before clipping, without penalty terms",
)
_statistic(
    "gradient_sample_rms",
    "gradient",
    "root of the mean over samples of ‖dℓ_i/dW‖² divided by the number of weights; NaN with "
    "batch norm, where samples have no gradient of their own",
    "With gradient_l2 it gives the layer's gradient noise scale (McCandlish 2018).",
)
_statistic("weight_rms", "weight", "root mean square of W before the update")
_statistic("weight_l2", "weight", "Euclidean norm of W before the update")
_statistic("weight_max_abs", "weight", "largest |w| before the update")
_statistic(
    "bias_rms",
    "weight",
    "root mean square of the bias parameters before the update; NaN without bias",
)
_statistic(
    "zero_weight_fraction", "weight", "share of weights that are exactly 0 before the update"
)
_statistic("update_ratio", "weight", "‖ΔW‖₂/‖W‖₂ of the step just taken; NaN where W is zero")
_statistic(
    "clipped_gradient_l2",
    "gradient",
    "Euclidean norm of what the optimizer got for the layer's weights: the gradient of loss + "
    "penalty after clipping; gradient_l2 where there is neither",
)
