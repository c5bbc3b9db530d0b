"""Fitting tables into widths."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dlprobe.render.terminal.columns import Widths, fit, wrap_name


def test_names_break_at_their_joints() -> None:
    assert wrap_name("activation_variance", 11) == ["activation_", "variance"]
    assert wrap_name("relu + he_normal", 9) == ["relu +", "he_normal"]


def test_a_word_longer_than_the_width_is_cut() -> None:
    assert wrap_name("abcdefgh", 3) == ["abc", "def", "gh"]


@given(st.text(alphabet="ab_ +/", max_size=30), st.integers(1, 12))
def test_no_line_of_a_name_is_wider_than_asked_and_nothing_is_lost(name: str, width: int) -> None:
    lines = wrap_name(name, width)
    letters = [one for one in name if one in "ab"]
    assert [one for one in "".join(lines) if one in "ab"] == letters
    assert all(len(line.rstrip(" _+/")) <= width for line in lines)


def test_a_table_that_fits_is_one_piece_in_full_width() -> None:
    assert fit([Widths(3, 5, 9), Widths(4, 4, 4)], width=80, gap=2) == [[(0, 9), (1, 4)]]


def test_a_table_too_wide_repeats_its_first_column() -> None:
    ten = Widths(10, 10, 10)
    assert fit([ten, ten, ten, ten], width=34, gap=2) == [
        [(0, 10), (1, 10), (2, 10)],
        [(0, 10), (3, 10)],
    ]


def test_one_long_text_does_not_starve_the_short_columns() -> None:
    ((_, (_, shape), (_, remark)),) = fit(
        [Widths(8, 8, 8), Widths(3, 8, 8), Widths(6, 200, 200)], width=60, gap=2
    )
    assert shape == 8
    assert remark == 60 - 8 - 8 - 4


@given(
    st.lists(
        st.builds(
            lambda a, b, c: Widths(a, a + b, a + b + c),
            st.integers(1, 60),
            st.integers(0, 60),
            st.integers(0, 20),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_no_piece_is_wider_than_the_page(columns: list[Widths]) -> None:
    groups = fit(columns, width=40, gap=2)
    assert all(sum(width for _, width in group) + 2 * (len(group) - 1) <= 40 for group in groups)
    assert sorted({index for group in groups for index, _ in group}) == list(range(len(columns)))
