"""Where the runs of a study execute, and the file that keeps them: the options that commands
with studies share arrive as one `Execution`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from dlprobe.commands.base.arguments import option
from dlprobe.commands.base.declaring import keyword, parameters_of, with_signature
from dlprobe.commands.base.file_kinds import RUN
from dlprobe.commands.base.writing import claim
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError

if TYPE_CHECKING:
    from dlprobe.commands.base.screen import Screen
    from dlprobe.commands.base.writing import Input, Target
    from dlprobe.executors.dask_cluster import DaskCluster
    from dlprobe.runs import StudyWriter

EXECUTORS = ("threads", "dask")


@dataclass(frozen=True)
class Execution:
    """How the runs of a study are made and kept.

    workers: runs side by side, None for as many as there are processors. output: the study file to
        begin, over another one with `force`; resume: the one to go on with. cluster: where runs
        execute in place of threads of this process. target: `output` once it is claimed.
    """

    workers: int | None = None
    output: Path | None = None
    force: bool = False
    resume: Path | None = None
    cluster: DaskCluster | None = None
    target: Target | None = None

    def claimed(self, inputs: Iterable[Input]) -> Execution:
        """The execution with the right to write `output`, which is asked for before anything long
        runs. Raises ConfigError where it must not be replaced.
        """
        if self.output is None:
            return self
        return replace(self, target=claim(self.output, RUN, inputs, force=self.force))

    @property
    def threads(self) -> int:
        """Number of runs trained at the same time: `workers`, or the available processors."""
        from dlprobe.executors.threads import available_threads

        return self.workers or available_threads()

    @property
    def file(self) -> Path | None:
        """The study file that keeps the runs; None where none is asked for."""
        return self.resume or self.output

    @contextmanager
    def study(self, describe: Callable[[], Mapping[str, Any]]) -> Iterator[StudyWriter | None]:
        """The writer of `file` while the block runs; `describe` gives what the file says of the
        study.

        A study whose block ends early stays a journal, which --resume goes on with.
        """
        from dlprobe.runs import StudyWriter

        if self.file is None:
            yield None
            return
        with (
            StudyWriter.resume(self.resume, describe())
            if self.resume
            else self._begun(describe()) as writer
        ):
            yield writer

    def _begun(self, description: Mapping[str, Any]) -> StudyWriter:
        from dlprobe.runs import StudyWriter

        assert self.target is not None, "a study file is claimed before it is written"
        self.target.check()  # again: much may have happened since
        return StudyWriter.create(self.target.path, description, self.target.force)


def settled(path: Path, screen: Screen) -> Path:
    """The file of a study that lacks nothing; packs what a killed packing left unpacked, and
    clears its remains away. Raises RunFileError.
    """
    from dlprobe.runs import pack_journal
    from dlprobe.runs.journal import SUFFIX, journal_path

    packed = path.with_name(path.name.removesuffix(SUFFIX))
    if os.path.lexists(journal_path(packed)):
        pack_journal(packed)
        screen.note(f"{packed} had been left in the middle of packing: it is packed now")
    return packed


def workers_option(runs: str = "runs", panel: str | None = None) -> Any:
    """--workers of a command that makes `runs`, in this group of its help."""
    said = f"{runs} side by side [default: DLPROBE_WORKERS, else all processors]; changes no number"
    return option("--workers --threads N", said, panel, min=1, envvar="DLPROBE_WORKERS")


def execution_options(
    panel: str,
    run: str = "run",
    more: str = "with --seeds, more seeds",
    cluster_panel: str = "Execution",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: give a command the options of a study, in this group of its help; it gets them as
    `execution`.

    run: what one run is called. more: what --resume can add to the study. cluster_panel: the group
        of what is about a cluster.
    """
    executor = option(
        "--executor", "where runs execute [default: threads]", cluster_panel, choices=EXECUTORS
    )
    scheduler = option(
        "--scheduler ADDRESS", "of the Dask scheduler, e.g. tcp://10.0.0.1:8786", cluster_panel
    )
    runs_per_task = option(
        "--runs-per-task N",
        "runs that a Dask worker gets at a time [default: 1]",
        cluster_panel,
        min=1,
    )
    kept = option("-o --output FILE", f"study file that keeps every {run}", panel)
    resumed = option("--resume STUDY", f"train what a study lacks; {more}", panel)
    offered = {
        "workers": (Annotated[int | None, workers_option(f"{run}s", panel)], None),
        "output": (Annotated[Path | None, kept], None),
        "force": (Annotated[bool, option("--force", "overwrite FILE", panel)], False),
        "resume": (Annotated[Path | None, resumed], None),
        "executor": (Annotated[str, executor], "threads"),
        "scheduler": (Annotated[str | None, scheduler], None),
        "runs_per_task": (Annotated[int, runs_per_task], 1),
    }

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        own = parameters_of(function, "execution")

        def command(**values: Any) -> Any:
            workers, output, force, resume, *cluster = (values.pop(name) for name in offered)
            return function(
                **values, execution=Execution(workers, output, force, resume, cluster_of(*cluster))
            )

        return with_signature(
            command,
            [
                *own,
                *(
                    keyword(name, annotation, default)
                    for name, (annotation, default) in offered.items()
                ),
            ],
        )

    return decorate


def cluster_of(executor: str, scheduler: str | None, runs_per_task: int) -> DaskCluster | None:
    """The cluster that the options name; None for threads. Raises ConfigError where they
    contradict each other, or Dask is not installed.
    """
    if executor == "threads":
        if scheduler is not None:
            raise ConfigError("--scheduler is for --executor dask: give both or neither")
        return None
    if scheduler is None:
        raise ConfigError(
            "--executor dask needs --scheduler ADDRESS, which `dask scheduler` prints when it "
            "starts, e.g. tcp://10.0.0.1:8786"
        )
    from dlprobe.executors.dask_cluster import DaskCluster, imported

    imported()
    return DaskCluster(scheduler, runs_per_task)
