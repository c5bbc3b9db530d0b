"""Runs on a Dask cluster. A worker gets each data set once, then configurations, and gives back the
bytes of finished runs.

Results are those of threads here to the last bit, on machines of one kind. A worker that dies costs
the runs that it had in hand: they are made again elsewhere. Dask sends Python objects between its
processes: give it only a scheduler that you trust.

What a study of a million runs would cost (an estimate): Dask's scheduler spends about a millisecond
per task, so a task per run would keep it busy for a quarter of an hour; `runs_per_task` 20 makes
that under a minute. It never holds more than a few tasks per worker thread, as the next ones are
sent when some have ended. All runs come back through this process into one file: a default run of
680 steps and three layers takes 0.6 MB in the journal and 0.5 MB packed, a million of them half a
terabyte; a net of four units on 107 rows with `--record-every 100` takes 0.1 MB. Writing the
journal costs under a millisecond per run; packing it at the end some 40 ms of one processor, half a
day for a million runs: until then, and after a Ctrl-C, the journal itself is read by every command.
`runs_per_task` also is what is lost when a worker dies, and what a worker holds in memory.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from dlprobe.config import RunConfig, from_mapping, to_mapping
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError, DlprobeWarning, MissingExtraError
from dlprobe.executors.one_run import train_to_bytes
from dlprobe.training.stopping import Stop
from dlprobe.training.trainer import PreparedData
from dlprobe.version import version

TASKS_PER_THREAD = 3  # in flight: enough that no worker waits for the next one
TRIES = 5  # of a task whose data went down with a worker
LOOK = 0.5  # seconds between looks at whether a stop was asked for
PATIENCE = "10s"
T = TypeVar("T")
Work = Callable[[Sequence[Any], Any], Sequence[T]]
Job = tuple[Any, Any]


@dataclass(frozen=True)
class Batch:
    """Jobs with the same data that go to a worker together, `indices` among all."""

    indices: tuple[int, ...]
    jobs: tuple[Any, ...]
    data: Any
    tries: int = 0


@dataclass(frozen=True)
class DaskCluster:
    """A cluster by the address of its scheduler, e.g. tcp://10.0.0.1:8786."""

    scheduler: str
    runs_per_task: int = 1

    def train(
        self, runs: Sequence[tuple[RunConfig, PreparedData]], stop: Stop
    ) -> Iterator[tuple[int, bytes]]:
        """(index, journal of the run) as they end, in any order; see `run`."""
        return self.run(train_batch, [(to_mapping(config), data) for config, data in runs], stop)

    def run(self, work: Work[T], jobs: Sequence[Job], stop: Stop) -> Iterator[tuple[int, T]]:
        """(index, result) of jobs as they end, in any order. A job is something small and the data
        that it shares with others, which travel once.

        A worker calls work([job, …], data) for some jobs on the same data, and gives back one
        result each. A stop leaves the others unmade. Raises ConfigError where there is no such
        cluster.
        """
        distributed = imported()
        client = self._connect(distributed)
        try:
            refuse_other_versions(client)
            if not client.nthreads():
                told = (
                    f"the cluster at {self.scheduler} has no workers yet, and this waits for "
                    f"them: start some with `dask worker {self.scheduler}`"
                )
                warnings.warn(told, DlprobeWarning, stacklevel=2)
            yield from _Sending(distributed, client, work, stop).results(
                batches(jobs, self.runs_per_task)
            )
        finally:
            client.close()

    def _connect(self, distributed: Any) -> Any:
        try:
            return distributed.Client(self.scheduler, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(
                f"--scheduler {self.scheduler}: no Dask scheduler answers there "
                f"({type(error).__name__}): start one with `dask scheduler`"
            ) from None


def imported() -> Any:
    """The `distributed` package. Raises MissingExtraError naming the extra where it is not
    installed.
    """
    try:
        import distributed
    except ImportError:
        raise MissingExtraError(
            "--executor dask needs Dask, which is not installed: pip install 'dlprobe[dask]', "
            "here and on the workers"
        ) from None
    return distributed


def batches(jobs: Sequence[Job], size: int) -> list[Batch]:
    """Jobs in their order, cut where the data change and where a batch is full."""
    prepared: list[Batch] = []
    for index, (job, data) in enumerate(jobs):
        last = prepared[-1] if prepared else None
        if last is not None and last.data is data and len(last.indices) < size:
            prepared[-1] = Batch((*last.indices, index), (*last.jobs, job), data)
        else:
            prepared.append(Batch((index,), (job,), data))
    return prepared


def train_batch(configs: Sequence[dict[str, Any]], data: PreparedData) -> list[bytes]:
    """Train runs on a worker and return their journals."""
    stored = (train_to_bytes(from_mapping(config), data) for config in configs)
    return [result for result in stored if result is not None]


def own_version() -> str:
    """The version of dlprobe, here or on a worker."""
    return version() or "not installed"


def refuse_other_versions(client: Any) -> None:
    """Raise ConfigError where a worker has another dlprobe: its numbers could be others."""
    strange = {
        address: found
        for address, found in client.run(own_version).items()
        if found != own_version()
    }
    if strange:
        address, found = next(iter(strange.items()))
        raise ConfigError(
            f"the worker {address} has dlprobe {found}, here is {own_version()}: install the "
            "same version on all"
        )


class _Sending:
    """Keeps a few tasks per worker thread in flight."""

    def __init__(self, distributed: Any, client: Any, work: Work[Any], stop: Stop) -> None:
        self._distributed, self._client, self._work, self._stop = distributed, client, work, stop
        self._scattered: dict[int, Any] = {}

    def results(self, waiting: list[Batch]) -> Iterator[tuple[int, Any]]:
        """(index, result) of every job."""
        waiting = waiting[::-1]
        pending: dict[Any, Batch] = {}
        while (waiting or pending) and not self._stop.asked:
            while waiting and len(pending) < self._room():
                batch = waiting.pop()
                pending[self._send(batch)] = batch
            for future in self._done(pending):
                batch = pending.pop(future)
                if future.status in ("cancelled", "lost"):
                    waiting.append(self._again(batch))
                    continue
                yield from zip(batch.indices, future.result(), strict=True)
        self._client.cancel(list(pending))

    def _room(self) -> int:
        threads = sum(int(count) for count in self._client.nthreads().values())
        return TASKS_PER_THREAD * max(threads, 1)

    def _send(self, batch: Batch) -> Any:
        """A task. Data go to every worker once, when they are first needed."""
        key = id(batch.data)
        if key not in self._scattered:
            self._scattered[key] = self._client.scatter(batch.data, broadcast=True, hash=False)
        return self._client.submit(
            self._work, batch.jobs, self._scattered[key], pure=False, retries=2
        )

    def _again(self, batch: Batch) -> Batch:
        """A batch whose data went down with the only worker that had them. Raises ConfigError
        after some tries.
        """
        if batch.tries >= TRIES:
            raise ConfigError(
                "the cluster's workers die again and again: look at their logs; they may have "
                "too little memory"
            )
        self._scattered.pop(id(batch.data), None)
        return Batch(batch.indices, batch.jobs, batch.data, batch.tries + 1)

    def _done(self, pending: dict[Any, Batch]) -> list[Any]:
        try:
            with self._client.as_current():
                return list(
                    self._distributed.wait(
                        list(pending), timeout=LOOK, return_when="FIRST_COMPLETED"
                    ).done
                )
        except TimeoutError:
            return []
