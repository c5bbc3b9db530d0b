"""The application: subcommands found by walking the folder, loaded when they are called, run so
that every end has its exit code.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperCommand, TyperGroup

from dlprobe import interrupts
from dlprobe.commands.base import failures
from dlprobe.commands.base.arguments import option
from dlprobe.commands.base.catalogue import PLUGINS, entry, is_command, names, spelled_out
from dlprobe.commands.base.declaring import FORMAT, declare
from dlprobe.commands.base.help import command_help, print_blocks, program_help, stories
from dlprobe.commands.base.named_files import allow_file_option
from dlprobe.commands.base.plain_values import read_plainly
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.typed_line import TYPED
from dlprobe.errors import DlprobeError, DlprobeWarning
from dlprobe.registry import load_plugins, plugins, tidied, unknown
from dlprobe.version import version

PACKAGE = "dlprobe.commands"


def load(name: str) -> Command:
    """The subcommand itself, from its module."""
    if name in names():
        return _own(name, os.environ.get(FORMAT, ""))
    module = load_plugins(PLUGINS, name)[0]
    return made(name, module.command, module.__doc__, module)


@cache
def _own(name: str, format: str) -> Command:
    """A subcommand of dlprobe itself. format: what the environment says of it, a default of one of
    the options.
    """
    module = import_module(f"{PACKAGE}.{tidied(name)}")
    return made(name, module.command, module.__doc__, module)


def made(
    name: str, function: Callable[..., Any], text: str | None = None, module: Any = None
) -> Command:
    """A subcommand of a function, with what its module says of it."""
    app = typer.Typer(add_completion=False)
    settings = {"help_option_names": ["-h", "--help"]}
    app.command(name, cls=Command, help=text, context_settings=settings)(
        declare(
            function,
            getattr(module, "SCHEMA", ""),
            getattr(module, "DRAWS", False),
            getattr(module, "FORMAT", "table"),
        )
    )
    command = typer.main.get_command(app)
    assert isinstance(command, Command)
    command.greedy, command.short = (
        getattr(module, "GREEDY", ()),
        getattr(module, "SHORT", "").split(),
    )
    return command


class Command(TyperCommand):
    """A subcommand; it prints its help as all results are printed, and its name stands in every
    complaint about its options.

    greedy: options that take every value up to the next option, as a shell expands `--against
        old/*.h5`. short: options that -h shows. brief: whether -h asks, and not --help.
    """

    greedy: Sequence[str] = ()
    short: Sequence[str] = ()
    brief = False

    def get_params(self, ctx: Any) -> list[Any]:
        return read_plainly(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        self.brief = "--help" not in args
        try:
            return super().parse_args(ctx, spread(args, self.greedy))
        except failures.UsageError as error:
            error.ctx = getattr(error, "ctx", None) or ctx  # type: ignore[attr-defined]
            raise

    def format_help(self, ctx: Any, formatter: Any) -> None:
        print_blocks(command_help(self, without_options(), ctx, self.brief), ctx)


def spread(arguments: Sequence[str], greedy: Sequence[str]) -> list[str]:
    """The arguments with a greedy option repeated before each of its values.

    >>> spread(["a", "--against", "b", "c", "--quiet", "d"], ["--against"])
    ['a', '--against', 'b', '--against', 'c', '--quiet', 'd']
    """
    spread_out: list[str] = []
    option, first = "", False
    for index, argument in enumerate(arguments):
        if argument == "--":
            return [*spread_out, *arguments[index:]]
        if argument.startswith("-"):
            option, first = (argument, True) if argument in greedy else ("", False)
            spread_out.append(argument)
        else:
            spread_out += [argument] if first or not option else [option, argument]
            first = False
    return spread_out


class ProgramGroup(TyperGroup):
    """`dlprobe` itself. Its subcommands are stubs until one is called."""

    brief = False

    def get_params(self, ctx: Any) -> list[Any]:
        return read_plainly(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        self.brief = "--help" not in args
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(names())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return TyperCommand(cmd_name, help=entry(cmd_name).text) if cmd_name in names() else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0].replace("_", "-")
        if not is_command(name):
            if ctx.resilient_parsing:
                return None, None, args[1:]
            raise DlprobeError(unknown("command", args[0], (*names(), *plugins(PLUGINS))))
        return name, load(name), args[1:]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        print_blocks(stories() if self.brief else program_help(without_options(), ctx), ctx)


def without_options() -> Command:
    """A command with the options that commands share, and no others."""

    def command(*, screen: Screen) -> None:
        """Nothing."""

    return made("", allow_file_option(command), module=SimpleNamespace(DRAWS=True))


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"dlprobe {version() or '(not installed)'}")
        raise typer.Exit()


def _root(
    version: Annotated[
        bool,
        option("--version", "print the version and end", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """The options of `dlprobe` itself."""


def application() -> TyperGroup:
    """The whole command line."""
    app = typer.Typer(
        cls=ProgramGroup,
        add_completion=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def run(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; nothing is raised."""
    arguments = spelled_out(sys.argv[1:] if argv is None else argv)
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
    typed = set(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    return Screen(
        quiet="--quiet" in typed,
        color=False if "--no-color" in typed else None,
        debug="--debug" in typed,
    )


def _invoke(arguments: list[str]) -> int:
    group = application()
    if "_DLPROBE_COMPLETE" in os.environ:
        group.main(arguments, prog_name="dlprobe")
    with group.make_context("dlprobe", arguments or ["-h"], obj=early_screen(arguments)) as context:
        return int(group.invoke(context) or 0)


@contextmanager
def _streams() -> Iterator[None]:
    """Streams that the caller closed become ones that lead nowhere; a result is written whole
    or with an error. The caller gets its own stream back, open.
    """
    stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (for the rest of the process)
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stdout = ours = _buffered(stdout)
    try:
        yield
    finally:
        sys.stdout = stdout
        if isinstance(ours, io.TextIOWrapper) and ours is not stdout:
            _hand_back(ours)


def _hand_back(ours: io.TextIOWrapper) -> None:
    """Let go of the stream below without closing it."""
    with suppress(OSError, ValueError):  # said already, where what was written could not be flushed
        buffer = ours.detach()
        if isinstance(buffer, io.BufferedWriter):
            buffer.detach()


def _buffered(stream: TextIO) -> TextIO:
    """The stream with a buffer: under PYTHONUNBUFFERED text goes straight to the file, and what
    a full disk takes only in part is lost without an error.
    """
    raw = getattr(stream, "buffer", None)
    if not isinstance(raw, io.RawIOBase):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=stream.encoding, errors=stream.errors, line_buffering=True
    )


def _flush_or_abandon() -> None:
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        failures.abandon_stdout()


@contextmanager
def _warnings_on(screen: Screen) -> Iterator[None]:
    """Every warning is one line on stderr."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        screen.warn(
            str(message)
            if issubclass(category, DlprobeWarning)
            else f"{category.__name__}: {message}"
        )

    with warnings.catch_warnings():
        warnings.simplefilter("always", DlprobeWarning)
        warnings.showwarning = show
        yield
