"""One recorded quantity as a page: a few rows and layers for the eye, all of them in the data."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlprobe.analysis.learning.loss_curve import smoothed
from dlprobe.render.document import Chart, Profile, Table
from dlprobe.reports.statistic import Quantity, over_layers, over_steps, spans_decades, spread


def quantity(rows: int, layers: int) -> Quantity:
    values = np.arange(1.0, rows * layers + 1).reshape(rows, layers)
    return Quantity(
        "run.h5",
        "gradient_rms",
        "a definition",
        np.arange(rows) * 10,
        values,
        tuple(f"hidden_{k + 1}" for k in range(layers)),
    )


def test_long_and_deep_runs_are_thinned_on_the_page_and_whole_in_the_data() -> None:
    found = quantity(1000, 40)
    document = over_steps(found, [smoothed(found.steps, column) for column in found.columns.T])
    chart, table = (
        next(block for block in document.blocks if isinstance(block, kind))
        for kind in (Chart, Table)
    )
    assert (len(table.rows), len(table.columns), len(chart.series)) == (16, 7, 6)
    assert table.caption == "16 of 1000 recorded rows; 6 of 40 layers"
    assert [table.rows[0][0], table.rows[-1][0]] == [0, 9990]
    assert [chart.series[0].name, chart.series[-1].name] == ["hidden_1", "hidden_40"]
    assert document.data["values"].shape == (1000, 40)
    assert len(document.data["steps"]) == 1000


def test_layers_without_any_number_are_not_drawn() -> None:
    found = quantity(4, 3)
    found.values[:, 1] = math.nan
    document = over_steps(found, [smoothed(found.steps, column) for column in found.columns.T])
    (chart,) = (block for block in document.blocks if isinstance(block, Chart))
    assert [series.name for series in chart.series] == ["hidden_1", "hidden_3"]


def test_over_the_layers_each_moment_is_a_profile() -> None:
    document = over_layers(quantity(9, 3))
    (profile,) = (block for block in document.blocks if isinstance(block, Profile))
    assert [series.name for series in profile.series] == [
        "step 0",
        "step 20",
        "step 40",
        "step 60",
        "step 80",
    ]
    assert list(profile.series[1].values) == [7.0, 8.0, 9.0]
    assert document.data["steps"] == [0, 20, 40, 60, 80]


def test_single_numbers_per_step_have_one_column() -> None:
    found = Quantity(
        "run.h5", "batch_loss", "", np.arange(3), np.array([3.0, 2.0, 1.0]), group="scalars"
    )
    document = over_steps(found, [smoothed(found.steps, column) for column in found.columns.T])
    (table,) = (block for block in document.blocks if isinstance(block, Table))
    assert table.rows == [[0, 3.0], [1, 2.0], [2, 1.0]]
    assert document.data["layers"] is None


@pytest.mark.parametrize(
    ("values", "wide"),
    [
        ([1.0, 100.0], True),
        ([0.0, 1.0, 100.0], True),
        ([1.0, 20.0], False),
        ([-1.0, 100.0], False),
        ([math.nan, 1.0, math.inf], False),
        ([], False),
        ([0.0], False),
    ],
)
def test_log_scale_is_for_positive_values_over_decades(values: list[float], wide: bool) -> None:
    assert spans_decades(values) is wide


@pytest.mark.parametrize(("count", "most"), [(1, 5), (5, 5), (6, 5), (1000, 16), (0, 4)])
def test_spread_keeps_the_ends_and_never_repeats(count: int, most: int) -> None:
    found = spread(count, most)
    assert found == sorted(set(found))
    assert len(found) == min(count, most)
    assert count == 0 or (found[0], found[-1]) == (0, count - 1)
