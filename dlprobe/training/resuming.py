"""What training depends on from a step on, as arrays and back: a run that goes on from them is,
bit for bit, the run that was never stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.config import RunConfig, with_values
from dlprobe.data import PreparedData
from dlprobe.errors import ConfigError
from dlprobe.nn.network import NetworkState
from dlprobe.record.layout import STATE_COUNTERS
from dlprobe.registry import counted
from dlprobe.training.model import resolve
from dlprobe.training.rates import rates_of
from dlprobe.training.session import Decisions, Session
from dlprobe.training.watch import Watch

Array = npt.NDArray[Any]
NOTHING = np.zeros(0)
CHECKED = 4096  # steps whose rates are compared at once


def state_size(session: Session) -> int:
    """Bytes of a state of this run, about."""
    kept = (
        session.early.kept if session.early is not None and session.early.kept is not None else ()
    )
    return sum(array.nbytes for array in (*_arrays(session.network.trained).values(), *kept))


def state_of(session: Session) -> dict[str, Array]:
    """The net after `session.step` updates and what evaluations before that step decided, by the
    names of `checkpoints` in the layout table.

    Views of the session's own memory; what is empty is left out. Random numbers, batches and rates
    depend on the step alone.
    """
    decisions = session.decided
    arrays = _arrays(session.network.trained)
    arrays["schedule_memory"] = np.array(decisions.schedule, np.float64)
    counters = [session.step, -1, 0, 0]
    if decisions.early is not None:
        early = decisions.early
        counters[1:] = early.best_step, early.waited, int(early.stopped)
        arrays["best_value"] = np.array(early.best_value, np.float64)
        if early.kept is not None:
            arrays["best_parameters"], arrays["best_normalization_state"] = early.kept
    assert len(counters) == len(STATE_COUNTERS)
    return {
        "counters": np.array(counters, np.int64),
        **{name: array for name, array in arrays.items() if array.size},
    }


def restore(session: Session, state: Mapping[str, Array]) -> None:
    """Put a session that has just started where `state_of` was taken. Raises ValueError where
    the state is of another net.
    """
    network = session.network
    if "training_parameters" not in state:  # they are those of the last checkpoint
        state = {**state, "training_parameters": state["parameters"][-1]}
    now = {name: state.get(name, NOTHING) for name in _arrays(network.trained)}
    for name, array in _arrays(network.trained).items():
        if now[name].shape != array.shape:
            raise ValueError(f"{name} has shape {now[name].shape}, expected {array.shape}")
    network.adopt(
        NetworkState(
            now["training_parameters"],
            now["normalization_state"],
            now["optimizer_state"],
            now["optimizer_values"],
        )
    )
    session.step, best_step, waited, stopped = (int(number) for number in state["counters"])
    session.rates.memory = tuple(float(number) for number in state.get("schedule_memory", NOTHING))
    if session.early is not None:
        early = session.early
        early.best_value, early.best_step, early.waited, early.stopped = (
            float(state["best_value"]),
            best_step,
            waited,
            bool(stopped),
        )
        if "best_parameters" in state:
            early.kept = (
                state["best_parameters"].copy(),
                state.get("best_normalization_state", network.trained.state[:0]).copy(),
            )
    session.decided = Decisions.of(session.rates, session.early)


def _arrays(trained: NetworkState) -> dict[str, Array]:
    return {
        "training_parameters": trained.parameters,
        "optimizer_state": trained.moments,
        "optimizer_values": trained.optimizer_values,
        "normalization_state": trained.state,
    }


def lengthened(stored: RunConfig, asked: RunConfig, data: PreparedData, made: int) -> RunConfig:
    """The run's configuration in another length, after `made` updates, so that the whole is the run
    that this configuration makes at once.

    Cadences that `auto` took from the length stay what they are. Raises ConfigError where the run
    is that long already, and where the length decides learning rates, which those of the steps that
    were made then do not fit.
    """
    if asked == stored:
        return stored
    model = resolve(stored, data)
    per_epoch = -(-len(data.inputs["train"]) // model.batch)
    before, after = (
        config.training.steps or (config.training.epochs or 1) * per_epoch
        for config in (stored, asked)
    )
    if after < max(made, 1) or (after == made and before == made):
        raise ConfigError(
            f"the run has made {counted(made, 'step')} ({made / per_epoch:g} epochs) already: "
            f"ask for more, e.g. --epochs {made // per_epoch + 10}"
        )
    _refuse_other_rates(stored, per_epoch, before, after, made)
    watch = Watch(stored, model, data)
    rows = stored.recording.resolved_record_every(before)
    automatic = {
        "record_every": rows,
        "histogram_every": watch.histogram_every,
        "track_every": watch.track_every,
    }
    kept = {
        f"recording.{key}": every
        for key, every in automatic.items()
        if getattr(stored.recording, key) is None and every is not None
    }
    return with_values(asked, kept)


def _refuse_other_rates(
    stored: RunConfig, per_epoch: int, before: int, after: int, made: int
) -> None:
    """Raise ConfigError where a run of `after` steps would have had other rates than one of
    `before` steps in the steps that were made.
    """
    short, long = (rates_of(stored, per_epoch, steps, validated=True) for steps in (before, after))
    for first in range(0, made, CHECKED):
        count = min(CHECKED, made - first)
        same = np.array_equal(
            short.rates(first, count), long.rates(first, count)
        ) and np.array_equal(short.momenta(first, count), long.momenta(first, count))
        if not same:
            schedule = stored.training.schedule
            reason = (
                f"schedule = {schedule} spreads its rates over the {counted(before, 'step')} of "
                f"the run, and {made} of them are made"
            )
            raise ConfigError(
                f"{reason}: a longer run would have begun with other rates; train a new run "
                f"of {counted(after, 'step')} with -o"
            )
