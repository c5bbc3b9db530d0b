"""A specification as the bytes of a file: JSON by itself, SVG, PNG and PDF by the renderer,
which needs neither network nor browser.
"""

from __future__ import annotations

import html
import json
import math
import re
from types import ModuleType
from typing import Any

from dlprobe.errors import ConfigError, MissingExtraError

# bytes that the renderer reserves at most, without touching them; under less it ends the process
ADDRESSES = 64 * 2**30
LIMITED = (
    "pictures as SVG, PNG or PDF cannot be drawn under a limit of addresses (ulimit -v, "
    "--untrusted)"
)
DRAWN = ("svg", "png", "pdf")
SUFFIXES = (*DRAWN, "json")
MISSING = (
    "pictures as SVG, PNG or PDF need vl-convert, which is not installed: pip install "
    "'dlprobe[figures]'"
)
_RAISED = re.compile("([⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_TEXT = re.compile(f">(?P<text>[^<]*{_RAISED.pattern}[^<]*)(?P<end></t(?:ext|span))")
_ORDINARY = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+−0123456789")


def _addresses() -> float:
    """Bytes of addresses that this process may reserve."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return math.inf
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return math.inf if limit == resource.RLIM_INFINITY else limit


def renderer() -> ModuleType:
    """The renderer. Raises MissingExtraError where it is not installed, ConfigError where the
    process may not have the addresses it reserves; one line.
    """
    if _addresses() < ADDRESSES:
        raise ConfigError(f"{LIMITED}; --figure NAME.json writes the specification under any limit")
    try:
        import vl_convert
    except ImportError:
        raise MissingExtraError(
            f"{MISSING}; --figure NAME.json writes the specification without it"
        ) from None
    module: ModuleType = vl_convert
    return module


def content(spec: dict[str, Any], suffix: str, scale: float = 1.0) -> bytes:
    """The picture in the format of one of `SUFFIXES`; scale: pixels of a PNG, and points of a
    PDF, for each pixel of the specification.
    """
    if suffix == "json":
        return (json.dumps(spec, allow_nan=False, indent=1) + "\n").encode()
    if suffix == "svg":
        return svg(spec, scale).encode()
    made: bytes = getattr(renderer(), f"svg_to_{suffix}")(svg(spec), scale=scale)
    return made


def svg(spec: dict[str, Any], scale: float = 1.0) -> str:
    """The picture as SVG text, with its description as the name that a screen reader says."""
    text: str = renderer().vegalite_to_svg(json.dumps(spec, allow_nan=False), allowed_base_urls=[])
    name = html.escape(str(spec.get("description", "")), quote=True)
    head, _, rest = (
        _TEXT.sub(_with_powers, text)
        .replace('class="mark-rect', 'shape-rendering="crispEdges" class="mark-rect')
        .partition(">")
    )
    if scale != 1.0:
        head = _scaled(head, scale)
    return f'{head} role="img" aria-label="{name}"><title>{name}</title>{rest}'


def _with_powers(match: re.Match[str]) -> str:
    """The text of an element with its raised digits made of ordinary ones: few fonts have raised
    ones, and the renderer takes them from another font, or draws boxes.

    >>> _TEXT.sub(_with_powers, "<text>10⁻⁵ m</text>")
    '<text>10<tspan dy="-0.5em" font-size="0.7em">−5</tspan><tspan dy="0.35em"> m</tspan></text>'
    """
    first, *parts = _RAISED.split(match["text"])
    last = "\u00a0" if match["end"] == "</tspan" else ""  # a line below starts from where this ends
    made = [f">{first}"]
    for digits, text in zip(parts[::2], parts[1::2], strict=True):
        made.append(f'<tspan dy="-0.5em" font-size="0.7em">{digits.translate(_ORDINARY)}</tspan>')
        made.append(f'<tspan dy="0.35em">{text or last}</tspan>' if text or last else "")
    return "".join(made) + match["end"]


def _scaled(head: str, scale: float) -> str:
    return re.sub(
        r' (width|height)="([0-9.]+)"',
        lambda size: f' {size[1]}="{float(size[2]) * scale:g}"',
        head,
    )
