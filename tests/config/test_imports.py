"""Importing the configuration is cheap: --help needs every option and no part."""

from __future__ import annotations

import subprocess
import sys


def imported_by(code: str) -> set[str]:
    """Names of all modules that a fresh interpreter holds after `code`."""
    listing = subprocess.run(
        [sys.executable, "-c", code + "\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(listing.stdout.split())


def test_help_of_all_options_imports_no_parts_and_nothing_heavy() -> None:
    modules = imported_by(
        "from dlprobe.config import RunConfig, fields, from_options, from_toml, to_toml, "
        "warnings_for, parse_spec; fields()"
    )
    assert not modules & {
        "numpy",
        "numba",
        "h5py",
        "polars",
        "scipy",
        "tomlkit",
        "dlprobe.parts",
        "dlprobe.data",
    }


def test_default_configuration_imports_no_engine_and_no_file_reader() -> None:
    assert not imported_by("from dlprobe.config import RunConfig; RunConfig()") & {
        "pydantic",
        "numba",
        "h5py",
        "polars",
        "scipy",
    }
