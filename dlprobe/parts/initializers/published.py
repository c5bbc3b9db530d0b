"""Initializers that a paper or another framework defines as a method of its own."""

from __future__ import annotations

import math

import numpy as np

from dlprobe.parts.initializers import Matrix, add_initializer, draw_normal, draw_uniform
from dlprobe.registry import Parameter


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
