"""What people read: the README and the manual's pages, and the code blocks in them, which tests
run as they stand.
"""

from __future__ import annotations

import re
from pathlib import Path

from command_line import ROOT

PAGES = sorted((ROOT / "dlprobe" / "guide").glob("*.md"))
CONFIGURATION = ROOT / "dlprobe" / "guide" / "configuration.md"
DOCUMENTS = [ROOT / "README.md", *PAGES]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", flags=re.S | re.M)


def blocks(language: str, *documents: Path) -> list[str]:
    """The code blocks of a language, in all documents where none is named."""
    texts = [path.read_text(encoding="utf-8") for path in documents or DOCUMENTS]
    return [code for text in texts for kind, code in BLOCK.findall(text) if kind == language]


def commands(document: Path) -> list[str]:
    """The lines of a document's `sh` blocks that call dlprobe, continued ones as one line."""
    return [
        line
        for block in blocks("sh", document)
        for line in block.replace("\\\n", "").splitlines()
        if line.startswith("dlprobe ")
    ]
