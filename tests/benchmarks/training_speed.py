"""Time of a training step: dlprobe with all statistics on, against PyTorch eager without statistics
and with per-layer statistics by hooks.

One thread, float32, SGD, the same net from the same weights. CPU time of the process; sides take
turns. Two sets of statistics by hooks:

few   what people record: mean and variance of every activation; norm, RMS and mean |g| of every
    weight gradient
all   close to what dlprobe records: also active fraction, preactivation mean and variance, error
      signal, variance and non-finite elements of the gradient, RMS and maximum of the weights, RMS
      of the bias parameters, size of the update
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import nets
import numpy as np
import torch
from measuring import by_turns, median_ratio, microseconds, print_table, steps_for

# shape, batch, at least so many times PyTorch eager without statistics, and with the few by hooks
SHAPES: tuple[tuple[str, int, float | None, float | None], ...] = (
    ("2-16-16-2", 32, None, None),
    ("64-300-100-10", 32, None, None),
    ("64-[100]×20-10", 32, 3.0, 6.0),
    ("64-[64]×50-10", 32, None, None),
    ("784-300-100-10", 128, 1.3, None),
)


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


def sides_of(shape: str, batch: int) -> dict[str, Callable[[int], object]]:
    """The four sides, each a function of the number of steps; they are checked to compute the
    same loss.
    """
    sizes = nets.sizes_of(shape)
    inputs, labels = nets.data(sizes, batch)
    targets = nets.one_hot(labels, sizes[-1])
    net = nets.network(sizes, batch)
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
    plain, some, full = twin(net), twin(net), twin(net)
    with torch.no_grad():
        expected = float(torch.nn.functional.cross_entropy(plain(x), y))
    assert np.isclose(net.evaluate(inputs, targets).loss, expected, rtol=1e-4), "the nets differ"
    return {
        "dlprobe": lambda steps: nets.train(net, inputs, targets, steps),
        "eager": eager(plain, x, y, batch, None),
        "few": eager(some, x, y, batch, few(some, [])),
        "all": eager(full, x, y, batch, everything(full, [])),
    }


def wanted(target: float | None) -> str:
    return "" if target is None else f"≥ {target:g}"


def measure(
    shape: str, batch: int, targets: tuple[float | None, float | None], rounds: int, seconds: float
) -> list[str]:
    """One row of the table."""
    sides = sides_of(shape, batch)
    steps = {name: steps_for(seconds, side) for name, side in sides.items()}
    found = by_turns(
        {name: (lambda side=side, name=name: side(steps[name])) for name, side in sides.items()},
        rounds,
    )
    each = {name: [value / steps[name] for value in values] for name, values in found.items()}
    ratios = [
        f"{median_ratio(each[name], each['dlprobe']):.2f}×" for name in ("eager", "few", "all")
    ]
    return [
        f"{shape}, batch {batch}",
        *(microseconds(each[name], 1) for name in sides),
        ratios[0],
        wanted(targets[0]),
        ratios[1],
        wanted(targets[1]),
        ratios[2],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each side in each round")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        measure(shape, batch, (plain, hooks), given.rounds, given.seconds)
        for shape, batch, plain, hooks in SHAPES
    ]
    columns = [
        "net",
        "dlprobe µs/step",
        "eager",
        "few",
        "all",
        "eager ÷ dlprobe",
        "target",
        "few ÷ dlprobe",
        "target",
        "all ÷ dlprobe",
    ]
    print_table(
        (
            f"Training step, all statistics on, against PyTorch {torch.__version__} (CPU time, "
            f"median of {given.rounds})"
        ),
        columns,
        rows,
    )


if __name__ == "__main__":
    main()
