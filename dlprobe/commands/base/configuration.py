"""The configuration on the command line: its options, made from the fields' own definitions,
and reading one from TOML, a run file and options.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlprobe.commands.base.completing import complete_configurations
from dlprobe.commands.base.declaring import keyword, parameters_of, with_signature
from dlprobe.commands.base.named_files import tell_of_named_files
from dlprobe.config import OptionField, fields
from dlprobe.config.toml_text import read_start
from dlprobe.errors import ConfigError

if TYPE_CHECKING:
    from dlprobe.commands.base.screen import Screen
    from dlprobe.config import RunConfig

PANELS = {"data": "Data", "model": "Model", "training": "Training", "recording": "Recording"}
METAVARS = {
    "name": "NAME",
    "whole number": "N",
    "number": "X",
    "layers": "UNITS",
    "three percents": "A,B,C",
    "name or path": "NAME|PATH",
    "units": "LAYER:UNIT",
    "columns": "COLUMNS",
    "text": "TEXT",
}
LONGEST_METAVAR = 16
# repeated, these options are one list
LISTS = ("layers", "activation", "split", "track_unit", "target", "columns", "drop")
RUN_FILE_STARTS = (b"\x89HDF\r\n\x1a\n", b"\x89DLP")

ConfigFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="CONFIG",
        help="TOML file, or a run file whose configuration is repeated; options go before it",
        autocompletion=complete_configurations,
    ),
]


def configuration_options(
    exclude: Collection[str] = (),
    lists: Collection[str] = LISTS,
    defaults: Mapping[str, str] = MappingProxyType({}),
    belongs: str = "",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: give a command all configuration options but `exclude`; it gets them as `options`,
    texts by key, None for what was not given.

    An option in `lists` that is repeated arrives as one text with commas, ready for
    `config.split_list`. `defaults`: by key, what the help says of a command that has its own.
    `belongs`: what the command does with them, where it does other things too; said in the groups
    of its help.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        chosen = [
            replace(field, default=defaults.get(field.key, field.default))
            for field in fields()
            if field.key not in exclude
        ]
        own = parameters_of(function, "options")

        def command(**values: Any) -> Any:
            texts = {field.key: _text(values.pop(field.key)) for field in chosen}
            return function(**values, options=texts)

        return with_signature(
            command,
            [
                *own,
                *(
                    keyword(
                        picked.key, configuration_option(picked, picked.key in lists, belongs), None
                    )
                    for picked in chosen
                ),
            ],
        )

    return decorate


def configuration_option(field: OptionField, repeated: bool, belongs: str) -> Any:
    """The annotation of a parameter that is this configuration option; `repeated` collects a
    list of texts.
    """
    declaration = typer.Option(
        field.option,
        metavar=_metavar(field),
        help=help_of(field),
        autocompletion=_completion(field),
        rich_help_panel=f"{belongs}: {PANELS[field.table].lower()}"
        if belongs
        else PANELS[field.table],
    )
    return (
        Annotated[list[str] | None, declaration] if repeated else Annotated[str | None, declaration]
    )


def help_of(field: OptionField) -> str:
    """Help, what is allowed where the metavar does not say it, and the default."""
    told = [_allowed(field), f"default: {field.default}"]
    return f"{field.help} [{'; '.join(filter(None, told))}]"


def _metavar(field: OptionField) -> str:
    choices = "|".join(field.choices)
    return choices if 0 < len(choices) <= LONGEST_METAVAR else METAVARS.get(field.type, "TEXT")


def _allowed(field: OptionField) -> str:
    if field.kind:
        return f"see dlprobe explain {field.kind}"
    if field.choices:
        return "" if _metavar(field) == "|".join(field.choices) else field.allowed
    return "" if field.type == "text" else field.allowed.replace(str(2**63 - 1), "2^63-1")


def _text(value: str | list[str] | None) -> str | None:
    return ",".join(value) if isinstance(value, list) else value


def _completion(field: OptionField) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        from dlprobe import registry

        known = field.choices or (
            *(registry.records(field.kind) if field.kind else ()),
            *field.words,
        )
        return [name for name in known if name.startswith(incomplete)]

    return complete


def read_configuration(
    file: Path | None,
    options: Mapping[str, str | None],
    screen: Screen | None,
    asked: Collection[str] = (),
) -> RunConfig:
    """The configuration of a TOML or run file (None: the defaults) with the options on top. Raises
    ConfigError or RunFileError.

    screen: where the files that `file` names are told of; None for a command that opens none of
        them. asked: keys that the command itself sets, by options of its own.
    """
    from dlprobe.config import from_options, from_toml

    if file is None:
        return from_options(None, options)
    stored = is_run_file(file)
    weights = None if stored else _state_dict(file, screen)
    if not stored and weights is None:
        _refuse_data(file)
    config = from_options(
        _stored_configuration(file) if stored else weights or from_toml(file), options
    )
    if screen is not None:
        typed = {key for key, value in options.items() if value is not None}
        tell_of_named_files(file, [config], screen, own=not stored, asked={*typed, *asked})
    return config


def _state_dict(file: Path, screen: Screen | None) -> RunConfig | None:
    """The configuration of a PyTorch state_dict as .npz; None of any other file. Raises
    ConfigError where it is no chain of Linear layers.
    """
    if file.suffix.lower() != ".npz":
        return None
    from dlprobe.training.state_dict import configuration

    config = configuration(file)
    if config is not None and screen is not None:
        screen.note(
            f"{file}: {len(config.model.layers) + 1} Linear layers; a state_dict does not say "
            "activations: --activation, --norm"
        )
    return config


def _refuse_data(file: Path) -> None:
    """Data in the place of a configuration, as many a tool takes them. Raises ConfigError with
    the option that they belong to.
    """
    from dlprobe.data.file_format import format_of
    from dlprobe.data.loading import is_set

    if is_set(str(file)) and not file.exists():
        raise ConfigError(
            f"{file}: there is no such configuration; the data set of that name is chosen "
            f"with --data {file}"
        )
    if (kind := format_of(file)) is not None:
        raise ConfigError(
            f"{file}: expected a TOML configuration or a run file; {kind.name} data are given "
            f"with --data {file}"
        )


def is_run_file(path: Path) -> bool:
    """Whether a path means a run or study file, or a run of one (STUDY.h5#ID)."""
    from dlprobe.runs.opening import run_of_study

    if run_of_study(path)[1] or path.name.endswith((".h5", ".h5.journal")):
        return True
    try:
        return read_start(path, 8).startswith(RUN_FILE_STARTS)
    except OSError:
        return False


def _stored_configuration(path: Path) -> RunConfig:
    from dlprobe.runs import open_single

    with open_single(path) as run:
        return run.required_configuration()
