"""Pictures as specifications and files: what is drawn is what the block holds, and no text of a
user leaves its place.
"""

from __future__ import annotations

import json
import math
import struct
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from dlprobe.errors import ConfigError
from dlprobe.render import document as doc
from dlprobe.render import vega
from dlprobe.render.vega.files import content
from dlprobe.render.vega.themes import LINES, THEMES

NASTY = "</svg><script>alert(1)</script> \"'] + alert(1) + ['\x1b[2J"
LIGHT = THEMES["light"]


def chart(*names: str, log: bool = False) -> doc.Chart:
    return doc.Chart(
        [doc.Series(name, [0, 10, 20, 30], [1.0, math.nan, 0.0, 1e-5]) for name in names],
        "step",
        "loss",
        log_y=log,
        caption="Loss",
    )


BLOCKS = {
    "chart": chart(NASTY, "b"),
    "log chart": chart(NASTY, log=True),
    "chart without a number": doc.Chart([doc.Series(NASTY, [1], [math.nan])], "x", "y"),
    "chart with names": doc.Chart(
        [doc.Series("a", [0, 1], [1.0, 2.0])], "init", "loss", x_names={0: NASTY, 1: "he"}
    ),
    "profile": doc.Profile(
        [doc.LayerSeries(NASTY, [1e-12, 0.0, math.inf], "vanishing", "bad", [(1e-13, 1e-11)] * 3)],
        [NASTY, "b", "c"],
    ),
    "density": doc.Density([[0.0, 1.0], [0.5, 0.5]], [0, 5], -1.0, 1.0, NASTY, "weight"),
    "heat table": doc.HeatTable(
        [NASTY],
        ["5", "10"],
        [[doc.HeatCell(-7.0, NASTY), doc.HeatCell(math.nan, "diverged")]],
        NASTY,
        stub=NASTY,
    ),
    "histograms": doc.Table([doc.Column("a")] * 2, [[NASTY, doc.Heights([3, 0, 1], NASTY)]]),
    "bars": doc.Bars([NASTY, "b"], [3, math.nan], ["3", NASTY]),
    "step map": doc.StepMap(
        [0, 64],
        [NASTY, "output"],
        [doc.LayerValues(NASTY, [[1e-9, 1.0], [math.nan, math.inf]], NASTY)],
    ),
}


def one(block: doc.Block, columns: int = 120) -> vega.Picture:
    (found,) = vega.pictures(doc.Document(NASTY, [block]), LIGHT, 400, columns)
    return found


def rows(spec: Any) -> list[dict[str, Any]]:
    """All data of a specification."""
    if isinstance(spec, dict):
        return [
            *spec.get("data", {}).get("values", ()),
            *(row for value in spec.values() for row in rows(value)),
        ]
    return [row for value in spec for row in rows(value)] if isinstance(spec, list) else []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", BLOCKS)
def test_every_drawing_is_well_formed_svg_without_script(name: str, theme: str) -> None:
    picture = one(BLOCKS[name])
    spec = vega.specification([picture], THEMES[theme])
    json.dumps(spec, allow_nan=False)
    root = ElementTree.fromstring(content(spec, "svg"))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "foreignObject", "image", "a", "style", "animate", "set", "use"}
    assert not [
        key
        for element in root.iter()
        for key in element.attrib
        if key.startswith("on") or key.endswith("href")
    ]
    assert root.get("role") == "img"
    assert root.get("aria-label")


def test_a_log_chart_draws_what_has_a_logarithm_and_tells_how_many_values_have_none() -> None:
    spec = one(chart("a", log=True)).spec
    line = [(row["x"], row["y"]) for row in spec["layer"][0]["data"]["values"]]
    assert line == [(0, 1.0), (10, None), (20, None), (30, 1e-5)]
    assert spec["title"]["subtitle"] == ["2 values cannot be drawn (not finite, or not above 0)"]


def test_edges_of_a_series_are_areas_between_the_first_and_the_last_the_second_and_the_last_but_one() -> (  # noqa: E501
    None
):
    names = ("5 %", "25 %", "50 %", "75 %", "95 %")
    series = [
        doc.Series(name, [0, 1], [float(index)] * 2, "" if name == "50 %" else "50 %")
        for index, name in enumerate(names)
    ]
    areas = one(doc.Chart(series, "step", "z")).spec["layer"][0]["data"]["values"]
    assert {(row["series"], row["y"], row["y2"]) for row in areas} == {
        ("50 %", 0.0, 4.0),
        ("50 %", 1.0, 3.0),
    }


def test_a_name_has_one_colour_in_all_pictures_and_names_of_one_picture_have_different_ones() -> (
    None
):
    document = doc.Document(
        "",
        [
            chart("relu", "tanh"),
            doc.Profile([doc.LayerSeries("step 0", [1.0])]),
            chart("gelu", "tanh", "relu", "elu"),
        ],
    )
    drawn = vega.pictures(document, LIGHT, 400)
    scales = [each.spec["layer"][-1]["encoding"]["color"]["scale"] for each in drawn]
    colours = [dict(zip(scale["domain"], scale["range"], strict=True)) for scale in scales]
    assert {colours[0][name] == colours[2][name] for name in ("relu", "tanh")} == {True}
    assert len(set(colours[2].values())) == 4
    assert set(colours[2].values()) < set(LINES)


def test_powers_on_a_log_axis_are_written_as_powers() -> None:
    axis = one(doc.Profile([doc.LayerSeries("a", [1e-12, 1e-2])])).spec["layer"][0]["encoding"][
        "y"
    ]["axis"]
    texts = json.loads(axis["labelExpr"].partition("[indexof")[0])
    assert dict(zip(axis["values"], texts, strict=True))[1e-12] == "10⁻¹²"


def test_each_quantity_of_strips_is_a_picture_with_theory_beside_it_and_layers_that_a_strip_lacks_left_open() -> (  # noqa: E501
    None
):
    groups = [
        doc.StripGroup(
            "weight-gradient RMS", [doc.Strip("step 0", [1.0, 2.0, 3.0])], name="gradient_rms"
        ),
        doc.StripGroup("error signal RMS", [doc.Strip("step 0", [4.0, 5.0], [6.0, 7.0, 8.0])]),
        doc.StripGroup("loss", [doc.Strip("training", [1.0])], ["step 0"]),
    ]
    drawn = vega.pictures(
        doc.Document("", [], details=[doc.Strips(groups, ["a", "b", "c"])]), LIGHT, 400
    )
    assert [each.name for each in drawn] == ["gradient_rms", "error_signal_rms"]
    measured, theory = (
        [row["y"] for row in layer["data"]["values"]] for layer in drawn[1].spec["layer"][:2]
    )
    assert (measured, theory) == ([4.0, 5.0, None], [6.0, 7.0, 8.0])
    assert drawn[1].spec["title"]["subtitle"] == ["dotted: theory"]


def test_a_map_keeps_first_and_last_column_of_more_than_have_room() -> None:
    block = doc.StepMap(
        list(range(1000)), ["a"], [doc.LayerValues("x", [[1000.0 + step] for step in range(1000)])]
    )
    drawn = rows(one(block, columns=50).spec)
    assert (len(drawn), drawn[0]["value"], drawn[-1]["value"]) == (50, 1000.0, 1999.0)


def test_pictures_are_picked_by_name_and_names_that_repeat_are_numbered() -> None:
    drawn = vega.pictures(
        doc.Document("", [chart("a"), chart("b"), doc.Density([], [], 0, 1)]), LIGHT, 400
    )
    assert [each.name for each in drawn] == ["loss", "loss_2"]
    assert [each.name for each in vega.picked(drawn, "Loss-2")] == ["loss_2"]
    with pytest.raises(ConfigError, match="did you mean 'loss'"):
        vega.picked(drawn, "los")
    with pytest.raises(ConfigError, match="no picture"):
        vega.picked([], None)


def test_files_are_of_their_kind_and_as_large_as_asked() -> None:
    spec = vega.specification([one(chart("a"))], LIGHT)
    root = ElementTree.fromstring(content(spec, "svg"))
    large = content(spec, "png", 2.0)
    assert large[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">2I", large[16:24]) == tuple(
        2 * int(root.attrib[side]) for side in ("width", "height")
    )
    assert content(spec, "pdf").startswith(b"%PDF-")
    assert json.loads(content(spec, "json")) == spec
    assert ElementTree.fromstring(content(spec, "svg", 2.0)).get("width") == str(
        2 * int(root.attrib["width"])
    )
