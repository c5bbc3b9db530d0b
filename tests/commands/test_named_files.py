"""Files that a run, a study or a TOML file names: said before they are opened, and asked for
where they lie elsewhere.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import dlprobe

from dlprobe import registry
from dlprobe.config import from_mapping
from dlprobe.config.named_files import named_files

NET = ("--layers", "3", "--epochs", "1", "--batch-size", "full")
ROWS = "a,b,y\n" + "".join(f"{i % 7},{i % 3},{'pq'[i % 2]}\n" for i in range(40))


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`made`, where a stranger made a run on data and arrays of `elsewhere`; and the working
    folder `here`.
    """
    for name in ("made", "elsewhere", "here"):
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere/rows.csv").write_text(ROWS, encoding="utf-8")
    zeros = {"hidden_1_weights": np.zeros((2, 3)), "output_weights": np.zeros((3, 2))}
    np.savez(tmp_path / "elsewhere/start.npz", **zeros)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def train(*arguments: str) -> None:
    assert dlprobe("train", *NET, "-q", *arguments).code == 0


def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files below that are opened for their content from now on, whoever asks."""
    from dlprobe.data import file_format, loading
    from dlprobe.training import own_arrays

    names: list[str] = []
    first_bytes = file_format.first_bytes

    def noted(path: Path) -> bytes:
        names.append(path.name)
        return first_bytes(path)

    for module in (file_format, own_arrays):
        monkeypatch.setattr(module, "first_bytes", noted)
    assert loading.read_sources is file_format.read_sources
    return names


TAKES_A_RUN = {
    "train": ("train", "RUN", "-o", "again.h5", "--force"),
    "lr-find": ("lr-find", "RUN", "--quick"),
    "dry run": ("train", "--dry-run", "RUN"),
    "theory": ("theory", "RUN"),
    "gradients": ("gradients", "RUN", "--depth", "1", "--seeds", "1", "--steps", "1"),
    "compare": ("compare", "l2", "0", "0.1", "--config", "RUN", "--seeds", "2"),
    "bias-variance": ("bias-variance", "RUN", "--replicas", "2"),
    "prescribe": (
        "prescribe",
        "RUN",
        "--seeds",
        "1",
        "--tries",
        "1",
        "-o",
        "cured.toml",
        "--force",
    ),
}
MAKES_A_STUDY = {
    "gradients": (
        "gradients",
        "--depth",
        "1",
        "--activation",
        "tanh",
        "--norm",
        "none",
        "--seeds",
        "1",
        "--steps",
        "1",
    ),
    "compare": ("compare", "l2", "0", "0.1", "--seeds", "2", *NET),
    "bias-variance": ("bias-variance", "--replicas", "2", *NET),
}


@pytest.mark.parametrize("command", TAKES_A_RUN)
def test_a_run_that_names_data_elsewhere_opens_nothing_unless_it_is_allowed(
    command: str, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, run = str(folders / "elsewhere/rows.csv"), str(folders / "made/run.h5")
    train("--data", rows, "-o", run)
    arguments = [run if word == "RUN" else word for word in TAKES_A_RUN[command]]
    names = opened(monkeypatch)
    refused = dlprobe(*arguments)
    assert (refused.code, refused.out, len(refused.errors), names) == (2, "", 1, [])
    assert refused.errors[0].startswith(f"error: {run} names data = {rows}, which lies outside")
    assert refused.errors[0].endswith(f"type --allow-file {rows}")
    allowed = dlprobe(*arguments, "-q", "--allow-file", rows)
    assert allowed.code == 0
    assert f"note: {run} names data = {rows}, which is opened; it lies outside" in allowed.err


@pytest.mark.parametrize("command", MAKES_A_STUDY)
def test_a_study_that_is_resumed_asks_too(
    command: str, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, study = str(folders / "elsewhere/rows.csv"), str(folders / "made/study.h5")
    assert dlprobe(*MAKES_A_STUDY[command], "--data", rows, "-q", "-o", study).code == 0
    names = opened(monkeypatch)
    refused = dlprobe(command, "--resume", study)
    assert (refused.code, len(refused.errors), names) == (2, 1, [])
    assert f"{study} names data = {rows}" in refused.err
    allowed = dlprobe(command, "--resume", study, "-q", "--allow-file", rows)
    assert allowed.code == 0
    assert f"{study} names data = {rows}, which is opened" in allowed.err


@pytest.mark.parametrize("key", ["init", "bias-init"])
def test_arrays_that_a_run_starts_from_are_asked_for_as_data_are(
    key: str, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = str(folders / "elsewhere/start.npz")
    if key == "bias-init":
        np.savez(start, hidden_1_bias=np.zeros(3), output_bias=np.zeros(2))
    train("--data", "xor(samples=40)", f"--{key}", f"file(path={start})", "-o", "../made/run.h5")
    names = opened(monkeypatch)
    assert f"names {key.replace('-', '_')} = {start}" in dlprobe("train", "../made/run.h5").err
    assert names == []
    assert dlprobe("train", "../made/run.h5", "--allow-file", start).code == 0
    assert (
        dlprobe("train", "../made/run.h5", f"--{key}", "zeros").code == 0
    )  # what is replaced is not opened


def test_a_shown_study_does_not_open_arrays_elsewhere(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = folders / "elsewhere/start.npz"
    compare = (
        "compare",
        "l2",
        "0",
        "0.1",
        "--seeds",
        "2",
        *NET,
        "--data",
        "xor(samples=40)",
        "--init",
        f"file(path={start})",
    )
    assert dlprobe(*compare, "-q", "-o", "../made/study.h5").code == 0
    names = opened(monkeypatch)
    assert dlprobe("compare", "../made/study.h5").code == 2
    assert names == []
    assert dlprobe("compare", "../made/study.h5", "--allow-file", str(start)).code == 0


def test_what_one_gives_oneself_needs_no_leave(folders: Path) -> None:
    rows = str(folders / "elsewhere/rows.csv")
    train("--data", rows, "-o", "../made/run.h5")
    again = dlprobe("train", "../made/run.h5", "--data", rows, "-o", "again.h5")
    assert again.code == 0
    assert "names data" not in again.err


@pytest.mark.parametrize("place", ["here", "here/below", "made", "made/below"])
def test_data_near_the_run_or_in_the_working_folder_are_opened_and_said_quiet_or_not(
    place: str, folders: Path
) -> None:
    (folders / place).mkdir(exist_ok=True)
    shutil.copy(folders / "elsewhere/rows.csv", folders / place / "rows.csv")
    rows = os.path.relpath(folders / place / "rows.csv")
    train("--data", rows, "-o", "../made/run.h5")
    again = dlprobe("train", "../made/run.h5", "-q", "--activation", "tanh")
    assert (again.code, again.err) == (
        0,
        f"note: ../made/run.h5 names data = {rows}, which is opened\n",
    )


@pytest.mark.parametrize(
    "named", ["../elsewhere/rows.csv", "link.csv", "linked/rows.csv", "~/rows.csv"]
)
def test_dots_links_and_home_folders_lead_where_they_lead(
    named: str, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folders / "elsewhere"))
    Path("link.csv").symlink_to(folders / "elsewhere/rows.csv")
    Path("linked").symlink_to(folders / "elsewhere")
    train("--data", named, "-o", "run.h5")
    refused = dlprobe("train", "run.h5")
    assert (refused.code, len(refused.errors)) == (2, 1)
    assert (str(folders / "elsewhere/rows.csv") in refused.err) == (
        named[0] != "."
    )  # the dots say it themselves
    assert dlprobe("train", "run.h5", "--allow-file", str(folders / "elsewhere/rows.csv")).code == 0


def test_what_is_to_be_typed_is_quoted_for_the_shell(folders: Path) -> None:
    odd = folders / "elsewhere/$(touch x) y.csv"
    shutil.copy(folders / "elsewhere/rows.csv", odd)
    train("--data", str(odd), "-o", "run.h5")
    assert dlprobe("train", "run.h5").errors[0].endswith(f"--allow-file '{odd}'")


def test_the_root_of_the_file_system_is_near_nothing(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train("--data", str(folders / "elsewhere/rows.csv"), "-o", "run.h5")
    monkeypatch.chdir("/")
    assert dlprobe("train", "--dry-run", str(folders / "here/run.h5")).code == 2


def test_a_toml_file_is_the_users_own_and_only_said_where_the_file_lies_elsewhere(
    folders: Path,
) -> None:
    """People read and write it, and give it themselves: what lies elsewhere is said, nothing is
    asked.
    """
    rows = folders / "elsewhere/rows.csv"
    Path("net.toml").write_text(
        f'[data]\ndata = "{rows}"\n[model]\nlayers = "3"\n', encoding="utf-8"
    )
    outcome = dlprobe("train", "--dry-run", "net.toml", "-q")
    assert (outcome.code, outcome.err.count("note:")) == (0, 1)
    assert (
        f"net.toml names data = {rows}, which is opened; it lies outside its folder" in outcome.err
    )
    shutil.copy(rows, "rows.csv")
    assert dlprobe("train", "--dry-run", "net.toml", "--data", "rows.csv", "-q").err == ""
    Path("net.toml").write_text('[data]\ndata = "rows.csv"\n', encoding="utf-8")
    assert dlprobe("train", "--dry-run", "net.toml", "-q").err == ""


def test_every_part_with_a_path_is_known_to_open_a_file() -> None:
    """A new part that reads a file is asked for too: its record says `from_file`."""
    for kind in (
        "activation",
        "initializer",
        "normalization",
        "residual",
        "weight_transform",
        "loss",
        "stopping",
        "optimizer",
        "schedule",
    ):
        for name, record in registry.records(kind).items():
            paths = [
                each.name
                for each in record.parameters
                if each.name in ("path", "file", "folder") or each.name.endswith(("_path", "_file"))
            ]
            assert bool(paths) == bool(getattr(record, "from_file", False)), (kind, name)
            assert paths in ([], ["path"]), (kind, name)


def test_named_files_are_those_of_every_key() -> None:
    config = from_mapping(
        {
            "data": {"data": "a/b.csv"},
            "model": {"init": "file(path=w.npz)", "bias_init": "file(path=b.npz)"},
        }
    )
    assert [(each.key, str(each.path)) for each in named_files(config)] == [
        ("data", "a/b.csv"),
        ("init", "w.npz"),
        ("bias_init", "b.npz"),
    ]
    assert named_files(from_mapping({})) == ()
