"""Names with parameters: one notation everywhere."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dlprobe import registry
from dlprobe.config.naming import parse_spec, split_list
from dlprobe.errors import ConfigError
from dlprobe.registry import Parameter, Spec, Value


class Named:
    """A record with one parameter of every type."""

    name = "kitchen_sink"
    summary = "for tests"
    parameters = (
        Parameter("samples", 10, "a whole number", low=1, high=99),
        Parameter("noise", 0.5, "a number", low=0.0, open_low=True),
        Parameter("shuffle", True, "yes or no"),
        Parameter("side", "left", "a choice", choices=("left", "far_right")),
        Parameter("title", "none", "free text"),
    )


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(registry._records, "thing", {"kitchen_sink": Named()})
    monkeypatch.setitem(registry.HOMES, "thing", "dlprobe.errors")
    return "thing"


@pytest.mark.parametrize(
    "text",
    [
        "leaky_relu(slope=0.2)",
        "leaky-relu(slope=.2)",
        " Leaky_ReLU ( slope = 2e-1 ) ",
        {"name": "leaky-relu", "slope": 0.2},
    ],
)
def test_spellings_of_one_name_are_one_spec(text: object) -> None:
    spec = parse_spec("activation", text)  # type: ignore[arg-type]
    assert spec == Spec("activation", "leaky_relu", {"slope": 0.2}, ("slope",))
    assert str(spec) == "leaky_relu(slope=0.2)"


def test_defaults_are_filled_in_and_what_was_given_is_kept() -> None:
    spec = parse_spec("initializer", "mean_field(sigma-b=0.1)")
    assert spec.parameters == {"sigma_w": 1.0, "sigma_b": 0.1}
    assert spec.given == ("sigma_b",)
    assert str(spec) == "mean_field(sigma_b=0.1)"


def test_order_of_parameters_does_not_matter() -> None:
    assert parse_spec("optimizer", "adam(beta2=0.9, beta1=0.8)") == parse_spec(
        "optimizer", "adam(beta1=0.8, beta2=0.9)"
    )


def test_whole_number_serves_as_a_number() -> None:
    value = parse_spec("initializer", {"name": "normal", "std": 2}).parameters["std"]
    assert value == 2.0
    assert isinstance(value, float)


def test_empty_parentheses_are_the_bare_name() -> None:
    assert parse_spec("activation", "relu()") == parse_spec("activation", "relu")


def test_spec_made_by_hand_is_completed() -> None:
    spec = parse_spec("optimizer", Spec("optimizer", "adam", {"beta1": 0.5}))
    assert spec == parse_spec("optimizer", "adam(beta1=0.5)")


def test_spec_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected an optimizer, found the activation relu"):
        parse_spec("optimizer", parse_spec("activation", "relu"))


def test_every_type_of_parameter_is_read_from_text(sink: str) -> None:
    spec = parse_spec(
        sink,
        "kitchen-sink(samples=7, noise=1e-3, shuffle=no, side=far-right, title=\"a, (b) = 'c'\")",
    )
    assert spec.parameters == {
        "samples": 7,
        "noise": 0.001,
        "shuffle": False,
        "side": "far_right",
        "title": "a, (b) = 'c'",
    }
    assert parse_spec(sink, str(spec)) == spec


def test_quotes_belong_to_the_text_notation_and_tables_hold_values(sink: str) -> None:
    """A file may be called "a" or 'a', quotes and all: what a TOML table holds has been
    unquoted already.
    """
    for title in ('"', "'a'", '"a"', "it's"):
        spec = parse_spec(sink, {"name": "kitchen_sink", "title": title})
        assert spec.parameters["title"] == title
        assert parse_spec(sink, str(spec)) == spec


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("samples=0", "samples = '0': expected a whole number >= 1 and <= 99"),
        ("samples=2.0", "samples = '2.0': expected a whole number"),
        ("samples=yes", "samples = 'yes': expected a whole number"),
        ("noise=0", "noise = '0': expected a finite number > 0"),
        ("noise=nan", "noise = 'nan': expected a finite number > 0"),
        ("noise=-inf", "noise = '-inf': expected a finite number > 0"),
        ("shuffle=2", "shuffle = '2': expected yes | no"),
        ("side=middle", "side = 'middle': expected left | far_right"),
        ('title="open', "unclosed parenthesis"),
        ('title="C:\\Data"', "expected text in quotes"),
        ("sample=3", "did you mean 'samples'?"),
        ("noise=1, noise=2", "'noise' is given twice"),
    ],
)
def test_wrong_parameter_names_key_value_and_range(sink: str, inside: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_spec(sink, f"kitchen_sink({inside})")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@given(
    st.text(),
    st.integers(1, 99),
    st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    st.booleans(),
)
def test_any_parameter_values_print_back_as_they_were(
    title: str, samples: int, noise: float, shuffle: bool
) -> None:
    # not the fixture: hypothesis runs the body many times
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._records, "thing", {"kitchen_sink": Named()})
        patch.setitem(registry.HOMES, "thing", "dlprobe.errors")
        values: dict[str, Value] = {
            "samples": samples,
            "noise": noise,
            "shuffle": shuffle,
            "side": "left",
            "title": title,
        }
        spec = Spec("thing", "kitchen_sink", values, ("samples", "noise", "shuffle", "title"))
        assert parse_spec("thing", str(spec)) == spec


def parameter_values(parameter: Parameter) -> st.SearchStrategy[object]:
    """Legal values of a parameter, whole range."""
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    if isinstance(parameter.default, bool):
        return st.booleans()
    if isinstance(parameter.default, str):
        return st.text()
    low, high = parameter.low, parameter.high
    if isinstance(parameter.default, int):
        return st.integers(
            -(2**63) if low is None else math.ceil(low),
            2**63 - 1 if high is None else math.floor(high),
        ).filter(parameter.admits)
    return st.floats(
        low,
        high,
        allow_nan=False,
        allow_infinity=False,
        exclude_min=parameter.open_low,
        exclude_max=parameter.open_high,
    )


@given(st.data())
@pytest.mark.parametrize(
    "kind", ["activation", "initializer", "normalization", "optimizer", "loss", "data"]
)
def test_every_registered_thing_reads_back_from_its_text(kind: str, data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(list(registry.records(kind).values())))
    given_keys = [parameter for parameter in record.parameters if data.draw(st.booleans())]
    table = {"name": record.name} | {
        parameter.name: data.draw(parameter_values(parameter)) for parameter in given_keys
    }
    full = {
        parameter.name: table.get(parameter.name, parameter.default)
        for parameter in record.parameters
    }
    assume(getattr(record, "objection", lambda *_: None)(*full.values()) is None)
    spec = parse_spec(kind, table)
    assert parse_spec(kind, str(spec)) == spec


def test_list_splits_at_commas_outside_parentheses_and_quotes() -> None:
    assert split_list('relu, adam(beta1=.9,beta2=.99) ,name(title="a,b)"),x') == [
        "relu",
        "adam(beta1=.9,beta2=.99)",
        'name(title="a,b)")',
        "x",
    ]
    assert split_list("  ") == []


def test_apostrophe_inside_a_word_is_a_letter() -> None:
    assert split_list("it's.csv,other's.csv") == ["it's.csv", "other's.csv"]


@pytest.mark.parametrize("text", ["a,,b", "a,", ",", ",a"])
def test_empty_list_item_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="has an empty item"):
        split_list(text)
