"""What a stream can show: colour or not, and which characters. Streams whose encoding carries
no block characters get ASCII.
"""

from __future__ import annotations

import os
from typing import Literal, TextIO

from rich import box

from dlprobe.dataclass import dataclass
from dlprobe.render import density, heat
from dlprobe.render.terminal import line_chart, sparkline


def wants_color(stream: TextIO) -> bool:
    """Whether a stream should be coloured when nobody said so: a terminal that is not dumb, or
    FORCE_COLOR; NO_COLOR goes before both.

    See https://no-color.org and https://force-color.org; FORCE_COLOR=0 is as none.
    """
    if os.environ.get("NO_COLOR"):
        return False
    return os.environ.get("FORCE_COLOR", "") not in ("", "0") or (
        stream.isatty() and os.environ.get("TERM") != "dumb"
    )


def color_system() -> Literal["standard", "256", "truecolor"]:
    """How many colours the terminal says that it has."""
    if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "truecolor"
    return "standard" if os.environ.get("TERM", "") in ("linux", "vt100", "ansi") else "256"


@dataclass(frozen=True)
class Glyphs:
    """The characters that a stream can carry. braille: whether a curve may be drawn in dots."""

    marks: dict[str, str]
    verdicts: dict[str, str]
    line: str
    double: str
    corner: str
    upright: str
    bullet: str
    swatch: str
    bar: str
    blocks: str
    chart: str
    shades: str
    table: box.Box
    braille: bool


UNICODE = Glyphs(
    marks={"good": "✓ ", "bad": "✗ ", "warning": "! ", "neutral": ""},
    verdicts=heat.MARKS,
    line="─",
    double="═",
    corner="└",
    upright="│",
    bullet="• ",
    swatch="━",
    bar="█",
    blocks=sparkline.BLOCKS,
    chart=line_chart.MARKS,
    shades=density.SHADES,
    table=box.SIMPLE_HEAD,
    braille=True,
)
ASCII = Glyphs(
    marks={"good": "ok: ", "bad": "BAD: ", "warning": "! ", "neutral": ""},
    verdicts=heat.ASCII_MARKS,
    line="-",
    double="=",
    corner="+",
    upright="|",
    bullet="* ",
    swatch="-",
    bar="#",
    blocks=sparkline.ASCII_BLOCKS,
    chart=line_chart.ASCII_MARKS,
    shades=density.ASCII_SHADES,
    table=box.Box(str(box.SIMPLE_HEAD).replace("─", "-"), ascii=True),
    braille=False,
)


def glyphs_for(encoding: str) -> Glyphs:
    """The characters for a stream of this encoding."""
    try:
        "⠿█▁░▒▓•×○─═└│✓✗━▼▲≡".encode(encoding)
    except UnicodeEncodeError:
        return ASCII
    return UNICODE
