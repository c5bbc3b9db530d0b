"""Bias and variance by retraining: replicas of one configuration at one or several values of an
axis, planned here and trained by `replicas`.

A replica's predictions on the common samples are what counts. They come from the replica's run, or
from a study file that kept it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, field, replace
from dataclasses import fields as dataclass_fields
from functools import cached_property
from typing import Any

import numpy as np

from dlprobe.analysis.comparing.misses import threshold_of
from dlprobe.config import RunConfig, completed, from_mapping, split_list, to_mapping
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError, RunFileError
from dlprobe.experiments import axes
from dlprobe.experiments.experiment import Means, ResumableExperiment
from dlprobe.experiments.replica_design import design_of, plan, settings
from dlprobe.experiments.replica_points import Decomposed, Design, Request, points, table
from dlprobe.experiments.replicas import Answer, Prepared, Replica, answered, planned
from dlprobe.experiments.replicas import run as train_replicas
from dlprobe.experiments.study import PlannedRun, StudyResult, finished_runs, refuse_other_data
from dlprobe.registry import tidied
from dlprobe.runs import Run, Study
from dlprobe.training.prepared_sets import Resampler, is_generated

EXPERIMENT = "bias-variance"
DEFAULT_VALUES = {
    "width": "1,2,4,8,16,32,64",
    "depth": "0,1,2,3,4,6",
    "train_size": "10%,20%,40%,70%,100%",
    "dropout": "0,0.1,0.2,0.4,0.6",
    "l2": "0,1e-4,1e-3,1e-2,1e-1",
    "l1": "0,1e-4,1e-3,1e-2,1e-1",
    "epochs": "1,2,5,10,20,50",
}


@dataclass(frozen=True)
class BiasVarianceExperiment(ResumableExperiment[Answer, Decomposed]):
    """Replicas of a configuration on training sets of their own. told: hears the notes of the
    data.
    """

    name = EXPERIMENT
    doing = "training replicas"
    unit = "replicas"

    base: RunConfig
    request: Request
    told: Callable[[str], None] | None = field(default=None, compare=False)

    @classmethod
    def restore(
        cls, study: Study, told: Callable[[str], None] | None = None
    ) -> BiasVarianceExperiment:
        return cls(*asked_of(study), told)

    @property
    def configs(self) -> list[RunConfig]:
        """The configurations, one per value of the axis."""
        return [config for _, config, _ in settings(self.base, self.axis, self.texts, sys.maxsize)]

    @property
    def axis(self) -> str | None:
        """The name of the axis along which replicas are made; None without one."""
        return axis_of(self.request.over)[0] if self.request.over else None

    @property
    def texts(self) -> list[str]:
        """The values of the axis as they were typed."""
        if self.request.over:
            return split_list(self.request.values or axis_of(self.request.over)[1])
        return []

    @property
    def repetitions(self) -> int:
        """Number of replicas per value of the axis: training sets, or seeds."""
        return self.request.replicas

    def repeated(self, count: int) -> BiasVarianceExperiment:
        """More training sets beside those that there are. Raises ConfigError where those would
        change.
        """
        if count != self.request.replicas and self.request.resample == "disjoint":
            raise ConfigError(
                f"--replicas {count}: disjoint sets would all become smaller: begin a new "
                "study with -o"
            )
        return replace(self, request=replace(self.request, replicas=count))

    @property
    def kind(self) -> str:
        """Where training sets come from."""
        if self.request.vary == "seed":
            return "same"
        return self.request.resample or ("fresh" if is_generated(self.base.data) else "bootstrap")

    @cached_property
    def sampler(self) -> Resampler:
        """The training sets. Raises ConfigError where there are not so many, or DataError."""
        sampler = Resampler(
            self.base.data,
            self.base.resolved_data_seed,
            self.base.training.dtype,
            self.kind,
            self.request.replicas,
        )
        for note in sampler.base.notes if self.told is not None else ():
            self.told(f"{sampler.base.name}: {note}")  # type: ignore[misc]  # narrowed in the line above
        return sampler

    @cached_property
    def replicas(self) -> list[Replica]:
        """All trainings."""
        request = self.request
        return plan(
            self.base,
            self.axis,
            self.texts,
            self.sampler.largest,
            request.replicas,
            request.vary,
            request.seeds,
        )

    @cached_property
    def design(self) -> Design:
        """What is decomposed: the test part, or the validation part where there is none. Raises
        ConfigError where neither loss nor part can be had.
        """
        values = tuple(dict.fromkeys(replica.at for replica in self.replicas))
        data = self.sampler.base
        return design_of(self.base, self.request, data, self.kind, self.axis, values)

    def describe(self) -> dict[str, Any]:
        """Enough to decompose it again, and to go on."""
        return description(self.design, self.base, self.replicas)

    def plan(self, results: Mapping[str, Answer]) -> list[PlannedRun]:
        """All replicas."""
        return planned(self.replicas)

    def read(self, planned: PlannedRun, run: Run) -> Answer:
        """The outputs of a replica on the common samples, and its errors on its own."""
        return answer_in(run, self.design.part)

    def finished(self, study: Study, *, same_data: bool = True) -> dict[str, Answer]:
        return answers_of(study, self.replicas, self.sampler.prepared)

    def train(self, means: Means, finished: Mapping[str, Answer]) -> StudyResult[Answer]:
        """Train the replicas that are not finished; small nets side by side."""
        how: dict[str, Any] = {
            "workers": means.threads,
            "stop": means.stop,
            "study": means.writer,
            "progress": means.progress,
            "cluster": means.cluster,
        }
        answers = train_replicas(
            self.replicas, self.sampler.prepared, self.design.part, finished=finished, **how
        )
        return StudyResult(answers, len(answers) == len(self.replicas))

    def conclude(self, results: Mapping[str, Answer], complete: bool) -> Decomposed | None:
        """The decomposition from the replicas that ended; None where those of an interrupted
        study are too few for any.
        """
        loss = self.base.training.loss.record if self.base.training.loss else None
        ended = [
            (replica.at, replica.data, results[replica.id])
            for replica in self.replicas
            if replica.id in results
        ]
        made = points(
            self.design,
            ended,
            float(loss.threshold) if loss else 0.5,
            loss.name if loss else "cross_entropy",
        )
        return Decomposed(self.design, made) if made or complete else None

    def table(self, result: Decomposed) -> dict[str, list[object]]:
        """Columns by name, one row per value of the axis."""
        return table(result.points)


def axis_of(text: str) -> tuple[str, str]:
    """The axis and its values from `width` or `width=2,4,8`. Raises ConfigError for an axis
    that there is not, or that needs values.
    """
    name, equals, values = text.partition("=")
    key = tidied(name).rpartition(".")[2]
    axes.axis_of(name, EXPERIMENT)
    values = values if equals else DEFAULT_VALUES.get(key, "")
    if not values.strip():
        raise ConfigError(
            f"--over {key}: expected values with commas, e.g. --over {key}=A,B,C or --values A,B,C"
        )
    return key, values


def description(design: Design, base: RunConfig, replicas: Sequence[Replica]) -> dict[str, Any]:
    """What a study file says of the experiment: enough to decompose it again."""
    axis_values = {
        "at": list(design.values),
        "data": sorted({replica.data for replica in replicas}),
        "seed": sorted({replica.seed for replica in replicas}),
    }
    told = {
        "loss": design.loss,
        "axis": design.axis,
        "values": list(design.values),
        "part": design.part,
        "noise": design.noise,
        "facts": dict(design.facts),
    }
    told["asked"] = asdict(design.asked)
    truth = None if design.truth is None else design.truth.tolist()
    return {
        "experiment": EXPERIMENT,
        "axes": axis_values,
        "config": to_mapping(base),
        "bias_variance": {**told, "truth": truth},
    }


def from_study(study: Study, loss: str | None, noise: float | None = None) -> Decomposed:
    """Decompose a saved study again, for its own loss and noise variance or others. Raises
    RunFileError where the file does not say what it should.
    """
    told = study.description.get("bias_variance")
    if study.description.get("experiment") != EXPERIMENT or not isinstance(told, dict):
        raise RunFileError(
            f"{study.path} is a study of something else: expected one that `dlprobe "
            "bias-variance --replicas K -o FILE` wrote"
        )
    part, values = str(told.get("part")), told.get("values")
    if part not in ("train", "val", "test") or not isinstance(values, list) or not study.runs:
        raise RunFileError(
            f"{study.path} is damaged or empty: there are no replicas in it to decompose"
        )
    replicas: list[tuple[str | float | None, int, Answer]] = []
    targets, threshold, trained_on = None, 0.5, "cross_entropy"
    for id in study.runs:
        run, where = study.runs.open(id), study.coordinates.get(id, {})
        targets, threshold = run.predictions[f"{part}_targets"], threshold_of(run) or 0.0
        trained_on = run.facts.loss if run.facts.loss not in (None, "auto") else trained_on
        replicas.append((where.get("at"), int(where.get("data", 0)), answer_in(run, part)))
    assert targets is not None
    truth = (
        None
        if told.get("truth") is None or noise is not None
        else np.array(told["truth"], np.float64)
    )
    axis = told.get("axis")
    facts = told["facts"] if isinstance(told.get("facts"), dict) else {}
    design = Design(
        loss or str(told.get("loss")),
        str(axis) if axis else None,
        tuple(values),
        targets,
        part,
        truth,
        told.get("noise") if noise is None else noise,
        facts,
    )
    return Decomposed(design, points(design, replicas, threshold, trained_on))


def asked_of(study: Study) -> tuple[RunConfig, Request]:
    """(configuration, request) of a saved study. Raises RunFileError where it does not hold
    them.
    """
    told = study.description.get("bias_variance")
    request = told.get("asked") if isinstance(told, dict) else None
    known = {entry.name for entry in dataclass_fields(Request)}
    if not isinstance(request, dict) or known - set(request):
        raise RunFileError(
            f"{study.path} does not say how its replicas were made: expected a study that "
            "this version of dlprobe bias-variance -o wrote"
        )
    return from_mapping(completed(study.description["config"], "")), Request(
        **{name: request[name] for name in known}
    )


def answers_of(study: Study, replicas: Sequence[Replica], prepared: Prepared) -> dict[str, Answer]:
    """What the planned replicas say that a study holds, by id. Raises ConfigError where one has
    another configuration or other data.
    """
    part = study.description["bias_variance"]["part"]
    by_id = {replica.id: replica for replica in replicas}

    def read(planned: PlannedRun, run: Run) -> Answer:
        refuse_other_data(study, run, prepared(by_id[planned.id].data, by_id[planned.id].size))
        return answer_in(run, part)

    return finished_runs(study, planned(replicas), read)


def answer_in(run: Run, part: str) -> Answer:
    """What a run says of a part at its end; NaN where it diverged."""
    answer = answered(run.status, run.final, run.predictions[f"{part}_outputs"])
    assert answer is not None
    return answer
