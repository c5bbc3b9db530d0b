"""A recipe as an experiment: its base configuration, measured in a laboratory, and what a study
file keeps of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dlprobe import registry
from dlprobe.config import RunConfig, parse_toml, with_values
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.experiments.experiment import Experiment, Means
from dlprobe.experiments.laboratory import Laboratory, Stopped
from dlprobe.experiments.recipe import Found, Judgement, Recipe, judge
from dlprobe.experiments.study import StudyResult
from dlprobe.runs import Study
from dlprobe.training.prepared_sets import PreparedSets


def base_of(recipe: Recipe, tiny: bool, data: str | None, target: str | None = None) -> RunConfig:
    """What all runs of a recipe begin with, evaluated at their end alone unless the recipe says
    otherwise. Raises ConfigError where the claim is about its own data only.
    """
    config = parse_toml(recipe.base, f"recipe {recipe.name}")
    quiet = {"recording.histogram_every": "never"}
    if "evaluate_every" not in recipe.base:
        quiet["recording.evaluate_every"] = "never"
    config = with_values(config, {**quiet, **(recipe.tiny if tiny else {})})
    if data is None:
        if target is not None:
            raise ConfigError(
                "--target names the label column of a file: expected --data FILE with it"
            )
        return config
    if recipe.own_data:
        raise ConfigError(
            f"recipe {recipe.name} is about its own data, {config.data.data}: expected no "
            "--data; run it without"
        )
    return with_values(
        config,
        {
            "data.data": data,
            "data.scaling": "standardize",
            **({} if target is None else {"data.target": target}),
        },
    )


@dataclass(frozen=True)
class RecipeResult:
    """What was measured, and the verdict."""

    found: Found
    judgement: Judgement


@dataclass(frozen=True)
class RecipeExperiment(Experiment[Found, RecipeResult]):
    """A recipe, which asks its laboratory for runs as it goes."""

    name = "recipe"

    recipe: Recipe
    laboratory: Laboratory

    @classmethod
    def restore(cls, study: Study, told: Callable[[str], None]) -> RecipeExperiment:
        """The recipe whose runs a study holds, to be measured again without training. Raises
        ConfigError where the file does not say enough.
        """
        options, seeds = study.description.get("options", {}), study.axes.get("seed", [])
        if (
            not isinstance(options, dict)
            or not isinstance(options.get("tiny"), bool)
            or "given" not in options
            or not all(type(seed) is int for seed in seeds)
        ):
            raise ConfigError(
                f"{study.path} does not say how it was made: it was written by an older "
                "dlprobe; measure the recipe again with -o"
            )
        recipe = registry.get("recipe", str(options.get("recipe")))
        own_data = bool(options["given"])
        base = base_of(
            recipe,
            options["tiny"],
            str(options.get("data")) if own_data else None,
            options.get("target") if own_data else None,
        )
        return cls(
            recipe,
            Laboratory(
                base, PreparedSets(told=told), seeds, options["tiny"], given=own_data, saved=study
            ),
        )

    @property
    def doing(self) -> str:  # type: ignore[override]  # names the recipe
        """What the progress line says."""
        return f"measuring {self.recipe.name}"

    def train(self, means: Means, finished: Mapping[str, Found]) -> StudyResult[Found]:
        """Measure the recipe; a measurement that is stopped gives nothing."""
        room = replace(
            self.laboratory,
            threads=means.threads,
            stop=means.stop,
            progress=means.progress,
            writer=means.writer,
        )
        try:
            return StudyResult({self.recipe.name: self.recipe.measure(room)}, complete=True)
        except Stopped:
            return StudyResult({}, complete=False)

    def conclude(self, results: Mapping[str, Found], complete: bool) -> RecipeResult | None:
        """The verdict that follows from the inequalities."""
        return next(
            (
                RecipeResult(measurement, judge(measurement.checks))
                for measurement in results.values()
            ),
            None,
        )

    def describe(self) -> dict[str, Any]:
        """The recipe whose runs are kept."""
        data = self.laboratory.base.data
        options = {
            "recipe": self.recipe.name,
            "data": data.data,
            "target": data.target,
            "given": self.laboratory.given,
            "tiny": self.laboratory.tiny,
        }
        claim = {"says": self.recipe.claim, "source": self.recipe.source}
        return {
            "experiment": self.name,
            "axes": {"seed": list(self.laboratory.seeds)},
            "options": options,
            "claim": claim,
        }

    def table(self, result: RecipeResult) -> dict[str, list[Any]]:
        """The inequalities as columns, one row each."""
        checks = result.found.checks
        names = ("quantity", "when", "value", "relation", "bound")
        return {
            **{name: [getattr(check, name) for check in checks] for name in names},
            "holds": [int(check.holds) for check in checks],
        }
