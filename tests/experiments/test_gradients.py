"""The vanishing/exploding-gradient experiment says what theory and the papers say, whatever the
threads.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlprobe
from dlprobe.config import from_mapping, from_options
from dlprobe.data import load, prepare
from dlprobe.experiments import gradients, grid_cells
from dlprobe.experiments.gradients import GridResult
from dlprobe.experiments.grid_cells import Axes
from dlprobe.record.recorder import Recorder
from dlprobe.runs import StudyWriter
from dlprobe.training import describe, trainer
from dlprobe.training.stopping import Stop

LOOK = {"steps": "1", "lr": "0"}  # only the state at initialization


@cache
def digits() -> Any:
    base = from_options(None, {})
    return prepare(load(base.data, 0), base.data, 0, "float32")


def experiment(axes: Axes, options: dict[str, str], seeds: int = 3, threads: int = 2) -> GridResult:
    base = from_options(None, {**options, "evaluate_every": "never", "data_seed": "0"})
    return gradients.run(
        grid_cells.grid(base, axes), range(seeds), digits(), threads=threads, stop=Stop()
    )


def verdicts(found: GridResult) -> list[str]:
    return [result.verdict for result in found.results if result is not None]


def test_default_grid_is_the_lectures_three_by_three_and_batch_norm() -> None:
    cells = grid_cells.grid(from_options(None, {}), Axes())
    assert len(cells) == 40
    assert {cell.depth for cell in cells} == {5, 10, 20, 50}
    assert [str(cell.norm) for cell in cells[-4:]] == ["batch"] * 4


def test_relu_with_glorot_vanishes_although_its_weight_gradients_do_not_show_it() -> None:
    found = experiment(Axes([20], [100], ["relu"], ["glorot_normal"]), LOOK)
    assert verdicts(found) == ["vanishing"]
    result = found.results[0]
    assert result is not None
    # theory.md-free statement of He et al. 2015: mean square halves per layer, so 19 steps give
    # 10^(-19·log10(2)/2)
    assert result.initial.log10_error_signal_ratio.median == pytest.approx(
        -19 * math.log10(2) / 2, abs=0.4
    )
    weights = result.initial.flow.gradient_rms[:-1]
    assert 1 / 3 < weights[1] / weights[-1] < 3


def test_relu_with_he_is_healthy_at_every_depth_of_the_default_grid() -> None:
    assert (
        verdicts(experiment(Axes([5, 10, 20, 50], [100], ["relu"], ["he_normal"]), LOOK))
        == ["level"] * 4
    )


def test_sigmoid_with_unit_normal_weights_vanishes_when_narrow_and_explodes_when_wide() -> None:
    found = experiment(Axes([40], [25, 400], ["sigmoid"], ["normal(std=1)"]), LOOK)
    narrow, wide = (
        result.initial.log10_error_signal_ratio.median
        for result in found.results
        if result is not None
    )
    assert narrow < -1 < 1 < wide
    assert verdicts(found)[1] == "exploding"


@pytest.mark.parametrize(
    ("log10_ratio", "verdict"),
    [(-0.75, "level"), (-1.3, "vanishing"), (0.75, "level"), (1.3, "exploding")],
    ids=lambda value: str(value),
)
def test_nets_scaled_by_hand_to_either_side_of_the_band_are_judged_right(
    log10_ratio: float, verdict: str
) -> None:
    """ReLU: RMS δ changes by (σ_w²/2)^½ per layer, so ten steps at σ_w = √2·10^(r/10) give r;
    at width 400 the finite-width s.d. is .08.
    """
    sigma = math.sqrt(2) * 10 ** (log10_ratio / 10)
    found = experiment(
        Axes([11], [400], ["relu"], [f"mean_field(sigma_w={sigma!r}, sigma_b=0)"]), LOOK
    )
    assert verdicts(found) == [verdict]


def test_overflow_at_the_first_step_is_diverged_and_names_the_layer() -> None:
    (result,) = experiment(Axes([50], [100], ["relu"], ["normal(std=1)"]), LOOK, seeds=1).results
    assert result is not None
    assert result.verdict == "diverged"
    assert "step 0, forward in hidden_4" in result.reason


def test_saturating_learning_rate_diverges_while_training() -> None:
    (result,) = experiment(
        Axes([3], [30], ["relu"], ["he_normal"]),
        {"steps": "60", "optimizer": "sgd", "lr": "1e6"},
        seeds=2,
    ).results
    assert result is not None
    assert result.verdict == "diverged"
    assert "non-finite while training" in result.reason


def test_any_number_of_threads_gives_the_same_numbers() -> None:
    axes = Axes([3, 6], [20], ["tanh", "relu"], ["glorot_normal"], ["none", "layer"])
    one, two = (experiment(axes, {"epochs": "1"}, threads=threads) for threads in (1, 2))
    for left, right in zip(one.results, two.results, strict=True):
        assert left is not None
        assert right is not None
        assert left.train_loss == right.train_loss
        np.testing.assert_array_equal(
            left.final.flow.error_signal_rms, right.final.flow.error_signal_rms
        )


def test_a_stop_keeps_what_ended_and_says_so() -> None:
    stop = Stop()
    base = from_options(None, {"epochs": "1", "evaluate_every": "never"})
    cells = grid_cells.grid(base, Axes([3], [10], ["relu"], ["he_normal"]))
    found = gradients.run(
        cells,
        range(6),
        digits(),
        threads=1,
        stop=stop,
        progress=lambda done, total: stop.ask() if done == 2 else None,
    )
    assert not found.complete
    assert found.results[0] is not None
    assert 2 <= len(found.results[0].seeds) < 6


def test_a_run_of_a_study_is_the_run_that_train_makes(tmp_path: Path) -> None:
    base = from_options(None, {"epochs": "1", "evaluate_every": "never", "data_seed": "0"})
    cells = grid_cells.grid(base, Axes([2], [12], ["tanh"], ["glorot_normal"]))
    writer = StudyWriter.create(tmp_path / "study.h5", gradients.study_description(cells, range(2)))
    gradients.run(cells, range(2), digits(), threads=2, stop=Stop(), study=writer)
    writer.end()
    with dlprobe.open_run(writer.pack()) as study:
        kept = study.runs[grid_cells.run_id(cells[0], 1)]
        session = trainer.start(from_mapping(kept.config), digits())
        trainer.run(session, Recorder())
        np.testing.assert_array_equal(kept.final_parameters, session.network.parameters)
        assert [layer.name for layer in describe.describe(session).layers] == list(
            kept.layers.names
        )
