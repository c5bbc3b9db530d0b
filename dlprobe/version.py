"""The version of the installed package, for everybody: a module of its own, so that nobody
imports the public names for it.
"""

from __future__ import annotations

from functools import cache


@cache
def version() -> str:
    """The version as pip knows it; "" in a checkout that is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("dlprobe")
    except PackageNotFoundError:
        return ""
