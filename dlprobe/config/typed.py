"""Configurations and their changes as they are typed: the one place that makes commands out of
them.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlprobe.config.listing import fields
from dlprobe.config.named_files import files_elsewhere
from dlprobe.config.reading import with_values
from dlprobe.config.records import RunConfig
from dlprobe.config.writing import to_mapping


def train_command(path: str, config: RunConfig, patch: Mapping[str, str]) -> str:
    """Train a run's configuration again with a change; the new run goes to the next free name in
    runs/. Files that lie elsewhere are named, so that the reader sees what is opened.

    >>> train_command("my runs/a.h5", RunConfig(), {"model.activation": "leaky_relu(slope=0.1)", "model.init": "auto"})
    "dlprobe train 'my runs/a.h5' --activation 'leaky_relu(slope=0.1)'"
    """  # noqa: E501
    allowed = [
        f"--allow-file {shlex.quote(str(file.path))}"
        for file in files_elsewhere(Path(path), [config])
    ]
    return " ".join(
        ["dlprobe train", shlex.quote(path), *option_texts(differing(config, patch)), *allowed]
    )


def train_with(config: RunConfig, patch: Mapping[str, Any]) -> str:
    """Train a configuration with a change, told from the defaults.

    >>> train_with(with_values(RunConfig(), {"data.data": "wine"}), {"training.lr": 0.01})
    'dlprobe train --data wine --lr 0.01'
    """
    return " ".join(["dlprobe train", *options_between(RunConfig(), with_values(config, patch))])


def differing(config: RunConfig, patch: Mapping[str, str]) -> dict[str, str]:
    """What of a change the configuration does not have already; a change that it has as a whole
    stays as it is.

    >>> differing(RunConfig(), {"model.activation": "relu", "model.init": "zeros"})
    {'model.init': 'zeros'}
    """
    return {key: value for key, value in patch.items() if not _has(config, key, value)} or dict(
        patch
    )


def _has(config: RunConfig, place: str, text: str) -> bool:
    """Whether a key has the value that a text means."""
    table, _, key = place.partition(".")
    record = getattr(config, table)
    try:
        return bool(type(record).forms()[key].read(text) == getattr(record, key))
    except ValueError:
        return False


def option_texts(patch: Mapping[str, str]) -> list[str]:
    """A patch as options, quoted for the shell. Raises KeyError for a key that the configuration
    does not have.

    >>> option_texts({"model.layers": "", "training.lr": "0.01"})
    ["--layers ''", '--lr 0.01']
    """
    names = {f"{field.table}.{field.key}": field.option for field in fields()}
    return [f"{names[key]} {shlex.quote(value)}" for key, value in patch.items()]


def options_between(before: RunConfig, after: RunConfig) -> list[str]:
    """The options that make one configuration of another, quoted for the shell.

    >>> options_between(RunConfig(), with_values(RunConfig(), {"model.layers": "5,4", "training.steps": 3}))
    ['--layers 5,4', '--steps 3']
    """  # noqa: E501
    old, new = (to_mapping(config, whole=True) for config in (before, after))
    patch = {
        f"{table}.{key}": text_of(value)
        for table, values in new.items()
        for key, value in values.items()
        if value != old[table][key]
    }
    for key_given, other in (
        ("training.steps", "training.epochs"),
        ("training.epochs", "training.steps"),
    ):
        if patch.get(other) == "none":  # the one replaces the other
            patch = {
                key: value for key, value in patch.items() if key != other or key_given not in patch
            }
    return option_texts(patch)


def text_of(value: Any) -> str:
    """A plain value as an option takes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, list):
        return str(value)
    repeated = len(value) > 2 and isinstance(value[0], int) and len(set(value)) == 1
    return f"{value[0]}x{len(value)}" if repeated else ",".join(map(text_of, value))
