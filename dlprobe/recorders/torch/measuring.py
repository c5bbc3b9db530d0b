"""What is measured of layers in a step: on the host by compiled sums (`recorded_sums`), elsewhere
by PyTorch in float64 with one transfer for a whole row (`on_device`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from dlprobe import registry
from dlprobe.nn import recorded_sums
from dlprobe.nn.positions import UPDATE_SUMS
from dlprobe.recorders import definitions
from dlprobe.recorders.torch.calls import Call
from dlprobe.recorders.torch.layers import Layer, identity
from dlprobe.recorders.torch.parameters import (
    TYPES,
    Parameters,
    ParameterTable,
    address,
    tables_of,
)

Floats: TypeAlias = npt.NDArray[np.float64]
# a call, its layer, and the call of the layer that gave dL/da where that is to be looked at
Told: TypeAlias = tuple[Call, Layer, Call | None]
STATISTICS = {name: index for index, name in enumerate(registry.records("statistic"))}
# coefficients of slopes that are polynomials of a
OF_A = {"linear": (1.0, 0.0, 0.0), "sigmoid": (0.0, 1.0, -1.0), "tanh": (1.0, 0.0, -1.0)}


class Numbers:
    """What one step gives: `values` (place, column), NaN where nothing was measured, of OTHERS 0.
    pending: by place and column, numbers that are still on a device.
    """

    def __init__(self, places: int) -> None:
        self.values = np.full((places, recorded_sums.COLUMNS), math.nan)
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


class Way(NamedTuple):
    """How a layer's activation is measured, as long as `of` what it was made.

    slopes: as in `recorded_sums`; settings: as they begin there; is_floored: a is what the
    activation is given, but not below a floor; of_z: that is z; wakes: dead units are told.
    """

    of: tuple[Any, ...]
    slopes: int
    settings: tuple[float, ...]
    is_floored: bool
    of_z: bool
    wakes: bool


def way_of(layer: Layer, known: Way | None) -> Way:
    """`known`, if it still is the layer's."""
    of = (layer.activation, layer.after, layer.again, layer.needs_loss)
    if known is not None and known.of == of:
        return known
    slopes, coefficients = recorded_sums.NO_SLOPES, (0.0, 0.0, 0.0)
    if layer.has_slopes:
        slopes = recorded_sums.GIVEN
        if not layer.after and layer.is_relu:
            slopes = recorded_sums.OF_RELU
        elif not layer.after and layer.activation in OF_A:
            slopes, coefficients = recorded_sums.OF_A, OF_A[layer.activation]
    is_floored = layer.is_relu or layer.again is identity
    floor = 0.0 if layer.is_relu and not layer.after else -math.inf
    settings = (floor, slopes, *coefficients, layer.flat_below)
    wakes = slopes != recorded_sums.NO_SLOPES and layer.activation != "linear"
    seen = not layer.needs_loss and layer.again is not None
    of_z = is_floored and seen and not layer.after and not layer.takes_norm
    return Way(of, slopes, settings, is_floored, of_z, wakes)


NOT_SHOWN = Way((), recorded_sums.NO_SLOPES, (0.0,) * 6, False, False, False)


def activated(call: Call, layer: Layer, way: Way) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What of a call is a, or of a ReLU its argument, and the slopes where they are in an array;
    (rows, units).
    """
    argument = call.normed if layer.norm and not layer.norm_after else call.z
    assert argument is not None
    values, slopes = argument, None
    if way.slopes == recorded_sums.GIVEN:
        values, slopes = with_slopes(layer, argument)
    elif not (way.is_floored or layer.after):
        assert layer.again is not None
        values = layer.again(argument)
    if layer.after:
        shown = call.normed if layer.after == "norm" else call.after
        assert shown is not None
        values = shown
    return values, slopes


def with_slopes(layer: Layer, argument: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The activation's value and its derivative, element by element."""
    assert layer.again is not None
    with torch.enable_grad():
        point = argument.detach().requires_grad_()
        values = layer.again(point)
        (slopes,) = torch.autograd.grad(values.sum(), point)
    return values.detach(), slopes


def shows_a(call: Call, layer: Layer) -> bool:
    """Whether the activation a of a layer is seen, so that it can be measured."""
    if layer.after == "hidden" or layer.needs_loss or (not layer.after and layer.again is None):
        return False
    return not (
        (layer.takes_norm and call.normed is None) or (layer.after == "sum" and call.after is None)
    )


class Memory:
    """What the compiled sums write of one layer, used again in every step, and where it is.

    scratch and asleep: (units,); squares: Σ a² of each row (rows,).
    """

    def __init__(self, rows: int, units: int, before: Memory | None) -> None:
        self.rows, self.units, self.scratch = rows, units, np.zeros(units)
        fits = before is not None and before.units == units
        self.asleep: Floats = before.asleep if before is not None and fits else np.zeros(units)
        self.squares = np.zeros(rows)
        self.addresses = self.squares.ctypes.data, self.scratch.ctypes.data
        self.where_asleep = self.asleep.ctypes.data


class Measuring:
    """Sums on the host. woken: by place (units,), 0 where a unit was dead in every step since
    `dead` was called.
    """

    def __init__(self) -> None:
        self.woken: dict[int, Any] = {}
        self.row_squares: dict[int, Any] = {}
        self.ways: dict[int, Way] = {}
        self._sums = np.zeros(UPDATE_SUMS)
        self._memory: dict[int, Memory] = {}
        self._held: list[torch.Tensor] = []  # what tables have the addresses of

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
        by_place, self.row_squares = {call.place: call for call in calls}, {}
        self._sum(
            [(each, layers[each.place], following_of(each, by_place)) for each in calls],
            numbers,
            scale,
        )
        for call in calls:
            if call.inputs is not None and call.signal is not None:
                spread = array_of(call.signal).reshape(*call.inputs.shape[:2], call.units)
                numbers.values[call.place, STATISTICS["gradient_sample_rms"]] = (
                    definitions.sample_gradient_rms(array_of(call.inputs), spread, call.samples)
                    / scale
                )

    def _sum(self, calls: Sequence[Told], numbers: Numbers, scale: float) -> None:
        self._held = []
        tables: dict[Any, tuple[list[int], list[float]]] = {}
        for told in calls:
            words, settings = tables.setdefault(told[0].z.dtype, ([], []))
            self._tabulate(*told, scale, words, settings)
        for dtype, (words, settings) in tables.items():
            recorded_sums.kernel(recorded_sums.observe_calls, TYPES[dtype])(
                np.array(words, np.int64).reshape(-1, recorded_sums.CALL_COLUMNS),
                np.array(settings).reshape(-1, recorded_sums.SETTINGS),
                numbers.values,
                _LIKE[dtype],
            )
        self._held = []

    def _tabulate(
        self,
        call: Call,
        layer: Layer,
        following: Call | None,
        scale: float,
        words: list[int],
        settings: list[float],
    ) -> None:
        """Append the row of one call to the tables of its type."""
        z, place, held = call.z, call.place, self._held
        dtype, (rows, units) = z.dtype, z.shape
        memory = self._memory.get(place)
        if memory is None or memory.rows != rows or memory.units != units:
            memory = self._memory[place] = Memory(rows, units, memory)
        where_z = where_a = address(z, dtype, held)
        square, scratch = memory.addresses
        way, where_slopes, woken = way_of(layer, self.ways.get(place)), 0, 0
        self.ways[place] = way
        if way.of_z or shows_a(call, layer):
            if not way.of_z:
                a, slopes = activated(call, layer, way)
                where_a, where_slopes = address(a, dtype, held), address(slopes, dtype, held)
                held += [a] if slopes is None else [a, slopes]
            self.row_squares[place] = square
            if way.slopes != recorded_sums.NO_SLOPES:
                woken = memory.where_asleep
                if way.wakes:
                    self.woken[place] = memory.asleep
        else:
            way, where_a, square = NOT_SHOWN, 0, 0
        known = self.squares_of_input(call)
        returned = width = following_signal = 0
        if following is not None:
            width, following_signal = following.units, address(following.signal, dtype, held)
            returned = address(call.activation_gradient, dtype, held)
        words += (
            place,
            rows,
            units,
            width,
            where_z,
            where_a,
            where_slopes,
            address(call.signal, dtype, held),
            returned,
            following_signal,
            known.data_ptr() if isinstance(known, torch.Tensor) else known or 0,
            square,
            scratch,
            woken,
        )
        size = call.samples * call.fan_in * units
        settings += (*way.settings, call.tiny, call.samples / scale, size)

    def squares_of_input(self, call: Call) -> Any:
        """Σ x² of each row of a dense layer's input, None where that is not known."""
        if call.signal is None or not call.fan_in:
            return None
        if call.input_square is not None:
            return call.input_square
        return self.row_squares.get(call.source) if call.pooled == 1 else None

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


def following_of(call: Call, by_place: dict[int, Call]) -> Call | None:
    """The call of the layer that gave dL/da of this one, where both are of the same rows, so that
    what is lost between them can be counted.
    """
    following = by_place.get(call.follower)
    gradient = call.activation_gradient
    if following is None or following.signal is None or gradient is None or call.pooled != 1:
        return None
    rows = len(call.z)
    return following if len(following.z) == rows and len(gradient) == rows else None


_LIKE = {dtype: torch.empty(0, dtype=dtype).numpy() for dtype in TYPES}


def array_of(tensor: torch.Tensor) -> Any:
    """NumPy's array on the host."""
    return tensor.detach().cpu().numpy()
