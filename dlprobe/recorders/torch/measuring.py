"""What is measured of layers in a step: on the host by compiled sums (`kernels`), elsewhere by
PyTorch in float64 with one transfer for a whole row (`on_device`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from dlprobe import registry
from dlprobe.nn.positions import UPDATE_SUMS
from dlprobe.recorders import definitions
from dlprobe.recorders.torch import kernels as k
from dlprobe.recorders.torch.calls import Call
from dlprobe.recorders.torch.layers import Layer, identity

Floats: TypeAlias = npt.NDArray[np.float64]
STATISTICS = {name: index for index, name in enumerate(registry.records("statistic"))}
# coefficients of slopes that are polynomials of a
OF_A = {"linear": (1.0, 0.0, 0.0), "sigmoid": (0.0, 1.0, -1.0), "tanh": (1.0, 0.0, -1.0)}


class Numbers:
    """What one step gives: `values` (place, column), NaN where nothing was measured. pending:
    numbers that are still on a device.
    """

    def __init__(self, places: int) -> None:
        self.values = np.full((places, k.COLUMNS), math.nan)
        self.pending: list[tuple[int, int, torch.Tensor]] = []

    def settled(self) -> Floats:
        """All on the host."""
        if self.pending:
            places, columns, tensors = zip(*self.pending, strict=True)
            devices = {tensor.device for tensor in tensors}
            together = [tensor.cpu() for tensor in tensors] if len(devices) > 1 else tensors
            numbers = torch.stack([each.double() for each in together]).tolist()
            for place, column, number in zip(places, columns, numbers, strict=True):
                self.values[place, column] = number
            self.pending = []
        return self.values


class Activated:
    """What of a call is a, and where its slopes come from: `values` (rows, units), not below
    `floor`; `slopes` in one of the ways of `kernels`.
    """

    def __init__(self, call: Call, layer: Layer) -> None:
        normed = bool(layer.norm) and not layer.norm_after
        argument = call.normed if normed else call.z
        assert argument is not None
        plain = not layer.after
        self.floor, self.way, self.slopes = -math.inf, k.NO_SLOPES, None
        self.coefficients = (0.0, 0.0, 0.0)
        if layer.after:
            values = call.normed if layer.after == "norm" else call.after
        elif layer.is_relu or layer.again is identity:
            values = argument
            self.floor = 0.0 if layer.is_relu else -math.inf
        else:
            values = None
        if layer.has_slopes:
            if plain and layer.is_relu:
                self.way = k.OF_RELU
            elif plain and layer.activation in OF_A:
                self.way, self.coefficients = k.OF_A, OF_A[layer.activation]
            else:
                self.way = k.GIVEN
        if self.way == k.GIVEN:
            given, self.slopes = with_slopes(layer, argument)
        elif values is None:
            given = layer.again(argument)  # type: ignore[misc]
        values = given if values is None else values
        assert values is not None
        self.values = values


def with_slopes(layer: Layer, argument: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The activation's value and its derivative, element by element."""
    assert layer.again is not None
    with torch.enable_grad():
        point = argument.detach().requires_grad_()
        values = layer.again(point)
        (slopes,) = torch.autograd.grad(values.sum(), point)
    return values.detach(), slopes


def shows_a(call: Call, layer: Layer) -> bool:
    """Whether a layer's activation can be measured."""
    if layer.after == "hidden" or layer.needs_loss or (not layer.after and layer.again is None):
        return False
    return not (
        (layer.takes_norm and call.normed is None) or (layer.after == "sum" and call.after is None)
    )


class Measuring:
    """Sums on the host. `woken`: by place (units,), 0 where a unit was dead in every step since
    `dead` was called.
    """

    def __init__(self) -> None:
        self.woken: dict[int, Any] = {}
        self.row_squares: dict[int, Any] = {}
        self._memory: dict[Any, Any] = {}

    # --- parameters
    # ----------------------------------------------------------------------------------------------

    def gradient(
        self,
        numbers: Numbers,
        place: int,
        gradient: Any,
        bias: torch.Tensor | None,
        bias_gradient: torch.Tensor | None,
    ) -> None:
        """dL/dW, b and dL/db of a layer, None where there is none."""
        first = next((each for each in (gradient, bias, bias_gradient) if each is not None), None)
        if first is not None:
            k.kernel(k.observe_gradient, _type_of(first))(
                *(_vector(each, first.dtype) for each in (gradient, bias, bias_gradient)),
                numbers.values[place],
            )

    def others(self, numbers: Numbers, row: int, gradients: Sequence[torch.Tensor]) -> None:
        """Σ g² of parameters that are no layer's."""
        total, scratch = 0.0, Numbers(1)
        for gradient in gradients:
            self.gradient(scratch, 0, None, None, gradient)
            total += float(scratch.values[0, k.OTHERS])
        numbers.values[row, k.OTHERS] = total

    def weights(
        self, numbers: Numbers, place: int, before: torch.Tensor, after: torch.Tensor
    ) -> None:
        """W before and after the update."""
        k.kernel(k.observe_weights, _type_of(before))(
            _vector(before, before.dtype),
            _vector(after, before.dtype),
            self.array("sums", UPDATE_SUMS),
            numbers.values[place],
        )

    # --- calls
    # ----------------------------------------------------------------------------------------------

    def input_square(self, x: torch.Tensor) -> torch.Tensor:
        """Σ x² of each row (rows,), float64."""
        found = torch.empty(len(x), dtype=torch.float64)
        k.kernel(k.square_rows, _type_of(x))(_matrix(x, x.dtype), found.numpy())
        return found

    def calls(
        self, numbers: Numbers, calls: Sequence[Call], layers: dict[int, Layer], scale: float
    ) -> None:
        """All calls of a step, in the order of rows. scale: what the loss was multiplied by."""
        by_place = {call.place: call for call in calls}
        self.row_squares = {}
        for call in calls:
            layer, following = layers[call.place], by_place.get(call.feeds)
            self.call(
                numbers, call, layer, following if comes_back(call, following) else None, scale
            )
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
    ) -> None:
        """One call. following: that of the layer that gave dL/da, None where that is not to be
        looked at.
        """
        place, dtype, units = call.place, call.z.dtype, call.units
        settings = self.array(("settings", place), k.SETTINGS)
        settings[k.SLOPES], a, slopes = k.NO_SLOPES, None, None
        if shows_a(call, layer):
            activated = Activated(call, layer)
            a, slopes = activated.values, activated.slopes
            settings[k.FLOOR], settings[k.SLOPES] = activated.floor, activated.way
            settings[k.CONSTANT], settings[k.LINEAR], settings[k.SQUARE] = activated.coefficients
            settings[k.FLAT_BELOW] = (
                layer.flat_below if activated.way in (k.OF_A, k.GIVEN) else math.nan
            )
            self.row_squares[place] = self.array(("squares", place), call.rows)
        settings[k.TINY], settings[k.FACTOR] = call.tiny, call.samples / scale
        settings[k.SAMPLE_SIZE] = call.samples * call.fan_in * units
        known = self.squares_of_input(call)
        woken = self.woken.get(place)
        if settings[k.SLOPES] == k.NO_SLOPES or layer.activation == "linear":
            woken = self.array(("unused", place), units)
        elif woken is None or len(woken) != units:
            woken = self.woken[place] = np.zeros(units)
        returned = None if following is None else call.activation_gradient
        k.kernel(k.observe_call, _type_of(call.z))(
            _matrix(call.z, dtype),
            _matrix(a, dtype),
            _matrix(slopes, dtype),
            _matrix(call.signal, dtype),
            _matrix(returned, dtype),
            _matrix(None if following is None else following.signal, dtype),
            _vector(known, torch.float64) if known is None or torch.is_tensor(known) else known,
            settings,
            self.array(("columns", place), units),
            self.array(("squares", place), call.rows),
            woken,
            numbers.values[place],
        )

    def squares_of_input(self, call: Call) -> Any:
        """Σ x² of each row of a dense layer's input, None where that is not known."""
        if call.signal is None or not call.fan_in:
            return None
        if call.input_square is not None:
            return call.input_square
        return self.row_squares.get(call.source) if call.pooled == 1 else None

    def array(self, key: Any, length: int) -> Floats:
        """Memory that is used again in every step."""
        known = self._memory.get(key)
        if known is None or len(known) != length:
            known = self._memory[key] = np.zeros(length)
        array: Floats = known
        return array

    def dead(self, places: Sequence[int]) -> Floats:
        """(place,): the share of units that were dead on every batch since the last call; NaN of
        layers without a slope of their own.
        """
        woken, self.woken = self.woken, {}
        return np.array(
            [float((woken[place] == 0).mean()) if place in woken else math.nan for place in places]
        )


def comes_back(call: Call, following: Call | None) -> bool:
    """Whether dL/da is there, and the error signal of the layer that it came through."""
    return (
        following is not None
        and call.activation_gradient is not None
        and call.pooled == 1
        and following.signal is not None
        and following.rows == call.rows
        and call.activation_gradient.shape == call.z.shape
    )


_NOTHING = {
    dtype: (torch.empty(0, dtype=dtype).numpy(), torch.empty(0, 0, dtype=dtype).numpy())
    for dtype in (torch.float32, torch.float64)
}
_TYPES = {torch.float32: "float32", torch.float64: "float64"}


def _type_of(tensor: torch.Tensor) -> str:
    """T of what is measured: float32 of what is narrower."""
    return _TYPES.get(tensor.dtype, "float32")


def _matrix(tensor: torch.Tensor | None, dtype: torch.dtype) -> Any:
    """NumPy's array (rows, units) of T, row-major; nothing of None."""
    dtype = dtype if dtype in _TYPES else torch.float32
    return _NOTHING[dtype][1] if tensor is None else _array(tensor, dtype)


def _vector(tensor: torch.Tensor | None, dtype: torch.dtype) -> Any:
    """All its numbers."""
    dtype = dtype if dtype in _TYPES else torch.float32
    return _NOTHING[dtype][0] if tensor is None else _array(tensor, dtype).reshape(-1)


def _array(tensor: torch.Tensor, dtype: torch.dtype) -> Any:
    tensor = tensor.detach()
    if tensor.dtype != dtype or not tensor.is_cpu or not tensor.is_contiguous():
        tensor = tensor.to("cpu", dtype).contiguous()
    return tensor.numpy()


def array_of(tensor: torch.Tensor) -> Any:
    """NumPy's array on the host."""
    return tensor.detach().cpu().numpy()
