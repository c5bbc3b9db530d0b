"""How far one net of finite width strays from the two recursions: variances over random nets, to
first order in 1/width, of a single input's norms.

Every layer adds noise of its own (averages over N units instead of all) and hands on what came in.
A layer that got a larger signal answers with another mean square and with other slopes, so the
error signal strays twice: by its own noise, and because the preactivations it meets are off. Where
slopes and signal grow together (GELU, SiLU, Mish with He's weights) the second is the larger by
far; where they oppose each other (tanh) they partly cancel.

The state behind a layer is (δm/√s, δs/s), m = E a and s = E a², of which the variance P is carried
forward; for the error signal the sensitivities to that state are carried backward. Source: the
Gaussian fluctuations of Hanin & Nica 2020 and Roberts, Yaida & Hanin 2022, written for mean
squares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.theory import propagation
from dlprobe.analysis.theory.gaussian import Floats, Moments, nodes
from dlprobe.analysis.theory.initial_net import InitialNet
from dlprobe.analysis.theory.propagation import Signal, TheoryLayer
from dlprobe.dataclass import dataclass

Matrix: TypeAlias = npt.NDArray[np.float64]
LARGE = 1.0  # variance of a logarithm
USUAL_KURTOSIS = 3.0  # E a⁴/(E a²)² of what is not known better


@dataclass(frozen=True)
class Spread:
    """Per hidden layer (n,): variance of ln E a_l²; variance of ln δ_l²/δ_n² and how much its mean
    lies above that of infinitely wide layers.

    rough_from: the first layer (1 for hidden_1) from which fluctuations are too large, and grow,
        for first order; 0: none.
    """

    activation: tuple[float, ...]
    error_signal: tuple[float, ...]
    error_signal_shift: tuple[float, ...]
    rough_from: int = 0


@dataclass(frozen=True)
class _Own:
    """What a layer makes of z, before a residual sum: E y and E y², how they move with ln q, and
    one unit's noise.

    covariance: of y and y². slope_noise: of ln slope beyond κ; with: its covariance with y and y².
        slope_move: d ln slope/d ln q.
    """

    signal: Signal
    moves: tuple[float, float]
    covariance: Matrix
    slope_noise: float
    slope_with: Floats
    slope_move: float


@dataclass(frozen=True)
class _Response:
    """One layer: state ← carry·state + push·δln q + noise, δln q = gain·(δm/√s, δs/s + mask
    noise). share: of dL/da² that goes through the layer.
    """

    units: int
    gain: Floats
    mask: float
    carry: Matrix
    push: Floats
    noise: Matrix
    slope_with: Floats
    slope_noise: float
    slope_move: float
    own: float
    step: float
    share: float


def spread(net: InitialNet, layers: Sequence[TheoryLayer]) -> Spread:
    """The fluctuations of a net that theory treats; where a moment left what a float holds, the
    part of each layer's own noise only.
    """
    with np.errstate(all="ignore"):
        layers = [_lenient(layer) for layer in layers]
        responses = _responses(net, layers)
        states = _forward(responses, net.features)
        full, plain = _backward(responses, states), _own_noise(responses)
        extra = coherent_shares(net, layers)
    variance = [
        (value if math.isfinite(value) and value >= 0.0 else usual)
        for value, usual in zip(full, plain, strict=True)
    ]
    added = [_of_log(share) for share in extra]
    return Spread(
        # what rounding leaves of a saturated net
        activation=tuple(0.0 if state[1, 1] < 0.0 else float(state[1, 1]) for state in states[1:]),
        error_signal=tuple(value + more for value, (_, more) in zip(variance, added, strict=True)),
        error_signal_shift=tuple(
            more - value / 2.0 for value, (more, _) in zip(plain, added, strict=True)
        ),
        rough_from=_rough_from(responses, states[1:]),
    )


def _lenient(layer: TheoryLayer) -> TheoryLayer:
    """The layer with its numbers as NumPy's, of which powers overflow to infinity and quotients by
    0 are no errors.
    """
    return replace(
        layer,
        q=np.float64(layer.q),
        inside=Moments(*(np.float64(number) for number in astuple(layer.inside))),
        signal=Signal(np.float64(layer.signal.mean), np.float64(layer.signal.mean_square)),
    )


def _rough_from(responses: Sequence[_Response], states: Sequence[Matrix]) -> int:
    """Where ln E a² has a variance above 1 that is more than twice what the layers add: q
    moves, and what moves with it is curved.
    """
    added = np.cumsum([response.noise[1, 1] / response.units for response in responses])
    rough = [
        index for index, state in enumerate(states) if state[1, 1] > max(LARGE, 2.0 * added[index])
    ]
    return rough[0] + 1 if rough else 0


def _responses(net: InitialNet, layers: Sequence[TheoryLayer]) -> list[_Response]:
    random = net.perturbations
    slopes = propagation.branch_slopes(net, layers)
    responses, source, kurtosis = [], Signal(0.0, net.input_mean_square), USUAL_KURTOSIS
    for index, (layer, scale, passed) in enumerate(
        zip(layers, net.scales, propagation.through(net, slopes), strict=True)
    ):
        keep = random.keep if index else random.input_keep
        weight = net.fan_in[index] * net.weight_variance[index] / random.weight_keep
        # of δm only weights that sum to 0 know: E a² − (E a)² reaches them
        pull = -2.0 * source.mean * math.sqrt(source.mean_square) if net.centred else 0.0
        gain = weight / layer.q * np.array([pull, source.mean_square / keep])
        own = _own(net, layer)
        carry, push, noise, mixed = _stream(own, source, layer.signal.mean_square, scale)
        kappa = (layer.inside.kappa + 1.0) / random.keep - 1.0
        share = 1.0 if scale is None else passed / (1.0 + passed)
        responses.append(
            _Response(
                units=net.units[index],
                gain=gain,
                mask=kurtosis * (1.0 / keep - 1.0) / net.fan_in[index],
                carry=carry,
                push=push,
                noise=noise,
                slope_with=mixed,
                slope_noise=own.slope_noise,
                slope_move=own.slope_move,
                own=kappa,
                step=kappa if scale is None else 4.0 * share * (1.0 - share) + share**2 * kappa,
                share=share,
            )
        )
        source = layer.signal
        kurtosis = (
            layer.inside.value_kappa + 1.0
            if scale is None and net.normalization is None
            else USUAL_KURTOSIS
        )
    return responses


def _own(net: InitialNet, layer: TheoryLayer) -> _Own:
    at = layer.inside
    covariance = np.array(
        [[at.variance, at.third - at.mean * at.mean_square], [0.0, at.fourth - at.mean_square**2]]
    )
    covariance[1, 0] = covariance[0, 1]
    slope_with = np.array(
        [
            at.value_slopes / at.slope_mean_square - at.mean,
            at.square_slopes / at.slope_mean_square - at.mean_square,
        ]
    )
    if net.normalization is None:
        moves = (at.mean_growth, at.mean_square_growth * at.q)
        return _Own(
            Signal(at.mean, at.mean_square), moves, covariance, 0.0, slope_with, at.slope_growth
        )
    if net.position == "after":
        return _behind(at, net.normalization)
    # each unit by its own variance over the batch: nothing of q is left
    if net.normalization == "batch":
        return _Own(Signal(at.mean, at.mean_square), (0.0, 0.0), covariance, 0.0, slope_with, 0.0)
    held = _held(at, net.normalization != "rms")
    for row in held:
        covariance -= np.outer(row[:2], row[:2])
        slope_with -= row[2] * row[:2]
    # slopes are divided by q as it is in this net: a χ² of N units, and all that q has strayed
    return _Own(Signal(at.mean, at.mean_square), (0.0, 0.0), covariance, 2.0, slope_with, -1.0)


def _held(at: Moments, centred: bool) -> list[Floats]:
    """Projections of (φ, φ², ln φ'²) on what a norm over units before the activation holds
    fixed: Σ z²/√2, and Σ z where it centres.
    """
    square = np.array(
        [2.0 * at.mean_growth, 2.0 * at.mean_square_growth, 2.0 * at.slope_growth]
    ) / math.sqrt(2.0)
    return (
        [square, np.array([at.value_lean, at.square_lean, at.slope_lean])] if centred else [square]
    )


def _behind(at: Moments, name: str) -> _Own:
    """A norm behind the activation holds E a² at 1 and divides slopes by what it divided φ² by."""
    grows = at.mean_square_growth * at.q
    if name == "rms":
        divided, moves, noise = at.mean_square, grows, at.fourth / at.mean_square**2 - 1.0
        mixed = at.square_slopes / at.slope_mean_square / divided - 1.0
        signal = Signal(at.mean / math.sqrt(divided), 1.0)
        covariance = np.array([[1.0 - signal.mean**2, 0.0], [0.0, 0.0]])
    else:
        divided, moves = at.variance, grows - 2.0 * at.mean * at.mean_growth
        central = (
            at.fourth
            - 4.0 * at.mean * at.third
            + 6.0 * at.mean**2 * at.mean_square
            - 3.0 * at.mean**4
        )
        noise = central / divided**2 - 1.0
        mixed = (
            (at.square_slopes - 2.0 * at.mean * at.value_slopes) / at.slope_mean_square / divided
            + at.mean**2 / divided
            - 1.0
        )
        signal, covariance = Signal(0.0, 1.0), np.zeros((2, 2))
    if name == "batch":
        noise = mixed = 0.0
    return _Own(
        signal,
        (0.0, 0.0),
        covariance,
        noise - 2.0 * mixed,
        np.zeros(2),
        at.slope_growth - moves / divided,
    )


def _stream(
    own: _Own, source: Signal, after: float, scale: float | None
) -> tuple[Matrix, Floats, Matrix, Floats]:
    """carry, push, noise of the state behind the layer, and the noise's covariance with that of
    the slopes; `after`: E a².
    """
    units = np.array([math.sqrt(after), after])
    if scale is None:
        return (
            np.zeros((2, 2)),
            np.array(own.moves) / units,
            own.covariance / np.outer(units, units),
            own.slope_with / units,
        )
    before = np.array([math.sqrt(source.mean_square), source.mean_square])
    carry = np.array([[1.0, 0.0], [2.0 * scale * own.signal.mean, 1.0]]) * before / units[:, None]
    # (α y, 2 α a·y + α² y²) of a unit, of y and y²; a·y adds noise of its own, a having E a² − (E
    # a)² left
    mix = np.array([[scale, 0.0], [2.0 * scale * source.mean, scale**2]])
    noise = mix @ own.covariance @ mix.T
    noise[1, 1] += 4.0 * scale**2 * source.variance * own.signal.variance
    return (
        carry,
        mix @ np.array(own.moves) / units,
        noise / np.outer(units, units),
        mix @ own.slope_with / units,
    )


def _forward(responses: Sequence[_Response], features: int) -> list[Matrix]:
    """P of the input, whose mean strays by 1/features and whose mean square is known, and
    behind every layer.
    """
    forward = [np.diag([1.0 / features, 0.0])]
    for response in responses:
        whole = response.carry + np.outer(response.push, response.gain)
        masks = np.outer(response.push, response.push) * response.gain[1] ** 2 * response.mask
        forward.append(whole @ forward[-1] @ whole.T + masks + response.noise / response.units)
    return forward


def _own_noise(responses: Sequence[_Response]) -> list[float]:
    """Variance of ln δ_l²/δ_n² by each layer's own noise: slopes at l, the steps above it, less
    (or, at a residual sum, more) the slopes at n.
    """
    last, noise = responses[-1], [0.0]
    steps = (last.step + last.own if last.share < 1.0 else 0.0) / last.units
    for response in reversed(responses[:-1]):
        noise.insert(0, response.own / response.units + steps)
        steps += response.step / response.units
    return noise


def _backward(responses: Sequence[_Response], states: Sequence[Matrix]) -> list[float]:
    """The whole variance of ln δ_l²/δ_n²: with λ, what it changes by per state of a layer
    below, all noises at l and above, and P below l.
    """
    last = responses[-1]
    follow, above = _pass(last, np.zeros(2), last.slope_move * (last.share - 1.0), last.share - 1.0)
    backward, plain = [0.0], _own_noise(responses)
    for index in range(len(responses) - 2, -1, -1):
        here = responses[index]
        sensitivity, extra = _pass(here, follow, here.slope_move, 1.0)
        backward.insert(
            0, plain[index] + above + extra + float(sensitivity @ states[index] @ sensitivity)
        )
        follow, extra = _pass(here, follow, here.slope_move * here.share, here.share)
        above += extra
    return backward


def _pass(
    here: _Response, follow: Floats, slope_move: float, weight: float
) -> tuple[Floats, float]:
    """From the sensitivity to the state behind a layer to that of the state before it, and what
    the layer's noises add. weight: of its slopes' noise.
    """
    pulled = slope_move + float(follow @ here.push)
    noises = (
        float(follow @ here.noise @ follow)
        + 2.0 * weight * float(follow @ here.slope_with)
        + weight**2 * here.slope_noise
    )
    masks = (pulled * float(here.gain[1])) ** 2 * here.mask
    return here.carry.T @ follow + pulled * here.gain, noises / here.units + masks


def coherent_shares(net: InitialNet, layers: Sequence[TheoryLayer]) -> list[float]:
    """Per hidden layer (E δ_l² at finite width)/(E δ_l² at infinite width) − 1 of a residual net,
    both relative to E δ_n²; 0 for nets that are not residual or have a norm.

    Weights have mean zero, but given what they make of a they have not: E[W_ji f(z_i)] =
    Var(W)·a_j·E f'(z_i) (Stein). Each layer so adds to D = dL/da a multiple of a/N, of S = Σ D_i
    and T = Σ a_i D_i. That is 1/N of D; but S and T keep or grow while E D² relative to E a² falls
    (in a homogeneous net T is the same at every layer, by Euler), and in a deep ReLU stream they
    overtake the rest. Followed here: d = E D² and K = E (S, T)(S, T)ᵀ/N.
    """
    if net.normalization is not None or any(scale is None for scale in net.scales[1:]):
        return [0.0] * len(layers)
    end = layers[-1].signal
    whole, rest, shares = 1.0, 1.0, [0.0]
    sums = np.array([[1.0, end.mean], [end.mean, end.mean_square]])
    for index in range(len(layers) - 1, 0, -1):
        source, gain = layers[index - 1].signal, _gain(net, layers, index)
        back, pull = _drift(net, layers, index)
        ahead = np.array([source.mean, source.mean_square])
        added = (
            float(source.mean_square * pull @ sums @ pull + 2.0 * back[1] @ sums @ pull)
            / net.units[index]
        )
        step = back + np.outer(ahead, pull)
        sums = step @ sums @ step.T + gain * whole * np.array(
            [[1.0, source.mean], [source.mean, source.mean_square]]
        )
        whole, rest = whole * (1.0 + gain) + added, rest * (1.0 + gain)
        shares.insert(
            0, max(whole / rest - 1.0, 0.0) if math.isfinite(whole) and rest > 0.0 else 0.0
        )
    return shares


def _gain(net: InitialNet, layers: Sequence[TheoryLayer], index: int) -> float:
    """What goes through a layer, as a share of E D² above it."""
    return (
        (net.scales[index] or 0.0) ** 2
        * _effective(net, index)
        * layers[index].inside.slope_mean_square
    )


def _effective(net: InitialNet, index: int) -> float:
    """σ_w², dropout and drop-connect included."""
    return (
        net.fan_in[index]
        * net.weight_variance[index]
        / (net.perturbations.weight_keep * net.perturbations.keep)
    )


def _drift(net: InitialNet, layers: Sequence[TheoryLayer], index: int) -> tuple[Matrix, Floats]:
    """(S, a·D) of the layer's input a with the D above it, linear in the (S, T) above; and the p, θ
    of what is added to D: a·(p S + θ T)/N.

    D_i goes with z_i as far as it goes with a_i + α φ(z_i), whose share of T − m S is taken off on
    the way to a·D and answers in the second term of θ.
    """
    at, scale, above = layers[index].inside, net.scales[index] or 0.0, layers[index].signal
    weight = scale * _effective(net, index)
    varied = scale / above.variance if above.variance > 0.0 else 0.0
    theta = weight * varied * (at.mean_square_growth - at.curvature * at.mean)
    taken = scale * varied * at.variance
    back = np.array([[1.0, 0.0], [taken * above.mean - scale * at.mean, 1.0 - taken]])
    return back, np.array([weight * at.curvature - theta * above.mean, theta])


def _of_log(share: float) -> tuple[float, float]:
    """Mean and variance of ln(1 + share·X), X = Z² the square of one sum's normal number."""
    if share == 0.0:
        return 0.0, 0.0
    z, weights = nodes((), 1.0)
    logs = np.log1p(share * z * z)
    mean = float(weights @ logs)
    return mean, float(weights @ (logs - mean) ** 2)
