"""The page that everything is drawn on: a rich console that writes to memory, with every choice
made here and none by its environment.
"""

from __future__ import annotations

import io

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from dlprobe.render.document import Toned, Value
from dlprobe.render.numbers import value_text
from dlprobe.render.safe_text import visible
from dlprobe.render.terminal.stream import Glyphs, color_system

TONES = {"good": "bold green", "bad": "bold red", "warning": "bold yellow", "neutral": ""}
GLUE = "\ue000"  # of private use: a blank at which no line ends
WIDEST_PROSE = 100  # columns; longer lines are hard to read
WIDEST_PICTURE = 110  # a wider curve or density shows no more


class TerminalPage:
    """Collects the drawn document as text, `width` characters wide."""

    def __init__(self, width: int, color: bool, glyphs: Glyphs) -> None:
        self.width, self.color, self.glyphs = width, color, glyphs
        self.console = Console(
            file=io.StringIO(),
            width=width,
            height=1000,
            color_system=color_system() if color else None,
            force_terminal=color,
            no_color=not color,
            force_jupyter=False,
            force_interactive=False,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def text(self) -> str:
        """Everything drawn so far, without blanks at line ends."""
        file = self.console.file
        assert isinstance(file, io.StringIO)
        return "".join(
            line.rstrip() + "\n" for line in file.getvalue().removesuffix("\n").split("\n")
        )

    def title(self, title: str, rule: str) -> None:
        """A title with a rule below, so that it stands out without colour too."""
        if title:
            text = visible(title)
            self.wrapped(Text(text, "bold"))
            self.line(rule * min(self.width, cell_len(text)), "dim")

    def line(self, text: str | Text, style: str = "") -> None:
        """One line as it is, however long."""
        self.console.print(
            text if isinstance(text, Text) else Text(text, style),
            no_wrap=True,
            overflow="ignore",
            crop=False,
        )

    def wrapped(self, text: Text, indent: str = "") -> None:
        """Text in lines of the page's width and of WIDEST_PROSE at most, all but the first
        indented; no line begins with a per cent sign.
        """
        text = text.copy()
        text.plain = text.plain.replace(" %", f"{GLUE}%")
        lines = text.wrap(self.console, min(self.width, WIDEST_PROSE) - len(indent)) or [Text("")]
        for line in lines:
            line.plain = line.plain.replace(GLUE, " ")
        first, *others = lines
        self.line(first)
        for other in others:
            self.line(Text(indent) + other)

    def caption(self, caption: str) -> None:
        """What a table or picture shows."""
        if caption:
            self.wrapped(Text(visible(caption), "bold"))

    def note(self, note: str) -> None:
        """Small print below a picture."""
        self.wrapped(Text(visible(note), "dim"))


def cell_text(value: Value | Toned, digits: int) -> Text:
    """A value of a table or fact, in the colour of its judgement; floats with that many
    significant digits.
    """
    return Text(
        visible(value_text(value, digits)), TONES[value.tone] if isinstance(value, Toned) else ""
    )
