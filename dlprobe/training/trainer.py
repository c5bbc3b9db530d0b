"""The loop around the engine: blocks of steps, recording, evaluation, progress, stopping.
Nothing in it changes what is computed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.config import RunConfig

# experiments, which do not know `data`, name it from here
from dlprobe.data import PreparedData as PreparedData
from dlprobe.dataclass import dataclass
from dlprobe.nn import observe
from dlprobe.nn.network import NetworkState
from dlprobe.nn.random import epoch_order
from dlprobe.record.recorder import Recorder
from dlprobe.record.scalars import BATCH_LOSS
from dlprobe.training import evaluation, instruments, own_arrays, plain_method, resuming, thinned
from dlprobe.training.clock import EVALUATION, INSTRUMENTS, PLAIN_METHOD, RECORDING, TRAINING
from dlprobe.training.early_stopping import early_stopping_of
from dlprobe.training.emphasis import sample_weights, smoothed
from dlprobe.training.evaluation import PartEvaluation, evaluate, evaluate_part, norms_in_evaluation
from dlprobe.training.model import build, resolve
from dlprobe.training.rates import rates_of
from dlprobe.training.session import Decisions
from dlprobe.training.session import Session as Session
from dlprobe.training.stopping import Stop
from dlprobe.training.targets import encode_targets, fitted
from dlprobe.training.watch import Watch

Array = npt.NDArray[Any]
# a block aims at this long: short enough for progress and Ctrl-C, long enough that entering Python
# costs nothing
BLOCK_SECONDS = 0.1
SLOW = 1e8  # multiply-adds in a second that every machine makes many times
LARGEST_BLOCK = 4096
LARGEST_BLOCK_BYTES = 2**25
LSUV_SAMPLES = 256  # the samples that training visits first


@dataclass(frozen=True)
class Progress:
    """Where a run stands, told after every block."""

    step: int
    steps: int
    loss: float
    seconds: float


def start(
    config: RunConfig, data: PreparedData, *, before_building: Callable[[], None] | None = None
) -> Session:
    """Build the net for prepared data; data-dependent initializers see the samples that training
    visits first.

    Whatever of the configuration is impossible for this data is a ConfigError before
    `before_building` is called and kernels are compiled.
    """
    config = own_arrays.pinned(config)
    model = resolve(config, data)
    early = early_stopping_of(config, data)
    watch = Watch(config, model, data)
    inputs = data.inputs["train"]
    scaler = fitted(model.target_scaling, data)
    targets = {
        part: encode_targets(model.loss, model.outputs, data, scaler, part, config.training.dtype)
        for part in data.inputs
    }
    trained = smoothed(
        targets["train"], config.training.label_smoothing, model.loss.record.independent
    )
    per_epoch = -(-len(inputs) // model.batch)
    steps = config.training.steps or (config.training.epochs or 1) * per_epoch
    rates = rates_of(config, per_epoch, steps, validated=len(data.inputs["val"]) > 0)
    weights = sample_weights(config, data)
    if before_building is not None:
        before_building()
    network = build(config, model, keep_gradients=watch.histogram_every is not None)
    network.threads = config.training.threads or 1
    own_arrays.fill(network, model)
    if any(layer.initializer.record.data_dependent for layer in model.layers):
        network.scale_to_unit_variance(
            inputs[epoch_order(config.training.seed, 0, len(inputs))[:LSUV_SAMPLES]]
        )
    return Session(
        config,
        data,
        model,
        network,
        targets,
        trained,
        weights,
        network.parameters.copy(),
        watch,
        rates,
        early,
        target_scaler=scaler,
    )


def run(
    session: Session,
    recorder: Recorder,
    *,
    stop: Stop | None = None,
    progress: Callable[[Progress], None] | None = None,
    beside_plain: bool = True,
) -> str:
    """Train to the end of the budget, a stop or the first non-finite number; returns the status.

    beside_plain: a run that does not get far is laid beside a plain method on the same samples.
    """
    began = time.perf_counter()
    session.clock.turn(RECORDING)
    status = "finished"
    size = _first_size(session)
    session.watch.begin(recorder)
    if session.step:  # the run goes on where the state was taken
        _at_boundary(session, recorder)
    else:
        evaluate(session, recorder)
    while session.step < session.steps and not (
        session.early is not None and session.early.stopped
    ):
        if stop is not None and stop.asked:
            status = "interrupted"
            break
        first, entered = session.step, time.perf_counter()
        loss, diverged = _block(session, recorder, min(size, _until_boundary(session)))
        spent = time.perf_counter() - entered
        if not session.watch.due(first):
            size = _next_size(session, size, session.step - first, spent)
        if progress is not None:
            progress(Progress(session.step, session.steps, loss, time.perf_counter() - began))
        if diverged:
            status = "diverged"
            break
        session.decided = Decisions.of(session.rates, session.early)
        if recorder.wants_state(resuming.state_size(session)):
            recorder.state(session.step, resuming.state_of(session))
        _at_boundary(session, recorder)
    _finish(session, recorder, status, beside_plain=beside_plain and status == "finished")
    return status


def adopt(
    session: Session, recorder: Recorder, trained: NetworkState, *, beside_plain: bool = False
) -> str:
    """Record a run whose steps were done elsewhere: the evaluation before them, the first step,
    and what the net came to. Returns the status.
    """
    session.watch.begin(recorder)
    evaluate(session, recorder)
    _block(session, recorder, 1)
    session.network.adopt(trained)
    session.step = session.steps
    _finish(session, recorder, "finished", beside_plain=beside_plain)
    return "finished"


def _first_size(session: Session) -> int:
    """Steps of the first block: as many as surely fit the aimed time."""
    of_step = 3 * session.model.batch * len(session.network.parameters)
    return max(8, min(int(SLOW * BLOCK_SECONDS / of_step), _most(session)))


def _next_size(session: Session, size: int, done: int, spent: float) -> int:
    """Steps of the next block: as many as fit the aimed time, growing eightfold at most."""
    fitting = int(done * BLOCK_SECONDS / max(spent, 1e-9))
    return max(1, min(fitting, 8 * size, _most(session)))


def _most(session: Session) -> int:
    """Steps of a block at most: so that what they record fits the memory meant for it."""
    bytes_per_step = (
        len(session.model.layers) * len(observe.STATISTICS) * session.network.dtype.itemsize
    )
    return min(LARGEST_BLOCK, LARGEST_BLOCK_BYTES // bytes_per_step)


def _until_boundary(session: Session) -> int:
    """Steps to the next checkpoint, step that instruments look at (a block of its own), evaluation
    that does not fit the block, or the end.
    """
    recording = session.config.recording
    marks = [session.steps, session.watch.next_mark(session.step)]
    if (every := session.evaluate_every) is not None:
        marks.append((session.step // every + max(evaluation.room(session), 1)) * every)
    if recording.checkpoint_every is not None:
        marks.append((session.step // recording.checkpoint_every + 1) * recording.checkpoint_every)
    return min(marks) - session.step


def _block(session: Session, recorder: Recorder, steps: int) -> tuple[float, bool]:
    """Run a block, with the evaluations on the way, and hand its recorded rows on; returns the last
    loss and whether it met non-finite numbers.
    """
    first = session.step
    rates, momenta = session.rates.rates(first, steps), session.rates.momenta(first, steps)
    with session.clock.during(INSTRUMENTS):
        before = instruments.before_step(session)
    block = session.network.steps(
        session.data.inputs["train"],
        session.trained_targets,
        first,
        rates,
        session.weights,
        momenta,
        keep_gradients=before is not None,
    )
    marks = _marks(session, steps)
    evaluations = evaluation.Block(session, len(marks), trained_on=True) if marks else None
    clock = session.clock
    trained_before = clock.seconds[TRAINING]
    for mark in sorted({*marks, first + steps}):
        clock.turn(TRAINING)
        block.run(mark - first - block.done)
        clock.turn(EVALUATION)
        if block.diverged:
            break
        if evaluations is not None and mark in marks:
            evaluations.take(mark, float(rates[mark - first - 1]))
    clock.turn(RECORDING)
    result, done = block.result, block.done
    numbers = np.arange(first, first + done)
    chosen = numbers % session.record_every == 0
    if result.diverged:
        chosen[-1] = True  # the step that explains the end is always recorded
    of_step = (clock.seconds[TRAINING] - trained_before) / done
    recorder.rows(
        first, numbers[chosen], result.statistics[chosen], result.scalars[chosen], of_step
    )
    if evaluations is not None:
        with clock.during(EVALUATION):
            evaluations.record(recorder)
    with clock.during(INSTRUMENTS):
        instruments.after_step(session, first, before, result)
    session.step = first + done - (1 if result.diverged else 0)
    return float(result.scalars[-1, BATCH_LOSS]), result.diverged


def _marks(session: Session, steps: int) -> range:
    """After which steps of a block the net is evaluated on the way; its end is among them but
    where instruments still look at the net, or the run ends.
    """
    first, every = session.step, session.evaluate_every
    if every is None or not evaluation.room(session):
        return range(0)
    behind = min(first + steps + (0 if session.watch.due(first) else 1), session.steps)
    return range((first // every + 1) * every, behind, every)


def batch_losses(
    session: Session, first: int, rates: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The batch losses (step,) of steps from `first` at given rates, infinite from the step
    that met non-finite numbers on; nothing is recorded.
    """
    momenta = session.rates.momenta(first, len(rates))
    result = session.network.train(
        session.data.inputs["train"],
        session.trained_targets,
        first,
        rates,
        session.weights,
        momenta,
        keep_gradients=False,
    )
    losses = np.full(len(rates), np.inf)
    done = len(result.scalars) - (1 if result.diverged else 0)
    losses[:done] = result.scalars[:done, BATCH_LOSS]
    return losses


def _at_boundary(session: Session, recorder: Recorder) -> None:
    recording = session.config.recording
    if (
        recording.checkpoint_every is not None
        and session.step % recording.checkpoint_every == 0
        and session.step < session.steps
    ):
        recorder.checkpoint(session.step, session.network.parameters)
    every, step = session.evaluate_every, session.step
    if every is None or step >= session.steps or session.evaluated == step:
        return
    if step % every == 0:
        _after_evaluation(session, evaluate(session, recorder))


def _after_evaluation(session: Session, parts: dict[str, PartEvaluation]) -> None:
    values = {name: value for part in parts.values() for name, value in part.values.items()}
    session.rates.observe(values)
    if session.early is not None:
        session.early.observe(session.step, values[session.early.monitor], session.network.snapshot)


def _finish(session: Session, recorder: Recorder, status: str, *, beside_plain: bool) -> None:
    """Evaluate all parts (the test part for the only time), keep predictions and final
    parameters, and close the record.
    """
    state = _last_state(session) if recorder.takes_states and status != "diverged" else None
    parts = _last_evaluation(session, recorder, status)
    with session.clock.during(EVALUATION), norms_in_evaluation(session):
        parts["test"] = evaluate_part(session, "test")
    final: dict[str, Any] = {
        "steps_done": session.step,
        "epochs_done": session.step / session.per_epoch,
        **_ending(session, status),
    }
    predictions: dict[str, Array] = {}
    for part, found in parts.items():
        final |= found.values | found.per_column
        if found.scored.classes and len(found.scored.targets):
            final[f"{part}_confusion"] = found.scored.confusion
        if part != "train" and len(found.scored.targets):
            predictions[f"{part}_outputs"] = found.scored.outputs
            predictions[f"{part}_targets"] = found.scored.targets
    if beside_plain:
        with session.clock.during(PLAIN_METHOD):
            final |= plain_method.beside(session.data, final)
    if status == "finished":
        final |= thinned.ensemble(session, "val") | thinned.ensemble(session, "test")
    parameters = session.network.parameters
    if state is not None and np.array_equal(parameters, state["training_parameters"]):
        del state["training_parameters"]
    recorder.checkpoint(session.step, parameters, state)
    recorder.end(status, final, predictions)


def _last_state(session: Session) -> dict[str, Array]:
    """What a longer run would go on from; the best parameters may take the place of the net's
    own afterwards.
    """
    restores = session.early is not None and session.early.restore_best
    return {
        name: array.copy() if restores else array
        for name, array in resuming.state_of(session).items()
    }


def _last_evaluation(
    session: Session, recorder: Recorder, status: str
) -> dict[str, PartEvaluation]:
    """Training and validation part with the parameters that the run ends with: the last ones, or
    the best that early stopping kept.

    The last ones are recorded as an evaluation of this step; where early stopping ended the run
    they have been. A run that did not finish keeps its last ones.
    """
    early = session.early
    if early is None or not early.stopped:
        parts = evaluate(session, recorder)
        if early is None or status != "finished":
            return parts
        _after_evaluation(session, parts)
    if early.kept is not None:
        session.network.restore(early.kept)
    with norms_in_evaluation(session):
        return {part: evaluate_part(session, part) for part in ("train", "val")}


def _ending(session: Session, status: str) -> dict[str, Any]:
    """Where and why a run ended before its budget was spent, and which evaluation was the best."""
    early, found = session.early, dict[str, Any]()
    if early is not None and early.best_step >= 0:
        found |= {"best_step": early.best_step, "best_value": early.best_value}
    reason = {"diverged": "non-finite numbers", "interrupted": "asked to stop"}.get(status, status)
    if (
        status == "finished"
        and early is not None
        and early.stopped
        and session.step < session.steps
    ):
        reason = early.reason
    return (
        {**found, "stopped_step": session.step, "stop_reason": reason}
        if reason != "finished"
        else found
    )
