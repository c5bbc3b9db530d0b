"""Document → one self-contained HTML page: readable without scripts, from disk, offline, printed;
every picture is an SVG image in it.

Nothing of the document becomes markup: texts are escaped, data stand in `application/json` blocks.
The policy of the page forbids everything but its own style and script, which are known by their
hashes; `page.css` and `page.js` are read as they stand.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import Any

from dlprobe.render import document as doc
from dlprobe.render.html.blocks import HtmlPage
from dlprobe.render.html.text import escaped
from dlprobe.render.json import jsonable

# in the head of every page, which tells that it may be replaced
GENERATOR = '<meta name="generator" content="dlprobe">'


def page(document: doc.Document) -> str:
    """The whole page. A heading of level 1 begins a section."""
    drawn = HtmlPage(document)
    body = drawn.body()
    style, script = _style(drawn), _text("page.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri "
        "'none'; form-action 'none'"
    )
    title = escaped(document.title or "dlprobe")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
{GENERATOR}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1>
<nav aria-label="Sections"><ol>{drawn.contents()}</ol></nav></header>
<main>
{body}
</main>
{embedded("maps", drawn.maps())}
{embedded("data", document.data)}
<script>{script}</script>
</body>
</html>
"""


def fragment(document: doc.Document) -> str:
    """The blocks alone with their style, for a notebook; no script."""
    drawn = HtmlPage(document)
    body = drawn.body()
    style = _style(drawn).replace(":root", "&")
    return f'<div class="dlprobe"><style>.dlprobe {{ {style} }}</style>{body}</div>'


def _style(drawn: HtmlPage) -> str:
    return "\n".join([_text("page.css"), *drawn.rules.values()])


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def embedded(name: str, data: Any) -> str:
    """Data as a block that no browser runs, and that no text in it can end."""
    text = json.dumps(jsonable(data), allow_nan=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )
    return f'<script type="application/json" id="{name}">{text}</script>'


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
