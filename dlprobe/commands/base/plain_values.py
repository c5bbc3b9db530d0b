"""What is typed, read without typer's way to read it where nothing can be wrong with it: a text, a
readable path, a whole number in its range. Typer loads pydantic for any of them, a sixth of a short
command; all else is left to it, and so is every complaint.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args, get_origin

LONGEST = 18  # digits of a whole number that is read here


class PlainFirst:
    """In the place of what a parameter of typer reads its values by; `coerce` is typer's name."""

    def __init__(self, parameter: Any) -> None:
        self._make_reader = parameter.get_runtime_param
        self._annotation = parameter.type_descriptor.annotation
        self._info = parameter.type_descriptor.parameter_info

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value that the command gets. Raises what typer raises."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        if self._info.parser is None:
            if not several and is_plain(value, self._annotation, self._info):
                return self._annotation(value)
            if several and get_origin(self._annotation) is list and not isinstance(value, str):
                (kind,) = get_args(self._annotation)
                if all(is_plain(item, kind, self._info) for item in value):
                    return [kind(item) for item in value]
        return self._make_reader().coerce(value, param=param, ctx=ctx)


def is_plain(value: Any, kind: Any, info: Any) -> bool:
    """Whether `kind(value)` is the value, beyond doubt. info: typer's, with the range."""
    if kind is bool:
        return isinstance(value, bool)
    if kind is str:
        return isinstance(value, str)
    if kind is int:
        return (
            isinstance(value, str)
            and value.isascii()
            and value.isdigit()
            and len(value) <= LONGEST
            and (info.min is None or int(value) >= info.min)
            and (info.max is None or int(value) <= info.max)
        )
    if kind is Path and isinstance(value, str | Path) and "\0" not in str(value):
        checked = (info.exists, info.resolve_path, info.allow_dash, info.writable, info.path_type)
        if not any(checked) and info.file_okay and info.dir_okay:
            return not os.path.exists(value) or os.access(value, os.R_OK)
    return False


def read_plainly(parameters: list[Any]) -> list[Any]:
    """The parameters of a command of typer, which now read here what is plain; those of an older
    typer, which have no pydantic, as they are.
    """
    for parameter in parameters:
        known = "get_runtime_param" in vars(parameter)
        if hasattr(parameter, "get_runtime_param") and not known:
            reader = PlainFirst(parameter)
            parameter.get_runtime_param = lambda reader=reader: reader
    return parameters
