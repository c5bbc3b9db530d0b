"""Every public name of a module is used by the package: a name that only tests use, or nobody,
is removed with its tests.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from package_trees import trees
from test_imports import absolute, module_name

# Called by those who load the module: by name from the folder walk of commands, and by pytest.
CALLED_FROM_OUTSIDE = {
    "command",
    "LISTED",
    "SHORT",
    "ALIASES",
    "GREEDY",
    "SCHEMA",
    "DRAWS",
    "FORMAT",
    "record",
    "Callback",
}  # record, Callback: of dlprobe.recorders, which users call
PLUGIN = "pytest_plugin"


def modules() -> dict[str, tuple[ast.Module, bool]]:
    """Every module by its dotted name inside the package, and whether it is a package itself."""
    return {module_name(path): (tree, path.name == "__init__.py") for path, tree in trees().items()}


def defined(tree: ast.Module) -> Iterator[str]:
    """The public names that a module defines at its top. What a decorator registers is used by
    it; of positions in a row one that is used stands for all.
    """
    loaded = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [] if isinstance(node, ast.FunctionDef) and node.decorator_list else [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [
                each.id
                for target in targets
                for each in ast.walk(target)
                if isinstance(each, ast.Name)
            ]
            if (
                isinstance(node.value, ast.Call)
                and ast.unparse(node.value.func) == "range"
                and loaded & set(names)
            ):
                names = []
        else:
            names = []
        yield from (name for name in names if not name.startswith("_") and name not in loaded)


def used(module: str, tree: ast.Module, package: bool) -> Iterator[tuple[str, str]]:
    """(module, name) of what a module imports or reaches through something imported."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = absolute(module, package, node.level, node.module)
            known |= {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}
            yield from ((base, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            known |= {alias.asname or alias.name: alias.name for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (base := dotted(node.value)) in known:
            yield known[base], node.attr


def dotted(node: ast.expr) -> str:
    """`a.b.c` of names and attributes, something without a meaning of everything else."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dead(modules: dict[str, tuple[ast.Module, bool]]) -> list[str]:
    """`module.name` of every public name that nobody in the package uses; a name that a package
    hands on counts where it is taken from the package.
    """
    taken: dict[str, set[str]] = {}
    for user, (tree, package) in modules.items():
        for base, name in used(user, tree, package):
            taken.setdefault(name, set()).add(base)
    return [
        f"{module}.{name}"
        for module, (tree, _) in modules.items()
        if module != PLUGIN
        for name in defined(tree)
        if name not in CALLED_FROM_OUTSIDE
        and not any(f"dlprobe.{module}".startswith(base) for base in taken.get(name, ()))
    ]


def test_no_name_is_there_for_nobody() -> None:
    assert dead(modules()) == []


def test_the_check_itself_sees_what_it_should() -> None:
    source = (
        "A, B = 0, 1\nC, D = range(2)\nE = C\ndef f(): ...\n@register\ndef g(): ...\nclass H: ...\n"
    )
    user = "from dlprobe.one import f\nimport dlprobe.one as one\none.B\n"
    found = dead({"one": (ast.parse(source), False), "two": (ast.parse(user), False)})
    assert found == ["one.A", "one.E", "one.H"]
