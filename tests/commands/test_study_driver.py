"""The one driver: whatever experiment is stopped, gone on with or shown again, it is so in the
same way and words.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from command_line import ROOT, TINY, dlprobe

from dlprobe.commands.base.executing import Execution
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.study_driver import carry_out, go_on, show_saved
from dlprobe.config import RunConfig, from_mapping, from_options, to_mapping, with_values
from dlprobe.errors import ConfigError, ExitCode
from dlprobe.executors import threads
from dlprobe.experiments.bias_variance import BiasVarianceExperiment
from dlprobe.experiments.compare import CompareExperiment
from dlprobe.experiments.compare_budgets import ComparedCell
from dlprobe.experiments.experiment import ResumableExperiment
from dlprobe.experiments.gradients import GradientExperiment
from dlprobe.experiments.grid_cells import Axes, grid
from dlprobe.experiments.replica_points import Request
from dlprobe.experiments.study import PlannedRun, open_study
from dlprobe.runs import Run, Study, StudyWriter, open_run
from dlprobe.training.prepared_sets import PreparedSets

BASE = from_options(
    None, {"data": "wine", "layers": "3", "steps": "2", "dtype": "float64", "record_every": "1"}
)
RESULT_OF = {
    "compare": (["compare", "init", "zeros", "ones", *TINY, "--seeds", "1"], "runs"),
    "gradients": (
        [
            "gradients",
            "--data",
            "wine",
            "--depth",
            "2",
            "--width",
            "3",
            "--activation",
            "tanh",
            "--init",
            "he_normal",
            "--steps",
            "1",
        ],
        "runs",
    ),
    "lr-find": (["lr-find", *TINY, "--range-steps", "20"], "runs"),
    "prescribe": (["prescribe", "ill.h5", "--seeds", "1", "--tries", "2"], "runs"),
    "bias-variance": (
        ["bias-variance", *TINY, "--replicas", "2", "--over", "width=2,3"],
        "replicas",
    ),
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "sample_runs" / "vanishing.h5", "ill.h5")


def stopped_before(patch: pytest.MonkeyPatch, job: int) -> None:
    """Ctrl-C when the jobs before this one of the first round have ended; negative numbers
    count from the end.
    """
    real = threads.run_all

    def some(wanted: list[Any], workers: int, stop: Any) -> Iterator[Any]:
        yield from real(wanted[:job], workers, stop)
        stop.ask()

    patch.setattr(threads, "run_all", some)


@pytest.mark.parametrize("command", RESULT_OF)
def test_a_stopped_experiment_shows_what_had_ended_and_says_so(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, unit = RESULT_OF[command]
    stopped_before(monkeypatch, -1)
    outcome = dlprobe(*arguments, "--format", "json")
    assert (outcome.code, bool(outcome.out)) == (130, True), outcome.err
    kept = (
        "; ill.proof.json keeps them, and the same command goes on"
        if command == "prescribe"
        else ""
    )
    assert re.search(
        rf"^warning: interrupted: the result is of the \d+ of \d+ {unit} that had ended{kept}$",
        outcome.err,
        re.MULTILINE,
    )


def test_a_stopped_recipe_says_where_its_runs_are(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_before(monkeypatch, 1)
    outcome = dlprobe("recipe", "he_for_smooth", "--tiny", "-o", "study.h5")
    assert (outcome.code, outcome.out) == (130, "")
    said = (
        "nothing follows yet from the runs that had ended; they are kept, look at them with "
        "dlprobe inspect study.h5"
    )
    assert f"warning: interrupted: {said}" in outcome.err.splitlines()
    assert dlprobe("inspect", "study.h5").code == 0


def test_a_second_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    real = threads.run_all

    def impatient(wanted: list[Any], workers: int, stop: Any) -> Iterator[Any]:
        yield from real(wanted[:1], workers, stop)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threads, "run_all", impatient)
        outcome = dlprobe(*RESULT_OF["compare"][0], "-o", "study.h5")
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err.splitlines()[-2:] == [
        "note: the runs that had ended are kept: go on with dlprobe compare --resume study.h5",
        "error: interrupted",
    ]
    assert dlprobe("compare", "--resume", "study.h5").code == 0


def test_a_saved_grid_is_shown_again_without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dlprobe(*RESULT_OF["gradients"][0], "--format", "json", "-o", "study.h5").data
    before = Path("study.h5").read_bytes()
    with monkeypatch.context() as patch:
        stopped_before(patch, 0)  # nothing may be trained
        assert dlprobe("gradients", "study.h5", "--format", "json").data["cells"] == whole["cells"]
    assert Path("study.h5").read_bytes() == before
    refused = dlprobe("gradients", "study.h5", "--depth", "3")
    assert (refused.code, len(refused.errors), "is shown as it is" in refused.err) == (2, 1, True)


def experiments() -> list[ResumableExperiment[Any, Any]]:
    cells = (
        ComparedCell({"init": "zeros"}, with_values(BASE, {"model.init": "zeros"})),
        ComparedCell({"init": "ones"}, with_values(BASE, {"model.init": "ones"})),
    )
    return [
        GradientExperiment(
            grid(BASE, Axes([2], [3], ["tanh"], ["he_normal"], ["none"], {"bias": ["yes", "no"]})),
            range(2),
            PreparedSets(),
        ),
        CompareExperiment(
            {"init": ("zeros", "ones")}, cells, (3, 4), "val_loss", 0.5, "updates", vary_data=True
        ),
        BiasVarianceExperiment(BASE, Request(3, "both", over="width=1,2")),
    ]


@pytest.mark.parametrize("experiment", experiments(), ids=lambda experiment: experiment.name)
def test_a_study_file_says_enough_to_plan_the_same_runs_and_more(
    experiment: ResumableExperiment[Any, Any], tmp_path: Path
) -> None:
    with StudyWriter.create(tmp_path / "study.h5", experiment.describe()):
        pass
    with open_study(tmp_path / "study.h5", experiment.name) as study:
        again = type(experiment).restore(study)
        assert study.description["experiment"] == experiment.name
    assert again.plan({}) == experiment.plan({})
    assert again.describe() == experiment.describe()
    more = again.repeated(again.repetitions + 1).plan({})
    assert {each.id: each.config for each in experiment.plan({})}.items() <= {
        each.id: each.config for each in more
    }.items()
    assert len(more) > len(experiment.plan({}))


@dataclass(frozen=True)
class Doubling(ResumableExperiment[float, float]):
    """The least steps after which the training loss is below a bound: one run per round, twice
    as long as the one before. What a new experiment takes.
    """

    name = "doubling"

    config: RunConfig
    bound: float
    seeds: int = 1
    sets: PreparedSets = field(default_factory=PreparedSets)

    @classmethod
    def restore(cls, study: Study, told: Any = None) -> Doubling:
        return cls(
            from_mapping(study.description["config"]),
            study.description["bound"],
            study.description["seeds"],
        )

    @property
    def configs(self) -> list[RunConfig]:
        return [self.config]

    @property
    def repetitions(self) -> int:
        return self.seeds

    def repeated(self, count: int) -> Doubling:
        return replace(self, seeds=count)

    def describe(self) -> dict[str, Any]:
        return {
            "experiment": self.name,
            "axes": {},
            "config": to_mapping(self.config),
            "bound": self.bound,
            "seeds": self.seeds,
        }

    def plan(self, found: Mapping[str, float]) -> list[PlannedRun]:
        planned = [self._run(0)]
        while planned[-1].id in found and found[planned[-1].id] > self.bound:
            planned.append(self._run(len(planned)))
        return planned

    def _run(self, number: int) -> PlannedRun:
        return PlannedRun(
            f"run{number}",
            with_values(self.config, {"training.steps": 2**number, "data.data_seed": 0}),
        )

    def read(self, planned: PlannedRun, run: Run) -> float:
        return float(run.final["train_loss"])

    def conclude(self, found: Mapping[str, float], complete: bool) -> int | None:
        return 2 ** (len(found) - 1) if complete else None

    def table(self, result: float) -> dict[str, list[object]]:
        return {"steps": [result]}


def test_a_new_experiment_of_several_rounds_needs_no_driver_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[Any] = []

    def show(experiment: Doubling, result: float, execution: Execution, screen: Screen) -> None:
        shown.append((result, execution.file))

    def begun(file: str | None) -> Execution:
        return Execution(1, None if file is None else Path(file)).claimed([])

    experiment = Doubling(with_values(BASE, {"training.lr": "0.05"}), 0.5)
    assert carry_out(experiment, begun(None), Screen(), show) == ExitCode.DONE
    steps, rounds = shown[0][0], int(shown[0][0]).bit_length()
    assert rounds > 2
    with monkeypatch.context() as patch:
        real = threads.run_all

        def one_round(wanted: list[Any], workers: int, stop: Any) -> Iterator[Any]:
            yield from real(wanted, workers, stop)
            stop.ask()

        patch.setattr(threads, "run_all", one_round)
        assert carry_out(experiment, begun("study.h5"), Screen(), show) == ExitCode.INTERRUPTED
    assert "go on with dlprobe doubling --resume study.h5" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="too few runs had ended"):
        show_saved(Doubling, Path("study.h5"), Screen(), show)
    assert (
        go_on(Doubling, None, Execution(1, resume=Path("study.h5")), Screen(), show)
        == ExitCode.DONE
    )
    with open_run("study.h5") as study:
        assert (len(study.runs), study.status, study.table["steps"].tolist()) == (
            rounds,
            "finished",
            [steps],
        )
    assert (
        go_on(Doubling, None, Execution(1, resume=Path("study.h5")), Screen(), show)
        == ExitCode.DONE
    )
    assert show_saved(Doubling, Path("study.h5"), Screen(), show) == ExitCode.DONE
    assert shown == [(steps, None)] + [(steps, Path("study.h5"))] * 3
