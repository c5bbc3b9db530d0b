"""Studies: a list of planned runs goes through an executor, each finished run into one file and
through one reading of it.

A run is read from its bytes as it would be from the file, so a study that was saved says the same
again without training. Which thread made a run, and in which order runs ended, shows nowhere: runs
are kept by id, and a study's content hash covers ids and contents only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dlprobe.analysis.model_size import layer_size
from dlprobe.config import RunConfig, to_mapping, with_values, without_instruments
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.executors import threads as executor
from dlprobe.executors.one_run import train_side_by_side
from dlprobe.runs import Run, Study, StudyWriter, open_run
from dlprobe.runs.content import canonical
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource
from dlprobe.training import fleets
from dlprobe.training.prepared_sets import PreparedSets
from dlprobe.training.stopping import Stop
from dlprobe.training.trainer import PreparedData, Session, start

if TYPE_CHECKING:
    from dlprobe.executors.dask_cluster import DaskCluster

T = TypeVar("T")
Told = Callable[[int, int], None]
NEVER = 2**31  # steps between records where nobody reads them
# Weights × samples of a training below which Python, of which one thread runs at a time, takes most
# of a run: two threads hinder each other then, and end a fifth later than one.
LEAST_WORK = 2e7


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study: its id in the file, its whole configuration, its value on each axis."""

    id: str
    config: RunConfig
    coordinates: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyResult(Generic[T]):
    """What was read of each run that ended, by id, in the plan's order; `complete` is False
    after a stop.
    """

    results: Mapping[str, T]
    complete: bool


def run_study(
    plan: Sequence[PlannedRun],
    sets: PreparedSets,
    read: Callable[[PlannedRun, Run], T],
    *,
    threads: int = 1,
    stop: Stop,
    writer: StudyWriter | None = None,
    finished: Mapping[str, T] | None = None,
    progress: Told | None = None,
    cluster: DaskCluster | None = None,
    longest_first: bool = True,
) -> StudyResult[T]:
    """Train what is planned and not among `finished`, longest first so that threads end together,
    or in the plan's order, and read every run.

    progress(done, all) is told of the whole grid as runs end, those that were finished before
    included. An error in a run ends the study; what had ended before is kept by the writer.
    cluster: where runs execute in place of threads of this process.
    """
    results: dict[str, T] = dict(finished or {})
    waiting = [planned for planned in plan if planned.id not in results]
    if longest_first:
        # equal ones keep the plan's order
        waiting.sort(key=lambda planned: -work(planned.config, sets))
    for index, result in _results(waiting, sets, read, threads, stop, writer, cluster):
        if result is not None:
            results[waiting[index].id] = result
        if progress is not None:
            progress(len(results), len(plan))
    return StudyResult(
        {planned.id: results[planned.id] for planned in plan if planned.id in results},
        complete=not stop.asked,
    )


def _results(
    waiting: Sequence[PlannedRun],
    sets: PreparedSets,
    read: Callable[[PlannedRun, Run], T],
    threads: int,
    stop: Stop,
    writer: StudyWriter | None,
    cluster: DaskCluster | None,
) -> Iterator[tuple[int, T | None]]:
    """(index, what was read) of runs as they end; None for one that was stopped."""
    if cluster is None:
        teams = teams_of(waiting, sets)
        jobs = [
            partial(_run_team, [waiting[index] for index in team], sets, read, stop, writer)
            for team in teams
        ]
        for number, results in executor.run_all(jobs, threads, stop):
            yield from zip(teams[number], results, strict=True)
        return
    for index, stored in cluster.train(
        [(planned.config, sets.of(planned.config)) for planned in waiting], stop
    ):
        yield index, keep(waiting[index], stored, read, writer)


def teams_of(waiting: Sequence[PlannedRun], sets: PreparedSets) -> list[list[int]]:
    """Places of the runs that train together: small nets that differ by seed and initializer, and
    of which nothing is recorded after the first step. All others are alone.
    """
    alike: dict[str | int, list[int]] = {}
    for index, planned in enumerate(waiting):
        config = planned.config
        recording = config.recording
        first_step_alone = (recording.record_every, recording.evaluate_every) == (NEVER, "never")
        without = {"training.seed": 0, "model.init": "zeros"}
        same = first_step_alone and without_instruments(config) == config
        key = canonical(to_mapping(with_values(config, without))) if same else index
        alike.setdefault(key, []).append(index)
    return [
        team
        for group in alike.values()
        for team in (fleets.teams(_begun(waiting[group[0]], sets), group) if group[1:] else [group])
    ]


def _begun(planned: PlannedRun, sets: PreparedSets) -> Session:
    return start(planned.config, sets.of(planned.config))


def _run_team(
    team: Sequence[PlannedRun],
    sets: PreparedSets,
    read: Callable[[PlannedRun, Run], T],
    stop: Stop,
    writer: StudyWriter | None,
) -> list[T | None]:
    """Runs side by side; None for each that was stopped."""
    data = sets.of(team[0].config)
    stored = train_side_by_side([planned.config for planned in team], data, stop)
    return [
        None if journal is None else keep(planned, journal, read, writer)
        for planned, journal in zip(team, stored, strict=True)
    ]


def run_one(
    planned: PlannedRun,
    sets: PreparedSets,
    read: Callable[[PlannedRun, Run], T],
    stop: Stop,
    writer: StudyWriter | None,
) -> T | None:
    """Train one run and read it; None if it was stopped."""
    return _run_team([planned], sets, read, stop, writer)[0]


def keep(
    planned: PlannedRun,
    stored: bytes,
    read: Callable[[PlannedRun, Run], T],
    writer: StudyWriter | None,
) -> T:
    """Write a run that ended, and read it."""
    if writer is not None:
        writer.run(planned.id, stored, planned.coordinates)
    return read(planned, Run(JournalContents(MemorySource(stored, planned.id))))


def useful_threads(available: int, plan: Sequence[PlannedRun], sets: PreparedSets) -> int:
    """Of so many threads those with which these runs end sooner."""
    largest = max((work(planned.config, sets) for planned in plan), default=0.0)
    return available if largest >= LEAST_WORK else 1


def work(config: RunConfig, sets: PreparedSets) -> float:
    """Multiply-adds of a training, up to a constant factor: parameters × samples seen."""
    data = sets.of(config)
    widths = [len(data.feature_names), *config.model.layers, data.outputs]
    weights = sum(
        layer_size("", fan_in, fan_out, bias=True, norm=None).parameters
        for fan_in, fan_out in pairwise(widths)
    )
    rows = len(data.inputs["train"])
    batch = (
        rows if config.training.batch_size == "full" else min(int(config.training.batch_size), rows)
    )
    samples = (
        config.training.steps * batch
        if config.training.steps
        else (config.training.epochs or 1) * rows
    )
    return float(weights) * samples


def finished_runs(
    study: Study,
    plan: Sequence[PlannedRun],
    read: Callable[[PlannedRun, Run], T],
    sets: PreparedSets | None = None,
) -> dict[str, T]:
    """What is read of the planned runs that a study holds already. sets: the data, where more runs
    are to come.

    Raises ConfigError where the study holds a run of the same id and another configuration, or of
    other data than there are now.
    """
    runs: dict[str, T] = {}
    for planned in plan:
        if planned.id not in study.runs:
            continue
        run = study.runs.open(planned.id)
        if canonical(run.config) != canonical(pinned(_of_the_same_format(planned.config, run))):
            raise ConfigError(
                f"{study.path} holds {planned.id} with another configuration: begin a new study "
                "with -o, or resume this one with what began it"
            )
        if sets is not None:
            refuse_other_data(study, run, sets.of(planned.config))
        runs[planned.id] = read(planned, run)
    return runs


def _of_the_same_format(planned: RunConfig, run: Run) -> RunConfig:
    """The planned configuration; of classes with the run's own `target_scaling`, which does
    nothing there and which older studies do not have.
    """
    if run.data.get("task") != "classification":
        return planned
    held = run.configuration
    if held is None:
        return planned
    return with_values(planned, {"data.target_scaling": held.data.target_scaling})


def refuse_other_data(study: Study, run: Run, data: PreparedData) -> None:
    """Raise ConfigError where a run of the study was trained on other data."""
    if run.data.get("fingerprint") != data.fingerprint:
        changed = (
            f"{data.name} has changed since {study.path} was begun: runs on both cannot be compared"
        )
        raise ConfigError(f"{changed}; begin a new study with -o, or bring the old data back")


def pinned(config: RunConfig) -> dict[str, Any]:
    """A configuration as run files hold it, `{table: {key: value}}`."""
    from dlprobe.training import own_arrays

    return json.loads(json.dumps(to_mapping(own_arrays.pinned(config))))  # type: ignore[no-any-return]


def run_id(index: int, words: str, seed: int) -> str:
    """A name for a run in a study file; the index keeps apart what letters and digits alone do not.

    >>> run_id(0, "tanh · U(±1/√n)", 7)
    '1-tanh_U_1_n-seed7'
    """
    plain = re.sub(r"[^A-Za-z0-9.=+,-]+", "_", words)[:90].strip("_")
    return f"{index + 1}-{plain}-seed{seed}"


def open_study(path: Path, experiment: str) -> Study:
    """A study of this experiment. Raises RunFileError for a file that cannot be read,
    ConfigError for anything else than such a study.
    """
    opened = open_run(path)
    if not isinstance(opened, Study) or opened.description.get("experiment") != experiment:
        what = (
            f"a study of {opened.description.get('experiment', 'something else')!r}"
            if isinstance(opened, Study)
            else "a single run"
        )
        opened.close()
        raise ConfigError(
            f"{path} is {what}: expected a study that `dlprobe {experiment} -o` wrote; look "
            f"at it with `dlprobe inspect {path}`"
        )
    return opened
