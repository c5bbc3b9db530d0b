"""Evaluations of a net on whole parts of the data, one or a block of them: what they measure, each
thing of all of them at once.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.nn import norm_statistics
from dlprobe.nn.working import Evaluation, Evaluations
from dlprobe.parts.metrics import Scored
from dlprobe.record.recorder import Recorder
from dlprobe.training import measuring, metrics
from dlprobe.training.clock import EVALUATION
from dlprobe.training.measuring import WIDENED
from dlprobe.training.metrics import WATCHED_PARTS
from dlprobe.training.session import Session
from dlprobe.training.targets import in_user_units

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
LARGEST_BLOCK_BYTES = 2**24  # what the evaluations of a block are kept in at most
IN_CACHE = 2**15  # numbers, as float64


@dataclass(frozen=True)
class PartEvaluation:
    """One part in evaluation mode: loss and metrics by their names in the run file, those per
    class (class,) or target (output,), and what they came from.
    """

    values: dict[str, float]
    per_column: dict[str, Floats]
    scored: Scored
    outcome: Evaluation


@dataclass(frozen=True)
class PartEvaluations:
    """Several evaluations of one part: as in PartEvaluation, along a leading axis (evaluation,)."""

    values: dict[str, Floats]
    per_column: dict[str, Floats]
    scored: Scored
    taken: Evaluations

    @property
    def last(self) -> PartEvaluation:
        """The last one."""
        scored, outputs = self.scored, self.scored.outputs[-1]
        largest = None if scored.largest is None else scored.largest[-1]
        return PartEvaluation(
            {name: float(value[-1]) for name, value in self.values.items()},
            {name: value[-1] for name, value in self.per_column.items()},
            replace(scored, outputs=outputs, largest=largest),
            self.taken.last,
        )


class Block:
    """Room for the evaluations of training and validation part that a block of steps makes, and
    for what they need of the net at each.
    """

    def __init__(self, session: Session, room: int = 1, *, trained_on: bool = False) -> None:
        """trained_on: more steps follow before the last evaluation is recorded; without, there is
        one, and the net's own memory serves.
        """
        self._session, self._steps, self._rates = session, list[int](), list[float]()
        self._passes = {part: _passes(session, part, room) for part in WATCHED_PARTS}
        self._now = (session.network.parameters, session.remembered)
        self._kept = [
            np.empty((room, *now.shape), now.dtype) if trained_on else now[None]
            for now in self._now
        ]

    def take(self, step: int, rate: float) -> None:
        """Evaluate the net after `step` updates, the last of which had this learning rate."""
        for passes in self._passes.values():
            passes.take()
        for kept, now in zip(self._kept, self._now, strict=True):
            kept[len(self._steps)] = now
        self._steps.append(step)
        self._rates.append(rate)

    def record(
        self, recorder: Recorder, mismatch: norm_statistics.Mismatch | None = None
    ) -> dict[str, PartEvaluation]:
        """Measure and record what was taken. Of a net that diverges, some numbers are beyond the
        precision: they are recorded as infinite.
        """
        if not self._steps:
            return {}
        self._session.evaluated = self._steps[-1]
        with np.errstate(all="ignore"):
            return self._recorded(recorder, mismatch)

    def _recorded(
        self, recorder: Recorder, mismatch: norm_statistics.Mismatch | None
    ) -> dict[str, PartEvaluation]:
        session, dtype = self._session, self._session.network.dtype
        parameters, states = (kept[: len(self._steps)] for kept in self._kept)
        parts = {part: measured(session, part, taken) for part, taken in self._passes.items()}
        per_layer = {
            "dead_fraction": parts["train"].taken.dead_fraction,
            "weight_distance": weight_distance(session, parameters),
            "effective_rate": effective_rate(session, self._steps, self._rates, states),
        }
        if mismatch is not None:
            per_layer |= {
                "norm_mean_mismatch": mismatch.mean[None],
                "norm_variance_ratio": mismatch.variance_ratio[None],
            }
        values = {name: value for part in parts.values() for name, value in part.values.items()}
        arrays = {name: array.astype(dtype) for name, array in per_layer.items()}
        recorder.evaluation_block(
            np.array(self._steps, np.int64),
            {**values, "penalty": session.network.penalties(parameters)},
            arrays | parts["train"].per_column | parts["val"].per_column,
        )
        return {part: found.last for part, found in parts.items()}


def room(session: Session) -> int:
    """How many evaluations a block of steps may hold; 0 where the next step must wait for one."""
    if not session.evaluates_on_the_way:
        return 0
    network, samples = session.network, sum(len(session.data.inputs[p]) for p in WATCHED_PARTS)
    kept = network.parameters.nbytes + session.remembered.nbytes
    outputs = samples * (network.layers[-1].units * network.dtype.itemsize + 48)
    tables = 32 * len(session.data.class_names) ** 2
    return LARGEST_BLOCK_BYTES // (kept + outputs + tables)


def _passes(session: Session, part: str, room: int) -> Evaluations:
    return session.network.evaluations(
        session.data.inputs[part],
        session.targets[part],
        dead=part == "train",
        classes=session.data.task == "classification",
        room=room,
    )


def evaluate_part(session: Session, part: str) -> PartEvaluation:
    """Loss and metrics of one part as the net is now: one evaluation."""
    passes = _passes(session, part, 1)
    passes.take()
    with np.errstate(all="ignore"):
        return measured(session, part, passes).last


def measured(session: Session, part: str, taken: Evaluations) -> PartEvaluations:
    """Losses, of the targets as they are trained, and all metrics of one part, in the user's
    units.
    """
    data = session.data
    scored = Scored(
        in_user_units(session.target_scaler, taken.outputs),
        data.targets[part],
        len(data.class_names),
        session.model.loss.record.threshold,
        taken.largest,
    )
    losses = taken.losses if len(scored.targets) else np.full(taken.taken, np.nan)
    return PartEvaluations(
        {f"{part}_loss": losses} | metrics.numbers(data.task, part, scored),
        metrics.per_column(data.task, part, scored),
        scored,
        taken,
    )


def evaluate(session: Session, recorder: Recorder) -> dict[str, PartEvaluation]:
    """Evaluate training and validation part as the net is now, and record it."""
    block = Block(session)
    rate = float(session.rates.rates(session.step - 1, 1)[0]) if session.step else np.nan
    before = session.clock.turn(EVALUATION)
    with norms_in_evaluation(session) as mismatch:
        block.take(session.step, rate)
    if mismatch is None:
        mismatch = norm_statistics.running_mismatch(
            session.network, session.data.inputs["train"], session.targets["train"]
        )
    recorded = block.record(recorder, mismatch)
    session.clock.turn(before)
    return recorded


def norms_in_evaluation(
    session: Session,
) -> contextlib.AbstractContextManager[norm_statistics.Mismatch | None]:
    """Inside, batch norms evaluate as `norm_inference` says; yields how far running statistics
    are off where that is found out on the way.
    """
    if session.config.model.norm_inference == "running":
        return contextlib.nullcontext()
    return norm_statistics.evaluating_by_data(
        session.network, session.data.inputs["train"], session.targets["train"]
    )


def weight_distance(session: Session, parameters: Array) -> Floats:
    """‖W_t − W_0‖₂/‖W_0‖₂ (evaluation, layer) of parameters (evaluation, P); NaN where W_0 is
    zero.
    """
    found = np.empty((len(parameters), len(session.network.layers)))
    for index, (start, end) in enumerate(session.weight_places):
        squares = np.zeros(len(parameters))
        for first in range(start, end, WIDENED):
            some = slice(first, min(first + WIDENED, end))
            rows = max(1, IN_CACHE // (some.stop - first))
            for row in range(0, len(parameters), rows):
                taken = slice(row, row + rows)
                moved = np.subtract(
                    parameters[taken, some], session.initial[some], dtype=np.float64
                )
                squares[taken] += np.vecdot(moved, moved)
        found[:, index] = np.sqrt(squares) / session.initial_lengths[index]
    return found


def effective_rate(session: Session, steps: list[int], rates: list[float], states: Array) -> Floats:
    """Median over each layer's weights of η/(√s + ε) as the last of `steps` updates had it,
    (evaluation, layer), from the session's `remembered` then, (evaluation, states, P); NaN before
    the first one, for optimizers that do not scale and for layers without weights.
    """
    optimizer, weights = session.network.optimizer, session.weight_places
    found = np.full((len(steps), len(weights)), np.nan)
    effective = optimizer.record.effective
    if effective is None or steps[0] == 0:
        return found
    values = [float(value) for value in optimizer.parameters.values()]
    alone = optimizer.record.falls_with(*values) is not None
    there = [index for index, (start, end) in enumerate(weights) if start < end]
    layers = [states[:, :, slice(*weights[index])] for index in there]
    if alone:  # the median rate is that of the median state
        middle = np.concatenate(
            [measuring.middle_two(layer[:, 0]) for layer in layers], axis=1, dtype=np.float64
        )
        of_state = np.zeros((optimizer.record.states, middle.shape[1]))
        for row, (step, rate) in enumerate(zip(steps, rates, strict=True)):
            of_state[optimizer.record.falls_with(*values)] = middle[row]
            middle[row] = effective(float(step), rate, of_state, *values)
        found[:, there] = middle.reshape(len(steps), -1, 2).mean(axis=2)
        return found
    for index, layer in zip(there, layers, strict=True):
        found[:, index] = [
            np.median(effective(float(step), rate, state.astype(np.float64), *values))
            for step, rate, state in zip(steps, rates, layer, strict=True)
        ]
    return found
