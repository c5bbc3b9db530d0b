"""One large net on two cores: dlprobe with all statistics on, against PyTorch eager and a jitted
step of JAX without any, all three on two threads; and dlprobe on one.

Wall time, sides by turns. `--busy` keeps one more process computing meanwhile. Where JAX is not
installed its column is empty. The losses of the first step of all sides are checked to be the same.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import nets
import torch
from jax_steps import in_jax
from measuring import by_turns, median_ratio, microseconds, print_table
from torch_steps import eager, same_loss, twin

SHAPES = (("784-300-100-10", 128, 60), ("784-2048-2048-2048-10", 128, 3))  # and steps of a turn
THREADS = 2
Side = Callable[[int], object]


def on_threads(net: nets.Network, inputs: Any, targets: Any, threads: int) -> Side:
    """dlprobe on that many threads."""

    def side(steps: int) -> None:
        net.threads = threads
        nets.train(net, inputs, targets, steps)

    return side


def measure(shape: str, batch: int, steps: int, rounds: int) -> list[str]:
    """One row of the table."""
    sizes = nets.sizes_of(shape)
    inputs, labels = nets.data(sizes, batch)
    targets = nets.one_hot(labels, sizes[-1])
    net = nets.network(sizes, batch)
    x, y, model = torch.from_numpy(inputs), torch.from_numpy(labels), twin(net)
    same_loss(net, model, x, y)
    sides: dict[str, Side] = {"torch": eager(model, x, y, batch, None)}
    if (jax := in_jax(net, inputs, labels, batch)) is not None:
        sides["jax"] = jax
    sides |= {str(threads): on_threads(net, inputs, targets, threads) for threads in (1, THREADS)}
    found = by_turns(
        {name: (lambda side=side: side(steps)) for name, side in sides.items()},  # type: ignore[misc]
        rounds,
        time.perf_counter,
    )
    ours = found[str(THREADS)]
    # three products of each layer, but two of the first
    products = sum(3 * a * b for a, b in pairwise(sizes)) - sizes[0] * sizes[1]
    operations = 2 * batch * products
    return [
        f"{shape}, batch {batch}",
        microseconds(ours, steps),
        f"{operations * steps / min(ours) / 1e9:.0f}",
        *(
            f"{median_ratio(found[name], ours):.2f}× ({min(found[name]) / min(ours):.2f}×)"
            if name in found
            else ""
            for name in ("1", "torch", "jax")
        ),
    ]


def _keep_busy() -> None:
    while True:
        pass


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Other processes that compute meanwhile."""
    others = [multiprocessing.Process(target=_keep_busy, daemon=True) for _ in range(processes)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--busy", type=int, default=0, help="other processes that compute")
    given = parser.parse_args()
    torch.set_num_threads(THREADS)
    with busy(given.busy):
        rows = [measure(*shape, given.rounds) for shape in SHAPES]
    print_table(
        f"A training step on {THREADS} threads, {given.busy} other processes busy: median of "
        f"{given.rounds} rounds (and of the fastest ones)",
        ["net", "dlprobe µs", "GFLOP/s", "one thread", f"PyTorch {torch.__version__}", "JAX"],
        rows,
    )


if __name__ == "__main__":
    main()
