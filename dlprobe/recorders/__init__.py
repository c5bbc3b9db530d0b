"""Run files of networks that other programs train: `arrays` (NumPy, the contract), `torch`
(PyTorch), `keras` (Keras 3), `Probe` (one extra pass of a model).

May import `runs` and `data`, and the frameworks themselves, each only when its recorder is used.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = ("arrays", "keras", "torch")


def __getattr__(name: str) -> Any:
    """The recorders, loaded when they are first used: importing dlprobe loads no framework."""
    if name == "Probe":
        from dlprobe.recorders.probe import Probe

        return Probe
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is there, what is loaded on first use included."""
    return sorted({*globals(), *_MODULES, "Probe"})
