"""TOML of strangers: keys that would take gigabytes are refused wherever a file is read, and
what people write is not.
"""

from __future__ import annotations

import tomllib
import tracemalloc
from pathlib import Path

import pytest
from command_line import ROOT, dlprobe

from dlprobe.config import parse_toml
from dlprobe.config.toml_text import MOST_PARTS, loads
from dlprobe.errors import ConfigError

LONG = ".".join(["a"] * 20_000)  # tomllib took 1.6 GB and 40 s
BOMBS = {
    "a key": f"{LONG} = 1\n",
    "blanks between": f"{LONG.replace('.', ' . ')} = 1\n",
    "quoted parts": LONG.replace("a", '"a"') + " = 1\n",
    "a table": f"[data]\ndata = 'wine'\n[{LONG}]\n",
    "within a table": f"x = {{ {LONG} = 1 }}\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_key_of_thousands_of_parts_is_refused_by_its_text(bomb: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(
            ConfigError,
            match=r"^net\.toml, line \d, column \d+: not TOML: A key of more than 20 parts$",
        ):
            parse_toml(BOMBS[bomb], "net.toml")
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["dlprobe.toml", "pyproject.toml"])
def test_so_it_is_in_the_files_of_a_project(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(BOMBS["a key"], encoding="utf-8")
    outcome = dlprobe("check", str(ROOT / "sample_runs" / "healthy.h5"))
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert "A key of more than 20 parts" in outcome.err


def test_so_it_is_in_a_file_that_would_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a file is that --force would replace is found out by its content."""
    monkeypatch.chdir(tmp_path)
    Path("net.toml").write_text(BOMBS["a key"], encoding="utf-8")
    outcome = dlprobe("new", "-o", "net.toml", "--force")
    assert outcome.code in (0, 2)


def test_nobody_else_reads_toml() -> None:
    readers = [
        path
        for path in (ROOT / "dlprobe").rglob("*.py")
        if "import tomllib" in path.read_text(encoding="utf-8")
    ]
    assert [path.name for path in readers] == ["toml_text.py"]


WRITTEN = (
    f"numbers = [{', '.join(['0.5'] * 100)}]\n",
    f'text = "{"a.b " * 100}"\n',
    f"pattern = '{'.a|b' * 100}'  # {'a.b.' * 100}\n",
    f'description = """\n{"One sentence. " * 50}\n{"." * 80}\n"""\n',
    "tool.poetry.group.dev.dependencies.x.y.z = 1\n",
    f"{'.'.join('a' * MOST_PARTS)} = 1\n",
)


@pytest.mark.parametrize("text", WRITTEN)
def test_what_people_write_is_read(text: str) -> None:
    assert loads(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    "line",
    [
        '\\"' * 200_000,
        "a" * 500_000,
        '"' + "a." * 200_000,
        ("a" * 1000 + " ") * 400,
        "'." * 200_000,
    ],
)
def test_a_text_is_looked_through_in_one_go(line: str) -> None:
    """Signs that a look which turns back would read again for each: that would take minutes."""
    with pytest.raises(ValueError, match=r"\(at "):
        loads(f"x = {line} {'.' * MOST_PARTS}\n")
