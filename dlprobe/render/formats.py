"""What an output format is: a record of kind `output_format`, registered by the file that draws
it; the registry's walk of this folder finds them all.
"""

from __future__ import annotations

from collections.abc import Callable

from dlprobe import registry
from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter


@dataclass(frozen=True)
class OutputFormat:
    """One way to print a document. render: `render(document, stream, *, width=None, color=None)`.

    schemas: the records it can print, e.g. ("dlprobe-check/1",); empty for a format that prints
        every document.
    """

    name: str
    summary: str
    render: Callable[..., None]
    schemas: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()

    @property
    def typed(self) -> str:
        """The name as people type it: json-lines."""
        return self.name.replace("_", "-")


register = registry.registrar("output_format", OutputFormat)  # called at the end of its file


def formats_for(schema: str = "") -> dict[str, OutputFormat]:
    """The formats that can print a record of this schema, by name as typed; table first, then
    json, then the others by name.
    """
    formats: list[OutputFormat] = [
        record
        for record in registry.records("output_format").values()
        if not record.schemas or schema in record.schemas
    ]
    first = ("table", "json")
    formats.sort(
        key=lambda format_: (
            first.index(format_.name) if format_.name in first else len(first),
            format_.name,
        )
    )
    return {format_.typed: format_ for format_ in formats}
