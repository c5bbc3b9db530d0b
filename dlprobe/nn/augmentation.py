"""Gathering a batch that is augmented: images are shifted, samples mixed with a partner of
their batch. Compiled only where it is asked for.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dlprobe.nn import observe, random
from dlprobe.nn import program as p
from dlprobe.nn.cache import EXACT, inlined
from dlprobe.nn.model import Net, Work
from dlprobe.nn.positions import SEED, STEP, TRAINING
from dlprobe.nn.shapes import Counters, Floats, Index, Integers, Key, Matrix, Value, Vector
from dlprobe.nn.views import window
from dlprobe.parts.augmentations import shifted_place

source_place = inlined(EXACT)(shifted_place)


def mixing_shares(alpha: float, seed: int, first_step: int, steps: int) -> npt.NDArray[np.float64]:
    """The share λ ~ Beta(α, α) that a sample keeps, one per step, (steps,): a function of seed
    and step (Zhang, Cissé, Dauphin & Lopez-Paz 2018, §2).
    """
    return np.array(
        [
            random.generator(seed, random.MIXUP, first_step + k).beta(alpha, alpha)
            for k in range(steps)
        ]
    )


@inlined(EXACT)
def partners(order: Integers, seed: Key, step: Key) -> None:
    """Fill `order` (int64) with a permutation of the batch, new in every step."""
    random.permute(order, random.stream(seed, random.MIXUP, step))


@inlined(EXACT)
def mix_rows(
    source: Matrix, chosen: Integers, partner: Integers, share: Value, out: Matrix
) -> None:
    """out (rows, width) ← share · source[chosen] + (1 − share) · source[chosen[partner]]."""
    rest = 1 - share
    for i in range(out.shape[0]):
        row, other, to = source[chosen[i]], source[chosen[partner[i]]], out[i]
        for j in range(len(to)):
            to[j] = share * row[j] + rest * other[j]


@inlined(EXACT)
def moved(pixels: Index, key: Key, position: Index) -> Index:
    """A whole number from −pixels to pixels, each equally likely."""
    bits = random.mix(key + np.uint64(position)) >> np.uint64(32)
    return int(np.int64((bits * np.uint64(2 * pixels + 1)) >> np.uint64(32)) - pixels)


@inlined(EXACT)
def shift_row(image: Vector, row: Vector, down: Index, right: Index, out: Vector) -> None:
    """out ← the scaled image `row`, moved: each pixel goes back to its unit, to its new place,
    and is scaled as that place is.
    """
    features, side, fill = len(row), int(image[1]), image[2]
    for j in range(features):
        place = source_place(j, side, down, right)
        raw = row[place] * image[3 + place] + image[3 + features + place] if place >= 0 else fill
        out[j] = (raw - image[3 + features + j]) * image[3 + 2 * features + j]


def image_numbers(
    pixels: int, side: int, fill: float, shift: Floats, scale: Floats
) -> tuple[float, ...]:
    """What the engine needs to shift samples that a scaler scaled by (raw − shift) · scale, both
    (side²,): pixels, side, fill, then for each place 1/scale (0 where the scale is 0), shift and
    scale.
    """
    back = np.where(scale == 0, 0.0, 1.0 / np.where(scale == 0, 1.0, scale))
    return (
        float(pixels),
        float(side),
        float(fill),
        *back.tolist(),
        *shift.tolist(),
        *scale.tolist(),
    )


def gather_augmented(net: Net, work: Work, start: Index, rows: Index, counter: Counters) -> None:
    """The batch work.order[start : start + rows]; in training each sample shifted where the net has
    an image, then mixed where there are shares.

    Notes each row's Σ x² and weight in the loss.
    """
    chosen = work.order[start : start + rows]
    features, outputs = work.inputs.shape[1], work.targets.shape[1]
    offset = net.layers[0, p.SOURCE]
    x = window(net.blocks, offset, rows, features)
    targets = window(net.targets, 0, rows, outputs)
    partner, share, training = np.arange(rows), 1.0, counter[TRAINING] != 0
    if training and len(work.mixing) > 0:
        partners(partner, counter[SEED], counter[STEP])
        share = work.mixing[np.int64(counter[STEP]) - work.first_step]
    of = net.blocks.dtype.type
    if training and len(net.image) > 0:
        pixels, images = int(net.image[0]), window(net.deltas, 0, rows, features)
        key = random.stream(counter[SEED], random.SHIFT, counter[STEP])
        for i in range(rows):
            down, right = moved(pixels, key, 2 * i), moved(pixels, key, 2 * i + 1)
            shift_row(net.image, work.inputs[chosen[i]], down, right, images[i])
        mix_rows(images, np.arange(rows), partner, of(share), x)
    else:
        mix_rows(work.inputs, chosen, partner, of(share), x)
    mix_rows(work.targets, chosen, partner, of(share), targets)
    for i in range(rows):
        net.row_weight[i] = of(1)
        if len(work.weights) > 0:
            net.row_weight[i] = (
                of(share) * work.weights[chosen[i]]
                + of(1 - share) * work.weights[chosen[partner[i]]]
            )
    observe.square_rows(x, net.input_square[:rows])
