"""A picture as SVG inside a page: without what the page says itself, and small."""

from __future__ import annotations

import re

from dlprobe.render.vega import Picture, specification
from dlprobe.render.vega.files import svg
from dlprobe.render.vega.themes import THEMES

_NEEDLESS = re.compile(
    r' font-family="[^"]*"| aria-hidden="true"| pointer-events="none"| '
    r'role="graphics-[a-z]+"| aria-roledescription="[^"]*"|<path class="foreground"[^>]*/>'
    r"|<path class=\"background\"[^>]*d=\"M0,0h0v0h0Z\"[^>]*/>|(?<=<path) "
    r"class=\"\"|(?<=d=\"M0,0h0v0h0Z\")"
)


def svg_of(picture: Picture, prefix: str) -> str:
    """The picture's SVG without title. prefix: of the ids in it, so that several pictures on
    one page do not take each other's gradients.
    """
    theme = THEMES["light"]
    bare = Picture(
        picture.name,
        picture.title,
        picture.drawn,
        picture.block,
        {key: value for key, value in picture.spec.items() if key != "title"},
    )
    spec = specification([bare], theme)
    spec["config"] = {**spec["config"], "background": "transparent", "padding": 4}
    text = re.sub(r"<title>.*?</title>", "", svg(spec), count=1, flags=re.S)
    text = _NEEDLESS.sub("", text)
    return re.sub(r'(id="|url\(#)(?=\w)', rf"\1{prefix}_", text)
