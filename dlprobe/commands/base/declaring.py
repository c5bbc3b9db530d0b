"""From a subcommand's function to what typer reads: the options that all commands share are
added, and arrive as one `screen`.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

from dlprobe import registry
from dlprobe.commands.base.arguments import option
from dlprobe.commands.base.figure import figure_options, take_figure
from dlprobe.commands.base.screen import COMMON, Screen
from dlprobe.registry import unknown
from dlprobe.render.formats import formats_for

FORMAT, QUIET = "DLPROBE_FORMAT", "DLPROBE_QUIET"  # environment variables
LISTED = 3  # formats that fit into the metavar


def format_option(schema: str = "", default: str = "table") -> Any:
    """The annotation of --format for a command that prints this record: the formats that print
    every record, and those made for it.
    """
    names = tuple(formats_for(schema))
    short = len(names) <= LISTED

    def known(context: typer.Context, name: str) -> str:
        if name in names:
            return name
        if getattr(context.get_parameter_source("format"), "name", "") == "DEFAULT":
            # one for another command, set for all of a session
            if any(name == other.typed for other in registry.records("output_format").values()):
                return default
            raise typer.BadParameter(f"{FORMAT}: {unknown('format', name, names)}")
        raise typer.BadParameter(unknown("format", name, names))

    return Annotated[
        str,
        option(
            "--format",
            f"how the result is printed{'' if short else ': ' + ', '.join(names)} [default: "
            f"{FORMAT}, else {default}]",
            COMMON,
            metavar="|".join(names) if short else "FORMAT",
            callback=known,
            autocompletion=lambda incomplete: [
                name for name in names if name.startswith(incomplete)
            ],
        ),
    ]


Quiet = Annotated[
    bool,
    option(
        "--quiet -q",
        f"no progress, notes or warnings on stderr; so does {QUIET}=1",
        COMMON,
        envvar=QUIET,
    ),
]
NoColor = Annotated[
    bool, option("--no-color", "no colour, as with NO_COLOR; FORCE_COLOR colours pipes too", COMMON)
]
Debug = Annotated[bool, option("--debug", "show where an error came from", COMMON)]

Details = Annotated[
    bool, option("--details", "everything there is to say, not the first screen alone", COMMON)
]

SHARED = {
    "details": (Details, False),
    "quiet": (Quiet, False),
    "no_color": (NoColor, False),
    "debug": (Debug, False),
}


def declare(
    function: Callable[..., Any], schema: str = "", draws: bool = False, format: str = "table"
) -> Callable[..., Any]:
    """`function(..., screen: Screen)` as typer wants it: every shared option instead of `screen`;
    `schema` names the record that it prints.

    draws: whether its results have pictures, which its options write to files; format: the one that
        is used unasked.
    """
    own = parameters_of(function, "screen")
    shared = {"format": (format_option(schema, format), os.environ.get(FORMAT) or format), **SHARED}
    drawn = figure_options(own) if draws else {}

    def command(**values: Any) -> Any:
        format, details, quiet, no_color, debug = (values.pop(name) for name in shared)
        figure = take_figure(values) if draws else None
        return function(
            **values,
            screen=Screen(
                format, quiet, False if no_color else None, debug, details=details, figure=figure
            ),
        )

    return with_signature(
        command,
        [
            *own,
            *(
                keyword(name, annotation, default)
                for name, (annotation, default) in {**drawn, **shared}.items()
            ),
        ],
    )


def parameters_of(function: Callable[..., Any], *without: str) -> list[inspect.Parameter]:
    """The parameters of a function but those of these names, annotations evaluated."""
    parameters = inspect.signature(function, eval_str=True).parameters
    return [parameter for name, parameter in parameters.items() if name not in without]


def keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """One keyword parameter that typer turns into an option."""
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def with_signature(
    function: Callable[..., Any], parameters: list[inspect.Parameter]
) -> Callable[..., Any]:
    """`function` as if it had been written with these parameters."""
    ordered = sorted(parameters, key=lambda parameter: parameter.kind)
    function.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    function.__annotations__ = {}
    return function
