"""A change of the configuration as lines of the program that trained a run.

One table: for each configuration key its translations, functions of what is changed that give
statements, to be put where the model is made. A key without one is told in words alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from dlprobe.config import with_values
from dlprobe.config.records import RunConfig
from dlprobe.rules import keras_code as keras
from dlprobe.rules import torch_code as torch
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.owner_code import CodeChange, modules_of

Translation: TypeAlias = Callable[[CodeChange], list[str] | None]
OWNERS = ("torch", "keras")  # origins of runs, in the order of the table
TRANSLATIONS: Mapping[str, tuple[Translation | None, Translation | None]] = {
    "model.activation": (torch.activation, keras.activation),
    "model.init": (torch.init, keras.init),
    "model.bias_init": (torch.bias_init, keras.bias_init),
    "model.norm": (torch.norm, keras.norm),
    "model.dropout": (torch.dropout, None),
    "model.output_activation": (torch.outputs, None),
    "training.loss": (torch.outputs, None),
    "training.lr": (torch.rate, keras.rate),
    "training.optimizer": (torch.optimizer, keras.optimizer),
    "training.l2": (torch.penalty, None),
    "training.clip_global_norm": (torch.clip, keras.clip),
    "training.schedule": (torch.schedule, None),
    "training.warmup": (torch.warmup, None),
    "training.batch_size": (torch.batch_size, keras.batch_size),
    "training.class_weights": (torch.class_weights, keras.class_weights),
    "training.dtype": (torch.double, None),
    "training.seed": (torch.seed, keras.seed),
    "data.scaling": (torch.scaling, keras.scaling),
    "data.target_scaling": (torch.target_scaling, keras.target_scaling),
}


def owner_lines(evidence: Evidence, config: RunConfig, patch: Mapping[str, str]) -> tuple[str, ...]:
    """The lines that make a change in the owner's program; none where one of its keys has no
    translation, or where nobody knows the framework.

    config: the nearest configuration; patch: the change of it.
    """
    if evidence.run.origin not in OWNERS:
        return ()
    owner = OWNERS.index(evidence.run.origin)
    counts = [int(count) for count in evidence.run.data.get("train_class_counts", ())]
    change = CodeChange(config, with_values(config, patch), modules_of(evidence.run), counts)
    statements: list[str] = []
    for key in patch:
        translation = TRANSLATIONS[key][owner] if key in TRANSLATIONS else None
        made = None if translation is None else translation(change)
        if made is None:
            return ()
        statements += [statement for statement in made if statement not in statements]
    return tuple(line for statement in statements for line in statement.splitlines())
