"""Every kernel of the registry against its slow twin, in both precisions, on ordinary,
constant, huge, NaN-laden, small and one-element arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slow_twins
from kernel_arrays import HUGE, KINDS, assert_close, block
from small_nets import DTYPES, Array, norm_spec, spec

from dlprobe import registry
from dlprobe.nn import kernels, positions
from dlprobe.parts.activations import LearnedActivation, RandomActivation, RowActivation
from dlprobe.registry import Spec

NO = {
    dtype: np.zeros(0, dtype) for dtype in DTYPES
}  # an operation without learned numbers or state
COUNTER = np.array([3, 2, 5, 1], np.uint64)  # seed, layer, step, training
ACTIVATIONS = list(registry.records("activation"))
VARIANTS = [
    *((name, {}) for name in registry.records("normalization")),
    ("layer", {"ddof": 1}),
    ("group", {"groups": 2}),
    ("batch", {"epsilon": 0.1}),
]
FUSED = [name for name, record in registry.records("loss").items() if record.fused]


def constants_of(operation: kernels.KernelOperation, dtype: str) -> Array:
    return np.array(operation.constants, dtype)


# --- activations
# --------------------------------------------------------------------------------------------------


WHERE = (3, 2, 5)


class Phi:
    """A compiled activation with its buffers for blocks of `units` units, its learned numbers
    moved off their initial values.
    """

    def __init__(self, chosen: Spec, columns: int, dtype: str) -> None:
        self.chosen, self.dtype, record = chosen, dtype, chosen.record
        self.units = record.width(columns)
        self.operation = kernels.activation(chosen, dtype)
        start = np.array(record.learned(self.units, *chosen.parameters.values()))
        self.learned = (start + 0.1 * np.arange(len(start))).astype(dtype)
        self.gradient, self.state = np.full_like(self.learned, 7), np.zeros(2 * self.units, dtype)

    def forward(self, x: Array, counter: Array = COUNTER) -> Array:
        y = np.full((len(x), self.units), 7, self.dtype)
        self.operation.forward(
            x,
            y,
            self.learned,
            self.state,
            constants_of(self.operation, self.dtype),
            counter,
            counter[positions.TRAINING] == 1,
        )
        return y

    def backward(self, x: Array, y: Array, dy: Array) -> tuple[Array, Array, Array]:
        """(dx, peak, slopes) of the compiled backward kernel."""
        dx, peak, slopes = np.full_like(x, 7), np.full(self.units, 7, self.dtype), np.full(3, 7.0)
        constants = constants_of(self.operation, self.dtype)
        self.operation.backward(
            x, y, dy, dx, self.learned, self.gradient, self.state, constants, COUNTER, peak, slopes
        )
        return dx, peak, slopes


def variants(name: str) -> list[Spec]:
    """The record with its defaults, and with every parameter moved: numbers up, switches over."""
    moved = {
        p.name: not p.default if isinstance(p.default, bool) else float(p.default) + 0.3
        for p in registry.get("activation", name).parameters
    }
    return [spec("activation", name), *([spec("activation", name, **moved)] if moved else [])]


def run_forward(chosen: Spec, x: Array) -> Array:
    return Phi(chosen, x.shape[1], x.dtype.name).forward(x)


def columns_for(name: str, x: Array) -> Array:
    """The block, its columns doubled where there is one and the activation halves them."""
    share = registry.get("activation", name).inputs_per_unit
    return x if x.shape[1] % share == 0 else np.ascontiguousarray(np.repeat(x, share, axis=1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_forward_is_its_twin(name: str, kind: str, dtype: str) -> None:
    x = columns_for(name, block(kind, dtype))
    for chosen in variants(name):
        phi = Phi(chosen, x.shape[1], dtype)
        with np.errstate(over="ignore"):
            assert_close(phi.forward(x), slow_twins.activate(chosen, x, phi.learned, WHERE), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_backward_is_its_twin(name: str, kind: str, dtype: str) -> None:
    x, dy = columns_for(name, block(kind, dtype)), block("ordinary", dtype, seed=1)
    for chosen in variants(name):
        phi = Phi(chosen, x.shape[1], dtype)
        dy = np.ascontiguousarray(dy[: len(x), : phi.units])
        y = phi.forward(x)
        dx, peak, slopes = phi.backward(x, y, dy)
        with np.errstate(all="ignore"):
            assert_close(
                dx, slow_twins.activate_backward(chosen, x, y, dy, phi.learned, WHERE), dtype
            )
            assert_close(
                phi.gradient, slow_twins.learned_gradient(chosen, x, dy, phi.learned), dtype
            )
            slope = slow_twins.slopes(chosen, x, y, phi.learned, WHERE)
            if slope is None:
                assert slopes[positions.DEFINED] == 0
                continue
            flat, dead = slow_twins.flat_and_dead(
                chosen, slope.astype(dtype)
            )  # squares of 1e-30 are 0 in float32
            assert (slopes[positions.FLAT_ELEMENTS], slopes[positions.DEFINED]) == (
                round(flat * x.size),
                1,
            )
            assert np.mean(peak == 0) == dead
            assert_close(slopes[[positions.SUM_SLOPE_SQUARED]], np.array([np.sum(slope**2)]), dtype)
            np.testing.assert_array_equal(
                peak == 0, np.fmax.reduce(np.abs(slope.astype(dtype)), axis=0, initial=0) == 0
            )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_no_samples_do_nothing(name: str) -> None:
    chosen = spec("activation", name)
    assert run_forward(chosen, np.zeros((0, 6), np.float32)).shape == (0, chosen.record.width(6))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name", [name for name in ACTIVATIONS if registry.get("activation", name).parameters]
)
def test_parameters_reach_the_kernel(name: str, dtype: str) -> None:
    """Moved off its default, a parameter changes the result; `init` of prelu is where learned
    numbers start, so it is not the kernel's.
    """
    chosen, x = spec("activation", name), block("ordinary", dtype)
    moved = Phi(variants(name)[1], x.shape[1], dtype)
    assert not np.array_equal(moved.forward(x), run_forward(chosen, x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [6, 20])
@pytest.mark.parametrize(
    "name",
    [name for name in ACTIVATIONS if isinstance(registry.get("activation", name), RowActivation)],
)
def test_rowwise_activations_of_equal_rows_are_equal(name: str, units: int, dtype: str) -> None:
    """A row's result must not depend on where in the block it stands, nor on its form for columns,
    in which narrow rows are taken.
    """
    x = np.repeat(block("ordinary", dtype, rows=1, units=units), 100, axis=0)
    chosen = spec("activation", name)
    y = run_forward(chosen, x)
    assert (y == y[0]).all()
    wide = chosen.record.evaluate(x[0].astype(float).tolist(), *chosen.parameters.values())
    assert_close(y[0], np.array(wide), dtype)


RANDOM = [
    name for name in ACTIVATIONS if isinstance(registry.get("activation", name), RandomActivation)
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", RANDOM)
def test_random_activations_draw_anew_for_every_element_layer_and_step_and_not_in_evaluation(
    name: str, dtype: str
) -> None:
    chosen, x = spec("activation", name), np.full((40, 50), -1, dtype)
    phi = Phi(chosen, 50, dtype)
    draws = [
        phi.forward(x, np.array([*counter, 1], np.uint64))
        for counter in ((3, 2, 5), (4, 2, 5), (3, 1, 5), (3, 2, 6))
    ]
    for k, first in enumerate(draws):
        assert len(np.unique(first)) > 0.99 * first.size  # of 24 bits
        lower, upper = (float(value) for value in chosen.parameters.values())
        assert -first.min() < upper
        assert -first.max() > lower
        # mean and variance of U(lower, upper) within 4 standard errors; the kurtosis of U is 9/5
        assert abs(-first.mean() - (lower + upper) / 2) < 4 * (upper - lower) / np.sqrt(
            12 * first.size
        )
        assert abs(first.var() * 12 / (upper - lower) ** 2 - 1) < 4 * np.sqrt(0.8 / first.size)
        for second in draws[k + 1 :]:
            assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4 / np.sqrt(first.size)
    evaluated = phi.forward(x, np.array([3, 2, 5, 0], np.uint64))
    assert_close(evaluated, slow_twins.activate(chosen, x), dtype)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in ACTIVATIONS
        if isinstance(registry.get("activation", name), LearnedActivation)
    ],
)
def test_learned_numbers_have_the_derivative_of_the_forward_pass(name: str) -> None:
    """Central differences of Σ c·y by every learned number, per unit and shared."""
    x, c, step = block("ordinary", "float64"), block("ordinary", "float64", seed=1), 1e-5
    for shared in (False, True):
        phi = Phi(spec("activation", name, shared=shared), x.shape[1], "float64")
        phi.backward(x, phi.forward(x), c)
        expected = []
        for k, value in enumerate(phi.learned.tolist()):
            ends = []
            for moved in (value + step, value - step):
                phi.learned[k] = moved
                ends.append(float(np.sum(c * phi.forward(x))))
            phi.learned[k] = value
            expected.append((ends[0] - ends[1]) / (2 * step))
        assert len(phi.gradient) == (1 if shared else x.shape[1])
        np.testing.assert_allclose(phi.gradient, expected, rtol=1e-8)


# --- normalizations
# --------------------------------------------------------------------------------------------------


class Norm:
    """A compiled normalization with its buffers."""

    def __init__(
        self, name: str, units: int, dtype: str, seed: int = 2, **parameters: float
    ) -> None:
        self.chosen, self.dtype, record = (
            norm_spec(name, units, **parameters),
            dtype,
            registry.get("normalization", name),
        )
        self.operation = kernels.normalization(self.chosen, dtype)
        rng = np.random.default_rng(seed)
        size = len(record.learned(units))
        self.learned = np.concatenate(
            [1 + 0.3 * rng.standard_normal(units), rng.standard_normal(units)]
        )[:size].astype(dtype)
        self.scale, self.shift = self.learned[:units], self.learned[units:]
        self.state = np.zeros(record.persistent(units) + record.scratch(units), dtype)
        self.gradient = np.full(size, 7, dtype)

    def forward(self, x: Array, training: bool = True) -> Array:
        y = np.full_like(x, 7)
        self.operation.forward(
            x,
            y,
            self.learned,
            self.state,
            constants_of(self.operation, self.dtype),
            COUNTER,
            training,
        )
        return y

    def backward(self, x: Array, y: Array, dy: Array) -> Array:
        dx, peak, slopes = np.full_like(x, 7), np.zeros(x.shape[1], self.dtype), np.zeros(3)
        self.operation.backward(
            x,
            y,
            dy,
            dx,
            self.learned,
            self.gradient,
            self.state,
            constants_of(self.operation, self.dtype),
            COUNTER,
            peak,
            slopes,
        )
        return dx


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "parameters"), VARIANTS, ids=str)
def test_normalization_is_its_twin(
    name: str, parameters: dict[str, float], kind: str, dtype: str
) -> None:
    """Constant blocks divide by √ε only, which makes 300 of every rounding error."""
    x = block(kind, dtype)
    dy = np.ascontiguousarray(block("ordinary", dtype, seed=1)[: len(x), : x.shape[1]])
    norm = Norm(name, x.shape[1], dtype, **(parameters if kind != "one_element" else {}))
    y = norm.forward(x)
    dx = norm.backward(x, y, dy)
    with np.errstate(all="ignore"):
        expected = slow_twins.normalize(norm.chosen, x, norm.scale, norm.shift)
        expected_dx, d_scale, d_shift = slow_twins.normalize_backward(
            norm.chosen, x, dy, norm.scale, norm.shift
        )
    size = 300.0 if kind in ("constant", "one_element", "small") else 0.0
    assert_close(y, expected, dtype, size=size)
    assert_close(dx, expected_dx, dtype, 64, size=size)
    assert_close(norm.gradient, np.concatenate([d_scale, d_shift]), dtype, size=size)


@pytest.mark.parametrize(("name", "parameters"), VARIANTS, ids=str)
def test_normalization_backward_is_the_derivative_of_its_forward(
    name: str, parameters: dict[str, float]
) -> None:
    """Central differences of Σ c·y by every element of x, γ and β: needs no definition but the
    kernel's own.
    """
    x, c, step = block("ordinary", "float64"), block("ordinary", "float64", seed=1), 1e-5
    norm = Norm(name, x.shape[1], "float64", **parameters)
    dx = norm.backward(x, norm.forward(x), c)
    found, expected = np.concatenate([dx.ravel(), norm.gradient]), []
    for values in (x.ravel(), norm.learned):
        for k, value in enumerate(values.tolist()):
            ends = []
            for moved in (value + step, value - step):
                values[k] = moved
                ends.append(float(np.sum(c * norm.forward(x))))
            values[k] = value
            expected.append((ends[0] - ends[1]) / (2 * step))
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("dtype", DTYPES)
def test_running_statistics_take_a_tenth_of_every_batch(dtype: str) -> None:
    """Momentum .1, the variance divided by rows − 1; evaluation uses them."""
    norm, x = Norm("batch", 6, dtype), block("ordinary", dtype) + np.asarray(3, dtype)
    norm.state[6:12] = 1
    for _ in range(2):
        norm.forward(x)
    mean, variance = x.mean(axis=0, dtype=float), x.var(axis=0, ddof=1, dtype=float)
    assert_close(norm.state[:6], 0.19 * mean, dtype)
    assert_close(norm.state[6:12], 0.81 + 0.19 * variance, dtype)
    expected = (x - 0.19 * mean) / np.sqrt(0.81 + 0.19 * variance + 1e-5) * norm.scale + norm.shift
    assert_close(norm.forward(x, training=False), expected, dtype)


def test_running_statistics_in_the_form_of_keras() -> None:
    """Momentum .99 there is .01 here, ε .001, the variance divided by rows."""
    norm, x = (
        Norm("batch", 6, "float64", momentum=0.01, epsilon=1e-3, unbiased=False),
        block("ordinary", "float64"),
    )
    norm.state[6:12] = 1
    norm.forward(x)
    assert_close(norm.state[:6], 0.01 * x.mean(axis=0), "float64")
    assert_close(norm.state[6:12], 0.99 + 0.01 * x.var(axis=0), "float64")


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_large_mean_costs_batch_norm_no_digits(dtype: str) -> None:
    """Numbers 1,000 ± 1e-2: sums are shifted by the first row, so that only the digits of x
    itself are missing.
    """
    x = (1000 + 0.01 * block("ordinary", dtype)).astype(dtype)
    norm = Norm("batch", 6, dtype)
    expected = slow_twins.normalize(norm.chosen, x, norm.scale, norm.shift)
    assert np.max(np.abs(norm.forward(x) - expected)) < (
        2e-2 if dtype == "float32" else 1e-9
    )  # float32: spacing 6e-5 of s.d. 1e-2


# --- losses
# --------------------------------------------------------------------------------------------------


def outputs_and_targets(name: str, kind: str, dtype: str) -> tuple[Array, Array]:
    """Outputs a loss may meet: probabilities, an exact 0 among them, where it takes
    probabilities.
    """
    a = block(kind, dtype)
    record = registry.get("loss", name)
    if record.fused:
        a = np.where(np.isfinite(a), 1 / (1 + np.exp(-np.clip(a, -9, 9))), a).astype(dtype)
        a[0, 0] = 0
    hits = np.random.default_rng(3).integers(0, 2, a.shape)
    return a, np.ascontiguousarray(2 * hits - 1 if record.signed else hits, dtype)


def run_loss(
    name: str,
    fused: bool,
    z: Array,
    a: Array,
    targets: Array,
    scale: float,
    weights: Array | None = None,
    **given: Any,
) -> tuple[float, Array]:
    """The compiled loss with the record's defaults except `given`."""
    d, constants = (
        np.full_like(a, 7),
        np.array(kernels.loss_constants(spec("loss", name, **given), a.shape[1]), a.dtype),
    )
    each = np.ones(len(a), a.dtype) if weights is None else weights
    total = kernels.loss(name, fused, a.dtype.name)(
        z, a, targets, d, a.dtype.type(scale), each, constants
    )
    return float(total), d


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", list(registry.records("loss")))
def test_loss_is_its_twin(name: str, kind: str, dtype: str) -> None:
    a, targets = outputs_and_targets(name, kind, dtype)
    total, d = run_loss(name, False, a, a, targets, 0.125)
    chosen = spec("loss", name)
    expected = slow_twins.losses(chosen, a, targets)
    assert_close(
        np.array([total]), np.array([expected.sum()]), "float64" if kind == "nan_laden" else dtype
    )
    assert_close(d, slow_twins.loss_slope(chosen, a, targets) / 8, dtype)


@pytest.mark.parametrize(
    ("name", "fused"),
    [*((name, False) for name in registry.records("loss")), *((name, True) for name in FUSED)],
)
def test_weights_multiply_samples_and_parameters_reach_the_kernel(name: str, fused: bool) -> None:
    """Every parameter away from its default, every sample with its own weight, one of them 0."""
    record = registry.get("loss", name)
    given = {
        each.name: "mean" if each.choices else float(each.default) * 0.7
        for each in record.parameters
    }
    chosen, weights = spec("loss", name, **given), np.linspace(0, 3, 11)
    z = block("ordinary", "float64")
    output = spec("activation", record.output_activation)
    a, targets = slow_twins.activate(output, z), outputs_and_targets(name, "ordinary", "float64")[1]
    targets[:] = np.eye(6)[np.arange(11) % 6] * (2 if record.signed else 1) - record.signed
    total, d = run_loss(name, fused, z, a, targets, 0.125, weights, **given)
    assert total == pytest.approx(float(slow_twins.losses(chosen, a, targets) @ weights), rel=1e-12)
    da = slow_twins.loss_slope(chosen, a, targets) * weights[:, None] / 8
    np.testing.assert_allclose(
        d, slow_twins.activate_backward(output, z, a, da) if fused else da, rtol=1e-10, atol=1e-15
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUSED)
def test_surely_wrong_probabilities_cost_the_clipped_loss(name: str, dtype: str) -> None:
    """p clipped to 1e-7 is 16.12 nats; float32 has 1 − 1.19e-7 instead of 1 − 1e-7, which makes
    15.94. Clipping leaves no derivative.
    """
    for a, target in ((0.0, 1.0), *([(1.0, 0.0)] if name == "binary_cross_entropy" else [])):
        total, d = run_loss(
            name, False, *(np.full((1, 1), value, dtype) for value in (a, a, target)), 1
        )
        assert total == pytest.approx(7 * np.log(10), rel=0.012 if dtype == "float32" else 1e-8)
        assert d[0, 0] == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["ordinary", "constant", "small"])
@pytest.mark.parametrize("name", FUSED)
def test_joined_loss_is_output_activation_then_loss(name: str, kind: str, dtype: str) -> None:
    """Where no probability is so small that the separate form clips it."""
    record = registry.get("loss", name)
    output, z = spec("activation", record.fused), block(kind, dtype)
    targets = np.ascontiguousarray(np.eye(6)[np.arange(11) % 6], dtype)
    total, d = run_loss(name, True, z, run_forward(output, z), targets, 0.125)
    a = slow_twins.activate(output, z)
    assert_close(
        np.array([total]),
        np.array([slow_twins.losses(spec("loss", name), a, targets).sum()]),
        dtype,
    )
    da = slow_twins.loss_slope(spec("loss", name), a, targets) / 8
    assert_close(d, slow_twins.activate_backward(output, z, a, da), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_cross_entropy_keeps_what_clipping_loses(dtype: str) -> None:
    """z = (0, h), the wrong class by h: the loss is h though the probability is e^−h = 0; the
    derivative is (−1, 1).
    """
    for h in (50.0, 1e4, HUGE[dtype]):
        z, targets = np.array([[0, h]], dtype), np.array([[1, 0]], dtype)
        total, d = run_loss(
            "cross_entropy", True, z, run_forward(spec("activation", "softmax"), z), targets, 1
        )
        assert total == float(z[0, 1])
        assert d.tolist() == [[-1, 1]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_binary_cross_entropy_keeps_what_clipping_loses(dtype: str) -> None:
    """Surely wrong by h costs h, surely right nothing."""
    h = HUGE[dtype]
    z, targets = np.array([[h, -h, h, -h]], dtype), np.array([[0, 1, 1, 0]], dtype)
    total, d = run_loss(
        "binary_cross_entropy", True, z, run_forward(spec("activation", "sigmoid"), z), targets, 1
    )
    assert total == pytest.approx(2 * h, rel=1e-6)
    assert d.tolist() == [[1, -1, 0, 0]]


@pytest.mark.parametrize("name", FUSED)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_joined_loss_of_nonfinite_preactivations_is_not_finite(name: str, bad: float) -> None:
    """Every position; sure and right is the one case in which infinity costs nothing."""
    output = spec("activation", registry.get("loss", name).fused)
    for position in range(3):
        z, targets = np.array([[0.5, -1.0, 2.0]]), np.ones((1, 3))
        z[0, position] = bad
        total, _ = run_loss(name, True, z, run_forward(output, z), targets, 1)
        right = name == "binary_cross_entropy" and bad > 0
        assert right or not np.isfinite(total)


# --- optimizers
# --------------------------------------------------------------------------------------------------

OPTIMIZERS = list(registry.records("optimizer"))
SIZES = {
    "ordinary": 2500,
    "constant": 1025,
    "huge": 1024,
    "nan_laden": 40,
    "small": 1500,
    "one_element": 1,
}


def run_update(
    chosen: Spec, w: Array, g: Array, moments: Array, step: int, rate: float
) -> tuple[Array, Array, Array]:
    """(w, moments, sums) after one compiled update; moments (states, size)."""
    dtype = w.dtype.name
    update, prepare = kernels.optimizer(chosen.name, dtype)
    numbers, sums = np.zeros(16, dtype), np.full(positions.UPDATE_SUMS, 7.0)
    values = np.array([*map(float, chosen.parameters.values()), *chosen.record.running])
    for t in range(1 if chosen.record.running else step, step + 1):
        prepare(float(t), rate, values, numbers)
    w, state = w.copy(), moments.ravel().copy()
    update(w, g, state, 0, len(w), numbers, sums)
    return w, state.reshape(moments.shape), sums


def compiled_numbers(chosen: Spec, step: int, rate: float, dtype: str) -> tuple[float, ...]:
    """The coefficients as the kernel has them: rounded to its precision."""
    return tuple(np.array(slow_twins.coefficients(chosen, step, rate), dtype).tolist())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_update_is_its_twin(name: str, kind: str, dtype: str) -> None:
    """Sizes around the 1,024 numbers that are worked through at a time."""
    chosen, size = spec("optimizer", name), SIZES[kind]
    w, g = (block(kind, dtype, 1, size, seed)[0] for seed in (0, 1))
    state = np.abs(block("ordinary", dtype, max(1, chosen.record.states), size, 2))[
        : chosen.record.states
    ]
    after, moments, sums = run_update(chosen, w, g, state, 3, 0.1)
    numbers = compiled_numbers(chosen, 3, 0.1, dtype)
    with np.errstate(all="ignore"):
        expected, expected_moments = slow_twins.optimize(chosen, w, g, state, numbers)
        expected_sums = slow_twins.update_sums(w, g, after)
    assert_close(after, expected, dtype)
    assert_close(moments, expected_moments, dtype)
    asked = set(range(positions.UPDATE_SUMS)) - {positions.SUM_G}
    if kind == "nan_laden":
        asked.remove(
            positions.MAX_ABS_W
        )  # a NaN weight ends a run on the way forward: its max |w| is never recorded
    np.testing.assert_allclose(
        sums[list(asked)],
        [expected_sums[k] for k in asked],
        rtol=1e3 * np.finfo(dtype).eps,
        equal_nan=True,
    )
    if kind != "nan_laden":
        assert sums[positions.SUM_G] == pytest.approx(
            expected_sums[positions.SUM_G],
            abs=1e2 * float(np.finfo(dtype).eps) * expected_sums[positions.SUM_ABS_G],
        )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_update_stays_inside_its_part(name: str) -> None:
    """Parameters 5 … 11 of 20: the memory of the others is untouched."""
    chosen = spec("optimizer", name)
    update, prepare = kernels.optimizer(name, "float64")
    numbers, sums, state = (
        np.zeros(16),
        np.zeros(positions.UPDATE_SUMS),
        np.full(20 * chosen.record.states, 0.5),
    )
    prepare(
        1.0,
        0.1,
        np.array([*map(float, chosen.parameters.values()), *chosen.record.running]),
        numbers,
    )
    update(np.ones(7), np.ones(7), state, 5, 20, numbers, sums)
    changed = (
        np.flatnonzero(state.reshape(-1, 20)[0] != 0.5).tolist() if chosen.record.states else []
    )
    assert set(changed) <= set(range(5, 12))


@pytest.mark.parametrize("dtype", DTYPES)
def test_zero_weights_are_counted(dtype: str) -> None:
    w = np.array([0.0, -0.0, 1.0, 1e-30], dtype)
    sums = run_update(
        spec("optimizer", "sgd"), w, np.ones(4, dtype), np.zeros((0, 4), dtype), 1, 0.1
    )[2]
    assert sums[positions.ZERO_WEIGHTS] == 2
