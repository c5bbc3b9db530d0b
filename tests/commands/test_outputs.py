"""What commands write replaces no input, nothing but regular files, and no file of another
kind, whether forced or not.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import socket
import stat
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from command_line import ROOT, TINY, dlprobe

from dlprobe.commands.base import application
from dlprobe.commands.base.file_kinds import kind_of
from dlprobe.errors import RunFileError
from dlprobe.runs import open_run

# every command and option that writes a file, as typed before the file's name; --force where there
# is one
WRITERS: dict[tuple[str, str], list[str]] = {
    ("bias-variance", "-o"): ["bias-variance", *TINY, "--replicas", "2", "--force", "-o"],
    ("check", "--write-baseline"): ["check", "good.h5", "--write-baseline"],
    ("check", "-o"): ["check", "good.h5", "--format", "json", "--force", "-o"],
    ("compare", "-o"): ["compare", "init", "zeros", "ones", *TINY, "--seeds", "1", "--force", "-o"],
    ("diff", "-o"): ["diff", "good.h5", "good.h5", "--force", "-o"],
    ("export", "-o"): ["export", "good.h5", "--force", "-o"],
    ("gradients", "-o"): [
        "gradients",
        "--depth",
        "2",
        "--seeds",
        "1",
        "--data",
        "wine",
        "--epochs",
        "1",
        "--force",
        "-o",
    ],
    ("import", "-o"): ["import", "log.csv", "--force", "-o"],
    ("new", "-o"): ["new", "--force", "-o"],
    ("prescribe", "-o"): ["prescribe", "good.h5", "--force", "-o"],
    ("recipe", "--base"): ["recipe", "sigmoid_stack", "--force", "--base"],
    ("recipe", "-o"): ["recipe", "sigmoid_stack", "--tiny", "--force", "-o"],
    ("report", "-o"): ["report", "good.h5", "--force", "-o"],
    ("train", "-o"): ["train", *TINY, "--force", "-o"],
}
RUN_WRITERS = {
    key
    for key in WRITERS
    if key[0] in ("bias-variance", "compare", "gradients", "import", "train")
    or key == ("recipe", "-o")
}
each_writer = pytest.mark.parametrize("writer", WRITERS, ids=" ".join)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of every kind."""
    folder = tmp_path_factory.mktemp("kinds")
    assert dlprobe("train", *TINY, "-o", str(folder / "good.h5")).code == 0
    (folder / "data.csv").write_text("a,y\n" + "\n".join(f"{i},{i % 2}" for i in range(40)))
    (folder / "log.csv").write_text("step,loss\n1,2.5\n2,2.25\n")
    (folder / "package.json").write_text('{"name": "mine"}')
    (folder / "pyproject.toml").write_text('[project]\nname = "mine"\n')
    (folder / "page.html").write_text("<html></html>")
    np.savez(folder / "arrays.npz", X=np.zeros((3, 2)), y=np.zeros(3))
    for name, libver in (("old.h5", "earliest"), ("new.h5", "v110")):
        with h5py.File(folder / name, "w", libver=(libver, "v110")) as file:
            file["X"] = np.arange(3.0)
    (folder / "cut.h5").write_bytes((folder / "good.h5").read_bytes()[:5000])
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = Path(shutil.copytree(made, tmp_path / "work"))
    monkeypatch.chdir(place)
    return place


def state_of(folder: Path) -> dict[str, Any]:
    """Everything in a folder: type, number, permissions and content."""
    found: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        about = path.lstat()
        found[path.name] = (
            about.st_mode,
            about.st_ino,
            path.read_bytes() if stat.S_ISREG(about.st_mode) else None,
        )
    return found


def test_exports_are_told_from_the_tables_and_arrays_that_people_have(folder: Path) -> None:
    """An export replaces an export of its kind by force, and nothing else of the same ending."""
    import polars

    polars.DataFrame({"step": [1, 2], "price": [0.5, 1.0]}).write_parquet("own.parquet")
    Path("own.csv").write_text("step,layer,price\n1,2,3\n")
    shutil.copy("arrays.npz", "own.npz")
    shutil.copy("new.h5", "own.nc")
    for ending in ("csv", "parquet", "npz", "nc"):
        command = ["export", "good.h5", "--force", "-o"]
        assert "would take its place" in assert_refused(
            folder, [*command, f"own.{ending}"], f"own.{ending}"
        )
        for options in ([], ["--what", "evaluations"]):
            assert dlprobe(*command, f"export.{ending}", *options).code == 0


def assert_refused(folder: Path, arguments: list[str], target: str) -> str:
    """Exit code 2, one line that names the file and what to type, and nothing in the folder has
    changed.
    """
    before = state_of(folder)
    outcome = dlprobe(*arguments)
    assert (outcome.code, outcome.out) == (2, ""), outcome
    (line,) = outcome.errors
    assert Path(target).name in line
    assert "choose another name with" in line or "give a file in it with" in line
    assert state_of(folder) == before
    return line


def test_every_option_that_writes_a_file_is_here() -> None:
    found = set()
    for name in application.names():
        for parameter in application.load(name).params:
            if getattr(parameter, "metavar", None) in ("FILE", "STUDY") and parameter.opts[0] in (
                "-o",
                "--base",
                "--write-baseline",
            ):
                found.add((name, parameter.opts[0]))
    assert found == set(WRITERS)


def test_commands_write_in_one_place_only() -> None:
    for path in sorted((ROOT / "dlprobe" / "commands").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in (
                    "write_text",
                    "write_bytes",
                    "unlink",
                    "rename",
                    "replace_file",
                    "mkdir",
                ), (path, node.lineno)
                modes = (
                    [each.value for each in node.args if isinstance(each, ast.Constant)]
                    if node.func.attr == "open"
                    else []
                )
                assert not any(str(mode)[:1] in "wax" for mode in modes), (path, node.lineno)


@each_writer
def test_only_regular_files_are_replaced(writer: tuple[str, str], folder: Path) -> None:
    os.mkfifo("pipe")
    Path("inside").mkdir()
    Path("device").symlink_to(os.devnull)
    Path("astray").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for target in ("pipe", "inside", "device", "astray", "socket"):
            assert_refused(folder, [*WRITERS[writer], target], target)


@each_writer
def test_only_files_of_their_own_kind_are_replaced(writer: tuple[str, str], folder: Path) -> None:
    others = [
        "data.csv",
        "package.json",
        "pyproject.toml",
        "page.html",
        "arrays.npz",
        "old.h5",
        "new.h5",
        "cut.h5",
    ]
    shutil.copy("good.h5", "another.h5")
    for target in [*others, *([] if writer in RUN_WRITERS else ["another.h5"])]:
        said = (
            "ending says what is written"
            if writer[0] == "export" and not target.endswith((".csv", ".npz"))
            else "would take its place"
        )
        assert said in assert_refused(folder, [*WRITERS[writer], target], target)


@pytest.mark.parametrize("link", ["itself", "symbolic", "hard", "longer way"])
def test_no_input_is_replaced_by_whatever_name(link: str, folder: Path) -> None:
    Path("dlprobe.toml").write_text('fail-on = "never"\n')
    Path("net.toml").write_text('[data]\ndata = "data.csv"\n[model]\nlayers = "3"\n')
    shutil.copy("good.h5", "old_run.h5")
    assert dlprobe("check", "good.h5", "--write-baseline", "known.json").code == 0
    arrays = {
        "hidden_1_weights": np.zeros((13, 3)),
        "output_weights": np.zeros((3, 3)),
        "hidden_1_bias": np.zeros(3),
        "output_bias": np.zeros(3),
    }
    np.savez("init.npz", **arrays)

    def named(path: str) -> str:
        other = f"other-{path}"
        Path(other).unlink(missing_ok=True)
        if link == "symbolic":
            Path(other).symlink_to(path)
        elif link == "hard":
            os.link(path, other)
        return (
            other
            if link in ("symbolic", "hard")
            else str(folder / ".." / "work" / path)
            if link == "longer way"
            else path
        )

    study = ["--seeds", "1", "--epochs", "1", "--force", "-o"]
    cases = [
        (["check", "good.h5", "--force", "-o"], "good.h5"),
        (["check", ".", "--force", "-o"], "good.h5"),
        (["check", "good.h5", "--write-baseline"], "good.h5"),
        (["check", "good.h5", "--against", "old_run.h5", "--force", "-o"], "old_run.h5"),
        (
            ["check", "good.h5", "--baseline", "known.json", "--format", "json", "--force", "-o"],
            "known.json",
        ),
        (
            [
                "check",
                "good.h5",
                "--format",
                "json",
                "--write-baseline",
                "known.json",
                "--force",
                "-o",
            ],
            "known.json",
        ),
        (["check", "good.h5", "--force", "-o"], "dlprobe.toml"),
        (["diff", "good.h5", "old_run.h5", "--force", "-o"], "good.h5"),
        (["diff", "good.h5", "old_run.h5", "--force", "-o"], "old_run.h5"),
        (["train", "good.h5", "--force", "-o"], "good.h5"),
        (["train", "net.toml", "--force", "-o"], "net.toml"),
        (["train", "net.toml", "--force", "-o"], "data.csv"),
        (
            ["train", *TINY, "--layers", "3", "--init", "file(path=init.npz)", "--force", "-o"],
            "init.npz",
        ),
        (
            [
                "train",
                *TINY,
                "--layers",
                "3",
                "--bias-init",
                "file(path=init.npz)",
                "--force",
                "-o",
            ],
            "init.npz",
        ),
        (
            [
                "compare",
                "init",
                "zeros",
                "file(path=init.npz)",
                "--data",
                "wine",
                "--layers",
                "3",
                *study,
            ],
            "init.npz",
        ),
        (["compare", "init", "zeros", "ones", "--config", "good.h5", *study], "good.h5"),
        (["gradients", "good.h5", "--depth", "2", *study], "good.h5"),
        (
            ["bias-variance", "good.h5", "--replicas", "2", "--epochs", "1", "--force", "-o"],
            "good.h5",
        ),
        (["recipe", "data_size", "--tiny", "--data", "data.csv", "--force", "-o"], "data.csv"),
        (["prescribe", "good.h5", "--force", "-o"], "good.h5"),
    ]
    for arguments, path in cases:
        assert "is " in assert_refused(folder, [*arguments, named(path)], path)
        Path(f"other-{path}").unlink(missing_ok=True)


def test_an_interrupted_run_is_not_replaced_by_what_is_made_from_its_journal(folder: Path) -> None:
    from synthetic_runs import description

    from dlprobe.runs import RunWriter

    RunWriter.create(Path("dead.h5"), description()).close()
    for arguments in (
        ["check", "dead.h5"],
        ["diff", "dead.h5", "good.h5"],
        ["train", "dead.h5"],
        ["train", "dead.h5.journal"],
    ):
        for target in ("dead.h5", "dead.h5.journal"):
            assert_refused(folder, [*arguments, "--force", "-o", target], target)
    assert_refused(folder, ["check", "good.h5", "-o", "dead.h5"], "dead.h5")


def test_a_shell_pattern_after_write_baseline_replaces_no_run(folder: Path) -> None:
    shutil.copy("good.h5", "a.h5")
    line = assert_refused(folder, ["check", "--write-baseline", "a.h5", "good.h5"], "a.h5")
    assert line == (
        "error: a.h5 is a run file, and a findings baseline would take its place: choose "
        "another name with --write-baseline, or remove it yourself"
    )


def test_earlier_results_of_the_same_kind_are_replaced_by_force(folder: Path) -> None:
    before = os.umask(0o027)
    try:
        for format in (
            "table",
            "json",
            "json-lines",
            "markdown",
            "sarif",
            "junit",
            "github",
            "concise",
        ):
            name = f"found.{format}"
            for more, code in (((), 0), ((), 2), (("--force",), 0)):
                assert (
                    dlprobe("check", "good.h5", "--format", format, "-o", name, *more).code == code
                ), (format, more)
            assert stat.S_IMODE(Path(name).stat().st_mode) == 0o640
    finally:
        os.umask(before)
    for _ in range(2):
        assert dlprobe("check", "good.h5", "--write-baseline", "known.json").code == 0
        assert dlprobe("new", "--force", "-o", "net.toml").code == 0
        assert dlprobe("train", *TINY, "--force", "-o", "run.h5").code == 0
    assert kind_of(Path("known.json")) == "a findings baseline"
    assert json.loads(Path("found.json").read_text())["schema"].startswith("dlprobe-check/")


def test_an_empty_file_is_nobodys(folder: Path) -> None:
    Path("run.h5").touch()
    assert dlprobe("train", *TINY, "-o", "run.h5").code == 2
    assert dlprobe("train", *TINY, "-o", "run.h5", "--force").code == 0


def test_what_keeps_a_file_from_being_made_is_said_before_training(folder: Path) -> None:
    Path("closed").mkdir(mode=0o500)
    places = ["data.csv/cured.toml", *(["closed/cured.toml"] if os.geteuid() else [])]
    for place in places:
        outcome = dlprobe("prescribe", "good.h5", "-o", place)
        assert (outcome.code, len(outcome.errors)) == (2, 1)
        assert f"{place} cannot be made: " in outcome.err


def test_a_link_to_an_earlier_result_stays_a_link(folder: Path) -> None:
    assert dlprobe("new", "-o", "real.toml").code == 0
    Path("net.toml").symlink_to("real.toml")
    Path("real.toml").chmod(0o600)
    assert dlprobe("new", "--layers", "7", "--force", "-o", "net.toml").code == 0
    assert Path("net.toml").is_symlink()
    assert 'layers = "7"' in Path("real.toml").read_text().replace("[7]", '"7"')
    assert stat.S_IMODE(Path("real.toml").stat().st_mode) == 0o600


def test_other_files_with_the_names_that_a_run_needs_are_left_alone(folder: Path) -> None:
    Path("run.h5.journal").write_text("my diary")
    line = dlprobe("train", *TINY, "--force", "-o", "run.h5").errors[0]
    assert "run.h5.journal is no journal of dlprobe" in line
    assert Path("run.h5.journal").read_text() == "my diary"
    for make in (
        lambda path: path.symlink_to("data.csv"),
        lambda path: path.write_text("my notes"),
        lambda path: path.mkdir(),
    ):
        target = Path("other.h5.tmp")
        make(target)
        before = state_of(folder)
        assert (
            "other.h5.tmp stands where other.h5 is packed"
            in dlprobe("train", *TINY, "--force", "-o", "other.h5").errors[0]
        )
        assert state_of(folder) == before
        target.rmdir() if target.is_dir() else target.unlink()
    with pytest.raises(RunFileError):
        open_run("other.h5")


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "pipe"],
        ["train", "--resume", "pipe"],
        ["theory", "pipe"],
        ["gradients", "pipe"],
        ["inspect", "pipe"],
        ["inspect", "pipe", "--follow"],
        ["export", "pipe", "-o", "out.csv"],
        ["check", "pipe.toml"],
        ["check", "good.h5", "--baseline", "pipe"],
    ],
    ids=" ".join,
)
def test_a_pipe_that_nobody_writes_into_is_not_waited_for(
    arguments: list[str], folder: Path
) -> None:
    os.mkfifo("pipe")
    os.mkfifo("pipe.toml")
    signal.alarm(60)  # ends the process of the tests rather than wait for ever
    try:
        outcome = dlprobe(*arguments)
    finally:
        signal.alarm(0)
    assert outcome.code == 2
    assert "not a regular file" in outcome.err
