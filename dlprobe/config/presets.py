"""Starting points for a configuration: each a set of values with the reason for every one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from dlprobe.config.reading import with_values
from dlprobe.config.records import RunConfig

Reasons: TypeAlias = Mapping[str, tuple[str, str]]
DEEP = 5  # hidden layers from which a net is deep enough to need normalization


@dataclass(frozen=True)
class Preset:
    """values: by `table.key`, what it is set to and why, for a net of so many hidden layers."""

    name: str
    summary: str
    values: Callable[[int], Reasons] = field(default=lambda depth: MappingProxyType({}))

    def applied(self, config: RunConfig) -> tuple[RunConfig, dict[str, str]]:
        """The configuration with the preset's values, and the reasons by key."""
        chosen = self.values(len(config.model.layers))
        return with_values(config, {key: value for key, (value, _) in chosen.items()}), {key: reason for key, (_, reason) in chosen.items()}


def _guidelines(depth: int) -> Reasons:
    """The practical guidelines of Géron 2019, Hands-On Machine Learning, 2nd edition, table 11-3, with what this program has for each line."""
    values = {
        "model.activation": ("elu", "guideline: ELU keeps a slope for negative inputs, so units do not die"),
        "model.init": ("he_normal", "guideline: He weights keep the error signal's size from layer to layer"),
        "training.optimizer": ("momentum", "guideline: momentum"),
        "training.schedule": ("one_cycle", "guideline: one cycle of the rate; dlprobe lr-find shows a good top rate for lr"),
        "training.early_stopping": ("yes", "guideline: early stopping keeps the parameters of the best validation loss"),
    }
    if depth >= DEEP:
        values["model.norm"] = ("batch", f"guideline: batch normalization where the net is deep; here {depth} hidden layers")
    return values


PRESETS = {
    preset.name: preset
    for preset in (Preset("defaults", "every option at its default"), Preset("guidelines", "the practical guidelines of the textbooks", _guidelines))
}
