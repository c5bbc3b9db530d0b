"""Imports point one way: what every folder may import, who owns which third-party package, and what
`dlprobe --help` must not load.

The tables below are the rule; the tests read the source of every module, so imports inside
functions count too.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest
from package_trees import PACKAGE, trees

ROOT = Path(__file__).parent.parent
EVERYBODY = {"errors", "dataclass", "registry", "config", "interrupts", "record", "version"}
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": {"api", "analysis", "recorders"},  # the public names
    "__main__": {"commands"},
    "errors": set(),
    "dataclass": set(),
    "interrupts": set(),
    "version": set(),
    "registry": set(),
    "config": set(),
    "record": set(),
    "parts": set(),
    "hdf5": set(),
    "render": set(),
    "guide": set(),
    "data": {"hdf5"},
    "nn": {"parts"},
    "runs": {"hdf5"},
    "training": {"nn", "parts", "data", "runs"},
    "analysis": {"runs", "parts"},
    "executors": {"training", "runs"},
    "rules": {"analysis", "runs", "parts"},
    "experiments": {"executors", "training", "analysis", "runs", "rules", "parts"},
    "reports": {"render.document", "render.checked"},
    "exporters": {"runs", "hdf5"},
    # data: the fingerprint of the arrays that a recorded net sees; nn: sums over its arrays
    "recorders": {"runs", "data", "nn"},
    "pytest_plugin": {"training", "data", "runs", "rules", "reports", "recorders"},
}
MAY_IMPORT["api"] = set(MAY_IMPORT) - {"__main__", "__init__", "pytest_plugin"}
MAY_IMPORT["commands"] = {*MAY_IMPORT, "api"} - {"__main__", "pytest_plugin"}
# Annotations only: a report takes result records, it does not make them.
MAY_ANNOTATE: dict[str, set[str]] = {
    "reports": {"analysis", "data", "runs", "rules", "experiments"}
}
OWNERS: dict[str, set[str]] = {
    "numba": {"nn"},
    "llvmlite": {"nn"},
    "h5py": {"hdf5"},
    "typer": {"commands"},
    "click": {"commands"},
    "rich": {"render.terminal", "commands"},
    "polars": {"data", "exporters", "api"},
    "pandas": {"api"},
    "xarray": {"api"},
    "tensorboard": {"exporters"},
    "torch": {"recorders.torch", "recorders.keras"},
    "keras": {"recorders.keras"},
    "jax": {"recorders.keras"},
    "dask": {"executors"},
    "distributed": {"executors"},
    "vl_convert": {"render.vega"},
    "sklearn": set(),
    "pickle": set(),
}
NOT_FOR_HELP = ("numba", "h5py", "scipy", "polars", "pydantic")


@dataclass(frozen=True)
class Import:
    """One import: the dotted name of the module that holds it, where it stands, what is
    imported, and whether for annotations only.
    """

    module: str
    line: int
    target: str
    annotation: bool

    def __str__(self) -> str:
        return f"{self.module} line {self.line} imports {self.target}"


def module_name(path: Path) -> str:
    """`dlprobe/runs/frames.py` → `runs.frames`, a package's `__init__` → its own name, the top
    one → `__init__`.
    """
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


@cache
def modules() -> dict[str, ast.Module]:
    return {module_name(path): tree for path, tree in trees().items()}


@cache
def all_imports() -> list[Import]:
    packages = {module_name(path) for path in PACKAGE.rglob("__init__.py")}
    return [
        one for name, tree in modules().items() for one in imports_of(name, tree, name in packages)
    ]


def imports_of(module: str, tree: ast.Module, package: bool = False) -> Iterator[Import]:
    """Every import of a module, `from a import b` as `a.b`, relative ones resolved; after
    `import dlprobe`, what is reached through it counts.
    """
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and is_type_checking(node.test)
        for part in node.body
        for inner in ast.walk(part)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, package, node.level, node.module)
            targets = [f"{base}.{alias.name}" for alias in node.names]
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "dlprobe"
        ):
            targets = [f"dlprobe.{node.attr}"]
        else:
            continue
        yield from (Import(module, node.lineno, target, id(node) in guarded) for target in targets)


def is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def absolute(module: str, package: bool, level: int, base: str | None) -> str:
    """The dotted name that `from <level dots><base> import …` means inside `dlprobe.<module>`."""
    if level == 0:
        return base or ""
    here = ["dlprobe", *([] if module == "__init__" else module.split("."))]
    above = here[: len(here) - level + (1 if package else 0)]
    return ".".join([*above, *([base] if base else [])])


def matches(name: str, allowed: set[str]) -> bool:
    """Whether a dotted name is, or lies inside, one of the allowed ones."""
    return any(name == one or name.startswith(one + ".") for one in allowed)


def breaks_direction(one: Import) -> bool:
    """Whether an import inside dlprobe points where its folder may not import from."""
    if one.target.split(".")[0] != "dlprobe":
        return False
    folder, target = one.module.split(".")[0], one.target.removeprefix("dlprobe").lstrip(".")
    if (
        target == "" or target.startswith("__") or target.split(".")[0] == folder
    ):  # dlprobe.__version__, dlprobe.__file__
        return False
    allowed = (
        MAY_IMPORT[folder]
        | EVERYBODY
        | (MAY_ANNOTATE.get(folder, set()) if one.annotation else set())
    )
    return not matches(target, allowed)


def breaks_ownership(one: Import) -> bool:
    """Whether an import of an owned third-party package stands outside its owners; for
    annotations it counts just the same.
    """
    owners = OWNERS.get(one.target.split(".")[0])
    return owners is not None and not matches(one.module, owners)


def test_every_folder_stands_in_the_table() -> None:
    assert {name.split(".")[0] for name in modules()} <= set(MAY_IMPORT)


def test_imports_point_one_way() -> None:
    assert [str(one) for one in all_imports() if breaks_direction(one)] == []


def test_third_party_packages_stay_with_their_owners() -> None:
    assert [str(one) for one in all_imports() if breaks_ownership(one)] == []


def test_the_ground_stands_on_nothing() -> None:
    """Each of these imports itself and those before it only: otherwise "everybody may import
    them" would make circles.
    """
    ground = {
        "errors": set(),
        "dataclass": set(),
        "version": set(),
        "registry": {"errors", "dataclass"},
        "config": {"errors", "dataclass", "registry", "config"},
        "record": {"errors", "dataclass", "registry", "config", "record"},
    }
    low = [
        one
        for one in all_imports()
        if one.module.split(".")[0] in ground and one.target.startswith("dlprobe.")
    ]
    assert [
        str(one)
        for one in low
        if not matches(one.target.removeprefix("dlprobe."), ground[one.module.split(".")[0]])
    ] == []


def home_of(target: str, known: Collection[str]) -> str | None:
    """The module among `known` that an import takes something from; None outside dlprobe, and
    for what the top package knows before it is run.
    """
    top, _, name = target.partition(".")
    if top != "dlprobe" or name in ("", "__file__"):
        return None
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or "__init__"


def circle_in(imports: Iterable[Import], known: Collection[str]) -> list[str]:
    """Modules that import each other in a ring, the first one again at the end; none where
    there is no ring. Imports in functions and for annotations count.
    """
    graph: dict[str, set[str]] = {}
    for one in imports:
        target = home_of(one.target, known)
        if target not in (None, one.module):
            graph.setdefault(one.module, set()).add(str(target))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_imports_one_that_needs_it() -> None:
    assert circle_in(all_imports(), modules()) == []


@pytest.mark.parametrize(
    ("sources", "circle"),
    [
        ({"a.x": "from dlprobe.a.y import Y", "a.y": "import dlprobe.b.z"}, set()),
        (
            {"a.x": "from dlprobe.a.y import Y", "a.y": "def f():\n    from dlprobe.a import x"},
            {"a.x", "a.y"},
        ),
        (
            {
                "a.x": "from dlprobe.a.y import Y",
                "a.y": "if TYPE_CHECKING:\n    from dlprobe.a.x import X",
            },
            {"a.x", "a.y"},
        ),
        (
            {
                "a.x": "from .y import Y",
                "a.y": "from dlprobe.b import z",
                "b.z": "from dlprobe.a.x import X",
            },
            {"a.x", "a.y", "b.z"},
        ),
        (
            {
                "__init__": "def f():\n    from dlprobe.a.x import X",
                "a.x": "import dlprobe\ndlprobe.__version__",
            },
            {"__init__", "a.x"},
        ),
        (
            {
                "__init__": "def f():\n    from dlprobe.a.x import X",
                "a.x": "import dlprobe\ndlprobe.__file__",
            },
            set(),
        ),
    ],
)
def test_the_search_for_circles_finds_them(sources: dict[str, str], circle: set[str]) -> None:
    assert (
        set(
            circle_in(
                (
                    one
                    for name, source in sources.items()
                    for one in imports_of(name, ast.parse(source))
                ),
                sources,
            )
        )
        == circle
    )


# Prints what modules import by name, and the homes of the kinds of records that they ask for, while
# they are imported themselves: each line the module and what it needs.
NEEDED = """
import importlib
import sys
from dlprobe import registry

def noted(function, needed):
    def call(asked, *others, **named):
        frame = sys._getframe(1)
        while frame and frame.f_code.co_name != "<module>":
            frame = frame.f_back
        if frame and frame.f_globals["__name__"].startswith("dlprobe."):
            print(frame.f_globals["__name__"], needed(asked))
        return function(asked, *others, **named)
    return call

load = importlib.import_module
importlib.import_module = noted(load, str)
registry.records = noted(registry.records, registry.HOMES.get)
for name in sys.argv[1:]:
    load(name)
"""


def test_every_module_can_be_the_first_one_imported() -> None:
    """No circle hides from the search above in what is imported by name at run time. Extras are
    imported in functions, so none is needed here; but the recorder of a
    framework stands on it."""
    lacking = tuple(f"recorders.{name}." for name in ("torch", "keras") if find_spec(name) is None)
    lacking += ("recorders.keras.jax_probe",) if find_spec("jax") is None else ()
    names = [
        f"dlprobe.{name}"
        for name in modules()
        if name not in ("__init__", "__main__") and not name.startswith(lacking)
    ]
    result = subprocess.run(
        [sys.executable, "-c", NEEDED, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (result.stderr, result.returncode) == ("", 0)
    needed = {tuple(line.removeprefix("dlprobe.").split()) for line in result.stdout.splitlines()}
    assert ("nn.observe", "dlprobe.record.statistics") in needed
    by_name = [
        Import(module, 0, f"dlprobe.{other}", False)
        for module, target in needed
        for other in modules()
        if matches(f"dlprobe.{other}", {target})
    ]
    assert circle_in([*all_imports(), *by_name], modules()) == []


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("runs.reader", "from dlprobe.training import loop", True),
        ("runs.reader", "def f():\n    import dlprobe.nn.block", True),
        ("runs.reader", "from ..training import loop", True),
        ("runs.reader", "from .frames import Frame", False),
        ("runs.reader", "from dlprobe import nn", True),
        ("runs.reader", "from dlprobe import __version__", False),
        ("runs.reader", "from dlprobe import open_run", True),
        ("runs.reader", "import dlprobe\ndlprobe.__file__", False),
        ("runs.reader", "import dlprobe\ndlprobe.nn.block", True),
        ("runs.reader", "import h5py", True),
        ("hdf5.files", "import h5py", False),
        ("runs.reader", "from dlprobe.hdf5 import files", False),
        ("reports.run", "from dlprobe.render.document import Document", False),
        ("reports.run", "from dlprobe.render import document", False),
        ("reports.run", "from dlprobe.render import terminal", True),
        ("reports.run", "if TYPE_CHECKING:\n    from dlprobe.runs import Run", False),
        ("reports.run", "from dlprobe.runs import Run", True),
        ("analysis.theory", "if TYPE_CHECKING:\n    from dlprobe.training import Loop", True),
        ("render.json", "from rich.text import Text", True),
        ("render.terminal.table", "from rich.text import Text", False),
        ("runs.reader", "import dlprobe.commands.train", True),
        ("data.files.csv", "import polars.selectors", False),
        ("nn.block", "from dlprobe.record import scalars", False),
        ("record.layout", "from dlprobe.parts import metrics", True),
        ("api.opening", "from dlprobe.analysis import learning", False),
        ("api.opening", "from dlprobe.commands import main", True),
        ("runs.reader", "from dlprobe.api import open_run", True),
    ],
)
def test_the_check_itself_sees_what_it_should(module: str, source: str, wrong: bool) -> None:
    found = list(imports_of(module, ast.parse(source)))
    assert any(breaks_direction(one) or breaks_ownership(one) for one in found) is wrong


def test_what_one_command_alone_needs_lies_in_its_own_package() -> None:
    """commands.base holds what several commands use, or what it uses itself."""
    users: dict[str, set[str]] = {
        name: set() for name in modules() if name.startswith("commands.base.")
    }
    for one in all_imports():
        target = home_of(one.target, modules())
        if target in users and target != one.module:
            users[target].add(
                one.module
                if one.module.startswith("commands.base.")
                else one.module.split(".")[1]
                if "." in one.module
                else "commands"
            )
    alone = {
        name: by
        for name, by in users.items()
        if len(by) < 2 and not any(each.startswith("commands") for each in by)
    }
    assert len(users) > 10
    assert alone == {}


def test_no_module_is_called_utils() -> None:
    vague = {"utils", "util", "helpers", "misc", "common"}
    assert [name for name in modules() if vague & set(name.split("."))] == []


def test_records_take_the_decorator_that_costs_nothing_at_import() -> None:
    """`dlprobe.dataclass`, but where they need an option that it has not."""
    theirs = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module == "dataclasses"
        and "dataclass" in {alias.name for alias in node.names}
    }
    assert theirs == {"dataclass", "recorders.torch.calls"}


def test_every_package_says_what_lives_there() -> None:
    silent = []
    for path in PACKAGE.rglob("__init__.py"):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if len(text.split()) < 5 or not re.search(r"\w[.?!]", text):
            silent.append(str(path.relative_to(ROOT)))
    assert silent == []


def test_every_module_has_a_docstring() -> None:
    assert [name for name, tree in modules().items() if not ast.get_docstring(tree)] == []


HELP = """
import sys
sys.argv = ["dlprobe", "--help"]
from dlprobe.commands import main
code = 0
try:
    code = main()
except SystemExit as exit:
    code = exit.code
print("code", int(code or 0))
print("loaded", *(name for name in {names!r} if name in sys.modules))
"""


def test_help_loads_nothing_heavy() -> None:
    script = HELP.format(names=NOT_FOR_HELP)
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.stdout.splitlines()[-2:] == ["code 0", "loaded"], result.stdout + result.stderr
