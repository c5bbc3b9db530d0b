"""Gathering a batch with mixup: every sample is mixed with a partner of its batch. Compiled only where it is asked for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dlprobe.nn import observe, random
from dlprobe.nn import program as p
from dlprobe.nn.cache import EXACT, inlined
from dlprobe.nn.model import Net, Work
from dlprobe.nn.positions import SEED, STEP, TRAINING
from dlprobe.nn.shapes import Counters, Index, Integers, Key, Matrix, Value
from dlprobe.nn.views import window


def mixing_shares(alpha: float, seed: int, first_step: int, steps: int) -> npt.NDArray[np.float64]:
    """The share λ ~ Beta(α, α) that a sample keeps, one per step, (steps,): a function of seed and step (Zhang, Cissé, Dauphin & Lopez-Paz 2018, §2)."""
    return np.array([random.generator(seed, random.MIXUP, first_step + k).beta(alpha, alpha) for k in range(steps)])


@inlined(EXACT)
def partners(order: Integers, seed: Key, step: Key) -> None:
    """Fill `order` (int64) with a permutation of the batch, new in every step."""
    random.permute(order, random.stream(seed, random.MIXUP, step))


@inlined(EXACT)
def mix_rows(source: Matrix, chosen: Integers, partner: Integers, share: Value, out: Matrix) -> None:
    """out (rows, width) ← share · source[chosen] + (1 − share) · source[chosen[partner]]."""
    rest = 1 - share
    for i in range(out.shape[0]):
        row, other, to = source[chosen[i]], source[chosen[partner[i]]], out[i]
        for j in range(len(to)):
            to[j] = share * row[j] + rest * other[j]


def gather_mixed(net: Net, work: Work, start: Index, rows: Index, counter: Counters) -> None:
    """The batch work.order[start : start + rows] in evaluation, mixed with its own permutation in training; notes each row's Σ x² and weight in the loss."""
    chosen = work.order[start : start + rows]
    features, outputs = work.inputs.shape[1], work.targets.shape[1]
    offset = net.layers[0, p.SOURCE]
    x = window(net.blocks, offset, rows, features)
    targets = window(net.targets, 0, rows, outputs)
    partner, share = np.arange(rows), 1.0
    if counter[TRAINING] != 0:
        partners(partner, counter[SEED], counter[STEP])
        share = work.mixing[np.int64(counter[STEP]) - work.first_step]
    of = net.blocks.dtype.type
    mix_rows(work.inputs, chosen, partner, of(share), x)
    mix_rows(work.targets, chosen, partner, of(share), targets)
    for i in range(rows):
        net.row_weight[i] = of(1)
        if len(work.weights) > 0:
            net.row_weight[i] = of(share) * work.weights[chosen[i]] + of(1 - share) * work.weights[chosen[partner[i]]]
    observe.square_rows(x, net.input_square[:rows])
