"""Instruments: what is measured at a cadence of steps, not at every step, one record each. Row
t describes step t before its update, on that step's batch.
"""

from __future__ import annotations

from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, register, registrar

MEASURED = ("preactivation", "activation", "weight", "gradient")
PERCENTS = (5.0, 15.0, 50.0, 85.0, 95.0)
BINS = 40


@dataclass(frozen=True)
class Instrument:
    """What is known of an instrument.

    `place` is its path in the run file (empty: made from other recorded numbers when it is asked
    for), `dims` name its axes, `asked` says how it is switched on and `shown` what prints it. `of`
    lists what is measured where that is several things, `percents` the percentiles taken.
    """

    name: str
    summary: str
    place: str
    dims: tuple[str, ...]
    asked: str
    shown: str
    units: str = "1"
    of: tuple[str, ...] = ()
    percents: tuple[float, ...] = ()
    use: str = ""
    traps: str = ""
    source: str = ""
    parameters: tuple[Parameter, ...] = ()


add_instrument = registrar("instrument", Instrument)


_CADENCE = "histogram_every: about 20 times a run by default"
_SHOW = "dlprobe inspect RUN --statistic {}"


def _per_layer(name: str, summary: str, use: str, source: str = "", traps: str = "") -> None:
    shown = _SHOW.format(name)
    add_instrument(
        name,
        summary,
        f"instruments/{name}",
        ("histogram", "layer"),
        _CADENCE,
        shown,
        use=use,
        traps=traps,
        source=source,
    )


def _on_request(
    name: str, option: str, summary: str, use: str, source: str, traps: str = ""
) -> None:
    asked = f"{option} N; measured as often as histogram_every says"
    record = Instrument(
        name,
        summary,
        f"instruments/{name}",
        ("histogram",),
        asked,
        _SHOW.format(name),
        use=use,
        traps=traps,
        source=source,
    )
    register("instrument", record)


add_instrument(
    "histogram",
    f"{BINS} bins of equal width from the smallest to the largest finite value of a "
    f"layer's {', '.join(MEASURED)}; non-finite values are counted apart",
    "histograms",
    ("histogram", "layer", "bin"),
    _CADENCE,
    "dlprobe inspect RUN --statistic weight_histogram",
    of=MEASURED,
    use="Shapes that mean and variance hide: saturation at both ends, dead peaks at 0, two "
    "humps, tails.",
    traps="The gradient is that of the batch's mean data loss, before clipping and without "
    "penalty terms. Biases are not among the weights.",
)
add_instrument(
    "percentiles",
    f"percentiles {', '.join(f'{percent:g}' for percent in PERCENTS)} of the finite "
    f"values of a layer's {', '.join(MEASURED)}, interpolated linearly",
    "histograms",
    ("histogram", "layer", "percentile"),
    _CADENCE,
    "dlprobe inspect RUN --statistic weight_histogram --layers hidden_1",
    of=MEASURED,
    percents=PERCENTS,
    use="15 and 85 are one standard deviation from the median of a normal distribution; their "
    "drift is the shift of a layer's input distribution.",
)
add_instrument(
    "unit_percentiles",
    "percentiles of the preactivation of single units over the batch, as training goes on",
    "tracked/percentiles",
    ("tracked", "unit", "percentile"),
    "--track-unit LAYER:UNIT (units count from 0), as often as track_every says: about "
    "200 times a run by default",
    "dlprobe inspect RUN --statistic unit_percentiles",
    percents=PERCENTS,
    use="The textbook picture of a shifting input distribution, with and without batch norm.",
    traps="Percentiles of a batch of 32 are rough: train with a larger batch for a smooth picture.",
    source="Ioffe & Szegedy 2015, Batch normalization, figure 1 b and c (there 15, 50, 85)",
)
_per_layer(
    "weight_spectral_norm",
    "largest singular value of W before the update",
    "How much the layer can stretch a vector at most; its growth precedes many divergences.",
    traps="The product over the layers is an upper bound of the net's gain that is orders of "
    "magnitude too high: see jacobian_log_variance for what happens.",
)
_per_layer(
    "activation_effective_rank",
    "participation ratio (Σλ)²/Σλ² of the eigenvalues λ of the activations' covariance over "
    "the batch; NaN where nothing varies",
    "How many directions a layer's output uses; at most batch − 1 and at most the units. "
    "Falls towards 1 with depth where samples are drawn together.",
)
_per_layer(
    "activation_cosine",
    "mean cosine between the activations of two different samples of the batch; samples whose "
    "activations are all 0 are left out",
    "Rank collapse: ReLU with He weights drives it to 1 with depth, though the variance looks "
    "perfect.",
    source="Cho & Saul 2009, Kernel methods for deep learning (the map of angles); theory's c = 1 "
    "fixed point",
)
add_instrument(
    "gradient_noise_scale",
    "tr Σ/|G|² of a layer's weight gradient: unbiased estimates from gradient_sample_rms "
    "and gradient_l2 of each batch, averaged over a stretch of steps",
    "",
    ("step", "layer"),
    "always there: made from two statistics of every recorded step",
    _SHOW.format("gradient_noise_scale"),
    units="samples",
    use="The batch size at which noise and signal of the gradient are equal: much larger "
    "batches waste samples.",
    traps="NaN with batch norm (samples have no gradient of their own), for a batch of one, and "
    "where |G|² cannot be told from 0.",
    source="McCandlish, Kaplan & Amodei 2018, An empirical model of large-batch training, "
    "appendix A.1",
)
_JACOBIAN = (
    "the Jacobian of the output layer's preactivation in the net's input, evaluation mode, "
    "averaged over N training samples"
)
_on_request(
    "jacobian_log_mean",
    "--jacobian",
    f"mean of ln σ over the singular values σ > 0 of {_JACOBIAN}",
    "How much the whole net stretches on average.",
    "Pennington, Schoenholz & Ganguli 2017, Resurrecting the sigmoid in deep learning through "
    "dynamical isometry",
)
_on_request(
    "jacobian_log_variance",
    "--jacobian",
    f"variance of ln σ over the singular values σ > 0 of {_JACOBIAN}",
    "0 is dynamical isometry: all directions are stretched alike. It grows with depth for "
    "Gaussian weights and stays small for orthogonal ones.",
    "Pennington, Schoenholz & Ganguli 2017, Resurrecting the sigmoid in deep learning through "
    "dynamical isometry",
    traps="Singular values that are 0 to rounding have no logarithm; jacobian_zero_fraction "
    "counts them.",
)
_on_request(
    "jacobian_zero_fraction",
    "--jacobian",
    f"share of singular values that are 0 to rounding of {_JACOBIAN}",
    "Directions of the output that no input moves: dead units, saturated layers.",
    "Pennington, Schoenholz & Ganguli 2017, Resurrecting the sigmoid in deep learning through "
    "dynamical isometry",
)
_on_request(
    "sharpness",
    "--sharpness",
    "largest eigenvalue of the Hessian of the data loss in all parameters, on N fixed "
    "training samples in one batch",
    "Gradient descent is stable while it is below 2/learning rate, and training drives it "
    "there: the edge of stability.",
    "Cohen, Kaur, Li, Kolter & Talwalkar 2021, Gradient descent on neural networks typically "
    "occurs at the edge of stability",
    traps="From differences of gradients: about 1 % off in float32, 1e-4 in float64; across the "
    "kinks of ReLU it is a mean over the step of the difference.",
)
