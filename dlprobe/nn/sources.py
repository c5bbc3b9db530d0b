"""Which files of the package reach a compiled kernel, and a digest of what in them a kernel can
depend on.

A file reaches a kernel if it defines one, or is imported by one that does. A folder whose modules
the registry imports counts as a whole. What a kernel depends on is their syntax without comments,
docstrings and the annotations of arguments.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

from dlprobe.dataclass import dataclass
from dlprobe.registry import HOMES

PACKAGE = "dlprobe"
FOLDERS = ("nn", "parts", "record")  # below which such files stand
# Names, messages, signals and Python's side of records: what is imported from these becomes no part
# of a kernel.
NOT_IN_KERNELS = {
    PACKAGE,
    *(f"{PACKAGE}.{name}" for name in ("dataclass", "errors", "interrupts", "registry")),
}
COMPILERS = {
    "compiled",
    "kernel",
    "inlined",
    "inlined_with_helpers",
    "giving_views",
    "callable_from_kernels",
}
BODIES = ("body", "orelse", "finalbody")


@dataclass(frozen=True)
class KernelSources:
    """The names of the modules that reach a kernel, and the hex digest of their syntax."""

    modules: frozenset[str]
    digest: str


def sources(root: Path) -> KernelSources:
    """The kernel sources of the package in the folder `root`. Takes some 0.2 s."""
    trees = reaching(root)
    digest = hashlib.sha256()
    for name in sorted(trees):
        digest.update(f"{name} {syntax(trees[name])}\n".encode())
    return KernelSources(frozenset(trees), digest.hexdigest())


def bytes_digest(root: Path) -> str:
    """Hex digest of all files that could reach a kernel, and of the registry, which knows the
    homes of records, as they are; takes some 2 ms.
    """
    digest = hashlib.sha256()
    for file in (
        root / "registry.py",
        *(file for folder in FOLDERS for file in sorted((root / folder).rglob("*.py"))),
    ):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def reaching(root: Path) -> dict[str, ast.Module]:
    """The modules that reach a kernel, by name."""
    files = dict(_files(root))
    trees: dict[str, ast.Module] = {}
    own = {
        name: ast.parse(path.read_bytes())
        for name, path in files.items()
        if name.startswith(f"{PACKAGE}.nn.")
    }
    waiting = [name for name, tree in own.items() if defines_kernels(tree)]
    while waiting:
        name = waiting.pop()
        if name in trees or name in NOT_IN_KERNELS:
            continue
        trees[name] = own.get(name) or ast.parse(files[name].read_bytes())
        waiting.extend(target for target in imported(trees[name]) if target in files)
        if name in HOMES.values():
            waiting.extend(other for other in files if other.startswith(f"{name}."))
    return trees


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        yield ".".join((PACKAGE, *(parts[:-1] if parts[-1] == "__init__" else parts))), path


def defines_kernels(tree: ast.Module) -> bool:
    """Whether a module imports numba, or one of the functions by which another is compiled."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(
            alias.name.split(".")[0] in ("numba", "llvmlite") for alias in node.names
        ):
            return True
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            if node.module.split(".")[0] in ("numba", "llvmlite"):
                return True
            if node.module.startswith(f"{PACKAGE}.nn.") and any(
                alias.name in COMPILERS for alias in node.names
            ):
                return True
    return False


def imported(tree: ast.Module) -> Iterator[str]:
    """What a module may import, modules and names alike, and the homes of the kinds of records
    that it asks the registry for.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else node.func.id
                if isinstance(node.func, ast.Name)
                else ""
            )
            if called in ("records", "get") and node.args[0].value in HOMES:
                yield HOMES[str(node.args[0].value)]


def syntax(tree: ast.Module) -> str:
    """The syntax tree as text, without docstrings (texts that stand alone as a statement) and
    the annotations of functions.
    """
    for node in ast.walk(tree):
        for name in BODIES:
            body = getattr(node, name, None)
            if isinstance(body, list):
                setattr(node, name, [one for one in body if not _is_text(one)])
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return ast.dump(tree)


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
