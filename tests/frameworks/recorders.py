"""The PyTorch recorder over its whole matrix: compiled or not × precision × accumulation × clipping
× activation, each row beside dlprobe's engine, the trained weights beside those of an unrecorded
training, bit for bit. Compiled ones by Inductor at every 60th try, for it takes a minute each.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import recorded_torch
from recorded_torch import Loop, every_loop, torch

COUNT = 120
EXACT, ROUNDED = 1e-5, 0.15  # bfloat16: eight bits, and gradients of random labels cancel


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Train `count` loops, the matrix first in order and then again with other activations and
    seeds.
    """
    chance, failed, largest = random.Random(seed), [], {"exact": 0.0, "bf16": 0.0}
    matrix = every_loop()
    for number in range(count):
        loop = matrix[(number * 7 + seed) % len(matrix)]  # 7 is prime to 60: every loop comes
        if number >= len(matrix):
            loop = replace(loop, activation=chance.choice(list(recorded_torch.ACTIVATIONS)))
        if loop.compiled and number % 60 == 30:
            loop = replace(loop, backend="inductor")
        problem, apart = differs(loop, seed + number // len(matrix), folder / f"{number}.h5")
        kind = "bf16" if loop.precision == "bf16" else "exact"
        largest[kind] = max(largest[kind], apart)
        if problem:
            failed.append(f"{loop}, seed {seed}: {problem}")
    return {"torch": torch.__version__, "largest_difference": largest, "failed": failed}


def differs(loop: Loop, seed: int, path: Path) -> tuple[str, float]:
    """What is wrong with a recorded loop, empty for nothing, and the largest difference of its
    statistics.
    """
    trained = recorded_torch.train(loop, path, seed)
    if not loop.compiled:
        plain = recorded_torch.train(loop, None, seed)
        if not all(
            torch.equal(one, other)
            for one, other in zip(trained.parameters, plain.parameters, strict=True)
        ):
            return "other weights than without a recorder", 0.0
    with recorded_torch.opened(path) as run:
        found = recorded_torch.differences(run, recorded_torch.own_rows(trained, loop))
    name = max(found, key=lambda each: found[each])
    limit = ROUNDED if loop.precision == "bf16" else EXACT
    return ("" if found[name] < limit else f"{name} is {found[name]:.2g} apart"), found[name]
