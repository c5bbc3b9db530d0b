"""Changed configurations: what a patch makes of one, in words and in work, and plain defaults
beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dlprobe.config import RunConfig, from_mapping, to_mapping, with_values
from dlprobe.errors import ConfigError
from dlprobe.experiments.study import pinned, work
from dlprobe.rules.changes_of_model import widths_text
from dlprobe.runs.content import canonical

if TYPE_CHECKING:
    from dlprobe.training.prepared_sets import PreparedSets

PREPARED_ANEW = ("scaling", "target_scaling")  # of [data], what plain defaults do in their own way


def plain_defaults(config: RunConfig) -> RunConfig:
    """What `dlprobe train` makes of the same data, split and seed without any other option;
    recorded as `config` says.
    """
    mapping, plain = to_mapping(config, whole=True), to_mapping(RunConfig(), whole=True)
    data = {**mapping["data"], **{key: plain["data"][key] for key in PREPARED_ANEW}}
    training = {key: mapping["training"][key] for key in ("seed", "threads")}
    recording = mapping["recording"]
    if recording["evaluate_every"] == "never":
        recording = {**recording, "evaluate_every": plain["recording"]["evaluate_every"]}
    return from_mapping({"data": data, "training": training, "recording": recording})


def work_ratio(config: RunConfig, other: RunConfig, sets: PreparedSets) -> float:
    """Planned multiply-adds of `config` over those of `other`."""
    return work(config, sets) / max(work(other, sets), 1.0)


def key_of(config: RunConfig) -> str:
    """What two trials share that trained the same: SHA-256 of the configuration, its seed
    included, paths left out.
    """
    return hashlib.sha256(canonical(pinned(config)).encode()).hexdigest()


def change_text(config: RunConfig, patch: Mapping[str, str]) -> str:
    """A patch in words: the keys that it changes without their tables, and in place of `auto` what
    that means where the configuration alone says it.

    >>> change_text(from_mapping({"model": {"init": "zeros"}}), {"model.init": "auto", "model.bias_init": "auto"})
    'init = he_normal'
    """  # noqa: E501
    changed = with_values(config, patch)
    before, after = to_mapping(config, whole=True), to_mapping(changed, whole=True)
    resolved = {
        "model.init": str(changed.model.resolved_init),
        "training.lr": f"{changed.training.resolved_lr:g}",
    }
    told = []
    for place, typed in patch.items():
        table, key = place.rpartition(".")[::2]
        if not table or before[table][key] != after[table][key]:
            told.append(f"{key} = {resolved.get(place, typed) if typed == 'auto' else typed}")
    return ", ".join(told)


def value_text(config: RunConfig, place: str) -> str:
    """The value of a `table.key` as it would be typed.

    >>> value_text(RunConfig(), "model.layers")
    '100,100'
    """
    table, key = place.split(".")
    value = to_mapping(config, whole=True)[table][key]
    if place == "model.layers":
        return widths_text(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(f"{entry}" for entry in value) if isinstance(value, list) else f"{value}"


def possible(config: RunConfig, patch: Mapping[str, str]) -> RunConfig | None:
    """The patched configuration; None where the change is impossible for it, or changes nothing."""
    try:
        changed = with_values(config, patch)
    except ConfigError:
        return None
    return None if to_mapping(changed) == to_mapping(config) else changed


def changed_values(config: RunConfig, changed: RunConfig) -> dict[str, str]:
    """What the second configuration has otherwise, by `table.key`, as it would be typed."""
    before, after = to_mapping(config, whole=True), to_mapping(changed, whole=True)
    return {
        f"{table}.{key}": value_text(changed, f"{table}.{key}")
        for table in after
        for key in after[table]
        if before[table][key] != after[table][key]
    }
