"""What a run file says of a PyTorch model and its optimizer, in dlprobe's words; what is not
known is left out, with a note where one would look for it.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from dlprobe.record.description import LayerFacts, RunFacts
from dlprobe.record.frameworks import TORCH_OPTIMIZERS
from dlprobe.recorders.torch.layers import Layer
from dlprobe.recorders.torch.passes import Passes
from dlprobe.version import version

PROBED = "every row is of one extra pass on a fixed batch, so updates are not recorded"
NORMS = ("batch", "layer", "group", "rms")


def layer_facts(passes: Passes, batch: int = 0) -> list[LayerFacts]:
    """One entry per row, names as in the model."""
    return [_facts(passes.layers[place]) for place in passes.ranks]


def _facts(layer: Layer) -> LayerFacts:
    fan_in, fan_out = layer.site.sizes
    weights = layer.site.weights
    bias = layer.site.bias
    units = int(layer.site.module.out_channels) if layer.site.kind == "convolution" else fan_out
    return LayerFacts(
        layer.name,
        fan_in=fan_in,
        fan_out=fan_out,
        units=units,
        activation=layer.activation,
        normalization=(layer.norm if layer.norm in NORMS else None) if layer.norm else "none",
        norm_position=("after" if layer.norm_after else "before") if layer.norm else "",
        residual=None if layer.residual else "none",
        dropout=layer.dropout,
        parameter_count=sum(each.numel() for each in [*weights, *([] if bias is None else [bias])]),
    )


def run_facts(
    model: nn.Module, optimizer: Any, passes: Passes, samples: int, distributed: bool
) -> RunFacts:
    """How the run is trained. optimizer: None of a probe, which knows neither it nor the
    batches of the training; samples: of a whole step.
    """
    dropouts = [passes.layers[place].dropout for place in passes.ranks]
    known = RunFacts(
        loss=passes.loss,
        dropout=max(dropouts, default=0.0),
        notes=tuple(notes(model, passes, distributed)) or None,
    )
    if optimizer is None:
        return replace(known, notes=(PROBED, *(known.notes or ())))
    group = optimizer.param_groups[0]
    return replace(
        known,
        batch_size=samples or None,
        optimizer=optimizer_text(optimizer),
        learning_rate=float(group["lr"]),
        momentum=float(group.get("momentum", 0.0)),
        l2=float(group.get("weight_decay", 0.0)),
    )


def optimizer_text(optimizer: Any) -> str:
    """dlprobe's name of an optimizer with its parameters, or PyTorch's where dlprobe has none."""
    group: Mapping[str, Any] = optimizer.param_groups[0]
    kind = getattr(optimizer, "kind", type(optimizer).__name__)
    if kind == "SGD":
        momentum = float(group["momentum"])
        name = ("nesterov" if group["nesterov"] else "momentum") if momentum else "sgd"
        return f"{name}(momentum={momentum:g})" if momentum else name
    if kind == "Adam" and group.get("amsgrad"):
        return "amsgrad"
    name = TORCH_OPTIMIZERS.get(kind, kind.lower())
    if "betas" not in group or kind not in TORCH_OPTIMIZERS:
        return name
    return f"{name}(beta1={group['betas'][0]:g}, beta2={group['betas'][1]:g})"


def decays(optimizer: Any) -> bool:
    """Whether a weight decay is part of the gradient that an optimizer goes by: a penalty by
    another name; AdamW's is not.
    """
    apart = getattr(optimizer, "kind", type(optimizer).__name__) == "AdamW"
    return not apart and any(
        group.get("weight_decay") and not group.get("decoupled_weight_decay")
        for group in optimizer.param_groups
    )


def notes(model: nn.Module, passes: Passes, distributed: bool) -> list[str]:
    """What is not in the file, and why."""
    layers = [passes.layers[place] for place in passes.ranks]
    found = [note for layer in layers for note in layer.notes]
    found += [
        f"{name}: never called as a module, so it is not recorded" for name in passes.never_called
    ]
    frozen = [
        layer.name
        for layer in layers
        if layer.site.weights and not any(each.requires_grad for each in layer.site.weights)
    ]
    found += [f"{name}: frozen, so it has no gradient and no update" for name in frozen]
    found += [
        (
            f"{layer.name}: its weight is made from other parameters, so weight and gradient are "
            "not recorded"
        )
        for layer in layers
        if not layer.site.weights
    ]
    found += [
        f"{layer.name}: its error signal is one of each token, to which that of a layer behind "
        "many tokens cannot be compared, so it is not recorded"
        for layer in layers
        if layer.site.kind == "embedding"
    ]
    owners: dict[int, str] = {}
    for layer in layers:
        for weight in layer.site.weights:
            first = owners.setdefault(id(weight), layer.name)
            if first != layer.name:
                found.append(
                    f"{layer.name}: shares its weight with {first}: the gradient of both is "
                    "the sum over their uses"
                )
    if any(layer.site.kind != "dense" for layer in layers):
        found.append("gradient_sample_rms is recorded of dense layers only")
    if distributed:
        found.append(
            "activations and error signals are those of the samples of process 0; gradients "
            "are those of all processes"
        )
    return found


def special_ranks(passes: Passes) -> tuple[list[int], list[int], list[int]]:
    """Three lists of ranks: whose weights no earlier rank has; whose samples have no gradient of
    their own (a batch norm in or behind them, or weights that several layers share); and of
    embeddings.
    """
    layers = [passes.layers[place] for place in passes.ranks]
    weights = [[id(weight) for weight in layer.site.weights] for layer in layers]
    once = [rank for rank, own in enumerate(weights) if own and own not in weights[:rank]]
    mixing = max((rank for rank, layer in enumerate(layers) if layer.norm == "batch"), default=-1)
    shared = [rank for rank, own in enumerate(weights) if own and weights.count(own) > 1]
    embeddings = [rank for rank, each in enumerate(layers) if each.site.kind == "embedding"]
    return once, sorted({*range(mixing + 1), *shared}), embeddings


def environment(model: nn.Module, passes: Passes) -> dict[str, Any]:
    """Versions and device; of each row's module its class, the module that is its activation,
    and the axes of its output.
    """
    device = next((str(parameter.device) for parameter in model.parameters()), "cpu")
    layers = [passes.layers[place] for place in passes.ranks]
    modules = [
        {
            "name": layer.name,
            "kind": layer.site.class_name,
            "activation": layer.activation_module,
            "axes": layer.axes,
            **({"inside_loss": layer.inside_loss} if layer.inside_loss else {}),
        }
        for layer in layers
    ]
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "dlprobe": version(),
    }
    return {**versions, "device": device, "threads": torch.get_num_threads(), "modules": modules}
