"""A change of the configuration as it is typed: the one place that makes commands out of patches."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from dlprobe.config import fields


def train_command(path: str, patch: Mapping[str, str]) -> str:
    """Train a run's configuration again with a change; the new run goes to the next free name in runs/.

    >>> train_command("my runs/a.h5", {"model.activation": "leaky_relu(slope=0.1)", "model.init": "auto"})
    "dlprobe train 'my runs/a.h5' --activation 'leaky_relu(slope=0.1)' --init auto"
    """
    return " ".join(["dlprobe train", shlex.quote(path), *option_texts(patch)])


def option_texts(patch: Mapping[str, str]) -> list[str]:
    """A patch as options, quoted for the shell. Raises KeyError for a key that the configuration does not have.

    >>> option_texts({"model.layers": "", "training.lr": "0.01"})
    ["--layers ''", '--lr 0.01']
    """
    names = {f"{field.table}.{field.key}": field.option for field in fields()}
    return [f"{names[key]} {shlex.quote(value)}" for key, value in patch.items()]
