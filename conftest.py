"""Modules whose library is not installed are left out: doctests import every module of the package."""

from importlib.util import find_spec

RECORDERS = {"torch": ("torch",), "keras": ("keras", "torch", "jax")}
collect_ignore_glob = [f"dlprobe/recorders/{folder}/*" for folder, libraries in RECORDERS.items() if not all(map(find_spec, libraries))]
