"""Every rule fires where it should with the number that follows from its definition, is silent
where it should be, and says why it could not look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from rule_runs import FAILED, LEARNED, finding, made, outcome, reason

from dlprobe.config import from_mapping, with_values
from dlprobe.rules import Fired, Passed, all_rules
from dlprobe.runs import Run

NAN = float("nan")
RISING = np.linspace(0, 1, 400)
VANISHING = [1e-6, 1e-4, 1e-2, 1.0]  # hidden_1, hidden_2, hidden_3, output
ILL = {"evaluations": FAILED}
UNTOLD: dict[str, Any] = {"evaluations": {}, "scalars": {"batch_loss": NAN}}
REGRESSION = {"task": "regression", "class_names": [], "train_class_counts": np.zeros(0, "i8")}
TEN: dict[str, Any] = {"val_class_counts": [100] * 10, "val_indices": np.arange(1000)}
VAL = {"val_indices": np.arange(1000), "test_indices": np.arange(0)}


def numbers(
    loss: tuple[float, ...], r2: tuple[float, ...], val_r2: tuple[float, ...] | None = None
) -> dict[str, Any]:
    """Evaluations of a regression."""
    return {
        "train_loss": loss,
        "val_loss": loss,
        "train_error": loss,
        "val_error": loss,
        "train_r2": r2,
        "val_r2": val_r2 or r2,
    }


def losses(*train: float, error: float = 0.89) -> dict[str, Any]:
    """Evaluations of a classification that did not learn, with this training loss."""
    flat = (0.9,) + (error,) * (len(train) - 1)
    return {"train_loss": train, "val_loss": train, "train_error": flat, "val_error": flat}


def tailed(share: float) -> dict[str, Any]:
    """Targets of 100 samples one of which has this share of their variance."""
    return {"target_tail": [share], "train_indices": np.arange(100)}


def towns(counts: list[int]) -> dict[str, Any]:
    """80 training samples with so many of each value of one text column."""
    return {
        "feature_names": [f"town={k}" for k in range(len(counts))],
        "feature_mean": [count / 80 for count in counts],
        "feature_max": [1.0] * len(counts),
        "train_indices": np.arange(80),
    }


def spread(middle: list[float]) -> dict[str, Any]:
    """Two standardized features whose middle halves span so much; 0 where most values are one."""
    return {
        "feature_min": [-1.0, -3.0],
        "feature_max": [999.0, 3.0],
        "feature_mean": [0.0, 0.0],
        "feature_std": [50.0, 1.0],
        "scaler_shift": [0.0, 0.0],
        "scaler_scale": [0.02, 1.0],
        "feature_spread": middle,
    }


def weights(alike: bool) -> tuple[np.ndarray, np.ndarray]:
    """First and last parameters of one hidden layer of 64 × 100."""
    drawn = np.random.default_rng(0).standard_normal((64, 100)).astype("f4")
    found = np.repeat(drawn[:, :1], 100, axis=1) if alike else drawn
    return found.ravel(), 2 * found.ravel()


def percentiles(step: float) -> dict[str, Any]:
    """Ten looks at preactivations of spread 1 whose median moves by `step` each time."""
    table = (
        step * np.arange(10.0)[:, None, None]
        + np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
        + np.zeros((10, 4, 5))
    )
    where = "histograms/preactivation"
    counts, edges = np.ones((10, 4, 2), "u4"), np.zeros((10, 4, 3))
    return {
        f"{where}/counts": counts,
        f"{where}/edges": edges,
        f"{where}/percentiles": table,
        f"{where}/nonfinite": np.zeros((10, 4), "i8"),
    }


SCALED = {
    "feature_min": np.zeros(2),
    "feature_max": np.ones(2),
    "scaler_shift": np.zeros(2),
    "scaler_scale": np.ones(2),
}
SGD = {"config": {"training": {"optimizer": "sgd"}}}
TABLE = np.diag([90, 80, 0]) + np.array([[0, 0, 0], [0, 0, 0], [10, 0, 0]])


@dataclass(frozen=True, kw_only=True)
class Story:
    """How a rule is made to fire (with which number and threshold), to pass, and to be unable
    to look (with which word in the reason).
    """

    fires: Callable[[], Run]
    measured: float
    threshold: float
    passes: Callable[[], Run]
    blind: Callable[[], Run]
    because: str
    layers: tuple[str, ...] | None = None
    severity: str = ""


def run(statistics: dict[str, Any] | None = None, **options: Any) -> Callable[[], Run]:
    """A made-up run, made when it is needed."""
    return lambda: made(statistics, **options)


STORIES = {
    # r = log10 1e-6/1e-2; band = max(1, 4·√(2·5/100)/(2 ln 10)) = 1
    "G001": Story(
        fires=run({"error_signal_rms": VANISHING}, **ILL),
        measured=-4.0,
        threshold=-1.0,
        passes=run({"error_signal_rms": VANISHING}),
        blind=run(hidden=1),
        because="2 hidden",
        layers=("hidden_1", "hidden_3"),
    ),
    "G002": Story(
        fires=run({"error_signal_rms": VANISHING[::-1]}, **ILL),
        measured=4.0,
        threshold=1.0,
        passes=run({"error_signal_rms": VANISHING[::-1]}),
        blind=run(scalars={"gradient_norm": NAN}, **ILL),
        because="gradient_norm",
    ),
    "G003": Story(
        fires=run({"update_ratio": [1e-6, 1e-3, 1e-3, 1e-2]}, **ILL),
        measured=1e4,
        threshold=100.0,
        passes=run(**ILL),
        blind=run({"update_ratio": NAN}, **ILL),
        because="update_ratio",
        layers=("hidden_1", "output"),
    ),
    # every tenth row is 100: the 99th percentile of each window is 100, its median 1
    "G004": Story(
        fires=run(scalars={"gradient_norm": np.where(np.arange(400) % 10 == 0, 100.0, 1.0)}, **ILL),
        measured=100.0,
        threshold=10.0,
        passes=run(**ILL),
        blind=run(steps=110, **ILL),
        because="too few steps",
    ),
    "G005": Story(
        fires=run({"gradient_l2": [0.0, 0.0, 1.0, 1.0]}, **ILL),
        measured=1.0,
        threshold=0.5,
        passes=run({"gradient_l2": 0.0}),
        blind=run({"gradient_l2": NAN}),
        because="gradient_l2",
        layers=("hidden_1", "hidden_2"),
    ),
    "A001": Story(
        fires=run(layer_evaluations={"dead_fraction": [[0, 0, 0, 0], [0.1, 0.8, 0.2, 0]]}, **ILL),
        measured=0.8,
        threshold=0.5,
        passes=run(layer_evaluations={"dead_fraction": [[0, 0, 0, 0], [0.1, 0.8, 0.2, 0]]}),
        blind=run(**ILL),
        because="dead_fraction",
        layers=("hidden_2",),
    ),
    "A002": Story(
        fires=run({"flat_fraction": [0.9, 0.1, 0.1, 0]}, activation="tanh", **ILL),
        measured=0.9,
        threshold=0.5,
        passes=run(activation="tanh", **ILL),
        blind=run(**ILL),
        because="flat at both ends",
    ),
    # ½ log10 (1e-6/1) of the between-sample variance
    "A003": Story(
        fires=run(
            {"activation_sample_variance": [1, 1e-3, 1e-6, 1], "activation_mean": 10.0}, **ILL
        ),
        measured=-3.0,
        threshold=-1.0,
        passes=run(**ILL),
        blind=run(hidden=1, **ILL),
        because="2 hidden",
    ),
    "A004": Story(
        fires=run({"activation_variance": [1, 1e3, 1e6, 1]}, **ILL),
        measured=3.0,
        threshold=1.0,
        passes=run(**ILL),
        blind=run(hidden=1, **ILL),
        because="2 hidden",
    ),
    "A005": Story(
        fires=run(instruments=percentiles(3.0), **ILL),
        measured=3.0,
        threshold=1.0,
        passes=run(instruments=percentiles(0.1), **ILL),
        blind=run(**ILL),
        because="histogram",
    ),
    # share of the mean square that differs between samples in hidden_3: 1e-6/(.34 + .16)
    "A006": Story(
        fires=run({"activation_sample_variance": [0.3, 1e-3, 1e-6, 0.3]}, **ILL),
        measured=1e-6 / (0.34 + 0.4**2),
        threshold=0.01,
        passes=run(**ILL),
        blind=run(hidden=1, **ILL),
        because="2 hidden",
    ),
    "A007": Story(
        fires=run(
            norm="batch", scalars={"batch_loss": 1.0}, evaluations=losses(2.3, 4.0, 4.0, 4.0)
        ),
        measured=4.0,
        threshold=1.5,
        passes=run(norm="batch", scalars={"batch_loss": 2.3}, **ILL),
        blind=run(**ILL),
        because="batch normalization",
        layers=("hidden_1", "hidden_2", "hidden_3"),
    ),
    # a 3-layer net of 4 units: 3/4
    "A008": Story(
        fires=run(units=4, **ILL),
        measured=0.75,
        threshold=0.5,
        passes=run(units=100, **ILL),
        blind=run(hidden=1, units=1, **ILL),
        because="2 hidden",
        layers=("hidden_1", "hidden_2", "hidden_3"),
    ),
    "W001": Story(
        fires=run(hidden=1, parameters=weights(True), **ILL),
        measured=1.0,
        threshold=0.99,
        passes=run(hidden=1, parameters=weights(False), **ILL),
        blind=run(hidden=0, **ILL),
        because="hidden layers are needed",
        layers=("hidden_1",),
    ),
    # 1² over He's 2/fan_in with fan_in 64, 100, 100: (32·50·50)^(1/3)
    "W002": Story(
        fires=run({"weight_rms": 1.0}, **ILL),
        measured=(32 * 50 * 50) ** (1 / 3),
        threshold=5.0,
        passes=run(**ILL),
        blind=run(norm="batch", **ILL),
        because="normalized",
    ),
    "W003": Story(
        fires=run({"update_ratio": [0.7, 0.1, 0.1, 0.1]}, **ILL),
        measured=0.7,
        threshold=0.2,
        passes=run(**ILL),
        blind=run({"update_ratio": NAN}, **ILL),
        because="update_ratio",
        layers=("hidden_1",),
    ),
    # no weight_distance: 400 updates of 1e-6
    "W004": Story(
        fires=run({"update_ratio": 1e-6}, **ILL),
        measured=4e-4,
        threshold=0.03,
        passes=run(**ILL),
        blind=run({"update_ratio": 1e-6}, steps=50, **ILL),
        because="too short to tell",
    ),
    # row 399 over row 200
    "W005": Story(
        fires=run({"weight_l2": (1 + 9 * RISING)[:, None]}, evaluations=losses(2.3, 2.3, 2.3)),
        measured=(1 + 9 * RISING[399]) / (1 + 9 * RISING[200]),
        threshold=1.5,
        passes=run(evaluations=losses(2.3, 2.3, 2.3)),
        blind=run(**ILL),
        because="three evaluations",
    ),
    "W006": Story(
        fires=run(instruments={"instruments/sharpness": np.full(10, 5000.0)}, **SGD, **ILL),
        measured=5.0,  # .001 × 5000
        threshold=3.0,
        passes=run(instruments={"instruments/sharpness": np.full(10, 2100.0)}, **SGD, **ILL),
        blind=run(instruments={"instruments/sharpness": np.full(10, 5000.0)}, **ILL),
        because="adam",
    ),
    "L001": Story(
        fires=run(**ILL),
        measured=1 - 0.89 / 0.9,
        threshold=0.1,
        passes=run(),
        blind=run(steps=20, **ILL),
        because="too short to tell",
    ),
    "L002": Story(
        fires=run(evaluations=losses(2.0, 9.0, 8.0)),
        measured=4.5,
        threshold=2.0,
        passes=run(**ILL),
        blind=run(**UNTOLD),
        because="never evaluated",
    ),
    # changes of 1 between 1 and 2 around a mean of 1.5
    "L003": Story(
        fires=run(evaluations=losses(2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1)),
        measured=2 / 3,
        threshold=0.15,
        passes=run(evaluations=losses(*np.linspace(3, 2, 12))),
        blind=run(**ILL),
        because="too few evaluations",
    ),
    "L004": Story(
        fires=run(evaluations=losses(*np.linspace(3, 2, 9))),
        measured=1.0,
        threshold=0.3,
        passes=run(evaluations=losses(3, 2, 2, 2, 2, 2, 2, 2, 2)),
        blind=run(**ILL),
        because="too few evaluations",
    ),
    "L005": Story(
        fires=run(evaluations=losses(46.0517, 3.0)),
        measured=20.0,
        threshold=5.0,
        passes=run(**ILL),
        blind=run(config={"training": {"loss": "mse"}}, **ILL),
        because="chance value",
        severity="warning",
    ),
    "L006": Story(
        fires=run(output_activation="relu", **ILL),
        measured=NAN,
        threshold=0.05,
        passes=run(**ILL),
        blind=run(output_activation="relu", **UNTOLD),
        because="never evaluated",
        layers=("output",),
    ),
    # 23.03 is ten times ln 10
    "L007": Story(
        fires=run(evaluations={**LEARNED, "val_loss": (2.3, 23.0258509)}, data=TEN),
        measured=10.0,
        threshold=2.0,
        passes=run(evaluations={**LEARNED, "val_loss": (2.3, 2.0)}, data=TEN),
        blind=run(config={"training": {"loss": "mae"}}),
        because="no known value",
        severity="warning",
    ),
    "L008": Story(
        fires=run(
            data={"train_floor": 0.0},
            evaluations={
                "train_loss": (0.7, 0.4, 0.35, 0.35, 0.35),
                "train_error": (0.9, 0.3, 0.225, 0.225, 0.225),
            },
        ),
        measured=0.75,
        threshold=0.9,
        passes=run(
            data={"train_floor": 0.2},
            evaluations={
                "train_loss": (0.7, 0.4, 0.35, 0.35, 0.35),
                "train_error": (0.9, 0.3, 0.225, 0.225, 0.225),
            },
        ),
        blind=run(**ILL),
        because="do not repeat",
    ),
    "L009": Story(
        fires=run(
            evaluations={"train_loss": (2.3, 0.4, 0.3, 3.0), "train_error": (0.9, 0.09, 0.18, 0.81)}
        ),
        measured=0.1,
        threshold=0.4,
        passes=run(
            evaluations={"train_loss": (2.3, 0.4, 0.3, 3.0), "train_error": (0.9, 0.09, 0.81, 0.81)}
        ),  # one evaluation is luck
        blind=run(**UNTOLD),
        because="never evaluated",
    ),
    "L010": Story(
        fires=run(scalars={"batch_loss": np.where(np.arange(400) == 3, 46.0, 1.0)}, **ILL),
        measured=20.0,
        threshold=5.0,
        passes=run(scalars={"batch_loss": np.where(np.arange(400) == 300, 46.0, 1.0)}, **ILL),
        blind=run(scalars={"batch_loss": NAN}, **ILL),
        because="batch_loss",
        severity="warning",
    ),
    "L011": Story(
        fires=run(scalars={"batch_loss": np.repeat([2.0, 1e-6, 1e-3, 1e-5], 100)}),
        measured=1e3,
        threshold=100.0,
        passes=run(scalars={"batch_loss": np.repeat([2.0, 1e-3, 1e-5, 1e-6], 100)}),
        blind=run(scalars={"batch_loss": np.repeat([2.0, 1e-6, 1e-3, 1e-5], 100)}, **SGD),
        because="sgd",
    ),
    "L012": Story(
        fires=run(evaluations=losses(2.3, 2.0, 1.5), final={"stopped_step": 400}),
        measured=0.25,
        threshold=0.01,
        passes=run(evaluations=losses(2.3, 2.0, 1.5)),
        blind=run(**UNTOLD),
        because="never evaluated",
    ),
    # 64·100 + 100·100 + 100·100 + 100·10 weights over 2·100 + 64
    "B006": Story(
        fires=run(
            data={**REGRESSION, "train_indices": np.arange(100)},
            evaluations=numbers((2.0, 1.0), (0.0, 0.3)),
        ),
        measured=27400 / 264,
        threshold=1.0,
        passes=run(
            data={**REGRESSION, "train_indices": np.arange(20000)},
            evaluations=numbers((2.0, 1.0), (0.0, 0.3)),
        ),
        blind=run(data=REGRESSION, evaluations=numbers((2.0, 1.0), (0.0, 0.3))),
        because="which samples",
    ),
    # a tenth of Adam's usual rate; three layers of 100, batches of 32, a constant rate and ReLU are
    # no brakes
    "L013": Story(
        fires=run(**ILL, config={"training": {"lr": 1e-4}}),
        measured=10.0,
        threshold=3.0,
        passes=run(**ILL, config={"training": {"lr": 4e-4}}),
        blind=run(**UNTOLD),
        because="never evaluated",
    ),
    # two standard errors of guessing one class of ten on 1,000 samples: 2·√(.1/.9/1000)
    "B005": Story(
        fires=run(evaluations={**LEARNED, "val_error": (0.9, 0.9)}, data=TEN),
        measured=0.0,
        threshold=2 * (1 / 9 / 1000) ** 0.5,
        passes=run(evaluations={**LEARNED, "val_error": (0.9, 0.5)}, data=TEN),
        blind=run(),
        because="no validation",
    ),
    # as many deviations from 0 as its mean has
    "D006": Story(
        fires=run(
            data={**REGRESSION, "target_mean": [1000.0], "target_std": [2.0]},
            evaluations=numbers((2.0, 1.0), (0.0, 0.05)),
        ),
        measured=500.0,
        threshold=10.0,
        passes=run(
            data={**REGRESSION, "target_mean": [1.0], "target_std": [2.0]},
            evaluations=numbers((2.0, 1.0), (0.0, 0.05)),
        ),
        blind=run(**ILL),
        because="classes",
    ),
    # of 100 squared distances 99 are 1 and one is 297
    "D007": Story(
        fires=run(
            data={**REGRESSION, **tailed(0.75)}, evaluations=numbers((2.0, 1.0), (0.0, 0.05))
        ),
        measured=0.75,
        threshold=0.5,
        passes=run(
            data={**REGRESSION, **tailed(0.08)}, evaluations=numbers((2.0, 1.0), (0.0, 0.05))
        ),
        blind=run(**ILL),
        because="classes",
    ),
    # 60 of 80 samples have a value of 'town' that only two others have
    "D008": Story(
        fires=run(data=towns([20, *[3] * 20]), **ILL),
        measured=0.75,
        threshold=0.5,
        passes=run(data=towns([50, *[3] * 10]), **ILL),
        blind=run(**ILL),
        because="no text column",
    ),
    # scaled to a deviation of 1, of which the middle half spans a hundredth
    "D009": Story(
        fires=run(data=spread([0.01, 1.35]), **ILL),
        measured=0.01,
        threshold=0.1,
        passes=run(data=spread([0.0, 0.27]), **ILL),
        blind=run(**ILL),
        because="feature_spread",
    ),
    "B001": Story(
        fires=run(**ILL),
        measured=89.0,
        threshold=10.0,
        passes=run(),
        blind=run(steps=20, **ILL),
        because="too short to tell",
        severity="warning",
    ),
    "B002": Story(
        fires=run(evaluations={**LEARNED, "val_error": (0.9, 0.25)}, data=VAL),
        measured=25.0,
        threshold=10.0,
        passes=run(evaluations={**LEARNED, "val_error": (0.9, 0.01)}, data=VAL),
        blind=run(
            evaluations={name: series for name, series in LEARNED.items() if "val" not in name}
        ),
        because="no validation",
        severity="warning",
    ),
    "B003": Story(
        fires=run(evaluations={**losses(2, 1, 0.5, 0.2, 0.1), "val_loss": (2, 1, 0.8, 1.0, 1.2)}),
        measured=1.5,
        threshold=1.1,
        passes=run(evaluations=losses(2, 1, 0.5, 0.2, 0.1)),
        blind=run(**ILL),
        because="too few evaluations",
        severity="info",
    ),
    "B004": Story(
        fires=run(scalars={"penalty": 6.0, "batch_loss": 2.0}, **ILL),
        measured=3.0,
        threshold=1.0,
        passes=run(scalars={"penalty": 6.0, "batch_loss": 2.0}),
        blind=run(steps=20, **ILL),
        because="too short to tell",
    ),
    "D001": Story(
        fires=run(data={**SCALED, "feature_mean": [0.0, 0.0], "feature_std": [1e-3, 10.0]}, **ILL),
        measured=1e4,
        threshold=100.0,
        passes=run(data={**SCALED, "feature_mean": [0.0, 0.0], "feature_std": [1.0, 10.0]}, **ILL),
        blind=run(**ILL),
        because="not in the file",
        severity="warning",
    ),
    "D002": Story(
        fires=run(
            data={"train_class_counts": [900, 800, 10], "class_names": list("abc")},
            final={"val_confusion": TABLE},
        ),
        measured=0.0,
        threshold=0.5,
        passes=run(
            data={"train_class_counts": [900, 800, 500], "class_names": list("abc")},
            final={"val_confusion": TABLE},
        ),
        blind=run(data={"train_class_counts": [900, 800, 10], "class_names": list("abc")}),
        because="confusion",
    ),
    "D003": Story(
        fires=run(data={**VAL, "duplicates_train_val": 300}),
        measured=0.3,
        threshold=0.1,
        passes=run(data={**VAL, "duplicates_train_val": 10}),
        blind=run(),
        because="no validation",
        severity="error",
    ),
    "D004": Story(
        fires=run(data={"feature_std": [0.0, 1.0, 0.0]}),
        measured=2.0,
        threshold=0.0,
        passes=run(data={"feature_std": [1.0, 1.0]}),
        blind=run(),
        because="feature_std",
    ),
    # shares .5, .5 against .9, .1
    "D005": Story(
        fires=run(
            data={
                "class_names": ["a", "b"],
                "train_class_counts": [500, 500],
                "val_class_counts": [90, 10],
            }
        ),
        measured=0.4,
        threshold=0.1,
        passes=run(
            data={
                "class_names": ["a", "b"],
                "train_class_counts": [500, 500],
                "val_class_counts": [52, 48],
            }
        ),
        blind=run(data=REGRESSION, evaluations=numbers((2.0, 1.0), (0.0, 0.5))),
        because="no classes",
    ),
    # a batch of 32 × 100 units
    "N002": Story(
        fires=run({"underflow_count": [1600, 0, 0, NAN]}, **ILL),
        measured=0.5,
        threshold=0.1,
        passes=run({"underflow_count": [1600, 0, 0, NAN]}),
        blind=run({"underflow_count": NAN}),
        because="underflow_count",
    ),
}
# test_n001_non_finite.py, test_m001_metric_bound.py, recorders/test_program_faults.py
ELSEWHERE = {"N001", "M001", "L014"}
BASELINES = "R"  # judged against other runs: their own tests


def test_every_rule_has_its_story() -> None:
    assert set(STORIES) | ELSEWHERE == {
        code for code in all_rules() if not code.startswith(BASELINES)
    }


@pytest.mark.parametrize("code", STORIES)
def test_it_fires_with_the_number_of_its_definition(code: str) -> None:
    story, said = STORIES[code], outcome(code, STORIES[code].fires())
    assert isinstance(said, Fired), said
    found = said.findings[0]
    assert found.measured == pytest.approx(story.measured, rel=1e-5, nan_ok=True)
    assert found.threshold == pytest.approx(story.threshold)
    assert (found.code, found.name) == (code, all_rules()[code].title)
    assert found.severity == (story.severity or all_rules()[code].severity)
    assert story.layers is None or found.layers == story.layers
    assert 20 < len(found.evidence) < 400


@pytest.mark.parametrize("code", STORIES)
def test_it_is_silent(code: str) -> None:
    assert outcome(code, STORIES[code].passes()) == Passed()


@pytest.mark.parametrize("code", STORIES)
def test_it_says_why_it_could_not_look(code: str) -> None:
    assert STORIES[code].because in reason(code, STORIES[code].blind())


@pytest.mark.parametrize("code", STORIES)
def test_remedies_change_the_configuration_and_it_still_reads(code: str) -> None:
    ill = STORIES[code].fires()
    said, config = outcome(code, ill), from_mapping(ill.config)
    assert isinstance(said, Fired)
    for remedy in said.findings[0].remedies:
        assert with_values(config, remedy.patch) != config
        assert remedy.why


@pytest.mark.parametrize(
    ("code", "threshold", "value"),
    [
        ("G003", "spread", 1e5),
        ("A001", "share", 0.9),
        ("A005", "drift", 4.0),
        ("W003", "ratio", 1.0),
        ("W004", "distance", 1e-5),
        ("L001", "skill", 0.01),
    ],
)
def test_a_threshold_that_is_set_is_the_one_that_is_used(
    code: str, threshold: str, value: float
) -> None:
    assert outcome(code, STORIES[code].fires(), **{threshold: value}) == Passed()


@pytest.mark.parametrize(
    ("name", "values", "measured"),
    [
        ("norm_mean_mismatch", [0.1, 3.0, 0.2, NAN], 3.0),
        ("norm_variance_ratio", [1.0, 0.1, 2.0, NAN], 10.0),
    ],
)
def test_a007_names_the_layer_whose_running_statistics_are_off(
    name: str, values: list[float], measured: float
) -> None:
    said = outcome(
        "A007",
        made(
            norm="batch",
            scalars={"batch_loss": 2.3},
            layer_evaluations={name: [values, values]},
            evaluations=FAILED,
        ),
    )
    assert isinstance(said, Fired)
    assert (said.findings[0].layers, said.findings[0].measured) == (
        ("hidden_2",),
        pytest.approx(measured),
    )


def test_b004_sees_a_penalty_that_left_no_weights_to_weigh() -> None:
    """140 against a data loss of 2 at the start, next to nothing at the end; a mild penalty
    that shrinks as much is none.
    """
    falling = {"batch_loss": 2.0, "penalty": np.geomspace(140.0, 0.14, 400)}
    found = finding("B004", made(scalars=falling, **ILL))
    assert (found.measured, found.threshold) == (pytest.approx(70.0), 1.0)
    assert "pulled the weights down" in found.evidence
    assert isinstance(
        outcome(
            "B004", made(scalars={**falling, "penalty": np.geomspace(1.4, 0.0014, 400)}, **ILL)
        ),
        Passed,
    )


def test_a003_tells_a_variance_that_has_fallen_to_nothing() -> None:
    gone = {
        "activation_variance": [1.0, 1.0, 1.0, 1.0],
        "activation_sample_variance": [0.25, 0.1, 0.0, 1.0],
    }
    evidence = finding("A003", made(gone, **ILL)).evidence
    assert (
        "has fallen to 0 (below the smallest number of float32), from 0.25 in hidden_1; so in "
        "9 of 9 recorded steps looked at"
    ) in evidence


def test_a001_does_not_call_a_net_of_nan_dead() -> None:
    dead = {"dead_fraction": [[0.1] * 4, [1.0] * 4]}
    assert outcome("A001", made(layer_evaluations=dead, evaluations=losses(2.3, NAN))) == Passed()


@pytest.mark.parametrize("init", [2 / 200, 1 / 300, 2 / 100, 1 / 100])
def test_w002_takes_every_usual_initializer(init: float) -> None:
    """Glorot, PyTorch, He and LeCun at fan_in = fan_out = 100."""
    assert outcome("W002", made({"weight_rms": init**0.5}, evaluations=FAILED)) == Passed()


def test_a_run_that_was_evaluated_in_its_first_steps_only_is_judged() -> None:
    """Its last evaluation lies before the steps at which a rise would be the whole training's:
    there is none to look at.
    """
    early = made(
        evaluations={"train_loss": (2.3, 1.2), "train_error": (0.9, 0.5)},
        final={"steps_done": 100_000},
    )
    assert isinstance(outcome("L002", early), Passed)
