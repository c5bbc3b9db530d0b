"""JSON Schemas (draft 2020-12): one per `schema` field that `--format json` prints, and one each
for a run's TOML and for `dlprobe.toml`.

Every file of this folder is a record of kind `schema`. It describes every key with its unit and
allows no other, so that a key which is added without a description fails the tests.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from dlprobe import registry
from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, tidied

FOLDER = files("dlprobe.guide.schemas")


@dataclass(frozen=True)
class Schema:
    """A schema as it is stored. name: its title, the value of the `schema` field, e.g.
    `dlprobe-train/1`; content: the JSON Schema itself.
    """

    name: str
    file: str
    content: dict[str, Any]
    parameters: tuple[Parameter, ...] = ()

    @property
    def summary(self) -> str:
        """What the schema describes, with the command that writes it."""
        return str(self.content["description"])

    @property
    def also_called(self) -> tuple[str, ...]:
        """The command of a record, which somebody may type who looks for its keys:
        `bias_variance`.
        """
        command = tidied(self.name.removeprefix("dlprobe-").partition("/")[0])
        return () if command == self.name else (command,)

    @property
    def place(self) -> str:
        """The file inside the installed package."""
        return f"dlprobe/guide/schemas/{self.file}"

    @property
    def path(self) -> str:
        """Where the file lies on this machine."""
        return str(FOLDER / self.file)


for _file in sorted(FOLDER.iterdir(), key=lambda file: file.name):
    if _file.name.endswith(".json"):
        _content = json.loads(_file.read_text(encoding="utf-8"))
        registry.register("schema", Schema(_content["title"], _file.name, _content))
