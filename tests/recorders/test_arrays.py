"""The array contract: from the same net, parameters and batch every statistic is that of
dlprobe's own run, and what was not given is not recorded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slow_twins
from command_line import dlprobe
from small_nets import Array, data_for, jitter, network

from dlprobe import open_run, registry
from dlprobe.api import LayerFacts, RunFacts
from dlprobe.errors import RunFileError
from dlprobe.parts.activations import Activation
from dlprobe.recorders import definitions
from dlprobe.recorders.arrays import LayerArrays, Recorder
from dlprobe.recorders.slopes import FAST, elementwise, slopes_of
from dlprobe.runs import Run

NAMES = tuple(registry.records("statistic"))
TOLERANCE = 1e-5
EXACT = 1e-12  # of float64 nets: variances of what is nearly constant


def opened(path: Path) -> Run:
    run = open_run(path)
    assert isinstance(run, Run)
    return run


def traced_arrays(layer: slow_twins.LayerTrace, after: Array, with_slopes: bool) -> LayerArrays:
    return LayerArrays(
        z=layer.z,
        a=layer.a,
        error_signal=layer.d,
        activation_gradient=layer.da,
        gradient=layer.weight_gradient,
        weights=layer.weights,
        weights_after=after,
        bias=layer.bias,
        inputs=layer.x,
        slopes=layer.slope if with_slopes else None,
    )


@pytest.mark.parametrize("norm", [None, ("batch", False), ("layer", True)], ids=str)
@pytest.mark.parametrize("batch", [1, 9, 16])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
def test_every_statistic_is_that_of_dlprobes_own_run(
    activation: str, batch: int, norm: Any, tmp_path: Path
) -> None:
    """The engine trains three steps; the arrays come from the plain net of the tests, written
    from the formulas.
    """
    net = jitter(
        network(
            (6, 9, 8, 7, 3),
            loss="cross_entropy",
            output="softmax",
            activation=activation,
            batch=batch,
            norm=norm,
        )
    )
    inputs, targets = data_for(net, 16)
    facts = [
        LayerFacts(
            f"layer{k}", activation=activation, normalization=norm[0] if norm and k < 3 else "none"
        )
        for k in range(4)
    ]
    facts[-1] = LayerFacts("output", activation="softmax")
    own = []
    with Recorder(tmp_path / "run.h5", facts) as recorder:
        for step, chosen in enumerate(slow_twins.batches(16, batch, net.seed, 3)):
            layers, loss = slow_twins.trace(net, inputs[chosen], targets[chosen], step)
            own.append(net.train(inputs, targets, step, np.array([0.05])).statistics[0])
            after = [net.weights(k).copy() for k in range(4)]
            recorder.step(
                step,
                [
                    traced_arrays(*pair, with_slopes=norm is not None)
                    for pair in zip(layers, after, strict=True)
                ],
                batch_loss=loss,
            )
    with opened(tmp_path / "run.h5") as run:
        assert (run.origin, run.status, list(run.steps)) == ("arrays", "finished", [0, 1, 2])
        for index, name in enumerate(NAMES):
            expected = np.array([row[:, index] for row in own])
            found = run.statistic(name) if run.is_recorded(name) else np.full_like(expected, np.nan)
            np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=EXACT, err_msg=name)


def test_defaults_fill_in_what_a_chain_of_dense_layers_has(tmp_path: Path) -> None:
    """The next layer's input is a, dL/da is δ Wᵀ, slopes come from the activation."""
    net = jitter(network((6, 9, 8, 3), activation="relu", batch=8))
    inputs, targets = data_for(net, 8)
    layers, _ = slow_twins.trace(net, inputs, targets)
    facts = [LayerFacts(str(k), activation="relu" if k < 2 else "linear") for k in range(3)]
    given = [
        LayerArrays(
            z=each.z,
            a=each.a,
            error_signal=each.d,
            weights=each.weights,
            inputs=inputs if k == 0 else None,
        )
        for k, each in enumerate(layers)
    ]
    with Recorder(tmp_path / "run.h5", facts) as recorder:
        recorder.step(0, given)
    with opened(tmp_path / "run.h5") as run:
        for name in (
            "gradient_sample_rms",
            "underflow_count",
            "slope_mean_square",
            "dead_fraction",
            "flat_fraction",
        ):
            np.testing.assert_allclose(
                run.statistic(name)[0],
                slow_twins.statistics(name, layers, net),
                rtol=1e-6,
                err_msg=name,
            )
        assert not any(
            map(run.is_recorded, ("update_ratio", "gradient_l2", "bias_rms", "batch_loss"))
        )


def test_sample_gradients_over_positions_are_those_of_matrices_written_out() -> None:
    """‖a‖²‖δ‖² summed over positions would be .64 to 1.01 of the truth."""
    random = np.random.default_rng(0)
    x, d = random.normal(size=(5, 7, 4)), random.normal(size=(5, 7, 3))
    matrices = [5 * sum(np.outer(x[i, t], d[i, t]) for t in range(7)) for i in range(5)]
    expected = np.sqrt(np.mean([np.sum(m**2) for m in matrices]) / 12)
    assert definitions.sample_gradient_rms(x, d, 5) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("name", list(FAST))
def test_slopes_of_whole_arrays_are_those_of_the_record(name: str) -> None:
    spec = elementwise(name)
    assert spec is not None
    assert isinstance(spec.record, Activation)
    z = np.linspace(-3, 3, 61)
    a = slow_twins.activate(spec, z)
    np.testing.assert_allclose(slopes_of(spec, z, a), slow_twins.slopes(spec, z, a), rtol=1e-14)


def test_nothing_is_made_up_for_an_activation_without_slopes() -> None:
    assert elementwise("softmax") is None
    assert elementwise(None) is None
    assert elementwise("never_heard_of") is None


def test_data_is_described_and_not_kept(tmp_path: Path) -> None:
    x, y = np.arange(12.0).reshape(6, 2), np.array([0, 0, 0, 1, 1, 2])
    with Recorder(tmp_path / "run.h5", ["only"]) as recorder:
        recorder.data(x, y, x[:2], y[:2])
        recorder.evaluation(0, train_error=0.5)
        recorder.step(0, [LayerArrays(weights=np.ones((2, 3)))])
    with opened(tmp_path / "run.h5") as run:
        assert list(run.data["train_class_counts"]) == [3, 2, 1]
        assert list(run.data["val_class_counts"]) == [2, 0, 0]
        assert (run.data["task"], run.data["duplicates_train_val"], run.data["input_mean"]) == (
            "classification",
            2,
            5.5,
        )
        assert list(run.data["feature_max"]) == [10.0, 11.0]
        assert list(run.evaluations["train_error"]) == [0.5]
        assert len(run.data["fingerprint"]) == 64
    assert (tmp_path / "run.h5").stat().st_size < 400_000


def test_what_does_not_fit_is_refused_with_both_shapes(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run.h5", ["a", "b"]) as recorder:
        with pytest.raises(ValueError, match="step 0 has 1 layer, expected 2"):
            recorder.step(0, [LayerArrays()])
        with pytest.raises(
            ValueError, match=r"error_signal has shape \(2, 3\), expected that of z, \(2, 4\)"
        ):
            recorder.step(
                0, [LayerArrays(z=np.ones((2, 4)), error_signal=np.ones((2, 3))), LayerArrays()]
            )
        with pytest.raises(ValueError, match="train: 3 inputs and 2 targets"):
            recorder.data(np.ones((3, 1)), np.ones(2))
        recorder.step(0, [LayerArrays(weights=np.ones(1)), LayerArrays()])
        with pytest.raises(ValueError, match="the first step is recorded already"):
            recorder.data(np.ones((2, 1)), np.ones(2))
    with pytest.raises(RunFileError, match="exists already"):
        Recorder(tmp_path / "run.h5", ["a"])


def broken_training(path: Path) -> None:
    with Recorder(path, ["a"], RunFacts(batch_size=4)) as recorder:
        recorder.step(0, [LayerArrays(weights=np.ones((1, 1)))], batch_loss=2.0)
        raise ZeroDivisionError


def test_an_exception_closes_the_file_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        broken_training(tmp_path / "run.h5")
    with opened(tmp_path / "run.h5") as run:
        assert (run.status, list(run.scalar("batch_loss")), run.facts.batch_size) == (
            "failed",
            [2.0],
            4,
        )
    assert dlprobe("inspect", str(tmp_path / "run.h5")).code == 0
