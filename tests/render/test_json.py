"""JSON output: stable, honest about what is not a number, safe on every stream."""

from __future__ import annotations

import io
import json
import math
from enum import IntEnum
from pathlib import PurePosixPath

import numpy as np
import pytest

from dlprobe.render import json as json_format
from dlprobe.render.document import Document, Paragraph


def text_of(**data: object) -> str:
    return json_format.dumps({"schema": "dlprobe-test/1", **data})


def test_not_a_number_and_infinities_become_null() -> None:
    read = json.loads(
        text_of(
            values=[math.nan, math.inf, -math.inf, 1.5],
            array=np.array([[np.nan, 2.0]]),
            scalar=np.float32("inf"),
        )
    )
    assert read["values"] == [None, None, None, 1.5]
    assert read["array"] == [[None, 2.0]]
    assert read["scalar"] is None


def test_numpy_scalars_and_arrays_become_plain_numbers() -> None:
    read = json.loads(
        text_of(
            count=np.int64(3),
            flag=np.bool_(True),
            name=np.str_("relu"),
            grid=np.arange(4).reshape(2, 2),
            empty=np.zeros((0, 3)),
        )
    )
    assert (read["count"], read["flag"], read["name"], read["grid"], read["empty"]) == (
        3,
        True,
        "relu",
        [[0, 1], [2, 3]],
        [],
    )
    assert isinstance(read["flag"], bool)


def test_keys_keep_the_order_given() -> None:
    assert list(json.loads(text_of(zebra=1, apple=2, mango={"b": 1, "a": 2}))) == [
        "schema",
        "zebra",
        "apple",
        "mango",
    ]


def test_the_same_data_gives_the_same_text() -> None:
    assert text_of(values=np.linspace(0, 1, 7)) == text_of(values=np.linspace(0, 1, 7))


def test_floats_read_back_bit_for_bit() -> None:
    values = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0]
    assert [one.hex() for one in json.loads(text_of(values=values))["values"]] == [
        one.hex() for one in values
    ]


def test_text_from_files_cannot_reach_the_terminal() -> None:
    text = text_of(name="\x1b[31mred\x9b\u202e\udc80")
    assert text.isascii()
    assert not any(ord(one) < 32 for one in text.replace("\n", ""))
    assert json.loads(text)["name"] == "\x1b[31mred\x9b\u202e\udc80"


def test_paths_enums_and_whole_number_keys_are_understood() -> None:
    code = IntEnum("Code", {"DONE": 0})
    read = json.loads(
        text_of(path=PurePosixPath("runs/a.h5"), code=code.DONE, layers={np.int64(0): "hidden_1"})
    )
    assert read["path"] == "runs/a.h5"
    assert read["code"] == 0
    assert read["layers"] == {"0": "hidden_1"}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, object()]}, r"data\.bad\.a\[1\] is a object"),
        (b"raw", r"data\.bad is a bytes"),
        ({1.5: 2}, "key 1.5"),
    ],
)
def test_what_json_cannot_hold_is_named_with_its_place(value: object, place: str) -> None:
    with pytest.raises(TypeError, match=place):
        text_of(bad=value)


def test_render_writes_the_data_and_one_newline() -> None:
    stream = io.StringIO()
    json_format.render(
        Document("a title", [Paragraph("not in the data")], {"schema": "dlprobe-test/1", "a": 1}),
        stream,
    )
    assert stream.getvalue() == '{\n  "schema": "dlprobe-test/1",\n  "a": 1\n}\n'
