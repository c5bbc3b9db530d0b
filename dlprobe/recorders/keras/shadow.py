"""A Keras model as the PyTorch recorder sees models: a tree of torch modules, one for each layer,
that are called with what the layer does.

Keras's layers call no hooks of PyTorch, and z stands nowhere between a Dense and its activation. So
at recorded steps `call` of the model and of its layers, and the activation of those with weights,
lead through their shadows, which PyTorch's hooks are on. Between such steps nothing of the model is
changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import torch

from dlprobe.recorders.torch.passes import Passes
from dlprobe.recorders.torch.tracing import Operation

CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
NORMS = {
    keras.layers.BatchNormalization: "batch",
    keras.layers.LayerNormalization: "layer",
    keras.layers.GroupNormalization: "group",
    keras.layers.RMSNormalization: "rms",
}


class Shadow(torch.nn.Module):
    """One layer. kind: as `torch.modules.kind_of` names it, "norm", or empty for a layer
    without weights; fans: fan_in and fan_out.
    """

    def __init__(self, layer: Any, kind: str) -> None:
        super().__init__()
        self.kind, self.layer_class = kind, type(layer).__name__
        self.fans: tuple[int, int] | None = None
        self.out_channels, self.units_axis = 0, -1
        if kind in ("dense", "convolution"):
            kernel = layer.kernel.value
            self.weight = kernel
            self.bias = None if layer.bias is None else layer.bias.value
            units = int(kernel.shape[-1])
            self.fans, self.out_channels = (kernel.numel() // units, units), units
            self.units_axis = 1 if getattr(layer, "data_format", "") == "channels_first" else -1

    def forward(self, inputs: Any, result: Any) -> Any:
        """What the layer gave, seen by hooks."""
        return result


class Model(torch.nn.Module):
    """The shadow of a whole model; `run` is called through it, so that hooks see where a pass
    begins and ends.
    """

    def __init__(self, layers: dict[str, Shadow]) -> None:
        super().__init__()
        for name, shadow in layers.items():
            self.add_module(name.replace(".", "_"), shadow)

    def forward(
        self, run: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        return run(*arguments, **options)


def leaves(model: Any) -> Iterator[Any]:
    """Layers that hold no others, in the order of the model."""
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if not list(layer._flatten_layers(include_self=False, recursive=False)) and not isinstance(
            layer, keras.layers.InputLayer
        ):
            yield layer


def kind_of(layer: Any) -> str:
    """What a layer is to the recorder."""
    if type(layer) is keras.layers.Dense:
        return "dense"
    if type(layer) in CONVOLUTIONS and layer.groups == 1:
        return "convolution"
    return "norm" if type(layer) in NORMS else ""


class Watched:
    """A Keras model with its shadow, and what is replaced in it while a step is recorded."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._layers = {layer.name: layer for layer in leaves(model)}
        self._shadows = {
            name: Shadow(layer, kind_of(layer)) for name, layer in self._layers.items()
        }
        self.shadow = Model(self._shadows)
        self._replaced: list[tuple[Any, str, Any]] = []

    def begin(self, passes: Passes) -> None:
        """Lead calls through the shadows until `end`."""
        whole = self._model.call
        self._replace(
            self._model,
            "call",
            lambda *arguments, **options: self.shadow(whole, arguments, options),
        )
        for name, layer in self._layers.items():
            shadow = self._shadows[name]
            if shadow.kind in ("dense", "convolution"):
                self._lead_activation(layer, shadow)
            else:
                self._lead_call(layer, shadow, passes)

    def end(self) -> None:
        """Put everything back."""
        for owner, name, before in reversed(self._replaced):
            if before is None:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        self._replaced = []

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        self._replaced.append((owner, name, owner.__dict__.get(name)))
        setattr(owner, name, value)

    def _lead_activation(self, layer: Any, shadow: Shadow) -> None:
        call, activation = layer.call, layer.activation
        taken: list[Any] = []

        def called(inputs: Any, *arguments: Any, **options: Any) -> Any:
            taken[:] = [inputs]
            result = call(inputs, *arguments, **options)
            return shadow(inputs, result) if activation is None else result

        self._replace(layer, "call", called)
        if activation is not None:
            self._replace(layer, "activation", lambda z: activation(shadow(taken[0], z)))

    def _lead_call(self, layer: Any, shadow: Shadow, passes: Passes) -> None:
        call, norm = layer.call, NORMS.get(type(layer))

        def called(inputs: Any, *arguments: Any, **options: Any) -> Any:
            if norm is None or not isinstance(inputs, torch.Tensor):
                return shadow(inputs, call(inputs, *arguments, **options))
            with passes.discovery.as_one(
                inputs, Operation("norm", norm)
            ) as made:  # Keras normalizes by plain arithmetic
                made.append(call(inputs, *arguments, **options))
            return shadow(inputs, made[0])

        self._replace(layer, "call", called)
