"""Strips: several quantities through the layers below each other, one mark a layer, between the
numbers of the first and the last layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.text import Text

from dlprobe.dataclass import dataclass
from dlprobe.record.sizes import factor_text
from dlprobe.render import document as doc
from dlprobe.render.heat import legend
from dlprobe.render.numbers import value_text
from dlprobe.render.safe_text import visible
from dlprobe.render.terminal import sparkline
from dlprobe.render.terminal.page import TONES, TerminalPage

GAP = 2
LONGEST_NAME = 28
LEAST_BARS = 10
RATIO = "first/last"


@dataclass(frozen=True)
class StripRow:
    """One line ready to draw: its name, the numbers at both ends, their ratio, and which place
    has the extreme.
    """

    name: str
    first: str
    last: str
    ratio: str
    extreme: str
    values: Sequence[float]
    style: str


def strips(page: TerminalPage, block: doc.Strips) -> None:
    """Each group below its quantity and scale, all columns aligned over the whole block."""
    page.caption(block.caption)
    groups = [(group, _rows(group, block.layers, page.glyphs.verdicts)) for group in block.groups]
    rows = [row for _, rows in groups for row in rows]
    if not rows:
        return
    widths = {
        key: max(len(getattr(row, key)) for row in rows)
        for key in ("name", "first", "last", "ratio", "extreme")
    }
    widths["name"] = min(widths["name"], max(9, page.width // 3))
    widths |= {
        key: max(len(head), widths[key])
        for key, head in (("first", "first"), ("last", "last"), ("ratio", RATIO))
    }
    for key in ("", "extreme", "ratio"):  # what a narrow page leaves out
        widths[key] = 0
        beside = sum(widths.values()) + GAP * (1 + sum(map(bool, widths.values())))
        if page.width - beside >= LEAST_BARS:
            break
    length = max(4, min(80, page.width - beside))
    longest = max(
        (len(row.values) for group, rows in groups if not group.along for row in rows), default=0
    )
    drawn = {
        id(row): sparkline.sparkline(
            row.values,
            _scale(group),
            _width(row, length, 0 if group.along else longest),
            page.glyphs.blocks,
        )
        for group, rows in groups
        for row in rows
    }
    bars = max(map(len, drawn.values()))
    ends = (
        f"{'':{widths['name'] + GAP}}  {'first':>{widths['first']}}  {'':{bars}}  "
        f"{'last':{widths['last']}}"
    )
    page.line(f"{ends}  {RATIO:>{widths['ratio']}}" if widths["ratio"] else ends.rstrip(), "dim")
    for group, group_rows in groups:
        page.wrapped(_title(group, block.layers), indent="  ")
        for row in group_rows:
            line = Text.assemble(
                f"  {_short(row.name, widths['name']):{widths['name']}}  "
                f"{row.first:>{widths['first']}}  "
            )
            line.append(f"{drawn[id(row)]:{bars}}", row.style or "cyan").append(
                f"  {row.last:{widths['last']}}"
            )
            line.append(f"  {row.ratio:>{widths['ratio']}}" if widths["ratio"] else "").append(
                f"  {row.extreme}" if widths["extreme"] else "", "dim"
            )
            page.line(line)
    marks = [
        f"{mark} {sparkline.SPECIAL[mark]}"
        for mark in sparkline.specials("".join(drawn.values()), page.glyphs.blocks)
    ]
    judged = legend(
        (strip.verdict for group in block.groups for strip in group.strips), page.glyphs.verdicts
    )
    if told := "  ".join(filter(None, [judged, *marks])):
        page.note(told)


def _width(row: StripRow, length: int, longest: int) -> int:
    """Characters of a strip: so many that its layers stand below those of the longest one;
    `length` where longest is 0.
    """
    if not longest:
        return length
    columns = min(4, length // longest)
    return (
        columns * len(row.values) if columns else max(1, round(length * len(row.values) / longest))
    )


def _title(group: doc.StripGroup, layers: Sequence[str]) -> Text:
    """The quantity, where its strips run, and the two ends of their scale."""
    low, high = _scale(group)
    places = group.along or layers
    ends = [max((len(strip.values) for strip in group.strips), default=0)]
    last = f", {visible(places[0])} … {visible(places[ends[0] - 1])}" if ends[0] and places else ""
    return Text.assemble(
        (visible(group.quantity), "bold"),
        (f"{last}; bars from {10**low:.2g} to {10**high:.2g}", "dim"),
    )


def _rows(group: doc.StripGroup, layers: Sequence[str], marks: Mapping[str, str]) -> list[StripRow]:
    rows = []
    for strip in group.strips:
        rows.append(
            _row(
                _short(strip.name),
                strip.values,
                group,
                layers,
                TONES[strip.tone],
                marks.get(strip.verdict, ""),
            )
        )
        if len(strip.theory):
            rows.append(_row("  theory", strip.theory, group, layers, "dim", ""))
    return rows


def _row(
    name: str,
    values: Sequence[float],
    group: doc.StripGroup,
    layers: Sequence[str],
    style: str,
    mark: str,
) -> StripRow:
    ends = [float(values[0]), float(values[-1])] if len(values) else [math.nan, math.nan]
    ratio = ends[0] / ends[1] if ends[1] > 0 and math.isfinite(ends[0]) else math.nan
    known = [index for index, value in enumerate(values) if math.isfinite(value)]
    extreme = ""
    if len(known) > 1 and len(set(values)) > 1:
        largest = group.extreme == "largest"
        place = (max if largest else min)(known, key=lambda index: values[index])
        extreme = f"{'max' if largest else 'min'} {visible((group.along or layers)[place])}"
    first, last = (value_text(end, 3) if not math.isnan(end) else "nan" for end in ends)
    factor = "" if math.isnan(ratio) else f"×{factor_text(ratio)}"
    return StripRow(
        name, first, last, " ".join(filter(None, [mark, factor])), extreme, values, style
    )


def _scale(group: doc.StripGroup) -> tuple[float, float]:
    return sparkline.log_scale(
        [value for strip in group.strips for value in (*strip.values, *strip.theory)]
    )


def _short(name: str, most: int = LONGEST_NAME) -> str:
    text = visible(name)
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}…{text[len(text) - (most - most // 2 - 1) :]}"
