"""Where a command's words go: results to stdout in the chosen format, everything else to stderr."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.commands.base.file_kinds import OF_FORMAT, TEXT
from dlprobe.dataclass import dataclass
from dlprobe.errors import ExitCode
from dlprobe.render.safe_text import visible

if TYPE_CHECKING:
    from dlprobe.commands.base.figure import Figure
    from dlprobe.commands.base.progress import Report
    from dlprobe.commands.base.writing import Target
    from dlprobe.render.document import Document

COMMON = "Common options"  # the group that --help puts the options of all commands in


@dataclass(frozen=True)
class Screen:
    """The choices that all commands share. format: an output format's name. color: False switches
    it off, None asks each stream.

    allowed: files that are opened although what names them lies elsewhere, for commands that open
        any. details: more than the first screen.
    figure: what is written of a result's pictures.
    """

    format: str = "table"
    quiet: bool = False
    color: bool | None = None
    debug: bool = False
    allowed: tuple[Path, ...] = ()
    figure: Figure | None = None
    details: bool = False

    def show(self, document: Document) -> None:
        """Print a result on stdout."""
        from dlprobe import registry

        shown = document.shown(self.details)
        if self.format == "table":
            from dlprobe.reports.words import with_words

            shown = with_words(shown, registry.records("concept").values())
        registry.get("output_format", self.format).render(shown, sys.stdout, color=self.color)
        sys.stdout.flush()
        self._draw(document)

    @property
    def kind(self) -> str:
        """What a result in the chosen format is, as a kind of file."""
        return OF_FORMAT.get(self.format, TEXT)

    def write(self, document: Document, target: Target | None) -> None:
        """Write a result to a file, or print it where there is none. Raises ConfigError where
        the file must not be replaced or cannot be written.
        """
        if target is None:
            return self.show(document)
        from dlprobe import registry
        from dlprobe.commands.base.writing import write_text

        content = io.BytesIO()
        with io.TextIOWrapper(
            content, encoding="utf-8", newline="\n", write_through=True
        ) as stream:
            registry.get("output_format", self.format).render(
                document.shown(self.details), stream, color=False
            )
            write_text(target, content.getvalue().decode("utf-8"))
        self.note(f"the result is in {target.path}")
        return self._draw(document)

    def _draw(self, document: Document) -> None:
        if self.figure is not None:
            self.figure.write(document)
            self.note(f"the picture is in {self.figure.path}")

    def note(self, text: str) -> None:
        """Say something in passing on stderr, unless quiet."""
        if not self.quiet:
            say(f"{self._label('note:', '2')} {one_line(text)}")

    def warn(self, text: str) -> None:
        """Say on stderr what the user should know, unless quiet."""
        if not self.quiet:
            say(f"{self._label('warning:', '1;33')} {one_line(text)}")

    def interrupted(self, text: str) -> ExitCode:
        """Say, quiet or not, that the command was interrupted and what that leaves; its exit
        code.
        """
        say(f"{self._label('warning:', '1;33')} {one_line('interrupted' + text)}")
        return ExitCode.INTERRUPTED

    def announce(self, text: str) -> None:
        """Say on stderr, quiet or not, what a file decides in the user's place."""
        say(f"{self._label('note:', '2')} {one_line(text)}")

    def error(self, text: str) -> None:
        """Say on stderr why the command failed."""
        say(f"{self._label('error:', '1;31')} {one_line(text)}")

    @contextlib.contextmanager
    def progress(self, what: str, unit: str = "steps") -> Iterator[Report | None]:
        """A progress line on stderr while the block runs, where stderr is no terminal a line
        now and then. None where nobody looks: quiet.
        """
        if self.quiet:
            yield None
            return
        from dlprobe.commands.base.progress import heartbeat, progress_line

        with (
            progress_line(what, unit, self._colored)
            if sys.stderr.isatty()
            else heartbeat(what, unit, self.note) as report
        ):
            yield report

    @property
    def _colored(self) -> bool:
        from dlprobe.render.terminal.stream import wants_color

        return wants_color(sys.stderr) if self.color is None else self.color

    def _label(self, word: str, style: str) -> str:
        return f"\x1b[{style}m{word}\x1b[0m" if self._colored else word


def one_line(text: str) -> str:
    """A message as one line in which nothing can act on the terminal."""
    return visible(" ".join(text.split()))


def say(line: str) -> None:
    """Print a line on stderr; a stderr that nobody reads, or that cannot be written, is no
    reason to fail.
    """
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)
