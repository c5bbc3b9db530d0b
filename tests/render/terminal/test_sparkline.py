"""Depth profiles as bars."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlprobe.render.terminal.sparkline import BLOCKS, SPECIAL, log_scale, sparkline, specials


def test_eight_decades_use_the_eight_bars_in_order() -> None:
    values = [10.0 ** -(7 - k) for k in range(8)]
    assert sparkline(values, log_scale(values), width=8) == BLOCKS


def test_a_profile_that_hardly_moves_looks_flat() -> None:
    values = [1.0, 1.05, 0.97, 1.0]
    assert len(set(sparkline(values, log_scale(values), width=4))) == 1


def test_the_scale_spans_at_least_a_decade_around_the_values() -> None:
    low, high = log_scale([100.0])
    assert high - low == pytest.approx(1.0)
    assert low < 2.0 < high
    assert log_scale([0.0, math.nan]) == (0.0, 1.0)


def test_few_layers_are_drawn_wide_and_many_are_joined() -> None:
    assert sparkline([1.0, 10.0], (0.0, 1.0), width=80) == "▁▁▁▁████"
    assert len(sparkline([1.0] * 1000, (0.0, 1.0), width=80)) == 80


def test_joined_layers_take_their_geometric_mean() -> None:
    assert sparkline([1e-4, 1.0], (-4.0, 0.0), width=1) == sparkline([1e-2], (-4.0, 0.0), width=1)


def test_zero_and_not_finite_values_are_shown_and_never_averaged_away() -> None:
    assert sparkline([1.0, 0.0, math.nan, math.inf, -1.0], (0.0, 1.0), width=5) == "▁0?!-"
    thousand = [1.0] * 999 + [0.0]
    assert sparkline(thousand, (0.0, 1.0), width=10)[-1] == "0"
    assert specials("▁0?▂") == ["0", "?"]


@given(st.lists(st.floats(), max_size=50), st.integers(0, 60))
def test_every_profile_can_be_drawn(values: list[float], width: int) -> None:
    bars = sparkline(values, log_scale(values), width)
    assert len(bars) <= width
    assert set(bars) <= set(BLOCKS) | set(SPECIAL)
