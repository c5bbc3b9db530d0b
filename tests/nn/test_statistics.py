"""Every statistic of the registry against its definition in NumPy, and the rules for where it
is NaN.
"""

from __future__ import annotations

import numpy as np
import pytest
import slow_twins
from small_nets import DTYPES, NORMS, Array, data_for, jitter, layers, network, spec

from dlprobe import registry
from dlprobe.nn.network import Network
from dlprobe.nn.regulation import Regulation

NAMES = tuple(registry.records("statistic"))
SIZES = (6, 9, 8, 7, 3)
# relative to the statistic; float32 nets lose digits on the way through four layers and a batch
# norm
TOLERANCE = {"float64": 1e-12, "float32": 5e-5}
# differences of nearly equal numbers: their errors are relative to the size of what is subtracted
ABSOLUTE = {"float64": 1e-14, "float32": 1e-6}


def one_step(
    batch: int,
    norm: tuple[str, bool] | None,
    dtype: str,
    bias: bool = True,
    samples: int = 32,
    step: int = 0,
) -> tuple[Array, Array, Network]:
    """(measured (statistic, layer), defined (statistic, layer), the net after) of one step with
    a rate that moves the weights.
    """
    net = jitter(
        network(
            SIZES,
            loss="cross_entropy",
            output="softmax",
            activation="relu",
            batch=batch,
            norm=norm,
            dtype=dtype,
            bias=bias,
        )
    )
    inputs, targets = data_for(net, samples)
    chosen = list(slow_twins.batches(samples, batch, net.seed, step + 1))[step]
    traced, _ = slow_twins.trace(net, inputs[chosen], targets[chosen], step)
    result = net.train(inputs, targets, step, np.array([0.1]))
    return (
        result.statistics[0].T.astype(np.float64),
        np.array([slow_twins.statistics(name, traced, net) for name in NAMES]),
        net,
    )


def assert_as_defined(measured: Array, defined: Array, dtype: str) -> None:
    for name, found, expected in zip(NAMES, measured, defined, strict=True):
        np.testing.assert_allclose(
            found,
            expected,
            rtol=TOLERANCE[dtype],
            atol=ABSOLUTE[dtype],
            equal_nan=True,
            err_msg=name,
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [3, 32])
@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_statistics_are_as_defined(norm: tuple[str, bool] | None, batch: int, dtype: str) -> None:
    measured, defined, _ = one_step(batch, norm, dtype)
    assert_as_defined(measured, defined, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("norm", [None, ("layer", False)], ids=str)
def test_statistics_of_a_batch_of_one_are_as_defined(
    norm: tuple[str, bool] | None, dtype: str
) -> None:
    measured, defined, _ = one_step(1, norm, dtype)
    assert_as_defined(measured, defined, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_statistics_of_the_last_short_batch_are_as_defined(dtype: str) -> None:
    """32 samples in batches of 9: step 3 works on 5."""
    measured, defined, _ = one_step(9, None, dtype, step=3)
    assert_as_defined(measured, defined, dtype)


@pytest.mark.parametrize("after", [False, True])
def test_a_last_batch_of_one_sample_with_batch_norm_is_as_defined(after: bool) -> None:
    """28 samples in batches of 9: the norm of the one sample left is its shift, and no gradient
    passes it (but rounding, which dividing by √ε enlarges).
    """
    measured, defined, net = one_step(9, ("batch", after), "float64", samples=28, step=3)
    for name, found, expected in zip(NAMES, measured, defined, strict=True):
        if "gradient" not in name or name == "gradient_sample_rms":
            np.testing.assert_allclose(
                found, expected, rtol=1e-12, atol=1e-13, equal_nan=True, err_msg=name
            )
    assert np.all(np.array(named(measured, "gradient_rms"))[:-1] < 1e-13)
    assert np.isfinite(net.parameters).all()


@pytest.mark.parametrize("activation", list(registry.records("activation")))
def test_slope_statistics_are_as_defined_for_every_activation(activation: str) -> None:
    size = 0.3 if activation == "exponential" else 1.5  # it would overflow
    net = jitter(network((6, 10, 8, 2), activation=activation, batch=16), size=size)
    inputs, targets = data_for(net, 16)
    (order,) = slow_twins.batches(16, 16, net.seed, 1)
    traced, _ = slow_twins.trace(net, inputs[order], targets[order])
    found = net.train(inputs, targets, 0, np.zeros(1)).statistics[0].T
    for name in ("slope_mean_square", "flat_fraction", "dead_fraction", "active_fraction"):
        # e^z makes 1e-16 of z, which is some hundreds here, that many more of a
        rtol = 1e-10 if activation == "exponential" else 1e-12
        np.testing.assert_allclose(
            found[NAMES.index(name)],
            slow_twins.statistics(name, traced, net),
            rtol=rtol,
            err_msg=name,
        )


def test_every_statistic_has_a_definition_here() -> None:
    assert set(NAMES) == set(slow_twins.STATISTICS)


# --- where a number is NaN
# --------------------------------------------------------------------------------------------------


def named(measured: Array, name: str) -> list[float]:
    return list(measured[NAMES.index(name)])


def test_variances_of_a_batch_of_one_are_nan() -> None:
    measured, _, _ = one_step(1, None, "float64")
    for name in ("activation_variance", "activation_sample_variance", "preactivation_variance"):
        assert np.isnan(named(measured, name)).all(), name
    assert np.isfinite(named(measured, "preactivation_mean_square")).all()


def test_softmax_has_no_slope_statistics() -> None:
    measured, _, _ = one_step(8, None, "float64")
    for name in ("slope_mean_square", "flat_fraction", "dead_fraction"):
        assert list(np.isnan(named(measured, name))) == [False, False, False, True], name


def test_underflow_is_not_counted_at_the_output() -> None:
    measured, _, _ = one_step(8, None, "float64")
    assert list(np.isnan(named(measured, "underflow_count"))) == [False, False, False, True]


def test_samples_have_no_gradient_of_their_own_before_a_batch_norm() -> None:
    """The output layer stands behind the last batch norm: its samples do not mix on the way to
    the loss.
    """
    measured, _, _ = one_step(8, ("batch", False), "float64")
    assert list(np.isnan(named(measured, "gradient_sample_rms"))) == [True, True, True, False]


def test_layer_norm_leaves_samples_their_own_gradient() -> None:
    measured, _, _ = one_step(8, ("layer", True), "float64")
    assert np.isfinite(named(measured, "gradient_sample_rms")).all()


def test_without_bias_there_is_no_bias_rms() -> None:
    measured, defined, _ = one_step(8, None, "float64", bias=False)
    assert np.isnan(named(measured, "bias_rms")).all()
    assert_as_defined(measured, defined, "float64")


def test_update_ratio_of_a_zero_matrix_is_nan() -> None:
    net = network((3, 4, 2), initializer="zeros", batch=4)
    found = net.train(*data_for(net, 4), 0, np.array([0.1])).statistics[0].T
    assert np.isnan(named(found, "update_ratio")).all()
    assert named(found, "zero_weight_fraction") == [1.0, 1.0]


# --- worked by hand
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus"])
def test_sample_gradient_rms_is_that_of_nets_trained_on_one_sample_each(
    activation: str, dtype: str
) -> None:
    """Each sample's own dℓ/dW, read from a net whose batch is that sample."""
    parts = {"loss": "cross_entropy", "output": "softmax", "activation": activation, "dtype": dtype}
    together = jitter(network((4, 6, 5, 3), batch=7, **parts))
    inputs, targets = data_for(together, 7)
    squares = np.zeros(3)
    for k in range(7):
        alone = jitter(network((4, 6, 5, 3), batch=1, keep_gradients=True, **parts))
        alone.train(inputs[k : k + 1], targets[k : k + 1], 0, np.zeros(1))
        for index, start in enumerate(alone.offsets()["weight_offset"]):
            size = alone.weights(index).size
            squares[index] += (
                np.sum(alone.gradients[start : start + size].astype(np.float64) ** 2) / size
            )
    found = together.train(inputs, targets, 0, np.zeros(1)).statistics[0].T
    np.testing.assert_allclose(
        named(found, "gradient_sample_rms"),
        np.sqrt(squares / 7),
        rtol=1e-12 if dtype == "float64" else 1e-5,
    )


def hand_net(dtype: str = "float32") -> Network:
    """3 → 3 → 2, relu then linear, squared error; biases 0."""
    return network((3, 3, 2), activation="relu", batch=2, dtype=dtype)


def test_dead_flat_and_active_units_counted_by_hand() -> None:
    """z = x W: unit 0 is on for both samples, unit 1 for one, unit 2 for none; ReLU's slope at
    exactly 0 is 0.
    """
    net = hand_net()
    net.weights(0)[:] = [[1, 1, 0], [1, -1, -1], [0, 0, 0]]
    inputs = np.array([[1, 0, 0], [0, 1, 0]], np.float32)  # z = (1, 1, 0), (1, −1, −1)
    found = net.train(inputs, np.ones((2, 2), np.float32), 0, np.zeros(1)).statistics[0].T
    assert named(found, "dead_fraction") == [pytest.approx(1 / 3), 0.0]
    assert named(found, "active_fraction")[0] == pytest.approx(3 / 6)
    assert named(found, "flat_fraction")[0] == pytest.approx(3 / 6)
    assert named(found, "slope_mean_square")[0] == pytest.approx(3 / 6)


@pytest.mark.parametrize(
    ("weight", "count"),
    [
        (1e-20, 0),  # dL/da = −8·1e-20, a normal number
        (1e-39, 2),  # below float32's smallest normal number 1.18e-38: subnormal
        (1e-50, 2),  # below its smallest number 1.4e-45: exact zero
    ],
)
def test_underflow_counts_zeros_and_subnormals(weight: float, count: int) -> None:
    """One of three hidden units feeds the outputs by a tiny weight: its dL/da underflows in
    both rows.
    """
    net = hand_net()
    net.weights(1)[:] = [[1, 0], [1, 0], [np.float32(weight), 0]]
    inputs, targets = np.ones((2, 3), np.float32), np.full((2, 2), 10, np.float32)
    net.weights(0)[:] = np.eye(3)
    found = (
        net.train(inputs, targets, 0, np.zeros(1)).statistics[0].T
    )  # dL/dp = 2(p − 10)/2 = −8 for p = 2, −10 for p = 0
    assert named(found, "underflow_count")[0] == count


def test_rows_without_any_error_signal_do_not_count_as_underflow() -> None:
    """The first sample is met exactly, so its error signal is zero without any underflow; the
    second one's is not.
    """
    net = hand_net()
    net.weights(0)[:] = np.eye(3)
    net.weights(1)[:] = [[1, 0], [0, 1], [0, 0]]
    inputs = np.array([[1, 2, 3], [1, 2, 3]], np.float32)
    found = (
        net.train(inputs, np.array([[1, 2], [5, 5]], np.float32), 0, np.zeros(1)).statistics[0].T
    )
    assert named(found, "underflow_count")[0] == 1  # row 2, the unit that feeds nothing


def test_error_signal_does_not_depend_on_the_batch_size() -> None:
    """A batch of the same sample repeated: B·dL/dz is that sample's own dℓ/dz."""
    found = []
    for batch in (1, 8):
        net = jitter(network((4, 6, 5, 3), batch=batch))
        inputs, targets = data_for(net, 1)
        found.append(
            named(
                net.train(inputs.repeat(batch, 0), targets.repeat(batch, 0), 0, np.zeros(1))
                .statistics[0]
                .T,
                "error_signal_rms",
            )
        )
    np.testing.assert_allclose(found[0], found[1], rtol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
def test_variance_of_nearly_equal_activations_keeps_its_digits(dtype: str) -> None:
    """a = .5 ± 1e-5: E a² − (E a)² in float32 would come out negative."""
    net = network((1, 4, 1), activation="sigmoid", batch=2, dtype=dtype)
    net.weights(0)[:] = 4e-5
    inputs = np.array([[1.0], [-1.0]], dtype)
    found = net.train(inputs, inputs, 0, np.zeros(1)).statistics[0].T
    assert named(found, "activation_variance")[0] == pytest.approx(
        1e-10, rel=1e-2 if dtype == "float32" else 1e-8
    )
    assert named(found, "activation_sample_variance")[0] == pytest.approx(
        1e-10, rel=1e-2 if dtype == "float32" else 1e-8
    )


def test_tiny_gradients_have_a_size_in_float32() -> None:
    """Squares of 1e-24 are zero in float32; the sums are float64."""
    net = hand_net()
    net.weights(0)[:], net.weights(1)[:] = np.eye(3), 0
    targets = np.full((2, 2), 1e-24, np.float32)
    found = net.train(np.ones((2, 3), np.float32), targets, 0, np.zeros(1)).statistics[0].T
    assert named(found, "gradient_rms")[1] == pytest.approx(
        2e-24, rel=1e-6
    )  # dL/dW = mean of x·2(0 − y)
    assert named(found, "gradient_l2")[1] == pytest.approx(2e-24 * 6**0.5, rel=1e-6)
    assert named(found, "error_signal_rms")[1] == pytest.approx(2e-24, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("clipped", [False, True])
def test_gradients_that_are_all_the_same_have_no_variance(clipped: bool, dtype: str) -> None:
    """E g² − (E g)² would leave rounding errors of g²: 1e-7 of it in float32, 2e7 for a single
    weight whose gradient is 1e7.
    """
    regulation = Regulation(clip_value=1e30) if clipped else Regulation()
    parts = layers(
        (1, 50, 1), activation="linear", initializer=spec("initializer", "constant", value=0.3)
    )
    net = Network(
        parts,
        spec("loss", "mse"),
        spec("optimizer", "sgd"),
        batch=4,
        seed=0,
        dtype=dtype,
        regulation=regulation,
    )
    inputs = np.array([[0.7], [1.9], [-0.4], [3.3]], dtype)
    found = net.train(inputs, np.full((4, 1), 1e3 / 3, dtype), 0, np.zeros(1)).statistics[0].T
    rounding = 8 * np.finfo(dtype).eps * np.array(named(found, "gradient_rms"))
    assert rounding.min() > 0
    assert (np.array(named(found, "gradient_variance")) < rounding**2).all()
