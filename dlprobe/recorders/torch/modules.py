"""Which modules of a model are recorded as layers, and what of each: weights, bias, and where
its units are in its output.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import nn

from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError

CONVOLUTIONS = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
WRAPPERS = {"OptimizedModule": "_orig_mod", "DistributedDataParallel": "module"}


@dataclass(frozen=True)
class Site:
    """A module that is recorded as a layer. kind: dense, convolution, embedding or recurrent."""

    name: str
    module: nn.Module
    kind: str

    @cached_property
    def weights(self) -> list[nn.Parameter]:
        """The parameters that are its W: several of a recurrent layer; none where W is made
        from others (parametrizations).
        """
        own = dict(self.module.named_parameters(recurse=False))
        return [
            value
            for key, value in own.items()
            if key.startswith("weight") and not key.endswith(("_g", "_v"))
        ]

    @cached_property
    def bias(self) -> nn.Parameter | None:
        """The bias parameters of a layer that has one vector of them, else None."""
        return None if self.kind == "recurrent" else getattr(self.module, "bias", None)

    @property
    def class_name(self) -> str:
        """The class that its owner wrote."""
        return str(getattr(self.module, "layer_class", type(self.module).__name__))

    @property
    def sizes(self) -> tuple[int | None, int | None]:
        """(fan_in, fan_out); (None, None) for layers that are neither dense nor convolutions.
        fan_in of a convolution counts channels times kernel positions.
        """
        weights, fans = self.weights, getattr(self.module, "fans", None)
        if fans is not None:  # of Keras, whose kernels have their outputs last
            return int(fans[0]), int(fans[1])
        if not weights or self.kind not in ("dense", "convolution"):
            return None, None
        if self.kind == "dense":
            return int(weights[0].shape[1]), int(weights[0].shape[0])
        across = (
            weights[0][0].numel()
            if not isinstance(self.module, CONVOLUTIONS[3:])
            else weights[0][:, 0].numel()
        )
        return int(across), int(self.module.out_channels)

    def output(self, result: Any) -> torch.Tensor | None:
        """The tensor that a call gives, with its units last; None where it gives none."""
        if self.kind == "recurrent":
            result = result[0]
            result = result.data if isinstance(result, nn.utils.rnn.PackedSequence) else result
        return result if isinstance(result, torch.Tensor) else None

    def units_last(self, tensor: torch.Tensor) -> torch.Tensor:
        """(samples, …, units) of what a call gave, or of its gradient."""
        first = (
            self.kind == "convolution"
            and tensor.dim() > 2
            and getattr(self.module, "units_axis", 1) == 1
        )
        return tensor.movedim(1, -1) if first else tensor

    def samples(self, tensor: torch.Tensor) -> int:
        """Samples in a batch; recurrent layers have time first unless they say otherwise."""
        if tensor.dim() < 2:
            return 1
        time_first = self.kind == "recurrent" and tensor.dim() == 3 and not self.module.batch_first
        return int(tensor.shape[1 if time_first else 0])


def unwrapped(model: Any) -> nn.Module:
    """The model itself, out of compile and DistributedDataParallel. Raises ConfigError for what
    cannot be recorded through hooks.
    """
    while type(model).__name__ in WRAPPERS:
        model = getattr(model, WRAPPERS[type(model).__name__])
    if not isinstance(model, nn.Module):
        raise ConfigError(
            f"model is a {type(model).__name__}, expected a torch.nn.Module; "
            "of one that is compiled twice give the module itself"
        )
    for module in model.modules():
        kind = type(module).__name__
        if kind in ("DataParallel", "FullyShardedDataParallel", "FSDP") or kind.startswith("FSDP"):
            raise ConfigError(
                f"{kind} hands hooks pieces of the model: record it with "
                "dlprobe.recorders.Probe, which runs passes of its own"
            )
    for name, parameter in model.named_parameters():
        if getattr(parameter, "_post_accumulate_grad_hooks", None):
            raise ConfigError(
                f"{name} has a hook that runs when its gradient is there (an optimizer inside "
                "the backward pass?), "
                "so that gradients may be gone when a step ends: "
                "record it with dlprobe.recorders.Probe, which runs passes of its own"
            )
        if type(parameter.data).__name__ == "DTensor":
            raise ConfigError(
                f"{name} is sharded (DTensor): record the model with dlprobe.recorders.Probe, "
                "which runs passes of its own"
            )
    return model


def is_norm(module: nn.Module) -> bool:
    """Whether a module normalizes."""
    return isinstance(module, NORMS) or (hasattr(module, "layer_class") and module.kind == "norm")


def sites_of(model: nn.Module) -> list[Site]:
    """Every module that can be a layer, in the order of `named_modules`; each once, under its
    first name.
    """
    sites = [
        Site(name or type(module).__name__, module, kind)
        for name, module in model.named_modules()
        if (kind := kind_of(module))
    ]
    return [Site(site.name.replace("_orig_mod.", ""), site.module, site.kind) for site in sites]


def kind_of(module: nn.Module) -> str:
    """The kind of layer that a module is; empty for none."""
    if hasattr(module, "layer_class"):  # the shadow of a layer of Keras
        return module.kind if module.kind in ("dense", "convolution") else ""
    if isinstance(module, nn.Linear):
        return "dense"
    if isinstance(module, CONVOLUTIONS):
        return "convolution"
    if isinstance(module, nn.Embedding):
        return "embedding"
    return "recurrent" if isinstance(module, RECURRENT) else ""
