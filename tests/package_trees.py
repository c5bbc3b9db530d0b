"""The modules of the package as syntax trees, parsed once for all tests that read them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import dlprobe

PACKAGE = Path(dlprobe.__file__).parent


@cache
def trees() -> dict[Path, ast.Module]:
    """By file; nobody may change them."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
