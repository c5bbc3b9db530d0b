"""dlprobe: does signal and gradient flow through an MLP, does it generalise, and what should change?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlprobe.analysis.bias_variance import decompose as decompose
    from dlprobe.runs import open_run as open_run

__all__ = ["decompose", "open_run"]


def __getattr__(name: str) -> Any:
    """The public functions, loaded when they are first used: importing dlprobe stays fast."""
    if name == "open_run":
        from dlprobe.runs import open_run

        return open_run
    if name == "decompose":
        from dlprobe.analysis.bias_variance import decompose

        return decompose
    raise AttributeError(f"module 'dlprobe' has no attribute {name!r}")
