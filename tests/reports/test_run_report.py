"""Reports of runs: what they leave out, how they name things, and that what they print can be
typed.
"""

from __future__ import annotations

import math
import tomllib
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest

from dlprobe.analysis.learning.states import StateName
from dlprobe.analysis.profiles.depth_profiles import VERDICTS, FlowVerdict
from dlprobe.analysis.profiles.flow import Flow
from dlprobe.analysis.profiles.run_profile import RunProfile, StepProfile
from dlprobe.record import layout
from dlprobe.record.description import layer_facts
from dlprobe.render.document import Chart, Table
from dlprobe.reports import inspect_run, results, run, run_facts
from dlprobe.reports.tones import STATE_TONES, STATUS_TONES, VERDICT_TONES


def moment(step: int, verdict: Any) -> StepProfile:
    ones = np.ones(2)
    return StepProfile(
        step, Flow(ones, np.ones(3), ones), FlowVerdict(verdict, 0.0, 1.0, "because")
    )


@pytest.mark.parametrize(
    ("first", "last", "overall"),
    [
        ("level", "level", "level"),
        ("vanishing", "level", "vanishing"),
        ("level", "diverged", "diverged"),
        ("exploding", "diverged", "exploding"),
    ],
)
def test_verdict_is_that_of_the_first_step_unless_that_was_unbroken(
    first: str, last: str, overall: str
) -> None:
    assert (
        run.overall(
            RunProfile(("hidden_1", "hidden_2"), moment(0, first), moment(9, last), None)
        ).verdict
        == overall
    )


def test_run_of_a_single_recorded_step_is_judged_once() -> None:
    profile = RunProfile(("hidden_1", "hidden_2"), moment(0, "level"), moment(0, "level"), None)
    assert len(run.verdict_lines(profile)) == 1


def stub(task: str = "classification", **final: float) -> Any:
    """A run of 6 training and 2 validation samples without a test part."""
    evaluations = {
        "step": np.array([0, 4]),
        "train_loss": np.array([2.0, 1.0]),
        "val_loss": np.array([3.0, 1.5]),
    }
    data = {
        "task": task,
        "name": "stub",
        "train_indices": np.arange(6),
        "val_indices": np.arange(2),
        "test_indices": np.arange(0),
    }
    return SimpleNamespace(data=data, final=final, evaluations=evaluations)


def test_part_without_samples_has_no_row() -> None:
    table = results.results_table(stub(train_loss=0.5, val_loss=0.6, test_loss=math.nan))
    assert [row[0] for row in table.rows] == ["training", "validation"]
    assert run_facts.data_line(stub()) == "stub, classification: 6 training + 2 validation"


def test_results_of_a_run_without_end_are_of_its_last_evaluation_and_say_so() -> None:
    table = results.results_table(stub())
    assert table.rows[0][:3] == ["training", 6, 1.0]
    assert table.caption == "At the last evaluation, after 4 steps"


def test_regression_reports_its_own_measures() -> None:
    table = results.results_table(stub("regression", train_loss=0.5, train_r2=0.9))
    assert [column.name for column in table.columns] == [
        "part",
        "samples",
        "loss",
        "error (RMS)",
        "R²",
    ]


def test_loss_is_drawn_on_a_log_scale_where_it_falls_far() -> None:
    def chart(values: list[float]) -> Chart:
        curve: Any = SimpleNamespace(steps=np.arange(len(values)), values=np.array(values))
        (block,) = run.loss_chart(SimpleNamespace(data={}, evaluations={}), curve)  # type: ignore[arg-type]
        assert isinstance(block, Chart)
        return block

    assert chart([2.0, 0.01]).log_y
    assert not chart([2.0, 1.0]).log_y
    assert not chart([0.0, 0.0]).log_y


def test_shown_configuration_is_toml() -> None:
    config = {
        "data": {"data": 'spirals(noise="x")', "stratify": True, "split": [60, 20, 20]},
        "model": {"layers": [], "norm": "none", "lr": 1e-05},
    }
    assert tomllib.loads("\n".join(inspect_run.toml_lines(config))) == config


def test_layer_without_norm_or_bias_shows_none() -> None:
    columns = {
        "name": ("hidden_1",),
        "fan_in": [3],
        "units": [4],
        "activation": ("relu",),
        "initializer": ("he_normal",),
        "bias_initializer": ("",),
    }
    columns |= {"normalization": ("none",), "norm_position": ("",), "parameter_count": [12]}
    unrecorded: Any = SimpleNamespace(
        path="run.h5", layers=columns, layer_facts=layer_facts(columns), steps=()
    )
    document = inspect_run.layers(unrecorded, "run.h5", [math.nan])
    table = document.blocks[0]
    assert isinstance(table, Table)
    assert table.rows == [["hidden_1", 3, 4, "relu", "he_normal", None, None, 12]]


def test_every_verdict_and_every_status_has_its_tone() -> None:
    assert set(VERDICT_TONES) == set(VERDICTS)
    assert set(STATUS_TONES) >= set(layout.STATUSES)
    assert set(STATE_TONES) == set(get_args(StateName))


def test_only_a_run_that_learned_well_is_green() -> None:
    assert [
        name
        for tones in (STATE_TONES, VERDICT_TONES, STATUS_TONES)
        for name, tone in tones.items()
        if tone == "good"
    ] == ["learned well"]
