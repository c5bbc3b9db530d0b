"""The committed runs of `sample_runs/`: they read, say of themselves what their README says,
and were made from the TOML beside them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sample_table
from command_line import dlprobe

from dlprobe.analysis.learning.states import StateName
from dlprobe.analysis.profiles.run_profile import run_profile
from dlprobe.commands import main
from dlprobe.config import from_mapping, from_toml, with_values
from dlprobe.runs import Run, open_run, open_single

FOLDER = Path(__file__).parent.parent / "sample_runs"
# name: status, verdict at the first recorded step, verdict at the last
RUNS = {
    "healthy": ("finished", "level", "level"),
    "vanishing": ("finished", "vanishing", "vanishing"),
    "exploding": ("finished", "exploding", "exploding"),
    "overfit": ("finished", "level", "level"),
    "underfit": ("finished", "not evaluated", "not evaluated"),
    "dead": ("finished", "vanishing", "vanishing"),
    "saturated": ("finished", "vanishing", "vanishing"),
    "lost": ("finished", "level", "vanishing"),
    "regressed": ("finished", "not evaluated", "not evaluated"),
    "diverged": ("diverged", "level", "diverged"),
    "interrupted": ("interrupted", "level", "level"),
}
# name: what the run has come to, and codes of which one must be the cause; made so, whatever the
#     rules say
DIAGNOSES: dict[str, tuple[StateName, tuple[str, ...]]] = {
    "healthy": ("learned well", ()),
    "vanishing": ("did not learn", ("G001",)),
    "exploding": ("learned in part", ("G002", "W002", "A004")),
    "overfit": ("learned in part", ("B002", "B003")),
    "underfit": ("learned in part", ("B001", "L013")),
    "dead": ("did not learn", ("A001",)),
    "saturated": ("did not learn", ("A002",)),
    "lost": ("learned and lost", ("L002", "W003")),
    "regressed": ("learned in part", ("W004", "L004", "B001", "L013")),
    "diverged": ("diverged", ("D006", "G002", "L002", "W003", "N001")),
    "interrupted": ("learned well", ()),
}
STUDIES = ("initializers",)
LARGEST, LARGEST_STUDY, LARGEST_FOLDER = 150_000, 1_000_000, 3_000_000  # bytes
WAIT = 100.0  # seconds; a cold kernel cache compiles first

each_run = pytest.mark.parametrize("name", RUNS)


def _opened(name: str) -> Run:
    return open_single(FOLDER / f"{name}.h5")


def _inspect(name: str, *options: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["inspect", str(FOLDER / f"{name}.h5"), *options])
    return code, out.getvalue(), err.getvalue()


def test_every_file_is_small_and_named_in_the_readme() -> None:
    files, readme = sorted(FOLDER.glob("*.h5")), (FOLDER / "README.md").read_text(encoding="utf-8")
    assert {path.stem for path in files} == {*RUNS, *STUDIES, "damaged"}
    for path in files:
        assert path.stat().st_size < (LARGEST_STUDY if path.stem in STUDIES else LARGEST)
        assert f"`{path.name}`" in readme
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) <= LARGEST_FOLDER


@each_run
def test_check_says_first_what_the_readme_says(name: str) -> None:
    """Not so, but right? `python -m tests.sample_table` writes the table anew."""
    assert set(sample_table.rows()) == {f"{each}.h5" for each in RUNS}
    (told,) = sample_table.made([f"{name}.h5"])
    state, causes = DIAGNOSES[name]
    assert (told[1], told[2]) == sample_table.rows()[f"{name}.h5"]
    assert told[1].startswith(f"{state}: ")
    code = told[2].rpartition("(")[2].rstrip(")").strip("–")
    assert code in (causes or ("",))


def test_the_baseline_passes_its_own_gate_and_the_regressed_run_does_not() -> None:
    seeds = sorted(map(str, (FOLDER / "baseline").glob("*.h5")))
    assert len(seeds) == 5
    for seed in seeds:
        assert (
            dlprobe(
                "check",
                seed,
                "--against",
                *(each for each in seeds if each != seed),
                "--select",
                "R",
            ).code
            == 0
        )
    assert (
        dlprobe("check", str(FOLDER / "regressed.h5"), "--against", *seeds, "--select", "R002").code
        == 1
    )


def test_the_study_of_initializers_says_which_of_them_learn() -> None:
    values = {
        value["label"]: value
        for value in dlprobe("compare", str(FOLDER / "initializers.h5"), "--format", "json").data[
            "values"
        ]
    }
    assert values["normal(std=0.01)"]["states"] == {"did not learn": 2}
    assert all(
        set(values[name]["states"]) <= {"learned well", "learned in part"}
        for name in ("glorot_normal", "he_normal")
    )


@each_run
def test_status_and_verdicts_are_what_the_readme_says(name: str) -> None:
    with _opened(name) as run:
        profile = run_profile(run)
        assert profile is not None
        found = (run.status, profile.first.verdict.verdict, profile.last.verdict.verdict)
    assert found == RUNS[name]
    line = next(
        line
        for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| `{name}.h5`")
    )
    assert f"| {found[0]} | {found[1]} → {found[2]} |" in line


@each_run
def test_hashes_recompute_equal(name: str) -> None:
    with _opened(name) as run:
        assert re.fullmatch("[0-9a-f]{64}", run.content_sha256)
        assert run.computed_content_sha256() == run.content_sha256


@each_run
def test_the_toml_is_the_configuration_of_the_run(name: str) -> None:
    with _opened(name) as run:
        # the threads that old runs hold were the default, and change no number
        stored = with_values(from_mapping(run.config), {"threads": "auto"})
        assert stored == from_toml(FOLDER / f"{name}.toml")


@each_run
def test_inspect_reads_it(name: str) -> None:
    code, out, err = _inspect(name, "--format", "json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert (found["status"], found["verdict"]) == (RUNS[name][0], RUNS[name][2])


@each_run
def test_no_machine_is_named(name: str) -> None:
    """What the run says of its surroundings is versions and sizes: no folder, user or host."""
    with _opened(name) as run:
        told = {**run.environment}
        assert run.writer == {}
    assert told.pop("command_line") == f"dlprobe train {name}.toml -o {name}.h5"
    assert told["version_dlprobe"] != "unknown"
    assert not [
        text for text in told.values() if isinstance(text, str) and re.search(r"[/\\@]", text)
    ]


def test_a_vanishing_run_learned_nothing_and_a_healthy_one_did() -> None:
    with _opened("vanishing") as run:
        assert run.final["val_error"] > 0.5
    with _opened("healthy") as run:
        assert run.final["val_error"] < 0.1


def test_a_diverged_run_keeps_the_step_that_explains_its_end() -> None:
    with _opened("diverged") as run:
        lost = run.statistic("nonfinite_forward") + run.statistic("nonfinite_backward")
        assert not lost[:-1].any()
        assert lost[-1].any() or not run.scalar("batch_loss")[-1] < float("inf")


def test_an_interrupted_run_stopped_on_its_way() -> None:
    with _opened("interrupted") as run:
        assert 0 < run.final["stopped_step"] < run.config["training"]["steps"]
        assert (
            0
            <= run.final["stopped_step"] - run.steps[-1]
            <= run.config["recording"]["record_every"]
        )


def test_a_damaged_file_is_one_clear_line() -> None:
    code, out, err = _inspect("damaged")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "cut or damaged" in " ".join(err.split())
    assert err.count("error:") == 1
    assert "Traceback" not in err


def steps_in(path: Path, journal: Path) -> int:
    """Recorded steps of a run that is being made."""
    if not journal.exists() or journal.stat().st_size < 100_000:
        return 0
    with open_run(path) as run:
        assert isinstance(run, Run)
        return len(run.steps)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_what_a_killed_train_leaves_reads_like_any_run(tmp_path: Path) -> None:
    path, journal = tmp_path / "killed.h5", tmp_path / "killed.h5.journal"
    arguments = [
        "train",
        str(FOLDER / "interrupted.toml"),
        "--record-every",
        "1",
        "-o",
        str(path),
        "--quiet",
    ]
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent)}
    process = subprocess.Popen(
        [sys.executable, "-m", "dlprobe", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        began = time.monotonic()
        while steps_in(path, journal) <= 10:
            assert process.poll() is None, "train ended by itself"
            assert time.monotonic() - began < WAIT, "nothing was written"
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not path.exists()
    with open_run(path) as run:
        assert isinstance(run, Run)
        assert (run.status, run.damage) == ("interrupted", None)
        assert list(run.steps) == list(range(len(run.steps)))
        assert len(run.steps) > 10
