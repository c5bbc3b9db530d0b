"""200 steps beside PyTorch in float64, of configurations drawn at random: any norm, optimizer,
activation, loss, bias and batch size together.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
from small_nets import NORMS

from dlprobe import registry
from tests.nn import test_torch_twins as twins

COUNT = 300
TOLERANCE = 1e-9  # absolute, of losses and parameters


def draw(chance: random.Random) -> twins.Case:
    """One configuration. Biases only where no norm takes them out: their gradients of rounding
    size make whole steps of adaptive optimizers.
    """
    norm = chance.choice(list(NORMS))
    optimizer = chance.choice(
        list(twins.OPTIMIZERS) if norm else list(registry.records("optimizer"))
    )
    loss, output = chance.choice(twins.LOSSES)
    return twins.Case(
        norm,
        optimizer,
        chance.random() < 0.5,
        chance.choice(twins.HIDDEN),
        loss,
        output,
        chance.choice((7, 16, twins.SAMPLES)),
    )


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Train `count` configurations on both sides; `chaotic`: those on which no seed is
    well-conditioned, so that PyTorch does not follow itself.
    """
    chance, failed, chaotic, largest = random.Random(seed), [], 0, 0.0
    for _ in range(count):
        case = draw(chance)
        try:
            own = twins.well_conditioned_seed(case)
        except AssertionError:
            chaotic += 1
            continue
        net, inputs, targets = twins.problem(case, own)
        model = twins.torch_net(net, case)
        expected = twins.train_torch(model, case, inputs, targets, own)
        losses = twins.our_losses(net, case, inputs, targets)
        apart = max(
            float(np.max(np.abs(losses - expected))),
            float(np.max(np.abs(net.parameters - twins.parameters_of(model)))),
        )
        largest = max(largest, apart)
        if not apart <= TOLERANCE:
            failed.append(f"{case}, seed {own}: {apart:.2g} apart")
    return {"chaotic": chaotic, "largest_difference": largest, "failed": failed}
