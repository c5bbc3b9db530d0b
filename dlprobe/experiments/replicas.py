"""Replicas of one configuration: trainings that differ by training data, seed or both, each kept as
its predictions.

Small nets train side by side. Which nets do is decided by the plan alone, so neither threads nor a
break that a study goes on after show in any number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.config import RunConfig
from dlprobe.dataclass import dataclass
from dlprobe.executors import threads as executor
from dlprobe.experiments.study import PlannedRun, Told
from dlprobe.parts.metrics import Scored, error
from dlprobe.record.recorder import Recorder, TwoRecorders
from dlprobe.runs import RunWriter, StudyWriter
from dlprobe.training import describe, fleets, trainer
from dlprobe.training.stopping import Stop
from dlprobe.training.targets import encode_targets, fitted, in_user_units

if TYPE_CHECKING:
    from dlprobe.executors.dask_cluster import DaskCluster

Array: TypeAlias = npt.NDArray[Any]
Prepared: TypeAlias = Callable[[int, int | None], trainer.PreparedData]


@dataclass(frozen=True)
class Replica:
    """One training: its place in the study, which training data (by number) and how many
    samples of it, its configuration.
    """

    id: str
    at: str | float | None
    data: int
    seed: int
    size: int | None
    config: RunConfig


def planned(replicas: Sequence[Replica]) -> list[PlannedRun]:
    """Replicas as runs of a study."""
    return [
        PlannedRun(
            replica.id,
            replica.config,
            {"at": replica.at, "data": replica.data, "seed": replica.seed},
        )
        for replica in replicas
    ]


@dataclass(frozen=True)
class Team:
    """Replicas at one value of the axis, in a fleet or alone."""

    members: tuple[Replica, ...]
    fleet: bool


@dataclass(frozen=True)
class Common:
    """What all teams share: `prepared` gives a replica's data, `part` is predicted, `kept` says
    whether runs are written.
    """

    prepared: Prepared
    part: str
    kept: bool


@dataclass(frozen=True)
class Answer:
    """What a replica says: its outputs (samples, outputs) on the common samples, and how it fits
    its own training samples, as its run ends with it (share of wrong classes, or the root mean
    square error; the loss). All NaN if it diverged.
    """

    outputs: Array
    train_error: float = math.nan
    train_loss: float = math.nan


@dataclass(frozen=True)
class TrainedReplica:
    """The answer of a trained replica, and its run where runs are kept."""

    answer: Answer
    stored: bytes | None = None


@dataclass
class Predictions(Recorder):
    """A recorder that keeps the outputs on one part, and the training part's numbers at the end."""

    part: str
    answer: Answer | None = None

    def end(self, status: str, final: Mapping[str, Any], predictions: Mapping[str, Array]) -> None:
        self.answer = answered(status, final, predictions.get(f"{self.part}_outputs"))


def answered(status: str, final: Mapping[str, Any], outputs: Array | None) -> Answer | None:
    """What a run that ended with these numbers says; None where it has no outputs."""
    if outputs is None:
        return None
    if status != "finished":
        return Answer(np.full_like(outputs, np.nan))
    return Answer(
        outputs, *(float(final.get(f"train_{name}", math.nan)) for name in ("error", "loss"))
    )


def run(
    replicas: Sequence[Replica],
    prepared: Prepared,
    part: str,
    *,
    workers: int,
    stop: Stop,
    study: StudyWriter | None = None,
    finished: Mapping[str, Answer] | None = None,
    progress: Told | None = None,
    cluster: DaskCluster | None = None,
) -> dict[str, Answer]:
    """Train all that is not `finished` and return what all say of `part`, by id.

    What a stop left out is missing. cluster: where teams train in place of threads of this process.
    """
    answers: dict[str, Answer] = dict(finished or {})
    teams = [without(team, answers) for team in teams_of(replicas, prepared)]
    largest_first = sorted(
        (team for team in teams if team.members),
        key=lambda team: -sum(team.members[0].config.model.layers) * len(team.members),
    )
    coordinates = {replica.id: replica.coordinates for replica in planned(replicas)}
    for id, made in _results(
        largest_first, Common(prepared, part, study is not None), workers, stop, cluster
    ):
        if study is not None and made.stored is not None:
            study.run(id, made.stored, coordinates[id])
        answers[id] = made.answer
        if progress is not None:
            progress(len(answers), len(replicas))
    return answers


def _results(
    teams: Sequence[Team], common: Common, workers: int, stop: Stop, cluster: DaskCluster | None
) -> Iterator[tuple[str, TrainedReplica]]:
    """(id, what it came to) as teams end."""
    if cluster is None:
        ended: Iterator[tuple[int, dict[str, TrainedReplica]]] = executor.run_all(
            [partial(run_team, team, common, stop) for team in teams], workers, stop
        )
    else:
        ended = cluster.run(run_teams, [(team, common) for team in teams], stop)
    for _, made in ended:
        yield from made.items()


def run_teams(teams: Sequence[Team], common: Common) -> list[dict[str, TrainedReplica]]:
    return [run_team(team, common, Stop()) for team in teams]


def teams_of(replicas: Sequence[Replica], prepared: Prepared) -> list[Team]:
    """The replicas parted into those that train together: only seed and data differ within a
    team.
    """
    alike: dict[tuple[str | float | None, int | None], list[Replica]] = {}
    for replica in replicas:
        alike.setdefault((replica.at, replica.size), []).append(replica)
    parted = (
        team for group in alike.values() for team in fleets.teams(begun(group[0], prepared), group)
    )
    return [Team(tuple(team), fleet=len(team) > 1) for team in parted]


def without(team: Team, finished: Mapping[str, Answer]) -> Team:
    """The team without the replicas that have ended; the others train as they would beside them."""
    return Team(tuple(member for member in team.members if member.id not in finished), team.fleet)


def begun(replica: Replica, prepared: Prepared) -> trainer.Session:
    return trainer.start(replica.config, prepared(replica.data, replica.size))


def run_team(team: Team, common: Common, stop: Stop) -> dict[str, TrainedReplica]:
    """Train the members of a team; by id, those that were stopped are missing."""
    session = begun(team.members[0], common.prepared)
    if not team.fleet:
        made = run_one(session, common, stop)
        return {} if made is None else {team.members[0].id: made}
    sets = [common.prepared(member.data, member.size) for member in team.members]
    trained = fleets.train(session, [member.seed for member in team.members], sets, stop)
    answers = {}
    # nothing is trained after a stop
    for replica, data, net in zip(team.members, sets, trained, strict=False):
        if common.kept or net is None:  # what is lost in a fleet is lost only if it is on its own
            made = run_one(trainer.start(replica.config, data), common, stop, net)
        else:
            made = TrainedReplica(answer_of(session, data, common.part, net))
        if made is not None:
            answers[replica.id] = made
    return answers


def answer_of(
    session: trainer.Session, data: trainer.PreparedData, part: str, net: fleets.NetworkState
) -> Answer:
    """What a net of the session's kind says, in the user's units: a replica's targets are
    scaled by its own training part.
    """
    session.network.adopt(net)
    scaler = fitted(session.model.target_scaling, data)
    outputs = in_user_units(
        scaler, session.network.evaluate(data.inputs[part], session.targets[part]).outputs
    )
    targets = encode_targets(
        session.model.loss,
        session.model.outputs,
        data,
        scaler,
        "train",
        session.config.training.dtype,
    )
    own = session.network.evaluate(data.inputs["train"], targets)
    with np.errstate(all="ignore"):
        scored = Scored(
            in_user_units(scaler, own.outputs),
            data.targets["train"],
            len(data.class_names),
            session.model.loss.record.threshold,
        )
        return Answer(outputs, float(error(scored)), own.loss)


def run_one(
    session: trainer.Session, common: Common, stop: Stop, net: fleets.NetworkState | None = None
) -> TrainedReplica | None:
    """Train one replica, or take `net`, which was trained in a fleet, and ask it; None if it was
    stopped.
    """
    kept = Predictions(common.part)
    writer = RunWriter.create(None, describe.describe(session)) if common.kept else None
    recorder: Recorder = kept if writer is None else TwoRecorders(kept, writer)
    status = (
        trainer.run(session, recorder, stop=stop, beside_plain=False)
        if net is None
        else trainer.adopt(session, recorder, net)
    )
    if status == "interrupted" or kept.answer is None:
        return None
    return TrainedReplica(kept.answer, writer.bytes() if writer is not None else None)
