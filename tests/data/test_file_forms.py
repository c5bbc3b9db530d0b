"""The forms in which people have their tables: each is read as it is meant, and what was
inferred is noted.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from file_forms import FORMS, REFUSED, Form, Refused, X, Y

from dlprobe.config.records import DataConfig
from dlprobe.data import Dataset, load
from dlprobe.errors import ConfigError, DataError

Read = Callable[..., Dataset]


@pytest.fixture(params=["as text", "as numbers"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text tables are read as text and cast, or straight as numbers by what their first two
    rows show, as large ones are.
    """
    if request.param == "as numbers":
        monkeypatch.setattr("dlprobe.data.delimited_typed.LARGE_TEXT", 0)
        monkeypatch.setattr("dlprobe.data.delimited_typed.SAMPLE", 2)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_that_people_have_is_read_as_it_is_meant(read: Read, form: Form) -> None:
    data = read(form.name, form.content, **form.options)
    assert data.task == form.task, data.notes
    np.testing.assert_array_equal(data.inputs, form.inputs)
    np.testing.assert_array_equal(data.targets.ravel(), form.targets)
    for words in form.noted:
        assert any(words in note for note in data.notes), data.notes


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("bad", REFUSED, ids=lambda bad: bad.name)
def test_what_cannot_be_read_is_one_line_with_what_to_type(read: Read, bad: Refused) -> None:
    with pytest.raises(DataError) as caught:
        read(bad.name, bad.content, **bad.options)
    assert str(caught.value).isprintable()
    assert bad.words in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"sep": "tab"},
        {"dates": "drop"},
        {"val_data": "v.csv"},
        {"split_column": "s"},
        {"missing": "mean"},
        {"decimal": "comma"},
        {"columns": "alcohol"},
        {"drop": "1"},
    ],
)
def test_options_of_files_do_not_suit_named_sets(options: dict[str, str]) -> None:
    (key,) = options
    with pytest.raises(ConfigError, match=f"{key} = .* does not suit data = wine: {key} is for"):
        load(DataConfig(data="wine", **options), 0)


def test_a_packed_file_that_grows_beyond_bounds_is_refused_while_it_unpacks(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlprobe.data.text_file.LARGEST_UNPACKED", 2**21)
    with pytest.raises(DataError, match="unpacks to more than 2097152 bytes"):
        read("bomb.csv.gz", gzip.compress(b"1,2\n" * 2**20))


def test_targets_beside_an_array_are_named(read: Read, tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", np.array(X))
    np.save(tmp_path / "y.npy", np.array(Y))
    assert any(
        "np.savez('data.npz', X=np.load('X.npy'), y=np.load('y.npy'))" in note
        for note in read("X.npy").notes
    )


def test_a_large_table_is_read_straight_as_numbers_and_gives_the_same(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers of every length, blank lines, gaps and a column of texts: every number to the
    last bit, and the same notes.
    """
    rng = np.random.default_rng(0)
    values = rng.standard_normal((400, 3)) * 10.0 ** rng.integers(-300, 300, (400, 3))
    rows = [
        f"{float(a)!r},{'' if i % 9 == 4 else f'{b:.3e}'},{'red' if a > 0 else 'blue'},{c:.17g},{i % 2}"  # noqa: E501
        for i, (a, b, c) in enumerate(values)
    ]
    content = (
        "\n\na,b,colour,c,y\n" + "\n".join(rows[:100]) + "\n\n\n" + "\n".join(rows[100:]) + "\n"
    )
    plain = read("t.csv", content)
    monkeypatch.setattr("dlprobe.data.delimited_typed.LARGE_TEXT", 0)
    monkeypatch.setattr("dlprobe.data.delimited_typed.SAMPLE", 50)
    monkeypatch.setattr("dlprobe.data.delimited.read_texts", None)  # that way is not taken
    typed = read("t.csv", content)
    assert typed.inputs.tobytes() == plain.inputs.tobytes()
    assert typed.targets.tobytes() == plain.targets.tobytes()
    assert (typed.notes, typed.feature_names, typed.class_names) == (
        plain.notes,
        plain.feature_names,
        plain.class_names,
    )


@pytest.mark.parametrize("cell", ["12x", "1,5", "NA ", "-"])
def test_what_comes_late_in_a_large_table_is_told_by_its_line(
    read: Read, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    """Behind the rows that decide, the first cell that is no number is named, or is one of the
    ways to say missing.
    """
    content = (
        "a,b,y\n" + "".join(f"{i}.5,{i},{i % 2}\n" for i in range(90)) + f'"{cell}",7,1\n8.5,9,0\n'
    )
    plain = outcome(read, content)
    monkeypatch.setattr("dlprobe.data.delimited_typed.LARGE_TEXT", 0)
    monkeypatch.setattr("dlprobe.data.delimited_typed.SAMPLE", 50)
    assert outcome(read, content) == plain


def outcome(read: Read, content: str) -> str:
    """The notes of a table, or the message that refuses it."""
    try:
        return "; ".join(read("t.csv", content).notes)
    except DataError as error:
        return str(error)
