"""The loop around the engine: what is recorded, when it ends, and that nothing in it changes
what is computed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dlprobe import registry
from dlprobe.config import from_options
from dlprobe.data import load, prepare
from dlprobe.record import layout
from dlprobe.record.recorder import Recorder, Snapshots
from dlprobe.runs import RunWriter
from dlprobe.training import describe, trainer
from dlprobe.training.stopping import Stop

SMALL = {"layers": "12,8", "epochs": "2", "data": "wine"}


def session(**options: str) -> trainer.Session:
    config = from_options(
        None,
        {**SMALL, **options}
        if "steps" not in options
        else {**{k: v for k, v in SMALL.items() if k != "epochs"}, **options},
    )
    return trainer.start(
        config, prepare(load(config.data, 0), config.data, 0, config.training.dtype)
    )


class Log(Recorder):
    """A recorder that keeps everything it is handed."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.statistics: list[Any] = []
        self.scalars: list[Any] = []
        self.evaluated: list[int] = []
        self.checkpoints: list[int] = []
        self.ends: list[tuple[str, dict[str, Any], dict[str, Any]]] = []

    def rows(
        self, first_step: int, steps: Any, statistics: Any, scalars: Any, seconds: float
    ) -> None:
        self.steps += steps.tolist()
        self.statistics += list(statistics.copy())
        self.scalars += list(scalars.copy())

    def evaluation_block(self, steps: Any, values: Any, layer_values: Any) -> None:
        self.evaluated += steps.tolist()

    def checkpoint(self, step: int, parameters: Any, state: Any = None) -> None:
        self.checkpoints.append(step)

    def end(self, status: str, final: Any, predictions: Any) -> None:
        self.ends.append((status, dict(final), dict(predictions)))


def run(stop: Stop | None = None, **options: str) -> tuple[trainer.Session, Log]:
    one, log = session(**options), Log()
    trainer.run(one, log, stop=stop)
    return one, log


def test_every_step_is_recorded_once_and_evaluated_every_epoch() -> None:
    one, log = run()
    per_epoch = math.ceil(len(one.data.inputs["train"]) / 32)
    assert log.steps == list(range(2 * per_epoch))
    assert log.evaluated == [0, per_epoch, 2 * per_epoch]
    assert [status for status, _, _ in log.ends] == ["finished"]


@pytest.mark.parametrize(
    "options", [{"record_every": "7"}, {"evaluate_every": "never"}, {"checkpoint_every": "3"}]
)
def test_what_is_recorded_does_not_change_the_weights(options: dict[str, str]) -> None:
    plain, _ = run()
    other, log = run(**options)
    np.testing.assert_array_equal(plain.network.parameters, other.network.parameters)
    assert log.steps == [
        step for step in range(plain.steps) if step % int(options.get("record_every", 1)) == 0
    ]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_block_length_does_not_change_the_record(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, expected = run(layers="6")
    monkeypatch.setattr(trainer, "_next_size", lambda *_: size)
    _, found = run(layers="6")
    np.testing.assert_array_equal(np.array(expected.statistics), np.array(found.statistics))
    np.testing.assert_array_equal(np.array(expected.scalars), np.array(found.scalars))


def test_a_stop_ends_the_run_as_interrupted_with_its_prefix() -> None:
    _, whole = run(steps="400")
    stop = Stop()
    one, log = session(steps="400"), Log()
    trainer.run(one, log, stop=stop, progress=lambda told: stop.ask() if told.step >= 20 else None)
    assert log.ends[0][0] == "interrupted"
    assert 20 <= len(log.steps) < 400
    np.testing.assert_array_equal(
        np.array(log.statistics), np.array(whole.statistics)[: len(log.steps)]
    )


def test_non_finite_numbers_end_the_run_and_their_step_is_kept() -> None:
    one, log = run(optimizer="sgd", lr="1e30", steps="50", record_every="100")
    status, final, _ = log.ends[0]
    assert status == "diverged"
    assert final["stop_reason"] == "non-finite numbers"
    assert one.step < 50
    assert log.steps[-1] == one.step
    column = list(registry.records("statistic")).index("nonfinite_forward")
    assert np.array(log.statistics)[-1, :, column].sum() > 0


def test_final_numbers_are_those_of_the_confusion_matrix() -> None:
    one, log = run(epochs="5")
    _, final, predictions = log.ends[0]
    for part in ("train", "val", "test"):
        table = final[f"{part}_confusion"]
        assert table.sum() == len(one.data.targets[part])
        assert final[f"{part}_error"] == pytest.approx(1 - np.trace(table) / table.sum())
    assert set(predictions) == {"val_outputs", "val_targets", "test_outputs", "test_targets"}


def test_lr_zero_and_one_step_record_the_initial_state() -> None:
    one, log = run(steps="1", lr="0")
    assert log.steps == [0]
    np.testing.assert_array_equal(one.initial, one.network.parameters)


def test_regression_reports_root_mean_square_error_and_r2() -> None:
    one, log = run(data="diabetes", steps="40", target_scaling="none")
    final = log.ends[0][1]
    outputs = one.network.evaluate(one.data.inputs["val"], one.targets["val"]).outputs
    targets = one.data.targets["val"]
    assert final["val_error"] == pytest.approx(
        float(np.sqrt(np.mean((outputs - targets) ** 2))), rel=1e-5
    )
    assert "val_confusion" not in final


def test_every_metric_of_the_task_is_evaluated_and_has_its_place_in_the_file() -> None:
    """One number per part and evaluation, those per class as arrays, all by names of the layout
    table.
    """
    for data, task in (("wine", "classification"), ("diabetes", "regression")):
        one = session(data=data)
        found = trainer.evaluate_part(one, "val")
        suited = {
            f"val_{name}"
            for name, record in registry.records("metric").items()
            if task in record.tasks and not record.per_target
        }
        assert {*found.values, *found.per_column} == {"val_loss", *suited}
        assert {*found.values, *found.per_column} <= {*layout.names("evaluations")} & {
            *layout.names("final")
        }
        assert all(values.shape == (3,) for values in found.per_column.values())


def test_metrics_of_an_empty_part_are_nan() -> None:
    one = session(split="100,0,0")
    found = trainer.evaluate_part(one, "val")
    assert all(math.isnan(value) for value in found.values.values())
    assert all(np.isnan(values).all() for values in found.per_column.values())


def test_two_classes_under_binary_cross_entropy_share_one_sigmoid_output() -> None:
    one, log = run(data="breast_cancer", loss="binary_cross_entropy", epochs="10")
    assert [str(layer.activation) for layer in one.model.layers][-1] == "sigmoid"
    assert one.model.outputs == 1
    assert log.ends[0][1]["val_error"] < 0.15


def test_lsuv_starts_with_unit_preactivation_variance_in_every_layer() -> None:
    one = session(layers="40x4", init="lsuv", data="digits", batch_size="256", steps="1", lr="0")
    kept = Snapshots()
    trainer.run(one, kept)
    assert kept.first is not None
    assert kept.first["preactivation_variance"] == pytest.approx(1.0, abs=0.02)


def test_run_description_names_what_the_layout_table_has() -> None:
    one = session(norm="batch", bias="no")
    with RunWriter.create(None, describe.describe(one)) as writer:
        trainer.run(one, writer)
        assert writer.bytes()
    layers = describe.describe_layers(one)
    counts = [layer.parameter_count for layer in layers]
    assert counts == [13 * 12 + 2 * 12, 12 * 8 + 2 * 8, 8 * 3]
    assert [layer.bias_offset for layer in layers] == [-1, -1, -1]
    assert sum(counts) == len(one.network.parameters)


def test_the_stored_scaler_makes_the_trained_inputs_from_the_raw_ones() -> None:
    one = session()
    stored = describe.describe_data(one.data)
    raw = load(one.config.data, 0).inputs[stored["train_indices"]]
    np.testing.assert_allclose(
        (raw - stored["scaler_shift"]) * stored["scaler_scale"],
        one.data.inputs["train"],
        rtol=1e-5,
        atol=1e-6,
    )


# --- batch norm in training and evaluation
# --------------------------------------------------------------------------------------------------


class Evaluations(Log):
    """A log that keeps what evaluations say of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers: list[dict[str, Any]] = []
        self.values: list[dict[str, float]] = []

    def evaluation_block(self, steps: Any, values: Any, layer_values: Any) -> None:
        for row in range(len(steps)):
            self.layers.append({name: array[row] for name, array in layer_values.items()})
            self.values.append({name: array[row] for name, array in values.items()})


def evaluated(**options: str) -> tuple[trainer.Session, Evaluations]:
    one, log = session(norm="batch", **options), Evaluations()
    trainer.run(one, log)
    return one, log


def test_mismatch_of_running_statistics_is_recorded_and_falls() -> None:
    """Per layer at every evaluation; the output layer has no norm."""
    _, log = evaluated(epochs="20")
    for name in ("norm_mean_mismatch", "norm_variance_ratio"):
        values = np.array([layers[name] for layers in log.layers])
        assert values.shape == (21, 3)  # before the first step and after each epoch
        assert np.isfinite(values[:, :2]).all()
        assert np.isnan(values[:, 2]).all()
    ratios = np.abs(np.log([layers["norm_variance_ratio"][:2] for layers in log.layers]))
    assert (ratios[-1] < ratios[0]).all()


def test_norm_inference_by_the_training_part_changes_evaluations_not_training() -> None:
    running, log = evaluated()
    by_data, other = evaluated(norm_inference="train-set")
    np.testing.assert_array_equal(running.network.parameters, by_data.network.parameters)
    assert all(
        a["train_loss"] != b["train_loss"] for a, b in zip(log.values, other.values, strict=True)
    )
    assert log.ends[0][1]["test_loss"] != other.ends[0][1]["test_loss"]


def test_nets_without_batch_norm_record_no_mismatch() -> None:
    one, log = session(), Evaluations()
    trainer.run(one, log)
    assert not any("norm_mean_mismatch" in layers for layers in log.layers)
