"""Finding what is registered by the name that somebody typed, and completing it."""

from __future__ import annotations

from typing import Any

from dlprobe import registry
from dlprobe.config import fields, parse_spec
from dlprobe.errors import ConfigError
from dlprobe.registry import Spec, tidied

PAGE = "page"  # the kind of the manual's pages


def find_kind(text: str) -> str:
    """The kind that `text` means, in singular or plural, with `_` or `-`. Raises ConfigError with a suggestion and the list."""
    plain = tidied(text)
    for kind in registry.kinds():
        if plain in (kind, f"{kind}s", kind.removesuffix("s") + "es"):
            return kind
    raise ConfigError(registry.unknown("kind", text, registry.kinds(), "those that dlprobe list shows"))


def find_thing(text: str) -> Spec:
    """The record that `name`, `name(key=value, …)` or `kind:name` means, with its parameters filled in. A page of the manual goes first.

    Raises ConfigError for an unknown name, and for one that several kinds have, listing them.
    """
    kind, colon, rest = text.partition(":")
    if colon and "(" not in kind:
        return _spec(find_kind(kind), rest)
    plain = text.partition("(")[0]
    homes = [kind for kind in registry.kinds() if _own_name(kind, plain) is not None]
    if not homes:
        _refuse_key(tidied(plain))
        others = {other: name for kind in registry.kinds() for other, name in registry.other_names(kind).items()}
        raise ConfigError(registry.unknown("name", plain.strip()[:60], _all_names(), "those that dlprobe list shows", others))
    if PAGE in homes:
        return _spec(PAGE, text)
    if len(homes) > 1:
        choices = " or ".join(f"{kind}:{_own_name(kind, plain)}" for kind in homes)
        raise ConfigError(f"{plain.strip()!r} is a name of several kinds: type {choices}")
    return _spec(homes[0], text)


def _refuse_key(name: str) -> None:
    """A key of the configuration is no registered thing; what it is can be said all the same. Raises ConfigError."""
    for field in fields():
        if name in (field.key, *field.also_called):
            told = f"{field.help} ({field.allowed}; default: {field.default})"
            raise ConfigError(f"{name!r} is the key {field.key} of the configuration, or {field.option}: {told}; dlprobe list shows what can be explained")


def _spec(kind: str, text: str) -> Spec:
    name, bracket, rest = text.partition("(")
    own = _own_name(kind, name)
    if own is not None and not bracket and not registry.records(kind)[own].parameters:
        return Spec(kind, own, {})
    return parse_spec(kind, f"{own or name}{bracket}{rest}")


def _own_name(kind: str, name: str) -> str | None:
    """The record's name in its own spelling; a rule answers to its code too."""
    plain = tidied(name)
    return next((known for known, record in registry.records(kind).items() if plain in (tidied(known), tidied(getattr(record, "code", known)))), None)


def _all_names() -> list[str]:
    return list(dict.fromkeys(name for kind in registry.kinds() for name in registry.records(kind)))


def complete_kind(incomplete: str) -> list[str]:
    """Kinds for the shell."""
    return [kind for kind in registry.kinds() if kind.startswith(incomplete)]


def complete_name(incomplete: str) -> list[Any]:
    """Names with their summary for the shell; of kinds whose import is cheap."""
    light = [kind for kind in registry.kinds() if kind not in ("data", "file_format")]
    named = [(getattr(record, "code", name), record.summary) for kind in light for name, record in registry.records(kind).items()]
    return [(name, summary) for name, summary in named if name.startswith(incomplete)]
