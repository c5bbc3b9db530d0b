"""A run that was stopped anywhere and is gone on with has, bit for bit, the content of the run
that was never stopped.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import dlprobe
from resumed_runs import arguments, content_of, draw, ends_of_frames, resume, whole_journal

import dlprobe as package
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.train.resumed_run import resumed
from dlprobe.config import to_toml
from dlprobe.errors import RunFileError
from dlprobe.runs import pack_journal
from dlprobe.runs.frames import FrameType, scan
from dlprobe.runs.journal import journal_path
from dlprobe.runs.sources import MemorySource
from dlprobe.runs.state_pace import StatePace
from dlprobe.training import trainer

TINY = {"data": "wine", "layers": "5,4", "epochs": "4"}


@pytest.fixture
def _every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state after every block of a few steps."""
    monkeypatch.setattr(StatePace, "is_due", lambda *_: True)
    monkeypatch.setattr(trainer, "LARGEST_BLOCK", 7)


@pytest.fixture
def journal(tmp_path: Path, _every_block: None) -> Iterator[bytes]:
    """Of a small run that was not stopped."""
    return whole_journal(tmp_path / "whole.h5", TINY)


def _left(path: Path, journal: bytes) -> Path:
    journal_path(path).write_bytes(journal)
    return path


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.usefixtures("_every_block")
def test_what_a_kill_leaves_goes_on_to_the_same_content(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    options = draw(chance)
    journal, whole = (
        whole_journal(tmp_path / "whole.h5", options),
        content_of(tmp_path / "whole.h5"),
    )
    ends = ends_of_frames(journal)
    for number, cut in enumerate((chance.choice(ends), chance.randrange(ends[0], len(journal)))):
        path = _left(tmp_path / f"{number}.h5", journal[:cut])
        if chance.random() < 0.5:
            pack_journal(path)
        resume(path)
        assert content_of(path) == whole, (options, cut)
        assert [file.name for file in tmp_path.glob(f"{number}.*")] == [path.name]


def test_stopped_again_and_again(tmp_path: Path, journal: bytes) -> None:
    """The journal of a resumed run is cut behind its resume, before its next state, twice."""
    whole, chance = content_of(tmp_path / "whole.h5"), random.Random(3)
    ends = ends_of_frames(journal)
    left, path = journal[: ends[len(ends) // 2]], tmp_path / "a.h5"
    for _ in range(2):
        begun = resumed(_left(path, left), None, {}, Screen(quiet=True))
        assert isinstance(begun, tuple)
        with begun[1] as writer:
            trainer.run(begun[0], writer)
        again = journal_path(path).read_bytes()
        assert again.startswith(left)
        left = again[: chance.choice([end for end in ends_of_frames(again) if end > len(left)])]
    resume(_left(path, left))
    assert content_of(path) == whole
    with package.open_run(path) as run:
        assert len(run.environment["resumed_at_steps"].split(", ")) == 3


@pytest.mark.parametrize(
    ("kept", "more"),
    [
        ("packed", {"early_stopping": "early_stopping(patience=60)"}),
        ("journal", {"early_stopping": "early_stopping(patience=60)"}),
        ("packed", {"evaluate_every": "3"}),
        ("packed", {"schedule": "exponential", "warmup": "20"}),
    ],
)
def test_a_finished_run_that_is_made_longer_is_the_long_run(
    kept: str, more: dict[str, str], tmp_path: Path
) -> None:
    """The long run is the one that the file's configuration makes at once."""
    path = tmp_path / "a.h5"
    whole_journal(path, TINY | more)
    if kept == "packed":
        pack_journal(path)
    resume(path, "--epochs", "9")
    with package.open_run(path) as run:
        assert (run.final["epochs_done"], run.status) == (9, "finished")
        (tmp_path / "long.toml").write_text(to_toml(run.configuration))
    assert (
        dlprobe("train", str(tmp_path / "long.toml"), "--quiet", "-o", str(tmp_path / "b.h5")).code
        == 0
    )
    assert content_of(path) == content_of(tmp_path / "b.h5")


def test_a_crash_between_unpacking_and_the_first_new_step_leaves_the_file(
    tmp_path: Path, journal: bytes
) -> None:
    path = _left(tmp_path / "a.h5", journal)
    pack_journal(path)
    whole = path.read_bytes()
    begun = resumed(path, None, {"epochs": "9"}, Screen(quiet=True))
    assert isinstance(begun, tuple)
    begun[1].close()
    unpacked = journal_path(path).read_bytes()
    assert not path.exists()
    for end in (ends_of_frames(unpacked)[2], len(unpacked)):
        path.write_bytes(whole)
        assert dlprobe("train", "--resume", str(_left(path, unpacked[:end])), "--quiet").code == 0
        assert (path.read_bytes(), journal_path(path).exists()) == (whole, False)


def test_states_are_kept_out_of_the_content(tmp_path: Path, journal: bytes) -> None:
    path = _left(tmp_path / "a.h5", journal)
    frames = [frame.type for frame in scan(MemorySource(journal)).frames]
    assert frames.count(FrameType.STATE) > 3
    assert dlprobe("train", *arguments(TINY), "--quiet", "-o", str(tmp_path / "b.h5")).code == 0
    assert content_of(path) == content_of(tmp_path / "b.h5")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--lr", "0.1"], "lr = auto in it, 0.1 is asked for"),
        (["--epochs", "3"], "has made 60 steps (4 epochs) already"),
        (["-o", "other.h5"], "leave -o other.h5 out"),
        (["--track-unit", "hidden_1:0"], "track_unit = none in it"),
    ],
)
def test_what_does_not_fit_the_run_is_refused(
    asked: list[str], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.h5"
    assert dlprobe("train", *arguments(TINY), "--quiet", "-o", str(path)).code == 0
    before = path.read_bytes()
    outcome = dlprobe("train", "--resume", str(path), *asked)
    assert (outcome.code, len(outcome.errors), path.read_bytes()) == (2, 1, before)
    assert (
        message.replace("60", str(package.open_run(path).final["steps_done"])) in outcome.errors[0]
    )


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "polynomial"])
def test_a_schedule_over_the_whole_run_cannot_become_longer(schedule: str, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    assert (
        dlprobe("train", *arguments(TINY), "--schedule", schedule, "--quiet", "-o", str(path)).code
        == 0
    )
    outcome = dlprobe("train", "--resume", str(path), "--epochs", "9")
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert f"schedule = {schedule} spreads its rates over the" in outcome.errors[0]


def test_other_data_are_refused(tmp_path: Path) -> None:
    table, path = tmp_path / "table.csv", tmp_path / "a.h5"
    rows = [f"{k % 7},{k % 5},{k % 2}" for k in range(60)]
    table.write_text("\n".join(["a,b,y", *rows]))
    own = ["--data", str(table), "--target", "y", "--layers", "4", "--epochs", "2"]
    assert dlprobe("train", *own, "--quiet", "-o", str(path)).code == 0
    table.write_text("\n".join(["a,b,y", *rows[:-1], "3,3,1"]))
    outcome = dlprobe("train", "--resume", str(path), "--epochs", "3")
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert "has changed since" in outcome.errors[0]


def test_ended_by_early_stopping_or_diverged_cannot_become_longer(tmp_path: Path) -> None:
    for options, message in (
        (
            {"early_stopping": "early_stopping(patience=0)", "lr": "0"},
            "was ended by early stopping",
        ),
        ({"optimizer": "sgd", "lr": "1e30"}, "diverged at step"),
    ):
        path = tmp_path / f"{len(options)}{options['lr']}.h5"
        assert dlprobe("train", *arguments(TINY | options), "--quiet", "-o", str(path)).code == 0
        outcome = dlprobe("train", "--resume", str(path), "--epochs", "9")
        assert (outcome.code, len(outcome.errors)) == (2, 1)
        assert message in outcome.errors[0]


def test_a_run_that_lacks_nothing_is_shown(tmp_path: Path, journal: bytes) -> None:
    path = _left(tmp_path / "a.h5", journal)
    for _ in range(2):  # killed before it was packed; packed
        outcome = dlprobe("train", "--resume", str(path))
        assert outcome.code == 0
        assert "has all its 4 epochs: nothing to train" in outcome.err
        assert path.exists()
        assert not journal_path(path).exists()


def test_a_journal_that_is_being_written_is_refused(tmp_path: Path, journal: bytes) -> None:
    path = _left(tmp_path / "a.h5", journal[: ends_of_frames(journal)[-3]])
    begun = resumed(path, None, {}, Screen(quiet=True))
    assert isinstance(begun, tuple)
    with begun[1], pytest.raises(RunFileError, match="is being written by process"):
        resumed(path, None, {}, Screen(quiet=True))
