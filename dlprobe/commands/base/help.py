"""--help of `dlprobe` and its subcommands, as a document: it looks like every other result, at any width, with and without colour."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from dlprobe.commands.base.screen import COMMON, Screen
from dlprobe.render import terminal
from dlprobe.render.document import Block, Document, Facts, Heading, Lines, Paragraph

WIDEST = 110
OPTIONS = "Options"


def print_help(command: Any, context: Any, subcommands: Mapping[str, str] | None = None) -> None:
    """Print the help of a typer command, and the short help of its subcommands."""
    import shutil

    screen = context.find_object(Screen) or Screen()
    width = min(WIDEST, shutil.get_terminal_size((80, 24)).columns)
    terminal.render(Document("", _blocks(command, context, subcommands or {})), sys.stdout, width=width, color=screen.color)


def _blocks(command: Any, context: Any, subcommands: Mapping[str, str]) -> list[Block]:
    text, examples = split_examples(command.help or "")
    blocks: list[Block] = [Lines([usage(command, context)])]
    blocks += [Paragraph(" ".join(paragraph.split())) for paragraph in text.split("\n\n") if paragraph.strip()]
    if subcommands:
        blocks += [Heading("Commands", 2), Facts([(f"  {name}", line) for name, line in subcommands.items()])]
    for panel, facts in _panels(command, context).items():
        blocks += [Heading(panel, 2), Facts([(f"  {name}", line) for name, line in facts])]
    if examples:
        blocks += [Heading("Examples", 2), Lines([f"  {line}" for line in examples])]
    return blocks


def usage(command: Any, context: Any) -> str:
    """The usage line."""
    return " ".join(["usage:", context.command_path, *(piece.replace("[OPTIONS]", "[options]") for piece in command.collect_usage_pieces(context))])


def split_examples(docstring: str) -> tuple[str, list[str]]:
    """A docstring's text, and the lines under its `Examples:`.

    >>> split_examples("Do it.\\n\\nExamples:\\n  dlprobe do\\n  dlprobe do --all\\n")
    ('Do it.', ['dlprobe do', 'dlprobe do --all'])
    """
    text, _, examples = docstring.partition("Examples:\n")
    return text.strip(), [line.strip() for line in examples.splitlines() if line.strip()]


def _panels(command: Any, context: Any) -> dict[str, list[tuple[str, str]]]:
    """Names and help of all parameters, grouped in the order in which the groups appear; the common options come last."""
    panels: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        if getattr(parameter, "hidden", False):
            continue
        argument = parameter.param_type_name == "argument"
        panel = "Arguments" if argument else getattr(parameter, "rich_help_panel", None) or (COMMON if parameter.name == "help" else OPTIONS)
        panels.setdefault(panel, []).append((_name(parameter, argument), getattr(parameter, "help", None) or ""))
    return panels


def _name(parameter: Any, argument: bool) -> str:
    if argument:
        return str(parameter.metavar or parameter.name.upper())
    names = ", ".join(sorted(parameter.opts, key=len))
    return names if parameter.is_flag or not parameter.metavar else f"{names} {parameter.metavar}"
