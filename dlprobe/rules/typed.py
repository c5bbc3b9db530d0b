"""A change of the configuration as it is typed: the one place that makes commands out of patches."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from dlprobe.config import fields, with_values
from dlprobe.config.named_files import files_elsewhere
from dlprobe.config.records import RunConfig
from dlprobe.errors import ConfigError


def train_command(path: str, config: RunConfig, patch: Mapping[str, str]) -> str:
    """Train a run's configuration again with a change; the new run goes to the next free name in runs/. Files that lie elsewhere are named, so that the
    reader sees what is opened.

    >>> train_command("my runs/a.h5", RunConfig(), {"model.activation": "leaky_relu(slope=0.1)", "model.init": "auto"})
    "dlprobe train 'my runs/a.h5' --activation 'leaky_relu(slope=0.1)'"
    """
    allowed = [f"--allow-file {shlex.quote(str(file.path))}" for file in files_elsewhere(Path(path), [config])]
    return " ".join(["dlprobe train", shlex.quote(path), *option_texts(differing(config, patch)), *allowed])


def differing(config: RunConfig, patch: Mapping[str, str]) -> dict[str, str]:
    """What of a change the configuration does not have already; a change of all that cannot be made key by key stays whole."""
    try:
        return {key: value for key, value in patch.items() if with_values(config, {key: value}) != config} or dict(patch)
    except ConfigError:
        return dict(patch)


def option_texts(patch: Mapping[str, str]) -> list[str]:
    """A patch as options, quoted for the shell. Raises KeyError for a key that the configuration does not have.

    >>> option_texts({"model.layers": "", "training.lr": "0.01"})
    ["--layers ''", '--lr 0.01']
    """
    names = {f"{field.table}.{field.key}": field.option for field in fields()}
    return [f"{names[key]} {shlex.quote(value)}" for key, value in patch.items()]
