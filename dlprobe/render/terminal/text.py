"""Running text: headings, paragraphs, lists, verdicts, what to type next."""

from __future__ import annotations

from rich.text import Text

from dlprobe.render import document as doc
from dlprobe.render.safe_text import visible
from dlprobe.render.terminal.page import TONES, WIDEST_PROSE, TerminalPage

BELOW = "  "  # what belongs to the verdict above it


def heading(page: TerminalPage, block: doc.Heading) -> None:
    """A section's title with a rule below; one inside a section without."""
    if block.level == 1:
        page.title(block.text, page.glyphs.line)
    else:
        page.wrapped(Text(visible(block.text), "bold"))


def paragraph(page: TerminalPage, block: doc.Paragraph) -> None:
    """Wrapped text."""
    indent = BELOW if block.below else ""
    page.wrapped(Text(indent + visible(block.text), TONES[block.tone]), indent)


def lines(page: TerminalPage, block: doc.Lines) -> None:
    """Lines as they are."""
    for line in block.lines:
        page.line(visible(line.expandtabs(4)))


def markdown(page: TerminalPage, block: doc.Markdown) -> None:
    """Running text, lists, tables and code of the manual, at most 100 columns wide: drawn by rich
    where there is colour; elsewhere its source, which reads well and can be searched.
    """
    lines = [visible(line) for line in block.text.rstrip("\n").split("\n")]
    if page.color:
        from rich.markdown import Markdown

        page.console.print(
            Markdown("\n".join(lines), hyperlinks=False, code_theme="ansi_dark"),
            width=min(page.width, WIDEST_PROSE),
        )
        return
    for line in lines:
        page.line(line)


def bullets(page: TerminalPage, block: doc.Bullets) -> None:
    """A list, its further lines indented."""
    for item in block.items:
        page.wrapped(Text(page.glyphs.bullet + visible(item)), indent="  ")


def image(page: TerminalPage, block: doc.Image) -> None:
    """What the file shows, and its name."""
    page.note(f"{block.title}: {block.path}")


def verdict(page: TerminalPage, block: doc.Verdict) -> None:
    """A judgement behind its mark, which alone is coloured: long coloured text is hard to read
    on one background or the other.
    """
    page.wrapped(
        Text.assemble((page.glyphs.marks[block.tone], TONES[block.tone]), visible(block.line)),
        indent="  ",
    )


def choices(page: TerminalPage, block: doc.Choices) -> None:
    """A line for each command or line of a program, however long, with the reason below; words
    alone are wrapped.
    """
    room = max(len(visible(entry.word)) for entry in block.entries) + 2 if block.entries else 0
    for entry in block.entries:
        word, indent = f"{BELOW}{visible(entry.word):{room}}", " " * (len(BELOW) + room)
        typed = [entry.command] if entry.command else list(entry.lines)
        for number, line in enumerate(typed):
            page.line(Text.assemble((indent if number else word, "dim"), (visible(line), "bold")))
        if entry.why:
            page.wrapped(
                Text((indent if typed else word) + visible(entry.why), "dim" if typed else ""),
                indent,
            )


def hint(page: TerminalPage, block: doc.Hint) -> None:
    """A command on one line, so that it can be copied."""
    page.line(Text.assemble(("next: ", "dim"), (visible(block.command), "bold")))
