"""Text as HTML."""

from __future__ import annotations

import html

from dlprobe.render.safe_text import visible


def escaped(text: str) -> str:
    """Text that HTML shows as it is, also inside quotes.

    >>> escaped('<b onclick="x">&')
    '&lt;b onclick=&quot;x&quot;&gt;&amp;'
    """
    return html.escape(visible(text), quote=True)
