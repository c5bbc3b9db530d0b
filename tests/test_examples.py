"""What help, hints, errors, docstrings and the READMEs tell people to type exists: thresholds,
commands, options, keys, names, files.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache

from command_line import ROOT, dlprobe
from documents import DOCUMENTS
from package_trees import trees

from dlprobe.commands.base.application import load
from dlprobe.commands.base.catalogue import names
from dlprobe.config import fields
from dlprobe.rules import all_rules

LETTERS = "".join(sorted({code[0] for code in all_rules()}))
TYPED = re.compile(
    (
        r"(?:^|[`'\"(#]|\b(?:type|try|see|and|or|by|with)\s|[:;]\s)[ \t]*dlprobe "
        r"(?P<command>[a-z][a-z_-]*)(?P<rest>[^`;)\n]*)"
    ),
    re.M,
)
HELP = {"help", "version"}  # what may stand in the place of a command
# sentences that look like commands
PROSE = {"trains", "trained", "where", "studies", "never", "installed", "settings", "do", "itself"}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
# of the program itself, of pytest, of pip
ELSEWHERE = {
    "--help",
    "--version",
    "--dlprobe-baseline",
    "--dlprobe-update-baseline",
    "--no-compile",
}
OWN_WORDS = {"extending.md", "changelog.md"}  # of another package; of what was there once
# of timeout; what other tools call --lr; of a doctest; of tests.benchmarks.training_speed
FOREIGN = {"--preserve-status", "--signal", "--learning-rate", "--all", "--avx2"}


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """(where, text) of every string in the package, f-strings with {} for what is filled in, of
    every help page, of the READMEs and of the manual.
    """
    found = [
        (str(path.relative_to(ROOT)), text)
        for path, tree in trees().items()
        for text in strings(tree)
    ]
    found += [(f"{name} --help", dlprobe(name, "--help").out) for name in names()]
    return tuple(
        found
        + [
            (str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
            for path in (*DOCUMENTS, ROOT / "sample_runs" / "README.md")
            if path.name not in OWN_WORDS
        ]
    )


def strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def missing(pattern: str, exists: Callable[..., bool], least: int) -> list[str]:
    """Texts that name what does not exist; at least so many must name something, so that the
    pattern cannot go blind.
    """
    found = [(where, match) for where, text in texts() for match in re.finditer(pattern, text)]
    assert len(found) >= least
    return sorted({f"{where}: {match[0]}" for where, match in found if not exists(*match.groups())})


def commands() -> list[tuple[str, str, str]]:
    """(where, command, the rest of its line) of everything that is to be typed."""
    found = [
        (where, match["command"].replace("_", "-"), match["rest"])
        for where, text in texts()
        for match in TYPED.finditer(text)
    ]
    return [each for each in found if each[1] not in PROSE]


@cache
def options(command: str) -> frozenset[str]:
    return frozenset(
        option
        for parameter in load(command).params
        for option in (*parameter.opts, *parameter.secondary_opts)
    )


def test_thresholds_exist() -> None:
    def exists(code: str, name: str) -> bool:
        return code in all_rules() and name in {
            "severity",
            *(threshold.name for threshold in all_rules()[code].parameters),
        }

    assert missing(rf"\b([{LETTERS}]\d{{3}})\.([a-z_]+)", exists, least=8) == []


def test_codes_of_rules_exist() -> None:
    assert missing(rf"\b([{LETTERS}]\d{{3}})\b", lambda code: code in all_rules(), least=50) == []


def test_commands_exist_and_have_the_options_that_stand_behind_them() -> None:
    assert len(commands()) > 100
    assert (
        sorted(
            {
                (where, command)
                for where, command, _ in commands()
                if command not in {*names(), *HELP}
            }
        )
        == []
    )
    wrong = {
        (where, command, option)
        for where, command, rest in commands()
        for option in OPTION.findall(rest)
        if command not in HELP and option not in options(command) | {"--help"}
    }
    assert sorted(wrong) == []


def test_options_exist_in_some_command() -> None:
    known = frozenset().union(*map(options, names())) | ELSEWHERE | FOREIGN
    assert missing(rf"({OPTION.pattern})", lambda option: option in known, least=500) == []


def test_configuration_keys_exist() -> None:
    known = {(field.table, field.key) for field in fields()} | {
        ("data", suffix) for suffix in ("csv", "npz", "npy", "txt", "parquet")
    }  # names of files
    known |= {
        ("model", name)
        for name in [
            "net",
            "encoder",
            "head",
            "input_shape",
            "loss",
            "optimizer",
            "blocks",
            "training",
        ]
    }  # of models in lines of Keras and PyTorch
    assert (
        missing(
            r"(?<![\w./])(data|model|training|recording)\.([a-z_0-9]+)(?![\w(]|\.[a-z])",
            lambda *key: key in known,
            least=50,
        )
        == []
    )


def test_what_is_to_be_explained_is_known() -> None:
    asked = sorted(
        {
            match[1]
            for _, text in texts()
            for match in re.finditer(r"dlprobe explain ([a-z](?:[\w:./-]*\w)?|[A-Z]\d{3})\b", text)
        }
    )
    assert len(asked) > 5
    assert [name for name in asked if dlprobe("explain", name).code != 0] == []


def test_files_exist() -> None:
    assert (
        missing(
            r"(?<![\w/.])((?:sample_runs|tests|dlprobe)/[\w/.-]*\w)",
            lambda name: (ROOT / name).exists(),
            least=5,
        )
        == []
    )
