"""How well a run learned, on one scale: 0 is the best constant answer, 1 a perfect one."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from rule_runs import FAILED, made

from dlprobe.analysis.learning.learned import Learning
from dlprobe.analysis.learning.reachable import chance_error, noise_ceiling
from dlprobe.analysis.learning.reading import beside, learning, updates_needed
from dlprobe.analysis.learning.states import state
from dlprobe.config import from_options
from dlprobe.executors.one_run import train_to_bytes
from dlprobe.runs import Run, Study, StudyWriter, open_run
from dlprobe.training.prepared_sets import PreparedSets


def _of(run: Run) -> Learning:
    found = learning(run)
    assert found is not None
    return found


def test_skill_is_one_minus_error_over_chance() -> None:
    """Classes of 60, 30 and 10 samples: naming the first is wrong in 40 %; an error of 10 % is
    three quarters of the way.
    """
    data = {
        "class_names": list("abc"),
        "train_class_counts": [60, 30, 10],
        "val_class_counts": [2, 1, 1],
    }
    evaluations = {"train_loss": (1.0, 0.3), "train_error": (0.4, 0.1), "val_error": (0.5, 0.25)}
    found = _of(made(data=data, evaluations=evaluations))
    assert found.skill == pytest.approx([0.0, 0.75])
    assert found.val_skill == pytest.approx([0.0, 0.5])
    assert found.judged == pytest.approx([0.0, 0.5])
    assert found.reached == pytest.approx(0.75)


def test_in_a_study_the_best_value_says_what_can_be_reached(tmp_path: Path) -> None:
    """x² over 1 ± h by a line explains 15/(15 + h²) of it, 0.85 of h = 1.63: well, until a run
    beside it explains all.
    """
    rng = np.random.default_rng(0)
    x = rng.uniform(-0.63, 2.63, (600, 1))
    np.savez(tmp_path / "square.npz", X=x, y=x[:, 0] ** 2 + 0.01 * rng.normal(size=600))
    usual = {"data": str(tmp_path / "square.npz"), "epochs": "40", "lr": "0.02", "data_seed": "0"}
    with StudyWriter.create(tmp_path / "study.h5", {"experiment": "test", "axes": {}}) as writer:
        for seed in ("0", "1"):
            for layers in ("", "32"):
                config = from_options(None, {**usual, "layers": layers, "seed": seed})
                stored = train_to_bytes(config, PreparedSets().of(config))
                assert stored is not None
                writer.run(f"net{layers}-{seed}", stored, {"layers": layers, "seed": seed})
        writer.end()
    with open_run(tmp_path / "study.h5") as study:
        assert isinstance(study, Study)
        alone, beside = _of(study.runs.open("net-0")), _of(study.member("net-0"))
        assert alone.well
        assert alone.reached == pytest.approx(0.85, abs=0.04)
        assert not alone.known
        assert beside.known
        assert not beside.well
        assert beside.val_reachable == pytest.approx(0.99, abs=0.02)
        assert beside.judged[-1] == pytest.approx(alone.judged[-1] / beside.val_reachable)
    one = open_run(tmp_path / "study.h5#net-0")
    assert isinstance(one, Run)
    assert _of(one).val_reachable == beside.val_reachable


def test_the_untrained_net_and_one_lucky_evaluation_are_no_learning() -> None:
    found = _of(
        made(
            evaluations={"train_loss": (1.0, 0.3, 0.3, 0.3), "train_error": (0.0, 0.09, 0.45, 0.9)}
        )
    )
    assert found.judged == pytest.approx([1.0, 0.9, 0.5, 0.0])
    assert found.best == pytest.approx(0.5)  # reached or passed twice after the first update
    assert (
        _of(made(evaluations={"train_loss": (1.0, 0.3), "train_error": (0.0, 0.0)})).best
        == -math.inf
    )


def test_a_run_that_early_stopping_ended_is_judged_by_the_parameters_that_it_kept() -> None:
    """Its best evaluation had 5 % error, its last 45 %, which nobody has any more."""
    evaluations = {
        "train_loss": (2.3, 0.1, 0.0),
        "val_loss": (2.3, 0.2, 9.0),
        "train_error": (0.9, 0.05, 0.0),
        "val_error": (0.9, 0.05, 0.45),
    }
    data = {"train_class_counts": [100] * 10, "val_class_counts": [10] * 10}
    kept = {
        "best_step": 200,
        "train_loss": 0.1,
        "val_loss": 0.2,
        "train_error": 0.05,
        "val_error": 0.05,
    }
    assert _of(made(data=data, evaluations=evaluations, final=kept)).well
    assert not _of(made(data=data, evaluations=evaluations)).well


@pytest.mark.parametrize(
    ("train", "val", "well"),
    [
        (0.9, 0.8, True),
        (0.9, 0.5, False),
        (0.7, 0.9, True),
        (0.7, 0.75, False),
        (0.9, math.nan, True),
        (math.nan, 0.9, False),
    ],
)
def test_well_means_on_new_samples_too_where_there_are_any(
    train: float, val: float, well: bool
) -> None:
    data = {"train_class_counts": [100] * 10, "val_class_counts": [10] * 10}
    evaluations = {
        "train_loss": (2.3, 0.1),
        "train_error": (0.9, 0.9 * (1 - train)),
        "val_error": (0.9, 0.9 * (1 - val)),
    }
    assert _of(made(data=data, evaluations=evaluations)).well is well


def test_label_noise_that_was_asked_for_lowers_what_can_be_reached() -> None:
    """Targets of variance 1.25 with noise of variance .25: R² can be .8; an R² of .6 with
    error² .5 is three quarters of it.
    """
    data = {
        "task": "regression",
        "class_names": [],
        "train_class_counts": np.zeros(0, "i8"),
        "label_noise_std": [0.5],
    }
    evaluations = {
        "train_loss": (1.25, 0.5),
        "train_error": (1.25**0.5, 0.5**0.5),
        "train_r2": (0.0, 0.6),
    }
    assert _of(made(data=data, evaluations=evaluations)).reached == pytest.approx(0.75)
    data = {
        "train_indices": np.arange(1000),
        "noisy_labels": np.arange(180),
    }  # 18 % of 90 %: an error of 18 % is all there is to learn
    assert _of(
        made(data=data, evaluations={"train_loss": (2.3, 1.0), "train_error": (0.9, 0.18)})
    ).reached == pytest.approx(1.0)


def test_the_truth_behind_generated_data_is_not_used() -> None:
    data = {
        "task": "regression",
        "class_names": [],
        "train_class_counts": np.zeros(0, "i8"),
        "noise_variance": 0.25,
    }
    evaluations = {
        "train_loss": (1.25, 0.5),
        "train_error": (1.25**0.5, 0.5**0.5),
        "train_r2": (0.0, 0.6),
    }
    assert _of(made(data=data, evaluations=evaluations)).reached == pytest.approx(0.6)


def test_rows_that_repeat_say_what_is_well() -> None:
    """Every third label of equal rows differs: 30 % of 90 % are left to everybody, and 33 % are
    well; without repeats they are not.
    """
    evaluations = {"train_loss": (2.3, 0.8), "train_error": (0.9, 0.33)}
    assert _of(made(data={"train_floor": 0.3}, evaluations=evaluations)).well
    assert not _of(
        made(
            data={"train_floor": 0.0},
            evaluations={"train_loss": (2.3, 0.3), "train_error": (0.9, 0.1)},
        )
    ).well
    assert _of(made(evaluations={"train_loss": (2.3, 0.3), "train_error": (0.9, 0.1)})).well


def test_a_better_run_on_the_same_data_says_what_is_well() -> None:
    def ended(error: float) -> Run:
        return made(evaluations={"train_loss": (2.3, 0.5), "train_error": (0.9, error)})

    assert _of(ended(0.15)).well
    assert not beside(_of(ended(0.15)), _of(ended(0.0))).well
    assert beside(_of(ended(0.0)), _of(ended(0.15))).well


def test_few_wrong_classes_with_a_loss_above_guessing_are_learned_in_part() -> None:
    """Ten classes of one size: guessing costs ln 10."""
    evaluations = {
        "train_loss": (900.0, 5.0),
        "val_loss": (900.0, 23.0),
        "train_error": (0.9, 0.05),
        "val_error": (0.9, 0.06),
    }
    data = {"val_class_counts": [100] * 10, "val_indices": np.arange(1000)}
    found = _of(made(data=data, evaluations=evaluations))
    assert found.overconfident == pytest.approx(23.0 / math.log(10))
    assert state(found, "finished").name == "learned in part"
    assert "its probabilities are wrong" in state(found, "finished").reason


def test_a_residual_that_an_offset_would_take_away_was_reachable() -> None:
    """Degrees Fahrenheit without the 32: R² .9962, and 1,024 of 1,024.09 of the squared error
    are the offset.
    """
    rng = np.random.default_rng(0)
    celsius = rng.uniform(-500.0, 500.0, 400)
    right = 1.8 * celsius + 32.0 + 0.3 * rng.standard_normal(400)
    error = 32.0
    data = {
        "task": "regression",
        "class_names": [],
        "train_class_counts": np.zeros(0, "i8"),
        "val_indices": np.arange(400),
    }
    evaluations = {
        **{f"{part}_loss": (3e5, error**2) for part in ("train", "val")},
        **{f"{part}_error": (520.0, error) for part in ("train", "val")},
        **{f"{part}_r2": (0.0, 1 - error**2 / 270e3) for part in ("train", "val")},
    }
    predictions = {"val_outputs": 1.8 * celsius[:, None].astype("f4"), "val_targets": right}
    run = made(data=data, evaluations=evaluations, predictions=predictions)
    assert _of(run).skill[-1] > 0.99
    assert state(_of(run), "finished").name == "learned in part"
    right_outputs = {**predictions, "val_outputs": (1.8 * celsius + 32.0)[:, None].astype("f4")}
    assert (
        _of(made(data=data, evaluations=evaluations, predictions=right_outputs)).correctable <= 1.0
    )


def test_what_is_right_in_training_alone_is_not_learned() -> None:
    """Random labels by heart: 1 % wrong in training, guessing on new samples."""
    data = {"val_class_counts": [100] * 10, "val_indices": np.arange(1000)}
    evaluations = {
        "train_loss": (2.3, 0.1),
        "val_loss": (2.3, 4.0),
        "train_error": (0.9, 0.01),
        "val_error": (0.9, 0.89),
    }
    assert _state(made(data=data, evaluations=evaluations))[0] == "did not learn"


def test_a_run_without_evaluations_and_losses_has_learned_nothing_that_is_known() -> None:
    assert learning(made(evaluations={}, scalars={"batch_loss": math.nan})) is None


def test_a_diverged_run_reached_nothing() -> None:
    found = _of(made(evaluations={"train_loss": (1.0, math.nan), "train_error": (0.5, math.nan)}))
    assert found.reached == -math.inf
    assert not found.well


def test_of_losses_alone_their_fall_stands_in() -> None:
    assert _of(made(evaluations={"train_loss": (2.0, 0.2)})).reached == pytest.approx(0.9)


def test_a_hundred_updates_are_the_least() -> None:
    assert _of(made(steps=99)).brief
    assert not _of(made(steps=100)).brief


def test_no_counts_no_chance() -> None:
    assert math.isnan(chance_error(None))
    assert chance_error([5]) == 0.0
    assert noise_ceiling("classification", 0.5, np.ones(1), np.zeros(1)) == 1.0


def _state(run: Run) -> tuple[str, str]:
    found = state(learning(run), run.status)
    return found.name, found.reason


LOST = {"train_loss": (2.3, 0.3, 0.2, 3.0), "train_error": (0.9, 0.1, 0.1, 0.9)}


@pytest.mark.parametrize(
    ("run", "name", "numbers"),
    [
        (
            made(),
            "learned well",
            ("0.0 % in training", "3.0 % in validation", "guessing has 90.0 %"),
        ),
        (made(evaluations=FAILED), "did not learn", ("89.0 % in training", "guessing has 90.0 %")),
        (
            made(evaluations=FAILED, steps=20),
            "too short to tell",
            ("20 updates of the 100 that are needed",),
        ),
        (
            made(evaluations={"train_loss": (2.3, 1.5), "train_error": (0.9, 0.45)}),
            "learned in part",
            ("45.0 % in training",),
        ),
        (made(evaluations=LOST), "learned and lost", ("90.0 % in training", "it once had 10.0 %")),
        (
            made(evaluations={**LOST, "train_error": (0.9, 0.9, 0.1, 0.9)}),
            "did not learn",
            (),
        ),  # one evaluation is luck
        (
            made(evaluations={"train_loss": (2.3, 2.2), "train_error": (0.7, 0.7)}),
            "did not learn",
            ("untrained it had 70.0 %",),
        ),  # luck of the draw
        (made(status="diverged", evaluations=FAILED), "diverged", ("after 400 updates",)),
        (made(evaluations={"train_loss": (2.3, 0.1)}), "not evaluated", ()),
        (
            made(
                config={"training": {"loss": "mae"}},
                evaluations={"train_loss": (2.3, 9.0), "train_error": (0.9, 0.0)},
            ),
            "learned in part",
            ("is above the 2.3",),
        ),
    ],
)
def test_state_says_what_was_reached_beside_guessing(
    run: Run, name: str, numbers: tuple[str, ...]
) -> None:
    found, reason = _state(run)
    assert found == name
    assert all(number in reason for number in numbers), reason


def test_regression_is_laid_beside_guessing_the_mean() -> None:
    """An RMS of 3 at R² = .91 is an RMS of 3/√.09 = 10 for the mean; an RMS of 11 afterwards is
    worse than that.
    """
    data = {"task": "regression", "class_names": [], "train_class_counts": np.zeros(0, "i8")}
    run = made(
        data=data,
        evaluations={
            "train_loss": (9.0, 121.0),
            "train_error": (3.0, 11.0),
            "train_r2": (0.91, -0.21),
        },
    )
    assert _state(run) == (
        "did not learn",
        "error (RMS) 11 in training; guessing the mean has 10; untrained it had 3",
    )


@pytest.mark.parametrize(
    ("samples", "batch_size", "needed"),
    [
        (1078, "32", 100),
        (107, "32", 50),
        (200, "32", 70),
        (1000, "full", 50),
        (4, "4", 50),
    ],  # ten passes of 34, 4, 7, 1 and 1 batches
)
def test_ten_passes_are_long_enough_from_fifty_updates_on(
    samples: int, batch_size: str, needed: int
) -> None:
    run = made(
        data={"train_indices": np.arange(samples)}, config={"training": {"batch_size": batch_size}}
    )
    assert updates_needed(run) == needed
