"""Counter-based random numbers: every draw is a function of (seed, purpose, position) and of
nothing else.

So a shuffle does not depend on threads, on what was recorded or on where a run was resumed.
SplitMix64 (Steele, Lea & Flood 2014) mixes the counters; initial parameters come from NumPy's
Philox with a key of the same making.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.nn.cache import EXACT, inlined
from dlprobe.nn.positions import COUNTERS, LAYER, SEED, STEP, TRAINING
from dlprobe.nn.shapes import Counters, Index, Integers, Key, Value
from dlprobe.parts.scalar import like

# purposes: streams that must never meet
SHUFFLE, WEIGHTS, BIASES, SLOPES, DROPOUT, NOISE, DROP_CONNECT, MIXUP, SHIFT = range(1, 10)


@inlined(EXACT)
def mix(x: Key) -> Key:
    """SplitMix64's finalizer: uint64 to uint64, every bit depends on every bit."""
    x = np.uint64(x) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@inlined(EXACT)
def stream(seed: Key, purpose: Key, position: Key) -> Key:
    """The uint64 key of one stream."""
    return mix(mix(mix(np.uint64(seed)) ^ np.uint64(purpose)) ^ np.uint64(position))


@inlined(EXACT)
def permute(order: Integers, key: Key) -> None:
    """Fill `order` (int64) with the permutation of one stream (Fisher–Yates from the identity)."""
    for i in range(len(order)):
        order[i] = i
    for i in range(len(order) - 1, 0, -1):
        bits = mix(key + np.uint64(i)) >> np.uint64(32)
        j = np.int64((bits * np.uint64(i + 1)) >> np.uint64(32))
        order[i], order[j] = order[j], order[i]


@inlined(EXACT)
def shuffle(order: Integers, seed: Key, epoch: Key) -> None:
    """Fill `order` (int64) with the permutation of this epoch."""
    permute(order, stream(seed, SHUFFLE, epoch))


@inlined(EXACT)
def operation_key(counter: Counters, purpose: Key) -> Key:
    """The key of one operation's draws in one step."""
    return stream(counter[SEED], purpose, mix(counter[LAYER]) ^ counter[STEP])


@inlined(EXACT)
def share(x: Value, key: Key, position: Index) -> Value:
    """A draw from U(0, 1) in the precision of `x`, the same for both precisions: 24 bits, which
    both hold, and half a step, so that it is neither 0 nor 1.
    """
    bits = np.int32(mix(key + np.uint64(position)) >> np.uint64(40))
    return (like(x, float(bits)) + like(x, 0.5)) * like(x, 2.0**-24)


def counter_of(
    seed: int, layer: int, step: int = 0, training: bool = False
) -> npt.NDArray[np.uint64]:
    """The `counter` of kernels, uint64 (COUNTERS,): seed, layer, step and training at the indices
    SEED, LAYER, STEP and TRAINING, else 0.
    """
    counter = np.zeros(COUNTERS, np.uint64)
    counter[[SEED, LAYER, STEP, TRAINING]] = seed, layer, step, training
    return counter


def epoch_order(seed: int, epoch: int, samples: int) -> Any:
    """The order in which an epoch visits the training samples, int64 (samples,); batch k of
    size B is order[k·B : (k + 1)·B].
    """
    order = np.empty(samples, np.int64)
    with np.errstate(over="ignore"):
        shuffle(order, np.uint64(seed), np.uint64(epoch))
    return order


def generator(seed: int, purpose: int, position: int) -> np.random.Generator:
    """NumPy's Philox for one purpose and position, e.g. the weights of one layer."""
    with np.errstate(over="ignore"):
        return np.random.Generator(np.random.Philox(key=int(stream(seed, purpose, position))))
