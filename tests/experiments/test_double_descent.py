"""Double descent with nets that dlprobe trains: the least squares line of smallest norm, whose
law is known.
"""

from __future__ import annotations

import numpy as np

from dlprobe.analysis.bias_variance.curve import advice, double_descent, sweet_spot
from dlprobe.config import from_options
from dlprobe.data.resampling import Resampler
from dlprobe.experiments import bias_variance as experiment
from dlprobe.experiments import replica_points
from dlprobe.experiments.replicas import run
from dlprobe.training.stopping import Stop

FEATURES, NOISE, SIZES = 20, 0.5, ("4", "10", "20", "40", "100")


def test_loss_over_training_samples_peaks_where_they_are_as_many_as_the_weights() -> None:
    """Gradient descent from 0 on normal inputs ends at the interpolation of smallest norm (Hastie,
    Montanari, Rosset & Tibshirani 2022, Annals of Statistics 50, 949-986): excess loss ‖w‖²(1 −
    n/p) + σ²n/(p − n − 1) for n < p − 1 samples of p features, σ²p/(n − p − 1) for n > p + 1,
    infinite at n = p.
    """
    texts = {
        "data": f"linear(samples=500, features={FEATURES}, noise={NOISE})",
        "split": "50,0,50",
        "scaling": "none",
        "layers": "",
        "bias": "no",
        "init": "zeros",
        "optimizer": "sgd",
        "lr": "0.03",
        "batch_size": "full",
        "steps": "1500",
        "dtype": "float64",
    }
    base = from_options(None, texts)
    sampler = Resampler(base.data, 0, "float64", "fresh", 12)
    replicas = experiment.plan(base, "train_size", SIZES, sampler.largest, 12, "data", 2)
    outputs = run(replicas, sampler.prepared, "test", workers=1, stop=Stop())
    assert sampler.base.clean_targets is not None
    truth = sampler.base.clean_targets["test"]
    design = replica_points.Design(
        "squared",
        "train_size",
        tuple(map(int, SIZES)),
        sampler.base.targets["test"],
        "test",
        truth,
        NOISE**2,
    )
    found = replica_points.points(
        design, [(each.at, each.data, outputs[each.id]) for each in replicas], 0.5
    )
    top = double_descent(found)
    assert top is not None
    assert (top.at, sweet_spot(found).at) == (FEATURES, 100)
    assert any(
        "double descent: the loss peaks at train_size = 20" in line
        for line in advice(found, "train_size")
    )
    strength = float(np.mean(truth**2))
    for each in found:
        samples = float(each.at or 0)
        if samples == FEATURES:
            continue
        few = samples < FEATURES
        excess = (
            strength * (1 - samples / FEATURES) + NOISE**2 * samples / (FEATURES - samples - 1)
            if few
            else NOISE**2 * FEATURES / (samples - FEATURES - 1)
        )
        low, high = each.parts.intervals["expected_loss"]
        assert low - (high - low) / 2 <= excess + NOISE**2 <= high + (high - low) / 2, (
            samples
        )  # twice as wide: some four standard errors
