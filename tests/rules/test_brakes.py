"""Brakes: each has the factor of its formula, they multiply, and a run that learned has none to
release.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from rule_runs import FAILED, LEARNED, made, outcome
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from dlprobe.rules import Fired, Passed
from dlprobe.rules.brakes import brakes
from dlprobe.rules.evidence import Evidence


def mean_of(function: Any) -> float:
    """Over N(0, 1), by SciPy's quadrature."""
    return float(quad(lambda z: function(z) * norm.pdf(z), -12, 12)[0])


# Schoenholz et al. 2017: where weights keep E φ², a layer passes on E φ'² / E φ² of the error
# signal's mean square
SIGMOID = mean_of(lambda z: (expit(z) * (1 - expit(z))) ** 2) / mean_of(lambda z: expit(z) ** 2)
MINMAX = {
    "feature_mean": [4.0, 4.0],
    "feature_std": [2.0, 2.0],
    "scaler_shift": [0.0, 0.0],
    "scaler_scale": [0.125, 0.125],
}  # 0.5 ± 0.25


@pytest.mark.parametrize(
    ("remedy", "factor", "options"),
    [
        ("usual_rate", 50.0, {"config": {"training": {"lr": 2e-5}}}),
        ("full_rate", 4.0, {"scalars": {"learning_rate": np.repeat([0.008, 0.0], [100, 300])}}),
        (
            "no_clip",
            20.0,
            {
                "config": {"training": {"optimizer": "sgd", "clip_global_norm": 0.1}},
                "scalars": {"clip_scale": 0.05},
            },
        ),
        (
            "usual_batch",
            8.0,
            {
                "config": {"training": {"batch_size": 256}},
                "data": {"train_indices": np.arange(1000)},
            },
        ),
        (
            "usual_batch",
            2.0,
            {
                "config": {"training": {"batch_size": "full"}},
                "data": {"train_indices": np.arange(64)},
            },
        ),
        (
            "usual_optimizer",
            10.0,
            {"config": {"training": {"optimizer": "sgd"}}},
        ),  # momentum of 0.9 sums to 1/(1 − 0.9)
        ("usual_optimizer", 5.0, {"config": {"training": {"optimizer": "momentum(momentum=0.5)"}}}),
        (
            "scaling",
            4.0 * math.sqrt(5.0),
            {"config": {"data": {"scaling": "minmax"}}, "data": MINMAX},
        ),
        (
            "relu",
            SIGMOID**-0.5,
            {"config": {"model": {"activation": "sigmoid", "layers": "100x3"}}},
        ),
        ("wider", 4.0, {"config": {"model": {"layers": "40,8,8"}}}),
        ("shallower", 4.0, {"config": {"model": {"layers": "40x12"}}}),
        ("larger_net", 2.0, {"config": {"model": {"layers": "40"}}}),
        ("no_residual", 4.0, {"config": {"model": {"layers": "40x4", "residual": "identity"}}}),
        (
            "init",
            8.0,
            {
                "statistics": {
                    "weight_rms": [
                        1 / math.sqrt(3 * 64 * 64),
                        1 / math.sqrt(300),
                        1 / math.sqrt(300),
                        0.1,
                    ]
                }
            },
        ),
        (
            "init",
            4.0,
            {
                "norm": "batch",
                "statistics": {
                    "weight_rms": [
                        4 * math.sqrt(2 / 64),
                        4 * math.sqrt(2 / 100),
                        4 * math.sqrt(2 / 100),
                        0.1,
                    ]
                },
            },
        ),
        (
            "no_penalty",
            1.5,
            {"config": {"training": {"l2": 0.1}}, "scalars": {"batch_loss": 2.0, "penalty": 1.0}},
        ),
        ("no_dropout", 2.5, {"config": {"model": {"dropout": 0.6, "layers": "100x3"}}}),
    ],
)
def test_a_brake_has_the_factor_of_its_formula(
    remedy: str, factor: float, options: dict[str, Any]
) -> None:
    found = {
        brake.remedy: brake.factor
        for brake in brakes(Evidence(made(evaluations=FAILED, **options)))
    }
    assert found[remedy] == pytest.approx(factor, rel=1e-5)


def test_plain_settings_have_no_brake() -> None:
    assert brakes(Evidence(made(evaluations=FAILED))) == []


def test_brakes_multiply_and_each_is_a_finding_with_what_releases_it() -> None:
    """Neither a factor of 2.5 nor one of 2 is 3; together they are 5."""
    rate, batch = {"lr": 4e-4}, {"batch_size": 64}
    rows = {"train_indices": np.arange(1000)}
    for alone in (rate, batch):
        assert isinstance(
            outcome("L013", made(evaluations=FAILED, config={"training": alone}, data=rows)), Passed
        )
    both = outcome(
        "L013", made(evaluations=FAILED, config={"training": {**rate, **batch}}, data=rows)
    )
    assert isinstance(both, Fired)
    assert [dict(each.remedies[0].patch) for each in both.findings] == [
        {"training.lr": "auto"},
        {"training.batch_size": "32"},
    ]
    assert ["make 5 together" in each.evidence for each in both.findings] == [True, False]


@pytest.mark.parametrize(("samples", "narrow"), [(380, False), (381, True)])
def test_a_net_that_can_fit_all_its_samples_has_no_lack_of_units(
    samples: int, narrow: bool
) -> None:
    """2n + d weights are enough for any labels of n samples of d features (Zhang et al. 2017,
    theorem 1).
    """
    weights = 64 * 10 + 10 * 8 + 8 * 8 + 8 * 5  # 824 = 2·380 + 64
    assert weights == 2 * 380 + 64
    run = made(
        evaluations=FAILED,
        config={"model": {"layers": "10,8,8"}},
        layers={"fan_in": [64, 10, 8, 8], "fan_out": [10, 8, 8, 5]},
        data={"train_indices": np.arange(samples)},
    )
    assert ("wider" in [brake.remedy for brake in brakes(Evidence(run))]) == narrow


@pytest.mark.parametrize("reached", ["learned", "noisy targets"])
def test_what_learned_or_may_have_is_not_accused(reached: str) -> None:
    noisy = {"task": "regression", "class_names": [], "train_class_counts": np.zeros(0, "i8")}
    half = dict.fromkeys(("train_loss", "val_loss", "train_error", "val_error"), (1.0, 0.4)) | {
        "train_r2": (0.0, 0.6),
        "val_r2": (0.0, 0.5),
    }
    options = (
        {"evaluations": LEARNED} if reached == "learned" else {"evaluations": half, "data": noisy}
    )
    assert outcome("L013", made(config={"training": {"lr": 1e-6}}, **options)) == Passed()
