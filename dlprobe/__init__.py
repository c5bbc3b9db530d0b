"""dlprobe: does signal and gradient flow through an MLP, does it generalise, and what should
change?
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str  # "" in a checkout that is not installed
    from dlprobe.analysis.bias_variance.loss_parts import decompose as decompose
    from dlprobe.api import open_run as open_run
    from dlprobe.api import open_study as open_study

# public name -> the module that has it; imported when first asked for
_HOMES = {
    "decompose": "dlprobe.analysis.bias_variance.loss_parts",
    "open_run": "dlprobe.api",
    "open_study": "dlprobe.api",
}

__all__ = ["__version__", "decompose", "open_run", "open_study", "recorders"]


def __getattr__(name: str) -> Any:
    """The public names, loaded when they are first used: importing dlprobe stays fast."""
    if name == "__version__":
        from dlprobe.version import version

        return version()
    if name == "recorders":
        return importlib.import_module("dlprobe.recorders")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'dlprobe' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, those that are loaded on first use included, and what every module has;
    not what this file itself imports.
    """
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
