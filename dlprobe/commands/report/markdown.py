"""A report for a pull request: Markdown, its pictures as SVG files beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlprobe.commands.base.writing import Target
    from dlprobe.render.document import Document


def with_pictures(document: Document, target: Target) -> Document:
    """Write the pictures as NAME-PICTURE.svg beside the target, and put links to them in their places. Raises ConfigError where one must not be replaced."""
    from dlprobe.commands.base.figure import WIDTH
    from dlprobe.commands.base.file_kinds import PICTURES
    from dlprobe.commands.base.writing import claim, write_bytes
    from dlprobe.render import vega
    from dlprobe.render.document import Image
    from dlprobe.render.vega.files import content
    from dlprobe.render.vega.themes import THEMES

    theme = THEMES["light"]
    drawn = vega.pictures(document, theme, WIDTH)
    names = {id(each.block): Image(f"{target.path.stem}-{each.name}.svg", each.title) for each in drawn}
    files = [claim(target.path.with_name(names[id(each.block)].path), PICTURES["svg"], target.inputs, force=target.force) for each in drawn]
    for file, each in zip(files, drawn, strict=True):
        write_bytes(file, content(vega.specification([each], theme), "svg"))
    return replace(document, blocks=[names.get(id(block), block) for block in document.blocks])
