"""Initializer records: variances as their formulas say within four standard deviations, bounds,
orthogonality, zeros, biases, LSUV; PyTorch where it can.

Files of the user's own arrays: tests/training/test_own_arrays.py.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_nets import NORMS, Array, layers, network, spec

from dlprobe import registry
from dlprobe.nn.layers import LayerSpec
from dlprobe.nn.network import Network

NAMES = list(registry.records("initializer"))
SHAPES = [(200, 150), (60, 240)]
TRUNCATED_AT = 2 / 0.8796256610342398  # in standard deviations after cutting


def draw(name: str, fan_in: int, fan_out: int, seed: int = 0, **parameters: float) -> Array:
    chosen = spec("initializer", name, **parameters)
    found = chosen.record.weights(
        np.random.default_rng(seed), fan_in, fan_out, *chosen.parameters.values()
    )
    return np.asarray(found)


def stated_variance(name: str, fan_in: int, fan_out: int, **parameters: float) -> float:
    chosen = spec("initializer", name, **parameters)
    return float(chosen.record.variance(fan_in, fan_out, *chosen.parameters.values()))


def altered(name: str) -> dict[str, float]:
    """Other values of the record's numbers, inside their range."""
    numbers = [
        p for p in registry.get("initializer", name).parameters if isinstance(p.default, float)
    ]
    return {
        p.name: p.default * 0.5 + 0.2 if p.high is not None else p.default * 1.5 + 0.1
        for p in numbers
    }


def is_drawn(name: str) -> bool:
    return not np.array_equal(draw(name, 20, 30, seed=1), draw(name, 20, 30, seed=2))


def assert_variance(drawn: Array, mean: float, variance: float) -> None:
    """Mean and mean square deviation within four standard deviations of their sampling."""
    n, centred = drawn.size, drawn - mean
    kurtosis = float(np.mean(centred**4) / np.mean(centred**2) ** 2)
    assert abs(float(drawn.mean()) - mean) <= 4 * math.sqrt(variance / n)
    assert abs(float(np.mean(centred**2)) / variance - 1) <= 4 * math.sqrt((kurtosis - 1) / n)


@pytest.mark.parametrize("fans", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_weights_have_the_variance_of_the_record(name: str, fans: tuple[int, int]) -> None:
    drawn, variance = draw(name, *fans), stated_variance(name, *fans)
    assert drawn.shape == fans
    assert drawn.dtype == np.float64
    assert np.isfinite(drawn).all()
    if variance > 0:
        assert_variance(drawn, 0.0, variance)
    elif variance == 0:
        assert np.ptp(drawn) == 0
    else:
        assert registry.get("initializer", name).data_dependent or not is_drawn(name)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_change_weights_and_variance_together(name: str) -> None:
    parameters = altered(name)
    variance = stated_variance(name, 200, 150, **parameters)
    if parameters and variance > 0:
        assert variance != stated_variance(name, 200, 150)
        assert_variance(draw(name, 200, 150, **parameters), 0.0, variance)


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_alone_decides(name: str) -> None:
    np.testing.assert_array_equal(draw(name, 20, 30, seed=1), draw(name, 20, 30, seed=1))
    assert is_drawn(name) == (
        stated_variance(name, 20, 30) > 0 or registry.get("initializer", name).data_dependent
    )


@pytest.mark.parametrize(
    ("name", "variance", "bound"),
    [
        ("glorot_uniform", 2 / 350, math.sqrt(6 / 350)),
        ("he_uniform", 2 / 200, math.sqrt(6 / 200)),
        ("lecun_uniform", 1 / 200, math.sqrt(3 / 200)),
        ("he_fan_average_uniform", 4 / 350, math.sqrt(12 / 350)),
        ("glorot_tanh4_uniform", 32 / 350, 4 * math.sqrt(6 / 350)),
        ("pytorch_linear", 1 / 600, 1 / math.sqrt(200)),
        ("scaled_uniform", 1 / 600, 1 / math.sqrt(200)),
        ("uniform", 0.05**2 / 3, 0.05),
    ],
)
def test_uniform_weights_keep_within_their_bound(name: str, variance: float, bound: float) -> None:
    """fan_in 200, fan_out 150: 30,000 draws come within .1 % of the bound, and none lies beyond."""
    assert stated_variance(name, 200, 150) == pytest.approx(variance, rel=1e-14)
    assert 0.999 * bound < np.max(np.abs(draw(name, 200, 150))) <= bound


@pytest.mark.parametrize("name", [name for name in NAMES if "truncated" in name])
def test_truncated_weights_are_cut_at_two_deviations_of_the_uncut_normal(name: str) -> None:
    """2/.8796 = 2.2737 deviations of what is left. A normal number lies beyond 2.2 once in 36,
    so 30,000 draws come close.
    """
    deviation = math.sqrt(stated_variance(name, 200, 150))
    largest = float(np.max(np.abs(draw(name, 200, 150))))
    assert 0.99 * TRUNCATED_AT * deviation < largest <= TRUNCATED_AT * deviation


def test_truncation_constant_is_that_of_the_normal_cut_at_two() -> None:
    """Var of a standard normal cut at ±2 is 1 − 4φ(2)/(2Φ(2) − 1)."""
    from dlprobe.parts.initializers import TRUNCATED_STD

    density, inside = math.exp(-2) / math.sqrt(2 * math.pi), math.erf(math.sqrt(2))
    assert math.sqrt(1 - 4 * density / inside) == pytest.approx(TRUNCATED_STD, rel=1e-15)


@pytest.mark.parametrize("fans", [(30, 30), (50, 20), (20, 50), (1, 7)], ids=str)
@pytest.mark.parametrize("gain", [1.0, 1.5])
def test_orthogonal_weights_have_all_singular_values_at_gain(
    gain: float, fans: tuple[int, int]
) -> None:
    np.testing.assert_allclose(
        np.linalg.svd(draw("orthogonal", *fans, gain=gain), compute_uv=False), gain, rtol=1e-12
    )


def test_orthogonal_weights_have_no_preferred_sign() -> None:
    """Without the sign fix of the QR the diagonal would be one-sided: of 400 first elements
    about half are negative, s.d. 10.
    """
    negative = sum(draw("orthogonal", 3, 3, seed=seed)[0, 0] < 0 for seed in range(400))
    assert abs(negative - 200) < 4 * 10


@pytest.mark.parametrize("distribution", ["truncated", "normal", "uniform"])
@pytest.mark.parametrize(
    ("family", "scale", "mode"),
    [
        ("glorot", 1, "fan_avg"),
        ("he", 2, "fan_in"),
        ("lecun", 1, "fan_in"),
        ("he_fan_average", 2, "fan_avg"),
    ],
)
def test_variance_scaling_is_the_general_form_of_the_families(
    family: str, scale: float, mode: str, distribution: str
) -> None:
    general = draw("variance_scaling", 40, 30, scale=scale, mode=mode, distribution=distribution)
    np.testing.assert_allclose(general, draw(f"{family}_{distribution}", 40, 30), rtol=1e-14)


def test_variance_scaling_by_fan_out_keeps_the_backward_signal() -> None:
    assert stated_variance("variance_scaling", 200, 150, scale=2.0, mode="fan_out") == 2 / 150


@pytest.mark.parametrize(
    ("sparsity", "fan_in", "zeros"),
    [(0.9, 50, 45), (0.5, 5, 3), (0.0, 7, 0), (0.95, 4, 3), (0.9, 1, 0)],
)
def test_every_unit_has_the_same_number_of_sparse_weights(
    sparsity: float, fan_in: int, zeros: int
) -> None:
    """⌈sparsity·fan_in⌉, one weight always left: .95 · 4 rounds up to 4, of which 3 are taken."""
    drawn = draw("sparse", fan_in, 300, sparsity=sparsity)
    np.testing.assert_array_equal((drawn == 0).sum(axis=0), zeros)
    if zeros:
        assert (drawn == 0).any(axis=1).all(), (
            "an input that keeps all its weights: the places are not random"
        )


@pytest.mark.parametrize("fans", [(4, 4), (3, 5), (5, 3)], ids=str)
def test_identity_passes_the_first_inputs_on(fans: tuple[int, int]) -> None:
    x = np.arange(1.0, fans[0] + 1)
    common = min(fans)
    np.testing.assert_array_equal(
        x @ draw("identity", *fans, gain=2.0), [*(2 * x[:common]), *[0.0] * (fans[1] - common)]
    )


# --- PyTorch's
# --------------------------------------------------------------------------------------------------

# ours → a torch.nn.init function of a (fan_out, fan_in) tensor
TORCH = {
    "glorot_uniform": lambda init, w: init.xavier_uniform_(w),
    "glorot_normal": lambda init, w: init.xavier_normal_(w),
    "he_uniform": lambda init, w: init.kaiming_uniform_(w, nonlinearity="relu"),
    "he_normal": lambda init, w: init.kaiming_normal_(w, nonlinearity="relu"),
    "lecun_uniform": lambda init, w: init.kaiming_uniform_(w, nonlinearity="linear"),
    "lecun_normal": lambda init, w: init.kaiming_normal_(w, nonlinearity="linear"),
    "glorot_tanh4_uniform": lambda init, w: init.xavier_uniform_(w, gain=4.0),
    "orthogonal": lambda init, w: init.orthogonal_(w),
    "zeros": lambda init, w: init.zeros_(w),
    "ones": lambda init, w: init.ones_(w),
    "identity": lambda init, w: init.eye_(w),
}


@pytest.mark.parametrize("name", TORCH)
def test_spread_is_that_of_pytorch(name: str) -> None:
    """Two samples of 30,000: root mean square within 4 √2 standard deviations of each other
    (1.9 %), the largest of uniform ones within .1 %.
    """
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = TORCH[name](torch.nn.init, torch.empty(150, 200, dtype=torch.float64)).numpy().T
    ours = draw(name, 200, 150)
    rms = np.sqrt(np.mean(theirs**2))
    assert np.sqrt(np.mean(ours**2)) == pytest.approx(
        rms, rel=4 * math.sqrt(2) * math.sqrt(2 / ours.size) / 2, abs=1e-300
    )
    if name.endswith("uniform"):
        assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)
    if not is_drawn(name):
        np.testing.assert_array_equal(ours, theirs)


def test_pytorch_linear_has_the_bounds_of_its_module() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Linear(50, 3000)
    for theirs, ours in (
        (module.weight, draw("pytorch_linear", 50, 3000)),
        (module.bias, drawn_biases("pytorch_linear")),
    ):
        assert np.abs(ours).max() == pytest.approx(float(theirs.detach().abs().max()), rel=2e-3)


# --- biases
# --------------------------------------------------------------------------------------------------


def drawn_biases(initializer: str, count: int = 3000, **parameters: float) -> Array:
    net = network((50, count), initializer=spec("initializer", initializer, **parameters), batch=1)
    return net.biases(0)


@pytest.mark.parametrize("name", NAMES)
def test_biases_have_the_variance_of_the_record(name: str) -> None:
    parameters = {"sigma_b": 0.3} if name == "mean_field" else {}
    chosen = spec("initializer", name, **parameters)
    variance = float(chosen.record.bias_variance(50, 3000, *chosen.parameters.values()))
    biases = drawn_biases(name, **parameters)
    if variance == 0:
        assert (biases == 0).all()
    else:
        assert_variance(biases, 0.0, variance)


def test_mean_field_draws_normal_biases_and_weights() -> None:
    assert_variance(drawn_biases("mean_field", sigma_b=0.5), 0.0, 0.25)
    assert_variance(draw("mean_field", 200, 150, sigma_w=1.5), 0.0, 2.25 / 200)


def test_pytorch_biases_keep_within_their_bound() -> None:
    assert (
        0.99 / math.sqrt(50) < np.max(np.abs(drawn_biases("pytorch_linear"))) <= 1 / math.sqrt(50)
    )


def test_a_bias_initializer_of_its_own_comes_first() -> None:
    layer = LayerSpec(
        50,
        20,
        spec("activation", "linear"),
        spec("initializer", "pytorch_linear"),
        spec("initializer", "constant", value=0.25),
    )
    net = Network([layer], spec("loss", "mse"), spec("optimizer", "sgd"), batch=1, seed=0)
    assert (net.biases(0) == 0.25).all()


# --- in the net
# --------------------------------------------------------------------------------------------------


def test_layers_of_one_shape_draw_different_weights() -> None:
    net = network((8, 8, 8), batch=1)
    assert not np.array_equal(net.weights(0), net.weights(1))


def test_both_precisions_draw_the_same_weights() -> None:
    single, double = network((8, 9), dtype="float32"), network((8, 9), dtype="float64")
    np.testing.assert_array_equal(single.weights(0), double.weights(0).astype(np.float32))


def preactivation_variances(net: Network, inputs: Array) -> list[float]:
    from dlprobe.nn.observe import PREACTIVATION_VARIANCE

    targets = np.zeros((len(inputs), net.layers[-1].fan_out), net.dtype)
    return list(net.train(inputs, targets, 0, np.zeros(1)).statistics[0, :, PREACTIVATION_VARIANCE])


@pytest.mark.parametrize("norm", NORMS, ids=str)
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_lsuv_leaves_every_preactivation_variance_at_one(
    activation: str, norm: tuple[str, bool] | None
) -> None:
    """Within 1 %, with the batch statistics of a batch norm too: LSUV looks at the net as
    training does.
    """
    net = network(
        (20, 50, 40, 30, 5), activation=activation, initializer="lsuv", norm=norm, batch=100
    )
    inputs = 3 * np.random.default_rng(0).standard_normal((100, 20))
    assert not np.allclose(preactivation_variances(net, inputs), 1, atol=0.01)
    net.scale_to_unit_variance(inputs)
    np.testing.assert_allclose(preactivation_variances(net, inputs), 1, atol=0.01)


def test_lsuv_takes_the_variance_over_all_batches() -> None:
    """90 samples in batches of 32, 32 and 26, behind a batch norm: the mean over samples of z²
    less the mean squared, from the three batches' records.
    """
    from dlprobe.nn.observe import PREACTIVATION_MEAN, PREACTIVATION_MEAN_SQUARE

    net = network(
        (20, 50, 5), activation="relu", initializer="lsuv", norm=("batch", False), batch=32
    )
    inputs = 3 * np.random.default_rng(0).standard_normal((90, 20)) + np.arange(20)
    net.scale_to_unit_variance(inputs)
    seen = net.train(inputs, np.zeros((90, 5)), 0, np.zeros(3)).statistics
    shares = np.array([32, 32, 26])[:, None] / 90
    mean, square = (
        (shares * seen[:, :, column]).sum(axis=0)
        for column in (PREACTIVATION_MEAN, PREACTIVATION_MEAN_SQUARE)
    )
    np.testing.assert_allclose(square - mean**2, 1, atol=0.01)


def test_lsuv_changes_nothing_but_weights() -> None:
    net = network(
        (20, 50, 5), initializer="lsuv", norm=("batch", False), optimizer="adam", batch=10
    )
    state, moments = net._net.state.copy(), net._net.moments.copy()
    net.scale_to_unit_variance(np.random.default_rng(0).standard_normal((10, 20)))
    np.testing.assert_array_equal(net._net.state, state)
    np.testing.assert_array_equal(net._net.moments, moments)


def test_lsuv_leaves_other_initializers_alone() -> None:
    net = network((20, 50, 5), initializer="he_normal", batch=10)
    before = net.parameters.copy()
    net.scale_to_unit_variance(np.random.default_rng(0).standard_normal((10, 20)))
    np.testing.assert_array_equal(net.parameters, before)


def test_every_initializer_builds_a_net_that_takes_a_step() -> None:
    for name in NAMES:
        net = Network(
            layers((4, 5, 3), initializer=name),
            spec("loss", "mse"),
            spec("optimizer", "sgd"),
            batch=2,
            seed=0,
        )
        result = net.train(
            np.ones((2, 4), np.float32), np.zeros((2, 3), np.float32), 0, np.full(1, 1e-3)
        )
        assert not result.diverged, name
