"""What an error about one field says: the place, the value found and what is allowed, in one
line.
"""

from __future__ import annotations

from collections.abc import Mapping

from dlprobe.config.naming import LONGEST_NAME
from dlprobe.config.scalars import show, show_text
from dlprobe.errors import ConfigError
from dlprobe.registry import nearest, unknown

ALL_KEYS = "those that dlprobe new writes"  # what an error says in place of a long list of keys


class FieldError(ConfigError):
    """A field does not take a value. `table`, `key`, `found` and `reason` are kept, so that a
    reader can say where the value came from.
    """

    def __init__(self, table: str, key: str, value: object, reason: str) -> None:
        super().__init__(f"{table}.{key} = {show(value)}: {reason}")
        self.table, self.key, self.value, self.reason = table, key, value, reason

    def __reduce__(self) -> tuple[type[FieldError], tuple[object, ...]]:
        # so that it travels between processes
        return FieldError, (self.table, self.key, self.value, self.reason)

    def as_option(self) -> ConfigError:
        """The error with the command-line option in place of the key."""
        text = (
            ",".join(map(str, self.value)) if isinstance(self.value, list | tuple) else self.value
        )
        return ConfigError(
            f"{option_name(self.key)} "
            f"{show_text(text) if isinstance(text, str) else show(text)}: {self.reason}"
        )


class StrayKeyError(ConfigError):
    """A key that its table does not have."""

    def __init__(self, table: str, key: str, message: str) -> None:
        super().__init__(message)
        self.table, self.key = table, key

    def __reduce__(self) -> tuple[type[StrayKeyError], tuple[str, ...]]:
        return StrayKeyError, (self.table, self.key, str(self))


def option_name(key: str) -> str:
    """The command-line spelling of a key.

    >>> option_name("batch_size")
    '--batch-size'
    """
    return "--" + key.replace("_", "-")


def stray_key(
    table: str, key: str, keys: Mapping[str, tuple[str, ...]], other_keys: Mapping[str, str]
) -> StrayKeyError:
    """The error for a key that `table` ("" for the top level) does not have: its own table, or did
    you mean, and the list.

    `other_keys` maps what other tools call a key to the key.
    """
    where = f"[{table}]" if table else "the configuration"
    homes = {name: home for home, names in keys.items() for name in names}
    if key in homes:
        return StrayKeyError(
            table, key, f"{key!r} in {where}: this key belongs in the table [{homes[key]}]"
        )
    meant = other_keys.get(key.lower())
    if meant is not None:
        inside = "" if homes[meant] == table else f" in [{homes[meant]}]"
        start = f"{where} " if table else ""
        return StrayKeyError(
            table,
            key,
            f"{start}unknown key {key!r}: did you mean {meant!r}{inside}? known: {ALL_KEYS}",
        )
    if not table:
        return StrayKeyError(table, key, unknown("table", key[:LONGEST_NAME], keys))
    message = unknown("key", key[:LONGEST_NAME], keys[table], ALL_KEYS)
    if "did you mean" not in message and (close := nearest(key[:LONGEST_NAME], homes)):
        message = message.replace(
            ": known:", f": did you mean {close[0]!r} in [{homes[close[0]]}]? known:", 1
        )
    return StrayKeyError(table, key, f"{where} {message}")
