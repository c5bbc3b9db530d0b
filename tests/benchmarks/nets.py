"""The nets that are measured: ReLU layers with He weights, softmax and cross-entropy, plain
SGD, float32, on normal inputs with random labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.config import parse_spec
from dlprobe.nn.layers import LayerSpec
from dlprobe.nn.network import Network

Array = npt.NDArray[Any]
RATE = 0.001
# weights stepped through in one call: a block then lasts some tens of milliseconds, as in a
# training run
WEIGHTS_OF_A_BLOCK = 50_000_000
LARGEST_BLOCK = 4096


def sizes_of(text: str) -> list[int]:
    """Layer widths from a name such as 64-300-100-10 or 64-[100]×20-10.

    >>> sizes_of("64-[100]×3-10")
    [64, 100, 100, 100, 10]
    """
    found: list[int] = []
    for part in text.split("-"):
        width, _, count = part.partition("×")
        found += [int(width.strip("[]"))] * int(count or 1)
    return found


def network(sizes: list[int], batch: int, seed: int = 0, optimizer: str = "sgd") -> Network:
    """The engine's net of these layer widths."""
    init, relu, softmax = (
        parse_spec("initializer", "he_normal"),
        parse_spec("activation", "relu"),
        parse_spec("activation", "softmax"),
    )
    last = len(sizes) - 2
    layers = [
        LayerSpec(sizes[k], sizes[k + 1], softmax if k == last else relu, init)
        for k in range(last + 1)
    ]
    return Network(
        layers,
        parse_spec("loss", "cross_entropy"),
        parse_spec("optimizer", optimizer),
        batch=batch,
        seed=seed,
    )


def data(sizes: list[int], batch: int, batches: int = 16) -> tuple[Array, Array]:
    """Inputs (samples, features) and class indices (samples,)."""
    rng = np.random.default_rng(0)
    samples = batch * batches
    return rng.standard_normal((samples, sizes[0])).astype(np.float32), rng.integers(
        0, sizes[-1], samples
    )


def train(net: Network, inputs: Array, one_hot: Array, steps: int) -> None:
    """Whole steps, in blocks, every statistic on."""
    block = min(LARGEST_BLOCK, max(1, WEIGHTS_OF_A_BLOCK // len(net.parameters)))
    for first in range(0, steps, block):
        net.train(inputs, one_hot, first, np.full(min(block, steps - first), RATE))


def one_hot(labels: Array, classes: int) -> Array:
    """(samples, classes) float32."""
    return np.eye(classes, dtype=np.float32)[labels]
