"""The loop around the engine: blocks of steps, recording, evaluation, progress, stopping. Nothing in it changes what is computed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.config import RunConfig
from dlprobe.data import PreparedData as PreparedData  # experiments, which do not know `data`, name it from here
from dlprobe.nn import observe
from dlprobe.nn.block import BATCH_LOSS
from dlprobe.nn.network import Evaluation, Network
from dlprobe.nn.random import epoch_order
from dlprobe.training import instruments, metrics, own_arrays
from dlprobe.training.model import Model, build, encode_targets, resolve
from dlprobe.training.recording import Recorder
from dlprobe.training.stopping import Stop

Array = npt.NDArray[Any]
BLOCK_SECONDS = 0.05  # a block aims at this long: short enough for progress and Ctrl-C, long enough that entering Python costs nothing
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


@dataclass
class Session:
    """One run while it is made: the net, its data as arrays, and where it stands."""

    config: RunConfig
    data: PreparedData
    model: Model
    network: Network
    targets: dict[str, Array]
    initial: Array
    watch: instruments.Watch
    step: int = 0

    @property
    def per_epoch(self) -> int:
        """Steps of one epoch; the last short batch counts."""
        return -(-len(self.data.inputs["train"]) // self.model.batch)

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        training = self.config.training
        return training.steps if training.steps is not None else (training.epochs or 1) * self.per_epoch


def start(config: RunConfig, data: PreparedData) -> Session:
    """Build the net for prepared data; data-dependent initializers see the samples that training visits first."""
    config = own_arrays.pinned(config)
    model = resolve(config, data)
    watch = instruments.Watch(config, model, data)
    network = build(config, model, keep_gradients=watch.histogram_every is not None)
    own_arrays.fill(network, model)
    inputs = data.inputs["train"]
    network.scale_to_unit_variance(inputs[epoch_order(config.training.seed, 0, len(inputs))[:LSUV_SAMPLES]])
    targets = {part: encode_targets(model, data, part, config.training.dtype) for part in data.inputs}
    return Session(config, data, model, network, targets, network.parameters.copy(), watch)


def run(session: Session, recorder: Recorder, *, stop: Stop | None = None, progress: Callable[[Progress], None] | None = None) -> str:
    """Train to the end of the budget, a stop or the first non-finite number; returns the status."""
    began = time.perf_counter()
    status = "finished"
    size = 8
    session.watch.begin(session, recorder)
    _evaluate(session, recorder)
    while session.step < session.steps:
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
        _at_boundary(session, recorder)
    _finish(session, recorder, status)
    return status


def _next_size(session: Session, size: int, done: int, spent: float) -> int:
    """Steps of the next block: as many as fit the aimed time, growing fourfold at most."""
    bytes_per_step = len(session.model.layers) * len(observe.STATISTICS) * session.network.dtype.itemsize
    fitting = int(done * BLOCK_SECONDS / max(spent, 1e-9))
    return max(1, min(fitting, 4 * size, LARGEST_BLOCK, LARGEST_BLOCK_BYTES // bytes_per_step))


def _until_boundary(session: Session) -> int:
    """Steps to the next evaluation, checkpoint, step that instruments look at (a block of its own) or the end."""
    recording = session.config.recording
    marks = [session.steps, session.watch.next_mark(session.step)]
    if recording.evaluate_every != "never":
        every = int(recording.evaluate_every) * session.per_epoch
        marks.append((session.step // every + 1) * every)
    if recording.checkpoint_every is not None:
        marks.append((session.step // recording.checkpoint_every + 1) * recording.checkpoint_every)
    return min(marks) - session.step


def _block(session: Session, recorder: Recorder, steps: int) -> tuple[float, bool]:
    """Run a block and hand its recorded rows on; returns the last loss and whether it met non-finite numbers."""
    first = session.step
    entered = time.perf_counter()
    rates = np.full(steps, session.config.training.resolved_lr)
    before = session.watch.before(session)
    result = session.network.train(session.data.inputs["train"], session.targets["train"], first, rates, keep_gradients=before is not None)
    done = len(result.scalars)
    seconds = (time.perf_counter() - entered) / done
    numbers = np.arange(first, first + done)
    chosen = numbers % session.config.recording.record_every == 0
    if result.diverged:
        chosen[-1] = True  # the step that explains the end is always recorded
    recorder.rows(first, numbers[chosen], result.statistics[chosen], result.scalars[chosen], seconds)
    session.watch.after(session, first, before, result)
    session.step = first + done - (1 if result.diverged else 0)
    return float(result.scalars[-1, BATCH_LOSS]), result.diverged


def _at_boundary(session: Session, recorder: Recorder) -> None:
    recording = session.config.recording
    if recording.checkpoint_every is not None and session.step % recording.checkpoint_every == 0 and session.step < session.steps:
        recorder.checkpoint(session.step, session.network.parameters.copy())
    if recording.evaluate_every == "never" or session.step >= session.steps:
        return
    if session.step % (int(recording.evaluate_every) * session.per_epoch) == 0:
        _evaluate(session, recorder)


def evaluate_part(session: Session, part: str) -> tuple[dict[str, float], Evaluation]:
    """Loss and error (for regression R² too) of one part in evaluation mode, and the evaluation itself."""
    outcome = session.network.evaluate(session.data.inputs[part], session.targets[part], dead=part == "train")
    targets = session.data.targets[part]
    values = {f"{part}_loss": outcome.loss if len(targets) else float("nan"), f"{part}_error": metrics.error(session.data.task, outcome.outputs, targets)}
    if session.data.task == "regression":
        values[f"{part}_r2"] = metrics.r2(outcome.outputs, targets)
    return values, outcome


def _evaluate(session: Session, recorder: Recorder) -> tuple[dict[str, float], dict[str, Evaluation]]:
    """Evaluate training and validation part, and record it."""
    values: dict[str, float] = {}
    outcomes = {}
    for part in ("train", "val"):
        found, outcomes[part] = evaluate_part(session, part)
        values.update(found)
    per_layer = {"dead_fraction": outcomes["train"].dead_fraction, "weight_distance": weight_distance(session)}
    recorder.evaluation(session.step, values, {name: array.astype(session.network.dtype) for name, array in per_layer.items()})
    return values, outcomes


def weight_distance(session: Session) -> npt.NDArray[np.float64]:
    """‖W_t − W_0‖₂/‖W_0‖₂ per layer; NaN where W_0 is zero."""
    offsets = session.network.offsets()["weight_offset"]
    found = []
    with np.errstate(all="ignore"):
        for index, start_at in enumerate(offsets):
            now = session.network.weights(index).astype(np.float64).ravel()
            before = session.initial[start_at : start_at + now.size].astype(np.float64)
            found.append(float(np.linalg.norm(now - before) / np.linalg.norm(before)))
    return np.array(found)


def _finish(session: Session, recorder: Recorder, status: str) -> None:
    """Evaluate all parts (the test part for the only time), keep predictions and final parameters, and close the record."""
    values, outcomes = _evaluate(session, recorder)
    found, outcomes["test"] = evaluate_part(session, "test")
    final: dict[str, Any] = {**values, **found, "steps_done": session.step, "epochs_done": session.step / session.per_epoch}
    if status != "finished":
        final["stopped_step"] = session.step
        final["stop_reason"] = {"diverged": "non-finite numbers", "interrupted": "asked to stop"}.get(status, status)
    predictions: dict[str, Array] = {}
    for part, outcome in outcomes.items():
        targets = session.data.targets[part]
        if session.data.task == "classification" and len(targets):
            final[f"{part}_confusion"] = metrics.confusion(outcome.outputs, targets, len(session.data.class_names))
        if part != "train" and len(targets):
            predictions[f"{part}_outputs"] = outcome.outputs
            predictions[f"{part}_targets"] = targets
    recorder.checkpoint(session.step, session.network.parameters.copy())
    recorder.end(status, final, predictions)
