"""The recording of a model: hooks at recorded steps, one row per step of the optimizer, and a file
that is closed whatever happens.

A row begins with the first call of a layer after an update, is captured when the optimizer is about
to step (dW, W, and all that was kept of the passes), and is complete when it has stepped (ΔW). Row
t describes the net before update t.
"""

from __future__ import annotations

import contextlib
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from dlprobe.errors import ConfigError, DlprobeWarning
from dlprobe.recorders.definitions import Floats
from dlprobe.recorders.run_file import RunFile
from dlprobe.recorders.torch import eager
from dlprobe.recorders.torch.capture import Capture
from dlprobe.recorders.torch.hooks import FirstClosure, Hook
from dlprobe.recorders.torch.measuring import Measuring
from dlprobe.recorders.torch.modules import unwrapped
from dlprobe.recorders.torch.on_device import OnDevice
from dlprobe.recorders.torch.passes import Passes
from dlprobe.recorders.torch.program import Habits
from dlprobe.recorders.torch.step_rows import StepRows

NEARLY = 0.9  # of a training part is all of it: a loader may drop the last batch


class Recording:
    """What `record` returns. Its methods raise nothing, unless it is strict."""

    def __init__(
        self,
        model: Any,
        optimizers: Sequence[Any],
        path: Path,
        *,
        every: int,
        force: bool,
        strict: bool,
        probes: bool = False,
        origin: str = "torch",
        loss: tuple[str | None, str] | None = None,
    ) -> None:
        if every < 1:
            raise ConfigError(f"every is {every}, expected 1 or more")
        self._silent = (
            torch.distributed.is_available()
            and torch.distributed.is_initialized()
            and torch.distributed.get_rank() > 0
        )
        self._optimizers, self._every, self._strict = list(optimizers), every, strict
        self._distributed = (
            type(model).__name__ == "DistributedDataParallel"
            or type(getattr(model, "_orig_mod", None)).__name__ == "DistributedDataParallel"
        )
        self._model = unwrapped(model)
        # which others but the first of several processes never begin
        self._file = RunFile(path, origin, force or self._silent)
        self._measuring = Measuring() if on_host(self._model) else OnDevice()
        self._passes = Passes(
            self._model, self, self._begin_pass, self._backward_begun, self._measuring
        )
        self._passes.known_loss = loss
        self._capture = Capture(
            self._model, self._passes, self._optimizers, self._measuring, probes
        )
        self._habits = Habits(self._model, self._optimizers)
        self._rows = StepRows(
            self._model,
            self._file,
            self._passes,
            self._capture,
            self._measuring,
            self._optimizers,
            probes=probes,
            distributed=self._distributed,
        )
        self._handles: list[Any] = []
        self._step = 0
        self._armed = self._captured = self._over = False
        self._stepped: set[int] = set()
        self._skipped = self._seen = 0
        self._probes = probes
        if not self._silent:
            self._attach()

    @property
    def armed(self) -> bool:
        """Whether the statistics of the coming step are going to be recorded."""
        return self._armed and not self._over

    @property
    def passes(self) -> Passes:
        """What is kept of the passes."""
        return self._passes

    @property
    def versions(self) -> dict[str, str]:
        """Of the framework around PyTorch, for the file."""
        return self._rows.versions

    # --- what the user calls
    # ----------------------------------------------------------------------------------------------

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(
            "finished"
            if kind is None
            else "failed"
            if issubclass(kind, Exception)
            else "interrupted"
        )

    def loss(self, loss: torch.Tensor | float) -> None:
        """The loss of a batch, as it is (not scaled, not divided for accumulation), before or
        after the optimizer's step; several in a step are averaged.
        """
        if (self._armed or self._rows.waits) and not self._over:
            self._guarded(self._rows.note_loss, loss, self._armed and not self._captured)

    def at(self, step: int) -> None:
        """The coming row is of this step: of a probe, which is not called at every one."""
        self._step = step

    def evaluation(self, step: int | None = None, **values: float) -> None:
        """Losses and metrics after `step` updates (those made so far): train_loss, val_loss,
        train_error, val_error, … Another name is left out with a warning."""
        if not (self._silent or self._over):
            self._guarded(self._rows.write)
            self._attempt(
                self._file.evaluation,
                self._step if step is None else step,
                values,
                self._of_layers(),
            )

    def _of_layers(self) -> dict[str, Floats]:
        """What an evaluation tells of layers: how far weights went; where batches of a whole
        training part were recorded since the last one, dead units.
        """
        if self._probes or self._rows.is_first:
            return {}
        places, whole = list(self._passes.ranks), self._file.train_samples
        with torch.no_grad():
            dead, distances = self._measuring.dead(places), self._capture.distances(places)
        seen, self._seen = self._seen, 0
        dead[-1] = math.nan  # of the output layer, as in dlprobe's own runs
        return {
            "weight_distance": distances,
            **({"dead_fraction": dead} if whole and seen >= NEARLY * whole else {}),
        }

    def data(
        self,
        x_train: Any,
        y_train: Any,
        x_val: Any = None,
        y_val: Any = None,
        *,
        keep: bool = False,
    ) -> None:
        """What the net is trained on, before the first step: shapes, ranges, class counts and a
        fingerprint are kept; the arrays only with `keep`: they make the file as large as they are,
        and whoever gets it has them. Later it is left out, with a warning.
        """
        if not (self._silent or self._over):
            self._attempt(self._file.data, x_train, y_train, x_val, y_val, keep)

    def close(self, status: str = "finished") -> Path | None:
        """The run is over; the path of its file, None where no step was recorded."""
        if self._over:
            return None
        self._guarded(self._rows.flush)
        self._guarded(self._rows.write)
        return self._end(status)

    def fail(self, error: Exception) -> None:
        """Something in the recorder went wrong: say so once, close what there is, and let the
        training go on. Raises it where the recorder is strict.
        """
        if self._over:
            return
        with contextlib.suppress(Exception):
            self._rows.write()
        self._end("interrupted")
        if self._strict:
            raise error
        _tell(
            f"the recorder of dlprobe: stopped recording at step {self._step}, the training "
            f"goes on: {type(error).__name__}: {error}"
        )

    # --- hooks
    # ----------------------------------------------------------------------------------------------

    def _attach(self) -> None:
        for index, optimizer in enumerate(self._optimizers):
            self._handles.append(
                optimizer.register_step_pre_hook(Hook(self, self._before_step, index))
            )
            self._handles.append(
                optimizer.register_step_post_hook(Hook(self, self._after_step, index))
            )
        self._arm()

    def _arm(self) -> None:
        """Ready for the coming step, if it is one to be recorded."""
        due = self._step % self._every == 0 and not self._over and not self._rows.diverged
        if due and not self._armed:
            self._passes.attach()
            eager.hold(self)
        elif self._armed and not due:
            self._disarm()
        self._armed = due
        self._captured = False
        self._stepped = set()

    def _disarm(self) -> None:
        self._passes.detach()
        eager.release(self)

    def _begin_pass(self) -> bool:
        """Whether a pass that begins now is to be kept."""
        if not self._armed or self._captured or self._over:
            return False
        self._rows.flush()
        if self._capture.gradient_was_dropped():
            self._skip()
        return True

    def _backward_begun(self) -> None:
        if self._step > 0 and not self._passes.passes:
            self._habits.backward_begins()
        torch.autograd.Variable._execution_engine.queue_callback(
            Hook(self, self._backward_over, self._distributed)
        )

    def _backward_over(self, again: bool = False) -> None:
        """Every gradient is there, before anything clips it. Under DistributedDataParallel they
        are averaged by a callback that comes after this one.
        """
        if again:
            torch.autograd.Variable._execution_engine.queue_callback(
                Hook(self, self._backward_over)
            )
        elif self._armed and not self._captured:
            self._capture.after_backward()
            self._passes.backward_is_over()

    def _before_step(
        self, index: int, optimizer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, Any] | None:
        if not self._armed or self._over or index in self._stepped:
            return None
        closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
        if closure is None:
            self._take(index)
            return None
        wrapped = FirstClosure(closure, Hook(self, self._take, index))
        return (
            ((args[0], wrapped, *args[2:]), kwargs)
            if len(args) > 1
            else (args, {**kwargs, "closure": wrapped})
        )

    def _take(self, index: int) -> None:
        """Measure what this optimizer is about to step; with the last one, all that was kept of
        the passes.
        """
        with torch.no_grad():
            self._capture.before_step(index)
            self._stepped.add(index)
            if len(self._stepped) == len(self._optimizers):
                self._captured = True
                self._take_passes()

    def _take_passes(self) -> None:
        passes, capture, rows = self._passes, self._capture, self._rows
        rows.settle_loss()
        calls = passes.taken()
        if not calls and rows.is_first:
            raise ConfigError(
                "no gradient came back through a layer of the model before the optimizer's "
                "first step: it was not called, its layers are of no known kind, or torch.func "
                "computed the gradients"
            )
        if rows.is_first:
            self._measuring.renew()
        self._measuring.calls(capture.numbers, calls, passes.layers, capture.scale)
        rows.measured(calls)
        self._seen += rows.samples
        if not self._probes:
            self._habits.step_ends()

    def _after_step(self, index: int, optimizer: Any, args: Any, kwargs: Any) -> None:
        if (
            self._over
            or (self._armed and not self._captured)
            or (not self._armed and index < len(self._optimizers) - 1)
        ):
            return
        if self._armed and self._capture.found_infinity(optimizer):
            self._skip()
            self._arm()
            return
        if self._armed:
            with torch.no_grad():
                self._rows.complete(self._step)
        self._step += 1
        self._arm()

    def _skip(self) -> None:
        """Passes without an update: the optimizer's step was left out."""
        self._skipped += 1
        self._rows.leave_out()

    # --- the end
    # ----------------------------------------------------------------------------------------------

    def _end(self, status: str) -> Path | None:
        self._over = True
        for handle in self._handles:
            handle.remove()
        self._disarm()
        self._rows.drop()
        if self._silent:
            return None
        if status == "finished" and self._rows.diverged:
            status = "diverged"
        counts = {"steps_done": self._step, "skipped_steps": self._skipped}
        return self._file.close(status, counts | self._habits.counts)

    def _attempt(self, action: Callable[..., None], *arguments: Any) -> None:
        """What the user gave may be wrong: that is told, and recording goes on."""
        try:
            action(*arguments)
        except ValueError as error:
            if self._strict:
                raise
            _tell(f"the recorder of dlprobe: left out {getattr(action, '__name__', '')}: {error}")
        except Exception as error:
            self.fail(error)

    def _guarded(self, action: Callable[..., None], *arguments: Any) -> None:
        try:
            action(*arguments)
        except Exception as error:
            self.fail(error)


def on_host(model: torch.nn.Module) -> bool:
    """Whether the model's numbers are in the host's memory; of a device that has no float64 they
    are taken there.
    """
    return all(each.device.type in ("cpu", "mps") for each in model.parameters())


def _tell(text: str) -> None:
    """A warning; where warnings are errors a line on stderr, for a recorder breaks nothing."""
    try:
        warnings.warn(text, DlprobeWarning, stacklevel=3)
    except DlprobeWarning:
        print(text, file=sys.stderr)
