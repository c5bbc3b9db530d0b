"""Many small runs that differ by seed, first weights and training data only, trained side by side
in one compiled loop (`dlprobe.nn.fleet`).

What comes out of a net is what its own run would give, up to the rounding of sums that BLAS adds up
in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from dlprobe.data import PreparedData
from dlprobe.nn import fleet
from dlprobe.nn.network import (
    NetworkState as NetworkState,
)  # experiments, which do not know `nn`, name it from here
from dlprobe.training import own_arrays
from dlprobe.training.emphasis import smoothed
from dlprobe.training.model import regulation
from dlprobe.training.session import Session
from dlprobe.training.stopping import Stop
from dlprobe.training.targets import encode_targets, fitted

Array = npt.NDArray[Any]
T = TypeVar("T")
STEPS = 1000  # between two looks at whether to stop: some 50 ms


def suits(session: Session) -> bool:
    """Whether a run can train in a fleet: small, the same in every step whatever evaluations
    show, and without random or whole-net operations.
    """
    config = session.config
    steady = session.early is None and session.rates.schedule.record.observe is None
    plain = (
        session.weights is None
        and config.training.mixup == 0
        and not session.model.image
        and config.model.norm_inference == "running"
    )
    return steady and plain and fleet.suits(session.model.layers, regulation(config))


def teams(session: Session, replicas: Sequence[T]) -> list[list[T]]:
    """Runs of the session's kind parted into those that train together; alone where a fleet
    does not suit them, or would be a quarter empty or more.
    """
    lanes = fleet.lanes_of(_dtype(session)) if suits(session) else 1
    parted = [list(replicas[first : first + lanes]) for first in range(0, len(replicas), lanes)]
    return [
        part
        for team in parted
        for part in ([team] if 4 * len(team) >= 3 * lanes else [[member] for member in team])
    ]


def _dtype(session: Session) -> str:
    return str(session.config.training.dtype)


def train(
    session: Session,
    seeds: Sequence[int],
    sets: Sequence[PreparedData],
    stop: Stop,
    starts: Sequence[Array] | None = None,
) -> list[NetworkState | None]:
    """The trained states of nets that are configured like `session` but for seed, data and first
    parameters; None for each that met non-finite numbers. Empty after a stop.

    As many nets as a fleet has at most; all sets have as many training samples as the session's.
    starts: the nets' first parameters, (P,) each; None: those that the session's initializers draw.
    """
    lanes = fleet.lanes_of(_dtype(session))
    data = [(each.inputs["train"], _targets(session, each)) for each in sets]
    starts = _initial_parameters(session, seeds) if starts is None else starts
    finite = list(range(len(sets)))
    while finite:
        carried = [
            finite[min(lane, len(finite) - 1)] for lane in range(lanes)
        ]  # lanes left over repeat the last net
        nets = _fleet(session, [seeds[k] for k in carried])
        nets.load([starts[k] for k in carried])
        inputs, targets = (np.stack([data[k][which] for k in carried], axis=2) for which in (0, 1))
        status = _advance(session, nets, inputs, targets, stop)
        if status == "stopped":
            return []
        if status == "finished":
            lane_of = {k: lane for lane, k in enumerate(carried)}
            return [nets.trained_in(lane_of[k]) if k in lane_of else None for k in range(len(sets))]
        lost = {carried[lane] for lane in nets.lost()}
        finite = [k for k in finite if k not in lost]
    return [None] * len(sets)


def _fleet(session: Session, seeds: Sequence[int]) -> fleet.Fleet:
    model, config = session.model, session.config
    parts = (model.layers, model.loss, config.training.optimizer)
    return fleet.Fleet(
        *parts, batch=model.batch, seeds=seeds, dtype=_dtype(session), regulation=regulation(config)
    )


def _advance(session: Session, nets: fleet.Fleet, inputs: Array, targets: Array, stop: Stop) -> str:
    """All steps of the run; `finished`, `stopped` or `lost`."""
    for first in range(0, session.steps, STEPS):
        if stop.asked:
            return "stopped"
        count = min(STEPS, session.steps - first)
        if not nets.advance(
            inputs,
            targets,
            first,
            session.rates.rates(first, count),
            session.rates.momenta(first, count),
        ):
            return "lost"
    return "finished"


def _targets(session: Session, data: PreparedData) -> Array:
    config, scaler = session.config.training, fitted(session.model.target_scaling, data)
    targets = encode_targets(
        session.model.loss, session.model.outputs, data, scaler, "train", config.dtype
    )
    return smoothed(targets, config.label_smoothing, session.model.loss.record.independent)


def _initial_parameters(session: Session, seeds: Sequence[int]) -> list[Array]:
    """The first parameters of each seed's net; the session's net is left with those of its own
    seed.
    """
    network, own = session.network, session.network.seed
    drawn: dict[int, Array] = {}
    for seed in dict.fromkeys((*seeds, own)):
        network.seed = seed
        network.initialize()
        own_arrays.fill(network, session.model)
        drawn[seed] = network.parameters.copy()
    network.seed = own
    network.parameters[:] = drawn[own]
    return [drawn[seed] for seed in seeds]
