"""What went wrong, in one line on stderr, and the exit code that says so."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer

from dlprobe import interrupts
from dlprobe.commands.base.screen import Screen
from dlprobe.errors import DlprobeError, ExitCode
from dlprobe.registry import nearest

# typer carries its own copy of click, older versions the real one: both are reached through what
# typer makes public
PLAIN_WORDS = (
    (r"Input should be greater than or equal to (\S+)", r"expected a number >= \1"),
    (r"Input should be less than or equal to (\S+)", r"expected a number <= \1"),
    (r"Input should be a valid integer.*", "expected a whole number"),
    (r"Input should be a valid number.*", "expected a number"),
)
UsageError: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError"
)


def report(error: BaseException, screen: Screen) -> int:
    """Print the one line that explains `error` and return the exit code."""
    if isinstance(error, typer.Exit | SystemExit):
        return _code(error)
    if isinstance(error, BrokenPipeError):
        abandon_stdout()
        return ExitCode.DONE
    if screen.debug:
        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt | typer.Abort) or interrupts.raised():
        screen.error("interrupted")
        return ExitCode.INTERRUPTED
    screen.error(_message(error))
    return error.exit_code if isinstance(error, DlprobeError) else ExitCode.FAILED


def abandon_stdout() -> None:
    """Point stdout to nowhere, so that the interpreter's last flush cannot fail again."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        stdout = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stdout)
        os.close(nowhere)


def _code(error: typer.Exit | SystemExit) -> int:
    code = error.exit_code if isinstance(error, typer.Exit) else error.code
    return code if isinstance(code, int) else ExitCode.DONE if code is None else ExitCode.FAILED


def _message(error: BaseException) -> str:
    if isinstance(error, DlprobeError):
        return str(error)
    if isinstance(error, UsageError):
        return _usage(error)
    if isinstance(error, MemoryError):
        return (
            f"out of memory{f': {error}' if str(error) else ''}: take a smaller net, batch or "
            "data set"
        )
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "the system starts no more threads: raise the limit of processes (ulimit -u, pids)"
    if isinstance(error, OSError) and error.strerror:
        return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror}"
    return (
        f"internal error, {type(error).__name__}: {error}: this is a fault of dlprobe; --debug "
        "shows where"
    )


def _usage(error: Any) -> str:
    """A complaint about the command line itself, ending in what to type next."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "dlprobe"
    option = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption" and option:
        known = (
            [name for parameter in context.command.get_params(context) for name in parameter.opts]
            if context is not None
            else []
        )
        message = f"{command} has no option {option!r}: {_meant(option, known)}"
    else:
        text = _plain(error.format_message().rstrip("."))
        message = f"{text[:1].lower()}{text[1:]}: "
    return f"{message}see {command} --help"


def _meant(option: str, known: Sequence[str]) -> str:
    """`did you mean '--lr'? ` for an option that other tools call --learning-rate, or that is
    mistyped: compared without the dashes all options share.
    """
    from dlprobe.config.problems import option_name
    from dlprobe.config.records import other_keys

    elsewhere = {
        option_name(other)[2:]: option_name(key)[2:]
        for other, key in other_keys().items()
        if option_name(key) in known
    }
    close = nearest(
        option.lstrip("-").replace("_", "-").lower(),
        [name.lstrip("-") for name in known],
        elsewhere,
    )
    return f"did you mean '--{close[0]}'? " if close else ""


def _plain(text: str) -> str:
    for theirs, ours in PLAIN_WORDS:
        text = re.sub(theirs, ours, text)
    return text
