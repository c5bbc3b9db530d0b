"""A recipe as an experiment: its base configuration, measured in a laboratory, and what a study file keeps of it."""

from __future__ import annotations

from typing import Any

from dlprobe.config import RunConfig, parse_toml, with_values
from dlprobe.errors import ConfigError
from dlprobe.experiments.laboratory import Laboratory
from dlprobe.experiments.recipe import Found, Judgement, Recipe, judge


def base_of(recipe: Recipe, tiny: bool, data: str | None, target: str | None = None) -> RunConfig:
    """What all runs of a recipe begin with. Raises ConfigError where the claim is about its own data only."""
    config = parse_toml(recipe.base, f"recipe {recipe.name}")
    quiet = {"recording.histogram_every": "never"}
    config = with_values(config, {**quiet, **(recipe.tiny if tiny else {})})
    if data is None:
        if target is not None:
            raise ConfigError("--target names the label column of a file: expected --data FILE with it")
        return config
    if recipe.own_data:
        raise ConfigError(f"recipe {recipe.name} is about its own data, {config.data.data}: expected no --data; run it without")
    return with_values(config, {"data.data": data, "data.scaling": "standardize", **({} if target is None else {"data.target": target})})


def description(recipe: Recipe, laboratory: Laboratory) -> dict[str, Any]:
    """What a study file says of the recipe whose runs it keeps."""
    options = {"recipe": recipe.name, "data": laboratory.base.data.data, "tiny": laboratory.tiny}
    return {
        "experiment": "recipe",
        "axes": {"seed": list(laboratory.seeds)},
        "options": options,
        "claim": {"says": recipe.claim, "source": recipe.source},
    }


def results_table(found: Found) -> dict[str, list[Any]]:
    """The inequalities as columns, as a study file keeps them."""
    names = ("quantity", "when", "value", "relation", "bound")
    return {**{name: [getattr(check, name) for check in found.checks] for name in names}, "holds": [int(check.holds) for check in found.checks]}


def perform(recipe: Recipe, laboratory: Laboratory) -> tuple[Found, Judgement]:
    """Measure and judge."""
    found = recipe.measure(laboratory)
    return found, judge(found.checks)
