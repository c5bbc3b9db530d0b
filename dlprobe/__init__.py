"""dlprobe: does signal and gradient flow through an MLP, does it generalise, and what should change?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str  # "" in a checkout that is not installed
    from dlprobe.analysis.bias_variance import decompose as decompose
    from dlprobe.runs import open_run as open_run

__all__ = ["__version__", "decompose", "open_run"]


def __getattr__(name: str) -> Any:
    """The public names, loaded when they are first used: importing dlprobe stays fast."""
    if name == "__version__":
        from dlprobe.version import version

        return version()
    if name == "open_run":
        from dlprobe.runs import open_run

        return open_run
    if name == "decompose":
        from dlprobe.analysis.bias_variance import decompose

        return decompose
    raise AttributeError(f"module 'dlprobe' has no attribute {name!r}")
