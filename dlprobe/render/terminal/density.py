"""Densities: how values are distributed as time goes on, in shades."""

from __future__ import annotations

from rich.text import Text

from dlprobe.render import density as shades
from dlprobe.render import document as doc
from dlprobe.render.terminal.page import WIDEST_PICTURE, TerminalPage


def density(page: TerminalPage, block: doc.Density) -> None:
    """Time across, value upwards."""
    page.caption(block.caption)
    picture = shades.draw(block, min(page.width, WIDEST_PICTURE), page.glyphs.shades)
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
