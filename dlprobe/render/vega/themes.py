"""How pictures look: colours, fonts and line widths of each theme, and nothing about what is
drawn.
"""

from __future__ import annotations

from typing import Any

from dlprobe.dataclass import dataclass

# the first comes with the renderer, and is as wide as the second
FONT = "Liberation Sans, Arial, Helvetica, DejaVu Sans, sans-serif"

# Okabe & Ito 2008, Color universal design: told apart with every common colour blindness. Their
# yellow is too light for a line on white, black is the ink.
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# tell lines apart in grey
DASHES = ((1, 0), (8, 4), (2, 3), (10, 3, 2, 3), (14, 5), (5, 2, 2, 2, 2, 2))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
MAP = "viridis"  # grows evenly in lightness, so it is read in grey too


@dataclass(frozen=True)
class Theme:
    """Colours of everything that is no datum. summary: for help."""

    name: str
    background: str
    ink: str
    quiet: str
    grid: str
    summary: str

    def config(self) -> dict[str, Any]:
        """The `config` of a Vega-Lite specification."""
        return {
            "background": self.background,
            "aria": False,
            "mark": {"aria": False},
            "font": FONT,
            "padding": 12,
            "view": {"stroke": None},
            "title": {
                "anchor": "start",
                "fontSize": 18,
                "fontWeight": "bold",
                "color": self.ink,
                "offset": 14,
                "subtitleFontSize": 14,
                "subtitleColor": self.quiet,
            },
            "axis": {
                "labelFontSize": 15,
                "titleFontSize": 16,
                "titleFontWeight": "normal",
                "labelColor": self.ink,
                "titleColor": self.ink,
                "gridColor": self.grid,
                "domainColor": self.quiet,
                "tickColor": self.quiet,
                "titlePadding": 10,
                "labelOverlap": True,
            },
            "legend": {
                "labelFontSize": 15,
                "titleFontSize": 15,
                "labelColor": self.ink,
                "titleColor": self.ink,
                "titleFontWeight": "normal",
                "labelLimit": 400,
            },
            "text": {"fontSize": 15, "color": self.ink},
        }


THEMES = {
    "light": Theme("light", "#ffffff", "#1c1c1e", "#5f5f66", "#e3e3e6", "dark on white"),
    "dark": Theme("dark", "#16181d", "#ececf0", "#a2a5ad", "#34373f", "light on nearly black"),
    "print": Theme(
        "print", "transparent", "#000000", "#444444", "#dddddd", "black, without background"
    ),
}
