"""A report for a pull request: Markdown, its pictures as SVG files beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlprobe.commands.base.writing import Target
    from dlprobe.render.document import Document


def with_pictures(document: Document, target: Target) -> Document:
    """Write the pictures as NAME-PICTURE.svg beside the target, and put links to them in their
    places. Raises ConfigError where one must not be replaced.
    """
    from dlprobe.commands.base.figure import WIDTH
    from dlprobe.commands.base.file_kinds import PICTURES
    from dlprobe.commands.base.writing import claim, write_bytes
    from dlprobe.render import vega
    from dlprobe.render.document import Image
    from dlprobe.render.vega.files import content
    from dlprobe.render.vega.themes import THEMES

    theme = THEMES["light"]
    images: dict[int, list[Image]] = {}
    files = []
    for picture in vega.pictures(document, theme, WIDTH):
        image = Image(f"{target.path.stem}-{picture.name}.svg", picture.title)
        images.setdefault(id(picture.block), []).append(image)
        file = claim(
            target.path.with_name(image.path), PICTURES["svg"], target.inputs, force=target.force
        )
        files.append((file, content(vega.specification([picture], theme), "svg")))
    for file, drawn in files:
        write_bytes(file, drawn)
    return replace(
        document,
        blocks=[shown for block in document.blocks for shown in images.get(id(block), [block])],
    )
