"""Whatever a run holds, every rule has one of three outcomes: never an exception, never a
warning.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rule_runs import FAILED, LEARNED, ORDINARY, made

from dlprobe import registry
from dlprobe.rules import judge
from dlprobe.runs import Run

ALL = [*registry.records("statistic")]
INSTRUMENTS = {
    "instruments/sharpness": np.full(10, np.nan),
    "instruments/activation_cosine": np.full((10, 4), np.inf),
}


def _everything(value: float) -> dict[str, float]:
    return dict.fromkeys(ALL, value)


def _bad_evaluations(value: float) -> dict[str, Any]:
    return {name: (series[0], value) for name, series in FAILED.items()}


RUNS: dict[str, dict[str, Any]] = {
    **{
        f"statistics {value}": {"statistics": _everything(value), "evaluations": FAILED}
        for value in (np.nan, np.inf, 0.0, 1e38)
    },
    **{f"end {value}": {"evaluations": _bad_evaluations(value)} for value in (np.nan, np.inf, 0.0)},
    **{
        f"scalars {value}": {
            "scalars": dict.fromkeys(("batch_loss", "gradient_norm", "learning_rate"), value)
        }
        for value in (np.nan, np.inf, 0.0)
    },
    "one step": {"steps": 1},
    "no evaluation": {"evaluations": {}},
    "no hidden layer": {"hidden": 0, "evaluations": FAILED},
    "one hidden layer": {"hidden": 1, "evaluations": FAILED},
    "one class": {"data": {"class_names": ["a"], "train_class_counts": [9]}, "evaluations": FAILED},
    "no classes": {
        "data": {"class_names": [], "train_class_counts": np.zeros(0, "i8")},
        "evaluations": LEARNED,
    },
    "regression without R²": {
        "data": {"task": "regression", "class_names": [], "train_class_counts": np.zeros(0, "i8")},
        "evaluations": FAILED,
    },
    "strange parts": {
        "activation": "mystery(x=1)",
        "output_activation": "riddle",
        "norm": "secret",
        "evaluations": FAILED,
    },
    "strange looks": {"instruments": INSTRUMENTS, "evaluations": FAILED},
    "constant features": {
        "data": {
            name: np.zeros(3)
            for name in ("feature_mean", "feature_std", "scaler_shift", "scaler_scale")
        },
        "evaluations": FAILED,
    },
    "diverged": {"status": "diverged", "evaluations": FAILED},
    "running": {"status": "interrupted"},
}


@pytest.mark.parametrize("name", RUNS)
def test_every_rule_has_an_outcome(name: str) -> None:
    judgement = judge(made(**RUNS[name]))
    told = [
        *{finding.code for finding in judgement.findings},
        *judgement.passed,
        *judgement.not_evaluated,
    ]
    asked = [
        rule for rule in registry.records("rule").values() if not (rule.on_request or rule.foreign)
    ]
    assert len(told) == len(set(told)) == len(asked)
    assert all(reason for reason in judgement.not_evaluated.values())


def test_a_run_that_learned_is_not_accused_whatever_its_gradients_do() -> None:
    """A converged run and a vanished gradient look the same in absolute numbers."""
    tiny = {
        **ORDINARY,
        "error_signal_rms": [1e-12, 1e-9, 1e-6, 1e-3],
        "gradient_l2": 0.0,
        "update_ratio": [1e-9, 1e-7, 1e-5, 1e-2],
        "flat_fraction": 0.9,
    }
    judgement = judge(
        made(tiny, activation="tanh", layer_evaluations={"dead_fraction": [[0.9] * 4] * 2})
    )
    assert [finding.code for finding in judgement.findings if finding.severity != "info"] == []


def test_another_program_s_configuration_costs_remedies_only() -> None:
    run: Run = made({"error_signal_rms": [1e-6, 1e-4, 1e-2, 1.0]}, evaluations=FAILED)
    run.config = {"framework": "other"}
    (found,) = [finding for finding in judge(run).findings if finding.code == "G001"]
    assert found.remedies == ()
