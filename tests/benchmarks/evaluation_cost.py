"""What an evaluation of training and validation part costs beyond its forward passes, and epochs
with evaluation against a jitted epoch of JAX (only where it is installed).

Whole runs with their journal being written, evaluated after every epoch, against the same runs
without; the forward passes are those of the same kernels over the same samples, without
statistics, dead units and metrics. CPU time of the process; sides take turns. JAX trains the same
layers with Adam on as many samples and batches, on one thread, and evaluates loss and accuracy.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring import Side, by_turns, print_table

from dlprobe.config import RunConfig, from_options
from dlprobe.data import PreparedData, load, prepare
from dlprobe.runs import RunWriter
from dlprobe.training import trainer
from dlprobe.training.describe import describe

NETS: tuple[tuple[str, dict[str, str], int, str], ...] = (
    ("xor 8", {"data": "xor(samples=4)", "split": "100,0,0", "layers": "8"}, 20_000, "-"),
    ("16,16", {"layers": "16,16"}, 1500, "≥ 3"),
    ("100,100", {"layers": "100,100"}, 400, "≥ 1.5"),
    ("100x20", {"layers": "100x20"}, 60, "≥ 1.5"),
)  # name, options, epochs of a round, target against JAX
PARTS = ("train", "val")


def config_of(options: dict[str, str], epochs: int, every: str) -> RunConfig:
    """As `dlprobe train` has it, without instruments."""
    given = {"epochs": str(epochs), "evaluate_every": every, "histogram_every": "never"}
    return from_options(None, {**options, **given})


def run(config: RunConfig, data: PreparedData, folder: Path) -> None:
    """One run with its journal, which is not packed."""
    session = trainer.start(config, data)
    with RunWriter.create(folder / "run.h5", describe(session), force=True) as writer:
        trainer.run(session, writer, beside_plain=False)


def forward_passes(config: RunConfig, data: PreparedData, times: int) -> Side:
    """Both parts through the net, `times` times."""
    session = trainer.start(config, data)
    passes = [
        session.network.evaluations(data.inputs[part], session.targets[part], room=times)
        for part in PARTS
    ]

    def forward() -> None:
        for each in passes:
            each.taken = 0
            for _ in range(times):
                each.take()

    return forward


def jax_epochs(data: PreparedData, config: RunConfig, epochs: int) -> Side | None:
    """The same epochs in JAX, None where it is not installed."""
    try:
        import jax
        import jax.numpy as jnp
    except ImportError:
        return None
    sizes = [data.inputs["train"].shape[1], *config.model.layers, data.outputs]
    keys = jax.random.split(jax.random.PRNGKey(0), len(sizes))
    start = [
        (jax.random.normal(key, (a, b)) * (2 / a) ** 0.5, jnp.zeros(b))
        for key, a, b in zip(keys, sizes, sizes[1:], strict=False)
    ]
    held = {part: (jnp.array(data.inputs[part]), jnp.array(data.targets[part])) for part in PARTS}
    x, y = held["train"]
    batch = 32

    def outputs(weights: Any, inputs: Any) -> Any:
        for number, (w, b) in enumerate(weights):
            inputs = inputs @ w + b
            inputs = jax.nn.relu(inputs) if number < len(weights) - 1 else inputs
        return inputs

    def loss(weights: Any, inputs: Any, labels: Any) -> Any:
        logs = jax.nn.log_softmax(outputs(weights, inputs))
        return -logs[jnp.arange(len(labels)), labels].mean()

    @jax.jit
    def epoch(state: Any, key: Any) -> Any:
        order = jax.random.permutation(key, len(x))[: len(x) // batch * batch].reshape(-1, batch)

        def step(carried: Any, rows: Any) -> Any:
            weights, m, v, t = carried
            _, slopes = jax.value_and_grad(loss)(weights, x[rows], y[rows])
            t = t + 1
            m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, slopes)
            v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, slopes)
            rate, root = 1e-3 / (1 - 0.9**t), (1 - 0.999**t) ** -0.5
            weights = jax.tree.map(
                lambda p, a, b: p - rate * a / (jnp.sqrt(b) * root + 1e-8), weights, m, v
            )
            return (weights, m, v, t), 0

        state, _ = jax.lax.scan(step, state, order)
        measured = [
            (loss(state[0], *part), (outputs(state[0], part[0]).argmax(1) == part[1]).mean())
            for part in held.values()
        ]
        return state, measured

    def train() -> None:
        zeros = jax.tree.map(jnp.zeros_like, start)
        state, key = (start, zeros, zeros, 0.0), jax.random.PRNGKey(1)
        for _ in range(epochs):
            key, one = jax.random.split(key)
            state, measured = epoch(state, one)
            jax.tree.map(float, measured)

    return train


@contextmanager
def one_thread() -> Iterator[None]:
    """JAX reads this when it is imported."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault(
        "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    )
    yield


def row(name: str, options: dict[str, str], epochs: int, target: str, rounds: int) -> list[str]:
    """One net: microseconds of an evaluation, its forward passes, what is allowed, and the ratio
    to JAX.
    """
    with tempfile.TemporaryDirectory() as folder, one_thread():
        evaluated, plain = (config_of(options, epochs, every) for every in ("1", "never"))
        data = prepare(load(plain.data, 0), plain.data, 0, plain.training.dtype)
        sides: dict[str, Callable[[], object]] = {
            "evaluated": lambda: run(evaluated, data, Path(folder)),
            "plain": lambda: run(plain, data, Path(folder)),
            "forward": forward_passes(plain, data, epochs),
        }
        peer = jax_epochs(data, plain, epochs) if data.task == "classification" else None
        seconds = by_turns(sides | ({} if peer is None else {"jax": peer}), rounds)
    with_it, without, forward = (seconds[side] for side in ("evaluated", "plain", "forward"))
    one = statistics.median(1e6 * (a - b) / epochs for a, b in zip(with_it, without, strict=True))
    passes = 1e6 * statistics.median(forward) / epochs
    against = (
        f"{statistics.median(a / b for a, b in zip(seconds['jax'], with_it, strict=True)):.2f}"
        if peer is not None
        else "-"
    )
    epoch = 1e6 * statistics.median(with_it) / epochs
    numbers = (epoch, one, passes, 1.3 * passes + 60)
    return [name, *(f"{number:.0f}" for number in numbers), against, target]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="names of nets, separated by spaces")
    asked = parser.parse_args()
    chosen = [net for net in NETS if not asked.only or net[0] in asked.only.split(" ")]
    columns = [
        "net",
        "epoch µs",
        "evaluation µs",
        "forward µs",
        "allowed",
        "JAX / dlprobe",
        "target",
    ]
    print_table(
        "epochs with evaluation of training and validation part",
        columns,
        [row(*net, asked.rounds) for net in chosen],
    )


if __name__ == "__main__":
    main()
