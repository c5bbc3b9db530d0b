"""What is measured of layers in a step: on the host by compiled sums (`recorded_sums`), elsewhere
by PyTorch in float64 with one transfer for a whole row (`on_device`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from dlprobe import registry
from dlprobe.nn import recorded_sums
from dlprobe.nn.positions import UPDATE_SUMS
from dlprobe.recorders import definitions
from dlprobe.recorders.definitions import Floats
from dlprobe.recorders.torch.call_tables import CallTable, Memory, form_of
from dlprobe.recorders.torch.calls import Call
from dlprobe.recorders.torch.layers import Layer
from dlprobe.recorders.torch.parameters import (
    TYPES,
    Parameters,
    ParameterTable,
    address,
    tables_of,
)

STATISTICS = {name: index for index, name in enumerate(registry.records("statistic"))}


class Numbers:
    """What one step gives: `values` (place, column), NaN where nothing was measured, of OTHERS 0.
    pending: by place and column, numbers that are still on a device.
    """

    def __init__(self, places: int) -> None:
        self.values = np.empty((places, recorded_sums.COLUMNS))
        self.values.fill(math.nan)
        self.values[:, recorded_sums.OTHERS] = 0.0
        self.pending: dict[tuple[int, int], torch.Tensor] = {}

    def settled(self) -> Floats:
        """`values` (place, column), float64, with all pending tensors copied from their devices."""
        if self.pending:
            tensors = list(self.pending.values())
            if len({tensor.device for tensor in tensors}) > 1:  # a model in parts
                tensors = [tensor.cpu() for tensor in tensors]
            numbers = torch.stack([each.double() for each in tensors]).tolist()
            self.values[tuple(zip(*self.pending, strict=True))] = numbers
            self.pending = {}
        return self.values


class Measuring:
    """Sums on the host. woken: by place (units,), 0 where a unit was dead in every step since
    `dead` was called.
    """

    def __init__(self) -> None:
        self.woken: dict[int, Any] = {}
        self._sums = np.zeros(UPDATE_SUMS)
        self._memory: dict[int, Memory] = {}
        self._forms: list[Any] = []  # of the calls that the tables are made for
        self._tables: list[CallTable] = []

    # --- parameters
    # ----------------------------------------------------------------------------------------------

    def tables(self, layers: Sequence[Parameters]) -> list[ParameterTable]:
        """What `gradients` and `updates` take."""
        return tables_of(layers)

    def gradients(
        self, numbers: Numbers, tables: Sequence[ParameterTable], wanted: bool = True
    ) -> None:
        """dL/dW and dL/db, where they are wanted, and b; W is copied."""
        for table in tables:
            recorded_sums.kernel(recorded_sums.observe_gradients, TYPES[table.dtype])(
                table.with_gradients(wanted), numbers.values, _LIKE[table.dtype]
            )

    def updates(self, numbers: Numbers, tables: Sequence[ParameterTable]) -> None:
        """W after the update; before it was copied."""
        for table in tables:
            recorded_sums.kernel(recorded_sums.observe_updates, TYPES[table.dtype])(
                table.with_weights(), self._sums, numbers.values, _LIKE[table.dtype]
            )

    # --- calls
    # ----------------------------------------------------------------------------------------------

    def input_square(self, x: torch.Tensor) -> torch.Tensor:
        """Σ x² of each row (rows,), float64."""
        dtype = x.dtype if x.dtype in TYPES else torch.float32
        squares, held = torch.empty(len(x), dtype=torch.float64), list[torch.Tensor]()
        recorded_sums.kernel(recorded_sums.square_rows, TYPES[dtype])(
            address(x, dtype, held), squares.numpy(), x.shape[1], _LIKE[dtype]
        )
        return squares

    def calls(
        self, numbers: Numbers, calls: Sequence[Call], layers: dict[int, Layer], scale: float
    ) -> None:
        """All calls of a step, in the order of rows. scale: what the loss was multiplied by."""
        self._sum(numbers, calls, layers, scale)
        for call in calls:
            if call.inputs is not None and call.signal is not None:
                spread = array_of(call.signal).reshape(*call.inputs.shape[:2], call.units)
                numbers.values[call.place, STATISTICS["gradient_sample_rms"]] = (
                    definitions.sample_gradient_rms(array_of(call.inputs), spread, call.samples)
                    / scale
                )

    def renew(self) -> None:
        """More is known of layers, so that calls are measured in another way."""
        self._forms = []

    def _sum(
        self, numbers: Numbers, calls: Sequence[Call], layers: dict[int, Layer], scale: float
    ) -> None:
        forms = [scale, *map(form_of, calls)]
        if forms != self._forms:
            types, squares = dict.fromkeys(call.z.dtype for call in calls), dict[int, int]()
            self._tables = [
                CallTable(each, calls, layers, self._memory, squares, scale) for each in types
            ]
            self._forms = forms
        for table in self._tables:
            held = list[torch.Tensor]()
            table.fill(calls, held)
            recorded_sums.kernel(recorded_sums.observe_calls, TYPES[table.dtype])(
                table.words, table.settings, numbers.values, _LIKE[table.dtype]
            )
            self.woken |= table.asleep

    def dead(self, places: Sequence[int]) -> Floats:
        """(place,): the share of units that were dead on every batch since the last call; NaN of
        layers without a slope of their own.
        """
        found = [
            float((self.woken[place] == 0).mean()) if place in self.woken else math.nan
            for place in places
        ]
        for sizes in self.woken.values():
            sizes[:] = 0
        self.woken = {}
        return np.array(found)


_LIKE = {dtype: torch.empty(0, dtype=dtype).numpy() for dtype in TYPES}


def array_of(tensor: torch.Tensor) -> Any:
    """NumPy's array on the host."""
    return tensor.detach().cpu().numpy()
