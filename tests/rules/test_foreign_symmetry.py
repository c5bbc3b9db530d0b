"""Runs without parameters: units that are copies of each other are told from their activations,
and other nets are not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorded_torch import Net, batches, opened, torch

import dlprobe
from dlprobe.rules import judge


def constant(value: float) -> Callable[[Any], None]:
    def fill(model: Any) -> None:
        for module in model.modules():
            if isinstance(module, torch.nn.Linear):
                torch.nn.init.constant_(module.weight, value)
                torch.nn.init.zeros_(module.bias)

    return fill


@pytest.mark.parametrize(
    ("fill", "activation", "fires"),
    [
        (constant(0.01), "tanh", True),
        (constant(0.0), "relu", True),
        (lambda model: None, "tanh", False),
        (lambda model: None, "sigmoid", False),
    ],
    ids=["constant", "zeros", "drawn", "drawn, sigmoid"],
)
def test_copies_are_told_from_the_means_of_units(
    fill: Callable[[Any], None], activation: str, fires: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = Net(activation)
    fill(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5", strict=True) as rec:
        for x, y in batches(0, 120):
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            rec.loss(loss)
    with opened(tmp_path / "run.h5") as run:
        judgement = judge(run)
    assert "W001" not in judgement.not_evaluated
    assert ("W001" in [finding.code for finding in judgement.findings]) is fires
