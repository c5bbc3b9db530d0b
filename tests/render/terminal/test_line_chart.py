"""Line charts in characters."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlprobe.render.document import Chart, Series
from dlprobe.render.terminal.line_chart import MARKS, Plot, draw, nice_step, ticks


def picture(plot: Plot) -> list[str]:
    return ["".join(one for one, _ in characters) for _, characters in plot.rows]


def test_a_falling_line_runs_from_the_upper_left_to_the_lower_right() -> None:
    plot = draw(
        Chart([Series("loss", [0, 1, 2, 3, 4, 5, 6, 7], [7, 6, 5, 4, 3, 2, 1, 0])]),
        width=11,
        height=8,
        marks="*",
    )
    assert picture(plot) == [" " * k + "*" + " " * (7 - k) for k in range(8)]


def test_a_single_braille_dot_is_the_one_of_its_place() -> None:
    """Two points, lower left and upper right of the whole picture: dot 7 (bit 0x40) and dot 4
    (bit 0x08) of the braille cells.
    """
    plot = draw(
        Chart([Series("a", [0.0], [0.0]), Series("b", [1.0], [1.0])]),
        width=12,
        height=3,
        marks=None,
    )
    lines = picture(plot)
    assert lines[-1][0] == chr(0x2840)
    assert lines[0][-1] == chr(0x2808)


def test_values_that_cannot_be_drawn_leave_a_gap_and_are_counted() -> None:
    values = [1.0] * 4 + [math.nan, math.inf] + [1.0] * 4
    plot = draw(Chart([Series("loss", list(range(10)), values)]), width=15, height=3, marks="*")
    assert max(picture(plot), key=lambda line: line.count("*")) == "****  ****"
    assert plot.left_out == 2


def test_zero_has_no_place_on_a_log_scale() -> None:
    plot = draw(
        Chart([Series("loss", [0, 1, 2], [1.0, 0.0, 10.0])], log_y=True),
        width=30,
        height=5,
        marks="*",
    )
    assert plot.left_out == 1


def test_nothing_to_draw_gives_an_empty_plot() -> None:
    assert draw(Chart([Series("loss", [0.0], [math.nan])]), 40, 5, None).rows == []
    assert draw(Chart([]), 40, 5, None).rows == []


def test_a_log_axis_is_numbered_in_powers_of_ten() -> None:
    plot = draw(
        Chart([Series("loss", [0, 1], [1e-4, 1.0])], log_y=True), width=40, height=9, marks="*"
    )
    assert [number for number, _ in plot.rows if number] == ["1", "0.1", "0.01", "0.001", "0.0001"]


def test_series_without_colour_have_their_own_marks() -> None:
    plot = draw(
        Chart([Series("train", [0, 1], [0, 0]), Series("val", [0, 1], [1, 1])]),
        width=20,
        height=4,
        marks=MARKS,
    )
    assert set("".join(picture(plot))) == {MARKS[0], MARKS[1], " "}


@pytest.mark.parametrize(
    ("span", "most", "step"), [(10, 5, 2), (1, 4, 0.5), (680, 6, 200), (0.003, 3, 0.001)]
)
def test_steps_are_one_two_or_five_times_a_power_of_ten(
    span: float, most: int, step: float
) -> None:
    assert nice_step(span, most) == pytest.approx(step)


def test_ticks_lie_inside_and_include_zero() -> None:
    assert ticks(-1.2, 2.1, 4) == [-1.0, 0.0, 1.0, 2.0]


def test_whole_steps_get_whole_numbers() -> None:
    assert draw(
        Chart([Series("loss", [0, 1, 2], [1, 2, 3])]), width=80, height=4, marks="*"
    ).x_numbers.split() == ["0", "1", "2"]


def test_names_stand_below_their_places_and_not_on_each_other() -> None:
    series = Series("loss", [1.0, 4.0, 5.0, 16.0], [1.0, 2.0, 3.0, 4.0])
    names = {
        1.0: "1",
        4.0: "four",
        5.0: "five",
        16.0: "16",
        99.0: "outside",
        math.nan: "nowhere",
        0.0: "zero",
    }
    plot = draw(Chart([series], log_x=True, x_names=names), width=32, height=4, marks="*")
    assert plot.x_numbers.split() == ["1", "four", "16"]  # five is 2.4 columns from four
    columns = len(plot.rows[0][1])
    assert (plot.x_numbers.index("four"), len(plot.x_numbers)) == (columns // 2 - 2, columns)


@given(
    st.lists(st.tuples(st.floats(), st.floats()), max_size=20),
    st.booleans(),
    st.sampled_from([None, "*"]),
    st.integers(40, 200),
)
def test_every_series_can_be_drawn_inside_its_width(
    points: list[tuple[float, float]], log: bool, marks: str | None, width: int
) -> None:
    series = Series("any", [x for x, _ in points], [y for _, y in points])
    plot = draw(Chart([series], log_y=log), width, 6, marks)
    assert all(plot.margin + 2 + len(line) <= width for line in picture(plot))
    assert plot.margin + 2 + len(plot.x_numbers) <= width


def test_decades_of_x_are_equally_wide_on_a_log_scale() -> None:
    """1e-4 … 1: the middle of the axis is 1e-2; a value of 0 is left out."""
    plot = draw(
        Chart([Series("loss", [0.0, 1e-4, 1e-2, 1.0], [5.0, 1.0, 2.0, 3.0])], log_x=True),
        width=40,
        height=5,
        marks="*",
    )
    marked = {
        number: [index for index, (character, _) in enumerate(row) if character == "*"]
        for number, row in plot.rows
        if number
    }
    assert plot.left_out == 1
    assert sum(marked["2"]) / len(marked["2"]) == pytest.approx(max(marked["3"]) / 2, abs=1)
    assert plot.x_numbers.split() == ["0.0001", "0.01", "1"]
