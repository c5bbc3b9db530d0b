"""`dataclass`, as in `dataclasses`, without what that costs at import.

For each frozen class the library's own writes six methods as text and compiles them: .7 ms, and a
quarter of what `dlprobe inspect` took with its 230 classes. Here all classes share their methods.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
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
    """The fields that `__init__` sets; `made` are those whose defaults are made anew, `unasked` of
    them those that are no parameter.
    """

    names: frozenset[str]
    positional: tuple[str, ...]
    defaults: dict[str, Any]
    made: dict[str, Callable[[], Any]]
    unasked: dict[str, Callable[[], Any]]


@cache
def _fields(cls: Any) -> _Fields:
    fields = dataclasses.fields(cls)
    parameters = [field for field in fields if field.init]
    absent: Any = dataclasses.MISSING
    makers: dict[str, Any] = {field.name: field.default_factory for field in fields}
    made = {name: maker for name, maker in makers.items() if maker is not absent}
    names = frozenset(field.name for field in parameters)
    return _Fields(
        names,
        tuple(field.name for field in parameters if not field.kw_only),
        {field.name: field.default for field in parameters if field.default is not absent},
        {name: maker for name, maker in made.items() if name in names},
        {name: maker for name, maker in made.items() if name not in names},
    )


def _init_of(cls: Any) -> Callable[..., None]:
    def __init__(self: Any, *values: Any, **named: Any) -> None:
        fields = _fields(cls)
        content = {**fields.defaults, **dict(zip(fields.positional, values)), **named}  # noqa: B905
        for name, make in fields.made.items():
            if name not in content:
                content[name] = make()
        twice = len(values) > len(fields.positional) or (
            named and not named.keys().isdisjoint(fields.positional[: len(values)])
        )
        if twice or content.keys() != fields.names:
            raise TypeError(_wrong_call(cls, values, named))
        for name, make in fields.unasked.items():
            content[name] = make()
        self.__dict__.update(content)
        if hasattr(cls, "__post_init__"):
            self.__post_init__()

    return __init__


def _wrong_call(cls: Any, values: tuple[Any, ...], named: dict[str, Any]) -> str:
    fields = _fields(cls)
    known = {*fields.positional[: len(values)], *named, *fields.defaults, *fields.made}
    wrong = {
        "missing": sorted(fields.names - known),
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
