"""A study's file is the same whatever the threads, the order and the breaks; what had ended is
not trained again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import dlprobe
from dlprobe.config import RunConfig, from_options, with_values, without_instruments
from dlprobe.errors import ConfigError
from dlprobe.experiments import compare
from dlprobe.experiments.axes import axis_of
from dlprobe.experiments.study import (
    NEVER,
    PlannedRun,
    StudyResult,
    finished_runs,
    open_study,
    run_study,
    teams_of,
    useful_threads,
    work,
)
from dlprobe.nn import fleet
from dlprobe.nn.fleet import lanes_of
from dlprobe.nn.tiles import AVAILABLE
from dlprobe.runs import Run, Study, StudyWriter
from dlprobe.training.prepared_sets import PreparedSets
from dlprobe.training.stopping import Stop

DESCRIPTION = {"experiment": "letters"}
BASE = from_options(
    None, {"data": "wine", "layers": "4", "steps": "3", "data_seed": "0", "dtype": "float64"}
)


def plan(seeds: Sequence[int] = (0, 1, 2), base: RunConfig = BASE) -> list[PlannedRun]:
    return [
        PlannedRun(f"seed{seed}", with_values(base, {"seed": seed}), {"seed": seed})
        for seed in seeds
    ]


def loss(planned: PlannedRun, run: Run) -> float:
    return float(run.final["train_loss"])


def train(
    planned: Sequence[PlannedRun], writer: StudyWriter, threads: int = 1, **more: object
) -> StudyResult[float]:
    found = run_study(
        planned, PreparedSets(), loss, threads=threads, stop=Stop(), writer=writer, **more
    )  # type: ignore[arg-type]
    writer.end()
    return found


def content(path: Path) -> str:
    study = dlprobe.open_run(path)
    assert isinstance(study, Study)
    with study:
        return study.content_sha256


def test_threads_and_order_do_not_show_in_the_file(tmp_path: Path) -> None:
    for name, threads, planned in (("a.h5", 1, plan()), ("b.h5", 3, plan()[::-1])):
        writer = StudyWriter.create(tmp_path / name, DESCRIPTION)
        train(planned, writer, threads)
        writer.pack()
    assert content(tmp_path / "a.h5") == content(tmp_path / "b.h5")


def test_resumed_study_trains_only_what_is_missing_and_ends_the_same(tmp_path: Path) -> None:
    whole = StudyWriter.create(tmp_path / "whole.h5", DESCRIPTION)
    expected = train(plan(), whole)
    whole.pack()
    part = StudyWriter.create(tmp_path / "part.h5", DESCRIPTION)
    train(plan()[:2], part)
    part.close()
    with open_study(tmp_path / "part.h5", "letters") as study:
        finished = finished_runs(study, plan(), loss)
    told: list[tuple[int, int]] = []
    writer = StudyWriter.resume(tmp_path / "part.h5", DESCRIPTION)
    found = train(
        plan(), writer, finished=finished, progress=lambda done, total: told.append((done, total))
    )
    writer.pack()
    assert (found, told) == (expected, [(3, 3)])
    assert content(tmp_path / "part.h5") == content(tmp_path / "whole.h5")


def test_stop_keeps_what_had_ended() -> None:
    stop = Stop()
    found = run_study(
        plan(), PreparedSets(), loss, stop=stop, progress=lambda done, total: stop.ask()
    )
    assert (len(found.results), found.complete) == (1, False)


def test_stopped_comparison_has_every_value_with_the_first_seeds() -> None:
    labels, cells = compare.cells_of(BASE, [(axis_of("init"), ("zeros", "ones"))])
    plan = compare.CompareExperiment(labels, tuple(cells), (0, 1, 2), "val_loss").plan()
    stop = Stop()
    found = run_study(
        plan,
        PreparedSets(),
        lambda planned, run: planned.coordinates,
        stop=stop,
        progress=lambda done, total: stop.ask() if done == 2 else None,
    )
    assert list(found.results.values()) == [
        {"init": "zeros", "seed": 0},
        {"init": "ones", "seed": 0},
    ]


def test_study_of_another_configuration_or_experiment_is_not_gone_on_with(tmp_path: Path) -> None:
    writer = StudyWriter.create(tmp_path / "study.h5", DESCRIPTION)
    train(plan(), writer)
    writer.pack()
    with (
        open_study(tmp_path / "study.h5", "letters") as study,
        pytest.raises(ConfigError, match="seed0 with another configuration"),
    ):
        finished_runs(study, plan(base=with_values(BASE, {"lr": 0.5})), loss)
    with pytest.raises(ConfigError, match="a study of 'letters'"):
        open_study(tmp_path / "study.h5", "compare")


def test_data_are_prepared_once_for_all_runs_that_share_them() -> None:
    sets = PreparedSets()
    first, same, other = (
        sets.of(with_values(BASE, values))
        for values in ({"seed": 1}, {"seed": 2, "lr": 0.1}, {"data_seed": 1})
    )
    assert first is same
    assert first is not other


def test_work_counts_weights_times_samples() -> None:
    # wine: 13 features, 3 classes, 107 training rows: (13 + 1)·4 + (4 + 1)·3 = 71 parameters, 3
    #     steps of 32
    assert work(BASE, PreparedSets()) == 71 * 3 * 32


def test_runs_that_python_takes_most_of_go_one_after_another() -> None:
    sets, long = PreparedSets(), with_values(BASE, {"training.steps": 20_000})
    assert useful_threads(2, plan(), sets) == useful_threads(2, [], sets) == 1
    assert useful_threads(2, [*plan(), *plan((3,), long)], sets) == 2  # 71 · 20,000 · 32 = 4.5e7


@pytest.mark.skipif(not AVAILABLE, reason="this processor has no vector registers for fleets")
def test_nets_side_by_side_are_the_nets_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit, with one that diverges among them; a run with another rate is alone."""
    quiet = {"recording.record_every": NEVER, "recording.evaluate_every": "never"}
    base = with_values(without_instruments(BASE), {**quiet, "training.batch_size": 16})
    stds = [*(0.1 * k for k in range(1, lanes_of("float64"))), 1e200]
    inits = [
        {"model.init": f"normal(std={std:.3g})", "training.seed": k} for k, std in enumerate(stds)
    ]
    planned = [
        PlannedRun(f"run{k}", with_values(base, change))
        for k, change in enumerate([*inits, {"training.lr": 0.5}])
    ]
    team = list(range(len(inits)))
    assert teams_of(planned, PreparedSets()) == [team, [len(inits)]]
    for name, largest in (("together.h5", fleet.LARGEST), ("alone.h5", 0)):
        monkeypatch.setattr(fleet, "LARGEST", largest)
        writer = StudyWriter.create(tmp_path / name, DESCRIPTION)
        train(planned, writer)
        writer.pack()
    assert content(tmp_path / "together.h5") == content(tmp_path / "alone.h5")
    with open_study(tmp_path / "alone.h5", "letters") as study:
        ended = [study.runs.open(each.id).status for each in planned]
    assert ended.count("diverged") == 1
