"""Documents as HTML pages; what makes them is imported when one is asked for."""

from __future__ import annotations

from typing import TextIO

from dlprobe.render import document as doc
from dlprobe.render import formats

SCHEMA = "dlprobe-report/1"


def render(
    document: doc.Document, stream: TextIO, *, width: int | None = None, color: bool | None = None
) -> None:
    """Write the page; `width` and `color` are there because every format has them. Raises
    MissingExtraError where the renderer of pictures is missing.
    """
    from dlprobe.render.html.page import page

    stream.write(page(document))


formats.register("html", "one self-contained page with pictures", render, (SCHEMA,))
