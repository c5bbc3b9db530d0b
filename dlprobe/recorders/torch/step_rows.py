"""The row of a step: completed when the optimizers have stepped, kept until its loss is told; with
the first one the file begins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from dlprobe.recorders.run_file import RunFile
from dlprobe.recorders.torch.calls import Call
from dlprobe.recorders.torch.capture import Capture
from dlprobe.recorders.torch.facts import decays, environment, layer_facts, run_facts, special_ranks
from dlprobe.recorders.torch.measuring import STATISTICS, Measuring, Numbers
from dlprobe.recorders.torch.passes import Passes
from dlprobe.recorders.torch.program import faults
from dlprobe.recorders.torch.rows import Row, Rows

OF_ACTIVATION = (
    "activation_mean",
    "activation_variance",
    "activation_sample_variance",
    "active_fraction",
    "slope_mean_square",
    "flat_fraction",
    "dead_fraction",
)


class StepRows:
    """Rows on their way to the file.

    * probes: the passes are those of a probe, which steps nothing; distributed: the model trains in
      several processes; versions: of the framework around PyTorch, for the file
    * samples: of the last step; diverged: weights are not finite any more
    """

    def __init__(
        self,
        model: torch.nn.Module,
        file: RunFile,
        passes: Passes,
        capture: Capture,
        measuring: Measuring,
        optimizers: Sequence[Any],
        *,
        probes: bool,
        distributed: bool,
    ) -> None:
        self._model, self._file, self._passes, self._capture = model, file, passes, capture
        self._measuring, self._optimizers = measuring, optimizers
        self._probes, self._distributed = probes, distributed
        self.versions: dict[str, str] = {}
        self.samples = 0
        self.diverged = False
        self._losses: list[torch.Tensor] = []
        self._waiting: Row | None = None
        # calls of the first row whose activation is known only with the loss
        self._late: list[Call] = []
        self._rows: Rows | None = None

    @property
    def is_first(self) -> bool:
        """Whether no row has been written yet."""
        return not self._file.begun

    @property
    def waits(self) -> bool:
        """Whether a row waits for its loss."""
        return self._waiting is not None

    def settle_loss(self) -> None:
        """The loss may be known before the first optimizer steps."""
        if self.is_first and self._losses:
            self._passes.settle_loss(self._losses[-1])

    def measured(self, calls: Sequence[Call]) -> None:
        """These calls of the step are in the numbers."""
        self.samples = max([call.samples for call in calls], default=0)
        if self.is_first:
            self._late = [call for call in calls if self._passes.layers[call.place].needs_loss]

    def note_loss(self, loss: torch.Tensor | float, is_open: bool) -> None:
        """The loss of a pass; is_open: the row of its step is still to be taken."""
        value = loss if isinstance(loss, torch.Tensor) else torch.tensor(float(loss))
        if is_open and self._passes.begun > len(self._losses):
            self._losses.append(value if self.is_first else value.detach())
        elif self._waiting is not None and len(self._waiting.losses) < self._waiting.passes:
            self._waiting.losses.append(value)
            if len(self._waiting.losses) >= self._waiting.passes:
                self.flush()

    def complete(self, step: int) -> None:
        """The row of this step, but for a loss that is still to be told."""
        capture, passes = self._capture, self._passes
        capture.after_step()
        values, *others = capture.complete()
        norms = values[:, STATISTICS["weight_l2"]].tolist()
        # nothing is left to describe
        self.diverged = not all(math.isfinite(norms[place]) for place in capture.with_weights)
        rate, momentum = self._pace()
        unknown = self._probes or any(
            decays(each) for each in self._optimizers if not isinstance(each, torch.optim.Optimizer)
        )
        row = Row(
            step,
            values[passes.places, : len(STATISTICS)],
            None if capture.lacking else (others[0], others[1]),
            rate,
            momentum,
            math.nan if unknown else capture.penalty,
            self._losses,
            passes.passes,
        )
        self._waiting, self._losses = row, []
        passes.forget()
        passes.discover_no_more()
        capture.row_is_over()
        capture.forget()
        if len(row.losses) >= row.passes:
            self.flush()

    def _pace(self) -> tuple[float, float]:
        """Learning rate and momentum of the first optimizer's first group."""
        group = self._optimizers[0].param_groups[0]
        unnoted = {"lr": math.nan, "momentum": math.nan} if self._probes else group
        group = group.get("noted", unnoted)
        momentum = group.get("momentum", group.get("betas", (math.nan,))[0])
        return float(group["lr"]), float(momentum)

    def flush(self) -> None:
        """The row that waits for its loss has it, or gets none."""
        row, self._waiting = self._waiting, None
        if row is None:
            return
        rows = self._rows = self._rows or self._begin(row)
        row.losses = [each.detach() for each in row.losses]
        rows.append(row)

    def write(self) -> None:
        """What was flushed."""
        if self._rows is not None:
            self._rows.flush()

    def leave_out(self) -> None:
        """The passes of this step led to no update."""
        self._passes.forget()
        self._capture.forget()
        self._losses = []

    def drop(self) -> None:
        """The recording is over."""
        self._passes.forget()
        self._waiting = None

    def _begin(self, row: Row) -> Rows:
        """The file. With the first row all is known: its loss, where it is told at all, says what
        the output layer's activation is.
        """
        passes, told = self._passes, row.losses[-1] if row.losses else None
        passes.settle_loss(told)
        self._measuring.renew()
        optimizer = None if self._probes else self._optimizers[0]
        facts = run_facts(self._model, optimizer, passes, self.samples, self._distributed)
        seen = [] if self._probes else faults(passes, self._optimizers, told)
        program = {"program": seen} if seen else {}
        self._file.begin(
            layer_facts(passes),
            facts,
            {**environment(self._model, passes), **program, **self.versions},
            indices=any(site.kind == "embedding" for site in passes.sites),
        )
        self._measure_late(row)
        return Rows(*special_ranks(passes), self._file.rows)

    def _measure_late(self, row: Row) -> None:
        """What the loss tells of activations belongs to the first row already."""
        late, self._late = self._late, []
        if not late:
            return
        numbers = Numbers(len(self._passes.sites))
        with torch.no_grad():
            self._measuring.calls(numbers, late, self._passes.layers, 1.0)
        columns = [STATISTICS[name] for name in OF_ACTIVATION]
        for call in late:
            rank = self._passes.ranks[call.place]
            row.values[rank, columns] = numbers.settled()[call.place, columns]
