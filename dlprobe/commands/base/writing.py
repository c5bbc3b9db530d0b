"""Every file that a command writes: what it may replace is decided here, before anything long runs,
and texts are written whole.

Nothing takes the place of a file that the command reads, of what is no regular file, or of a file
of another kind, whether forced or not.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dlprobe.commands.base.file_kinds import RUN, kind_of, same_file
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.runs.journal import journal_path, packing_path
from dlprobe.runs.text_file import replaced, write_whole

if TYPE_CHECKING:
    from dlprobe.config import RunConfig


class Input(NamedTuple):
    """A file that a command reads. words: what it is, e.g. "the run that is read"."""

    words: str
    path: Path


@dataclass(frozen=True)
class Target:
    """A file that a command may write; `claim` makes it. kind: of what is written, a word of
    `file_kinds`; option: how the user names another one.
    """

    path: Path
    kind: str
    inputs: tuple[Input, ...] = ()
    force: bool = False
    option: str = "-o"

    def check(self) -> None:
        """Raise ConfigError unless writing replaces nothing, or an earlier file of the same
        kind that may be overwritten.
        """
        try:
            self._refuse_inputs()
            self._refuse_what_is_there()
            self._refuse_place()
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
            raise ConfigError(
                f"{self.path} cannot be made: {getattr(error, 'strerror', None) or error}; "
                f"{self._another}"
            ) from None

    def check_place(self) -> None:
        """Raise ConfigError unless the folder, or the nearest one above it that exists, takes
        files.
        """
        try:
            self._refuse_place()
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{self.path} cannot be made: {getattr(error, 'strerror', None) or error}; "
                f"choose another place with {self.option}"
            ) from None

    @property
    def _another(self) -> str:
        return f"choose another name with {self.option}"

    def _refuse_inputs(self) -> None:
        written = (
            [self.path, journal_path(self.path), packing_path(self.path)]
            if self.kind == RUN and self.path.name
            else [self.path]
        )
        for words, path in self.inputs:
            read = [path, journal_path(path)] if path.name else [path]
            if any(same_file(one, other) for one in written for other in read):
                raise ConfigError(f"{self.path} is {words}: {self._another}")

    def _refuse_what_is_there(self) -> None:
        if self.kind != RUN and self.path.name and os.path.lexists(journal_path(self.path)):
            raise ConfigError(
                f"{self.path} is the place of the run that {journal_path(self.path)} becomes: "
                f"{self._another}"
            )
        if not os.path.lexists(self.path):
            return
        if self.path.is_dir():
            raise ConfigError(
                f"{self.path} is a folder: give a file in it with {self.option}, e.g. "
                f"{self.option} {self.path / 'NAME'}"
            )
        if not self.path.exists():
            raise ConfigError(f"{self.path} is a link to nothing: {self._another}")
        if not stat.S_ISREG(self.path.stat().st_mode):
            raise ConfigError(
                f"{self.path} is not a regular file, and no file takes its place: {self._another}"
            )
        kind = kind_of(self.path)
        if kind not in (None, self.kind):
            raise ConfigError(
                f"{self.path} is {kind}, and {self.kind} would take its place: "
                f"{self._another}, or remove it yourself"
            )
        if not self.force:
            raise ConfigError(
                f"{self.path} exists already: {self._another}, or overwrite it with --force"
            )

    def _refuse_place(self) -> None:
        """The folder, or the nearest one above it that exists, must take files."""
        folder = next(
            folder
            for folder in (self.path.absolute().parent, *self.path.absolute().parents)
            if os.path.lexists(folder)
        )
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"{os.strerror(errno.EACCES)} in {folder}")


def claim(
    path: Path, kind: str, inputs: Iterable[Input] = (), *, force: bool = False, option: str = "-o"
) -> Target:
    """The file that is going to be written. Raises ConfigError, one line with what to type,
    where it must not be.
    """
    target = Target(path, kind, tuple(inputs), force, option)
    target.check()
    return target


def write_text(target: Target, text: str) -> None:
    """Write a file whole, or leave what was there. Raises ConfigError that names the file."""
    write_bytes(target, text.encode("utf-8", "backslashreplace"))


def write_bytes(target: Target, content: bytes) -> None:
    """Write any content, as `write_text` writes text."""
    target.check()  # again: much may have happened since it was claimed
    try:
        write_whole(target.path, content)
    except OSError as error:
        raise _unwritten(target, error) from None


def write_by(target: Target, write: Callable[[Path], None]) -> None:
    """Write, as `write_text` does, by a function that makes a new file. Raises ConfigError that
    names the file, and what the function raises.
    """
    target.check()
    try:
        with replaced(target.path) as temporary:
            write(temporary)
    except OSError as error:
        raise _unwritten(target, error) from None


def _unwritten(target: Target, error: OSError) -> ConfigError:
    return ConfigError(
        f"{target.path} cannot be written: {error.strerror or error}: give another place"
    )


def inputs_of(*configs: RunConfig) -> list[Input]:
    """The files that configurations name."""
    from dlprobe.config.named_files import named_files

    files = dict.fromkeys(file for config in configs for file in named_files(config))
    words = {"data": "the data file that is trained on"}
    return [
        Input(words.get(file.key, f"the file that {file.key} names"), file.path) for file in files
    ]


def read_as(words: str, *paths: Path | None) -> list[Input]:
    """The given ones of some paths as inputs."""
    return [Input(words, path) for path in paths if path is not None]
