"""The JSON Schemas: no output without a schema, no schema without output, every key described, and
what the records generate is what is committed.

`Outcome.data` validates whatever any test of the command line reads; here every schema gets real
output at least once.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ROOT, TINY, dlprobe, process
from documents import CONFIGURATION, blocks
from json_schemas import form_of, problems, validator
from jsonschema import Draft202012Validator

from dlprobe import registry
from dlprobe.config import from_mapping, parse_toml, to_mapping, to_toml
from dlprobe.config.records import TABLES
from dlprobe.guide.schemas import FOLDER
from tests.guide import toml_schemas

SCHEMAS = registry.records("schema")
OUTPUTS = sorted(set(SCHEMAS) - {"run.toml", "dlprobe.toml"})
SMALL = ("--data", "wine", "--epochs", "1", "--seeds", "2")

# What gives every schema, and every form of those that have several, in this order; run.h5,
# study.h5 and log.csv are made first.
CALLS = (
    "train --data wine --layers 5,4 --epochs 2 -o new.h5",
    "inspect run.h5",
    "inspect study.h5",
    "inspect run.h5 --show layers",
    "inspect run.h5 --show metrics",
    "inspect run.h5 --show config",
    "inspect study.h5 --show config",
    "inspect run.h5 --show environment",
    "inspect run.h5 --statistic gradient_rms",
    "report run.h5",
    "report study.h5",
    "inspect study.h5 --statistic gradient_rms",
    "inspect study.h5 --statistic gradient_rms --extreme",
    "inspect run.h5 --statistic weight_histogram",
    "inspect run.h5 --statistic unit_percentiles",
    "check run.h5 --exit-zero --advise",
    "check run.h5 --exit-zero --counts",
    "diff run.h5 new.h5",
    (
        "gradients --data wine --depth 2 --activation relu --init he_normal --norm none --epochs "
        "1 --seeds 2"
    ),
    (
        "gradients --find-depth --data wine --depth 4 --activation relu --init he_normal --norm "
        "none --seeds 2"
    ),
    "gradients --map --data wine --depth 2 --axis sigma_w=1,2 --width 8 --epochs 1",
    "prescribe run.h5",
    "train run.h5 --dry-run",
    "data wine",
    "import log.csv -o imported.h5",
    "inspect weights.npz",
    "export run.h5 -o run.csv",
    "lr-find --data wine --epochs 1",
    "theory --layers 20x3 --sigma-b 0,0.3",
    "theory --against run.h5",
    "bias-variance --train-error 8% --val-error 10%",
    (
        "bias-variance --data moons(samples=40) --layers 4 --epochs 1 --replicas 4 --vary both "
        "--over width=1,2"
    ),
    "recipe",
    "recipe equal_weights --tiny",
    "explain",
    "explain rule",
    "explain relu",
    "explain vanishing",
    "explain lr",
    "explain cross_entropy --example",
    "explain G001",
    "explain json",
    "explain run.toml",
    "new",
)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What every call prints, and the findings baseline and the proof that `check` writes."""
    folder = tmp_path_factory.mktemp("outputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert dlprobe("train", *TINY, "--track-unit", "hidden_1:0", "-o", "run.h5").code == 0
        assert (
            dlprobe(
                "compare",
                "activation",
                "relu",
                "tanh",
                *SMALL,
                "-o",
                "study.h5",
                "--format",
                "json",
            ).code
            == 0
        )
        Path("log.csv").write_text("step,loss\n1,2.5\n2,2.25\n", encoding="utf-8")
        np.savez("weights.npz", **{"0.weight": np.eye(3, 4), "0.bias": np.ones(3)})
        found = [
            _printed(*shlex.split(call.replace("(", "'(").replace(")", ")'"))) for call in CALLS
        ]
        found.append(_printed("compare", "study.h5"))
        found.append(
            process(
                "doctor", "--format", "json", folder=folder, DLPROBE_CACHE_DIR=str(folder / "cache")
            ).data
        )
        assert (
            dlprobe(
                "check",
                "run.h5",
                str(ROOT / "sample_runs" / "vanishing.h5"),
                "--exit-zero",
                "--write-baseline",
                "known.json",
            ).code
            == 0
        )
        found.append(json.loads(Path("known.json").read_text(encoding="utf-8")))
        shutil.copy(ROOT / "sample_runs" / "diverged.h5", "ill.h5")
        found.append(
            dlprobe("inspect", "ill.h5", "--follow", "--until", "error", "--format", "json").data
        )
        assert dlprobe("check", "ill.h5", "--exit-zero", "--prove", "--seeds", "1").code == 0
        found.append(json.loads(Path("ill.proof.json").read_text(encoding="utf-8")))
    return found


def _printed(*arguments: str) -> dict[str, Any]:
    outcome = dlprobe(*arguments, "--format", "json")
    assert outcome.code == 0, (arguments, outcome.err)
    return json.loads(outcome.out)  # type: ignore[no-any-return]


def test_every_record_is_allowed_by_the_schema_that_it_names(records: list[dict[str, Any]]) -> None:
    assert [line for record in records for line in problems(record)] == []


def test_there_is_no_schema_without_output_and_no_output_without_schema(
    records: list[dict[str, Any]],
) -> None:
    """Every form of a schema too; and no text in the sources names a schema that is not there."""
    forms = {
        (name, form.get("title", ""))
        for name in OUTPUTS
        for form in SCHEMAS[name].content.get("anyOf", [{}])
    }
    assert {form_of(record) for record in records} == forms
    sources = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "dlprobe").rglob("*.py")
    )
    assert set(re.findall(r'(?:SCHEMA = |"schema": )"(dlprobe-[a-z-]+/\d+)"', sources)) == set(
        OUTPUTS
    )


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_key_that_nobody_described_is_refused(name: str, records: list[dict[str, Any]]) -> None:
    """At the top, and inside wherever keys are named."""
    record = next(each for each in records if each["schema"] == name)
    assert problems({**record, "undocumented": 1})
    for node in nodes(SCHEMAS[name].content):
        if "properties" in node:
            assert node["additionalProperties"] is False


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_says_what_it_is_and_what_every_key_is(name: str) -> None:
    content = SCHEMAS[name].content
    Draft202012Validator.check_schema(content)
    assert content["title"] == name
    assert content["x-commands"]
    assert [place for place, key in keys(content, content) if not key.get("description")] == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_shown_key_by_key_and_given_whole_as_json(name: str) -> None:
    content = SCHEMAS[name].content
    shown = dlprobe("explain", name).out
    assert [
        place for place, _ in keys(content, content) if place.rpartition(".")[2] not in shown
    ] == []
    assert shown.splitlines()[-1] == str(FOLDER / SCHEMAS[name].file)
    assert dlprobe("explain", f"schema:{name}", "--format", "json").data["content"] == content


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("train", "dlprobe-train/1"),
        ("lr-find", "dlprobe-lr-find/1"),
        ("schema:check", "dlprobe-check/1"),
    ],
)
def test_the_name_of_a_command_suggests_the_schema_of_what_it_prints(
    typed: str, meant: str
) -> None:
    outcome = dlprobe("explain", typed)
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert f"did you mean {meant!r}" in outcome.err


@pytest.mark.parametrize("file", toml_schemas.schemas())
def test_the_schemas_of_toml_are_what_the_records_generate(file: str) -> None:
    """Not so? `python -m tests.guide.toml_schemas` writes them anew."""
    assert FOLDER.joinpath(file).read_text(encoding="utf-8") == toml_schemas.text_of(
        toml_schemas.schemas()[file]
    )


@pytest.mark.parametrize(
    "text",
    [
        *(
            pytest.param(path.read_text(encoding="utf-8"), id=path.stem)
            for path in sorted((ROOT / "sample_runs").glob("*.toml"))
        ),
        *(
            pytest.param(recipe.base, id=name)
            for name, recipe in registry.records("recipe").items()
        ),
        *(
            pytest.param(text, id=f"page{number}")
            for number, text in enumerate(blocks("toml", CONFIGURATION))
        ),
        pytest.param(to_toml(from_mapping({})), id="dlprobe new"),
    ],
)
def test_a_configuration_that_dlprobe_reads_is_allowed(text: str) -> None:
    assert to_mapping(parse_toml(text, "text"))
    assert [error.message for error in validator("run.toml").iter_errors(tomllib.loads(text))] == []


def test_a_configuration_with_a_wrong_key_or_value_is_refused() -> None:
    for table, record in TABLES.items():
        assert not validator("run.toml").is_valid({table: {"no_such_key": 1}})
        assert set(SCHEMAS["run.toml"].content["properties"][table]["properties"]) == set(
            record.definitions
        )
    for wrong in (
        {"training": {"epochs": 0}},
        {"model": {"dropout": 1.0}},
        {"data": {"task": "clustering"}},
        {"training": {"clip_value": 0}},
        {"net": {}},
    ):
        assert not validator("run.toml").is_valid(wrong)


def test_the_project_file_of_the_readme_is_allowed_and_another_key_is_not() -> None:
    (text,) = blocks("ini")
    options = tomllib.loads(text)["tool"]["dlprobe"]
    assert validator("dlprobe.toml").is_valid(options)
    assert not validator("dlprobe.toml").is_valid({**options, "fail-at": "warning"})


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a schema."""
    if isinstance(value, dict):
        yield value
    for inner in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from nodes(inner)


def keys(
    node: dict[str, Any], whole: dict[str, Any], place: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, node) of every key that a record may have, lists and named parts followed."""
    if "$ref" in node:
        node = whole["$defs"][node["$ref"].rpartition("/")[2]]
    for name, value in node.get("properties", {}).items():
        named = whole["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else {}
        yield f"{place}.{name}", {**named, **value}
        yield from keys(value, whole, f"{place}.{name}")
    for inner in (*node.get("anyOf", ()), *([node["items"]] if "items" in node else [])):
        yield from keys(inner, whole, place)
