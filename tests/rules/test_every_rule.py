"""Every rule fires where it should with the number that follows from its definition, is silent where it should be, and says why it could not look."""

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
REGRESSION = {"task": "regression", "class_names": [], "train_class_counts": np.zeros(0, "i8")}
VAL = {"val_indices": np.arange(1000), "test_indices": np.arange(0)}


def numbers(loss: tuple[float, ...], r2: tuple[float, ...], val_r2: tuple[float, ...] | None = None) -> dict[str, Any]:
    """Evaluations of a regression."""
    return {"train_loss": loss, "val_loss": loss, "train_error": loss, "val_error": loss, "train_r2": r2, "val_r2": val_r2 or r2}


def losses(*train: float, error: float = 0.89) -> dict[str, Any]:
    """Evaluations of a classification that did not learn, with this training loss."""
    flat = (0.9,) + (error,) * (len(train) - 1)
    return {"train_loss": train, "val_loss": train, "train_error": flat, "val_error": flat}


def weights(alike: bool) -> tuple[np.ndarray, np.ndarray]:
    """First and last parameters of one hidden layer of 64 × 100."""
    drawn = np.random.default_rng(0).standard_normal((64, 100)).astype("f4")
    found = np.repeat(drawn[:, :1], 100, axis=1) if alike else drawn
    return found.ravel(), 2 * found.ravel()


def percentiles(step: float) -> dict[str, Any]:
    """Ten looks at preactivations of spread 1 whose median moves by `step` each time."""
    table = step * np.arange(10.0)[:, None, None] + np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) + np.zeros((10, 4, 5))
    where = "histograms/preactivation"
    counts, edges = np.ones((10, 4, 2), "u4"), np.zeros((10, 4, 3))
    return {f"{where}/counts": counts, f"{where}/edges": edges, f"{where}/percentiles": table, f"{where}/nonfinite": np.zeros((10, 4), "i8")}


SCALED = {"feature_min": np.zeros(2), "feature_max": np.ones(2), "scaler_shift": np.zeros(2), "scaler_scale": np.ones(2)}
SGD = {"config": {"training": {"optimizer": "sgd"}}}
TABLE = np.diag([90, 80, 0]) + np.array([[0, 0, 0], [0, 0, 0], [10, 0, 0]])


@dataclass(frozen=True)
class Story:
    """How a rule is made to fire (with which number and threshold), to pass, and to be unable to look (with which word in the reason)."""

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
        run({"error_signal_rms": VANISHING}, **ILL), -4.0, -1.0, run({"error_signal_rms": VANISHING}), run(hidden=1), "2 hidden", ("hidden_1", "hidden_3")
    ),
    "G002": Story(
        run({"error_signal_rms": VANISHING[::-1]}, **ILL),
        4.0,
        1.0,
        run({"error_signal_rms": VANISHING[::-1]}),
        run(scalars={"gradient_norm": NAN}, **ILL),
        "gradient_norm",
    ),
    "G003": Story(
        run({"update_ratio": [1e-6, 1e-3, 1e-3, 1e-2]}, **ILL),
        1e4,
        100.0,
        run(**ILL),
        run({"update_ratio": NAN}, **ILL),
        "update_ratio",
        ("hidden_1", "output"),
    ),
    # every tenth row is 100: the 99th percentile of each window is 100, its median 1
    "G004": Story(
        run(scalars={"gradient_norm": np.where(np.arange(400) % 10 == 0, 100.0, 1.0)}, **ILL), 100.0, 10.0, run(**ILL), run(steps=110, **ILL), "too few steps"
    ),
    "G005": Story(
        run({"gradient_l2": [0.0, 0.0, 1.0, 1.0]}, **ILL),
        1.0,
        0.5,
        run({"gradient_l2": 0.0}),
        run({"gradient_l2": NAN}),
        "gradient_l2",
        ("hidden_1", "hidden_2"),
    ),
    "A001": Story(
        run(layer_evaluations={"dead_fraction": [[0, 0, 0, 0], [0.1, 0.8, 0.2, 0]]}, **ILL),
        0.8,
        0.5,
        run(layer_evaluations={"dead_fraction": [[0, 0, 0, 0], [0.1, 0.8, 0.2, 0]]}),
        run(**ILL),
        "dead_fraction",
        ("hidden_2",),
    ),
    "A002": Story(
        run({"flat_fraction": [0.9, 0.1, 0.1, 0]}, activation="tanh", **ILL), 0.9, 0.5, run(activation="tanh", **ILL), run(**ILL), "flat at both ends"
    ),
    # ½ log10 (1e-6/1) of the between-sample variance
    "A003": Story(
        run({"activation_sample_variance": [1, 1e-3, 1e-6, 1], "activation_mean": 10.0}, **ILL), -3.0, -1.0, run(**ILL), run(hidden=1, **ILL), "2 hidden"
    ),
    "A004": Story(run({"activation_variance": [1, 1e3, 1e6, 1]}, **ILL), 3.0, 1.0, run(**ILL), run(hidden=1, **ILL), "2 hidden"),
    "A005": Story(run(instruments=percentiles(3.0), **ILL), 3.0, 1.0, run(instruments=percentiles(0.1), **ILL), run(**ILL), "histogram"),
    # share of the mean square that differs between samples in hidden_3: 1e-6/(.34 + .16)
    "A006": Story(
        run({"activation_sample_variance": [0.3, 1e-3, 1e-6, 0.3]}, **ILL), 1e-6 / (0.34 + 0.4**2), 0.01, run(**ILL), run(hidden=1, **ILL), "2 hidden"
    ),
    "A007": Story(
        run(norm="batch", scalars={"batch_loss": 1.0}, evaluations=losses(2.3, 4.0, 4.0, 4.0)),
        4.0,
        1.5,
        run(norm="batch", scalars={"batch_loss": 2.3}, **ILL),
        run(**ILL),
        "batch normalization",
        ("hidden_1", "hidden_2", "hidden_3"),
    ),
    "W001": Story(
        run(hidden=1, parameters=weights(True), **ILL),
        1.0,
        0.99,
        run(hidden=1, parameters=weights(False), **ILL),
        run(hidden=0, **ILL),
        "hidden layers are needed",
        ("hidden_1",),
    ),
    # 1² over He's 2/fan_in with fan_in 64, 100, 100: (32·50·50)^(1/3)
    "W002": Story(run({"weight_rms": 1.0}, **ILL), (32 * 50 * 50) ** (1 / 3), 5.0, run(**ILL), run(norm="batch", **ILL), "normalized"),
    "W003": Story(run({"update_ratio": [0.7, 0.1, 0.1, 0.1]}, **ILL), 0.7, 0.2, run(**ILL), run({"update_ratio": NAN}, **ILL), "update_ratio", ("hidden_1",)),
    # no weight_distance: 400 updates of 1e-6
    "W004": Story(run({"update_ratio": 1e-6}, **ILL), 4e-4, 0.03, run(**ILL), run({"update_ratio": 1e-6}, steps=50, **ILL), "too short to tell"),
    # row 399 over row 200
    "W005": Story(
        run({"weight_l2": (1 + 9 * RISING)[:, None]}, evaluations=losses(2.3, 2.3, 2.3)),
        (1 + 9 * RISING[399]) / (1 + 9 * RISING[200]),
        1.5,
        run(evaluations=losses(2.3, 2.3, 2.3)),
        run(**ILL),
        "three evaluations",
    ),
    "W006": Story(
        run(instruments={"instruments/sharpness": np.full(10, 5000.0)}, **SGD, **ILL),
        5.0,  # .001 × 5000
        3.0,
        run(instruments={"instruments/sharpness": np.full(10, 2100.0)}, **SGD, **ILL),
        run(instruments={"instruments/sharpness": np.full(10, 5000.0)}, **ILL),
        "adam",
    ),
    "L001": Story(run(**ILL), 1 - 0.89 / 0.9, 0.1, run(), run(steps=20, **ILL), "too short to tell"),
    "L002": Story(run(evaluations=losses(2.0, 9.0, 8.0)), 4.5, 2.0, run(**ILL), run(evaluations={}, scalars={"batch_loss": NAN}), "never evaluated"),
    # changes of 1 between 1 and 2 around a mean of 1.5
    "L003": Story(
        run(evaluations=losses(2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1)),
        2 / 3,
        0.15,
        run(evaluations=losses(*np.linspace(3, 2, 12))),
        run(**ILL),
        "too few evaluations",
    ),
    "L004": Story(
        run(evaluations=losses(*np.linspace(3, 2, 9))), 1.0, 0.3, run(evaluations=losses(3, 2, 2, 2, 2, 2, 2, 2, 2)), run(**ILL), "too few evaluations"
    ),
    "L005": Story(
        run(evaluations=losses(46.0517, 3.0)), 20.0, 5.0, run(**ILL), run(config={"training": {"loss": "mse"}}, **ILL), "chance value", severity="warning"
    ),
    "L006": Story(
        run(output_activation="relu", **ILL),
        NAN,
        0.05,
        run(**ILL),
        run(output_activation="relu", evaluations={}, scalars={"batch_loss": NAN}),
        "never evaluated",
        ("output",),
    ),
    "B001": Story(run(**ILL), 89.0, 10.0, run(), run(steps=20, **ILL), "too short to tell", severity="warning"),
    "B002": Story(
        run(evaluations={**LEARNED, "val_error": (0.9, 0.25)}, data=VAL),
        25.0,
        10.0,
        run(evaluations={**LEARNED, "val_error": (0.9, 0.01)}, data=VAL),
        run(evaluations={name: series for name, series in LEARNED.items() if "val" not in name}),
        "no validation",
        severity="warning",
    ),
    "B003": Story(
        run(evaluations={**losses(2, 1, 0.5, 0.2, 0.1), "val_loss": (2, 1, 0.8, 1.0, 1.2)}),
        1.5,
        1.1,
        run(evaluations=losses(2, 1, 0.5, 0.2, 0.1)),
        run(**ILL),
        "too few evaluations",
        severity="info",
    ),
    "B004": Story(
        run(scalars={"penalty": 6.0, "batch_loss": 2.0}, **ILL),
        3.0,
        1.0,
        run(scalars={"penalty": 6.0, "batch_loss": 2.0}),
        run(steps=20, **ILL),
        "too short to tell",
    ),
    "D001": Story(
        run(data={**SCALED, "feature_mean": [0.0, 0.0], "feature_std": [1e-3, 10.0]}, **ILL),
        1e4,
        100.0,
        run(data={**SCALED, "feature_mean": [0.0, 0.0], "feature_std": [1.0, 10.0]}, **ILL),
        run(**ILL),
        "not in the file",
        severity="warning",
    ),
    "D002": Story(
        run(data={"train_class_counts": [900, 800, 10], "class_names": list("abc")}, final={"val_confusion": TABLE}),
        0.0,
        0.5,
        run(data={"train_class_counts": [900, 800, 500], "class_names": list("abc")}, final={"val_confusion": TABLE}),
        run(),
        "confusion",
    ),
    "D003": Story(
        run(data={**VAL, "duplicates_train_val": 300}), 0.3, 0.1, run(data={**VAL, "duplicates_train_val": 10}), run(), "no validation", severity="error"
    ),
    "D004": Story(run(data={"feature_std": [0.0, 1.0, 0.0]}), 2.0, 0.0, run(data={"feature_std": [1.0, 1.0]}), run(), "feature_std"),
    # shares .5, .5 against .9, .1
    "D005": Story(
        run(data={"class_names": ["a", "b"], "train_class_counts": [500, 500], "val_class_counts": [90, 10]}),
        0.4,
        0.1,
        run(data={"class_names": ["a", "b"], "train_class_counts": [500, 500], "val_class_counts": [52, 48]}),
        run(data=REGRESSION, evaluations=numbers((2.0, 1.0), (0.0, 0.5))),
        "no classes",
    ),
    # a batch of 32 × 100 units
    "N002": Story(
        run({"underflow_count": [1600, 0, 0, NAN]}, **ILL),
        0.5,
        0.1,
        run({"underflow_count": [1600, 0, 0, NAN]}),
        run({"underflow_count": NAN}),
        "underflow_count",
    ),
}
ELSEWHERE = {"N001"}  # test_n001_non_finite.py
BASELINES = "R"  # judged against other runs: their own tests


def test_every_rule_has_its_story() -> None:
    assert set(STORIES) | ELSEWHERE == {code for code in all_rules() if not code.startswith(BASELINES)}


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
    [("G003", "spread", 1e5), ("A001", "share", 0.9), ("A005", "drift", 4.0), ("W003", "ratio", 1.0), ("W004", "distance", 1e-5), ("L001", "skill", 0.01)],
)
def test_a_threshold_that_is_set_is_the_one_that_is_used(code: str, threshold: str, value: float) -> None:
    assert outcome(code, STORIES[code].fires(), **{threshold: value}) == Passed()


@pytest.mark.parametrize(
    ("name", "values", "measured"), [("norm_mean_mismatch", [0.1, 3.0, 0.2, NAN], 3.0), ("norm_variance_ratio", [1.0, 0.1, 2.0, NAN], 10.0)]
)
def test_a007_names_the_layer_whose_running_statistics_are_off(name: str, values: list[float], measured: float) -> None:
    said = outcome("A007", made(norm="batch", scalars={"batch_loss": 2.3}, layer_evaluations={name: [values, values]}, evaluations=FAILED))
    assert isinstance(said, Fired)
    assert (said.findings[0].layers, said.findings[0].measured) == (("hidden_2",), pytest.approx(measured))


def test_b004_sees_a_penalty_that_left_no_weights_to_weigh() -> None:
    """140 against a data loss of 2 at the start, next to nothing at the end; a mild penalty that shrinks as much is none."""
    falling = {"batch_loss": 2.0, "penalty": np.geomspace(140.0, 0.14, 400)}
    found = finding("B004", made(scalars=falling, **ILL))
    assert (found.measured, found.threshold) == (pytest.approx(70.0), 1.0)
    assert "pulled the weights down" in found.evidence
    assert isinstance(outcome("B004", made(scalars={**falling, "penalty": np.geomspace(1.4, 0.0014, 400)}, **ILL)), Passed)


def test_a003_tells_a_variance_that_has_fallen_to_nothing() -> None:
    gone = {"activation_variance": [1.0, 1.0, 1.0, 1.0], "activation_sample_variance": [0.25, 0.1, 0.0, 1.0]}
    evidence = finding("A003", made(gone, **ILL)).evidence
    assert "has fallen to 0 (below the smallest number of float32), from 0.25 in hidden_1; so in 9 of 9 recorded steps looked at" in evidence


def test_a001_does_not_call_a_net_of_nan_dead() -> None:
    dead = {"dead_fraction": [[0.1] * 4, [1.0] * 4]}
    assert outcome("A001", made(layer_evaluations=dead, evaluations=losses(2.3, NAN))) == Passed()


@pytest.mark.parametrize("init", [2 / 200, 1 / 300, 2 / 100, 1 / 100])
def test_w002_takes_every_usual_initializer(init: float) -> None:
    """Glorot, PyTorch, He and LeCun at fan_in = fan_out = 100."""
    assert outcome("W002", made({"weight_rms": init**0.5}, evaluations=FAILED)) == Passed()
