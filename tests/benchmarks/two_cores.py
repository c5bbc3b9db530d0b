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
import numpy as np
import torch
from measuring import by_turns, median_ratio, microseconds, print_table
from training_speed import eager, twin

SHAPES = (("784-300-100-10", 128, 60), ("784-2048-2048-2048-10", 128, 3))  # and steps of a turn
THREADS = 2
Side = Callable[[int], object]


def in_jax(net: nets.Network, inputs: Any, labels: Any, batch: int) -> Side | None:
    """The same net and steps in JAX, a scan over batches; None where JAX is not installed."""
    try:
        import jax
        import jax.numpy as jnp
    except ImportError:
        return None
    layers = range(len(net.layers))
    start = [(jnp.array(net.weights(k)), jnp.array(net.biases(k))) for k in layers]
    x, y = jnp.array(inputs), jnp.array(labels)

    def loss(parameters: Any, rows: Any, classes: Any) -> Any:
        for k, (w, b) in enumerate(parameters):
            rows = rows @ w + b if k == len(parameters) - 1 else jax.nn.relu(rows @ w + b)
        return -jax.nn.log_softmax(rows)[jnp.arange(len(classes)), classes].mean()

    assert np.isclose(float(loss(start, x, y)), net_loss(net, inputs, labels), rtol=1e-4)

    @jax.jit
    def run(parameters: Any, order: Any) -> Any:
        def step(parameters: Any, rows: Any) -> Any:
            slopes = jax.grad(loss)(parameters, x[rows], y[rows])
            return jax.tree.map(lambda p, g: p - nets.RATE * g, parameters, slopes), None

        return jax.lax.scan(step, parameters, order)[0]

    def side(steps: int) -> None:
        epochs = -(-steps * batch // len(x))
        order = np.concatenate([np.random.permutation(len(x)) for _ in range(epochs)])
        jax.block_until_ready(run(start, jnp.array(order[: steps * batch].reshape(steps, batch))))

    return side


def net_loss(net: nets.Network, inputs: Any, labels: Any) -> float:
    return net.evaluate(inputs, nets.one_hot(labels, net.layers[-1].units)).loss


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
    with torch.no_grad():
        expected = float(torch.nn.functional.cross_entropy(model(x), y))
    assert np.isclose(net_loss(net, inputs, labels), expected, rtol=1e-4), "the nets differ"
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
