"""inspect --follow: a run or study is looked at while it is written, until it ends, its writer
is gone or an error is certain.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlprobe.commands.base.screen import Screen
from dlprobe.commands.inspect.live import PAUSE, Turn, shown
from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.reports.follow import BARS, COLUMNS, LAYERS, Look, Pace, RunLook, StudyLook
from dlprobe.reports.statistic import spread

if TYPE_CHECKING:
    from collections.abc import Callable

    from dlprobe.rules import Diagnosis, Finding
    from dlprobe.rules.certainty import Glance
    from dlprobe.runs import Run
    from dlprobe.runs.following import FollowedRun, FollowedStudy

BEGIN = 60.0  # seconds that a file may take to be there: the first training ever compiles first
WINDOW = 10.0  # seconds over which the pace is measured
SHOWN = 6  # runs of a study that ended last


@dataclass(frozen=True)
class Certain:
    """An error that stays. where: the run that has it."""

    where: str
    finding: Finding
    diagnosis: Diagnosis
    look: Look | None = None


def follow(path: Path, until: bool, screen: Screen) -> Certain | None:
    """Show it until it ends or its writer is gone (None), or, with `until`, an error is
    certain. A packed file has ended. Raises RunFileError.
    """
    from dlprobe.runs.following import FollowedRun

    followed = _begun(path, screen)
    if followed is None:
        return _in_ended(path) if until else None
    with shown(screen) as show:
        looking = (
            RunLooks(followed, str(path))
            if isinstance(followed, FollowedRun)
            else StudyLooks(followed, str(path), until)
        )
        certain = _watched(looking, until, show)
    if certain is None and not followed.has_ended:
        screen.warn(
            f"{path}: whoever wrote it is gone and left no end: what was recorded is kept and "
            f"shown; {_way_on(followed, path)}"
        )
    return certain


def _watched(
    looking: RunLooks | StudyLooks, until: bool, show: Callable[[Look], None]
) -> Certain | None:
    while True:
        # before the look: what it wrote last is then in it
        written = looking.followed.source.is_written
        look = looking.look()
        show(look)
        if until and (certain := looking.certain(look)) is not None:
            return certain
        if looking.followed.has_ended:
            return None
        if looking.followed.source.behind:
            continue
        if not written:
            looking.followed.abandon()
            return None
        time.sleep(PAUSE)


def _begun(path: Path, screen: Screen) -> FollowedRun | FollowedStudy | None:
    """The journal of a run or study, waited for where neither it nor the packed file is there;
    None for a packed one.
    """
    from dlprobe.runs.following import follow, is_journal
    from dlprobe.runs.journal import journal_path

    end, told = time.monotonic() + BEGIN, False
    while True:
        existing = next(
            (file for file in (journal_path(path), path) if os.path.lexists(file)), None
        )
        if existing is not None and not is_journal(existing):
            return None
        try:
            if existing is not None:
                return follow(existing)
        except RunFileError:
            # its first frame may still be on its way
            if time.monotonic() > end or not os.path.isfile(existing or path):
                raise
        if time.monotonic() > end:
            raise RunFileError(
                f"{path} was not begun in {BEGIN:.0f} s: check the path, and begin the training"
            )
        if not told:
            screen.note(f"{path} is not there yet: waiting for it")
        told = True
        time.sleep(PAUSE)


def _way_on(followed: FollowedRun | FollowedStudy, path: Path) -> str:
    """What to type where the writer is gone."""
    from dlprobe.record.description import OWN
    from dlprobe.runs.following import FollowedRun

    if isinstance(followed, FollowedRun):
        if followed.facts.origin == OWN:
            return f"dlprobe train --resume {path} goes on"
        return f"dlprobe inspect --pack {path} makes a run file of it"
    return f"dlprobe {followed.description.get('experiment', 'COMMAND')} --resume {path} goes on"


class Speed:
    """How fast something advances, over the last WINDOW seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, done: int) -> float:
        """Units per second over the last WINDOW (10) seconds, given that `done` units are done now;
        NaN in the first second and where nothing advanced.
        """
        now = time.monotonic()
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] <= now - WINDOW:
            self._seen.popleft()
        then, before = self._seen[0]
        return (done - before) / (now - then) if now - then >= 1.0 and done > before else math.nan


class RunLooks:
    """Looks at one run."""

    def __init__(self, followed: FollowedRun, path: str) -> None:
        from dlprobe.rules.certainty import planned_steps

        self.followed, self._path = followed, path
        self._planned = planned_steps(followed.run)
        self._speed, self._judging, self._summing_up = Speed(), Turn(1.0), Turn()
        self._last: RunLook | None = None
        self._seen: list[Glance] = []
        self._diagnosis: Diagnosis | None = None

    def look(self) -> RunLook:
        """The run as it is now; judged and summed up again where that is due, and at its end."""
        self.followed.grow(PAUSE)
        run, ended = self.followed.run, self.followed.has_ended
        if judged := self._judging.is_due or ended:
            with self._judging.taken():
                self._judge(run)
        done, behind = self.followed.last_step + 1, self.followed.source.behind
        speed = self._speed.at(done)
        pace = Pace(done, self._planned, _recorded_speed(run) if math.isnan(speed) else speed)
        if self._last is None or judged or self._summing_up.is_due:
            with self._summing_up.taken():
                (loss, validation), (layers, steps, profile) = _loss(run), _profile(run)
                last = self._seen[-1].step if self._seen else 0
                self._last = RunLook(
                    self._path,
                    pace,
                    loss,
                    validation,
                    layers,
                    steps,
                    profile,
                    self._diagnosis,
                    last,
                )
        return replace(self._last, pace=pace, behind=behind)

    def certain(self, look: Look) -> Certain | None:
        """The error that stays."""
        from dlprobe.rules.certainty import certain

        assert self._diagnosis is not None, "it is judged at the first look"
        finding = (
            next(iter(self._seen[-1].errors), None)
            if self.followed.has_ended
            else certain(self._seen, self._planned)
        )
        return None if finding is None else Certain(self._path, finding, self._diagnosis, look)

    def _judge(self, run: Run) -> None:
        from dlprobe.rules import diagnose, judge
        from dlprobe.rules.certainty import seen

        judgement = judge(run)
        self._diagnosis = diagnose(run, judgement, self._path)
        self._seen.append(seen(run, judgement, self._diagnosis))


class StudyLooks:
    """Looks at a study, each of whose runs is looked at once. until: its runs are judged too."""

    def __init__(self, followed: FollowedStudy, path: str, until: bool) -> None:
        self.followed, self._path, self._until = followed, path, until
        self._speed, self._states = Speed(), Counter[str]()
        self._last: deque[tuple[str, str]] = deque(maxlen=SHOWN)
        self._certain: Certain | None = None

    def look(self) -> StudyLook:
        """The study as it is now."""
        from dlprobe.rules.diagnosis import state_of

        for ended in self.followed.new_runs(PAUSE):
            state = state_of(ended.run).name
            self._states[state] += 1
            self._last.append((ended.id, state))
            if self._until and self._certain is None:
                self._certain = _error_of(ended.run, f"{self._path}#{ended.id}")
        done = self._states.total()
        return StudyLook(
            self._path,
            Pace(done, planned_runs(self.followed), self._speed.at(done), "runs"),
            dict(self._states),
            list(self._last),
            self.followed.source.behind,
        )

    def certain(self, look: Look) -> Certain | None:
        """The first error of a run that ended."""
        return None if self._certain is None else replace(self._certain, look=look)


def _in_ended(path: Path) -> Certain | None:
    from dlprobe.runs import Study, open_run

    with open_run(path) as opened:
        runs = (
            ((f"{path}#{id}", opened.runs.open(id)) for id in opened.runs)
            if isinstance(opened, Study)
            else iter([(str(path), opened)])
        )
        return next(
            (error for where, run in runs if (error := _error_of(run, where)) is not None), None
        )


def _error_of(run: Run, where: str) -> Certain | None:
    from dlprobe.rules import diagnose, judge

    judgement = judge(run)
    finding = next((error for error in judgement.findings if error.severity == "error"), None)
    return None if finding is None else Certain(where, finding, diagnose(run, judgement, where))


def planned_runs(followed: FollowedStudy) -> int | None:
    """As many as the study's description has cells and seeds, or values on its axes; None where
    it says neither.
    """
    axes, cells = followed.description.get("axes"), followed.description.get("cells")
    sizes = (
        {name: len(values) for name, values in axes.items() if isinstance(values, list)}
        if isinstance(axes, dict)
        else {}
    )
    if isinstance(cells, list) and cells:
        return len(cells) * sizes.get("seed", 1)
    return math.prod(sizes.values()) or None if sizes else None


def _recorded_speed(run: Run) -> float:
    """Steps per second as the run itself timed them; NaN where it did not."""
    seconds = run.timing.get("step_seconds", ())
    middle = float(np.median(seconds[-20:])) if len(seconds) else math.nan
    return 1.0 / middle if middle > 0 else math.nan


def _loss(run: Run) -> tuple[list[float], float | None]:
    """Means of the batch loss over stretches of steps, and the last loss on the validation part."""
    from dlprobe.analysis.learning.loss_curve import smoothed

    validation = run.evaluations.get("val_loss", np.empty(0))
    curve = (
        smoothed(run.steps, run.scalar("batch_loss"), BARS).values.tolist()
        if len(run.steps) and run.is_recorded("batch_loss")
        else []
    )
    return curve, float(validation[-1]) if len(validation) and math.isfinite(
        validation[-1]
    ) else None


def _profile(run: Run) -> tuple[list[str], list[int], list[list[float]]]:
    hidden = run.hidden_layers
    if len(hidden) < 2 or not len(run.steps) or not run.is_recorded("error_signal_rms"):
        return [], [], []
    signal, rows = run.statistic("error_signal_rms"), spread(len(run.steps), COLUMNS)
    chosen = [hidden[index] for index in spread(len(hidden), LAYERS)]
    return (
        [str(run.layers.names[index]) for index in chosen],
        run.steps[rows].tolist(),
        signal[rows][:, chosen].astype(float).tolist(),
    )
