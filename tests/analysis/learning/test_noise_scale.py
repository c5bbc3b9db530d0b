"""The gradient noise scale, against gradients whose mean and covariance are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlprobe.analysis.learning.noise_scale import batch_sizes, noise_scale, unbiased
from dlprobe.commands import main
from dlprobe.runs import open_single


def test_estimates_are_unbiased_where_the_plain_ones_are_not() -> None:
    """Samples g_i = G + noise of variance 4 in 50 directions, |G|² = 2: tr Σ = 200. ‖ḡ‖² alone
    would be |G|² + 25.
    """
    rng, batch = np.random.default_rng(0), 8
    mean = np.zeros(50)
    mean[0] = np.sqrt(2)
    gradients = mean + 2 * rng.normal(size=(4000, batch, 50))
    sample, batches = (
        np.square(gradients).sum(axis=2).mean(axis=1),
        np.square(gradients.mean(axis=1)).sum(axis=1),
    )
    trace, square = unbiased(sample[:, None], batches[:, None], np.full(4000, batch))
    assert trace.mean() == pytest.approx(200, rel=0.01)
    assert square.mean() == pytest.approx(2, abs=4 * square.std() / np.sqrt(4000))
    assert batches.mean() == pytest.approx(27, rel=0.02)


def test_batches_of_one_have_none() -> None:
    trace, square = unbiased(np.ones((2, 1)), np.ones((2, 1)), np.array([1, 4]))
    assert np.isnan([trace[0, 0], square[0, 0]]).all()
    assert np.isfinite([trace[1, 0], square[1, 0]]).all()


def test_of_a_run_it_is_made_from_the_batch_that_each_step_had(tmp_path: Path) -> None:
    """At learning rate 0 an epoch's steps share G and Σ; B agrees with the gradients of single
    samples, taken by a run with batches of one.
    """
    options = [
        "train",
        "--data",
        "wine",
        "--layers",
        "6",
        "--lr",
        "0",
        "--optimizer",
        "sgd",
        "--epochs",
        "40",
        "--quiet",
        "--evaluate-every",
        "never",
    ]
    for batch in ("10", "1"):
        assert main([*options, "--batch-size", batch, "-o", str(tmp_path / f"{batch}.h5")]) == 0
    with open_single(tmp_path / "10.h5") as run:
        assert sorted(set(batch_sizes(run).tolist())) == [7, 10]  # 107 samples
        found = noise_scale(run, stretches=1)
    with open_single(tmp_path / "1.h5") as run:
        samples = np.square(run.statistic("gradient_l2")[:107].astype("f8")).mean(axis=0)
    with open_single(tmp_path / "10.h5") as run:
        trace, square = unbiased(
            np.square(run.statistic("gradient_sample_rms").astype("f8"))
            * run.layers["fan_in"]
            * run.layers["fan_out"],
            np.square(run.statistic("gradient_l2").astype("f8")),
            batch_sizes(run),
        )
    np.testing.assert_allclose((trace + square).mean(axis=0), samples, rtol=0.03)
    assert found.layers.shape == (1, 2)
    assert found.layers[0].min() <= found.whole[0] <= found.layers[0].max()


def test_with_batch_norm_there_is_none(tmp_path: Path) -> None:
    assert (
        main(
            [
                "train",
                "--data",
                "wine",
                "--layers",
                "6",
                "--norm",
                "batch",
                "--steps",
                "9",
                "--quiet",
                "-o",
                str(tmp_path / "a.h5"),
            ]
        )
        == 0
    )
    with open_single(tmp_path / "a.h5") as run:
        assert np.isnan(noise_scale(run).layers[:, 0]).all()
