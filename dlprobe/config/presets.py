"""Starting points for a configuration: each a set of values with the reason for every one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import TypeAlias

from dlprobe.config.reading import with_values
from dlprobe.config.records import RunConfig
from dlprobe.dataclass import dataclass
from dlprobe.registry import Spec

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
        return with_values(config, {key: value for key, (value, _) in chosen.items()}), {
            key: reason for key, (_, reason) in chosen.items()
        }


Named: TypeAlias = tuple[Spec, ...]


@dataclass(frozen=True)
class Guideline:
    """One line of the practical guidelines of Géron 2019, Hands-On Machine Learning, 2nd edition,
    table 11-3, with what this program has for it.

    place: `table.key`; value: what the preset writes there, and why. current: what a configuration
        has there, nothing where it is off; fits: whether that is what the guideline asks for, or
        does the same. deep: only of nets of DEEP hidden layers and more.
    """

    title: str
    place: str
    value: str
    reason: str
    current: Callable[[RunConfig], Named]
    fits: Callable[[RunConfig, Spec], bool]
    deep: bool = False

    def followed(self, config: RunConfig) -> bool:
        """Whether a configuration does as the guideline says."""
        current = self.current(config)
        return bool(current) and all(self.fits(config, spec) for spec in current)

    def has(self, config: RunConfig) -> str:
        """What a configuration has in place of `value`, in words."""
        return ", ".join(dict.fromkeys(map(str, self.current(config)))) or "none"


def guidelines(depth: int) -> list[Guideline]:
    """The guidelines for a net of `depth` hidden layers."""
    return [guideline for guideline in GUIDELINES if depth >= DEEP or not guideline.deep]


def _suits(config: RunConfig, initializer: Spec) -> bool:
    return initializer.name.startswith("he_") or initializer.name in {
        activation.record.initializer for activation in config.model.activations
    }


GUIDELINES = (
    Guideline(
        "ELU or its family",
        "model.activation",
        "elu",
        "ELU keeps a slope for negative inputs, so units do not die",
        lambda config: config.model.activations,
        # what grows without bound on one side asks for these
        lambda config, spec: spec.record.initializer in ("he_normal", "lecun_normal"),
    ),
    Guideline(
        "He or other fitting weights",
        "model.init",
        "he_normal",
        "He weights keep the error signal's size from layer to layer",
        lambda config: (config.model.resolved_init,),
        _suits,
    ),
    Guideline(
        "momentum",
        "training.optimizer",
        "momentum",
        "momentum",
        lambda config: (config.training.optimizer,),
        # Adam's mean of gradients is one
        lambda config, spec: (
            bool(spec.record.momentum) and spec.parameters[spec.record.momentum] != 0
        ),
    ),
    Guideline(
        "one cycle of the rate",
        "training.schedule",
        "one_cycle",
        "one cycle of the rate; dlprobe lr-find shows a good top rate for lr",
        lambda config: (config.training.schedule,),
        lambda config, spec: spec.name == "one_cycle",
    ),
    Guideline(
        "early stopping",
        "training.early_stopping",
        "yes",
        "early stopping keeps the parameters of the best validation loss",
        lambda config: _given(config.training.early_stopping),
        lambda config, spec: True,
    ),
    Guideline(
        "batch normalization where deep",
        "model.norm",
        "batch",
        "batch normalization where the net is deep",
        lambda config: _given(config.model.norm),
        lambda config, spec: spec.name == "batch",
        deep=True,
    ),
)


def _given(spec: Spec | None) -> Named:
    return () if spec is None else (spec,)


def _guidelines(depth: int) -> Reasons:
    return {
        guideline.place: (
            guideline.value,
            f"guideline: {guideline.reason}"
            f"{f'; here {depth} hidden layers' if guideline.deep else ''}",
        )
        for guideline in guidelines(depth)
    }


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("defaults", "every option at its default"),
        Preset("guidelines", "the practical guidelines of the textbooks", _guidelines),
    )
}
