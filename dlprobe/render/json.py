"""Document → JSON: the document's `data`, keys in the order given, NaN and infinities as null.

Everything outside ASCII is written as `\\uXXXX`, so the text suits every stream and cannot carry
terminal escapes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any, TextIO

from dlprobe.render import formats
from dlprobe.render.document import Document


def render(
    document: Document, stream: TextIO, *, width: int | None = None, color: bool | None = None
) -> None:
    """Write the document's data as JSON and a newline. `width` and `color` are there because
    every format has them; JSON ignores both.
    """
    stream.write(dumps(document.data) + "\n")


def dumps(data: Mapping[str, Any]) -> str:
    """The JSON text of a record; raises TypeError naming the place of a value JSON cannot hold."""
    return json.dumps(jsonable(data), indent=2, allow_nan=False)


def jsonable(value: Any, place: str = "data") -> Any:
    """`value` in JSON's own types: NumPy scalars and arrays as numbers and nested lists, what
    is not finite as None, paths and enums as their text or value.
    """
    if isinstance(value, Enum):
        return jsonable(value.value, place)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {_key(key, place): jsonable(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return jsonable(value.tolist(), place)
    raise TypeError(f"{place} is a {type(value).__name__}, which JSON cannot hold")


def _key(key: Any, place: str) -> str:
    plain = key.item() if hasattr(key, "item") else key
    if isinstance(plain, str | int) and not isinstance(plain, bool):
        return str(plain)
    raise TypeError(f"{place} has the key {key!r}; JSON keys are text")


formats.register("json", "one JSON record with a schema field", render)
