"""What a run is: one frozen record per TOML table, with type, range, default and help of every
option.

Read from TOML, mappings and option texts, and written back. May import `errors` and `registry`
only; parts are looked up in the registry when a name is read, so importing this costs no NumPy.
Every wrong value is a ConfigError of one line.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlprobe.config.listing import OptionField, fields
    from dlprobe.config.naming import parse_spec, split_list
    from dlprobe.config.problems import FieldError
    from dlprobe.config.reading import (
        INSTRUMENTS,
        completed,
        from_mapping,
        from_options,
        from_stored,
        from_toml,
        parse_toml,
        with_values,
        without_instruments,
    )
    from dlprobe.config.records import (
        DataConfig,
        ModelConfig,
        RecordingConfig,
        RunConfig,
        TrainingConfig,
    )
    from dlprobe.config.unwise import warnings_for
    from dlprobe.config.writing import to_mapping, to_toml

# module of this folder -> its public names; imported when one is first asked for
_PUBLIC = {
    "reading": "INSTRUMENTS completed from_mapping from_options from_stored from_toml "
    "parse_toml with_values without_instruments",
    "records": "DataConfig ModelConfig RecordingConfig RunConfig TrainingConfig",
    "problems": "FieldError",
    "listing": "OptionField fields",
    "naming": "parse_spec split_list",
    "writing": "to_mapping to_toml",
    "unwise": "warnings_for",
}
_HOMES = {name: module for module, names in _PUBLIC.items() for name in names.split()}

__all__ = [
    "INSTRUMENTS",
    "DataConfig",
    "FieldError",
    "ModelConfig",
    "OptionField",
    "RecordingConfig",
    "RunConfig",
    "TrainingConfig",
    "completed",
    "fields",
    "from_mapping",
    "from_options",
    "from_stored",
    "from_toml",
    "parse_spec",
    "parse_toml",
    "split_list",
    "to_mapping",
    "to_toml",
    "warnings_for",
    "with_values",
    "without_instruments",
]


def __getattr__(name: str) -> Any:
    """Import the module of a public name on first use. Raises AttributeError for any other name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
