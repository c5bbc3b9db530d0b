"""Initializers: one record each.

`weights(rng, fan_in, fan_out, *parameters)` draws a matrix (fan_in, fan_out) in float64;
`variance(fan_in, fan_out, *parameters)` is what theory uses: the mean square of independent weights
around 0, NaN where they are not that or no formula tells it.
`biases(rng, fan_in, fan_out, *parameters)` is given only where the initializer is defined to draw
them; otherwise they start at 0.
`data_dependent` initializers are finished by the engine on a first batch; `from_file` ones take
their arrays from the file at `path`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, registrar

Matrix = npt.NDArray[np.float64]
Draw = Callable[..., Matrix]


@dataclass(frozen=True)
class Initializer:
    """What is known of an initializer. `variance` and `bias_variance` are those of one weight
    and one bias parameter; `also_called`: elsewhere.
    """

    name: str
    summary: str
    formula: str
    weights: Draw
    variance: Callable[..., float]
    source: str
    biases: Draw | None = None
    bias_variance: Callable[..., float] = lambda *_: 0.0
    data_dependent: bool = False
    from_file: bool = False
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""
    also_called: tuple[str, ...] = ()


add_initializer = registrar("initializer", Initializer)


# std of a standard normal cut at ±2; drawing at σ/this and cutting at 2 of that gives std σ
# (Keras's VarianceScaling)
TRUNCATED_STD = 0.8796256610342398


def draw_normal(rng: np.random.Generator, shape: tuple[int, ...], std: float) -> Matrix:
    drawn = rng.standard_normal(shape)
    drawn *= std  # in place: a large matrix is drawn in twice the memory of its float32
    return drawn


def draw_uniform(rng: np.random.Generator, shape: tuple[int, ...], bound: float) -> Matrix:
    return rng.uniform(-bound, bound, shape)


def draw_truncated(rng: np.random.Generator, shape: tuple[int, ...], std: float) -> Matrix:
    """Normal numbers cut at two deviations, by drawing again what falls outside."""
    drawn = rng.standard_normal(shape)
    while (outside := np.abs(drawn) > 2.0).any():
        drawn[outside] = rng.standard_normal(int(outside.sum()))
    return drawn * (std / TRUNCATED_STD)


# distribution -> how it is drawn from a generator, a shape and a variance, and what formulas add to
# the variance
_DISTRIBUTIONS: dict[
    str, tuple[Callable[[np.random.Generator, tuple[int, ...], float], Matrix], str]
] = {
    "normal": (lambda rng, shape, variance: draw_normal(rng, shape, math.sqrt(variance)), ""),
    "uniform": (
        lambda rng, shape, variance: draw_uniform(rng, shape, math.sqrt(3.0 * variance)),
        ", uniform on ±√(3·variance)",
    ),
    "truncated": (
        lambda rng, shape, variance: draw_truncated(rng, shape, math.sqrt(variance)),
        ", cut at two deviations of the uncut normal (Keras's form)",
    ),
}

# family -> (variance of one weight, formula of the variance, source, what it is for, what goes
# wrong)
_FAMILIES: dict[str, tuple[Callable[[int, int], float], str, str, str, str]] = {
    "glorot": (
        lambda fan_in, fan_out: 2.0 / (fan_in + fan_out),
        "2/(fan_in + fan_out)",
        "Glorot & Bengio 2010, §4.2.1, eq. 12 and 16",
        "tanh, sigmoid, softmax and linear layers",
        "With ReLU the error signal falls by √2 per layer (half its mean square): take He's.",
    ),
    "he": (
        lambda fan_in, fan_out: 2.0 / fan_in,
        "2/fan_in",
        "He et al. 2015, §2.2, eq. 10",
        "ReLU and its relatives",
        (
            "With tanh the gradient grows with depth (σ_w² = 2 is past its edge of chaos at 1). "
            "With GELU, SiLU and Mish signals drift to zero slowly."
        ),
    ),
    "lecun": (
        lambda fan_in, fan_out: 1.0 / fan_in,
        "1/fan_in",
        "LeCun et al. 1998, Efficient BackProp, §4.6",
        "SELU; linear propagation",
        "With ReLU the signal's mean square halves per layer: take He's.",
    ),
    "he_fan_average": (
        lambda fan_in, fan_out: 4.0 / (fan_in + fan_out),
        "4/(fan_in + fan_out)",
        "Géron 2017, ch. 11 (a textbook variant; He et al. use fan_in)",
        "comparing the textbook's form with He's",
        (
            "The same as He's between equal widths only: where layers narrow or widen, the "
            "signal's variance is not kept."
        ),
    ),
    "glorot_tanh4": (
        lambda fan_in, fan_out: 32.0 / (fan_in + fan_out),
        "16 · 2/(fan_in + fan_out)",
        "found on slides as the tanh form of Xavier's initialization",
        "seeing why a factor meant for the logistic explodes with tanh",
        "With tanh the gradient explodes: σ_w² = 16 is far past the edge of chaos at 1.",
    ),
}


# family -> what other tools call it
_ALSO_CALLED = {"glorot": "xavier", "he": "kaiming"}


def _register_family(family: str) -> None:
    variance, text, source, use, traps = _FAMILIES[family]
    for shape, (draw, extra) in _DISTRIBUTIONS.items():
        add_initializer(
            name=f"{family}_{shape}",
            summary=f"{shape} weights with variance {text}",
            formula=f"Var w = {text}{extra}",
            weights=lambda rng, fan_in, fan_out, draw=draw: draw(
                rng, (fan_in, fan_out), variance(fan_in, fan_out)
            ),
            variance=variance,
            source=source,
            use=f"For {use}.",
            traps=traps,
            also_called=_other_names(family, shape),
        )


def _other_names(family: str, shape: str) -> tuple[str, ...]:
    """xavier_uniform of glorot_uniform; xavier alone means the normal one."""
    other = _ALSO_CALLED.get(family)
    return (
        ()
        if other is None
        else (f"{other}_{shape}", other)
        if shape == "normal"
        else (f"{other}_{shape}",)
    )


for _family in _FAMILIES:
    _register_family(_family)


def fan_of(mode: str, fan_in: int, fan_out: int) -> float:
    """The fan that a variance is divided by: fan_in, fan_out, or fan_avg, their mean."""
    return {
        "fan_in": float(fan_in),
        "fan_out": float(fan_out),
        "fan_avg": (fan_in + fan_out) / 2.0,
    }[mode]


add_initializer(
    name="variance_scaling",
    summary="weights with variance scale/fan, the fan and the distribution by name: the general "
    "form of Glorot, He and LeCun",
    formula="Var w = scale/fan, fan one of fan_in, fan_out, fan_avg = (fan_in + fan_out)/2",
    weights=lambda rng, fan_in, fan_out, scale, mode, distribution: _DISTRIBUTIONS[distribution][0](
        rng, (fan_in, fan_out), scale / fan_of(mode, fan_in, fan_out)
    ),
    variance=lambda fan_in, fan_out, scale, mode, distribution: (
        scale / fan_of(mode, fan_in, fan_out)
    ),
    source="Keras, VarianceScaling; PyTorch's kaiming with mode fan_out is scale=2, "
    "mode=fan_out, distribution=normal",
    parameters=(
        Parameter(
            "scale",
            1.0,
            "variance times fan: 1 is LeCun's (with fan_avg Glorot's), 2 He's",
            low=0.0,
        ),
        Parameter(
            "mode",
            "fan_in",
            "what the variance is divided by",
            choices=("fan_in", "fan_out", "fan_avg"),
        ),
        Parameter(
            "distribution",
            "truncated",
            "truncated at two deviations of the uncut normal, normal, or uniform",
            choices=tuple(_DISTRIBUTIONS),
        ),
    ),
    use="Comparing fans and distributions one at a time.",
    traps="Keras's `normal` is `truncated` here, its `untruncated_normal` is `normal`. With "
    "fan_out the backward signal is kept, not the forward one.",
)

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


def draw_orthogonal(rng: np.random.Generator, fan_in: int, fan_out: int, gain: float) -> Matrix:
    """QR of a normal matrix with the sign fix that makes it uniform over orthogonal matrices."""
    tall = rng.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out)))
    q, r = np.linalg.qr(tall)
    q = q * np.where(np.diagonal(r) < 0.0, -1.0, 1.0)
    return gain * (q if fan_in >= fan_out else np.ascontiguousarray(q.T))


add_initializer(
    name="orthogonal",
    summary="a random orthogonal matrix times gain",
    formula="W = gain·Q, all singular values equal to gain",
    weights=draw_orthogonal,
    variance=lambda fan_in, fan_out, gain: gain * gain / max(fan_in, fan_out),
    source="Saxe, McClelland & Ganguli 2014; the sign fix: Mezzadri 2007",
    parameters=(Parameter("gain", 1.0, "every singular value of W; √2 suits ReLU"),),
    use="Very deep linear and tanh nets.",
    traps="With gain 1 and ReLU the signal still halves per layer in mean square. The variance "
    "is gain²/max(fan_in, fan_out): where a layer is wider "
    "than its input, each of its preactivations has less than the signal's mean square.",
)
add_initializer(
    name="pytorch_linear",
    summary="the default of PyTorch's Linear: uniform on ±1/√fan_in, weights and biases",
    formula="w, b ~ U(−1/√fan_in, 1/√fan_in)",
    weights=lambda rng, fan_in, fan_out: draw_uniform(
        rng, (fan_in, fan_out), 1.0 / math.sqrt(fan_in)
    ),
    variance=lambda fan_in, fan_out: 1.0 / (3.0 * fan_in),
    biases=lambda rng, fan_in, fan_out: draw_uniform(rng, (fan_out,), 1.0 / math.sqrt(fan_in)),
    bias_variance=lambda fan_in, fan_out: 1.0 / (3.0 * fan_in),
    source="PyTorch, torch.nn.Linear",
    use="Starting as a PyTorch net does.",
    traps="A third of LeCun's variance: deep nets vanish.",
)
add_initializer(
    name="lsuv",
    summary="orthogonal weights, each layer rescaled until its preactivation variance on a batch "
    "of the data is 1",
    formula="W ← W/√Var(z), layer after layer",
    weights=lambda rng, fan_in, fan_out: draw_orthogonal(rng, fan_in, fan_out, 1.0),
    variance=lambda fan_in, fan_out: math.nan,
    data_dependent=True,
    source="Mishkin & Matas 2016, All you need is a good init",
    use="Any activation, where theory has no formula.",
    traps="It looks at the data: at the 256 samples that training visits first, in batches as "
    "in training.",
)
add_initializer(
    name="mean_field",
    summary="normal weights of variance σ_w²/fan_in and normal biases of variance σ_b²: the "
    "ensemble of mean-field theory",
    formula="w ~ N(0, σ_w²/fan_in), b ~ N(0, σ_b²)",
    weights=lambda rng, fan_in, fan_out, sigma_w, sigma_b: draw_normal(
        rng, (fan_in, fan_out), sigma_w / math.sqrt(fan_in)
    ),
    variance=lambda fan_in, fan_out, sigma_w, sigma_b: sigma_w * sigma_w / fan_in,
    biases=lambda rng, fan_in, fan_out, sigma_w, sigma_b: draw_normal(rng, (fan_out,), sigma_b),
    bias_variance=lambda fan_in, fan_out, sigma_w, sigma_b: sigma_b * sigma_b,
    source="Poole et al. 2016; Schoenholz et al. 2017",
    parameters=(
        Parameter("sigma_w", 1.0, "σ_w", low=0.0),
        Parameter("sigma_b", 0.0, "σ_b", low=0.0),
    ),
    use="Holding measurement against theory.",
    traps="The theory is one of wide layers and unstructured inputs. σ_w is the deviation of z "
    "per unit of RMS input, not of a weight.",
)
add_initializer(
    name="identity",
    summary=("ones on the diagonal times gain, zeros elsewhere; units beyond fan_in get no signal"),
    formula="w_ij = gain if i = j, else 0",
    weights=lambda rng, fan_in, fan_out, gain: gain * np.eye(fan_in, fan_out),
    variance=lambda fan_in, fan_out, gain: math.nan,
    source="Le, Jaitly & Hinton 2015 (IRNN); PyTorch, torch.nn.init.eye_",
    parameters=(Parameter("gain", 1.0, "the value on the diagonal"),),
    use="Layers of one width, whose stack then starts as the activation applied again and again.",
    traps="Nothing is drawn, so every seed starts alike; where fan_out exceeds fan_in the units "
    "beyond start dead under ReLU (a slope of 0 at 0).",
)


def zeros_of(sparsity: float, fan_in: int) -> int:
    """Number of a unit's incoming weights that are 0: ⌈sparsity · fan_in⌉, at most fan_in − 1."""
    return min(math.ceil(sparsity * fan_in), fan_in - 1)


def draw_sparse(
    rng: np.random.Generator, fan_in: int, fan_out: int, sparsity: float, std: float
) -> Matrix:
    """Normal weights of which every column (a unit's incoming weights) has the same number of
    zeros, at random places.
    """
    drawn = draw_normal(rng, (fan_in, fan_out), std)
    places = np.argsort(rng.random((fan_in, fan_out)), axis=0)
    np.put_along_axis(drawn, places[: zeros_of(sparsity, fan_in)], 0.0, axis=0)
    return drawn


add_initializer(
    name="sparse",
    summary="normal weights, a fixed share of every unit's incoming ones set to zero",
    formula="w ~ N(0, std²) on fan_in − ⌈sparsity·fan_in⌉ random inputs of each unit (one at "
    "least), else 0",
    weights=draw_sparse,
    variance=lambda fan_in, fan_out, sparsity, std: (
        std * std * (1.0 - zeros_of(sparsity, fan_in) / fan_in)
    ),
    source="Martens 2010, Deep learning via Hessian-free optimization, §5; PyTorch, "
    "torch.nn.init.sparse_",
    parameters=(
        Parameter(
            "sparsity",
            0.9,
            "share of a unit's incoming weights that are 0",
            low=0.0,
            high=1.0,
            open_high=True,
        ),
        Parameter("std", 0.01, "standard deviation of the others", low=0.0),
    ),
    use="Units that saturate late although their weights are large: Martens took 15 inputs "
    "of std 1.",
    traps="std .01 (PyTorch's) is far too small for a deep net. PyTorch zeroes each input's "
    "outgoing weights, this each unit's incoming ones.",
)
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
