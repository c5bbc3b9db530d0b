"""What an error about one field says: the place, the value found and what is allowed, in one line."""

from __future__ import annotations

from collections.abc import Mapping

from dlprobe.config.naming import LONGEST_NAME
from dlprobe.config.scalars import show, show_text
from dlprobe.errors import ConfigError
from dlprobe.registry import nearest, unknown

ALL_KEYS = "those that dlprobe new writes"  # what an error says in place of a long list of keys


class FieldError(ConfigError):
    """A field does not take a value. `table`, `key`, `found` and `reason` are kept, so that a reader can say where the value came from."""

    def __init__(self, table: str, key: str, found: object, reason: str) -> None:
        super().__init__(f"{table}.{key} = {show(found)}: {reason}")
        self.table, self.key, self.found, self.reason = table, key, found, reason

    def __reduce__(self) -> tuple[type[FieldError], tuple[object, ...]]:
        return FieldError, (self.table, self.key, self.found, self.reason)  # so that it travels between processes

    def as_option(self) -> ConfigError:
        """The same said of the command-line option."""
        text = ",".join(map(str, self.found)) if isinstance(self.found, list | tuple) else self.found
        return ConfigError(f"{option_name(self.key)} {show_text(text) if isinstance(text, str) else show(text)}: {self.reason}")


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


def stray_key(table: str, key: str, keys: Mapping[str, tuple[str, ...]]) -> StrayKeyError:
    """The error for a key that `table` ("" for the top level) does not have: its own table, or did you mean, and the list."""
    where = f"[{table}]" if table else "the configuration"
    home = next((name for name, known in keys.items() if key in known), None)
    if home is not None:
        return StrayKeyError(table, key, f"{key!r} in {where}: this key belongs in the table [{home}]")
    if not table:
        return StrayKeyError(table, key, unknown("table", key[:LONGEST_NAME], keys))
    message = unknown("key", key[:LONGEST_NAME], keys[table], ALL_KEYS)
    if "did you mean" not in message:
        message = message.replace(": known:", f": {_meant_elsewhere(key, keys)}known:", 1)
    return StrayKeyError(table, key, f"{where} {message}")


def _meant_elsewhere(key: str, keys: Mapping[str, tuple[str, ...]]) -> str:
    """Did you mean, over the other tables."""
    homes = {name: table for table, names in keys.items() for name in names}
    close = nearest(key[:LONGEST_NAME], homes)
    return f"did you mean {close[0]!r} in [{homes[close[0]]}]? " if close else ""
