"""The version of the installed dlprobe."""

from __future__ import annotations


def own_version() -> str:
    """The version; empty where dlprobe runs from a checkout that is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("dlprobe")
    except PackageNotFoundError:
        return ""
