"""What an export format is: a record of kind `export_format`, registered by the file that
writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dlprobe import registry
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.exporters.parts import Part
from dlprobe.registry import Parameter


@dataclass(frozen=True)
class ExportFormat:
    """One way to write parts. suffix: of its files; kind: what such a file is, in words with
    their article. write: `write(path, parts)`, to a new file.
    """

    name: str
    summary: str
    suffix: str
    kind: str
    write: Callable[[Path, Sequence[Part]], None]
    parameters: tuple[Parameter, ...] = ()


register = registry.registrar("export_format", ExportFormat)  # called at the end of its file


def format_of(path: Path) -> ExportFormat:
    """The format that a file's ending asks for. Raises ConfigError."""
    formats: dict[str, ExportFormat] = {
        record.suffix: record for record in registry.records("export_format").values()
    }
    if path.suffix.lower() not in formats:
        raise ConfigError(
            f"{path.name}: the ending says what is written: choose another name with -o that "
            f"ends in {', '.join(sorted(formats))}"
        )
    return formats[path.suffix.lower()]
