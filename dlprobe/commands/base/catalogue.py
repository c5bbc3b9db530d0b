"""The subcommands there are: found by walking the folder and read without being imported, so that
`dlprobe --help` stays fast; and those of other packages, entry points of the group PLUGINS.

Beside its docstring and `command`, the file of a subcommand may hold, as plain values:

LISTED   its group in the listing and its place there, e.g. `("Run", 1)`; a command without is
    listed last.
SHORT    the options that `-h` shows, e.g. `"--data --layers"`; without, the first ones.
ALIASES  other names, each with the options that it stands for, e.g. `{"summary": ("--dry-run",)}`;
    they work and are not listed.
GREEDY   options that take every value up to the next option.
SCHEMA   the name of the record that it prints, where formats are made for it.
"""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cache
from pathlib import Path

from dlprobe.dataclass import dataclass
from dlprobe.registry import plugins, tidied

PLUGINS = "dlprobe.commands"
FOLDER = Path(__file__).parent.parent
GROUPS = ("Run", "Read", "Fix and guard", "Predict", "Learn", "also")


@dataclass(frozen=True)
class Entry:
    """What a subcommand's file says of it. text: the docstring; place: its group and its place
    there.
    """

    text: str
    place: tuple[str, float] = (GROUPS[-1], float("inf"))
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.text.partition("\n")[0]


def is_command(name: str) -> bool:
    """Whether there is such a subcommand; other packages are asked last, which takes longer."""
    return name in names() or name in plugins(PLUGINS)


@cache
def names() -> tuple[str, ...]:
    """dlprobe's own subcommands, as typed: each module and each package of the folder is one, but
    `base`.
    """
    return tuple(
        module.name.replace("_", "-")
        for module in pkgutil.iter_modules([str(FOLDER)])
        if module.name != "base"
    )


def listing() -> dict[str, list[str]]:
    """The subcommands by group, both in the order in which they are listed."""
    ordered = sorted(
        names(), key=lambda name: (GROUPS.index(entry(name).place[0]), entry(name).place[1], name)
    )
    return {group: [name for name in ordered if entry(name).place[0] == group] for group in GROUPS}


@cache
def entry(name: str) -> Entry:
    """What the file of a subcommand says of it."""
    package = FOLDER / tidied(name)
    file = package / "__init__.py" if package.is_dir() else package.with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assigned = [(node.targets[0], node.value) for node in tree.body if isinstance(node, ast.Assign)]
    values = {target.id: value for target, value in assigned if isinstance(target, ast.Name)}
    chosen = {
        key: ast.literal_eval(values[constant])
        for key, constant in (("place", "LISTED"), ("aliases", "ALIASES"))
        if constant in values
    }
    return Entry(ast.get_docstring(tree) or "", **chosen)


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """A command line in which the first word is a subcommand or an option: other names, `help` and
    `version` are replaced by what they stand for.

    >>> spelled_out(["help", "train"]), spelled_out(["version"])
    (['train', '--help'], ['--version'])
    """
    if not arguments or tidied(arguments[0]).replace("_", "-") in names():
        return list(arguments)
    first, *others = arguments
    if first == "version":
        return ["--version", *others]
    if first == "help":
        others.sort(key=lambda word: word.startswith("-"))  # `help --no-color train`
        return [*spelled_out(others), "--help"]
    standing = (
        [name, *entry(name).aliases[first], *others]
        for name in names()
        if first in entry(name).aliases
    )
    return next(standing, [first, *others])
