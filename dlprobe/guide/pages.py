"""The manual's pages: every Markdown file of this folder is a record of kind `page`. A new page is
a new file and nothing else.

A page starts with `# Title` and one paragraph that says what it is about; that paragraph is its
line in lists.
A line `<!-- list KIND -->` stands for the list of all records of that kind.
"""

from __future__ import annotations

import re
import textwrap
from importlib.resources import files

from dlprobe import registry
from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, tidied

WIDEST = 100  # columns of a line in a page
LIST_MARK = re.compile(r"^<!-- list (\w+) -->$", flags=re.M)


@dataclass(frozen=True)
class Page:
    """A page as it is written. name: the file's name without `.md`, with `_`; text: Markdown."""

    name: str
    text: str
    parameters: tuple[Parameter, ...] = ()

    @property
    def summary(self) -> str:
        """The first paragraph below the title, on one line."""
        return " ".join(self.text.split("\n\n")[1].split())

    @property
    def full_text(self) -> str:
        """The Markdown with every list filled in. Raises ConfigError for a list of an unknown
        kind.
        """
        return LIST_MARK.sub(lambda mark: _bullets(mark[1]), self.text)


def _bullets(kind: str) -> str:
    """The records of a kind as a Markdown list: name, what it is, and the file that holds it
    where it is a file.
    """
    items = []
    for name, record in registry.records(kind).items():
        place = f" File: `{record.place}`." if hasattr(record, "place") else ""
        items.append(f"* `{name}`: {record.summary}{place}")
    return "\n".join(
        textwrap.fill(
            item, WIDEST, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
        for item in items
    )


for _file in sorted(files("dlprobe.guide").iterdir(), key=lambda file: file.name):
    if _file.name.endswith(".md"):
        registry.register(
            "page", Page(tidied(_file.name.removesuffix(".md")), _file.read_text(encoding="utf-8"))
        )
