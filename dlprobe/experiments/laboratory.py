"""The laboratory that recipes run in: variants of one base configuration × seeds, in threads,
with what was measured at the first and the last step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property, partial
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe import registry
from dlprobe.config import RunConfig, with_values
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.executors import threads as executor
from dlprobe.experiments.study import refuse_other_data, run_id
from dlprobe.record.recorder import Snapshots, TwoRecorders
from dlprobe.record.scalars import BATCH_LOSS, SCALARS
from dlprobe.runs import RunWriter, Study, StudyWriter
from dlprobe.training import trainer
from dlprobe.training.describe import describe
from dlprobe.training.prepared_sets import PreparedSets
from dlprobe.training.stopping import Stop

Array = npt.NDArray[Any]
Changes = Mapping[str, Any]


@dataclass
class Watched(Snapshots):
    """Snapshots, the percentiles of tracked units, and the parameters of checkpoints."""

    percentiles: list[Array] = field(default_factory=list)
    path: list[Array] = field(default_factory=list)

    def instruments(self, step: int, values: Mapping[str, Array]) -> None:
        """Keep the percentiles of tracked units."""
        if "tracked/percentiles" in values:
            self.percentiles.append(values["tracked/percentiles"])

    def checkpoint(
        self, step: int, parameters: Array, state: Mapping[str, Array] | None = None
    ) -> None:
        """Keep the parameters of a checkpoint."""
        self.path.append(parameters.copy())


@dataclass(frozen=True)
class Trained:
    """One run that ended, with its net."""

    session: trainer.Session
    kept: Watched

    @property
    def hidden(self) -> int:
        """Number of hidden layers."""
        return len(self.session.config.model.layers)

    @cached_property
    def losses(self) -> Array:
        """The batch loss of every step, (step,), float64."""
        scalars: Array = np.concatenate(self.kept.scalars)
        return scalars[:, BATCH_LOSS]

    def first(self, statistic: str) -> npt.NDArray[np.float64]:
        """A statistic of every hidden layer at the first step, (layer,), input side first."""
        assert self.kept.first is not None
        return self.kept.first[statistic][: max(self.hidden, 1)]

    def last(self, statistic: str) -> npt.NDArray[np.float64]:
        """A statistic of every hidden layer at the last step, (layer,), input side first."""
        assert self.kept.last is not None
        return self.kept.last[statistic][: max(self.hidden, 1)]

    def final(self, name: str) -> float:
        """A loss or metric at the end, e.g. `val_error`; infinite after a divergence. Raises
        ConfigError where the data have no error rate, or no such part.
        """
        if self.kept.status == "diverged":
            return float("inf")
        value, data = float(self.kept.final.get(name, np.nan)), self.session.data
        if np.isnan(value) or (name.endswith("_error") and data.task != "classification"):
            fault = (
                f"the recipe compares {name}, which {data.name} ({data.task}) does not have with "
                "this split"
            )
            raise ConfigError(f"{fault}: expected classification data, e.g. --data wine")
        return value

    def way(self) -> npt.NDArray[np.float64]:
        """Parameters (point, parameter), float64: before the first update, then at every
        checkpoint, the last of which is the end.
        """
        return np.array([self.session.initial, *self.kept.path], np.float64)

    def outputs(self, inputs: Array) -> Array:
        """The net's outputs (samples, outputs) for inputs scaled as those it was trained on."""
        network = self.session.network
        assert self.session.step or not network.trained.state.size, (
            "what is read from a study has no running statistics"
        )
        fitting = np.ascontiguousarray(inputs, network.dtype)
        return network.evaluate(
            fitting, np.zeros((len(inputs), self.session.model.outputs), network.dtype)
        ).outputs

    def weights(self) -> list[npt.NDArray[np.float64]]:
        """Every layer's weight matrix, (fan_in, fan_out), input side first."""
        return [
            self.session.network.weights(index).astype(np.float64)
            for index in range(len(self.session.model.layers))
        ]

    def tracked(self) -> npt.NDArray[np.float64]:
        """Percentiles of the first tracked unit's preactivation, (look, percentile)."""
        return np.array([percentile[0] for percentile in self.kept.percentiles], np.float64)


class Stopped(KeyboardInterrupt):
    """Somebody asked the laboratory to stop before a recipe was measured."""


@dataclass
class Laboratory:
    """Trains the variants that a recipe asks for. progress(done, all) counts the runs of the
    present call.

    given: whether the data are the user's choice and not the recipe's. writer: keeps every run in a
        study file; numbers: of the variants in it. saved: a study whose runs are read in place of
        training.
    """

    base: RunConfig
    sets: PreparedSets
    seeds: Sequence[int]
    tiny: bool
    threads: int = 1
    stop: Stop = field(default_factory=Stop)
    progress: Callable[[int, int], None] | None = None
    given: bool = False
    writer: StudyWriter | None = None
    numbers: Iterator[int] = field(default_factory=count)
    saved: Study | None = None

    def size(self, usual: Any, tiny: Any) -> Any:
        """`tiny` where the recipe is measured in tiny size, else `usual`."""
        return tiny if self.tiny else usual

    def data(self, **changes: str) -> trainer.PreparedData:
        """The data that runs train on, with other values in the base's [data] table."""
        values = {f"data.{key}": value for key, value in changes.items()}
        return self.sets.of(with_values(self.base, {"data.data_seed": self.seeds[0], **values}))

    def run(
        self, variants: Mapping[str, Changes], *, same_data: bool = True
    ) -> dict[str, list[Trained]]:
        """Each variant's runs, one per seed, by its name. Seeds share data and split unless
        `same_data` is False. Raises Stopped.
        """
        plan = [(name, seed) for name in variants for seed in self.seeds]
        numbers = {name: next(self.numbers) for name in variants}
        jobs = [
            partial(
                self._one, run_id(numbers[name], name, seed), name, variants[name], seed, same_data
            )
            for name, seed in plan
        ]
        trained: dict[tuple[str, int], Trained] = {}
        for done, (index, result) in enumerate(
            executor.run_all(jobs, self.threads, self.stop), start=1
        ):
            trained[plan[index]] = result
            if self.progress is not None:
                self.progress(done, len(jobs))
        if self.stop.asked:
            raise Stopped
        return {name: [trained[name, seed] for seed in self.seeds] for name in variants}

    def _one(self, id: str, variant: str, changes: Changes, seed: int, same_data: bool) -> Trained:
        values = {"training.seed": seed, "data.data_seed": self.seeds[0] if same_data else seed}
        config = with_values(self.base, {**values, **changes})
        session, kept = trainer.start(config, self.sets.of(config)), Watched()
        if self.saved is not None:
            return Trained(session, replayed(self.saved, id, session, kept))
        if self.writer is None:
            trainer.run(session, kept, stop=self.stop)
            return Trained(session, kept)
        stored = RunWriter.create(None, describe(session))
        if trainer.run(session, TwoRecorders(kept, stored), stop=self.stop) != "interrupted":
            self.writer.run(id, stored.bytes(), {"variant": variant, "seed": seed})
        return Trained(session, kept)


def replayed(study: Study, id: str, session: trainer.Session, kept: Watched) -> Watched:
    """Put a session that has just started where a stored run ended, and hand its numbers to
    `kept`. Raises ConfigError for a run that is not there or other.
    """
    if id not in study.runs:
        raise ConfigError(
            f"{study.path} has no run {id}: the recipe was stopped, or asks for other runs "
            "now; measure it again with -o"
        )
    run = study.runs.open(id)
    refuse_other_data(study, run, session.data)
    assert run.final_parameters is not None, "a run that ended has its parameters"
    # running statistics are not kept: no recipe asks a normalized net for outputs
    session.network.parameters[:] = run.final_parameters
    if len(run.steps):
        statistics = np.stack(
            [run.statistic(name) for name in registry.records("statistic")], axis=-1
        )
        kept.rows(
            0, run.steps, statistics, np.stack([run.scalar(name) for name in SCALARS], axis=-1), 0.0
        )
    kept.evaluation_block(
        run.evaluations["step"],
        {name: values for name, values in run.evaluations.items() if name != "step"},
        {},
    )
    for percentiles in () if run.tracked is None else run.tracked.percentiles:
        kept.instruments(0, {"tracked/percentiles": percentiles})
    for parameters in run.checkpoints["parameters"]:
        kept.checkpoint(0, parameters)
    kept.end(run.status, run.final, {})
    return kept
