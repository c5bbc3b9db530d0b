"""Recipes: every record of the registry, measured in its tiny size; verdicts follow from
inequalities alone, and from theory where it decides the claim.
"""

from __future__ import annotations

import functools
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from command_line import dlprobe
from recipe_theory import PREDICTIONS

import dlprobe as package
from dlprobe import registry
from dlprobe.config import from_options, parse_toml, with_values
from dlprobe.experiments.laboratory import Laboratory
from dlprobe.experiments.recipe import Answer, Check, Recipe, judge
from dlprobe.experiments.recipes.optimization import GOAL, Bowl
from dlprobe.runs import Study, StudyWriter
from dlprobe.training.prepared_sets import PreparedSets

RECIPES: dict[str, Recipe] = registry.records("recipe")


@functools.cache
def tiny(name: str) -> dict[str, Any]:
    outcome = dlprobe("recipe", name, "--tiny", "--threads", "1", "--format", "json")
    assert outcome.code == 0, outcome.err
    return outcome.data


def on_its_side(value: float | None, check: dict[str, Any]) -> bool:
    """Whether a value is where the claim asks for it; null (NaN or infinite) is nowhere."""
    return value is not None and (
        value < check["bound"] if check["relation"] == "<" else value > check["bound"]
    )


def assert_verdict(outcome: dict[str, Any], sides: list[bool]) -> None:
    """Verdict and condition are what follows of which cases have all inequalities on the claim's
    side; the condition names the first such case, and of the others at least the end.
    """
    checks, condition = outcome["checks"], outcome["condition"].split(" or ")
    broken = {check["when"] for check, side in zip(checks, sides, strict=True) if not side}
    cases = dict.fromkeys(check["when"] for check in checks)
    kept = [case for case in cases if case not in broken] if broken else [""]
    answer = "does not hold" if not kept else "holds only when" if broken else "holds"
    assert outcome["verdict"] == answer
    assert condition[0] == (kept[0] if kept else "")
    assert len(condition) == max(len(kept), 1)
    assert all(case.endswith(part) for case, part in zip(kept, condition, strict=False))
    assert all(part or not broken or not kept for part in condition)


@pytest.mark.parametrize("name", RECIPES)
def test_the_verdict_is_what_the_printed_inequalities_say(name: str) -> None:
    found = tiny(name)
    sides = [on_its_side(check["value"], check) for check in found["checks"]]
    assert (found["schema"], found["name"], found["claim"]) == (
        "dlprobe-recipe/1",
        name,
        RECIPES[name].claim,
    )
    assert [check["holds"] for check in found["checks"]] == sides
    assert_verdict(found, sides)
    assert found["measured"]


@pytest.mark.parametrize("name", PREDICTIONS)
def test_the_verdict_is_what_theory_says(name: str) -> None:
    """Case by case, from closed forms that know nothing of dlprobe; and the verdict that is
    listed as known follows from them too.
    """
    found = tiny(name)
    sides = [on_its_side(PREDICTIONS[name](check), check) for check in found["checks"]]
    assert [check["holds"] for check in found["checks"]] == sides
    assert_verdict(found, sides)
    assert RECIPES[name].expected == found["verdict"]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_every_recipe_says_claim_source_and_what_is_so_and_its_toml_is_a_configuration(
    recipe: Recipe,
) -> None:
    parse_toml(recipe.base, recipe.name)
    assert recipe.expected in get_args(Answer)
    assert min(map(len, (recipe.claim, recipe.source, recipe.truth))) > 15
    assert recipe.tries


@pytest.mark.parametrize("line", sorted({line for each in RECIPES.values() for line in each.tries}))
def test_what_to_try_oneself_is_a_command(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the first run, which a Ctrl-C ends."""

    def interrupted(*args: object, **options: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dlprobe.training.trainer.start", interrupted)
    program, *arguments = shlex.split(line)
    assert program == "dlprobe"
    assert dlprobe(*arguments).code in (0, 130)


def test_a_case_holds_if_all_its_inequalities_do() -> None:
    deep, shallow = Check("loss", 1.0, "<", 2.0, "deep"), Check("loss", 3.0, "<", 2.0, "shallow")
    assert judge([deep]).text == "holds"
    assert judge([deep, shallow]).text == "holds only when deep"
    assert judge([shallow]).text == "does not hold"
    wide = [Check("loss", 1.0, "<", 2.0, f"width is {width}") for width in (8, 64)]
    assert judge([*wide, shallow]).text == "holds only when width is 8 or 64"
    assert judge([deep, Check("error", 0.2, ">", 0.5, "deep")]).text == "does not hold"
    assert (
        judge([Check("loss", float("nan"), "<", 2.0), Check("loss", float("nan"), ">", 2.0)]).text
        == "does not hold"
    )


def test_without_a_name_all_claims_are_listed_and_with_wrong_those_that_do_not_hold() -> None:
    listed = [each["name"] for each in dlprobe("recipe", "--format", "json").data["recipes"]]
    assert listed == list(RECIPES)
    wrong = dlprobe("recipe", "--wrong", "--format", "json").data["recipes"]
    assert [each["name"] for each in wrong] == [
        name
        for name, each in RECIPES.items()
        if each.expected != "holds" and each.support == "said"
    ]
    assert RECIPES[listed[0]].claim.split()[0] in dlprobe("recipe").out


def test_a_recipe_is_measured_on_other_data_and_drawn() -> None:
    outcome = dlprobe("recipe", "sigmoid_stack", "--tiny", "--data", "wine", "--seeds", "2")
    assert outcome.code == 0
    assert "The claim" in outcome.out
    assert "wine" in outcome.out


def test_threads_change_no_number() -> None:
    assert dlprobe(
        "recipe", "sigmoid_stack", "--tiny", "--threads", "2", "--format", "json"
    ).data == tiny("sigmoid_stack")


def test_kept_runs_are_a_study_and_change_no_number(tmp_path: Path) -> None:
    name, hashes = "batch_norm_training", []  # one with instruments
    for threads in ("1", "2"):
        path = tmp_path / f"{threads}.h5"
        assert dlprobe(
            "recipe", name, "--tiny", "--threads", threads, "-o", str(path), "--format", "json"
        ).data == tiny(name)
        with package.open_run(path) as study:
            assert isinstance(study, Study)
            hashes.append(study.content_sha256)
            assert (study.status, study.description["options"]["recipe"]) == ("finished", name)
            assert list(study.table["holds"]) == [
                int(check["holds"]) for check in tiny(name)["checks"]
            ]
            assert all(set(each) == {"variant", "seed"} for each in study.coordinates.values())
    assert hashes[0] == hashes[1]
    assert dlprobe("inspect", str(path)).code == 0
    assert dlprobe("recipe", name, "--tiny", "-o", str(path)).code == 2


def test_the_rounds_of_a_recipe_go_into_one_study(tmp_path: Path) -> None:
    config = with_values(parse_toml(RECIPES["bowl_paths"].base, ""), {"training.steps": 2})
    writer = StudyWriter.create(tmp_path / "rounds.h5", {"experiment": "recipe"})
    room = Laboratory(config, PreparedSets(), (0, 1), False, 1, writer=writer)
    room.run({"again": {}})
    replace(room, seeds=(0,)).run({"again": {}, "slow": {"training.lr": 1e-5}})
    assert writer.ids == {"1-again-seed0", "1-again-seed1", "2-again-seed0", "3-slow-seed0"}
    writer.close()


def test_descent_crosses_a_bowl_as_its_curvatures_say() -> None:
    # mean of squares, full batch: an error along a direction of curvature λ is multiplied by 1 −
    # 2ηλ per update
    config = with_values(
        parse_toml(RECIPES["bowl_paths"].base, ""),
        {"data.data": "linear(samples=60, features=3)", "training.steps": 60},
    )
    room = Laboratory(config, PreparedSets(), (3,), False, 1)  # its runs draw data by this seed
    data, rate = room.data(), 0.05
    inputs = np.column_stack([data.inputs["train"], np.ones(60)])
    curvatures, directions = np.linalg.eigh(inputs.T @ inputs / 60)
    bowl = Bowl("a bowl", room, {})
    excess = [
        np.sum(
            curvatures * ((directions.T @ bowl.best[:, 0]) * (1 - 2 * rate * curvatures) ** t) ** 2
        )
        for t in range(61)
    ]
    expected = next(t for t, each in enumerate(excess) if each <= GOAL * excess[0])
    assert bowl.fewest("sgd", np.array([rate])) == (expected, rate)
    assert bowl.condition == pytest.approx(curvatures[-1] / curvatures[0])
    assert bowl.path("sgd", expected, rate).shape == (expected + 1, 2)


def test_a_file_of_ones_own_names_its_label_column(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [
        f"{x:.3f},{y:.3f},{'up' if y > x else 'down'}" for x, y in rng.standard_normal((60, 2))
    ]
    (tmp_path / "points.csv").write_text("\n".join(["x,y,side", *lines]), encoding="utf-8")
    outcome = dlprobe(
        "recipe",
        "regions_by_depth",
        "--tiny",
        "--data",
        str(tmp_path / "points.csv"),
        "--target",
        "side",
    )
    assert outcome.code == 0, outcome.err
    assert "decision regions" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sigmoid_stak",), "sigmoid_stack"),
        (("--tiny",), "expected its name"),
        (("sigmoid_stack", "--wrong"), "no name beside it"),
        (("xor_hidden_layer", "--data", "wine"), "about its own data"),
        (("data_size", "--tiny", "--data", "diabetes"), "expected classification data"),
        (("deep_linear", "--tiny", "--data", "wine"), "expected regression data"),
        (("data_size", "--tiny", "--target", "label"), "expected --data FILE"),
        (("-o", "runs.h5"), "expected its name"),
    ],
)
def test_a_wrong_call_says_what_to_type(arguments: tuple[str, ...], said: str) -> None:
    outcome = dlprobe("recipe", *arguments)
    assert outcome.code == 2
    assert said in outcome.err


def test_the_base_configuration_is_written_as_toml(tmp_path: Any) -> None:
    target = tmp_path / "base.toml"
    assert dlprobe("recipe", "sigmoid_stack", "--base", str(target)).code == 0
    assert (
        parse_toml(target.read_text(encoding="utf-8"), "base").model.activation
        == parse_toml(RECIPES["sigmoid_stack"].base, "").model.activation
    )
    assert dlprobe("recipe", "sigmoid_stack", "--base", str(target)).code == 2


def test_notes_of_data_that_are_prepared_twice_are_told_once(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    rows = [f"{number},{number % 7},{'ab'[number % 2]}" for number in range(40)]
    table.write_text("\n".join(["first,second,kind", *rows]), encoding="utf-8")
    told: list[str] = []
    sets = PreparedSets(told=told.append)
    first, second = (
        sets.of(from_options(None, {"data": str(table), "scaling": scaling}))
        for scaling in ("none", "standardize")
    )
    assert first.fingerprint != second.fingerprint
    assert "table.csv: row 1 is the header" in told
    assert len(set(told)) == len(told)
