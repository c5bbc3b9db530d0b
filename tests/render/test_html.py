"""Pages: nothing of a document becomes markup, the policy admits the page's own style and
script alone, and a map's data are what it was given.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser
from typing import Any, get_args

import pytest

from dlprobe.render import document as doc
from dlprobe.render.html import page as html
from dlprobe.render.html.maps import map_data

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"' onload='x'"


class Parsed(HTMLParser):
    """Tags with their attributes, and the text of every script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.text, self._inside = "", ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in self.raw else self._inside
        if tag in self.raw:
            self.raw[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.raw[self._inside][-1] += data
        else:
            self.text += data


def every_block() -> doc.Document:
    """A block of each kind with a text that tries to be markup in each of its places."""
    blocks: list[doc.Block] = [
        doc.Heading(NASTY),
        doc.Paragraph(NASTY, below=True),
        doc.Lines([NASTY]),
        doc.Markdown(NASTY),
        doc.Bullets([NASTY]),
        doc.Facts([(NASTY, NASTY)]),
        doc.Table(
            [doc.Column(NASTY, NASTY)], [[doc.Toned(NASTY, "bad")], [doc.Heights([1, 2])]], NASTY
        ),
        doc.Bars([NASTY], [1], [NASTY], NASTY),
        doc.HeatTable(
            [NASTY], [NASTY], [[doc.HeatCell(1.0, NASTY)]], NASTY, stub=NASTY, caption=NASTY
        ),
        doc.Chart([doc.Series(NASTY, [0, 1], [1, 2])], "step", NASTY, caption=NASTY),
        doc.Density([[1.0]], [0], 0, 1, "step", NASTY, NASTY),
        doc.StepMap([0], [NASTY], [doc.LayerValues(NASTY, [[1.0]], NASTY)], NASTY),
        doc.Profile([doc.LayerSeries(NASTY, [1.0], NASTY)], [NASTY], caption=NASTY),
        doc.Strips(
            [doc.StripGroup(NASTY, [doc.Strip(NASTY, [1.0], [2.0], NASTY)])], [NASTY], NASTY
        ),
        doc.Image("a.svg", NASTY),
        doc.Verdict(NASTY, "bad"),
        doc.Choices([doc.Choice(NASTY, NASTY, NASTY)]),
        doc.Hint(NASTY),
    ]
    assert {type(block) for block in blocks} == set(get_args(doc.Block))
    return doc.Document(NASTY, blocks, {"schema": "x/1", "note": NASTY, "number": math.nan})


def test_no_text_of_a_document_becomes_markup() -> None:
    page = html.page(every_block())
    found = Parsed(page)
    assert [tag for tag, _ in found.tags].count("script") == 3
    assert {"img", "iframe", "object", "embed", "base", "form", "link"}.isdisjoint(
        tag for tag, _ in found.tags
    )
    assert [
        (tag, key)
        for tag, attributes in found.tags
        for key in attributes
        if key.startswith("on") or key == "style"
    ] == []
    assert {
        value
        for _, attributes in found.tags
        for key, value in attributes.items()
        if key in ("href", "src") and not str(value).startswith("#")
    } == set()
    assert json.loads(found.raw["script"][1])["note"] == NASTY
    assert found.text.count("<script>alert(1)</script>") >= 17


def test_the_policy_names_the_hashes_of_the_style_and_script_that_are_there() -> None:
    found = Parsed(html.page(every_block()))
    policy = next(
        str(attributes["content"])
        for tag, attributes in found.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    hashes = {
        kind: f"'sha256-{base64.b64encode(hashlib.sha256(found.raw[kind][-1].encode()).digest()).decode()}'"  # noqa: E501
        for kind in found.raw
    }
    assert policy == (
        f"default-src 'none'; style-src {hashes['style']}; script-src {hashes['script']}; "
        "base-uri 'none'; form-action 'none'"
    )


def test_every_picture_is_an_image_with_a_name_and_ids_are_there_once() -> None:
    page = html.page(every_block())
    found = Parsed(page)
    images = [attributes for tag, attributes in found.tags if tag == "svg"]
    assert len(images) == 6
    assert all(image["role"] == "img" and image["aria-label"] for image in images)
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "block",
    [
        doc.Table([doc.Column("run")], [["seed_1"], ["seed_2"]]),
        doc.HeatTable(["a"], ["b"], [[doc.HeatCell(-1.0, runs=["seed_2", "seed_1"])]], "x"),
    ],
)
def test_a_cell_leads_to_the_heading_of_its_run(block: doc.Block) -> None:
    found = Parsed(html.page(doc.Document("", [block, doc.Heading("seed_1", 2)])))
    (link,) = [attributes["href"] for tag, attributes in found.tags if tag == "a"]
    assert link == f"#{next(attributes['id'] for tag, attributes in found.tags if tag == 'h3')}"


@pytest.mark.parametrize(
    "values",
    [[[1e-12, 1.0], [1e-3, 0.0]], [[-2.0, 5.0], [math.nan, 1.5]], [[3.0, 3.0], [math.inf, 3.0]]],
)
def test_codes_of_a_map_are_its_values_to_a_four_thousandth_of_the_scale(
    values: list[list[float]],
) -> None:
    (found,) = map_data(doc.StepMap([0, 64], ["a", "b"], [doc.LayerValues("x", values)]))[
        "quantities"
    ]
    nearly = 0.0 if found["log"] else (found["high"] - found["low"]) / 4000
    for index, value in enumerate(value for column in values for value in column):
        assert decoded(found, index) == (
            pytest.approx(value, rel=0.01, abs=nearly) if math.isfinite(value) else None
        )


def decoded(quantity: dict[str, Any], index: int) -> float | None:
    """The value of a code, as the page's script reads it: big-endian digits to base 64 of RFC
    4648 §5 in another order, "-" before "_".
    """
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    code = digits.index(quantity["codes"][2 * index]) * 64 + digits.index(
        quantity["codes"][2 * index + 1]
    )
    if code < 2:
        return None if code == 0 else 0.0
    place = quantity["low"] + (code - 2) / 4093 * (quantity["high"] - quantity["low"])
    return 10.0**place if quantity["log"] else place
