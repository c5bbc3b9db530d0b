"""What people write in place of a dlprobe command, one whole process each: `peer_loops.py LIBRARY
JOB`, JOB as JSON. Prints JSON: the final training loss of every net.

The grids record mean and variance of the activations, RMS of error signal, gradient and weights of
every layer at every step, as dlprobe does (with 20 statistics more). Threads, precision, batches,
Adam and the number of steps are those of dlprobe's side; the loops are plain ones: one net after
another, one transfer of numbers a step (PyTorch) or an epoch (JAX, one compiled function per
shape).
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

RATE, BATCH = 0.001, 32
Grid = dict[str, Any]
DEVIATIONS: dict[str, Callable[[int, int], float]] = {
    "he_normal": lambda fan_in, fan_out: (2 / fan_in) ** 0.5,
    "lecun_normal": lambda fan_in, fan_out: (1 / fan_in) ** 0.5,
    "glorot_normal": lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5,
    "normal(std=0.05)": lambda fan_in, fan_out: 0.05,
    "normal(std=1)": lambda fan_in, fan_out: 1.0,
}


def digits(seed: int) -> tuple[Any, Any]:
    """The training part: 1,078 rows, standardized."""
    from sklearn.datasets import load_digits

    inputs, classes = load_digits(return_X_y=True)
    rows = np.random.default_rng(seed).permutation(len(inputs))[:1078]
    inputs = (inputs - inputs[rows].mean(0)) / (inputs[rows].std(0) + 1e-9)
    return inputs[rows].astype(np.float32), classes[rows]


def nets(grid: Grid) -> Iterator[tuple[int, str, str, int]]:
    """(depth, activation, initializer, seed) of every net, equal shapes after one another."""
    yield from itertools.product(
        grid["depth"], grid["activation"], grid["init"], range(grid["seeds"])
    )


def torch_grid(grid: Grid) -> list[float]:
    import torch

    torch.set_num_threads(grid["threads"])
    inputs, classes = (torch.tensor(part) for part in digits(0))
    losses = []
    for depth, activation, init, seed in nets(grid):
        torch.manual_seed(seed)
        sizes = [64, *[grid["width"]] * depth, 10]
        layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        for layer in layers:
            torch.nn.init.normal_(layer.weight, 0.0, DEVIATIONS[init](*layer.weight.shape[::-1]))
            torch.nn.init.zeros_(layer.bias)
        function = getattr(torch, activation)
        optimizer = torch.optim.Adam([p for layer in layers for p in layer.parameters()], RATE)
        history = []
        for _ in range(grid["epochs"]):
            order = torch.randperm(len(inputs))
            for rows in order.split(BATCH):
                hidden, signals, outputs = inputs[rows], [], []
                for layer in layers[:-1]:
                    signals.append(layer(hidden))
                    signals[-1].retain_grad()
                    hidden = function(signals[-1])
                    outputs.append(hidden)
                loss = torch.nn.functional.cross_entropy(layers[-1](hidden), classes[rows])
                optimizer.zero_grad()
                loss.backward()
                with torch.no_grad():
                    numbers = [
                        value
                        for z, a, layer in zip(signals, outputs, layers, strict=False)
                        for value in (
                            a.mean(),
                            a.var(unbiased=False),
                            z.grad.square().mean().sqrt(),
                            layer.weight.grad.square().mean().sqrt(),
                            layer.weight.square().mean().sqrt(),
                        )
                    ]
                    history.append(torch.stack(numbers).tolist())
                optimizer.step()
        losses.append(loss.item())
    return losses


def jax_grid(grid: Grid) -> list[float]:
    import jax
    import jax.numpy as jnp

    inputs, classes = (jnp.array(part) for part in digits(0))
    usable, losses = len(inputs) // BATCH * BATCH, []
    epochs: dict[tuple[int, str], Any] = {}

    def epoch_of(depth: int, activation: str) -> Any:
        function = {"tanh": jnp.tanh, "relu": jax.nn.relu}[activation]

        def loss(weights: Any, taps: Any, x: Any, y: Any) -> Any:
            outputs = []
            for (w, b), tap in zip(weights[:-1], taps, strict=True):
                x = function(x @ w + b + tap)
                outputs.append((x.mean(), x.var()))
            logs = jax.nn.log_softmax(x @ weights[-1][0] + weights[-1][1])
            return -logs[jnp.arange(len(y)), y].mean(), jnp.array(outputs)

        @jax.jit
        def epoch(state: Any, key: Any) -> Any:
            order = jax.random.permutation(key, len(inputs))[:usable].reshape(-1, BATCH)

            def step(state: Any, rows: Any) -> Any:
                weights, m, v, t = state
                taps = [jnp.zeros((BATCH, grid["width"]))] * depth
                (value, seen), (slopes, signals) = jax.value_and_grad(loss, (0, 1), has_aux=True)(
                    weights, taps, inputs[rows], classes[rows]
                )
                t = t + 1
                m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, slopes)
                v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, slopes)
                numbers = [
                    jnp.sqrt(jnp.array([(s**2).mean(), (g[0] ** 2).mean(), (w[0] ** 2).mean()]))
                    for s, g, w in zip(signals, slopes, weights, strict=False)
                ]
                scale = RATE / (1 - 0.9**t), 1 - 0.999**t
                weights = jax.tree.map(
                    lambda p, a, b: p - scale[0] * a / (jnp.sqrt(b / scale[1]) + 1e-8),
                    weights,
                    m,
                    v,
                )
                return (weights, m, v, t), (value, seen, jnp.array(numbers))

            return jax.lax.scan(step, state, order)

        return epoch

    for depth, activation, init, seed in nets(grid):
        epoch = epochs.setdefault((depth, activation), epoch_of(depth, activation))
        key = jax.random.PRNGKey(seed)
        sizes, weights = [64, *[grid["width"]] * depth, 10], []
        for fan_in, fan_out in itertools.pairwise(sizes):
            key, one = jax.random.split(key)
            deviation = DEVIATIONS[init](fan_in, fan_out)
            weights.append(
                (deviation * jax.random.normal(one, (fan_in, fan_out)), jnp.zeros(fan_out))
            )
        zeros = jax.tree.map(jnp.zeros_like, weights)
        state, history = (weights, zeros, zeros, 0.0), []
        for _ in range(grid["epochs"]):
            key, one = jax.random.split(key)
            state, numbers = epoch(state, one)
            history.append(jax.tree.map(np.asarray, numbers))
        losses.append(float(history[-1][0][-1]))
    return losses


def sklearn_train(job: Grid) -> list[float]:
    import warnings

    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")
    inputs, classes = digits(0)
    net = MLPClassifier(job["layers"], batch_size=BATCH, max_iter=job["epochs"], alpha=0.0)
    net.fit(inputs, classes)
    return [float(net.loss_)]


def keras_train(job: Grid) -> list[float]:
    import keras

    inputs, classes = digits(0)
    dense = [keras.layers.Dense(n, "relu", kernel_initializer="he_normal") for n in job["layers"]]
    net = keras.Sequential([*dense, keras.layers.Dense(10)])
    net.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    told = net.fit(inputs, classes, BATCH, job["epochs"], verbose=0, validation_split=0.25)
    return [float(told.history["loss"][-1])]


LOOPS: dict[str, Callable[[Grid], list[float]]] = {
    "torch_grid": torch_grid,
    "jax_grid": jax_grid,
    "sklearn_train": sklearn_train,
    "keras_train": keras_train,
}

if __name__ == "__main__":
    print(json.dumps(LOOPS[sys.argv[1]](json.loads(sys.argv[2]))))
