"""Evaluations of a net on whole parts of the data, one or a block of them: what they measure, each
thing of all of them at once.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.nn import norm_statistics
from dlprobe.nn.working import Evaluation, Evaluations
from dlprobe.parts.metrics import Scored
from dlprobe.record.recorder import Recorder
from dlprobe.training import metrics
from dlprobe.training.clock import EVALUATION
from dlprobe.training.metrics import WATCHED_PARTS
from dlprobe.training.session import WIDENED, Session
from dlprobe.training.targets import in_user_units

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
LARGEST_BLOCK_BYTES = 2**24  # what the evaluations of a block are kept in at most
SCALED_AT_ONCE = 2**17  # parameters
SAMPLED = 2**16  # of more numbers, for a first idea of their median
NEARBY = 5 * math.isqrt(SAMPLED) // 2  # ranks: 5 standard deviations of a sample's median


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
        trained = session.network.trained
        scales = session.network.optimizer.record.effective is not None
        moments = trained.moments if scales else trained.moments[:0]
        self._now = (trained.parameters, moments)
        self._kept = [
            np.empty((room, len(flat)), flat.dtype) if trained_on else flat[None]
            for flat in self._now
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
        parameters, moments = (kept[: len(self._steps)] for kept in self._kept)
        parts = {part: measured(session, part, taken) for part, taken in self._passes.items()}
        per_layer = {
            "dead_fraction": parts["train"].taken.dead_fraction,
            "weight_distance": weight_distance(session, parameters),
            "effective_rate": effective_rate(session, self._steps, self._rates, moments),
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
    parameters, states = network.parameters.nbytes, network.trained.moments.nbytes
    outputs = samples * (network.layers[-1].units * network.dtype.itemsize + 48)
    tables = 32 * len(session.data.class_names) ** 2
    scaled = states + 8 * len(network.parameters) if network.optimizer.record.effective else 0
    return LARGEST_BLOCK_BYTES // (parameters + scaled + outputs + tables)


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
    for index, (start, end) in enumerate(_weights(session)):
        squares = np.zeros(len(parameters))
        for first in range(start, end, WIDENED):
            some = slice(first, min(first + WIDENED, end))
            moved = np.subtract(parameters[:, some], session.initial[some], dtype=np.float64)
            squares += np.vecdot(moved, moved)
        found[:, index] = np.sqrt(squares) / session.initial_lengths[index]
    return found


def effective_rate(
    session: Session, steps: list[int], rates: list[float], moments: Array
) -> Floats:
    """Median over each layer's weights of η/(√s + ε) as the last of `steps` updates had it,
    (evaluation, layer), from the optimizer's memory (evaluation, states · P); NaN before the first
    one, for optimizers that do not scale and for layers without weights.
    """
    optimizer, weights = session.network.optimizer, _weights(session)
    found = np.full((len(steps), len(weights)), np.nan)
    effective = optimizer.record.effective
    if effective is None or steps[0] == 0:
        return found
    states = moments.reshape(len(steps), optimizer.record.states, -1)
    values = [float(value) for value in optimizer.parameters.values()]
    made = [
        partial(_scaled, effective, float(step), rate, values)
        for step, rate in zip(steps, rates, strict=True)
    ]
    whole = states.shape[2] <= SCALED_AT_ONCE
    scaled = np.array([one(state) for one, state in zip(made, states, strict=True) if whole])
    for index, (start, end) in enumerate(weights):
        if start < end:
            found[:, index] = (
                np.median(scaled[:, start:end], axis=1)
                if whole
                else [
                    streamed_median(state[:, start:end], one)
                    for one, state in zip(made, states, strict=True)
                ]
            )
    return found


def _scaled(
    effective: Callable[..., Any], step: float, rate: float, values: list[float], state: Array
) -> Floats:
    scaled: Floats = effective(step, rate, state.astype(np.float64), *values)
    return scaled


def streamed_median(columns: Array, made: Callable[[Array], Floats]) -> float:
    """The median of one number made of each of many `columns` (rows, n), without holding them all:
    those between two of a sample, near its median, are kept. NaN where one is.
    """
    count = columns.shape[1]
    chosen = np.random.default_rng(0).integers(0, count, SAMPLED)
    sample = np.sort(made(columns[:, chosen]))
    low, high = sample[SAMPLED // 2 - NEARBY], sample[SAMPLED // 2 + NEARBY]
    below = at_low = at_high = 0
    kept: list[Floats] = []
    for first in range(0, count, SCALED_AT_ONCE):
        numbers = made(columns[:, first : first + SCALED_AT_ONCE])
        if np.isnan(numbers).any():
            return math.nan
        below += int(np.count_nonzero(numbers < low))
        at_low += int(np.count_nonzero(numbers == low))
        at_high += int(np.count_nonzero(numbers == high)) if high > low else 0
        kept.append(numbers[(numbers > low) & (numbers < high)])
    between = np.sort(np.concatenate(kept))
    ranks = np.array([(count - 1) // 2, count // 2]) - below
    if ranks[0] < 0 or ranks[1] >= at_low + len(between) + at_high:
        return float(np.median(made(columns)))
    middle = [
        low if rank < at_low else [*between[rank - at_low : rank - at_low + 1], high][0]
        for rank in ranks
    ]
    return float(np.mean(middle))


def _weights(session: Session) -> list[tuple[int, int]]:
    """From where to where each layer's weights stand among the parameters."""
    network = session.network
    starts = network.offsets()["weight_offset"]
    sizes = [network.weights(index).size for index in range(len(starts))]
    return [
        (max(start, 0), max(start, 0) + size) for start, size in zip(starts, sizes, strict=True)
    ]
