"""Every way of getting a configuration wrong gives one line: the key, the value, what is
allowed.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlprobe import registry
from dlprobe.config import (
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainingConfig,
    from_mapping,
    from_options,
    from_toml,
    parse_toml,
    to_mapping,
    to_toml,
    with_values,
)
from dlprobe.config.records import keys_by_table, other_keys
from dlprobe.errors import ConfigError

OPTIONS: list[tuple[dict[str, str], list[str]]] = [
    ({"batch_size": "0"}, ["--batch-size 0", "a whole number >= 1, or full"]),
    ({"batch_size": "32.5"}, ["--batch-size 32.5", "a whole number"]),
    ({"batch-size": "half"}, ["--batch-size half", "or full"]),
    ({"epochs": "0"}, ["--epochs 0", "a whole number >= 1"]),
    ({"epochs": "ten"}, ["--epochs ten", "a whole number >= 1"]),
    ({"epochs": "1e3"}, ["--epochs 1e3", "a whole number"]),
    ({"epochs": "3", "steps": "5"}, ["--steps 5", "epochs = 3 is given too"]),
    ({"epochs": "none"}, ["--epochs none", "steps is none too"]),
    ({"steps": "-1"}, ["--steps -1", "a whole number >= 1"]),
    ({"lr": "-0.1"}, ["--lr -0.1", "a finite number >= 0, or auto"]),
    ({"lr": "nan"}, ["--lr nan", "a finite number"]),
    ({"lr": "inf"}, ["--lr inf", "a finite number"]),
    ({"lr": "1e999"}, ["--lr 1e999", "a finite number"]),
    ({"lr": ""}, ["--lr ''", "a finite number"]),
    ({"seed": "-1"}, ["--seed -1", "0 to 9223372036854775807"]),
    ({"seed": str(2**63)}, ["--seed 9223372036854775808", "0 to 9223372036854775807"]),
    ({"seed": "9" * 5000}, ["--seed", "..."]),
    ({"dtype": "float16"}, ["--dtype float16", "float32 | float64"]),
    ({"threads": "0"}, ["--threads 0", ">= 1"]),
    ({"dropout": "1"}, ["--dropout 1", "a finite number >= 0 and < 1"]),
    ({"input_dropout": "-0.1"}, ["--input-dropout -0.1", ">= 0 and < 1"]),
    ({"drop_connect": "nan"}, ["--drop-connect nan", ">= 0 and < 1"]),
    ({"noise": "-1"}, ["--noise -1", "a finite number >= 0"]),
    ({"l2": "-1e-4"}, ["--l2 -1e-4", "a finite number >= 0"]),
    ({"max_norm": "0"}, ["--max-norm 0", "a finite number > 0, or none"]),
    ({"clip_global_norm": "-1"}, ["--clip-global-norm -1", "> 0, or none"]),
    ({"clip_value": "inf"}, ["--clip-value inf", "a finite number > 0"]),
    ({"mixup": "-0.2"}, ["--mixup -0.2", ">= 0"]),
    ({"residual": "yess"}, ["--residual yess", "known: identity, depth_scaled, rezero"]),
    ({"residual": "identity(scale=nan)"}, ["scale = 'nan'", "finite"]),
    (
        {"activation": "softmax", "layers": "1"},
        [
            "--activation softmax",
            "hidden_1 it is always 1 and no gradient passes",
            "two units or more",
        ],
    ),
    ({"activation": "relu,log_softmax", "layers": "8,1"}, ["hidden_2 it is always 0"]),
    ({"input_norm": "bach"}, ["--input-norm bach", "did you mean 'batch'?"]),
    ({"loss": "cross_entrpy"}, ["--loss cross_entrpy", "did you mean 'cross_entropy'?", "auto"]),
    ({"optimizer": "adamm"}, ["--optimizer adamm", "did you mean 'adam'?", "known: ", "sgd"]),
    ({"optimizer": "adam(beta1=1)"}, ["beta1 = '1'", ">= 0 and < 1"]),
    (
        {"optimizer": "adam(beta3=1)"},
        ["'beta3'", "known: beta1, beta2, epsilon, bias_correction, keras_epsilon"],
    ),
    ({"optimizer": "auto"}, ["unknown optimizer 'auto'"]),
    ({"optimizer": "adam(lr=0.1)"}, ["adam: 'lr' is no parameter: expected the key lr"]),
    ({"optimizer": "sgd(learning-rate=0.1)"}, ["expected the key lr of the configuration"]),
    ({"init": "kaiming_normal"}, ["did you mean 'he_normal'?"]),
    ({"init": "xavier-uniform"}, ["did you mean 'glorot_uniform'?"]),
    ({"activation": "Swish"}, ["did you mean 'silu'?"]),
    ({"loss": "bce"}, ["did you mean 'binary_cross_entropy'?"]),
    ({"learning_rate": "0.1"}, ["unknown option 'learning_rate'", "did you mean 'lr'?"]),
    ({"init": "he"}, ["unknown initializer 'he'", "known:"]),
    ({"init": "normal(std=-1)"}, ["--init 'normal(std=-1)'", "std = '-1'", ">= 0"]),
    ({"init": "normal(std=nan)"}, ["std = 'nan'", "finite"]),
    ({"init": "normal(1)"}, ["'1' is not key=value", "std"]),
    (
        {"schedule": "piecewise(boundaries=10,20,unit=step)"},
        ["'20' is not key=value", 'needs quotes, boundaries="10,20"'],
    ),
    ({"init": "normal(std=1"}, ["unclosed parenthesis"]),
    ({"init": "normal std=1)"}, ["closes a parenthesis that was not opened"]),
    ({"init": "normal(std=1)x"}, ["'x' follows the closing parenthesis"]),
    ({"init": "normal(std=1, std=2)"}, ["'std' is given twice"]),
    ({"init": "normal(std=)"}, ["'std=' is not key=value"]),
    ({"init": "zeros(value=1)"}, ["zeros takes no parameters", "'value'"]),
    ({"bias_init": "lsuv"}, ["--bias-init lsuv", "expected an initializer that draws numbers"]),
    ({"activation": "rleu"}, ["--activation rleu", "did you mean 'relu'?"]),
    ({"activation": ""}, ["--activation ''", "0 activations for 2 hidden layers"]),
    (
        {"activation": "relu,tanh,relu"},
        ["--activation relu,tanh,relu", "3 activations for 2 hidden layers"],
    ),
    ({"activation": "relu,,tanh"}, ["empty item"]),
    ({"norm": "bach"}, ["--norm bach", "did you mean 'batch'?", "none"]),
    ({"norm": "batch(momentum=2)"}, ["momentum = '2'", ">= 0 and <= 1"]),
    (
        {"weight_transform": "weight_standardization", "drop_connect": "0.1"},
        ["--weight-transform", "drop_connect = 0.1 is given too"],
    ),
    ({"norm_inference": "batch"}, ["--norm-inference batch", "running | train_set"]),
    ({"norm": "group(groups=0)"}, ["groups = '0'", ">= 1"]),
    ({"norm": "layer(ddof=2)"}, ["ddof = '2'", "<= 1"]),
    ({"norm_position": "between"}, ["--norm-position between", "before | after"]),
    ({"bias": "maybe"}, ["--bias maybe", "yes | no"]),
    ({"layers": "100x"}, ["--layers 100x", "100x20"]),
    ({"layers": "0"}, ["--layers 0", "1 to 65536"]),
    ({"layers": "65537"}, ["--layers 65537", "1 to 65536"]),
    ({"layers": "10x0"}, ["--layers 10x0", "100x20"]),
    ({"layers": "10,,10"}, ["--layers 10,,10", "300,100"]),
    ({"layers": "1x1000000000"}, ["--layers 1x1000000000", "at most 10000 hidden layers"]),
    ({"split": "60,20"}, ["--split 60,20", "three percents that sum to 100"]),
    ({"split": "60,20,21"}, ["--split 60,20,21", "three percents that sum to 100"]),
    ({"split": "0,50,50"}, ["--split 0,50,50", "the first > 0"]),
    ({"split": "120,-10,-10"}, ["--split 120,-10,-10", "three percents"]),
    ({"split": "nan,nan,nan"}, ["three percents"]),
    ({"stratify": "1"}, ["--stratify 1", "yes | no"]),
    ({"label_noise": "1.5"}, ["--label-noise 1.5", "a number, 0 to 1"]),
    ({"outliers": "-0.1"}, ["--outliers -0.1", "a number, 0 to 1"]),
    ({"init": "sparse(sparsity=1)"}, ["sparsity = '1'", ">= 0 and < 1"]),
    ({"init": "variance_scaling(mode=fan)"}, ["mode = 'fan'", "fan_in | fan_out | fan_avg"]),
    ({"scaling": "standard"}, ["--scaling standard", "standardize | minmax | robust | none"]),
    ({"task": "clustering"}, ["--task clustering", "auto | classification | regression"]),
    ({"data": "digit"}, ["--data digit", "did you mean 'digits'?", "./digit"]),
    ({"data": "gaussian(samples=0)"}, ["--data", "samples = '0'", "a whole number"]),
    ({"data": ""}, ["--data ''", "the name of a data set is empty"]),
    ({"data": "bad\udcff.csv"}, ["--data", "\\udcff"]),
    ({"target": " "}, ["--target", "text that is not empty"]),
    ({"data_seed": "x"}, ["--data-seed x", "or auto"]),
    ({"record_every": "0"}, ["--record-every 0", ">= 1"]),
    ({"evaluate_every": "sometimes"}, ["--evaluate-every sometimes", "or never"]),
    ({"checkpoint_every": "0"}, ["--checkpoint-every 0", "or never"]),
    ({"batchsize": "3"}, ["unknown option 'batchsize'", "did you mean 'batch_size'?"]),
]


def one_line(error: ConfigError) -> str:
    text = str(error)
    assert "\n" not in text
    assert "pydantic" not in text
    return text


@pytest.mark.parametrize(
    ("options", "fragments"),
    OPTIONS,
    ids=lambda value: str(value)[:40].encode("ascii", "replace").decode(),
)
def test_bad_option_names_option_value_and_what_is_allowed(
    options: dict[str, str], fragments: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        from_options(None, options)
    for fragment in fragments:
        assert fragment in one_line(caught.value)


MAPPINGS: list[tuple[Any, list[str]]] = [
    ([], ["expected the tables data, model, training, recording", "[]"]),
    ({"training": 3}, ["training = 3", "expected a table"]),
    ({"trainin": {}}, ["unknown table 'trainin'", "did you mean 'training'?"]),
    ({"lr": 0.1}, ["'lr'", "belongs in the table [training]"]),
    ({"training": {"layers": [3]}}, ["'layers' in [training]", "belongs in the table [model]"]),
    (
        {"training": {"learning_rate": 0.1}},
        ["[training] unknown key 'learning_rate': did you mean 'lr'?"],
    ),
    (
        {"model": {"initializer": "zeros"}},
        ["[model] unknown key 'initializer': did you mean 'init'?"],
    ),
    ({"model": {"learning_rate": 0.1}}, ["did you mean 'lr' in [training]?"]),
    ({"dataset": "wine"}, ["unknown key 'dataset': did you mean 'data' in [data]?"]),
    (
        {"model": {"norm": False}},
        ["model.norm = false", "expected the name of a normalization", "or none, found false"],
    ),
    (
        {"training": {"layrs": [3]}},
        ["[training] unknown key 'layrs'", "did you mean 'layers' in [model]?"],
    ),
    (
        {"training": {"batch_sise": 3}},
        ["[training] unknown key 'batch_sise'", "did you mean 'batch_size'?"],
    ),
    ({"training": {3: 3}}, ["[training]: the key 3 is not text"]),
    ({"training": {"batch-size": 1, "batch_size": 2}}, ["[training]: 'batch_size' is given twice"]),
    (
        {"training": {"batch_size": True}},
        ["training.batch_size = true", "a whole number >= 1, or full"],
    ),
    ({"training": {"batch_size": 32.0}}, ["training.batch_size = 32.0", "a whole number"]),
    ({"training": {"batch_size": None}}, ["training.batch_size = null", "a whole number"]),
    ({"training": {"seed": 10**5000}}, ["training.seed", "0 to 9223372036854775807"]),
    ({"training": {"lr": [0.1]}}, ["training.lr = [0.1]", "a finite number >= 0, or auto"]),
    ({"training": {"lr": 10**400}}, ["training.lr", "a finite number"]),
    ({"training": {"seed": date(1979, 5, 27)}}, ["training.seed", "1979"]),
    (
        {"training": {"optimizer": None}},
        ["training.optimizer = null", "expected the name of an optimizer"],
    ),
    ({"training": {"optimizer": {"beta1": 0.9}}}, ["expected a table with the key name"]),
    (
        {"training": {"optimizer": {"name": "adam", "beta1": "high"}}},
        ["beta1 = 'high'", "a finite number >= 0 and < 1"],
    ),
    ({"training": {"optimizer": {"name": "adam", 1: 2}}}, ["the key 1 is not text"]),
    ({"training": {"optimizer": {"name": "batch"}}}, ["unknown optimizer 'batch'"]),
    ({"model": {"layers": [10, "x"]}}, ["model.layers = [10, 'x']", "units of each hidden layer"]),
    ({"model": {"layers": {"a": 1}}}, ["model.layers", "units of each hidden layer"]),
    ({"model": {"activation": ["relu"]}}, ["1 activations for 2 hidden layers"]),
    ({"model": {"activation": 3}}, ["model.activation = 3", "expected the name of an activation"]),
    ({"model": {"bias": 1}}, ["model.bias = 1", "yes | no"]),
    ({"data": {"split": "60;20;20"}}, ["data.split", "three percents"]),
    ({"data": {"data": 3}}, ["data.data = 3", "expected the name of a data set"]),
    ({"data": {"target": 3}}, ["data.target = 3", "text that is not empty, or auto"]),
]


@pytest.mark.parametrize(("mapping", "fragments"), MAPPINGS, ids=lambda value: str(type(value)))
def test_bad_mapping_names_table_key_and_what_is_allowed(
    mapping: Any, fragments: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(mapping)
    for fragment in fragments:
        assert fragment in one_line(caught.value)


TEXTS: list[tuple[str, list[str]]] = [
    ("[training]\nlr = \n", ["net.toml, line 2, column 6: not TOML: Invalid value"]),
    ("[training]\nlr = 1\nlr = 2\n", ["net.toml, line 3", "not TOML: this key is given twice"]),
    (
        '[model]\nnorm = "batch"\n[model]\n',
        ["net.toml, line 3", "not TOML: the table [model] is given twice: join its keys"],
    ),
    (
        '[model.norm]\nname = "batch"\nmomentum = 2\n',
        ["net.toml, line 1: model.norm", "momentum = 2: expected"],
    ),
    (
        "[[model]]\nlayers = [5]\n",
        ["net.toml, line 1: model = [{'layers': [5]}]: expected a table"],
    ),
    ("\nmodel = 3\n", ["net.toml, line 2: model = 3: expected a table"]),
    ("[training", ["net.toml, line 1", "not TOML"]),
    ("[training]\n\nlr = -1\n", ["net.toml, line 3: training.lr = -1", "or auto"]),
    ("[training]\nbatch-size = 0\n", ["net.toml, line 2: training.batch_size = 0"]),
    ("training.lr = -1\n", ["net.toml, line 1: training.lr = -1"]),
    ("# hello\nlr = 1\n", ["net.toml, line 2: 'lr'", "belongs in the table [training]"]),
    (
        "[model]\n\n[trianing]\n",
        ["net.toml, line 3: unknown table 'trianing'", "did you mean 'training'?"],
    ),
    (
        "[model]\nlayers=[3]\n[training]\nlayers = [3]\n",
        ["net.toml, line 4: 'layers' in [training]"],
    ),
    (
        "[training]\nepochs = 1\nsteps = 2\n",
        ["net.toml, line 3: training.steps = 2: epochs = 1 is given too"],
    ),
    ("x = " + "[" * 5000, ["net.toml: not a configuration: it is nested too deeply"]),
    ("[training]\nseed = " + "9" * 5000, ["net.toml: not TOML"]),
    ("[training]\nlr = nan\n", ["net.toml, line 2: training.lr = nan", "a finite number"]),
]


@pytest.mark.parametrize(("text", "fragments"), TEXTS, ids=lambda value: str(value)[:30])
def test_bad_toml_names_file_and_line(text: str, fragments: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_toml(text, "net.toml")
    for fragment in fragments:
        assert fragment in one_line(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[training]\nlr = 1\n# \xff\n", "line 3: byte 0xff is not UTF-8 text"),
        ("[training]\n".encode("utf-16"), "line 1: byte 0xff is not UTF-8 text"),
        (b"\x89HDF\r\n\x1a\n and more", "is an HDF5 file, expected a TOML file"),
        (b"#" * 1_000_001, "is larger than 1,000,000 bytes"),
    ],
)
def test_file_that_is_no_toml_is_one_clear_line(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "net.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        from_toml(path)
    assert one_line(caught.value).startswith(str(path))
    assert expected in str(caught.value)


@pytest.mark.parametrize("text", ["residual = false", 'residual = "false"', 'residual = "no"'])
def test_what_yes_switches_on_false_switches_off(text: str) -> None:
    assert parse_toml(f"[model]\n{text}\n", "net.toml").model.residual is None


def test_names_of_other_tools_are_told_and_never_names_here() -> None:
    """An alias that were a name of the same kind would be advice to type something else than
    what was meant.
    """
    for kind in registry.kinds():
        assert not set(registry.other_names(kind)) & set(registry.records(kind))
    assert not set(other_keys()) & set(KEYS)
    assert set(other_keys().values()) <= set(KEYS)


def test_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml: no such file.*dlprobe new"):
        from_toml(tmp_path / "no.toml")


def test_folder_is_not_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory, expected a TOML file"):
        from_toml(tmp_path)


@pytest.mark.parametrize("name", ["a\0b.toml", "x" * 400, "a\nb"])
def test_impossible_file_name_is_one_line(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_toml(name)
    one_line(caught.value)


def test_record_made_by_hand_gives_the_same_errors() -> None:
    with pytest.raises(
        ConfigError, match=r"training\.lr = -1: expected a finite number >= 0, or auto"
    ):
        TrainingConfig(lr=-1)
    with pytest.raises(ConfigError, match="belongs in the table"):
        DataConfig(layers=3)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match=r"data = 3: expected a table"):
        RunConfig(data=3)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"2 activations for 3 hidden layers"):
        RunConfig(model={"layers": (1, 2, 3), "activation": "relu,tanh"})  # type: ignore[arg-type]


def test_with_values_names_an_unknown_key() -> None:
    with pytest.raises(ConfigError, match="did you mean 'norm'"):
        with_values(RunConfig(), {"model.nrom": "batch"})
    with pytest.raises(ConfigError, match="unknown table 'modle': did you mean 'model'"):
        with_values(RunConfig(), {"modle.norm": "batch"})
    with pytest.raises(ConfigError, match="'lr' is given twice"):
        with_values(RunConfig(), {"training.lr": 1, "lr": 2})


KEYS = [key for keys in keys_by_table().values() for key in keys]
words = st.sampled_from(
    [
        "auto",
        "none",
        "full",
        "never",
        "yes",
        "relu",
        "normal(std=1)",
        "adam(",
        "100x20",
        "1,2",
        "nan",
        "digits",
        "a.csv",
        "",
    ]
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | words
    | st.binary(max_size=3)
    | st.dates()
    | st.sampled_from([10**400, {1}, int])
)
junk = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.just("name") | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)
tables = st.dictionaries(st.sampled_from(KEYS) | st.text(), junk, max_size=4)
configurations = st.dictionaries(
    st.sampled_from(["data", "model", "training", "recording"]) | st.text(max_size=5),
    tables | junk,
    max_size=4,
)


@settings(max_examples=1000, deadline=None)
@given(configurations | junk)
def test_junk_gives_a_configuration_or_one_line(mapping: Any) -> None:
    try:
        config = from_mapping(mapping)
    except ConfigError as error:
        one_line(error)
    else:
        assert from_mapping(to_mapping(config)) == config


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KEYS), junk)
def test_junk_for_one_key_gives_a_configuration_or_one_line(key: str, value: Any) -> None:
    try:
        config = with_values(RunConfig(), {key: value})
    except ConfigError as error:
        one_line(error)
    else:
        assert from_mapping(to_mapping(config)) == config


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KEYS), st.text() | words)
def test_any_option_text_gives_a_configuration_or_one_line(key: str, text: str) -> None:
    try:
        config = from_options(None, {key: text})
    except ConfigError as error:
        one_line(error)
    else:
        assert from_options(None, {key: text}) == from_mapping(to_mapping(config)) == config


@settings(max_examples=300, deadline=None)
@given(
    st.text()
    | st.builds("[training]\n{}".format, st.text())
    | st.builds("[{}]\n{} = {}".format, st.text(max_size=9), st.sampled_from(KEYS), st.text())
)
def test_any_text_as_toml_gives_a_configuration_or_one_line(text: str) -> None:
    try:
        config = parse_toml(text, "net.toml")
    except ConfigError as error:
        one_line(error)
    else:
        assert parse_toml(to_toml(config), "again.toml") == config


def test_model_config_is_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        ModelConfig().bias = False
