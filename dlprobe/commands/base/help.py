"""Help as a document: it looks like every other result, at any width, with and without colour.

`dlprobe` alone tells three stories, `-h` shows the options that people use, `--help` and `dlprobe
help COMMAND` all. What several commands share is described once: the options of all commands under
`dlprobe --help`, those of the configuration under `dlprobe train --help`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlprobe.commands.base.catalogue import PLUGINS, entry, listing
from dlprobe.commands.base.screen import COMMON, Screen
from dlprobe.registry import plugins
from dlprobe.render import terminal
from dlprobe.render.document import Block, Document, Facts, Heading, Lines, Paragraph

WIDEST = 110
OPTIONS = "Options"
MOST_OPTIONS, MOST_EXAMPLES = 15, 5  # that -h shows
LONGEST_NAME = 30  # characters of an option with what it takes
HOME = "train"  # the command whose --help describes the options of the configuration

QUESTION = "Do signal and gradient flow, does the net generalise, and what should change?"
STORIES = (
    (
        "See it: what depth, activation and initializer do to the gradient",
        (
            ("dlprobe gradients", "40 nets on digits, under a minute"),
            ("dlprobe recipe", "what lectures claim: does it hold?"),
            ("dlprobe explain vanishing", "words, with pictures and formulas"),
        ),
    ),
    (
        "Fix mine: a net that does not learn",
        (
            ("dlprobe train --data mine.csv -o mine.h5", "records every layer at every step"),
            ("dlprobe check mine.h5", "what is wrong, where, and since when"),
            ("dlprobe prescribe mine.h5", "trains cures, says which one works"),
            ("dlprobe explain pytorch", "your net is in PyTorch: two lines"),
        ),
    ),
    (
        "Guard it in CI",
        (
            ("dlprobe check deep.toml", "a configuration, before training"),
            ("dlprobe check mine.h5 --against good.h5", "worse than before? exit code 1"),
        ),
    ),
)


def print_blocks(blocks: Sequence[Block], context: Any) -> None:
    """Print help as wide as the terminal, and no wider than can be read."""
    import shutil

    screen = context.find_object(Screen) or Screen()
    width = min(WIDEST, shutil.get_terminal_size((80, 24)).columns)
    terminal.render(Document("", blocks), sys.stdout, width=width, color=screen.color)


def stories() -> list[Block]:
    """What `dlprobe` alone says: what to type first, by what somebody wants."""
    blocks: list[Block] = [Paragraph(QUESTION)]
    room = max(len(line) for _, lines in STORIES for line, _ in lines)
    for title, lines in STORIES:
        blocks += [Heading(title, 2), Lines([f"  {line:{room}}  {why}" for line, why in lines])]
    groups = [(f"  {group}", ", ".join(members)) for group, members in listing().items()]
    return [
        *blocks,
        Heading("Commands", 2),
        Facts([*groups, ("  all of them", "dlprobe --help; one: dlprobe help train")]),
    ]


def program_help(common: Any, context: Any) -> list[Block]:
    """What `dlprobe --help` says: every command by group, and the options that they share.
    common: a command that has no others.
    """
    room = max(len(name) for members in listing().values() for name in members)
    blocks: list[Block] = [Lines(["usage: dlprobe COMMAND [options]"]), Paragraph(QUESTION)]
    for group, members in listing().items():
        blocks += [
            Heading(group, 2),
            Facts([(f"  {name:{room}}", entry(name).summary) for name in members]),
        ]
    if added := plugins(PLUGINS):
        blocks += [Heading("Of other packages", 2), Lines([f"  {name}" for name in added])]
    shared, own = _panels(common, context), _panels(context.command, context)
    told = {
        "Options of every command": shared.pop(COMMON),
        "Options of commands that draw": [row for rows in shared.values() for row in rows],
    }
    told["Options of dlprobe itself"] = [
        row for panel, rows in own.items() if panel != COMMON for row in rows
    ]
    for title, rows in told.items():
        blocks += [Heading(title, 2), _facts(rows)]
    return [
        *blocks,
        Heading("Examples", 2),
        Lines(
            [
                "  dlprobe",
                "  dlprobe help train",
                "  dlprobe train -h",
                "  dlprobe explain",
                "  dlprobe version",
            ]
        ),
    ]


def command_help(command: Any, common: Any, context: Any, brief: bool) -> list[Block]:
    """What -h (brief) or --help says of a subcommand. command: has `short`, the options that -h
    shows; common: a command without options of its own.
    """
    text, examples = split_examples(command.help or "")
    first, *paragraphs = text.split("\n\n")
    blocks: list[Block] = [Lines([usage(command, context)]), Paragraph(" ".join(first.split()))]
    panels = _panels(command, context)
    if brief:
        rows, others = _most_used(panels, command.short, _panels(common, context))
        blocks.append(_facts(rows))
        examples = examples[:MOST_EXAMPLES]
    else:
        blocks += [
            Paragraph(" ".join(paragraph.split())) for paragraph in paragraphs if paragraph.strip()
        ]
        blocks += list(_all_options(panels, _described(command, _panels(common, context))))
    blocks += [Heading("Examples", 2), Lines([f"  {line}" for line in examples])]
    if not brief:
        return blocks
    more = [f"{others} more options, all examples: dlprobe help {command.name}"] if others else []
    return [
        *blocks,
        Lines([*more, "Options of every command (--details, --format, …): dlprobe --help"]),
    ]


def usage(command: Any, context: Any) -> str:
    """The usage line."""
    return " ".join(
        [
            "usage:",
            context.command_path,
            *(
                piece.replace("[OPTIONS]", "[options]").strip("{}")
                for piece in command.collect_usage_pieces(context)
            ),
        ]
    )


def split_examples(docstring: str) -> tuple[str, list[str]]:
    """A docstring's text, and the commands under its `Examples:`, each on a line of its own or
    going on in the next one, which is then indented further.

    >>> split_examples("Do it.\\n\\nExamples:\\n  dlprobe do\\n    --all\\n  dlprobe do\\n")
    ('Do it.', ['dlprobe do --all', 'dlprobe do'])
    """
    text, _, examples = docstring.partition("Examples:\n")
    joined = re.sub(r"\n\s+(?!\s|dlprobe )", " ", examples)
    return text.strip(), [line.strip() for line in joined.splitlines() if line.strip()]


Row = tuple[str, str, str]
"""Of a parameter: its longest name, its names with what it takes, and its help."""


def _panels(command: Any, context: Any) -> dict[str, list[Row]]:
    """All parameters, grouped in the order in which the groups appear; the common options come
    last.
    """
    panels: dict[str, list[Row]] = {}
    for parameter in command.get_params(context):
        if getattr(parameter, "hidden", False):
            continue
        argument = parameter.param_type_name == "argument"
        own = OPTIONS if parameter.name != "help" else COMMON
        panel = "Arguments" if argument else getattr(parameter, "rich_help_panel", None) or own
        panels.setdefault(panel, []).append(
            (max(parameter.opts, key=len), *_told(parameter, argument))
        )
    return panels


def _told(parameter: Any, argument: bool) -> tuple[str, str]:
    """A parameter's names with what it takes, and its help; many values are listed in the help,
    so that the names stay on their line.
    """
    help = (
        "this help; -h: its most used part"
        if parameter.name == "help"
        else getattr(parameter, "help", None) or ""
    )
    if argument:
        return str(parameter.metavar or parameter.name.upper()), help
    names = ", ".join(sorted(parameter.opts, key=len))
    if parameter.is_flag or not parameter.metavar:
        return names, help
    told = f"{names} {parameter.metavar}"
    if len(told) <= LONGEST_NAME:
        return (told, help)
    return (f"{names} NAME", f"{help}: {', '.join(parameter.metavar.split('|'))}")


def _facts(rows: Sequence[Row]) -> Facts:
    return Facts([(f"  {name}", help) for _, name, help in rows])


def _most_used(
    panels: Mapping[str, Sequence[Row]], short: Sequence[str], common: Mapping[str, Sequence[Row]]
) -> tuple[list[Row], int]:
    """The arguments and the options of `short` (else the command's first own ones) in few
    words, and the number of options left out.
    """
    all_rows = {
        row[0]: row
        for panel, rows in panels.items()
        for row in rows
        if panel not in ("Arguments", COMMON)
    }
    shared = {row for panel, rows in common.items() for row in rows if panel != OPTIONS}
    own = [option for option, row in all_rows.items() if row not in shared]
    chosen = [all_rows[option] for option in short or own[:MOST_OPTIONS]]
    told = [
        (option, name, _briefly(help))
        for option, name, help in [*panels.get("Arguments", ()), *chosen]
    ]
    return told, len(all_rows) - len(chosen)


def _briefly(help: str) -> str:
    """The help of an option without what it allows, its default alone in brackets.

    >>> _briefly("activation of the hidden layers [see dlprobe explain activation; default: relu]")
    'activation of the hidden layers [relu]'
    """
    return re.sub(r" \[(?:[^\[\]]*; )?default: ([^\[\]]*)\]$", r" [\1]", help)


def _described(command: Any, common: Mapping[str, Sequence[Row]]) -> dict[tuple[str, str], str]:
    """By option and help, the page that gives this help of it, where that is another one."""
    from dlprobe.commands.base.configuration import help_of
    from dlprobe.config import fields

    pages = (
        {}
        if command.name == HOME
        else {(field.option, help_of(field)): f"dlprobe help {HOME}" for field in fields()}
    )
    return pages | {
        (option, help): "dlprobe --help" for rows in common.values() for option, _, help in rows
    }


def _all_options(
    panels: Mapping[str, Sequence[Row]], described: Mapping[tuple[str, str], str]
) -> Iterator[Block]:
    """Every option under the heading of its group, the common ones last; of what another page
    describes the names alone.
    """
    for panel in sorted(panels, key=lambda panel: panel == COMMON):
        pages = [described.get((option, help), "") for option, _, help in panels[panel]]
        for page in sorted(set(pages)):
            rows = [row for row, place in zip(panels[panel], pages, strict=True) if place == page]
            names = Paragraph("  ".join(option for option, _, _ in rows), below=True)
            yield from (
                (Heading(f"{panel}: as in {page}", 2), names)
                if page
                else (Heading(panel, 2), _facts(rows))
            )
