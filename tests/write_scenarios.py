"""What dlprobe does to run files, and what must be there when it was stopped: for campaigns of
kills, full disks and power cuts.
"""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import synthetic_runs
from command_line import dlprobe
from file_calls import Call
from journal_mutations import Piece, split
from killed_runs import assert_prefix, opened_file
from resumed_runs import arguments, content_of, draw, ends_of_frames, whole_journal

from dlprobe import open_run
from dlprobe.errors import DlprobeWarning, RunFileError
from dlprobe.runs import Run, Study, StudyWriter, pack_journal
from dlprobe.runs.frames import FrameType
from dlprobe.runs.journal import journal_path
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource

STEPS, IDS = 260, "abc"
NET = {"norm": "batch", "residual": "none", "dropout": "0.3", "optimizer": "adam"}
LENGTH = {"epochs": "2", "schedule": "constant", "early_stopping": "none", "init": "auto"}


@dataclass(frozen=True)
class Scenario:
    """prepare: what is there before. work: what is stopped. check: raises AssertionError where
    anything is lost.

    check takes the folder as it was left, the calls that certainly came to the disk, and whether a
    journal may be damaged behind them, as after a power cut; it goes on to the end where it can.
    """

    prepare: Callable[[Path], None]
    work: Callable[[Path], None]
    check: Callable[[Path, Sequence[Call], bool], bool]


def scenarios(folder: Path, seed: int) -> Mapping[str, Scenario]:
    """By name. folder: for what some need, trained once."""
    return {
        "run": Scenario(_nothing, _write_run, _check_run),
        "overwritten run": Scenario(_old_run, _overwrite_run, _check_overwritten),
        "study": Scenario(_nothing, _write_study, _check_study),
        **_resuming(folder, seed),
    }


def state_of(folder: Path) -> str:
    """What is left, in words."""
    names = {path.name.partition(".h5")[2] or "file" for path in folder.iterdir()}
    return " + ".join(sorted({"file": "packed"}.get(name, name) for name in names)) or "nothing"


def rows_in(calls: Sequence[Call], name: str) -> int:
    """Recorded steps in the frames that were written whole into the journal of `name`."""
    rows = (piece for piece in pieces_in(calls, name) if piece.type == FrameType.ROWS)
    return sum(piece.shapes["step"][0] for piece in rows)


def pieces_in(calls: Sequence[Call], name: str) -> list[Piece]:
    """The frames that were written whole into the journal of `name`."""
    journal = f"{name}.journal"
    writes = (call for call in calls if call.name == "write" and Path(call.path).name == journal)
    return split(b"".join(call.data for call in writes))


def _nothing(folder: Path) -> None:
    """Nothing is there."""


def _write_run(folder: Path) -> None:
    synthetic_runs.write(folder / "run.h5", STEPS, block=40).pack()


def _check_run(folder: Path, calls: Sequence[Call], may_be_damaged: bool) -> bool:
    path = folder / "run.h5"
    run, rows = _left(path, may_be_damaged), rows_in(calls, path.name)
    if run is None:
        assert rows == 0, f"{rows} committed rows cannot be read"
        return False
    with run:
        assert_prefix(run, whole_run(STEPS))
        assert len(run.steps) >= rows, f"{len(run.steps)} of {rows} committed rows"
        content, damage = run.content_sha256, run.damage
    if damage:
        return False
    if journal_path(path).exists():
        pack_journal(path)
    assert content_of(path) == content
    assert [file.name for file in folder.iterdir()] == [path.name]
    return True


def _old_run(folder: Path) -> None:
    synthetic_runs.write(folder / "run.h5", 30, block=30).pack()


def _overwrite_run(folder: Path) -> None:
    synthetic_runs.write(folder / "run.h5", STEPS, block=40, force=True).pack()


def _check_overwritten(folder: Path, calls: Sequence[Call], may_be_damaged: bool) -> bool:
    """The old run, whole, or what a new one leaves; one of them."""
    run = _left(folder / "run.h5", may_be_damaged)
    assert run is not None, "neither run is there"
    with run:
        is_old = run.status == "finished" and len(run.steps) == 30
    return is_old or _check_run(folder, calls, may_be_damaged)


@cache
def whole_run(steps: int) -> Run:
    """The run that nothing stopped."""
    journal = synthetic_runs.write(None, steps, block=40).bytes()
    return Run(JournalContents(MemorySource(journal)))


def _steps_of(id: str) -> int:
    return 20 + ord(id) % 8


def _write_study(folder: Path) -> None:
    with StudyWriter.create(folder / "study.h5", {"experiment": "letters"}) as writer:
        _end_study(writer)


def _end_study(writer: StudyWriter) -> None:
    for id in sorted(set(IDS) - writer.ids):
        writer.run(id, synthetic_runs.write(None, _steps_of(id), block=40).bytes())
    writer.end({"letter": list(IDS)})
    writer.pack()


def _check_study(folder: Path, calls: Sequence[Call], may_be_damaged: bool) -> bool:
    path = folder / "study.h5"
    committed = sum(piece.type == FrameType.RUN for piece in pieces_in(calls, path.name))
    study = _opened(path, may_be_damaged)
    if study is None:
        assert committed == 0, f"{committed} committed runs cannot be read"
        return False
    assert isinstance(study, Study)
    with study:
        assert len(study.runs) >= committed, f"{list(study.runs)}: {committed} committed"
        for id, run in study.runs.items():
            assert run.content_sha256 == whole_run(_steps_of(id)).content_sha256
        damage = study.damage
    if damage:
        return False
    with StudyWriter.resume(path, {"experiment": "letters"}) as writer:
        _end_study(writer)
    with open_run(path) as whole:
        assert isinstance(whole, Study)
        assert ("".join(whole.runs), whole.status, whole.damage) == (IDS, "finished", None)
        assert list(whole.table["letter"]) == list(IDS)
    assert [file.name for file in folder.iterdir()] == [path.name]
    return True


def _resuming(folder: Path, seed: int) -> Mapping[str, Scenario]:
    """A killed run that goes on, and a finished one that gets longer."""
    options = draw(random.Random(seed), **NET, **LENGTH)
    if options["histogram_every"] == "auto":  # it depends on how long the run is planned to be
        options |= {"histogram_every": "2"}
    options |= {"track_every": "1"}  # likewise
    journal = whole_journal(folder / "whole.h5", options)
    ends = ends_of_frames(journal)
    pack_journal(folder / "whole.h5")
    longer = options | {"epochs": "4"}
    _train(*arguments(longer), "-o", str(folder / "longer.h5"))
    contents = {name: content_of(folder / f"{name}.h5") for name in ("whole", "longer")}

    def killed(into: Path) -> None:
        journal_path(into / "run.h5").write_bytes(journal[: ends[len(ends) // 2] + 10])

    def finished(into: Path) -> None:
        shutil.copy(folder / "whole.h5", into / "run.h5")

    def scenario(prepare: Callable[[Path], None], content: str, *more: str) -> Scenario:
        def work(into: Path) -> None:
            _train("--resume", str(into / "run.h5"), *more)

        def check(into: Path, calls: Sequence[Call], may_be_damaged: bool) -> bool:
            run = _left(into / "run.h5", may_be_damaged)
            assert run is not None, "the run that was gone on with is gone"
            with run:
                damage = run.damage
            if damage:
                return False
            _train("--resume", str(into / "run.h5"), *more)
            assert content_of(into / "run.h5") == content
            assert [file.name for file in into.iterdir()] == ["run.h5"]
            return True

        return Scenario(prepare, work, check)

    return {
        "resumed run": scenario(killed, contents["whole"]),
        "longer run": scenario(finished, contents["longer"], "--epochs", "4"),
    }


def _train(*typed: str) -> None:
    """Raises RunFileError with what it said where it ended with 2."""
    outcome = dlprobe("train", "--quiet", *typed)
    if outcome.code == 2:
        raise RunFileError(outcome.err.strip())
    assert outcome.code == 0, outcome.err


def _left(path: Path, may_be_damaged: bool) -> Run | None:
    run = _opened(path, may_be_damaged)
    assert run is None or isinstance(run, Run)
    return run


def _opened(path: Path, may_be_damaged: bool) -> Run | Study | None:
    """None where it was stopped before its first frame."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if may_be_damaged else "error", DlprobeWarning)
        return opened_file(path)
