"""What the tables of a configuration share: keys, how they are read, and errors about them.

Defaults are written as the user would type them and read when a record is made, so that importing
this module imports no parts. A wrong value is a FieldError, whichever way it came in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from functools import cache
from typing import Any, ClassVar, Self, TypeVar

from dlprobe.config.forms import Form
from dlprobe.config.problems import FieldError, stray_key
from dlprobe.dataclass import dataclass

Check = TypeVar("Check", bound=Callable[[Any], None])
LARGEST_SEED = 2**63 - 1
AUTO = ("auto",)
NONE = ("none",)
NO = ("none", "no")


@dataclass(frozen=True)
class Key:
    """One key of a table: how its value is read and checked, its default as typed, its line of
    help, and what other tools call it: never taken, only to say what was meant.

    `younger`: the key came later than run files did. It is stored where it is not the default only,
    so that runs without it keep their content hashes.
    """

    form: Form
    default: str
    description: str
    also_called: tuple[str, ...] = ()
    younger: bool = False


def option(
    form: Form, default: str, help_line: str, also_called: str = "", *, younger: bool = False
) -> Any:
    """A key of a table; `also_called` with blanks between the names."""
    return Key(form, default, help_line, tuple(also_called.split()), younger)


def combination(check: Check) -> Check:
    """Decorator: a method that raises FieldError where values of a table do not go together."""
    check.checks_a_table = True  # type: ignore[attr-defined]
    return check


class ConfigTable:
    """One table of the configuration. Raises FieldError for an unknown key or a value its field
    does not take.
    """

    table: ClassVar[str]
    definitions: ClassVar[Mapping[str, Key]]  # by key, in the order of definition
    _combinations: ClassVar[tuple[Callable[[Any], None], ...]]

    def __init_subclass__(cls) -> None:
        own = vars(cls)
        cls.definitions = {key: value for key, value in own.items() if isinstance(value, Key)}
        cls._combinations = tuple(
            method for method in own.values() if hasattr(method, "checks_a_table")
        )

    def __init__(self, /, **values: Any) -> None:
        values = self._completed(values)
        content = {key: self._read(key, values) for key in self.definitions}
        for key in values:
            if key not in self.definitions:
                raise stray_key(self.table, key, keys_by_table(), other_keys())
        self._keep(content)

    def changed(self, values: dict[str, Any]) -> Self:
        """A table of `values`, all known keys; those that are this table's own were read before."""
        own, values = self.__dict__, self._completed(values)
        copy = object.__new__(type(self))
        copy._keep(
            {
                key: own[key]
                if key in values and values[key] is own[key]
                else self._read(key, values)
                for key in self.definitions
            }
        )
        return copy

    def _keep(self, content: Mapping[str, Any]) -> None:
        self.__dict__.update(content)
        for check in self._combinations:
            check(self)

    def _completed(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values, with what some of them mean for others."""
        return values

    def _read(self, key: str, values: Mapping[str, Any]) -> Any:
        table: Any = type(self)
        if key not in values:
            return default_of(table, key)
        try:
            return self.definitions[key].form.read(values[key])
        except ValueError as error:
            raise FieldError(self.table, key, values[key], str(error)) from None

    def unfit(self, key: str, reason: str) -> FieldError:
        """The error for a value that does not go together with others."""
        shown = self.definitions[key].form.plain(getattr(self, key))
        return FieldError(self.table, key, shown, reason)

    @classmethod
    def forms(cls) -> dict[str, Form]:
        """The form of each field, in the order of definition."""
        return {key: definition.form for key, definition in cls.definitions.items()}

    def replaced(self, **values: Any) -> Self:
        """A copy with values replaced by such as a record holds, which are not checked."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__ | values)
        return copy

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"a configuration is frozen: {name} stays as it is")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        inner = ", ".join(f"{key}={value!r}" for key, value in self.__dict__.items())
        return f"{type(self).__name__}({inner})"


@cache
def default_of(table: Any, key: str) -> Any:
    """What a field of a table holds by default."""
    return table.definitions[key].form.read(table.definitions[key].default)


_tables: dict[str, type[ConfigTable]] = {}


def in_order(*tables: type[ConfigTable]) -> dict[str, type[ConfigTable]]:
    """The tables by name: those that `keys_by_table` and `other_keys` know from then on."""
    _tables.update({table.table: table for table in tables})
    return _tables


@cache
def younger_keys(table: Any) -> frozenset[str]:
    """The keys that are stored only where they are not the default."""
    return frozenset(key for key, field in table.definitions.items() if field.younger)


def other_keys() -> dict[str, str]:
    """What other tools call the keys, each with the key."""
    return {
        other: key
        for table in _tables.values()
        for key, field in table.definitions.items()
        for other in field.also_called
    }


def keys_by_table() -> dict[str, tuple[str, ...]]:
    """Every table's keys, in the order of definition."""
    return {name: tuple(table.definitions) for name, table in _tables.items()}
