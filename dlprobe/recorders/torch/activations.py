"""How the activation of a layer is measured: what is a, and where its slopes come from."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from dlprobe.nn import recorded_sums
from dlprobe.recorders.torch.calls import Call
from dlprobe.recorders.torch.layers import Layer, identity

# coefficients of slopes that are polynomials of a
OF_A = {"linear": (1.0, 0.0, 0.0), "sigmoid": (0.0, 1.0, -1.0), "tanh": (1.0, 0.0, -1.0)}


class Way(NamedTuple):
    """How a layer's activation is measured.

    slopes: as in `recorded_sums`; settings: as they begin there; is_floored: a is what the
    activation is given, but not below a floor; of_z: that is z; wakes: dead units are told.
    """

    slopes: int
    settings: tuple[float, ...]
    is_floored: bool
    of_z: bool
    wakes: bool


def way_of(layer: Layer) -> Way:
    """That of a layer, as far as it is known."""
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
    return Way(slopes, settings, is_floored, of_z, wakes)


NOT_SHOWN = Way(recorded_sums.NO_SLOPES, (0.0,) * 6, False, False, False)


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
