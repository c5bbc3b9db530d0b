"""Shared by all tests: hypothesis settings, the kernel cache on request, and one line about
oracles that are not installed.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
import tempfile
from pathlib import Path

import hypothesis
import platformdirs
import pytest

# First calls compile kernels, so a deadline per example would only measure the compiler; CI tries
# the same examples every time.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")

collect_ignore_glob = [
    "browser/*",
    "campaigns/*",
    "example_plugin/*",
    "frameworks/*",
    "fuzzed_journals.py",
]  # a package that registers records; the others take minutes: python -m tests.browser, …
ORACLES = {"sklearn": "scikit-learn", "torch": "torch"}
RECORDERS = {
    "torch": ("torch",),
    "keras": ("keras", "torch", "jax"),
}  # folders of dlprobe/recorders, and the libraries that their modules import
_fresh_cache: tempfile.TemporaryDirectory[str] | None = None


class WithoutLibrary:
    """Leaves out recorders whose library is not installed: doctests import every module of the
    package.
    """

    @staticmethod
    def pytest_ignore_collect(collection_path: Path) -> bool | None:
        """True for such a folder; else others decide."""
        folder, above = collection_path.name, collection_path.parent.name
        known = (
            RECORDERS.get(folder, ())
            if above == "recorders" and collection_path.parents[1].name == "dlprobe"
            else ()
        )
        return True if any(importlib.util.find_spec(library) is None for library in known) else None


def pytest_configure(config: pytest.Config) -> None:
    """DLPROBE_TEST_FRESH_CACHE=1 compiles every kernel anew into a folder of this session; else
    the usual cache serves, also a process that has another home. Such processes read bytecode.
    """
    config.pluginmanager.register(WithoutLibrary())
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    gc.set_threshold(50_000)  # Python's 700 is for programs with fewer objects than tests have
    global _fresh_cache
    os.environ.setdefault("DLPROBE_CACHE_DIR", platformdirs.user_cache_dir("dlprobe"))
    if os.environ.get("DLPROBE_TEST_FRESH_CACHE"):
        _fresh_cache = tempfile.TemporaryDirectory(prefix="dlprobe-kernels-")
        os.environ["DLPROBE_CACHE_DIR"] = _fresh_cache.name


def pytest_collection_finish() -> None:
    """Tests, and all that they import, stay: no search for garbage has to look at them."""
    gc.freeze()


def pytest_unconfigure() -> None:
    """Remove the folder of a fresh cache."""
    gc.freeze()
    if _fresh_cache is not None:
        _fresh_cache.cleanup()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were skipped for want of an oracle, and how to get it."""
    missing = {module for module in ORACLES if importlib.util.find_spec(module) is None}
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if any(f"'{module}" in str(report.longrepr) for module in missing)
    ]
    if skipped:
        terminalreporter.write_line(
            f"oracles not installed: {len(skipped)} tests skipped; install with pip install "
            "'.[oracles]'"
        )
