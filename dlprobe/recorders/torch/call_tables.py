"""Calls as the compiled sums take them: tables of where their numbers are, made for calls of the
same shapes and filled anew with what changes from step to step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from dlprobe.nn import recorded_sums as sums
from dlprobe.recorders.definitions import Floats
from dlprobe.recorders.torch.activations import NOT_SHOWN, activated, shows_a, way_of
from dlprobe.recorders.torch.calls import Call
from dlprobe.recorders.torch.layers import Layer
from dlprobe.recorders.torch.parameters import address, addresses


class Memory:
    """What the compiled sums write of one layer, used again in every step, and where it is.

    scratch and asleep: (units,); squares: Σ a² of each row (rows,).
    """

    def __init__(self, rows: int, units: int, before: Memory | None) -> None:
        self.rows, self.units, self.scratch = rows, units, np.zeros(units)
        fits = before is not None and before.units == units
        self.asleep: Floats = before.asleep if before is not None and fits else np.zeros(units)
        self.squares = np.zeros(rows)


def form_of(call: Call) -> tuple[Any, ...]:
    """All that a table is made of: of calls of the same forms it is the same."""
    if call.form:
        return call.form, call.follower
    known = call.signal, call.input_square, call.normed, call.after, call.activation_gradient
    return (
        *(call.place, call.z.dtype, call.rows, call.units),
        *(call.samples, call.fan_in, call.source, call.follower, call.tiny, call.pooled),
        *(each is None for each in known),
    )


class CallTable:
    """Those calls of a step whose numbers are of one type: `words` and `settings` (call, column) as
    `recorded_sums` reads them.

    * calls: all of the step; memory: by place, what was written before; squares: by place, where
      Σ a² of rows is written; scale: what the loss was multiplied by
    * asleep: by place, of each unit a size that is 0 only where it was dead in every step (units,)
    """

    def __init__(
        self,
        dtype: torch.dtype,
        calls: Sequence[Call],
        layers: dict[int, Layer],
        memory: dict[int, Memory],
        squares: dict[int, int],
        scale: float,
    ) -> None:
        self.dtype, self.asleep = dtype, dict[int, Floats]()
        self._mine = [index for index, call in enumerate(calls) if call.z.dtype == dtype]
        self._followers = [following_of(calls[index], calls) for index in self._mine]
        # rows whose a is not z, with their layers; rows whose Σ x² of the input is an array
        self._activated: list[tuple[int, Layer]] = []
        self._squared: list[int] = []
        self.words = np.zeros((len(self._mine), sums.CALL_COLUMNS), np.int64)
        self.settings = np.zeros((len(self._mine), sums.SETTINGS))
        self._is_a = [False] * len(self._mine)
        for row, index in enumerate(self._mine):
            call, following = calls[index], self._followers[row]
            words, layer = self.words[row], layers[call.place]
            space = memory[call.place] = Memory(call.rows, call.units, memory.get(call.place))
            way = way_of(layer) if shows_a(call, layer) else NOT_SHOWN
            words[[sums.PLACE, sums.ROWS, sums.UNITS]] = call.place, call.rows, call.units
            words[sums.FOLLOWING_UNITS] = 0 if following is None else calls[following].units
            words[sums.SCRATCH] = space.scratch.ctypes.data
            if way is not NOT_SHOWN:
                self._is_a[row] = way.of_z
                if not way.of_z:
                    self._activated.append((row, layer))
                squares[call.place] = words[sums.ROW_SQUARE] = space.squares.ctypes.data
                if way.slopes != sums.NO_SLOPES:
                    words[sums.WOKEN] = space.asleep.ctypes.data
                if way.wakes:
                    self.asleep[call.place] = space.asleep
            if call.signal is not None and call.fan_in:
                if call.input_square is not None:
                    self._squared.append(row)
                elif call.pooled == 1:
                    words[sums.INPUT_SQUARE] = squares.get(call.source, 0)
            size = call.samples * call.fan_in * call.units
            self.settings[row] = (*way.settings, call.tiny, call.samples / scale, size)

    def fill(self, calls: Sequence[Call], held: list[torch.Tensor]) -> None:
        """Note where the numbers of a step are; copies are held."""
        words, dtype, mine = self.words, self.dtype, [calls[index] for index in self._mine]
        followed = [
            None if after is None else call.activation_gradient
            for call, after in zip(mine, self._followers, strict=True)
        ]
        signals = addresses([call.signal for call in calls], dtype, held)
        z = addresses([call.z for call in mine], dtype, held)
        words[:, sums.Z] = z
        words[:, sums.SIGNAL] = [signals[index] for index in self._mine]
        words[:, sums.RETURNED] = addresses(followed, dtype, held)
        words[:, sums.FOLLOWING] = [0 if k is None else signals[k] for k in self._followers]
        words[:, sums.A] = [at if is_a else 0 for at, is_a in zip(z, self._is_a, strict=True)]
        for row, layer in self._activated:
            for column, array in zip(
                (sums.A, sums.SLOPES_GIVEN), activated(mine[row], layer, way_of(layer)), strict=True
            ):
                held += [] if array is None else [array]
                words[row, column] = address(array, dtype, held)
        for row in self._squared:
            words[row, sums.INPUT_SQUARE] = address(mine[row].input_square, torch.float64, held)


def following_of(call: Call, calls: Sequence[Call]) -> int | None:
    """Index of the call of the layer that gave dL/da of this one, where both are of the same rows,
    so that what is lost between them can be counted.
    """
    gradient = call.activation_gradient
    if gradient is None or call.pooled != 1 or len(gradient) != call.rows:
        return None
    for index, following in enumerate(calls):
        if following.place == call.follower:
            known = following.signal is not None and following.rows == call.rows
            return index if known else None
    return None
