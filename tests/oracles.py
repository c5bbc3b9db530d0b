"""Oracles that need not be installed: tests are generated for what an oracle knows, and skipped
where it is not there at all.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any


def installed(module: str) -> Any:
    """The module, None where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def known_to(oracle: Any, knows: Callable[[Any, str], Any], names: Iterable[str]) -> list[str]:
    """The names that the oracle knows; all of them without the oracle, so that it is seen what
    is skipped.
    """
    return [name for name in names if oracle is None or knows(oracle, name)]
