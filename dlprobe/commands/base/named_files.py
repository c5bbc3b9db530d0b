"""Files that a file names. A run or study may be a stranger's: what it has dlprobe open is said
first, and asked for where it lies elsewhere.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from dlprobe.commands.base.arguments import option
from dlprobe.commands.base.declaring import keyword, parameters_of, with_signature
from dlprobe.commands.base.screen import COMMON, Screen
from dlprobe.errors import ConfigError

if TYPE_CHECKING:
    from dlprobe.config import RunConfig
    from dlprobe.config.named_files import NamedFile

AllowFile = Annotated[
    list[Path] | None,
    option(
        "--allow-file FILE",
        "open FILE although a run or study that lies elsewhere names it",
        COMMON,
    ),
]


def allow_file_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: give a command --allow-file; its screen knows what was allowed."""
    own = parameters_of(function)

    def command(*, screen: Screen, allow_file: list[Path] | None, **values: Any) -> Any:
        return function(**values, screen=replace(screen, allowed=tuple(allow_file or ())))

    return with_signature(command, [*own, keyword("allow_file", AllowFile, None)])


def tell_of_named_files(
    source: Path,
    configs: Iterable[RunConfig],
    screen: Screen,
    *,
    own: bool = False,
    asked: Collection[str] = (),
) -> None:
    """Say, quiet or not, which files the configurations that `source` holds have dlprobe open,
    before any is opened.

    Files in or below the folder of `source` or the working folder are what one expects of it. Any
    other one is refused unless --allow-file names it; of a source that is the user's `own` text it
    is only said. asked: keys whose values the user gave. Raises ConfigError.
    """
    from dlprobe.config.named_files import files_elsewhere, named_files, real

    configs = list(configs)
    elsewhere = files_elsewhere(source, configs)
    for file in dict.fromkeys(
        file for config in configs for file in named_files(config) if file.key not in asked
    ):
        near = file not in elsewhere
        if own and near:
            continue
        if not (own or near or real(file.path) in map(real, screen.allowed)):
            raise ConfigError(_refusal(source, file))
        screen.announce(
            f"{source} names {_what(file)}, which is "
            f"opened{'' if near else '; it lies outside its folder and the working folder'}"
        )


def _what(file: NamedFile) -> str:
    """The key and the path as written, and where links lead."""
    from dlprobe.config.named_files import real

    linked = Path(os.path.normpath(file.path.absolute())) != real(file.path)
    return f"{file.key} = {file.path}{f' (that is {real(file.path)})' if linked else ''}"


def _refusal(source: Path, file: NamedFile) -> str:
    typed = shlex.quote(str(file.path))
    return (
        f"{source} names {_what(file)}, which lies outside its folder and the working folder: to "
        f"have it opened, type --allow-file {typed}"
    )
