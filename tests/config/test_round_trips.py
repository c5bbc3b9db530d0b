"""What is written reads back equal: every legal configuration, as TOML and as a JSON-able
mapping.
"""

from __future__ import annotations

import copy
import json
import pickle
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlprobe import registry
from dlprobe.config import (
    FieldError,
    RunConfig,
    from_mapping,
    from_options,
    from_toml,
    parse_toml,
    to_mapping,
    to_toml,
    warnings_for,
    with_values,
)
from dlprobe.config.records import TABLES
from dlprobe.config.table import LARGEST_SEED

TEXTS_FOR = {
    "slope": 0.2,
    "std": 1.5,
    "beta1": 0.5,
    "epsilon": 1e-7,
    "momentum": 0.25,
    "gain": 1.41,
    "sigma_w": 1.3,
    "samples": 64,
    "noise": 0.125,
}


def names(kind: str) -> st.SearchStrategy[str]:
    """Texts of registered things, with and without parameters."""
    bare = [
        name
        for name, record in registry.records(kind).items()
        if getattr(record, "inputs_per_unit", 1) == 1
    ]  # gates ask for even widths
    dressed = [
        f"{record.name}({parameter.name}={TEXTS_FOR[parameter.name]})"
        for record in registry.records(kind).values()
        for parameter in record.parameters
        if parameter.name in TEXTS_FOR
    ]
    return st.sampled_from(bare + dressed)


@st.composite
def splits(draw: st.DrawFn) -> list[float]:
    """Three percents in eighths, so that they sum exactly."""
    train = draw(st.integers(1, 800))
    val = draw(st.integers(0, 800 - train))
    return [train / 8, val / 8, (800 - train - val) / 8]


@st.composite
def configurations(draw: st.DrawFn) -> RunConfig:
    """Legal configurations over the whole range of every field."""
    layers = draw(
        st.lists(st.integers(2, 65_536), max_size=6)
    )  # softmax and its kind refuse a layer of one unit
    one_each = st.lists(names("activation"), min_size=len(layers), max_size=len(layers))
    readable = st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1
    ).filter(str.strip)
    length = draw(
        st.sampled_from(
            [{}, {"epochs": draw(st.integers(1, 10**9))}, {"steps": draw(st.integers(1, 10**9))}]
        )
    )
    bias_inits = names("initializer").filter(lambda name: not name.startswith("lsuv"))
    schedule = draw(names("schedule"))
    return from_mapping(
        {
            "data": {
                "data": draw(names("data") | readable.map(lambda text: "./" + text)),
                "target": draw(st.just("auto") | readable),
                "task": draw(st.sampled_from(["auto", "classification", "regression"])),
                "scaling": draw(st.sampled_from(["standardize", "minmax", "robust", "none"])),
                "split": draw(splits()),
                "stratify": draw(st.booleans()),
                "data_seed": draw(st.none() | st.integers(0, LARGEST_SEED)),
            },
            "model": {
                "layers": layers,
                "activation": draw(names("activation") | one_each),
                "output_activation": draw(st.just("auto") | names("activation")),
                "init": draw(st.just("auto") | names("initializer")),
                "bias_init": draw(st.just("auto") | bias_inits),
                "bias": draw(st.booleans()),
                "norm": draw(st.just("none") | names("normalization")),
                "norm_inference": draw(st.sampled_from(["running", "train-set"])),
                "norm_position": draw(st.sampled_from(["before", "after"])),
            },
            "training": {
                "loss": draw(st.just("auto") | names("loss")),
                "optimizer": draw(names("optimizer")),
                "schedule": schedule,
                "warmup": draw(st.integers(0, 10**6)),
                "lr": draw(st.none() | st.floats(0, allow_infinity=False)),
                "batch_size": draw(st.just("full") | st.integers(1, 10**9)),
                "seed": draw(st.integers(0, LARGEST_SEED)),
                "dtype": draw(st.sampled_from(["float32", "float64"])),
                "threads": draw(st.integers(1, 64)),
                **length,
            },
            "recording": {
                "record_every": draw(st.integers(1, 10**6)),
                "evaluate_every": draw(
                    st.integers(1, 10**6)
                    if schedule.startswith("performance")
                    else st.just("never") | st.integers(1, 10**6)
                ),
                "checkpoint_every": draw(st.none() | st.integers(1, 10**6)),
            },
        }
    )


@settings(deadline=None)
@given(configurations())
def test_configuration_to_toml_and_back(config: RunConfig) -> None:
    assert parse_toml(to_toml(config), "text") == config


@settings(deadline=None)
@given(configurations())
def test_configuration_to_json_and_back(config: RunConfig) -> None:
    text = json.dumps(to_mapping(config), allow_nan=False)
    assert from_mapping(json.loads(text)) == config
    assert json.dumps(to_mapping(from_mapping(json.loads(text)))) == text


@settings(deadline=None)
@given(configurations())
def test_warnings_of_any_configuration_are_single_lines(config: RunConfig) -> None:
    assert all("\n" not in warning for warning in warnings_for(config))


@settings(deadline=None, max_examples=30)
@given(configurations())
def test_configuration_can_be_sent_to_another_process(config: RunConfig) -> None:
    assert pickle.loads(pickle.dumps(config)) == config
    assert copy.deepcopy(config) == config


def test_error_can_be_sent_to_another_process() -> None:
    error = FieldError("training", "lr", -1, "expected more")
    twin = pickle.loads(pickle.dumps(error))
    assert str(twin) == str(error)
    assert twin.key == "lr"


def test_mapping_has_exactly_the_tables_and_keys() -> None:
    mapping = to_mapping(RunConfig(), whole=True)
    assert {table: list(values) for table, values in mapping.items()} == {
        name: list(table.definitions) for name, table in TABLES.items()
    }


def test_a_younger_key_is_stored_where_it_is_not_the_default_only() -> None:
    """So a run that does not use it has the configuration, and with it the content hash, that
    it had before the key came.
    """
    assert "sep" not in to_mapping(RunConfig())["data"]
    config = from_options(None, {"sep": "blank"})
    assert to_mapping(config)["data"]["sep"] == "blank"
    assert from_mapping(to_mapping(config)) == config
    assert with_values(config, {"sep": "auto"}) == RunConfig()


def test_mapping_spells_names_short_and_lists_as_lists() -> None:
    config = from_options(
        None,
        {
            "layers": "64x2",
            "activation": "leaky-relu(slope=.2),tanh",
            "norm": "batch",
            "split": "33.5,33.5,33",
            "bias": "no",
        },
    )
    mapping: dict[str, Any] = to_mapping(config)
    assert mapping["model"]["layers"] == [64, 64]
    assert mapping["model"]["activation"] == ["leaky_relu(slope=0.2)", "tanh"]
    assert mapping["model"]["norm"] == "batch"
    assert mapping["model"]["bias"] is False
    assert mapping["data"]["split"] == [33.5, 33.5, 33]
    assert mapping["training"]["steps"] == "none"
    assert mapping["training"]["lr"] == "auto"


def test_toml_has_a_comment_above_every_key() -> None:
    lines = to_toml(RunConfig()).splitlines()
    keys = [index for index, line in enumerate(lines) if " = " in line and not line.startswith("#")]
    assert len(keys) == sum(len(table.definitions) for table in TABLES.values())
    assert all(lines[index - 1].startswith("# ") for index in keys)
    assert tomllib.loads("\n".join(lines))["training"]["batch_size"] == 32


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_file_with_byte_order_mark_and_any_line_ending_is_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "net.toml"
    path.write_bytes(("\ufeff" + to_toml(RunConfig()).replace("\n", ending)).encode())
    assert from_toml(path) == RunConfig()


def test_one_changed_value_survives_with_the_rest() -> None:
    base = from_options(None, {"optimizer": "momentum(momentum=.5)", "steps": "7"})
    changed = with_values(base, {"model.norm": "batch", "lr": 0.5})
    assert str(changed.model.norm) == "batch"
    assert changed.training.lr == 0.5
    assert with_values(changed, {"model.norm": "none", "training.lr": "auto"}) == base
