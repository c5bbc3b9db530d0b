"""Recipes: every record of the registry, measured in its tiny size, comes to the verdict that is known; verdicts follow from inequalities alone."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from command_line import ROOT, dlprobe

from dlprobe import registry
from dlprobe.config import parse_toml
from dlprobe.experiments.recipe import ANSWERS, Check, Recipe, judge

RECIPES: dict[str, Recipe] = registry.records("recipe")


@functools.cache
def tiny(name: str) -> dict[str, Any]:
    outcome = dlprobe("recipe", name, "--tiny", "--threads", "1", "--format", "json")
    assert outcome.code == 0, outcome.err
    return outcome.data


@pytest.mark.parametrize("name", RECIPES)
def test_the_tiny_size_comes_to_the_known_verdict(name: str) -> None:
    found = tiny(name)
    assert (found["schema"], found["name"], found["claim"]) == ("dlprobe-recipe/1", name, RECIPES[name].claim)
    assert found["verdict"] == RECIPES[name].expected
    assert (found["verdict"] == "holds only when") is bool(found["condition"])
    assert found["measured"]


@pytest.mark.parametrize("name", RECIPES)
def test_the_verdict_is_what_the_printed_inequalities_say(name: str) -> None:
    found = tiny(name)
    checks = [Check(each["quantity"], each["value"], each["relation"], each["bound"], each["when"]) for each in found["checks"]]
    assert judge(checks).answer == found["verdict"]
    assert all(check.holds == each["holds"] for check, each in zip(checks, found["checks"], strict=True))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_every_recipe_says_claim_source_and_what_is_so_and_its_toml_is_a_configuration(recipe: Recipe) -> None:
    parse_toml(recipe.base, recipe.name)
    assert recipe.expected in ANSWERS
    assert min(map(len, (recipe.claim, recipe.source, recipe.truth))) > 15


def test_a_case_holds_if_all_its_inequalities_do() -> None:
    deep, shallow = Check("loss", 1.0, "<", 2.0, "deep"), Check("loss", 3.0, "<", 2.0, "shallow")
    assert judge([deep]).text == "holds"
    assert judge([deep, shallow]).text == "holds only when deep"
    assert judge([shallow]).text == "does not hold"
    assert judge([deep, Check("error", 0.2, ">", 0.5, "deep")]).text == "does not hold"
    assert judge([Check("loss", float("nan"), "<", 2.0), Check("loss", float("nan"), ">", 2.0)]).text == "does not hold"


def test_without_a_name_all_claims_are_listed_and_with_wrong_those_that_do_not_hold() -> None:
    listed = [each["name"] for each in dlprobe("recipe", "--format", "json").data["recipes"]]
    assert listed == list(RECIPES)
    wrong = dlprobe("recipe", "--wrong", "--format", "json").data["recipes"]
    assert [each["name"] for each in wrong] == [name for name, each in RECIPES.items() if each.expected != "holds"]
    assert RECIPES[listed[0]].claim.split()[0] in dlprobe("recipe").out


def test_the_readme_lists_every_recipe() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in RECIPES if f"`{name}`" not in text] == []


def test_a_recipe_is_measured_on_other_data_and_drawn() -> None:
    outcome = dlprobe("recipe", "sigmoid_stack", "--tiny", "--data", "wine", "--seeds", "2")
    assert outcome.code == 0
    assert "The claim" in outcome.out
    assert "wine" in outcome.out


def test_threads_change_no_number() -> None:
    assert dlprobe("recipe", "sigmoid_stack", "--tiny", "--threads", "2", "--format", "json").data == tiny("sigmoid_stack")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sigmoid_stak",), "sigmoid_stack"),
        (("--tiny",), "expected its name"),
        (("sigmoid_stack", "--wrong"), "no name beside it"),
        (("xor_hidden_layer", "--data", "wine"), "about its own data"),
        (("data_size", "--tiny", "--data", "diabetes"), "expected classification data"),
    ],
)
def test_a_wrong_call_says_what_to_type(arguments: tuple[str, ...], said: str) -> None:
    outcome = dlprobe("recipe", *arguments)
    assert outcome.code == 2
    assert said in outcome.err


def test_the_base_configuration_is_written_as_toml(tmp_path: Any) -> None:
    target = tmp_path / "base.toml"
    assert dlprobe("recipe", "sigmoid_stack", "--base", str(target)).code == 0
    assert parse_toml(target.read_text(encoding="utf-8"), "base").model.activation == parse_toml(RECIPES["sigmoid_stack"].base, "").model.activation
    assert dlprobe("recipe", "sigmoid_stack", "--base", str(target)).code == 2
