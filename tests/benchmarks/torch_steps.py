"""Training steps of PyTorch, as people write them: eager, and with hooks that record statistics of
every layer.

few     what people record: mean and variance of every activation; norm, RMS and mean |g| of every
        weight gradient
all     close to what dlprobe records: also active fraction, preactivation mean and variance, error
        signal, variance and non-finite elements of the gradient, RMS and maximum of the weights,
        RMS of the bias parameters, size of the update
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import nets
import numpy as np
import torch


def twin(net: nets.Network) -> torch.nn.Sequential:
    """The same net in PyTorch, with the same weights."""
    modules: list[torch.nn.Module] = []
    for index, layer in enumerate(net.layers):
        linear = torch.nn.Linear(layer.fan_in, layer.fan_out)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(net.weights(index).T.copy()))
            linear.bias.copy_(torch.from_numpy(net.biases(index).copy()))
        modules += [linear] if index == len(net.layers) - 1 else [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules)


def batches(samples: int, batch: int) -> Iterator[torch.Tensor]:
    """Shuffled indices, epoch after epoch, kept in memory: the quickest loader there is."""
    while True:
        yield from torch.randperm(samples).split(batch)


def eager(
    model: torch.nn.Sequential,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    batch: int,
    after: Callable[[], None] | None,
) -> Callable[[int], None]:
    """Plain training steps; `after` is called when the gradients are there."""
    optimizer, loss_of = (
        torch.optim.SGD(model.parameters(), lr=nets.RATE),
        torch.nn.CrossEntropyLoss(),
    )
    order = batches(len(inputs), batch)

    def run(steps: int) -> None:
        for _ in range(steps):
            rows = next(order)
            optimizer.zero_grad()
            loss_of(model(inputs[rows]), labels[rows]).backward()
            if after is not None:
                after()
            optimizer.step()

    return run


def few(model: torch.nn.Sequential, row: list[float]) -> Callable[[], None]:
    """Hooks for the few statistics; what is returned reads the gradients. All of them end as
    floats in `row`, each step.
    """

    def activation(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
        a = output.detach()
        row.extend((a.mean().item(), a.var(correction=0).item()))

    for module in model:
        if isinstance(module, torch.nn.ReLU) or module is model[-1]:
            module.register_forward_hook(activation)
    weights = [module.weight for module in model if isinstance(module, torch.nn.Linear)]

    def gradients() -> None:
        for weight in weights:
            g = weight.grad
            assert g is not None
            norm = g.norm().item()
            row.extend((norm, norm / g.numel() ** 0.5, g.abs().mean().item()))
        row.clear()  # where somebody would hand it to a logger

    return gradients


def everything(model: torch.nn.Sequential, row: list[float]) -> Callable[[], None]:
    """Hooks for all statistics, on top of the few."""
    usual = few(model, row)

    def preactivation(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
        z = output.detach()
        row.extend(
            (z.mean().item(), z.var(correction=0).item(), z.isfinite().logical_not().sum().item())
        )
        output.register_hook(
            lambda d: row.append(d.square().mean().sqrt().item() * len(d))
        )  # error signal

    def activity(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
        row.append((output.detach() > 0).float().mean().item())

    for module in model:
        module.register_forward_hook(
            preactivation if isinstance(module, torch.nn.Linear) else activity
        )
    linear = [module for module in model if isinstance(module, torch.nn.Linear)]

    @torch.no_grad()
    def gradients() -> None:
        for module in linear:
            g, w = module.weight.grad, module.weight
            assert g is not None
            row.extend(
                (
                    g.var(correction=0).item(),
                    g.isfinite().logical_not().sum().item(),
                    w.square().mean().sqrt().item(),
                    w.abs().max().item(),
                )
            )
            row.extend(
                (
                    module.bias.square().mean().sqrt().item(),
                    (nets.RATE * g).norm().item() / w.norm().item(),
                )
            )
        usual()

    return gradients


def same_loss(
    net: nets.Network, model: torch.nn.Sequential, inputs: torch.Tensor, labels: torch.Tensor
) -> None:
    """Raises AssertionError where the two nets compute something else."""
    with torch.no_grad():
        theirs = float(torch.nn.functional.cross_entropy(model(inputs), labels))
    targets = nets.one_hot(labels.numpy(), net.layers[-1].units)
    assert np.isclose(net.evaluate(inputs.numpy(), targets).loss, theirs, rtol=1e-4), (
        "the nets differ"
    )
