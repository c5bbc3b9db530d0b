"""Training steps of JAX, as people write them: one jitted scan over the batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nets
import numpy as np

Side = Callable[[int], object]


def in_jax(
    net: nets.Network, inputs: Any, labels: Any, batch: int, statistics: bool = False
) -> Side | None:
    """The same net and steps with plain SGD; None where JAX is not installed.

    statistics: with ten numbers per layer and step: mean, variance and active fraction of the
    activations, mean and variance of the preactivations, RMS of the error signal, RMS and maximum
    of the weight gradient and of the weights.
    """
    try:
        import jax
        import jax.numpy as jnp
    except ImportError:
        return None
    layers = range(len(net.layers))
    start = [(jnp.array(net.weights(k)), jnp.array(net.biases(k))) for k in layers]
    x, y = jnp.array(inputs), jnp.array(labels)

    def forward(parameters: Any, taps: Any, rows: Any, classes: Any) -> Any:
        """The loss, and what is recorded of the values; taps: added to the preactivations, zeros,
        whose gradients are the error signals.
        """
        seen = []
        for k, (w, b) in enumerate(parameters):
            z = rows @ w + b + (taps[k] if statistics else 0)
            rows = z if k == len(parameters) - 1 else jax.nn.relu(z)
            seen.append([rows.mean(), rows.var(), (rows > 0).mean(), z.mean(), z.var()])
        loss = -jax.nn.log_softmax(rows)[jnp.arange(len(classes)), classes].mean()
        return loss, jnp.array(seen if statistics else [])

    def zeros(samples: int) -> Any:
        return [jnp.zeros((samples, len(b))) for _, b in start] if statistics else []

    ours = net.evaluate(inputs, nets.one_hot(labels, net.layers[-1].units)).loss
    theirs = forward(start, zeros(len(x)), x, y)[0]
    assert np.isclose(float(theirs), ours, rtol=1e-4), "the nets differ"

    @jax.jit
    def run(parameters: Any, order: Any) -> Any:
        def step(parameters: Any, rows: Any) -> Any:
            (slopes, signals), seen = jax.grad(forward, (0, 1), has_aux=True)(
                parameters, zeros(batch), x[rows], y[rows]
            )
            numbers = [
                [batch * jnp.sqrt((d**2).mean()), *of_array(g[0]), *of_array(w[0])]
                for d, g, w in zip(signals, slopes, parameters, strict=False)
            ]
            stepped = jax.tree.map(lambda p, g: p - nets.RATE * g, parameters, slopes)
            return stepped, (seen, jnp.array(numbers))

        return jax.lax.scan(step, parameters, order)

    def of_array(values: Any) -> list[Any]:
        return [jnp.sqrt((values**2).mean()), jnp.abs(values).max()]

    def side(steps: int) -> None:
        epochs = -(-steps * batch // len(x))
        order = np.concatenate([np.random.permutation(len(x)) for _ in range(epochs)])
        end, numbers = run(start, jnp.array(order[: steps * batch].reshape(steps, batch)))
        jax.block_until_ready(end)
        jax.tree.map(np.asarray, numbers)

    return side
