"""The words: one table of a TOML file of this folder per concept, a record of kind `concept`. A new
concept is a new table and nothing else.

The table's name is the concept's, with `_`. Its keys: `summary` (one sentence), `text`, `picture`
(at most PICTURE columns), `formula`, `shown` (lines that can be typed, RUN standing for a run
file), `source`; as wanted `also_called`, `words` (as they stand on screens: such a screen ends in a
line that names them) and `see` (other names that `dlprobe explain` knows).
"""

from __future__ import annotations

from importlib.resources import files

from dlprobe import registry
from dlprobe.config.toml_text import loads
from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter

FOLDER = files("dlprobe.guide.concepts")


@dataclass(frozen=True, kw_only=True)
class Concept:
    """What is known of a concept; `text` and `picture` keep their line breaks."""

    name: str
    summary: str
    text: str
    picture: str
    formula: str
    shown: tuple[str, ...]
    source: str
    also_called: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()


for _file in sorted(FOLDER.iterdir(), key=lambda file: file.name):
    if _file.name.endswith(".toml"):
        for _name, _entry in loads(_file.read_text(encoding="utf-8")).items():
            _lists = {key: tuple(value) for key, value in _entry.items() if isinstance(value, list)}
            registry.register("concept", Concept(name=_name, **(_entry | _lists)))
