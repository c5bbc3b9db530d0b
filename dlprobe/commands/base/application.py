"""The application: subcommands found by walking the folder, loaded when they are called, run so that every end has its exit code."""

from __future__ import annotations

import ast
import io
import os
import pkgutil
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperCommand, TyperGroup

from dlprobe import interrupts
from dlprobe.commands.base import failures
from dlprobe.commands.base.declaring import declare
from dlprobe.commands.base.help import print_help
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.typed_line import TYPED
from dlprobe.errors import DlprobeError, DlprobeWarning
from dlprobe.registry import unknown
from dlprobe.version import version

FOLDER = Path(__file__).parent.parent
PACKAGE = "dlprobe.commands"

DESCRIPTION = """Does signal and gradient flow through a multi-layer perceptron, does it generalise, and what should be changed?

Examples:
  dlprobe train
  dlprobe list activation
"""


@cache
def names() -> tuple[str, ...]:
    """Every subcommand, as typed: each module and each package of the folder is one, but `base`."""
    return tuple(module.name.replace("_", "-") for module in pkgutil.iter_modules([str(FOLDER)]) if module.name != "base")


def module_name(name: str) -> str:
    """The module of a subcommand."""
    return name.replace("-", "_")


def docstring(name: str) -> str:
    """What a subcommand's file says of it, read without running it."""
    package = FOLDER / module_name(name)
    file = package / "__init__.py" if package.is_dir() else package.with_suffix(".py")
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def load(name: str) -> TyperCommand:
    """The subcommand itself, from its module."""
    module = import_module(f"{PACKAGE}.{module_name(name)}")
    app = typer.Typer(add_completion=False)
    settings = {"help_option_names": ["-h", "--help"]}
    app.command(name, cls=Command, help=module.__doc__, context_settings=settings)(
        declare(module.command, getattr(module, "SCHEMA", ""), getattr(module, "DRAWS", False), getattr(module, "FORMAT", "table"))
    )
    command = typer.main.get_command(app)
    assert isinstance(command, Command)
    command.greedy = getattr(module, "GREEDY", ())
    return command


class Command(TyperCommand):
    """A subcommand; it prints its help as all results are printed, and its name stands in every complaint about its options.

    greedy: options that take every value up to the next option, as a shell expands `--against old/*.h5`.
    """

    greedy: Sequence[str] = ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, spread(args, self.greedy))
        except failures.UsageError as error:
            error.ctx = getattr(error, "ctx", None) or ctx  # type: ignore[attr-defined]
            raise

    def format_help(self, ctx: Any, formatter: Any) -> None:
        print_help(self, ctx)


def spread(arguments: Sequence[str], greedy: Sequence[str]) -> list[str]:
    """The arguments with a greedy option repeated before each of its values.

    >>> spread(["a", "--against", "b", "c", "--quiet", "d"], ["--against"])
    ['a', '--against', 'b', '--against', 'c', '--quiet', 'd']
    """
    found: list[str] = []
    option, first = "", False
    for index, argument in enumerate(arguments):
        if argument == "--":
            return [*found, *arguments[index:]]
        if argument.startswith("-"):
            option, first = (argument, True) if argument in greedy else ("", False)
            found.append(argument)
        else:
            found += [argument] if first or not option else [option, argument]
            first = False
    return found


class Group(TyperGroup):
    """`dlprobe` itself. Its subcommands are stubs until one is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(names())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return TyperCommand(cmd_name, help=docstring(cmd_name)) if cmd_name in names() else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0].replace("_", "-")
        if name not in names():
            if ctx.resilient_parsing:
                return None, None, args[1:]
            if name == "help":
                raise DlprobeError("there is no command 'help': type dlprobe --help, or dlprobe COMMAND --help")
            raise DlprobeError(unknown("command", args[0], names()))
        return name, load(name), args[1:]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        print_help(self, ctx, {name: docstring(name).partition("\n")[0] for name in names()})


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"dlprobe {version() or '(not installed)'}")
        raise typer.Exit()


def _root(
    version: Annotated[bool, typer.Option("--version", help="print the version and end", is_eager=True, callback=_print_version)] = False,
) -> None:
    """The options of `dlprobe` itself."""


def application() -> TyperGroup:
    """The whole command line."""
    app = typer.Typer(cls=Group, add_completion=True, help=DESCRIPTION, context_settings={"help_option_names": ["-h", "--help"]})
    app.callback()(_root)
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def run(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; nothing is raised."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    screen = early_screen(arguments)
    typed = TYPED.set(arguments)
    with _streams():
        try:
            with _warnings_on(screen):
                code = _invoke(arguments)
                sys.stdout.flush()
                return code
        except BaseException as error:
            interrupts.said()
            code = failures.report(error, screen)
            _flush_or_abandon()
            return code
        finally:
            TYPED.reset(typed)


def early_screen(arguments: Sequence[str]) -> Screen:
    """What can be known before the arguments are read, for help and for errors while reading."""
    given = set(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    return Screen(quiet="--quiet" in given, color=False if "--no-color" in given else None, debug="--debug" in given)


def _invoke(arguments: list[str]) -> int:
    group = application()
    if "_DLPROBE_COMPLETE" in os.environ:
        group.main(arguments, prog_name="dlprobe")
    with group.make_context("dlprobe", arguments or ["--help"], obj=early_screen(arguments)) as context:
        return int(group.invoke(context) or 0)


@contextmanager
def _streams() -> Iterator[None]:
    """Streams that the caller closed become ones that lead nowhere; a result is written whole or with an error. The caller gets its own stream back, open."""
    given = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (for the rest of the process)
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stdout = ours = _buffered(given)
    try:
        yield
    finally:
        sys.stdout = given
        if isinstance(ours, io.TextIOWrapper) and ours is not given:
            _hand_back(ours)


def _hand_back(ours: io.TextIOWrapper) -> None:
    """Let go of the stream below without closing it."""
    with suppress(OSError, ValueError):  # said already, where what was written could not be flushed
        buffer = ours.detach()
        if isinstance(buffer, io.BufferedWriter):
            buffer.detach()


def _buffered(stream: TextIO) -> TextIO:
    """The stream with a buffer: under PYTHONUNBUFFERED text goes straight to the file, and what a full disk takes only in part is lost without an error."""
    raw = getattr(stream, "buffer", None)
    if not isinstance(raw, io.RawIOBase):
        return stream
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=stream.encoding, errors=stream.errors, line_buffering=True)


def _flush_or_abandon() -> None:
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        failures.abandon_stdout()


@contextmanager
def _warnings_on(screen: Screen) -> Iterator[None]:
    """Every warning is one line on stderr."""

    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: str | None = None) -> None:
        screen.warn(str(message) if issubclass(category, DlprobeWarning) else f"{category.__name__}: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", DlprobeWarning)
        warnings.showwarning = show
        yield
