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

Floats: TypeAlias = npt.NDArray[np.float64]
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


class Parameters(NamedTuple):
    """What one layer's parameters give before the update; None for what is not there."""

    place: int
    gradient: torch.Tensor | None = None
    weight: torch.Tensor | None = None
    bias: torch.Tensor | None = None
    bias_gradient: torch.Tensor | None = None

    @property
    def first(self) -> torch.Tensor | None:
        """One of them, whose type is that of all."""
        if self.weight is not None:
            return self.weight
        return next((each for each in self[1:] if each is not None), None)


class Way(NamedTuple):
    """How a layer's activation is measured, as long as `of` what it was made.

    slopes: as in `recorded_sums`; settings: as they begin there; is_floored: a is what the
    activation is given, but not below a floor; wakes: dead units are told.
    """

    of: tuple[Any, ...]
    slopes: int
    settings: tuple[float, ...]
    is_floored: bool
    wakes: bool


def way_of(layer: Layer, known: Way | None) -> Way:
    """`known`, if it still is the layer's."""
    of = (layer.activation, layer.after, layer.again)
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
    return Way(of, slopes, settings, is_floored, wakes)


NOT_SHOWN = Way((), recorded_sums.NO_SLOPES, (0.0,) * 6, False, False)


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
    """What the compiled sums write of one layer, used again in every step, and its address."""

    def __init__(self, length: int) -> None:
        self.array = np.zeros(length)
        self.length, self.address = length, self.array.ctypes.data


class Measuring:
    """Sums on the host. woken: by place (units,), 0 where a unit was dead in every step since
    `dead` was called.
    """

    def __init__(self) -> None:
        self.woken: dict[int, Any] = {}
        self.row_squares: dict[int, Any] = {}
        self.ways: dict[int, Way] = {}
        self._sums = np.zeros(UPDATE_SUMS)
        self._scratch, self._squares, self._asleep = (dict[int, Memory]() for _ in range(3))
        self._copies: dict[int, torch.Tensor] = {}
        self._held: list[torch.Tensor] = []  # what tables have the addresses of

    # --- parameters
    # ----------------------------------------------------------------------------------------------

    def gradients(self, numbers: Numbers, layers: Sequence[Parameters]) -> None:
        """dL/dW, b and dL/db of layers; their W is copied."""
        tables: dict[Any, list[tuple[int, ...]]] = {}
        for each in layers:
            first = each.first
            if first is None:
                continue
            dtype = first.dtype if first.dtype in _LIKE else torch.float32
            copy = None if each.weight is None else self._copy_of(each.place, each.weight, dtype)
            tables.setdefault(dtype, []).append(
                (
                    each.place,
                    self._address(each.gradient, dtype),
                    self._address(each.weight, dtype),
                    0 if copy is None else copy.data_ptr(),
                    max(_size(each.gradient), _size(each.weight)),
                    self._address(each.bias, dtype),
                    self._address(each.bias_gradient, dtype),
                    max(_size(each.bias), _size(each.bias_gradient)),
                )
            )
        for dtype, table in tables.items():
            recorded_sums.kernel(recorded_sums.observe_gradients, _TYPES[dtype])(
                np.array(table, np.int64), numbers.values, _LIKE[dtype]
            )
        self._held = []

    def others(self, numbers: Numbers, row: int, gradients: Sequence[torch.Tensor]) -> None:
        """Σ g² of parameters that are no layer's."""
        scratch = Numbers(len(gradients))
        self.gradients(
            scratch, [Parameters(index, bias_gradient=g) for index, g in enumerate(gradients)]
        )
        numbers.values[row, recorded_sums.OTHERS] = scratch.values[:, recorded_sums.OTHERS].sum()

    def updates(self, numbers: Numbers, layers: Sequence[tuple[int, torch.Tensor]]) -> None:
        """W after the update, by place; before it was copied."""
        tables: dict[Any, list[tuple[int, ...]]] = {}
        for place, after in layers:
            copy = self._copies[place]
            words = (
                place,
                0,
                self._address(after, copy.dtype),
                copy.data_ptr(),
                copy.numel(),
                0,
                0,
                0,
            )
            tables.setdefault(copy.dtype, []).append(words)
        for dtype, table in tables.items():
            recorded_sums.kernel(recorded_sums.observe_updates, _TYPES[dtype])(
                np.array(table, np.int64),
                self._sums,
                numbers.values,
                _LIKE[dtype],
            )
        self._held = []

    def _copy_of(self, place: int, weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        copy = self._copies.get(place)
        if copy is None or copy.numel() != weight.numel():
            copy = self._copies[place] = torch.empty(weight.numel(), dtype=dtype)
        return copy

    # --- calls
    # ----------------------------------------------------------------------------------------------

    def input_square(self, x: torch.Tensor) -> torch.Tensor:
        """Σ x² of each row (rows,), float64."""
        dtype = x.dtype if x.dtype in _LIKE else torch.float32
        found = torch.empty(len(x), dtype=torch.float64)
        address = self._address(x.detach(), dtype)
        recorded_sums.kernel(recorded_sums.square_rows, _TYPES[dtype])(
            address, found.numpy(), x.shape[1], _LIKE[dtype]
        )
        self._held = []
        return found

    def calls(
        self, numbers: Numbers, calls: Sequence[Call], layers: dict[int, Layer], scale: float
    ) -> None:
        """All calls of a step, in the order of rows. scale: what the loss was multiplied by."""
        by_place = {call.place: call for call in calls}
        self.row_squares = {}
        tables: dict[Any, tuple[list[Any], list[Any]]] = {}
        for call in calls:
            following = by_place.get(call.feeds)
            self.call(
                numbers,
                call,
                layers[call.place],
                following if comes_back(call, following) else None,
                scale,
                tables,
            )
        for dtype, (words, settings) in tables.items():
            recorded_sums.kernel(recorded_sums.observe_calls, _TYPES[dtype])(
                np.array(words, np.int64), np.array(settings), numbers.values, _LIKE[dtype]
            )
        self._held = []
        for call in calls:
            if call.inputs is not None and call.signal is not None:
                spread = array_of(call.signal).reshape(*call.inputs.shape[:2], call.units)
                numbers.values[call.place, STATISTICS["gradient_sample_rms"]] = (
                    definitions.sample_gradient_rms(array_of(call.inputs), spread, call.samples)
                    / scale
                )

    def call(
        self,
        numbers: Numbers,
        call: Call,
        layer: Layer,
        following: Call | None,
        scale: float,
        tables: dict[Any, tuple[list[Any], list[Any]]],
    ) -> None:
        """One call: rows of the tables of its type. following: that of the layer that gave dL/da,
        None where that is not to be looked at.
        """
        z, place = call.z, call.place
        dtype, (rows, units) = z.dtype, z.shape
        way, a, slopes, square, woken = NOT_SHOWN, None, None, 0, 0
        if shows_a(call, layer):
            way = self.ways[place] = way_of(layer, self.ways.get(place))
            a, slopes = activated(call, layer, way)
            square = self.row_squares[place] = _memory(self._squares, place, rows).address
            if way.slopes != recorded_sums.NO_SLOPES:
                sizes = _memory(self._asleep, place, units)
                woken = sizes.address
                if way.wakes:
                    self.woken[place] = sizes.array
        known = self.squares_of_input(call)
        if isinstance(known, torch.Tensor):
            known = known.data_ptr()
        words, settings = tables.setdefault(dtype, ([], []))
        returned = width = following_signal = 0
        if following is not None:
            width, following_signal = following.units, self._address(following.signal, dtype)
            returned = self._address(call.activation_gradient, dtype)
        words.append(
            (
                place,
                rows,
                units,
                width,
                self._address(z, dtype),
                0 if a is None else self._address(a, dtype),
                0 if slopes is None else self._address(slopes, dtype),
                0 if call.signal is None else self._address(call.signal, dtype),
                returned,
                following_signal,
                known or 0,
                square,
                _memory(self._scratch, place, units).address,
                woken,
            )
        )
        factor, size = call.samples / scale, call.samples * call.fan_in * units
        settings.append((*way.settings, call.tiny, factor, size))

    def squares_of_input(self, call: Call) -> Any:
        """Σ x² of each row of a dense layer's input, None where that is not known."""
        if call.signal is None or not call.fan_in:
            return None
        if call.input_square is not None:
            return call.input_square
        return self.row_squares.get(call.source) if call.pooled == 1 else None

    def _address(self, tensor: torch.Tensor | None, dtype: torch.dtype) -> int:
        """Where a tensor's numbers are, row-major and of T, 0 of None; it is held until the kernel
        has read it.
        """
        if tensor is None:
            return 0
        if tensor.dtype != dtype or not tensor.is_cpu or not tensor.is_contiguous():
            tensor = tensor.detach().to("cpu", dtype).contiguous()
        self._held.append(tensor)
        return tensor.data_ptr()

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


def _memory(known: dict[int, Memory], place: int, length: int) -> Memory:
    found = known.get(place)
    if found is None or found.length != length:
        found = known[place] = Memory(length)
    return found


def comes_back(call: Call, following: Call | None) -> bool:
    """Whether dL/da of a call was seen, with the shape of z, and the error signal of the layer that
    follows.
    """
    return (
        following is not None
        and call.activation_gradient is not None
        and call.pooled == 1
        and following.signal is not None
        and following.z.shape[0] == call.z.shape[0]
        and call.activation_gradient.shape == call.z.shape
    )


_TYPES = {torch.float32: "float32", torch.float64: "float64"}
_LIKE = {dtype: torch.empty(0, dtype=dtype).numpy() for dtype in _TYPES}


def _size(tensor: torch.Tensor | None) -> int:
    return 0 if tensor is None else tensor.numel()


def array_of(tensor: torch.Tensor) -> Any:
    """NumPy's array on the host."""
    return tensor.detach().cpu().numpy()
