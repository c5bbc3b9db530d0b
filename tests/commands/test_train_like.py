"""`train --like RUN`: the net of dlprobe that comes nearest to a recorded one, on the arrays
that its recorder kept; what is missing is one line.
"""

from __future__ import annotations

from pathlib import Path

import foreign_runs
import numpy as np
import pytest
from command_line import dlprobe
from recorded_torch import Net, opened, torch

import dlprobe as package
from dlprobe.rules import judge


def recorded(path: Path, keep: bool) -> Path:
    """Thirty steps of a tanh net whose hidden weights are N(0, 1), which SGD with momentum
    trains.
    """
    torch.manual_seed(0)
    model = Net("tanh", (6, 12, 9, 3))
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight)
    x, y = torch.randn(96, 6), torch.arange(96) % 3
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.8)
    with package.recorders.torch.record(model, optimizer, path, strict=True) as rec:
        rec.data(x[:64], y[:64], x[64:], y[64:], keep=keep)
        for step in range(30):
            batch = torch.arange(16) + 16 * (step % 4)
            loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            rec.loss(loss)
    return path


def own_run(path: Path) -> Path:
    assert dlprobe("train", "--steps", "1", "-o", str(path)).code == 0
    return path


def test_the_nearest_net_has_what_was_recorded(tmp_path: Path) -> None:
    source = recorded(tmp_path / "torch.h5", keep=True)
    outcome = dlprobe("train", "--like", str(source), "-o", str(tmp_path / "near.h5"))
    assert outcome.code == 0, outcome.err
    with opened(tmp_path / "near.h5") as run, opened(source) as foreign:
        config = run.required_configuration()
        assert (config.model.layers, str(config.model.activation), str(config.training.loss)) == (
            (12, 9),
            "tanh",
            "cross_entropy",
        )
        assert (str(config.training.optimizer), config.training.lr, config.training.batch_size) == (
            "momentum(momentum=0.8)",
            0.05,
            16,
        )
        assert config.training.steps == 30
        assert config.model.init is not None
        assert config.model.init.name == "normal"
        assert float(config.model.init.parameters["std"]) == pytest.approx(1.0, abs=0.2)
        np.testing.assert_array_equal(
            run.data["train_class_counts"], foreign.data["train_class_counts"]
        )
        np.testing.assert_array_equal(run.data["feature_mean"], foreign.data["feature_mean"])
        assert [len(run.data[f"{part}_indices"]) for part in ("train", "val", "test")] == [
            64,
            32,
            0,
        ]
        assert judge(run).passed


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            lambda path: recorded(path, keep=False),
            (
                "has shapes and counts of its data, not the data: record it with rec.data(…, "
                "keep=True), or give --data FILE"
            ),
        ),
        (
            lambda path: foreign_runs.write(path, "healthy", steps=3),
            "does not say the sizes of its layers: give --layers",
        ),
        (own_run, "was trained by dlprobe"),
    ],
    ids=["no arrays", "no sizes", "own run"],
)
def test_what_is_missing_is_one_line(made: object, words: str, tmp_path: Path) -> None:
    source = made(tmp_path / "run.h5")  # type: ignore[operator]
    outcome = dlprobe("train", "--like", str(source), "-o", str(tmp_path / "near.h5"))
    assert (outcome.code, outcome.out, len(outcome.err.strip().splitlines())) == (2, "", 1)
    assert words in outcome.err
    assert not (tmp_path / "near.h5").exists()
