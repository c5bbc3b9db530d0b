"""What the command line's --help and `explain` say of every key, from the fields' own
definitions: records of kind `key`.
"""

from __future__ import annotations

from dlprobe import registry
from dlprobe.config.forms import Form
from dlprobe.config.problems import option_name
from dlprobe.config.records import TABLES
from dlprobe.dataclass import dataclass


@dataclass(frozen=True)
class OptionField:
    """One configuration key as an option.

    `choices` is the complete list of values where there is one; `kind` the registry kind whose
    names complete it;
    `words` texts with a meaning of their own; `also_called` what other tools call the key.
    """

    table: str
    key: str
    option: str
    type: str
    default: str
    allowed: str
    help: str
    choices: tuple[str, ...]
    kind: str | None
    words: tuple[str, ...]
    also_called: tuple[str, ...]
    parameters: tuple[registry.Parameter, ...] = ()

    @property
    def name(self) -> str:
        """The key; no two tables have the same."""
        return self.key

    @property
    def summary(self) -> str:
        """The line of help."""
        return self.help


def fields() -> list[OptionField]:
    """Every option in the order of the tables. Imports no parts."""
    return list(registry.records("key").values())


def _field(table: str, key: str, form: Form) -> OptionField:
    definition = TABLES[table].definitions[key]
    return OptionField(
        table=table,
        key=key,
        option=option_name(key),
        type=form.type_name,
        default=definition.default,
        allowed=form.allowed,
        help=definition.description,
        choices=form.choices,
        kind=form.kind,
        words=tuple(form.words),
        also_called=definition.also_called,
    )


for _table, _record in TABLES.items():
    for _key, _form in _record.forms().items():
        registry.register("key", _field(_table, _key, _form))
