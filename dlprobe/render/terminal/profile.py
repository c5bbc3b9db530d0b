"""Depth profiles: one row of bars per quantity between its first and its last layer's number,
the verdict behind.
"""

from __future__ import annotations

from rich.text import Text

from dlprobe.render import document as doc
from dlprobe.render.numbers import value_text
from dlprobe.render.safe_text import visible
from dlprobe.render.terminal import sparkline
from dlprobe.render.terminal.page import TONES, TerminalPage

_GAP = 2
_LONGEST_NAME = 24


def profile(page: TerminalPage, block: doc.Profile) -> None:
    """Name, first number, bars, last number and verdict of every series, and below them the
    scale.
    """
    page.caption(block.caption)
    if not block.series:
        return
    ends = [
        [value_text(float(series.values[index]), 3) if series.values else "-" for index in (0, -1)]
        for series in block.series
    ]
    heads = [_short(block.layers[index]) if block.layers else "" for index in (0, -1)]
    first, last = (max([len(heads[end]), *(len(pair[end]) for pair in ends)]) for end in (0, 1))
    room, length = _room(page, block, first + last + 2 * _GAP)
    bars = [
        sparkline.sparkline(series.values, _scale(block, series), length, page.glyphs.blocks)
        for series in block.series
    ]
    longest = max(map(len, bars))
    if any(heads):
        page.line(f"{'':{room}}{heads[0]:>{first}}  {'':{longest}}  {heads[1]}", "dim")
    for series, (start, end), bar in zip(block.series, ends, bars, strict=True):
        name = _short(series.name, _LONGEST_NAME)
        verdict = _short(series.verdict)
        style = TONES[series.tone]
        if not room:
            page.line(Text.assemble(name, "  ", (verdict, style)))
        line = Text.assemble(
            f"{name:{room}}" if room else "",
            f"{start:>{first}}  ",
            (f"{bar:{longest}}", style or "cyan"),
            f"  {end:{last}}",
        )
        page.line(line.append(f"  {verdict}", style) if room else line)
    _legend(page, block, "".join(bars))


def _room(page: TerminalPage, block: doc.Profile, taken: int) -> tuple[int, int]:
    """Width of the name column and of the bars; names go on a line of their own (0) where they
    would leave fewer than 16 characters to the bars.
    """
    names = max(len(_short(series.name, _LONGEST_NAME)) for series in block.series) + _GAP
    verdicts = max(len(_short(series.verdict)) for series in block.series) + _GAP
    beside = page.width - taken - names - verdicts
    return (names, min(80, beside)) if beside >= 16 else (0, max(4, page.width - taken))


def _short(name: str, most: int = 16) -> str:
    """A name that must stay on its line; names longer than any of ours lose their middle."""
    text = visible(name)
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2 - 1) :]}"


def _scale(block: doc.Profile, series: doc.LayerSeries) -> tuple[float, float]:
    values = (
        [value for one in block.series for value in one.values]
        if block.shared_scale
        else series.values
    )
    return sparkline.log_scale(values)


def _legend(page: TerminalPage, block: doc.Profile, bars: str) -> None:
    if block.shared_scale:
        low, high = _scale(block, block.series[0])
        page.note(f"bars: log scale from {10**low:.2g} to {10**high:.2g}")
    else:
        page.note("bars: log scale, each line on its own")
    marks = sparkline.specials(bars, page.glyphs.blocks)
    if marks:
        page.note(
            "in the bars: " + ", ".join(f"{mark} = {sparkline.SPECIAL[mark]}" for mark in marks)
        )
