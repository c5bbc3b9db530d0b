"""Whose settings `check` takes: those of the user's own project, said in every format, and
nobody else's.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command_line import ROOT, Outcome, dlprobe

from dlprobe.commands.check.project_file import project_file
from dlprobe.render.checked import SCHEMA
from dlprobe.render.formats import formats_for

LENIENT = 'ignore = ["N", "G", "A", "B", "L001", "L002"]\nfail-on = "never"\n'
SAID = "dlprobe.toml sets ignore = N, G, A, B, L001, L002; fail-on = never"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """project/inner, the working folder, with a run that diverged: one that nobody's settings
    may let pass in silence.
    """
    inner = tmp_path / "project/inner"
    inner.mkdir(parents=True)
    shutil.copy(ROOT / "sample_runs/diverged.h5", inner / "run.h5")
    monkeypatch.chdir(inner)
    return inner


def check(*arguments: str) -> Outcome:
    return dlprobe("check", "run.h5", *arguments)


def lenient(folder: Path, name: str = "dlprobe.toml") -> Path:
    head = "[tool.dlprobe]\n" if name == "pyproject.toml" else ""
    (folder / name).write_text(head + LENIENT, encoding="utf-8")
    return folder / name


def repository(folder: Path, mark: str = ".git") -> None:
    (folder / mark).mkdir()


@pytest.mark.parametrize("name", ["dlprobe.toml", "pyproject.toml"])
def test_a_file_above_has_no_say_without_a_repository(name: str, folder: Path) -> None:
    lenient(folder.parent, name)
    assert check().code == 1


@pytest.mark.parametrize("mark", [".git", ".hg"])
def test_the_search_ends_at_the_repository(mark: str, folder: Path) -> None:
    repository(folder.parent, mark)
    above = lenient(folder.parent.parent)
    assert check().code == 1
    shutil.move(above, folder.parent)
    outcome = check()
    assert outcome.code == 0
    assert f"note: ../{SAID}" in outcome.err


def test_a_repository_within_another_is_one_of_its_own(folder: Path) -> None:
    """A worktree or submodule has a file in place of the folder."""
    repository(folder.parent)
    (folder / ".git").write_text("gitdir: ../elsewhere\n", encoding="utf-8")
    lenient(folder.parent)
    assert check().code == 1


@pytest.mark.parametrize("name", list(formats_for(SCHEMA)))
def test_every_format_says_what_was_set(name: str, folder: Path) -> None:
    lenient(folder)
    outcome = check("--format", name, "-q")
    assert outcome.code == 0
    assert f"note: {SAID}" in outcome.err
    for text in (outcome.out, file_of("--format", name)):
        plain = " ".join(text.replace("\\", "").replace("&#8203;", "").replace("%2C", ",").split())
        assert "dlprobe.toml" in plain
        assert all(word in plain for word in ("fail-on", "never", "L002"))


def file_of(*arguments: str) -> str:
    """What -o writes: the only thing that others may get to see."""
    assert check(*arguments, "-q", "-o", "result", "--force").code == 0
    return Path("result").read_text(encoding="utf-8")


def test_machines_find_what_was_set_in_its_own_place(folder: Path) -> None:
    lenient(folder)
    settings = {
        "path": "dlprobe.toml",
        "settings": {"ignore": ["N", "G", "A", "B", "L001", "L002"], "fail-on": "never"},
    }
    assert check("--format", "json").data["project_file"] == settings
    assert check("--format", "json", "--counts").data["project_file"] == settings
    assert json.loads(check("--format", "json-lines").out.splitlines()[0]) == settings
    assert (
        json.loads(check("--format", "sarif").out)["runs"][0]["properties"]["project_file"]
        == settings
    )
    found = ElementTree.fromstring(check("--format", "junit").out).find(
        "testsuite/properties/property"
    )
    assert found is not None
    assert found.attrib == {"name": "project_file", "value": SAID}
    assert check("--format", "github").out.startswith(
        "::notice file=dlprobe.toml,title=dlprobe settings::dlprobe.toml sets ignore"
    )


def test_only_what_changes_something_is_said(folder: Path) -> None:
    (folder / "dlprobe.toml").write_text(
        'fail-on = "error"\nexit-zero = false\nselect = []\n', encoding="utf-8"
    )
    assert check("--format", "json").data["project_file"] is None
    text = (
        'select = ["N"]\nset = { "N001.severity" = "info", "G001.severity" = "info" }\nfail-on = '
        '"warning"\n'
    )
    (folder / "dlprobe.toml").write_text(text, encoding="utf-8")
    arguments = (
        "--select",
        "N001",
        "--set",
        "N001.severity=error",
        "--fail-on",
        "error",
        "--format",
        "json",
    )
    outcome = check(*arguments)
    assert (outcome.code, outcome.data["project_file"]["settings"]) == (
        1,
        {"set": {"G001.severity": "info"}},
    )
    (folder / "dlprobe.toml").unlink()
    without = check(*arguments)
    assert (without.err, without.data["project_file"]) == ("", None)


def owned(monkeypatch: pytest.MonkeyPatch, *strange: Path) -> None:
    """Let paths belong to another user."""
    stat, lstat, names = Path.stat, Path.lstat, {str(each) for each in strange}

    def told(state: os.stat_result, path: Path) -> os.stat_result:
        return os.stat_result([*state[:4], state.st_uid + (str(path) in names), *state[5:10]])

    monkeypatch.setattr(Path, "stat", lambda path, **how: told(stat(path, **how), path))
    monkeypatch.setattr(Path, "lstat", lambda path: told(lstat(path), path))


@pytest.mark.parametrize("name", ["dlprobe.toml", "pyproject.toml"])
def test_a_file_of_another_user_has_no_say_and_is_named(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned(monkeypatch, lenient(folder, name))
    outcome = check("-q")
    assert outcome.code == 1
    assert outcome.err.startswith(f"note: {name} is not used: it belongs to another user")


def test_a_file_of_another_user_without_settings_is_not_mentioned(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    owned(monkeypatch, folder / "pyproject.toml")
    assert (check("-q").code, check("-q").err) == (1, "")


def test_the_search_ends_at_a_folder_of_another_user(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = folder.parent.parent
    repository(top)
    lenient(top)
    owned(monkeypatch, folder.parent)
    assert (check("-q").code, check("-q").err) == (1, "")
    lenient(folder.parent)
    assert (
        "note: ../dlprobe.toml is not used: its folder belongs to another user" in check("-q").err
    )


def test_everything_is_another_users_when_one_runs_as_somebody_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root too: what users left lying about is not root's."""
    lenient(folder)
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert check().code == 1


def test_a_folder_above_that_everybody_can_write_to_has_no_say(folder: Path) -> None:
    repository(folder.parent)
    lenient(folder.parent)
    folder.parent.chmod(0o1777)
    outcome = check()
    assert outcome.code == 1
    assert "../dlprobe.toml is not used: everybody can write to its folder" in outcome.err
    shutil.move(folder.parent / "dlprobe.toml", folder)
    folder.chmod(0o777)
    assert check().code == 0


def test_a_link_counts_as_what_it_leads_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(folder.parent)
    outside, inside = lenient(folder.parent.parent), lenient(folder.parent, "own.toml")
    (folder / "dlprobe.toml").symlink_to(outside)
    outcome = check()
    assert outcome.code == 1
    assert "dlprobe.toml is not used: it leads out of .." in outcome.err
    (folder / "dlprobe.toml").unlink()
    (folder / "dlprobe.toml").symlink_to(inside)
    assert check().code == 0
    owned(monkeypatch, folder / "dlprobe.toml")
    assert check().code == 1


@pytest.mark.parametrize("key", ["baseline", "against"])
def test_files_that_a_project_names_lie_in_it_or_are_given_by_hand(key: str, folder: Path) -> None:
    far = folder.parent.parent / ("known.json" if key == "baseline" else "old.h5")
    if key == "baseline":
        dlprobe("check", "run.h5", "--write-baseline", str(far))
    else:
        shutil.copy("run.h5", far)
    (folder / "dlprobe.toml").write_text(
        f"{key} = {json.dumps(str(far) if key == 'baseline' else [str(far)])}\n", encoding="utf-8"
    )
    outcome = check()
    assert (outcome.code, outcome.out, len(outcome.errors)) == (2, "", 1)
    assert outcome.errors[0].endswith(f"type --{key} {far}")
    assert check(f"--{key}", str(far)).errors == []
    repository(folder.parent.parent)
    outcome = check()
    assert outcome.errors == []
    assert f"dlprobe.toml sets {key} = {os.path.relpath(far)}" in outcome.err


def test_what_the_file_holds_is_read_where_it_is_trusted(folder: Path) -> None:
    repository(folder.parent)
    path = lenient(folder.parent)
    found = project_file()
    assert (found.path, found.root, found.refused, found.texts("ignore")[:2]) == (
        path,
        folder.parent,
        "",
        ["N", "G"],
    )
