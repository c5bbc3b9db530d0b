"""Naming a thing with parameters: `name`, `name(key=value, …)` or the table `{name = …, key =
…}`, checked against its registry record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from dlprobe import registry
from dlprobe.config.scalars import read_number, read_whole, read_yes_no, show
from dlprobe.errors import ConfigError
from dlprobe.registry import Parameter, Spec, Value, tidied

Given: TypeAlias = Mapping[str, object]

LONGEST_NAME = 60
KEYS_OF_THEIR_OWN = {"lr": "lr", "learning_rate": "lr"}  # what other tools give an optimizer


def parse_spec(kind: str, text: str | Given | Spec, words: Iterable[str] = ()) -> Spec:
    """The thing of `kind` that `text` names, with every parameter typed, checked and filled in.

    Names and keys are taken with `_` or `-`. `words` are other texts the caller takes in this place
    (`auto`, `none`), so that the list of known names has them too. Raises ConfigError, one line,
    for an unknown name or key, a value of the wrong type or out of range, and broken notation.

    >>> str(parse_spec("activation", "Leaky-ReLU( slope = .2 )"))
    'leaky_relu(slope=0.2)'
    >>> dict(parse_spec("initializer", {"name": "mean_field", "sigma_w": 1.3}).parameters)
    {'sigma_w': 1.3, 'sigma_b': 0.0}
    """
    name, settings = _notation(kind, text, words)
    record = _find(kind, name, words)
    by_name: dict[str, Parameter] = {parameter.name: parameter for parameter in record.parameters}
    values = {
        key: _value(record, by_name, key, value)
        for key, value in _clean(record.name, settings).items()
    }
    full = {key: values.get(key, parameter.default) for key, parameter in by_name.items()}
    if (objection := getattr(record, "objection", lambda *_: None)(*full.values())) is not None:
        raise ConfigError(f"{record.name}: {objection}")
    return Spec(kind, record.name, full, tuple(key for key in by_name if key in values))


def split_list(text: str) -> list[str]:
    """The items of a list text: commas outside parentheses and quotes separate them. Raises
    ConfigError for an empty item.

    >>> split_list("relu, normal(std=1, gain=2),tanh")
    ['relu', 'normal(std=1, gain=2)', 'tanh']
    """
    if not text.strip():
        return []
    commas = [index for index, character, depth in _bare(text) if character == "," and depth == 0]
    starts, ends = [0, *(index + 1 for index in commas)], [*commas, len(text)]
    items = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    if "" in items:
        raise ConfigError(
            f"{show(text)} has an empty item: expected items separated by single commas"
        )
    return items


def _notation(kind: str, text: object, words: Iterable[str]) -> tuple[str, Given]:
    if isinstance(text, Spec):
        return _from_spec(kind, text)
    if isinstance(text, Mapping):
        return _from_table(kind, text)
    if not isinstance(text, str):
        expected = " or ".join([f"the name of {_a(kind)}, alone or as name(key=value, …)", *words])
        raise ConfigError(f"expected {expected}, found {show(text)}")
    return _from_text(kind, text)


def _from_spec(kind: str, spec: Spec) -> tuple[str, Given]:
    """A Spec made by hand is read like everything else; parameters that differ from the default
    count as given.
    """
    if spec.kind != kind:
        raise ConfigError(f"expected {_a(kind)}, found the {spec.kind} {spec.name}")
    defaults = {
        parameter.name: parameter.default for parameter in _find(kind, spec.name).parameters
    }
    return spec.name, {
        key: value
        for key, value in spec.parameters.items()
        if key in spec.given or defaults.get(key) != value
    }


def _from_table(kind: str, table: Mapping[Any, object]) -> tuple[str, Given]:
    name = table.get("name")
    if not isinstance(name, str):
        raise ConfigError(
            f"expected a table with the key name and the parameters of {_a(kind)}, found "
            f"{show(dict(table))}"
        )
    return name, {key: value for key, value in table.items() if key != "name"}


def _from_text(kind: str, text: str) -> tuple[str, Given]:
    name, opened, _ = text.partition("(")
    if not opened:
        if ")" in name:
            raise ConfigError(
                f"{show(text)} closes a parenthesis that was not opened: expected name or "
                "name(key=value, …)"
            )
        return name, {}
    close = next(
        (index for index, character, depth in _bare(text) if character == ")" and depth == 1), None
    )
    if close is None:
        raise ConfigError(f"unclosed parenthesis in {show(text)}: expected name(key=value, …)")
    if text[close + 1 :].strip():
        raise ConfigError(
            f"{show(text[close + 1 :].strip())} follows the closing parenthesis in "
            f"{show(text)}: expected name(key=value, …)"
        )
    return name, _pairs(kind, name.strip(), text[len(name) + 1 : close])


def _pairs(kind: str, name: str, inner: str) -> dict[str, object]:
    """The key=value pairs between the parentheses. A duplicate is refused here, where both are
    still seen.
    """
    pairs: dict[str, object] = {}
    items = split_list(inner)
    for index, item in enumerate(items):
        key, equals, value = item.partition("=")
        key = tidied(key)
        if not equals or not key or not value.strip():
            known = (
                ", ".join(parameter.name for parameter in _find(kind, name).parameters) or "none"
            )
            if index and not equals:
                raise ConfigError(
                    f"{name[:LONGEST_NAME]}: {_list_without_quotes(items, index)}; its "
                    f"parameters: {known}"
                )
            raise ConfigError(
                f"{name[:LONGEST_NAME]}: {show(item)} is not key=value; its parameters: {known}"
            )
        if key in pairs:
            raise ConfigError(
                f"{name[:LONGEST_NAME]}: {show(key)} is given twice: expected each parameter once"
            )
        pairs[key] = _unquoted(f"{name[:LONGEST_NAME]}: {key}", value.strip())
    return pairs


def _list_without_quotes(items: list[str], index: int) -> str:
    """What to say of `boundaries=10, 20`, whose item at `index` is no pair: which list was
    meant, and how it is written.
    """
    begin = max((earlier for earlier in range(index) if "=" in items[earlier]), default=0)
    end = next((later for later in range(index, len(items)) if "=" in items[later]), len(items))
    key, _, first = items[begin].partition("=")
    values = ",".join([first.strip(), *items[index:end]])
    return (
        f"{show(items[index])} is not key=value: a list in a parameter needs quotes, "
        f"{key.strip()}={json.dumps(values, ensure_ascii=False)}"
    )


def _clean(name: str, values: Mapping[Any, object]) -> dict[str, object]:
    """Keys as text with `_`; `a-b` beside `a_b` is a duplicate."""
    cleaned: dict[str, object] = {}
    for key, value in values.items():
        if not isinstance(key, str):
            raise ConfigError(f"{name}: the key {show(key)} is not text: expected parameter names")
        if tidied(key) in cleaned:
            raise ConfigError(
                f"{name}: {show(tidied(key))} is given twice: expected each parameter once"
            )
        cleaned[tidied(key)] = value
    return cleaned


def _find(kind: str, name: str, words: Iterable[str] = ()) -> Any:
    """The record, with this place's own words in the list of what is known."""
    shelf = registry.records(kind)
    known = [*shelf, *words]
    elsewhere = " and ".join(filter(None, [", ".join(words), registry.listing(kind)]))
    if not name.strip():
        raise ConfigError(
            f"the name of {_a(kind)} is empty: known: {registry.listed(known, elsewhere)}"
        )
    if tidied(name) not in shelf:
        raise ConfigError(
            registry.unknown(
                _title(kind),
                name.strip()[:LONGEST_NAME],
                known,
                elsewhere,
                registry.other_names(kind),
            )
        )
    return shelf[tidied(name)]


def _value(record: Any, by_name: Mapping[str, Parameter], key: str, value: object) -> Value:
    if key in KEYS_OF_THEIR_OWN:
        raise ConfigError(
            f"{record.name}: {show(key)} is no parameter: expected the key "
            f"{KEYS_OF_THEIR_OWN[key]} of the configuration"
        )
    if not by_name:
        raise ConfigError(
            f"{record.name} takes no parameters, found {show(key)}: write {record.name} alone"
        )
    if key not in by_name:
        raise ConfigError(
            registry.unknown(f"parameter of {record.name}", key[:LONGEST_NAME], by_name)
        )
    parameter = by_name[key]
    read = _read_as(parameter, value)
    if read is None or not parameter.admits(read):
        raise ConfigError(f"{record.name}: {key} = {show(value)}: expected {_allowed(parameter)}")
    return read


def _read_as(parameter: Parameter, value: object) -> Value | None:
    """`value` in the type of the parameter's default, or None where it is not of that type."""
    if isinstance(parameter.default, bool):
        return read_yes_no(value)
    if isinstance(parameter.default, int):
        return read_whole(value)
    if isinstance(parameter.default, float):
        return read_number(value)
    text = value if isinstance(value, str) else None
    if text is not None and text.replace("-", "_") in parameter.choices:
        return text.replace("-", "_")
    return text


def _unquoted(place: str, text: str) -> str:
    """The text inside quotes ('as it stands', \"with JSON's escapes\"), a bare text as it is.
    Quotes belong to this notation: values of tables have none.
    """
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        raise ConfigError(
            f'{place} = {show(text)}: expected text in quotes, with \\" for a quote and \\\\ '
            "for a backslash inside"
        ) from None


def _bare(text: str) -> Iterator[tuple[int, str, int]]:
    """(index, character, parentheses open before it) of every character outside quotes.

    A quote opens only where a value can begin, so that the apostrophe of a file name is a letter.
    """
    depth, quote, before, escaped = 0, "", ",", False
    for index, character in enumerate(text):
        if quote:
            ends = character == quote and not escaped
            escaped = quote == '"' and character == "\\" and not escaped
            quote = "" if ends else quote
        elif character in "'\"" and before in "=,(":
            quote = character
        else:
            yield index, character, depth
            depth = max(0, depth + (character == "(") - (character == ")"))
        before = before if character.isspace() else character


def _allowed(parameter: Parameter) -> str:
    """What a parameter takes, in words: a list of choices needs no article, a number has one
    already.
    """
    if isinstance(parameter.default, float):
        return f"a finite number{parameter.allowed.removeprefix('a number')}"
    return parameter.allowed


def _title(kind: str) -> str:
    return "data set" if kind == "data" else kind


def _a(kind: str) -> str:
    return f"an {kind}" if kind[:1] in "aeiou" else f"a {_title(kind)}"
