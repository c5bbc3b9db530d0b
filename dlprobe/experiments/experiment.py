"""What every experiment is, so that one driver begins, resumes, interrupts and shows each of them
in the same way.

An experiment is a record of what is asked: it knows its configurations before anything is trained.
`train` makes the runs and reads each as it ends, `conclude` says what follows, and what a study
file keeps are `describe` (to go on without options) and `table` (the result as columns). Most
experiments plan runs and let `PlannedExperiment` train them; those whose study can be gone on with
are a `ResumableExperiment`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from dlprobe.dataclass import dataclass
from dlprobe.experiments.study import (
    PlannedRun,
    StudyResult,
    Told,
    finished_runs,
    run_study,
    useful_threads,
)
from dlprobe.training.stopping import Stop

if TYPE_CHECKING:
    from dlprobe.config import RunConfig
    from dlprobe.executors.dask_cluster import DaskCluster
    from dlprobe.runs import Run, Study, StudyWriter
    from dlprobe.training.prepared_sets import PreparedSets

T = TypeVar("T")  # what is read of one run
R = TypeVar("R")  # what follows from all of them
Self = TypeVar("Self", bound="ResumableExperiment[Any, Any]")
Seeded = TypeVar("Seeded", bound="SeededExperiment[Any, Any]")


@dataclass(frozen=True)
class Means:
    """What an experiment trains with.

    threads: runs side by side; unless `asked` for, fewer where they end sooner. stop: ends it
        early. writer: keeps every run in a study file. progress(done, all) hears of runs as they
        end.
    cluster: where runs execute in place of threads of this process.
    """

    threads: int = 1
    stop: Stop = field(default_factory=Stop)
    writer: StudyWriter | None = None
    progress: Told | None = None
    cluster: DaskCluster | None = None
    asked: bool = True


class Experiment(ABC, Generic[T, R]):
    """An experiment: it trains runs, can be stopped, and has a result."""

    name: ClassVar[str]
    """As the command is called, and as study files say."""
    doing: ClassVar[str] = "training"
    """What the progress line says."""
    unit: ClassVar[str] = "runs"
    """What one training is called, in the plural."""

    @abstractmethod
    def train(self, means: Means, finished: Mapping[str, T]) -> StudyResult[T]:
        """Make all runs but those that are `finished`, by id, and read them. A stop leaves runs
        out and is no error.
        """

    @abstractmethod
    def conclude(self, results: Mapping[str, T], complete: bool) -> R | None:
        """What follows from the runs that were read, by id; None where too few ended to say
        anything.
        """

    def describe(self) -> dict[str, Any]:
        """What a study file says of the experiment, JSON-able: `experiment`, `axes`, and what
        `restore` needs.
        """
        return {"experiment": self.name}

    def table(self, result: R) -> Mapping[str, Sequence[object]]:
        """The result as columns of one length, as a study file keeps them."""
        return {}

    def run(self, means: Means) -> R | None:
        """Train and conclude."""
        ended = self.train(means, {})
        return self.conclude(ended.results, ended.complete)


class PlannedExperiment(Experiment[T, R]):
    """An experiment whose runs are independent of each other, in one round or in several."""

    sets: PreparedSets
    """The data of its runs."""
    longest_first: ClassVar[bool] = True
    """Whether long runs begin first, so that threads end together; else runs keep the plan's
    order, so that a stop leaves its first ones.
    """

    @abstractmethod
    def plan(self, results: Mapping[str, T]) -> Sequence[PlannedRun]:
        """All runs, in the order of the result. An experiment of several rounds plans more when
        those that it planned before are `found`.
        """

    @abstractmethod
    def read(self, planned: PlannedRun, run: Run) -> T:
        """What counts of one run. Called in the thread that made it, and again when a study
        file is read.
        """

    def train(self, means: Means, finished: Mapping[str, T]) -> StudyResult[T]:
        """Round after round, until nothing new is planned."""
        ended = StudyResult(finished, complete=True)
        plan = self.plan(finished)
        while ended.complete and any(planned.id not in ended.results for planned in plan):
            available = means.threads
            how: dict[str, Any] = {
                "threads": available if means.asked else useful_threads(available, plan, self.sets),
                "stop": means.stop,
                "writer": means.writer,
                "progress": means.progress,
                "cluster": means.cluster,
            }
            ended = run_study(
                plan,
                self.sets,
                self.read,
                finished=ended.results,
                longest_first=self.longest_first,
                **how,
            )
            plan = self.plan(ended.results)
        return ended


class ResumableExperiment(PlannedExperiment[T, R]):
    """An experiment whose study file says enough to go on with it, to add to it and to show it
    again, without the options that began it.
    """

    @classmethod
    @abstractmethod
    def restore(cls: type[Self], study: Study, told: Callable[[str], None] | None = None) -> Self:
        """The experiment that a study file tells of; no data are opened yet. told: hears the notes
        of the data when they are.

        Raises ConfigError or RunFileError where the file does not say enough.
        """

    @property
    @abstractmethod
    def configs(self) -> Sequence[RunConfig]:
        """The configurations of the runs but for their seeds, known without the data."""

    @property
    @abstractmethod
    def repetitions(self) -> int:
        """How many runs every configuration gets: seeds or replicas."""

    @abstractmethod
    def repeated(self: Self, count: int) -> Self:
        """The experiment with this many repetitions, at least those that it has. Raises ConfigError
        where more cannot be had.
        """

    def finished(self, study: Study, *, same_data: bool = True) -> dict[str, T]:
        """What is read of the planned runs that a study holds. same_data: refuse the study where
        the data are others than its runs trained on.

        Raises ConfigError where the study holds a run of the same id and another configuration.
        """
        results: dict[str, T] = {}
        while new := finished_runs(
            study,
            [planned for planned in self.plan(results) if planned.id not in results],
            self.read,
            self.sets if same_data else None,
        ):
            results |= new
        return results


class SeededExperiment(ResumableExperiment[T, R]):
    """A frozen record of cells, each a `config` that is trained with every one of `seeds`."""

    cells: Sequence[Any]
    seeds: Sequence[int]

    @property
    def configs(self) -> list[RunConfig]:
        return [cell.config for cell in self.cells]

    @property
    def repetitions(self) -> int:
        return len(self.seeds)

    def repeated(self: Seeded, count: int) -> Seeded:
        return replace(self, seeds=tuple(range(self.seeds[0], self.seeds[0] + count)))  # type: ignore[type-var]  # its subclasses are dataclasses
