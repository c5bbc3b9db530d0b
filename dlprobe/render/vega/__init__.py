"""Document → pictures for slides, pages and papers: each drawn block as a Vega-Lite specification,
one file per kind of drawing.

A specification is plain data, so it needs nothing; `files` turns it into SVG, PNG and PDF and alone
imports the renderer, of the extra `figures`.
Texts are made visible first and reach a specification as data or as quoted texts only. A name has
one colour in all pictures of a document.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.registry import tidied, unknown
from dlprobe.render import document as doc
from dlprobe.render.json import jsonable
from dlprobe.render.safe_text import visible
from dlprobe.render.vega import bars, chart, density, heat_table, histograms, profile, step_map
from dlprobe.render.vega.frame import SCHEMA, PictureFrame
from dlprobe.render.vega.marks import Marks, marks_of
from dlprobe.render.vega.themes import Theme

Spec = dict[str, Any]
_DRAWINGS: dict[type, Callable[[Any, PictureFrame], Spec]] = {
    doc.Bars: bars.bars,
    doc.HeatTable: heat_table.heat_table,
    doc.Chart: chart.chart,
    doc.Density: density.density,
    doc.Profile: profile.profile,
    doc.StepMap: step_map.step_map,
    doc.Table: histograms.histograms,
}
COLUMNS = 120  # of maps and densities; more make a file large and show no more
_SHORT = 40  # characters of a name that is made of a caption


@dataclass(frozen=True)
class Picture:
    """A drawn block of a document, or one quantity of it. name: as `--only` has it, each once in a
    document; title: what it shows; drawn: what the drawing is made of; block: of the document;
    spec: without theme and schema.
    """

    name: str
    title: str
    drawn: Any
    block: doc.Block
    spec: Spec


def pictures(
    document: doc.Document, theme: Theme, width: int, columns: int = COLUMNS
) -> list[Picture]:
    """The pictures of a document, those without anything to draw left out. width: of the plot
    itself, pixels; columns: of maps and densities, at most.
    """
    pairs = [
        (drawn, block) for block in (*document.blocks, *document.details) for drawn in _drawn(block)
    ]
    frame = PictureFrame(theme, width, marks_of([drawn for drawn, _ in pairs]), columns)
    names = _names([drawn for drawn, _ in pairs])
    return [
        Picture(name, _title(drawn) or name, drawn, block, _DRAWINGS[type(drawn)](drawn, frame))
        for name, (drawn, block) in zip(names, pairs, strict=True)
    ]


def _drawn(block: doc.Block) -> list[Any]:
    """The block itself where there is something to draw; of strips a profile for each quantity,
    none over steps: these have charts.
    """
    if isinstance(block, doc.Strips):
        return [
            _profile(group, block) for group in block.groups if not group.along and group.strips
        ]
    return [block] if type(block) in _DRAWINGS and _has_content(block) else []


def _profile(group: doc.StripGroup, block: doc.Strips) -> doc.Profile:
    """The strips of a quantity as a profile, theory's as lines beside them; a strip may end
    before the last layer.
    """
    longest = max(max(len(strip.values), len(strip.theory)) for strip in group.strips)
    series: list[doc.LayerSeries] = []
    for strip in group.strips:
        values, theory = (_filled(values, longest) for values in (strip.values, strip.theory))
        line = doc.LayerSeries(strip.name, values, strip.verdict, strip.tone, runs=strip.runs)
        series.append(line)
        series += (
            [doc.LayerSeries(f"{strip.name}, theory", theory, like=strip.name)]
            if len(strip.theory)
            else []
        )
    caption = f"{block.caption}: {group.quantity}" if block.caption else group.quantity
    return doc.Profile(
        series, block.layers[:longest], caption=caption, name=group.name or group.quantity
    )


def _filled(values: Sequence[float], length: int) -> list[float]:
    return [*map(float, values), *[math.nan] * (length - len(values))]


def picked(drawn: Sequence[Picture], only: str | None) -> list[Picture]:
    """Those that `only` names, separated by commas ("depth_profile" stands for all profiles),
    or all. Raises ConfigError where there is none.
    """
    if not drawn:
        raise ConfigError("this result has no picture to write: leave --figure out")
    if only is None:
        return list(drawn)
    chosen: list[Picture] = []
    for name in only.split(","):
        kind = doc.Profile if tidied(name) == "depth_profile" else ()
        named = [
            picture
            for picture in drawn
            if picture.name == tidied(name) or isinstance(picture.drawn, kind)
        ]
        if not named:
            raise ConfigError(unknown("picture", name, [picture.name for picture in drawn]))
        chosen += named
    return chosen


def specification(chosen: Sequence[Picture], theme: Theme) -> Spec:
    """Pictures as one whole Vega-Lite specification, colours and fonts included: several stand in
    a block of about as many columns as rows, which is how they fill a slide best.
    """
    body: Spec = (
        chosen[0].spec
        if len(chosen) == 1
        else {
            "concat": [picture.spec for picture in chosen],
            "columns": math.ceil(math.sqrt(len(chosen))),
            "align": "each",
            "spacing": 40,
            "resolve": {"scale": {"color": "independent", "strokeDash": "independent"}},
        }
    )
    whole: Spec = jsonable(
        {
            "$schema": SCHEMA,
            "description": "; ".join(picture.title for picture in chosen),
            **body,
            "config": theme.config(),
        }
    )
    return whole


def domain_of(spec: Spec, channel: str) -> list[float]:
    """[low, high] of an axis, `channel` being x or y, of a plot's first layer; [] where it states
    none.
    """
    encoding = spec.get("encoding") or spec["layer"][0]["encoding"]
    return list(encoding.get(channel, {}).get("scale", {}).get("domain", ()))


def _has_content(block: Any) -> bool:
    if isinstance(block, doc.Chart | doc.Profile):
        return any(
            len(series.y if isinstance(series, doc.Series) else series.values)
            for series in block.series
        )
    if isinstance(block, doc.Table):
        return bool(histograms.drawn_cells(block))
    return bool(len(block.shares)) if isinstance(block, doc.Density) else True


def _title(block: Any) -> str:
    return visible(block.caption).rstrip(".")


def _names(blocks: Sequence[Any]) -> list[str]:
    """Each block's own name, or one made of its caption or kind; a second one of the same name
    gets a number.
    """
    names: list[str] = []
    for block in blocks:
        words = (
            re.sub(
                r"[^a-z0-9]+",
                "_",
                (getattr(block, "name", "") or block.caption or type(block).__name__).lower(),
            ).strip("_")
            or "picture"
        )
        name = (
            words if len(words) <= _SHORT else words[:_SHORT].rpartition("_")[0] or words[:_SHORT]
        )
        same = sum(word == name or re.fullmatch(rf"{name}_\d+", word) is not None for word in names)
        names.append(f"{name}_{same + 1}" if same else name)
    return names


__all__ = ["Marks", "Picture", "Spec", "domain_of", "picked", "pictures", "specification"]
