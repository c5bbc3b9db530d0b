"""Schedules, momentum cycles and effective rates in whole runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlprobe.config import from_options
from dlprobe.data import load, prepare
from dlprobe.errors import ConfigError
from dlprobe.record import layout
from dlprobe.record.recorder import Snapshots
from dlprobe.training import trainer

TINY = {"data": "blobs(samples=60)", "layers": "6", "batch_size": "10", "epochs": "4"}
RATE, MOMENTUM = (list(layout.SCALARS).index(name) for name in ("learning_rate", "momentum"))


class Kept(Snapshots):
    """Keeps the effective rates of the evaluations too."""

    def __init__(self) -> None:
        super().__init__()
        self.effective_rates: list[Any] = []

    def evaluation_block(self, steps: Any, values: Any, layer_values: Any) -> None:
        super().evaluation_block(steps, values, layer_values)
        self.effective_rates += list(layer_values["effective_rate"])


def trained(
    monkeypatch: pytest.MonkeyPatch | None = None, block: int = 0, **options: str
) -> tuple[trainer.Session, Kept, Any]:
    """(session, what was kept, scalars (steps, scalar)) of a run, in blocks of `block` steps if
    given.
    """
    config = from_options(None, {**TINY, **options})
    if monkeypatch is not None:
        monkeypatch.setattr(trainer, "_next_size", lambda *_: block)
    session, kept = (
        trainer.start(config, prepare(load(config.data, 0), config.data, 0, config.training.dtype)),
        Kept(),
    )
    trainer.run(session, kept)
    return session, kept, np.concatenate(kept.scalars)


def test_the_rate_of_every_step_is_recorded() -> None:
    """36 training samples in batches of 10: four steps per epoch; 10^(−t/r) by epochs."""
    _, _, scalars = trained(schedule="exponential(tenfold=2)", lr="0.1")
    np.testing.assert_allclose(
        scalars[:, RATE], np.repeat(0.1 * 10 ** (-np.arange(4) / 2), 4), rtol=1e-14
    )
    np.testing.assert_array_equal(scalars[:, MOMENTUM], 0.9)


@pytest.mark.parametrize("optimizer", ["adam", "momentum", "nadam", "rmsprop"])
def test_a_cycled_momentum_is_used_and_recorded(optimizer: str) -> None:
    session, _, scalars = trained(schedule="one_cycle(max_lr=0.01)", optimizer=optimizer)
    assert scalars[:, MOMENTUM] == pytest.approx(session.rates.momenta(0, session.steps), rel=1e-14)
    plain, _, _ = trained(schedule="one_cycle(max_lr=0.01, cycle_momentum=no)", optimizer=optimizer)
    assert not np.array_equal(session.network.parameters, plain.network.parameters)


def test_an_optimizer_without_momentum_has_its_rate_cycled_alone() -> None:
    _, _, scalars = trained(schedule="one_cycle(max_lr=0.01)", optimizer="sgd")
    assert np.isnan(scalars[:, MOMENTUM]).all()
    assert scalars[:, RATE].max() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize(
    "schedule",
    [
        "one_cycle(max_lr=0.01)",
        "performance(patience=0, factor=0.5)",
        "cosine(period=3, multiply=2)",
    ],
)
def test_where_blocks_begin_changes_no_bit(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [
        trained(monkeypatch, block, schedule=schedule, optimizer="nadam", warmup="5")
        for block in (1, 3, 100)
    ]
    for session, _, scalars in runs[1:]:
        np.testing.assert_array_equal(scalars, runs[0][2])
        np.testing.assert_array_equal(session.network.parameters, runs[0][0].network.parameters)


def test_performance_looks_at_evaluations_after_updates() -> None:
    """A rate so small that nothing improves by 1e-4 of the loss: halved after each evaluation
    but the first that counts.
    """
    _, _, scalars = trained(
        schedule="performance(patience=0, factor=0.5)", lr="1e-7", optimizer="sgd"
    )
    np.testing.assert_allclose(scalars[::4, RATE], [1e-7, 1e-7, 5e-8, 2.5e-8], rtol=1e-12)


def test_performance_without_a_validation_part_is_refused() -> None:
    with pytest.raises(ConfigError, match="no validation part"):
        trained(schedule="performance", split="100,0,0")
    trained(schedule="performance(monitor=train_loss)", split="100,0,0")


def test_effective_rates_are_those_of_the_last_update() -> None:
    """adam's η/(√v̂ + ε), taken from the engine's own memory; none before the first update."""
    session, kept, _ = trained(lr="0.01")
    v = session.network.optimizer_state(1)[1].astype(float)
    expected = np.median(0.01 / (np.sqrt(v / (1 - 0.999**session.steps)) + 1e-8))
    assert np.isnan(kept.effective_rates[0]).all()
    assert kept.effective_rates[-1][1] == pytest.approx(expected, rel=1e-5)


def test_a_norm_of_the_input_has_no_effective_rate() -> None:
    """It has no weights to take a median over: NaN, and no warning."""
    _, kept, _ = trained(input_norm="layer")
    assert np.isnan(kept.effective_rates[-1][0])
    assert np.isfinite(kept.effective_rates[-1][1:]).all()


def test_an_optimizer_that_does_not_scale_has_no_effective_rate() -> None:
    _, kept, _ = trained(optimizer="momentum")
    assert np.isnan(kept.effective_rates[-1]).all()
