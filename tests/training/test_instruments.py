"""Instruments of a run: when they are read, that they read what the statistics say, and that
nothing is changed by them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlprobe import registry
from dlprobe.config import from_options
from dlprobe.data import load, prepare
from dlprobe.errors import ConfigError
from dlprobe.record.layout import data_sets
from dlprobe.record.recorder import Snapshots
from dlprobe.runs import Run, RunWriter, open_run
from dlprobe.training import describe, trainer

SMALL = {"layers": "12,8", "data": "wine", "steps": "40", "epochs": None}


def session(**options: str) -> trainer.Session:
    config = from_options(None, {**SMALL, **options})
    return trainer.start(
        config, prepare(load(config.data, 0), config.data, 0, config.training.dtype)
    )


def recorded(folder: Any, **options: str) -> Run:
    one = session(**options)
    with RunWriter.create(folder / "run.h5", describe.describe(one)) as writer:
        trainer.run(one, writer)
        found = open_run(writer.pack())
    assert isinstance(found, Run)
    return found


REMEDIES = {
    "l2": "0.01",
    "clip_global_norm": "0.1",
    "dropout": "0.2",
    "drop_connect": "0.1",
    "max_norm": "2",
}


@pytest.mark.parametrize(
    "options",
    [
        {"histogram_every": "1"},
        {"histogram_every": "7"},
        {"track_unit": "hidden_1:0", "track_every": "3"},
        {"jacobian": "5", "sharpness": "20", "dropout": "0.2", "l2": "0.01"},
        {},
    ],
)
def test_instruments_do_not_change_a_bit_of_training(options: dict[str, str]) -> None:
    remedies = {key: value for key, value in options.items() if key in REMEDIES}
    plain, watched = (
        session(histogram_every="never", norm="batch", **remedies),
        session(norm="batch", **options),
    )
    rows = []
    for one in (plain, watched):
        with RunWriter.create(None, describe.describe(one)) as writer:
            trainer.run(one, writer)
            assert writer.bytes()
        kept = Snapshots()
        again = trainer.start(one.config, one.data)
        trainer.run(again, kept)  # takes no instruments: none are read
        rows.append(
            (
                one.network.parameters,
                again.network.parameters,
                [kept.last[name] for name in registry.records("statistic")],
            )
        )
    for found in zip(*rows, strict=True):
        np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(rows[0][0], rows[0][1])


def test_the_record_of_every_step_is_the_same_with_instruments(tmp_path: Any) -> None:
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    plain, watched = (
        recorded(tmp_path / "a", histogram_every="never"),
        recorded(tmp_path / "b", histogram_every="3"),
    )
    for name in plain.statistics:
        np.testing.assert_array_equal(plain.statistic(name), watched.statistic(name))
    assert plain.parameters_sha256 == watched.parameters_sha256
    assert not plain.contents.has("histograms/step")


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"histogram_every": "7"}, list(range(0, 40, 7))), ({}, list(range(0, 40, 2)))],
)
def test_they_are_read_at_their_cadence(
    options: dict[str, str], expected: list[int], tmp_path: Any
) -> None:
    run = recorded(tmp_path, **options)
    assert run.histograms("weight").steps.tolist() == run.instruments["step"].tolist() == expected


@pytest.mark.parametrize("remedies", [{}, REMEDIES], ids=["plain", "regularized"])
def test_histograms_hold_what_the_statistics_of_the_same_step_say(
    tmp_path: Any, remedies: dict[str, str]
) -> None:
    """Counts hold every element; the mean over bin centres is the recorded mean to half a bin; the
    ends are the largest values.

    Penalties and clipping change gradients only after they were looked at.
    """
    run = recorded(tmp_path, histogram_every="3", norm="layer", **remedies)
    steps = run.instruments["step"]
    samples = len(run.data["train_indices"])
    rows = np.where(steps % 4 == 3, samples - 3 * 32, 32)  # 107 samples: the fourth batch is short
    for what, statistic in {
        "activation": "activation_mean",
        "preactivation": "preactivation_mean",
    }.items():
        found = run.histograms(what)
        np.testing.assert_array_equal(found.counts.sum(axis=2), rows[:, None] * run.layers["units"])
        np.testing.assert_array_less(
            np.abs(_mean(found) - run.statistic(statistic)[steps]), _width(found)
        )
    sizes = run.layers["fan_in"] * run.layers["fan_out"]
    for what, statistic in {"weight": "weight_rms", "gradient": "gradient_rms"}.items():
        found = run.histograms(what)
        np.testing.assert_array_equal(found.counts.sum(axis=2), np.tile(sizes, (len(steps), 1)))
        assert (
            np.abs(np.sqrt(_mean(found, 2)) - run.statistic(statistic)[steps]) < _width(found)
        ).all()
    largest = np.abs(run.histograms("weight").edges).max(axis=2)
    np.testing.assert_allclose(largest, run.statistic("weight_max_abs")[steps], rtol=1e-6)
    assert (
        run.instruments["weight_spectral_norm"] <= run.statistic("weight_l2")[steps] * (1 + 1e-6)
    ).all()


def _mean(found: Any, power: int = 1) -> Any:
    centres = (found.edges[..., 1:] + found.edges[..., :-1]) / 2
    return (found.counts * centres**power).sum(axis=2) / found.counts.sum(axis=2)


def _width(found: Any) -> Any:
    return found.edges[..., 1] - found.edges[..., 0]


def test_the_first_row_describes_the_initial_weights(tmp_path: Any) -> None:
    run = recorded(tmp_path)
    start, size = int(run.layers["weight_offset"][1]), 12 * 8
    weights = run.initial_parameters[start : start + size]
    found = run.histograms("weight")
    np.testing.assert_allclose(
        found.percentiles[0, 1], np.percentile(weights, (5, 15, 50, 85, 95)), rtol=1e-5
    )
    expected = np.linalg.svd(weights.reshape(12, 8).astype("f8"), compute_uv=False)[0]
    assert run.instruments["weight_spectral_norm"][0, 1] == pytest.approx(expected, rel=1e-6)


def test_tracked_units_are_columns_of_the_preactivation(tmp_path: Any) -> None:
    """A first unit is x·w + b of the batch, which the initial parameters and the data give at
    step 0.
    """
    one = session(
        track_unit="hidden_1:3,output:0",
        track_every="5",
        steps="12",
        batch_size="full",
        histogram_every="never",
    )
    x, first = one.data.inputs["train"].astype("f8"), one.initial.copy()
    with RunWriter.create(tmp_path / "a.h5", describe.describe(one)) as writer:
        trainer.run(one, writer)
        run = open_run(writer.pack())
    assert isinstance(run, Run)
    assert run.tracked is not None
    assert (
        run.tracked.steps.tolist(),
        run.tracked.layers.tolist(),
        run.tracked.units.tolist(),
    ) == ([0, 5, 10], [0, 2], [3, 0])
    z = x @ first[: 13 * 12].reshape(13, 12)[:, 3] + first[13 * 12 + 3]
    np.testing.assert_allclose(
        run.tracked.percentiles[0, 0], np.percentile(z, (5, 15, 50, 85, 95)), rtol=1e-4
    )


@pytest.mark.parametrize(
    ("unit", "message"),
    [("hidden_3:0", "did you mean 'hidden_"), ("hidden_2:8", "hidden_2:0 to hidden_2:7")],
)
def test_a_unit_that_the_net_does_not_have_is_refused(unit: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        session(track_unit=unit)


def test_what_is_asked_for_is_measured_on_the_first_training_samples_before_the_step(
    tmp_path: Any,
) -> None:
    """A linear net's Jacobian is the product of its weights for every sample."""
    options = {
        "jacobian": "4",
        "sharpness": "200",
        "activation": "linear",
        "optimizer": "sgd",
        "lr": "0.1",
        "steps": "20",
        "histogram_every": "10",
    }
    run = recorded(tmp_path, **options)
    first = run.initial_parameters.astype("f8")
    matrices = [
        first[start : start + a * b].reshape(a, b)
        for start, a, b in zip(run.layers["weight_offset"], (13, 12, 8), (12, 8, 3), strict=True)
    ]
    logs = np.log(np.linalg.svd(np.linalg.multi_dot(matrices), compute_uv=False))
    assert run.instruments["jacobian_log_mean"][0] == pytest.approx(logs.mean(), abs=1e-4)
    assert run.instruments["jacobian_log_variance"][0] == pytest.approx(logs.var(), rel=1e-3)
    assert run.instruments["jacobian_zero_fraction"].tolist() == [0, 0]
    assert (run.instruments["sharpness"] > 0).all()
    assert run.instruments["sharpness"][0] != run.instruments["sharpness"][1]


def test_a_step_that_meets_infinity_has_its_values_counted(tmp_path: Any) -> None:
    run = recorded(tmp_path, optimizer="sgd", lr="1e30", histogram_every="1")
    assert run.status == "diverged"
    found = run.histograms("preactivation")
    assert found.steps[-1] == run.steps[-1]
    assert found.nonfinite[-1].sum() > 0
    assert run.histograms("gradient").counts[-1].sum() == 0
    assert run.histograms("gradient").nonfinite[-1].sum() == 0  # not computed in that step


def test_every_instrument_that_is_always_read_is_in_the_file(tmp_path: Any) -> None:
    run = recorded(tmp_path)
    always = [
        record
        for record in registry.records("instrument").values()
        if record.asked.startswith("histogram_every") and record.place
    ]
    assert len(always) >= 5
    for record in always:
        paths = [
            path
            for path in data_sets()
            if path == record.place or path.startswith(f"{record.place}/")
        ]
        assert paths
        assert all(run.contents.has(path) for path in paths)
