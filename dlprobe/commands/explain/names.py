"""Finding what is registered by the name that somebody typed, and completing it."""

from __future__ import annotations

from typing import Any

from dlprobe import registry
from dlprobe.commands.base.catalogue import names
from dlprobe.config import parse_spec
from dlprobe.errors import ConfigError
from dlprobe.registry import Spec, tidied

PAGE, CONCEPT, KEY, SCHEMA = "page", "concept", "key", "schema"
FIRST, LAST = (PAGE, CONCEPT), (KEY,)  # kinds whose names go before, and after, what else has them
SHOWN = "see dlprobe explain"


def find_kind(text: str) -> str:
    """The kind that `text` means, in singular or plural, with `_` or `-`. Raises ConfigError
    with a suggestion and the list.
    """
    kind = _kind(text)
    if kind is None:
        raise ConfigError(registry.unknown("kind", text, registry.kinds(), SHOWN))
    return kind


def find_thing(text: str) -> Spec | str:
    """The record that `name`, `name(key=value, …)` or `kind:name` means, with its parameters filled
    in, or the kind of that name.

    A page of the manual or a concept goes first, a key of the configuration last; a name that other
    tools use will do where no record has it. Raises ConfigError for an unknown name, and for one
    that several kinds have, listing them.
    """
    kind, colon, rest = text.partition(":")
    if colon and "(" not in kind:
        return _spec(find_kind(kind), rest)
    plain, bracket, rest = text.partition("(")
    homes = {kind: own for kind in registry.kinds() if (own := _own_name(kind, plain)) is not None}
    homes = next(({kind: homes[kind]} for kind in FIRST if kind in homes), homes)
    if not bracket and not set(homes) & set(FIRST) and (meant := _kind(plain)) is not None:
        return meant
    homes = (
        {kind: own for kind, own in homes.items() if kind not in LAST}
        or homes
        or _homes_elsewhere(plain)
    )
    if not homes:
        word = plain.strip()[:60]
        command = (
            f"; dlprobe help {word} shows the command"
            if _typed(word).replace("_", "-") in names()
            else ""
        )
        raise ConfigError(
            registry.unknown("name", word, _all_names(), SHOWN, _other_names()) + command
        )
    if len(homes) > 1:
        choices = " or ".join(f"{kind}:{own}" for kind, own in homes.items())
        raise ConfigError(f"{plain.strip()!r} is a name of several kinds: type {choices}")
    ((kind, own),) = homes.items()
    return _spec(kind, f"{own}{bracket}{rest}")


def _typed(text: str) -> str:
    """A name as it is registered, of one that people write with blanks too: `batch size`."""
    return "_".join(tidied(text).split())


def _kind(text: str) -> str | None:
    plain = _typed(text)
    return next(
        (
            kind
            for kind in registry.kinds()
            if plain in (kind, f"{kind}s", kind.removesuffix("s") + "es")
        ),
        None,
    )


def _spec(kind: str, text: str) -> Spec:
    name, bracket, rest = text.partition("(")
    own = _own_name(kind, name)
    if own is not None and not bracket and not registry.records(kind)[own].parameters:
        return Spec(kind, own, {})
    return parse_spec(kind, f"{own or name}{bracket}{rest}")


def _own_name(kind: str, name: str) -> str | None:
    """The record's name in its own spelling; a rule answers to its code too, a concept to all
    that it is called.
    """
    plain = _typed(name)
    for known, record in registry.records(kind).items():
        if plain in (tidied(known), tidied(getattr(record, "code", known))) or (
            kind == CONCEPT and plain in record.also_called
        ):
            return known
    return None


def _homes_elsewhere(name: str) -> dict[str, str]:
    """By kind, the record that other tools call so. What a command prints is not meant by the
    name of the command.
    """
    others = {kind: registry.other_names(kind) for kind in registry.kinds() if kind != SCHEMA}
    return {kind: shelf[_typed(name)] for kind, shelf in others.items() if _typed(name) in shelf}


def _other_names() -> dict[str, str]:
    return {
        other: name
        for kind in registry.kinds()
        for other, name in registry.other_names(kind).items()
    }


def _all_names() -> list[str]:
    return list(dict.fromkeys(name for kind in registry.kinds() for name in registry.records(kind)))


def complete_name(incomplete: str) -> list[Any]:
    """Kinds, and names with their summary, for the shell; of kinds whose import is cheap."""
    light = [kind for kind in registry.kinds() if kind not in ("data", "file_format")]
    named = [(kind, "") for kind in registry.kinds()]
    named += [
        (getattr(record, "code", name), record.summary)
        for kind in light
        for name, record in registry.records(kind).items()
    ]
    return [(name, summary) for name, summary in named if name.startswith(incomplete)]
