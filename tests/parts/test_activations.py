"""Activation records: PyTorch's values and slopes, numerical derivatives, conventions at kinks,
and the numbers that stand in the records.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import slow_twins
from oracles import installed, known_to
from small_nets import Array, spec

from dlprobe import registry
from dlprobe.parts.activations import (
    Activation,
    GatedActivation,
    LearnedActivation,
    RandomActivation,
    RowActivation,
)
from dlprobe.registry import Spec

ELEMENTWISE = [
    name
    for name, record in registry.records("activation").items()
    if isinstance(record, Activation)
]
ROWWISE = [
    name
    for name, record in registry.records("activation").items()
    if isinstance(record, RowActivation | GatedActivation)
]
# fmt: off
KERAS = {
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu",  # noqa: E501
    "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softmax",  # noqa: E501
    "soft_shrink", "softplus", "softsign", "sparse_plus", "sparsemax", "squareplus", "tanh", "tanh_shrink", "threshold",  # noqa: E501
}
# fmt: on
GRID = np.concatenate([np.linspace(-30, 30, 1201), [-300.0, 300.0, 1e-12, -1e-12, 0.3, -0.7]])


def variants(name: str) -> list[Spec]:
    """The record with its defaults, and with every parameter moved: numbers up, switches over."""
    moved = {
        p.name: not p.default if isinstance(p.default, bool) else float(p.default) + 0.7
        for p in registry.get("activation", name).parameters
    }
    return [spec("activation", name), *([spec("activation", name, **moved)] if moved else [])]


def off_the_kinks(chosen: Spec, z: Array, reach: float) -> Array:
    for kink in chosen.record.kinks(*chosen.parameters.values()):
        z = z[np.abs(z - kink) > reach]
    return z


@pytest.mark.parametrize("name", [*ELEMENTWISE, *ROWWISE])
def test_values_fill_the_output_range_and_no_more(name: str) -> None:
    """Of rows from −10⁶ to 10⁶: no value lies outside, and values come as near each end as a
    finite preactivation can, or grow beyond any bound.
    """
    far = np.concatenate(
        [
            -np.geomspace(1e6, 1e-3, 400),
            [0.0],
            np.geomspace(1e-3, 1e6, 400),
            np.linspace(-6.0, 6.0, 2401),
        ]
    )
    if name == "exponential":
        far = far[far < 700.0]
    for chosen in variants(name):
        parameters = chosen.parameters.values()
        rows = (
            [[z] for z in far.tolist()] if name in ELEMENTWISE else [[z, 0.0] for z in far.tolist()]
        )
        values = np.array([chosen.record.evaluate(row, *parameters) for row in rows])
        low, high = chosen.record.output_range(*parameters)
        assert values.min() >= low - 1e-12, chosen
        assert values.max() <= high + 1e-12, chosen
        assert values.min() < -1e3 if math.isinf(low) else values.min() < low + 1e-5, chosen
        assert values.max() > 1e3 if math.isinf(high) else values.max() > high - 1e-5, chosen


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_slope_is_the_derivative_of_the_value(name: str) -> None:
    """Central differences away from kinks, where rounding of large values does not drown them."""
    step = 1e-6
    for chosen in variants(name):
        z = off_the_kinks(chosen, GRID[np.abs(GRID) < 31], 2 * step)
        z = z[np.abs(slow_twins.activate(chosen, z)) < 100]
        expected = (
            slow_twins.activate(chosen, z + step) - slow_twins.activate(chosen, z - step)
        ) / (2 * step)
        np.testing.assert_allclose(
            slow_twins.slopes(chosen, z, slow_twins.activate(chosen, z)),
            expected,
            rtol=1e-7,
            atol=1e-8,
        )


def largest_slopes(chosen: Spec, z: Array) -> Array:
    """|φ'|, at the largest number that can be drawn where one is."""
    if isinstance(chosen.record, RandomActivation):
        return np.array(
            [
                chosen.record.slope(x, math.nan, float(chosen.parameters["upper"]))
                for x in z.tolist()
            ]
        )
    slope = slow_twins.slopes(chosen, z, slow_twins.activate(chosen, z))
    assert slope is not None
    return slope


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_largest_slope_is_the_supremum(name: str) -> None:
    """Reached or approached within |z| ≤ 1e6 or at a kink, never exceeded."""
    for chosen in variants(name):
        ends = [
            kink + side
            for kink in chosen.record.kinks(*chosen.parameters.values())
            for side in (-1e-9, 1e-9)
        ]
        z = np.concatenate([np.linspace(-30, 30, 60001), [1e-300, -1e6, 1e6], ends])
        slope = largest_slopes(chosen, z)
        if math.isinf(chosen.record.largest_slope(*chosen.parameters.values())):
            assert float(np.max(np.abs(slope))) > 1e12
            continue
        assert float(np.max(np.abs(slope))) == pytest.approx(
            chosen.record.largest_slope(*chosen.parameters.values()), rel=1e-7
        )


@pytest.mark.parametrize(
    "name", [name for name in ELEMENTWISE if registry.get("activation", name).other_slope]
)
def test_slope_is_nowhere_anything_but_1_and_the_other_slope(name: str) -> None:
    for chosen in variants(name):
        kinks = chosen.record.kinks(*chosen.parameters.values())
        z = np.concatenate([GRID, np.linspace(-9, 9, 1801), kinks])
        slope, other = (
            slow_twins.slopes(chosen, z, slow_twins.activate(chosen, z)),
            chosen.record.other_slope(*chosen.parameters.values()),
        )
        assert set(np.unique(slope)) == {1.0, other}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_slope_is_continuous_except_at_the_kinks_that_the_record_names(name: str) -> None:
    chosen = spec("activation", name)
    z = off_the_kinks(chosen, np.linspace(-5, 5, 100002), 1e-4)
    slope = slow_twins.slopes(chosen, z, slow_twins.activate(chosen, z))
    assert slope is not None
    near = np.diff(z) < 1.5e-4
    steep = 1e-3 * np.maximum(1, np.abs(slope[1:]))
    assert np.all((np.abs(np.diff(slope)) < steep)[near])


@pytest.mark.parametrize(
    ("name", "point", "slope"),
    [
        ("relu", 0.0, 0.0),
        ("leaky_relu", 0.0, 0.01),
        ("elu", 0.0, 1.0),
        ("selu", 0.0, 1.0507009873554805 * 1.6732632423543772),
        ("softsign", 0.0, 1.0),
        ("softplus", 0.0, 0.5),
        ("gelu", 0.0, 0.5),
        ("silu", 0.0, 0.5),
        ("sigmoid", 0.0, 0.25),
        ("tanh", 0.0, 1.0),
        ("linear", 0.0, 1.0),
        ("relu6", 0.0, 0.0),
        ("relu6", 6.0, 0.0),
        ("celu", 0.0, 1.0),
        ("threshold", 1.0, 0.0),
        ("hard_tanh", 1.0, 0.0),
        ("hard_tanh", -1.0, 0.0),
        ("hard_sigmoid", 3.0, 0.0),
        ("hard_sigmoid", -3.0, 0.0),
        ("hard_sigmoid", 0.0, 1 / 6),
        ("hard_silu", 3.0, 1.0),
        ("hard_silu", -3.0, 0.0),
        ("hard_shrink", 0.5, 0.0),
        ("soft_shrink", -0.5, 0.0),
        ("sparse_plus", 0.0, 0.5),
        ("squareplus", 0.0, 0.5),
        ("exponential", 0.0, 1.0),
        ("erf", 0.0, 2 / math.sqrt(math.pi)),
        ("mish", 0.0, 0.6),  # tanh(ln 2)
        ("log_sigmoid", 0.0, 0.5),
        ("tanh_shrink", 0.0, 0.0),
        ("prelu", 0.0, 0.25),
        ("rrelu", 0.0, (1 / 8 + 1 / 3) / 2),
    ],
)
def test_conventions_at_kinks_and_slopes_at_zero(name: str, point: float, slope: float) -> None:
    chosen, z = spec("activation", name), np.array([point])
    assert slow_twins.slopes(chosen, z, slow_twins.activate(chosen, z)) == pytest.approx(
        slope, rel=1e-14
    )


@pytest.mark.parametrize(
    ("name", "z", "value"),
    [
        ("sigmoid", math.log(3), 0.75),
        ("tanh", math.log(2), 0.6),  # (4 − 1)/(4 + 1)
        ("silu", math.log(3), 0.75 * math.log(3)),
        ("softplus", math.log(3), math.log(4)),
        ("softsign", -3.0, -0.75),
        ("elu", -math.log(2), -0.5),
        ("selu", -math.log(2), -0.5 * 1.0507009873554805 * 1.6732632423543772),
        ("selu", 2.0, 2 * 1.0507009873554805),
        ("relu", -2.0, 0.0),
        ("leaky_relu", -2.0, -0.02),
        ("gelu", 1.0, 0.8413447460685429),  # Φ(1)
        ("linear", -2.0, -2.0),
        ("celu", -math.log(2), -0.5),
        ("exponential", math.log(3), 3.0),
        ("relu6", 7.0, 6.0),
        ("threshold", 0.9, 0.0),
        ("threshold", 1.1, 1.1),
        ("hard_sigmoid", 1.5, 0.75),
        ("hard_tanh", -1.5, -1.0),
        ("hard_silu", 1.0, 2 / 3),
        ("hard_silu", -1.0, -1 / 3),
        ("hard_shrink", -0.4, 0.0),
        ("hard_shrink", -0.6, -0.6),
        ("soft_shrink", 2.0, 1.5),
        ("soft_shrink", -2.0, -1.5),
        ("sparse_plus", 0.0, 0.25),
        ("sparse_plus", -2.0, 0.0),
        ("sparse_plus", 3.0, 3.0),
        ("squareplus", 1.5, 2.0),  # √(2.25 + 4) = 2.5
        ("squareplus", -1.5, 0.5),
        ("squareplus", -1e9, 1e-9),  # b/(4|z|)
        ("tanh_shrink", math.log(2), math.log(2) - 0.6),
        ("mish", 1.0, math.tanh(math.log1p(math.e))),
        ("log_sigmoid", math.log(3), math.log(0.75)),
        ("erf", 1.0, 0.8427007929497149),
        ("prelu", -2.0, -0.5),
        ("rrelu", -2.0, -(1 / 8 + 1 / 3)),
    ],
)
def test_values_worked_by_hand(name: str, z: float, value: float) -> None:
    assert slow_twins.activate(spec("activation", name), np.array([z])) == pytest.approx(
        value, rel=1e-14
    )


def test_elu_with_large_alpha_is_not_the_maximum_of_the_slides() -> None:
    """z = 1, α = 3: the slides' max(z, α(e^z − 1)) would give 5.15."""
    assert slow_twins.activate(spec("activation", "elu", alpha=3.0), np.array([1.0])).tolist() == [
        1.0
    ]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_default_initializer_is_registered(name: str) -> None:
    assert registry.get("activation", name).initializer in registry.records("initializer")


# --- row-wise
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROWWISE)
def test_rowwise_backward_is_the_numerical_jacobian(name: str) -> None:
    chosen, step = spec("activation", name), 1e-6
    z = np.random.default_rng(0).standard_normal((1, 6))
    a = slow_twins.activate(chosen, z)
    da = np.random.default_rng(1).standard_normal(a.shape)
    expected = []
    for k in range(z.shape[1]):
        move = np.eye(z.shape[1])[k : k + 1] * step
        expected.append(
            float(
                np.sum(
                    da
                    * (
                        slow_twins.activate(chosen, z + move)
                        - slow_twins.activate(chosen, z - move)
                    )
                )
            )
            / (2 * step)
        )
    np.testing.assert_allclose(
        slow_twins.activate_backward(chosen, z, a, da)[0], expected, rtol=1e-7, atol=1e-9
    )


def test_softmax_of_logarithms_is_their_shares() -> None:
    """ln 1, ln 2, ln 5 → 1/8, 2/8, 5/8, and a common shift changes nothing."""
    for shift in (0.0, 1000.0, -1000.0):
        np.testing.assert_allclose(
            slow_twins.activate(spec("activation", "softmax"), np.log([[1, 2, 5]]) + shift),
            [[0.125, 0.25, 0.625]],
            rtol=1e-12,
        )


def test_log_softmax_is_the_logarithm_even_where_softmax_underflows() -> None:
    """z = (0, −1000): e^−1000 is 0, its logarithm −1000."""
    assert slow_twins.activate(
        spec("activation", "log_softmax"), np.array([[0.0, -1000.0]])
    ).tolist() == [[0.0, -1000.0]]
    z = np.log([[1.0, 2.0, 5.0]])
    np.testing.assert_allclose(
        slow_twins.activate(spec("activation", "log_softmax"), z),
        np.log([[0.125, 0.25, 0.625]]),
        rtol=1e-14,
    )


def sparsemax_by_sorting(z: Array) -> Array:
    """Martins & Astudillo 2016, algorithm 1: k = the largest with 1 + k z_(k) > Σ_{j ≤ k}
    z_(j), τ = (Σ_{j ≤ k} z_(j) − 1)/k.
    """
    ordered = np.sort(z)[::-1]
    sums, counts = np.cumsum(ordered), np.arange(1, len(z) + 1)
    k = counts[1 + counts * ordered > sums][-1]
    return np.asarray(np.maximum(z - (sums[k - 1] - 1) / k, 0))


def test_sparsemax_is_the_projection_onto_the_simplex() -> None:
    """The algorithm of the paper, on rows that keep one to all of their entries; (.5, 0, −9)
    worked by hand: τ = −.25.
    """
    rng, chosen = np.random.default_rng(0), spec("activation", "sparsemax")
    rows = [
        rng.standard_normal(size) * scale
        for size in (1, 2, 7, 40)
        for scale in (0.01, 0.3, 1.0, 30.0)
        for _ in range(5)
    ]
    found = [slow_twins.activate(chosen, row[None])[0] for row in rows]
    for row, a in zip(rows, found, strict=True):
        np.testing.assert_allclose(a, sparsemax_by_sorting(row), atol=1e-14)
        assert a.sum() == pytest.approx(1, rel=1e-13)
    assert {int(np.count_nonzero(a)) for a in found} >= {1, 2, 3, 7, 40}
    assert slow_twins.activate(chosen, np.array([[0.5, 0.0, -9.0]])).tolist() == [[0.75, 0.25, 0.0]]


def test_equal_entries_share_sparsemax() -> None:
    assert slow_twins.activate(spec("activation", "sparsemax"), np.full((1, 4), 1e6)).tolist() == [
        [0.25] * 4
    ]


def test_glu_halves_the_row() -> None:
    """(1, −2 | 0, ln 3) → 1·1/2, −2·3/4."""
    chosen = spec("activation", "glu")
    np.testing.assert_allclose(
        slow_twins.activate(chosen, np.array([[1, -2, 0, math.log(3)]])), [[0.5, -1.5]], rtol=1e-14
    )
    assert chosen.record.width(100) == 50


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, record in registry.records("activation").items()
        if isinstance(record, LearnedActivation)
    ],
)
def test_learned_slope_is_the_derivative_by_the_learned_number(name: str) -> None:
    record, step = registry.get("activation", name), 1e-6
    for z in (-3.0, -0.5, 0.5, 3.0):
        expected = (record.value(z, 0.4 + step) - record.value(z, 0.4 - step)) / (2 * step)
        assert record.learned_slope(z, 0.4) == pytest.approx(expected, abs=1e-8)


def test_prelu_learns_one_slope_per_unit_or_one_in_all() -> None:
    record = registry.get("activation", "prelu")
    assert record.learned(3, 0.25, False) == (0.25, 0.25, 0.25)
    assert record.learned(3, 0.1, True) == (0.1,)


# --- form
# --------------------------------------------------------------------------------------------------


def test_every_activation_of_keras_is_here() -> None:
    assert KERAS | {"erf", "prelu", "rrelu"} <= set(registry.records("activation"))


@pytest.mark.parametrize("name", list(registry.records("activation")))
def test_defaults_raise_no_objection(name: str) -> None:
    assert (
        registry.get("activation", name).objection(*spec("activation", name).parameters.values())
        is None
    )


# --- PyTorch
# --------------------------------------------------------------------------------------------------


THEIR_NAMES = {
    "hard_sigmoid": "hardsigmoid", "hard_tanh": "hardtanh", "hard_silu": "hardswish", "hard_shrink": "hardshrink", "soft_shrink": "softshrink",  # noqa: E501
    "tanh_shrink": "tanhshrink", "log_sigmoid": "logsigmoid", "exponential": "exp", "log_softmax": "log_softmax",  # noqa: E501
}  # fmt: skip


def torch_function(torch: Any, chosen: Spec) -> Any:
    """PyTorch's function of a record, None where it has none."""
    values = list(chosen.parameters.values())
    special = {
        "linear": lambda z: z * 1.0,
        "gelu": lambda z: torch.nn.functional.gelu(z, approximate="tanh" if values[0] else "none"),
        "glu": lambda z: torch.nn.functional.glu(z, 1),
        "softmax": lambda z: torch.softmax(z, 1),
        "log_softmax": lambda z: torch.log_softmax(z, 1),
        "prelu": lambda z: torch.nn.functional.prelu(
            z, torch.tensor([values[0]], dtype=torch.float64)
        ),
    }
    if chosen.name in special:
        return special[chosen.name]
    name = THEIR_NAMES.get(chosen.name, chosen.name)
    function = getattr(torch.nn.functional, name, None) or getattr(torch, name, None)
    return function and (lambda z: function(z, *values))


def known_to_pytorch(names: list[str]) -> list[str]:
    return known_to(
        installed("torch"),
        lambda torch, name: torch_function(torch, spec("activation", name)),
        names,
    )


@pytest.mark.parametrize("name", known_to_pytorch(ROWWISE))
def test_rows_and_their_gradients_are_those_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    chosen = spec("activation", name)
    function = torch_function(torch, chosen)
    rows = np.random.default_rng(0).standard_normal((5, 8)) * [[0.1], [1], [3], [30], [300]]
    z = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
    a = function(z)
    da = np.random.default_rng(1).standard_normal(tuple(a.shape))
    a.backward(torch.tensor(da))
    ours = slow_twins.activate(chosen, rows)
    np.testing.assert_allclose(ours, a.detach().numpy(), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(
        slow_twins.activate_backward(chosen, rows, ours, da), z.grad.numpy(), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("name", known_to_pytorch(ELEMENTWISE))
def test_values_and_slopes_are_those_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    for chosen in variants(name):
        function = torch_function(torch, chosen)
        z = torch.tensor(
            GRID, dtype=torch.float64, requires_grad=True
        )  # the kinks are among its points
        a = function(z)
        a.sum().backward()
        ours = slow_twins.activate(chosen, GRID)
        # PyTorch's softplus is z itself above 20: 2e-9 off
        rough = {"softplus": 3e-9, "mish": 1e-9, "hard_sigmoid": 5e-9, "celu": 5e-8}.get(
            name
        )  # 1/6 and 1/α are float32 there
        np.testing.assert_allclose(ours, a.detach().numpy(), rtol=1e-12, atol=rough or 1e-15)
        np.testing.assert_allclose(
            slow_twins.slopes(chosen, GRID, ours), z.grad.numpy(), rtol=1e-9, atol=rough or 1e-14
        )


def test_gains_are_those_of_pytorch() -> None:
    """Sigmoid and linear 1, tanh 5/3, relu √2, leaky_relu √(2/(1 + slope²)), selu 3/4."""
    torch = pytest.importorskip("torch")
    for name, record in registry.records("activation").items():
        chosen = spec("activation", name)
        try:
            expected = torch.nn.init.calculate_gain(name, *list(chosen.parameters.values())[:1])
        except ValueError:
            continue  # not in PyTorch's table
        assert record.gain(*chosen.parameters.values()) == pytest.approx(expected, rel=1e-15), name


def test_gains_of_the_table() -> None:
    gains = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
    assert {name: registry.get("activation", name).gain() for name in gains} == pytest.approx(
        gains, rel=1e-15
    )
    assert registry.get("activation", "leaky_relu").gain(0.2) == pytest.approx(
        math.sqrt(2 / 1.04), rel=1e-15
    )
