"""Scaled targets from end to end: what is trained, what is told, and that the way back to the
user's units is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from dlprobe.config import FieldError, RunConfig, from_mapping, from_options, parse_spec, to_mapping
from dlprobe.data import load, prepare
from dlprobe.errors import DataError
from dlprobe.experiments import replicas
from dlprobe.nn import fleet
from dlprobe.rules.files import Criteria
from dlprobe.runs import Run, RunWriter, open_single
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource
from dlprobe.training import trainer
from dlprobe.training.describe import describe
from dlprobe.training.model import resolve, warnings_for_data
from dlprobe.training.stopping import Stop
from dlprobe.training.targets import TargetScaling, target_scaling

Array = npt.NDArray[Any]
SAMPLES = Path(__file__).parents[2] / "sample_runs"
SMALL = {"data": "diabetes", "layers": "8", "epochs": "3", "dtype": "float64"}


def session(**options: str) -> trainer.Session:
    config = from_options(None, {**SMALL, **options})
    return trainer.start(
        config, prepare(load(config.data, 0), config.data, 0, config.training.dtype)
    )


def recorded(one: trainer.Session) -> Run:
    """The session trained, as its run file says it."""
    writer = RunWriter.create(None, describe(one))
    trainer.run(one, writer)
    return Run(JournalContents(MemorySource(writer.bytes())))


@pytest.fixture
def table(tmp_path: Path) -> Callable[[Array, Array], str]:
    """Writes inputs and targets to an .npz and gives its path."""

    def written(inputs: Array, targets: Array) -> str:
        np.savez(tmp_path / "made.npz", X=inputs, y=targets)
        return str(tmp_path / "made.npz")

    return written


@pytest.mark.parametrize(
    ("loss", "output", "expected"),
    [
        ("mse", "linear", TargetScaling("standardize")),
        ("mae", "leaky_relu", TargetScaling("standardize")),
        ("huber", "glu", TargetScaling("standardize")),
        ("mse", "sigmoid", TargetScaling("minmax", (0.0, 1.0))),
        ("mse", "hard_sigmoid", TargetScaling("minmax", (0.0, 1.0))),
        ("mse", "tanh", TargetScaling("minmax", (-1.0, 1.0))),
        ("mse", "relu6", TargetScaling("minmax", (0.0, 6.0))),
        ("mse", "relu", TargetScaling("minmax", (0.0, 1.0))),
        ("mse", "softplus", TargetScaling("minmax", (0.0, 1.0))),
        ("mse", "elu", TargetScaling("minmax", (0.0, 1.0))),
        ("mse", "log_sigmoid", TargetScaling("minmax", (-1.0, 0.0))),
        ("mse", "threshold(threshold=20, value=20)", TargetScaling("minmax", (20.0, 21.0))),
        ("binary_cross_entropy", "linear", TargetScaling("minmax", (0.0, 1.0))),
        ("binary_cross_entropy", "tanh", TargetScaling("minmax", (0.0, 1.0))),
        ("binary_cross_entropy", "log_sigmoid", TargetScaling("none")),
        ("cross_entropy", "linear", TargetScaling("none")),
        ("hinge", "linear", TargetScaling("none")),
        ("multi_margin", "linear", TargetScaling("none")),
    ],
)
def test_auto_scales_into_what_loss_and_output_allow(
    loss: str, output: str, expected: TargetScaling
) -> None:
    found = target_scaling(
        "auto", parse_spec("loss", loss), parse_spec("activation", output), "regression"
    )
    assert (found.kind, found.interval if found.kind == "minmax" else None) == (
        expected.kind,
        expected.interval if expected.kind == "minmax" else None,
    )


def test_classes_are_never_scaled() -> None:
    assert session(data="wine").target_scaler is None
    with pytest.raises(
        FieldError,
        match=(
            "target_scaling = 'standardize': the data is classification, classes are not scaled: "
            "expected auto or none"
        ),
    ):
        session(data="wine", target_scaling="standardize")


@pytest.mark.parametrize("asked", ["standardize", "minmax"])
def test_the_training_part_alone_fits_what_every_part_is_scaled_by(asked: str) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    one = session(target_scaling=asked, batch_size="full")
    oracle = (
        preprocessing.StandardScaler() if asked == "standardize" else preprocessing.MinMaxScaler()
    ).fit(one.data.targets["train"])
    for part, trained in one.targets.items():
        np.testing.assert_allclose(
            trained, oracle.transform(one.data.targets[part]), rtol=1e-12, atol=1e-12
        )


def test_losses_are_of_scaled_targets_and_everything_else_is_in_the_users_units() -> None:
    """By hand: y from 25 to 346, the net gives (y − m)/s."""
    oracle = pytest.importorskip("sklearn.metrics")
    one = session(loss="mse", epochs="10")
    run = recorded(one)
    train = one.data.targets["train"]
    for part in ("train", "val", "test"):
        net, wanted = (
            one.network.evaluate(one.data.inputs[part], one.targets[part]).outputs,
            one.data.targets[part],
        )
        outputs = net * train.std() + train.mean()
        assert run.final[f"{part}_loss"] == pytest.approx(
            np.mean((net - (wanted - train.mean()) / train.std()) ** 2), rel=1e-12
        )
        assert run.final[f"{part}_error"] == pytest.approx(
            oracle.root_mean_squared_error(wanted, outputs), rel=1e-12
        )
        assert run.final[f"{part}_mean_absolute_error"] == pytest.approx(
            oracle.mean_absolute_error(wanted, outputs), rel=1e-12
        )
        assert run.final[f"{part}_r2"] == pytest.approx(oracle.r2_score(wanted, outputs), rel=1e-10)
        if part != "train":
            np.testing.assert_allclose(run.predictions[f"{part}_outputs"], outputs, rtol=1e-12)
            np.testing.assert_array_equal(run.predictions[f"{part}_targets"], wanted)
    assert (run.data["target_scaler"], run.data["target_names"]) == ("standardize", ("y",))
    np.testing.assert_allclose(
        [run.data["target_shift"][0], 1 / run.data["target_scale"][0]],
        [train.mean(), train.std()],
        rtol=1e-12,
    )
    assert run.scalar("batch_loss")[0] < 10.0  # of the targets as they are it would be 29,000


def test_a_penalized_fit_is_that_of_scikit_learns_transformed_target_regressor(
    table: Callable[[Array, Array], str],
) -> None:
    """A linear net to its minimum: mean square + λ‖w‖² is Ridge with α = nλ, which, unlike
    least squares, feels the scale of its targets.
    """
    compose, linear_model = (
        pytest.importorskip("sklearn.compose"),
        pytest.importorskip("sklearn.linear_model"),
    )
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(100, 3))
    targets = (
        inputs @ np.array([[30.0, 1.0], [-20.0, 2.0], [5.0, -3.0]])
        + [1000.0, -5.0]
        + rng.normal(size=(100, 2))
    )
    fast = {
        "layers": "",
        "init": "zeros",
        "optimizer": "sgd",
        "lr": "0.2",
        "batch_size": "full",
        "epochs": "200",
        "l2": "0.05",
        "evaluate_every": "never",
    }
    one = session(data=table(inputs, targets), scaling="none", **fast)
    run, data = recorded(one), one.data
    ridge = linear_model.Ridge(alpha=0.05 * len(data.inputs["train"]))
    oracle = compose.TransformedTargetRegressor(
        ridge, transformer=preprocessing.StandardScaler()
    ).fit(data.inputs["train"], data.targets["train"])
    np.testing.assert_allclose(
        run.predictions["test_outputs"], oracle.predict(data.inputs["test"]), rtol=1e-9
    )


def test_scaling_here_and_before_are_one_training_bit_for_bit(
    table: Callable[[Array, Array], str],
) -> None:
    """Targets scaled by target_scaling, and the same targets scaled beforehand and left alone
    (`none`), give the same parameters.
    """
    here = session(dtype="float32")
    raw, scaler = load(here.config.data, 0), here.target_scaler
    assert scaler is not None
    before = session(
        dtype="float32", data=table(raw.inputs, scaler.apply(raw.targets)), target_scaling="none"
    )
    np.testing.assert_array_equal(before.data.indices["train"], here.data.indices["train"])
    assert recorded(here).parameters_sha256 == recorded(before).parameters_sha256


def test_far_targets_keep_their_digits_in_float32(table: Callable[[Array, Array], str]) -> None:
    """1e9 + x: float32 has steps of 64 there, so nothing could be learned of targets as they
    are.
    """
    inputs = np.linspace(-1.0, 1.0, 100)[:, None]
    options = {
        "data": table(inputs, 1e9 + inputs[:, 0]),
        "layers": "",
        "dtype": "float32",
        "lr": "0.05",
        "epochs": "100",
    }
    far = recorded(session(**options))
    assert far.final["test_error"] < 1e-3
    assert far.predictions["test_outputs"].dtype == np.float64
    np.testing.assert_allclose(
        far.predictions["test_outputs"], far.predictions["test_targets"], rtol=0, atol=5e-3
    )


def test_a_constant_target_trains_and_is_predicted(table: Callable[[Array, Array], str]) -> None:
    one = session(data=table(np.arange(40.0)[:, None], np.full(40, 7.5)), epochs="40", lr="0.01")
    run = recorded(one)
    assert warnings_for_data(one.model, one.data, one.config) == [
        (
            "target 'y' is constant in the training part: there is nothing to learn of it, and R² "
            "is not defined"
        )
    ]
    assert run.status == "finished"
    assert run.final["val_error"] < 0.3
    assert math.isnan(run.final["val_r2"])


def test_a_target_beyond_float32_names_sample_and_column(
    table: Callable[[Array, Array], str],
) -> None:
    targets = np.array([[1.0, 2.0], [3.0, -1e39], [2.0, 0.5], [1.5, 1.0]])
    options = {
        "data": table(np.arange(4.0)[:, None], targets),
        "split": "100,0,0",
        "dtype": "float32",
    }
    with pytest.raises(
        DataError,
        match=(
            r"sample 2, target 'y2': -1e\+39 does not fit float32: use target_scaling = "
            r"standardize, dtype = float64"
        ),
    ):
        session(**options, target_scaling="none")
    assert np.isfinite(session(**options).targets["train"]).all()


def test_several_targets_are_scaled_and_measured_one_by_one(
    table: Callable[[Array, Array], str],
) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(120, 3))
    targets = np.column_stack([inputs[:, 0] * 1e-3, 500.0 + 100.0 * inputs[:, 1], inputs[:, 2]])
    one = session(data=table(inputs, targets), epochs="60", lr="0.01")
    run = recorded(one)
    train = one.data.targets["train"]
    np.testing.assert_allclose(
        one.targets["val"],
        (one.data.targets["val"] - train.mean(axis=0)) / train.std(axis=0),
        rtol=1e-9,
    )
    assert run.data["target_names"] == ("y1", "y2", "y3")
    outputs, wanted = run.predictions["val_outputs"], run.predictions["val_targets"]
    np.testing.assert_allclose(
        run.final["val_target_r2"],
        metrics.r2_score(wanted, outputs, multioutput="raw_values"),
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        run.final["val_target_rmse"],
        metrics.root_mean_squared_error(wanted, outputs, multioutput="raw_values"),
        rtol=1e-12,
    )
    assert run.final["val_r2"] == pytest.approx(
        metrics.r2_score(wanted, outputs, multioutput="variance_weighted"), rel=1e-12
    )
    assert (
        run.final["val_target_r2"].min() > 0.8
    )  # of targets as they are, the column of thousandths would not have been learned
    assert run.evaluation_targets["val_target_r2"].shape == (61, 3)


def test_a_fleet_gives_what_each_replica_gives_alone() -> None:
    """Every replica's targets are scaled by its own training part, and its predictions scaled
    back by that.
    """
    from dlprobe.data.resampling import Resampler

    config = from_options(None, {**SMALL, "dtype": "float32"})
    lanes = fleet.lanes_of("float32")
    sampler = Resampler(config.data, 0, "float32", "bootstrap", lanes)
    plan = [
        replicas.Replica(f"r{k}", None, k, k, None, from_options(config, {"seed": str(k)}))
        for k in range(lanes)
    ]
    common = replicas.Common(sampler.prepared, "test", kept=False)
    (team,) = replicas.teams_of(plan, sampler.prepared)
    assert team.fleet
    together = replicas.run_team(team, common, Stop())
    for each in plan[:3]:
        alone = replicas.run_one(replicas.begun(each, sampler.prepared), common, Stop())
        assert alone is not None
        np.testing.assert_allclose(
            together[each.id].answer.outputs, alone.answer.outputs, rtol=1e-4
        )
    assert (
        100.0 < np.mean([made.answer.outputs.mean() for made in together.values()]) < 200.0
    )  # disease progression: 152 on average


def test_out_of_reach_targets_are_told_before_training() -> None:
    one = session(output_activation="sigmoid", target_scaling="none")
    (told,) = warnings_for_data(one.model, one.data, one.config)
    assert told.startswith(
        "target_scaling = none: 100% of the training targets lie outside 0 … 1, which "
        "output_activation = sigmoid with loss = mse allows"
    )
    assert warnings_for_data(session(output_activation="sigmoid").model, one.data, one.config) == []


@pytest.mark.parametrize(("asked", "codes"), [("none", True), ("auto", False)])
def test_a_bounded_output_is_judged_by_the_targets_as_they_are_trained(
    asked: str, codes: bool
) -> None:
    run = recorded(session(output_activation="sigmoid", target_scaling=asked, epochs="40"))
    assert ("L006" in {each.code for each in Criteria().judge(run).findings}) == codes


def test_runs_of_the_first_format_were_trained_on_targets_as_they_are() -> None:
    with open_single(SAMPLES / "diverged.h5") as run:
        assert run.schema_version == (1, 0)
        assert "target_scaling" not in run.contents.facts.config["data"]
        config: RunConfig = from_mapping(run.config)
        assert config.data.target_scaling == "none"
        assert run.targets_scaled == ""
        data = prepare(load(config.data, 0), config.data, 0, "float32")
        assert resolve(config, data).target_scaling.kind == "none"
        again = recorded(trainer.start(config, data))
        assert again.status == run.status
        np.testing.assert_array_equal(again.steps, run.steps)
        np.testing.assert_allclose(again.scalar("batch_loss"), run.scalar("batch_loss"), rtol=1e-4)
    with open_single(SAMPLES / "healthy.h5") as run:
        assert from_mapping(run.config).data.target_scaling == "auto"


def test_a_configuration_is_stored_with_how_targets_are_scaled() -> None:
    run = recorded(session())
    assert run.schema_version[1] >= 1
    assert run.config["data"]["target_scaling"] == "auto"
    assert to_mapping(from_mapping(run.config)) == run.config
