"""Replicas: their training sets, their plan, curves with two descents, and ridge regression by
l2 against its closed form.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_nets import layers, spec

from dlprobe.analysis.bias_variance.curve import Point, advice, double_descent, levels, sweet_spot
from dlprobe.analysis.bias_variance.loss_parts import decompose
from dlprobe.config import DataConfig, from_options
from dlprobe.data.resampling import Resampler
from dlprobe.errors import ConfigError
from dlprobe.experiments import bias_variance as experiment
from dlprobe.experiments.replicas import Predictions, run, teams_of
from dlprobe.experiments.study import open_study
from dlprobe.nn.fleet import lanes_of
from dlprobe.nn.network import Network
from dlprobe.nn.regulation import Regulation
from dlprobe.nn.tiles import AVAILABLE
from dlprobe.runs import StudyWriter
from dlprobe.training import trainer
from dlprobe.training.stopping import Stop


def test_disjoint_sets_share_no_sample_and_others_stay() -> None:
    sampler = Resampler(DataConfig(data="wine"), 0, "float64", "disjoint", 5)
    sets = [sampler.prepared(k) for k in range(5)]
    rows = np.concatenate([each.indices["train"] for each in sets])
    assert len(set(rows.tolist())) == len(rows) == 5 * sampler.largest
    assert all((each.targets["test"] == sampler.base.targets["test"]).all() for each in sets)
    assert sets[0].inputs["train"].mean(axis=0) == pytest.approx(
        np.zeros(13), abs=1e-12
    )  # its own scaling
    assert len({each.fingerprint for each in sets}) == 5


def test_bootstrap_draws_with_replacement_from_the_training_part_only() -> None:
    sampler = Resampler(DataConfig(data="wine"), 0, "float64", "bootstrap", 3)
    rows = sampler.prepared(1).indices["train"]
    assert set(rows.tolist()) <= set(sampler.pool.tolist())
    assert len(rows) == len(sampler.pool)
    assert len(set(rows.tolist())) / len(rows) == pytest.approx(1 - np.exp(-1), abs=0.12)
    assert (sampler.prepared(1).indices["train"] == rows).all()
    assert (sampler.prepared(2).indices["train"] != rows).any()


def test_fresh_draws_are_new_samples_of_the_same_law() -> None:
    sampler = Resampler(
        DataConfig(data="linear(samples=400)", scaling="none"), 0, "float64", "fresh", 2
    )
    one, other = sampler.prepared(0), sampler.prepared(1, 50)
    assert one.inputs["train"].shape == (240, 10)
    assert other.inputs["train"].shape == (50, 10)
    assert (one.inputs["train"][:50] != other.inputs["train"]).all()
    fits = [
        np.linalg.lstsq(each.inputs["train"], each.targets["train"], rcond=None)[0]
        for each in (one, sampler.base)
    ]
    assert fits[0] == pytest.approx(fits[1], abs=0.3)  # the same true function


def test_plan_changes_only_what_is_varied() -> None:
    base = from_options(None, {"layers": "4,4", "seed": "7"})
    data = experiment.plan(base, None, [], 10, 3, "data", 2)
    assert ([each.data for each in data], {each.seed for each in data}) == ([0, 1, 2], {7})
    seed = experiment.plan(base, None, [], 10, 3, "seed", 2)
    assert ({each.data for each in seed}, [each.seed for each in seed]) == ({0}, [7, 8, 9])
    both = experiment.plan(base, "width", ["2", "5"], 10, 3, "both", 2)
    assert [each.data for each in both if each.at == 2] == [0, 0, 1, 1, 2, 2]
    assert {each.config.model.layers for each in both} == {(2, 2), (5, 5)}
    assert len({each.seed for each in both}) == 6
    assert len({each.id for each in both}) == 12
    assert all(each.config.data.data_seed == 7 for each in both)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("width=2,4", ("width", "2,4")),
        ("train-size", ("train_size", "10%,20%,40%,70%,100%")),
        ("l2=0,1", ("l2", "0,1")),
    ],
)
def test_axes_are_read(text: str, found: tuple[str, str]) -> None:
    assert experiment.axis_of(text) == found


def test_axis_of_any_option_reaches_the_configuration() -> None:
    base = from_options(None, {"layers": "4"})
    (_, tanh, _), _ = experiment.settings(base, "activation", ["tanh", "relu"], 10)
    assert str(tanh.model.activations[0]) == "tanh"
    assert experiment.settings(base, "train_size", ["50%"], 10)[0][2] == 5
    with pytest.raises(ConfigError, match="expected samples from 1 to 10"):
        experiment.settings(base, "train_size", ["11"], 10)


def test_a_value_given_twice_is_one_value() -> None:
    base = from_options(None, {"layers": "4"})
    replicas = experiment.plan(base, "l2", ["0.1", "0", "0.10", "1e-1"], 10, 2, "data", 2)
    assert [each.at for each in replicas] == [0.1, 0.1, 0, 0]
    assert len({each.id for each in replicas}) == 4


def test_percents_of_the_training_part_are_told_as_samples() -> None:
    """So that they have an order, and a chart a scale."""
    found = experiment.settings(from_options(None, {}), "train_size", ["10%", "50%", "5", "10"], 50)
    assert [(at, size) for at, _, size in found] == [(5, 5), (25, 25), (10, 10)]


def point(at: float, bias: float, spread: float) -> Point:
    """30 replicas that are `bias` off with a standard deviation of `spread`, on 40 samples."""
    rng = np.random.default_rng(int(10 * at))
    return Point(at, decompose(bias + spread * rng.standard_normal((30, 40)), np.zeros(40)))


def test_double_descent_is_a_peak_that_both_sides_lie_clearly_below() -> None:
    curve = [
        point(1, 1.0, 0.1),
        point(2, 0.4, 0.3),
        point(3, 0.2, 2.0),
        point(4, 0.2, 0.4),
        point(5, 0.2, 0.2),
    ]
    top = double_descent(curve)
    assert top is not None
    assert (top.at, sweet_spot(curve).at) == (3, 5)
    assert any("double descent" in line for line in advice(curve, "width"))
    assert double_descent(curve[:3]) is None
    assert double_descent([curve[0], curve[1], curve[4]]) is None


def test_levels_name_the_part_that_dominates() -> None:
    assert levels(point(1, 1.0, 0.1).parts) == {"bias": "high", "variance": "low"}
    assert levels(point(1, 0.1, 1.0).parts) == {"bias": "low", "variance": "high"}
    assert levels(point(1, 1.0, 1.0).parts) == {"bias": "high", "variance": "high"}


def test_ridge_by_l2_meets_its_closed_form() -> None:
    """Fixed design, loss ‖Xw − y‖²/n + λ‖w‖²: w = (XᵀX/n + λ)⁻¹Xᵀy/n. 24 trained replicas: each
    weight, and both parts.
    """
    rng = np.random.default_rng(1)
    design, truth, penalty = rng.standard_normal((20, 3)), np.array([1.0, -2.0, 0.5]), 0.3
    solver = np.linalg.solve(design.T @ design / 20 + penalty * np.eye(3), design.T / 20)
    made = []
    for _ in range(24):
        targets = (design @ truth + 0.5 * rng.standard_normal(20))[:, None]
        net = Network(
            layers([3, 1], initializer="zeros", bias=False), spec("loss", "mse"), spec("optimizer", "sgd"), batch=20, seed=0, dtype="float64",  # noqa: E501
            regulation=Regulation(l2=penalty),
        )  # fmt: skip
        net.train(design, targets, 0, np.full(400, 0.1))
        assert net.weights(0)[:, 0] == pytest.approx(solver @ targets[:, 0], abs=1e-9)
        made.append(net.evaluate(design, targets).outputs[:, 0])
    found = decompose(np.stack(made), design @ truth)
    shrunk = design @ solver
    exact = {
        "bias": float(np.mean((shrunk @ (design @ truth) - design @ truth) ** 2)),
        "variance": 0.25 * float(np.trace(shrunk @ shrunk.T)) / 20,
    }
    for name, value in exact.items():
        low, high = found.intervals[name]
        assert (
            low - (high - low) / 2 <= value <= high + (high - low) / 2
        )  # twice as wide: some four standard errors


@pytest.mark.parametrize("vary", ["data", "seed", "both"])
def test_replicas_that_train_side_by_side_predict_as_their_own_runs(
    tmp_path: Path, vary: str
) -> None:
    """20 small nets: 8 at a time in float64, the rest one by one; kept in a study or not; each
    as the run of its configuration.
    """
    options = {
        "data": "moons(samples=60)",
        "layers": "5,4",
        "epochs": "4",
        "batch_size": "8",
        "dtype": "float64",
        "split": "50,0,50",
        "lr": "0.02",
    }
    sampler = Resampler(
        from_options(None, options).data,
        0,
        "float64",
        "same" if vary == "seed" else "bootstrap",
        20,
    )
    plan = experiment.plan(
        from_options(None, options),
        None,
        [],
        sampler.largest,
        10 if vary == "both" else 20,
        vary,
        2,
    )
    plain = run(plan, sampler.prepared, "test", workers=2, stop=Stop())
    with StudyWriter.create(tmp_path / "study.h5", {"experiment": "bias-variance"}) as study:
        kept = run(plan, sampler.prepared, "test", workers=1, stop=Stop(), study=study)
    assert max(len(team.members) for team in teams_of(plan, sampler.prepared)) == (
        lanes_of("float64") if AVAILABLE else 1
    )
    for each in plan:
        session = trainer.start(each.config, sampler.prepared(each.data, each.size))
        recorder = Predictions("test")
        trainer.run(session, recorder)
        assert recorder.answer is not None
        assert recorder.answer.outputs == pytest.approx(plain[each.id].outputs, abs=1e-9)
        assert recorder.answer.train_loss == pytest.approx(plain[each.id].train_loss, rel=1e-6)
        assert recorder.answer.train_error == pytest.approx(plain[each.id].train_error)
        assert plain[each.id].outputs.tobytes() == kept[each.id].outputs.tobytes()


def test_a_study_that_was_stopped_goes_on_to_the_same_file(tmp_path: Path) -> None:
    """Stopped after the first team of nets, and with all but one of the second written."""
    options = {
        "data": "moons(samples=40)",
        "layers": "4",
        "epochs": "2",
        "batch_size": "8",
        "split": "50,0,50",
        "dtype": "float64",
    }
    base = from_options(None, options)
    sampler = Resampler(base.data, 0, "float64", "bootstrap", 20)
    plan = experiment.plan(base, None, [], sampler.largest, 20, "data", 2)
    told = {"experiment": experiment.EXPERIMENT, "bias_variance": {"part": "test"}}
    for name, kept in (("whole.h5", plan), ("part.h5", plan[:15])):
        with StudyWriter.create(tmp_path / name, told) as study:
            run(kept, sampler.prepared, "test", workers=1, stop=Stop(), study=study)
            if kept is plan:
                study.end()
                study.pack()
    with open_study(tmp_path / "part.h5", experiment.EXPERIMENT) as found:
        finished = experiment.answers_of(found, plan, sampler.prepared)
        with pytest.raises(ConfigError, match="has changed since"):
            experiment.answers_of(
                found, plan, Resampler(base.data, 1, "float64", "bootstrap", 20).prepared
            )
    assert list(finished) == [each.id for each in plan[:15]]
    seen: list[tuple[int, int]] = []
    with StudyWriter.resume(tmp_path / "part.h5", told) as study:
        how = {"workers": 2, "stop": Stop(), "study": study, "finished": finished}
        outputs = run(
            plan,
            sampler.prepared,
            "test",
            progress=lambda done, total: seen.append((done, total)),
            **how,
        )  # type: ignore[arg-type]
        study.end()
        study.pack()
    assert len(outputs) == 20
    assert seen[-1] == (20, 20)
    with (
        open_study(tmp_path / "part.h5", experiment.EXPERIMENT) as part,
        open_study(tmp_path / "whole.h5", experiment.EXPERIMENT) as whole,
    ):
        assert part.content_sha256 == whole.content_sha256


def test_a_replica_that_is_lost_takes_no_other_with_it(tmp_path: Path) -> None:
    """Among 16 nets side by side, training set 3 is 1e25 times too large: its outputs are NaN,
    all others to the last bit those of the plan without it.
    """
    options = {
        "data": "moons(samples=40)",
        "layers": "4",
        "epochs": "2",
        "batch_size": "8",
        "split": "50,0,50",
        "optimizer": "sgd",
        "lr": "0.1",
    }
    base = from_options(None, options)
    sampler = Resampler(base.data, 0, "float32", "bootstrap", 16)

    def spoiled(number: int, size: int | None) -> trainer.PreparedData:
        found = sampler.prepared(number, size)
        return replace(
            found,
            inputs={
                **found.inputs,
                "train": found.inputs["train"] * np.float32(1e25 if number == 3 else 1),
            },
        )

    plan = experiment.plan(base, None, [], sampler.largest, 16, "data", 2)
    found = run(plan, spoiled, "test", workers=1, stop=Stop())
    with StudyWriter.create(tmp_path / "study.h5", {"experiment": "bias-variance"}) as study:
        kept = run(plan, spoiled, "test", workers=1, stop=Stop(), study=study)
    sound = run(plan, sampler.prepared, "test", workers=1, stop=Stop())
    for each in plan:
        assert found[each.id].outputs.tobytes() == kept[each.id].outputs.tobytes()
        own = (found[each.id].train_error, found[each.id].train_loss)
        assert own == pytest.approx(
            (kept[each.id].train_error, kept[each.id].train_loss), rel=1e-6, nan_ok=True
        )
        outputs = found[each.id].outputs
        assert (
            np.isnan(outputs).all()
            if each.data == 3
            else outputs.tobytes() == sound[each.id].outputs.tobytes()
        )
