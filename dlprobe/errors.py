"""Exit codes, the severities that lead to them, and the error family.

The core raises a typed error whose message is one short paragraph: what was found, what was
expected, what to type next.
`commands` prints it once and leaves with the error's exit code.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, TypeAlias


class ExitCode(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    FINDINGS = 1
    FAILED = 2
    INTERRUPTED = 130


Severity: TypeAlias = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
FAIL_ON: dict[
    str, tuple[Severity, ...]
] = {  # word -> severities of findings at which `check` exits with 1 and a test fails
    "error": ("error",),
    "warning": ("error", "warning"),
    "info": SEVERITIES,
    "never": (),
}
FAIL_ON_DEFAULT = "error"


class DlprobeError(Exception):
    """Something kept dlprobe from doing its job; the message says what was found, what was
    expected, what to do next.
    """

    exit_code = ExitCode.FAILED


class ConfigError(DlprobeError):
    """A configuration value is unknown, of the wrong type, out of range, or impossible in
    combination.
    """


class DataError(DlprobeError):
    """A data file or data set cannot be used; the message names file, row and column where
    there are any.
    """


class RunFileError(DlprobeError):
    """A run or study file is missing, damaged, hostile, of a newer format, or held by another
    process.
    """


class MissingExtraError(DlprobeError):
    """An optional dependency is not installed; the message names the install command."""


class DlprobeWarning(UserWarning):
    """Something unwise or inferred that the user should know; shown on stderr, never an error."""
