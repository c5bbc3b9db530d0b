"""Kinds of fault that were once judged wrongly, each by its numbers alone; the trained cases
are in tests/detection/reported.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rule_runs import FAILED, LEARNED, finding, made, outcome, reason

from dlprobe.rules import Passed
from dlprobe.runs import Run

UNIT = {
    "scaler_shift": np.zeros(64),
    "scaler_scale": np.ones(64),
    "feature_min": np.zeros(64),
    "feature_max": np.ones(64),
}
TEN: dict[str, Any] = {"val_class_counts": [100] * 10, "val_indices": np.arange(1000)}
REGRESSION = {"task": "regression", "class_names": [], "train_class_counts": np.zeros(0, "i8")}
R2 = {
    "train_loss": (9.0, 8.0),
    "val_loss": (9.0, 8.0),
    "train_error": (3.0, 3.0),
    "val_error": (3.0, 3.0),
    "train_r2": (0.0, 0.0),
    "val_r2": (0.0, 0.0),
}


def features(deviations: list[float], mean: float = 0.0) -> dict[str, Any]:
    """Data of 64 features."""
    return {**UNIT, "feature_mean": np.full(64, mean), "feature_std": np.resize(deviations, 64)}


def test_one_faint_pixel_is_no_fault_of_scale() -> None:
    faint = [5.0] * 63 + [5.0 / 2250]
    assert outcome("D001", made(data=features(faint), evaluations=FAILED)) == Passed()
    one_in_four = [5.0, 5.0, 5.0, 5.0 / 2250]
    assert finding(
        "D001", made(data=features(one_in_four), evaluations=FAILED)
    ).measured == pytest.approx(2250.0)


def test_the_size_of_inputs_is_their_root_mean_square() -> None:
    """0 … 100 has a deviation of 28.9 and a root mean square of 57.7."""
    found = finding("D001", made(data=features([100 / 12**0.5], mean=50.0), evaluations=FAILED))
    assert (found.measured, found.threshold) == (pytest.approx(100 / 3**0.5), 30.0)


def table(distinct: int, possible: float, rows: int, known: int) -> Run:
    """A data set of so many rows, a fifth of them in the validation part, of which so many are
    in training too.
    """
    train, val = int(0.6 * rows), int(0.2 * rows)
    parts = {
        "train_indices": np.arange(train),
        "val_indices": np.arange(train, train + val),
        "test_indices": np.arange(train + val, rows),
    }
    return made(
        data={
            **parts,
            "duplicates_train_val": known,
            "distinct_rows": distinct,
            "possible_rows": possible,
        }
    )


def test_tables_of_few_possible_rows_share_them_by_nature_and_copies_do_not() -> None:
    """Three bits make 8 rows; 100 patients of 8 readings, five rows each, could be 100^8."""
    assert finding("D003", table(8, 8.0, 40, known=8)).severity == "info"
    assert finding("D003", table(100, 1e16, 500, known=97)).severity == "error"


@pytest.mark.parametrize(
    ("mean", "deviation", "measured"),
    [(150.0, 77.0, 168.6), (1000.0, 1.0, 1000.0), (0.0, 1e-5, 1e-5)],
)
def test_targets_out_of_scale_are_named(mean: float, deviation: float, measured: float) -> None:
    run = made(
        data={**REGRESSION, "target_mean": [mean], "target_std": [deviation]},
        evaluations=R2,
        config={"data": {"target_scaling": "none"}},
    )
    found = finding("D006", run)
    assert (found.measured, found.severity) == (pytest.approx(measured, rel=1e-3), "warning")
    assert dict(found.remedies[0].patch) == {"data.target_scaling": "auto"}


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.5), (4.5, 1.1), (2.0, 2.0), (-0.3, 0.2)])
def test_targets_of_about_unit_size_are_not(mean: float, deviation: float) -> None:
    assert (
        outcome(
            "D006",
            made(
                data={**REGRESSION, "target_mean": [mean], "target_std": [deviation]},
                evaluations=R2,
            ),
        )
        == Passed()
    )


def test_learning_by_heart_is_not_slow_learning() -> None:
    falling = tuple(np.linspace(2.3, 1.0, 9))
    slow = {
        "train_loss": falling,
        "val_loss": falling,
        "train_error": (0.9,) * 9,
        "val_error": (0.9,) * 9,
    }
    assert finding("L004", made(evaluations=slow)).measured == pytest.approx(1.0)
    assert outcome("L004", made(evaluations={**slow, "val_loss": falling[::-1]})) == Passed()


@pytest.mark.parametrize(
    ("loss", "output", "fires"),
    [
        ("cross_entropy", "softmax", False),
        ("cross_entropy", "sigmoid", True),  # saying 1 to every class costs nothing
        ("cross_entropy", "linear", True),
        ("binary_cross_entropy", "sigmoid", False),
        ("binary_cross_entropy", "tanh", True),
        ("hinge", "linear", False),
        ("hinge", "sigmoid", True),  # never says −1
        ("mse", "linear", False),
        ("mse", "log_softmax", True),  # never above 0
    ],
)
def test_every_pair_of_loss_and_output_is_compared_by_what_they_say_of_themselves(
    loss: str, output: str, fires: bool
) -> None:
    run = made(output_activation=output, config={"training": {"loss": loss}}, evaluations=FAILED)
    assert (outcome("L006", run) != Passed()) is fires


@pytest.mark.parametrize(
    ("output", "mean", "deviation", "ceiling"),
    [
        ("sigmoid", 0.1, 3.0, 0.51),  # 1 − (1 − 0.9/3)²
        ("tanh", 0.0, 4.0, 0.4375),
        ("sigmoid", 0.5, 0.5, None),  # as of zeros and ones
        ("tanh", 0.0, 1.0, None),
        ("linear", 0.0, 4.0, None),
    ],
)
def test_targets_that_spread_beyond_the_output_are_seen_in_their_moments(
    output: str, mean: float, deviation: float, ceiling: float | None
) -> None:
    """What is best within the range, the nearest number to each target, stays below the ceiling."""
    run = made(
        data={**REGRESSION, "target_mean": [mean], "target_std": [deviation]},
        config={"training": {"loss": "mse"}},
        output_activation=output,
        evaluations=R2,
    )
    if ceiling is None:
        assert outcome("L006", run) == Passed()
        return
    assert f"R² {ceiling:.2f} at most" in finding("L006", run).evidence
    low, high = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}[output]
    for far in (1.0, 4.0):  # two targets of unequal share with these moments
        targets = np.array([mean - deviation / far, mean + deviation * far])
        share = np.array([far**2, 1.0]) / (1.0 + far**2)
        residual = share @ np.square(targets - targets.clip(low, high))
        assert 1.0 - residual / deviation**2 <= ceiling


@pytest.mark.parametrize(
    ("training", "patch"),
    [
        ({"optimizer": "adamw(weight_decay=100)"}, {"training.optimizer": "adamw(weight_decay=0)"}),
        ({"optimizer": "sgd(weight_decay=2)"}, {"training.optimizer": "sgd"}),
        ({"max_norm": 0.02}, {"training.max_norm": "none"}),
    ],
)
def test_whatever_leaves_no_weights_is_what_is_undone(
    training: dict[str, Any], patch: dict[str, str]
) -> None:
    shrinking = np.linspace(1.0, 0.01, 400)[:, None]
    found = finding(
        "B004",
        made(
            {"weight_l2": shrinking},
            config={"training": training},
            evaluations=FAILED,
            scalars={"learning_rate": 0.01},
        ),
    )
    assert (found.measured, found.threshold) == (pytest.approx(0.01), 0.2)
    assert [dict(each.patch) for each in found.remedies] == [patch]
    assert outcome("B004", made({"weight_l2": shrinking}, evaluations=FAILED)) == Passed()
    mild = {
        "training": {"optimizer": "adamw(weight_decay=0.01)"}
    }  # leaves e^−0.04 of the weights by itself
    assert (
        outcome(
            "B004",
            made(
                {"weight_l2": shrinking},
                config=mild,
                evaluations=FAILED,
                scalars={"learning_rate": 0.01},
            ),
        )
        == Passed()
    )


def test_a_training_loss_above_that_of_validation_is_what_dropout_does() -> None:
    half = {
        "train_loss": (2.3, 0.4),
        "val_loss": (2.3, 0.4),
        "train_error": (0.9, 0.2),
        "val_error": (0.9, 0.2),
    }
    dropped = {"config": {"model": {"dropout": 0.5}}, "scalars": {"batch_loss": 1.2}}
    assert (
        outcome(
            "B004",
            made(
                evaluations={**half, "train_error": (0.9, 0.25), "val_error": (0.9, 0.35)},
                **dropped,
            ),
        )
        == Passed()
    )
    most = {**dropped, "config": {"model": {"dropout": 0.9}}, "units": 32}
    assert finding("B004", made(evaluations=FAILED, **most)).measured == pytest.approx(
        3.2
    )  # units of 32


def test_replaced_labels_are_no_bias() -> None:
    """A fifth of the labels was replaced: an error of 22 % is 2 points of bias."""
    noisy = {**LEARNED, "train_error": (0.9, 0.22), "val_error": (0.9, 0.22)}
    assert finding("B001", made(evaluations=noisy)).measured == pytest.approx(22.0)
    told = {"train_indices": np.arange(1000), "noisy_labels": np.arange(200)}
    assert finding("B001", made(evaluations=noisy, data=told)).measured == pytest.approx(2.0)


@pytest.mark.parametrize(("batch", "noise"), [(2, 2**0.5), (4, (2 / 3) ** 0.5), (8, None)])
def test_batch_statistics_of_a_few_samples_are_named_for_themselves(
    batch: int, noise: float | None
) -> None:
    run = made(
        norm="batch",
        scalars={"batch_loss": 2.3},
        evaluations=FAILED,
        config={"training": {"batch_size": batch}},
    )
    said = outcome("A007", run)
    assert (
        said == Passed() if noise is None else finding("A007", run).measured == pytest.approx(noise)
    )
    if noise is not None:  # so it was from the start
        assert finding("A007", run).steps == (0, 399)


def test_a_run_is_judged_by_its_end() -> None:
    """It once was right in 70 %, twice; untrained it was right in 40 %. It ends at guessing."""
    once = {"train_loss": (2.3, 0.9, 2.3, 2.3), "train_error": (0.54, 0.27, 0.9, 0.9)}
    assert finding("L001", made(evaluations=once)).measured == 0.0
    twice = {**once, "train_error": (0.54, 0.27, 0.27, 0.9)}
    assert outcome("L001", made(evaluations=twice)) == Passed()
    assert finding("L009", made(evaluations=twice)).steps == (133, 400)


@pytest.mark.parametrize(("norms", "smaller"), [(0.5, False), (20.0, True)])
def test_weights_that_went_many_times_their_norm_need_no_larger_steps(
    norms: float, smaller: bool
) -> None:
    moved = {"weight_distance": [[0.0] * 4, [0.1, norms, 0.1, 0.1]]}
    run = made(evaluations=FAILED, layer_evaluations=moved, config={"training": {"lr": 0.001}})
    rates = [
        float(remedy.patch["training.lr"])
        for remedy in finding("L001", run).remedies
        if set(remedy.patch) == {"training.lr"}
    ]
    assert [rate < 0.001 for rate in rates] == [smaller]


@pytest.mark.parametrize(("per_layer", "severity"), [(1.0, "warning"), (1 / 6, "info")])
def test_widths_are_no_cause_of_what_falls_by_a_sixth_in_each_layer(
    per_layer: float, severity: str
) -> None:
    """ln of the mean square falls by 52 in 29 layers; at Σ 1/32 = .94 chance gives 2.3 ± 2.2."""
    falls = np.append(per_layer ** (np.arange(30)[::-1] / 2), 1.0)
    run = made({"error_signal_rms": falls}, hidden=30, units=32, evaluations=FAILED)
    assert finding("A008", run).severity == severity


def test_units_that_are_on_or_off_for_every_sample_are_no_dead_ones_to_accuse() -> None:
    """Half are off for all samples, and the other half are on for all."""
    dead = {"dead_fraction": [[0.5] * 4] * 2}
    for on, severity in ((0.5, "info"), (0.25, "error")):
        statistics = {"active_fraction": on, "dead_fraction": 0.5}
        run = made(statistics, evaluations=FAILED, layer_evaluations=dead)
        assert finding("A001", run).severity == severity


def test_a_net_that_learned_its_samples_only_is_told_what_chance_gives() -> None:
    memorised = {**LEARNED, "val_error": (0.9, 0.895)}
    found = finding("B005", made(evaluations=memorised, data=TEN))
    assert (found.severity, found.code) == ("error", "B005")
    assert "1000 new samples" in found.evidence
    assert reason(
        "B005",
        made(
            evaluations={name: values for name, values in memorised.items() if "val" not in name},
            data=TEN,
        ),
    )


def test_the_output_of_a_bounded_activation_and_targets_out_of_its_range_get_one_cure() -> None:
    run = made(
        output_activation="sigmoid",
        data={
            **REGRESSION,
            "target_mean": [1000.0],
            "target_std": [1.0],
            "val_indices": np.arange(50),
        },
        predictions={
            "val_targets": np.linspace(998.0, 1002.0, 50),
            "val_outputs": np.ones((50, 1), "f4"),
        },
        evaluations=R2,
        config={"model": {"output_activation": "sigmoid"}, "data": {"target_scaling": "none"}},
    )
    assert dict(finding("L006", run).remedies[0].patch) == {
        "model.output_activation": "auto",
        "data.target_scaling": "auto",
    }


def test_a_stop_is_judged_by_the_evaluations_before_the_best_parameters_were_put_back() -> None:
    falling = {
        "train_loss": (2.3, 1.8, 1.4),
        "val_loss": (2.3, 1.9, 1.5),
        "train_error": (0.9, 0.8, 0.7),
        "val_error": (0.9, 0.8, 0.7),
    }
    back = {"stopped_step": 400, "train_loss": 1.8, "val_loss": 1.9}
    assert finding("L012", made(evaluations=falling, final=back)).measured == pytest.approx(
        1 - 1.4 / 1.8
    )
    assert (
        outcome("L012", made(evaluations={**falling, "val_loss": (2.3, 1.5, 1.9)}, final=back))
        == Passed()
    )


def test_a_rare_class_is_called_as_in_the_data() -> None:
    """Of its 10 samples one is named right."""
    table = np.array([[90, 0, 10], [0, 90, 10], [9, 0, 1]])
    run = made(
        data={"train_class_counts": [900, 800, 10], "class_names": ["cat", "dog", "owl"]},
        final={"val_confusion": table},
        evaluations=FAILED,
    )
    assert finding("D002", run).evidence.startswith("class 'owl' has 10 of 1710 training samples")


@pytest.mark.parametrize(
    ("activation", "hidden", "first"),
    [
        ("sigmoid", 2, "auto"),
        ("sigmoid", 3, "auto"),  # .15 of the mean square a layer: .15 of its root over two
        ("sigmoid", 4, "relu"),  # .058
        ("tanh", 20, "auto"),  # nothing is lost
    ],
)
def test_an_initializer_is_no_cure_where_the_activation_lets_the_error_signal_fade(
    activation: str, hidden: int, first: str
) -> None:
    """E φ'²/E φ² of a standard normal input: by quadrature .153 of a sigmoid, 1.17 of tanh."""
    run = made(
        {"weight_rms": 1.0},
        hidden=hidden,
        activation=activation,
        config={"model": {"activation": activation, "init": "normal(std=1)"}},
        evaluations=FAILED,
    )
    patch = finding("W002", run).remedies[0].patch
    assert (patch.get("model.activation", patch["model.init"]), patch["model.init"]) == (
        first,
        "auto",
    )


def test_a_constant_answer_has_no_skill_though_its_error_is_rounded() -> None:
    """As a mean in float32 has it: .9 of a hundred of each of ten classes."""
    error = float(np.float32(0.9))
    run = made(
        evaluations={**FAILED, "train_error": (0.95, error), "val_error": (0.95, error)},
        data={"val_class_counts": [100] * 10, "val_indices": np.arange(1000)},
    )
    assert finding("L001", run).measured == 0.0
