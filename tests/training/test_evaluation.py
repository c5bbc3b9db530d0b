"""Evaluations on the way, in the midst of a block of steps, are those that are made between
blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlprobe.config import from_options
from dlprobe.data import load, prepare
from dlprobe.record.recorder import Recorder
from dlprobe.training import evaluation, trainer

TINY = {"data": "blobs(samples=60)", "layers": "6", "batch_size": "10", "epochs": "40"}
# a rate that rises until a linear net of raw targets diverges, in the midst of a block
DIVERGING = {"data": "diabetes", "target_scaling": "none", "activation": "linear"} | {
    "lr": "0.01",
    "warmup": "1000",
}


class Kept(Recorder):
    """Keeps every evaluation, and how many came together."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.blocks: list[int] = []
        self.arrays: dict[str, list[Any]] = {}

    def evaluation_block(self, steps: Any, values: Any, layer_values: Any) -> None:
        self.steps += steps.tolist()
        self.blocks.append(len(steps))
        for name, array in {**values, **layer_values}.items():
            self.arrays.setdefault(name, []).extend(array)


def kept(**options: str) -> Kept:
    config, recorder = from_options(None, {**TINY, **options}), Kept()
    data = prepare(load(config.data, 0), config.data, 0, config.training.dtype)
    trainer.run(trainer.start(config, data), recorder)
    return recorder


@pytest.mark.parametrize(
    "options",
    [
        {"l2": "0.01", "dropout": "0.2"},
        {"optimizer": "sgd", "record_every": "3", "checkpoint_every": "21"},
        {"evaluate_every": "3", "dtype": "float64", "schedule": "one_cycle"},
        {**DIVERGING, "optimizer": "sgd"},
        {"split": "100,0,0", "optimizer": "rmsprop", "warmup": "50"},
    ],
)
def test_evaluations_on_the_way_are_those_between_blocks(
    options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "_next_size", lambda *_: 300)
    together = kept(**options)
    assert max(together.blocks) > 3
    monkeypatch.setattr(evaluation, "room", lambda session: 0)
    alone = kept(**options)
    assert set(alone.blocks) == {1}
    assert together.steps == alone.steps
    assert together.arrays.keys() == alone.arrays.keys()
    for name, rows in together.arrays.items():
        np.testing.assert_array_equal(rows, alone.arrays[name], err_msg=name)


@pytest.mark.parametrize(
    "options",
    [
        {"early_stopping": "early_stopping(patience=50)"},
        {"schedule": "performance"},
        {"norm": "batch"},
    ],
)
def test_what_decides_or_needs_a_pass_of_its_own_is_not_on_the_way(options: dict[str, str]) -> None:
    assert set(kept(**options).blocks) == {1}
