"""A change of the configuration as lines of the program that trained a run.

One translation per configuration key and framework (`torch_code`, `keras_code`): functions of what
is changed that give statements, to be put where the model is made. A key without one is told in
words alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlprobe.config import with_values
from dlprobe.config.records import RunConfig
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.keras_code import KERAS
from dlprobe.rules.owner_code import Change, Module, Translation
from dlprobe.rules.torch_code import TORCH

OWNERS: dict[str, Mapping[str, Translation]] = {
    "torch": TORCH,
    "keras": KERAS,
}  # by the origin of a run


def owner_lines(evidence: Evidence, config: RunConfig, patch: Mapping[str, str]) -> tuple[str, ...]:
    """The lines that make a change in the owner's program; none where one of its keys has no
    translation, or where nobody knows the framework.

    config: the nearest configuration; patch: the change of it.
    """
    table = OWNERS.get(evidence.run.origin, {})
    counts = [int(count) for count in evidence.run.data.get("train_class_counts", ())]
    change = Change(config, with_values(config, patch), modules_of(evidence), counts)
    statements: list[str] = []
    for key in patch:
        made = table[key](change) if key in table else None
        if made is None:
            return ()
        statements += [each for each in made if each not in statements]
    return tuple(line for each in statements for line in each.splitlines())


def modules_of(evidence: Evidence) -> list[Module]:
    """The layers of a run with what its recorder noted of their modules."""
    listed = evidence.run.environment.get("modules", [])
    noted: dict[str, dict[str, Any]] = (
        {str(each.get("name")): each for each in listed if isinstance(each, dict)}
        if isinstance(listed, list)
        else {}
    )
    return [
        Module(
            layer,
            str(known.get("kind", "")),
            str(known.get("activation", "")),
            known["axes"] if isinstance(known.get("axes"), int) else 0,
        )
        for layer in evidence.layers
        for known in [noted.get(layer.name, {})]
    ]
