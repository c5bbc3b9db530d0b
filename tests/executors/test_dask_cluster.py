"""A Dask cluster of worker processes gives what threads give, also when a worker dies; data
travel once.
"""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import dlprobe

import dlprobe as dlprobe_package
from dlprobe.config import from_options, with_values
from dlprobe.errors import ConfigError, DlprobeWarning
from dlprobe.executors.dask_cluster import DaskCluster, batches
from dlprobe.executors.one_run import train_to_bytes
from dlprobe.runs import Run
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource
from dlprobe.training.prepared_sets import PreparedSets
from dlprobe.training.stopping import Stop

BASE = from_options(
    None, {"data": "wine", "layers": "4", "steps": "40", "data_seed": "0", "dtype": "float64"}
)
SETS = PreparedSets()


def jobs(count: int) -> list[Any]:
    return [(with_values(BASE, {"seed": seed}), SETS.of(BASE)) for seed in range(count)]


def content(stored: bytes) -> str:
    return Run(JournalContents(MemorySource(stored))).computed_content_sha256()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as made:
            yield made


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("runs_per_task", [1, 3])
def test_results_are_those_of_this_process(cluster: Any, runs_per_task: int) -> None:
    found = dict(DaskCluster(cluster.scheduler_address, runs_per_task).train(jobs(5), Stop()))
    assert sorted(found) == [0, 1, 2, 3, 4]
    for index, (config, data) in enumerate(jobs(5)):
        expected = train_to_bytes(config, data)
        assert expected is not None
        assert content(found[index]) == content(expected)


@pytest.mark.filterwarnings("ignore")
def test_data_are_sent_once_for_all_runs(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    sent: list[Any] = []
    scatter = distributed.Client.scatter
    monkeypatch.setattr(
        distributed.Client,
        "scatter",
        lambda self, data, **more: sent.append(data) or scatter(self, data, **more),
    )
    assert len(dict(DaskCluster(cluster.scheduler_address).train(jobs(8), Stop()))) == 8
    assert len(sent) == 1


@pytest.mark.filterwarnings("ignore")
def test_command_on_a_cluster_says_what_threads_say(cluster: Any) -> None:
    small = [
        "gradients",
        "--data",
        "wine",
        "--depth",
        "2",
        "--width",
        "4",
        "--activation",
        "relu",
        "--init",
        "he_normal",
        "--steps",
        "2",
        "--quiet",
    ]
    here = dlprobe(*small, "--format", "json")
    there = dlprobe(
        *small,
        "--format",
        "json",
        "--executor",
        "dask",
        "--scheduler",
        cluster.scheduler_address,
        "--runs-per-task",
        "2",
    )
    assert there.code == 0, there.err
    assert there.data["cells"] == here.data["cells"]


@pytest.mark.filterwarnings("ignore")
def test_rates_are_tuned_on_the_cluster_too(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    small = [
        "compare",
        "optimizer",
        "sgd",
        "adam",
        "--tune-lr",
        "--seeds",
        "2",
        "--data",
        "wine",
        "--layers",
        "4",
        "--steps",
        "8",
        "--quiet",
        "--format",
        "json",
    ]
    here = dlprobe(*small).data["values"]
    monkeypatch.setattr(
        "dlprobe.executors.threads.run_all",
        lambda *_: pytest.fail("a run in a thread of this process"),
    )
    there = dlprobe(*small, "--executor", "dask", "--scheduler", cluster.scheduler_address).data[
        "values"
    ]
    for name in ("label", "tuning", "learning_rate", "per_seed"):
        assert [each[name] for each in there] == [each[name] for each in here]


@pytest.mark.filterwarnings("ignore")
def test_replicas_on_a_cluster_are_those_of_threads_and_data_travel_once(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """18 small nets, 16 or fewer of them at a time."""
    distributed = pytest.importorskip("distributed")
    small = [
        "bias-variance",
        "--data",
        "moons(samples=40)",
        "--layers",
        "4",
        "--epochs",
        "2",
        "--replicas",
        "18",
        "--quiet",
        "--format",
        "json",
    ]
    here = dlprobe(*small, "-o", str(tmp_path / "here.h5")).data["points"]
    sent: list[Any] = []
    scatter = distributed.Client.scatter
    monkeypatch.setattr(
        distributed.Client,
        "scatter",
        lambda self, data, **more: sent.append(data) or scatter(self, data, **more),
    )
    monkeypatch.setattr(
        "dlprobe.executors.threads.run_all",
        lambda *_: pytest.fail("a replica in a thread of this process"),
    )
    there = dlprobe(
        *small,
        "-o",
        str(tmp_path / "there.h5"),
        "--executor",
        "dask",
        "--scheduler",
        cluster.scheduler_address,
    )
    assert there.code == 0, there.err
    assert there.data["points"] == here
    assert len(sent) == 1
    with (
        dlprobe_package.open_run(tmp_path / "here.h5") as one,
        dlprobe_package.open_run(tmp_path / "there.h5") as other,
    ):
        assert one.content_sha256 == other.content_sha256


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--executor", "dask"], "--scheduler ADDRESS"),
        (["--scheduler", "tcp://x:1"], "give both"),
        (["--executor", "slurm"], "slurm"),
    ],
)
def test_options_that_do_not_fit_are_one_line(given: list[str], said: str) -> None:
    outcome = dlprobe("gradients", *given, "--quiet")
    assert (outcome.code, len(outcome.errors)) == (2, 1)
    assert said in outcome.err


@pytest.mark.filterwarnings("ignore")
def test_killed_worker_costs_no_run(cluster: Any) -> None:
    found: dict[int, bytes] = {}
    for index, stored in DaskCluster(cluster.scheduler_address).train(jobs(30), Stop()):
        found[index] = stored
        if len(found) == 3:
            os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
    assert sorted(found) == list(range(30))
    assert len({content(stored) for stored in found.values()}) == 30


@pytest.mark.filterwarnings("ignore")
def test_stop_leaves_the_rest_unmade(cluster: Any) -> None:
    stop = Stop()
    found = []
    for index, _ in DaskCluster(cluster.scheduler_address).train(jobs(200), stop):
        found.append(index)
        stop.ask()
    assert 1 <= len(found) < 200


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_without_workers_is_said_to_be_waited_for() -> None:
    distributed = pytest.importorskip("distributed")
    stop = Stop()
    stop.ask()
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None) as empty,
        pytest.warns(DlprobeWarning, match="dask worker tcp"),
    ):
        assert not list(DaskCluster(empty.scheduler_address).train(jobs(2), stop))


def test_batches_hold_one_data_set() -> None:
    other = (with_values(BASE, {"data_seed": 1}), SETS.of(with_values(BASE, {"data_seed": 1})))
    found = batches([*jobs(5), other, other], 3)
    assert [batch.indices for batch in found] == [(0, 1, 2), (3, 4), (5, 6)]


def test_nobody_at_the_address_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("dlprobe.executors.dask_cluster.PATIENCE", "0.5s")
    with pytest.raises(ConfigError, match="no Dask scheduler answers"):
        list(DaskCluster("tcp://127.0.0.1:9").train(jobs(1), Stop()))
