"""Pictures in shades, darker where larger: step maps, and densities over time."""

from __future__ import annotations

import math

from rich.text import Text

from dlprobe.render import density as shading
from dlprobe.render import document as doc
from dlprobe.render.numbers import spread, value_text
from dlprobe.render.safe_text import visible
from dlprobe.render.steps import color_scale
from dlprobe.render.terminal.bars import LONGEST_NAME, shortened
from dlprobe.render.terminal.page import WIDEST_PICTURE, TerminalPage

MOST_ROWS = 24  # of more layers evenly spread ones are drawn


def step_map(page: TerminalPage, block: doc.StepMap) -> None:
    """The first quantity, steps across and layers downwards from the output to the input, and below
    it what the shades mean.
    """
    page.caption(block.caption)
    quantity, shades = block.quantities[0], page.glyphs.shades
    scale, count = color_scale(quantity), len(block.layers)
    rows = spread(count, MOST_ROWS)
    names = {row: visible(block.layers[row]) for row in rows}
    room = min(max(map(len, names.values()), default=0), LONGEST_NAME)
    width = max(8, min(page.width, WIDEST_PICTURE) - room - 2)
    columns = (
        [min(len(block.steps) - 1, index * len(block.steps) // width) for index in range(width)]
        if block.steps
        else []
    )
    for row in reversed(rows):
        characters = "".join(
            _shade(scale.position(quantity.values[column][row]), shades) for column in columns
        )
        page.line(
            Text.assemble(
                (f"{shortened(names[row], room):>{room}} {page.glyphs.upright}", "dim"),
                (characters, "cyan"),
            )
        )
    if block.steps:
        first, last = value_text(block.steps[0]), value_text(block.steps[-1])
        page.line(f"{'':{room + 2}}{first}{last:>{max(1, width - len(first))}}", "dim")
    low, high = (10**end if scale.log else end for end in (scale.low, scale.high))
    page.note(
        f"{visible(quantity.name)} over steps, from {value_text(low, 3)} (light) to "
        f"{value_text(high, 3)} (dark){', log scale' * scale.log}; ? not finite"
    )


def _shade(position: float, shades: str) -> str:
    return (
        "?" if math.isnan(position) else shades[min(len(shades) - 1, int(position * len(shades)))]
    )


def density(page: TerminalPage, block: doc.Density) -> None:
    """Time across, value upwards."""
    page.caption(block.caption)
    picture = shading.draw(block, min(page.width, WIDEST_PICTURE), page.glyphs.shades)
    if not picture.rows:
        page.note("no finite value to draw")
        return
    page.note(f"{block.y_label} over {block.x_label}".removesuffix(" over ").strip())
    for number, characters in picture.rows:
        page.line(
            Text.assemble(
                (f"{number:>{picture.margin}} {page.glyphs.upright}", "dim"), (characters, "cyan")
            )
        )
    page.line(" " * (picture.margin + 2) + picture.steps, "dim")
