"""`dataclass`, as in `dataclasses`, without what that costs at import.

For each frozen class the library's own writes six methods as text and compiles them: .7 ms, and a
quarter of what `dlprobe inspect` took with its 230 classes. Here all classes share their methods.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls: Any = None, /, *, frozen: bool = False, kw_only: bool = False) -> Any:
        """Decorator: `dataclasses.dataclass` with these options, all others as by default;
        without InitVar, and without `hash` of a field.
        """
        if cls is None:
            return lambda decorated: dataclass(decorated, frozen=frozen, kw_only=kw_only)
        cls.__doc__ = cls.__doc__ or cls.__name__  # or the library looks for a signature
        if cls.__dict__.get("__hash__") is None:
            cls.__hash__ = _hash if frozen else None
        methods = {"__init__": _init_of(cls), "__repr__": _repr, "__eq__": _eq}
        if frozen:
            methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
        for name, method in methods.items():
            if name not in cls.__dict__:
                setattr(cls, name, method)
        return dataclasses.dataclass(cls, init=False, repr=False, eq=False, kw_only=kw_only)


class _Fields(NamedTuple):
    """The fields that `__init__` sets; `names` of them are parameters. content: every field in its
    order, with its default or `MISSING`; `made` are those whose defaults are made anew. more: the
    class has a `__post_init__`.
    """

    names: frozenset[str]
    positional: tuple[str, ...]
    required: tuple[str, ...]
    content: dict[str, Any]
    made: dict[str, Callable[[], Any]]
    more: bool


@cache
def _fields(cls: Any) -> _Fields:
    fields = dataclasses.fields(cls)
    parameters = [field for field in fields if field.init]
    makers: dict[str, Any] = {field.name: field.default_factory for field in fields}
    made = {name: maker for name, maker in makers.items() if maker is not MISSING}
    return _Fields(
        frozenset(field.name for field in parameters),
        tuple(field.name for field in parameters if not field.kw_only),
        tuple(
            field.name
            for field in parameters
            if field.default is MISSING and field.name not in made
        ),
        {field.name: field.default for field in fields if field.init or field.name in made},
        made,
        hasattr(cls, "__post_init__"),
    )


def _init_of(cls: Any) -> Callable[..., None]:
    def __init__(self: Any, *values: Any, **named: Any) -> None:
        fields = _fields(cls)
        content = fields.content.copy()
        content.update(zip(fields.positional, values))  # noqa: B905
        content.update(named)
        wrong = len(values) > len(fields.positional)
        if named:
            wrong = wrong or not fields.names.issuperset(named)
            wrong = wrong or not named.keys().isdisjoint(fields.positional[: len(values)])
        for name in fields.required:
            wrong = wrong or content[name] is MISSING
        if wrong:
            raise TypeError(_wrong_call(cls, values, named))
        for name, make in fields.made.items():
            if content[name] is MISSING:
                content[name] = make()
        self.__dict__.update(content)
        if fields.more:
            self.__post_init__()

    return __init__


def _wrong_call(cls: Any, values: tuple[Any, ...], named: dict[str, Any]) -> str:
    fields = _fields(cls)
    known = {*fields.positional[: len(values)], *named}
    wrong = {
        "missing": sorted(set(fields.required) - known),
        "unknown": sorted(named.keys() - fields.names),
        "given twice": sorted(named.keys() & set(fields.positional[: len(values)])),
        "too many": [repr(value) for value in values[len(fields.positional) :]],
    }
    return f"{cls.__qualname__}(): " + "; ".join(
        f"{what}: {', '.join(names)}" for what, names in wrong.items() if names
    )


@cache
def _names(cls: Any, role: str) -> tuple[str, ...]:
    """The fields that take part in `repr` or `compare`."""
    return tuple(field.name for field in dataclasses.fields(cls) if getattr(field, role))


def _values(record: Any) -> tuple[Any, ...]:
    return tuple([getattr(record, name) for name in _names(record.__class__, "compare")])


def _repr(self: Any) -> str:
    inner = (f"{name}={getattr(self, name)!r}" for name in _names(self.__class__, "repr"))
    return f"{type(self).__qualname__}({', '.join(inner)})"


def _eq(self: Any, other: object) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return _values(self) == _values(other)


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse(self: Any, name: str, value: Any = None) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change field {name!r}")
