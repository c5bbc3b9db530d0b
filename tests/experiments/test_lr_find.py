"""lr-find: its suggestion is the best of a grid it has not seen, and is the rate that training
then takes.
"""

from __future__ import annotations

import math

import pytest
import rate_searches

from dlprobe.config import from_options, with_values
from dlprobe.data import load, prepare
from dlprobe.errors import ConfigError
from dlprobe.experiments import lr_find
from dlprobe.record.recorder import Snapshots
from dlprobe.training import trainer
from dlprobe.training.stopping import Stop

GRID = [float(f"{digit}e{exponent}") for exponent in range(-4, 1) for digit in (1, 2, 5)]


def prepared(**options: str):  # type: ignore[no-untyped-def]
    config = from_options(None, {"data": "wine", "layers": "8", "epochs": "5", **options})
    return config, prepare(load(config.data, 0), config.data, 0, config.training.dtype)


@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
@pytest.mark.parametrize("data", ["wine", "moons"])
def test_its_rate_ends_within_ten_percent_of_the_best_of_a_grid(data: str, optimizer: str) -> None:
    config, ready = prepared(data=data, optimizer=optimizer)
    found = rate_searches.find(config, ready, threads=2, stop=Stop())
    (own,) = (trial for trial in found.trials if trial.rate == found.rate)
    grid = rate_searches.run_trials(config, ready, GRID, 2, Stop())
    assert own.train_loss <= 1.1 * min(trial.loss("train_loss") for trial in grid)


def test_training_with_the_suggested_rate_ends_as_promised() -> None:
    config, ready = prepared()
    found = rate_searches.find(config, ready, stop=Stop())
    kept = Snapshots()
    trainer.run(trainer.start(with_values(config, {"training.lr": f"{found.rate:g}"}), ready), kept)
    (own,) = (trial for trial in found.trials if trial.rate == found.rate)
    assert (kept.final["train_loss"], kept.final["val_loss"]) == (own.train_loss, own.val_loss)


def test_threads_change_no_number() -> None:
    config, ready = prepared(epochs="1")
    one, two = (
        rate_searches.find(config, ready, threads=threads, stop=Stop()) for threads in (1, 2)
    )
    assert one.trials == two.trials
    assert one.rate == two.rate


def test_the_quick_guess_makes_no_runs() -> None:
    config, ready = prepared()
    found = rate_searches.find(config, ready, quick=True, stop=Stop())
    assert found.trials == ()
    assert 1e-5 < found.rate < 1


def test_a_range_of_rates_without_effect_breaks_nothing() -> None:
    config, ready = prepared()
    test = lr_find.range_test(config, ready, 1e-9, 1e-8, 30, Stop())
    assert len(test.rates) == 30
    assert math.isnan(test.breaks)


def test_a_stop_leaves_what_had_ended() -> None:
    config, ready = prepared()
    stop = Stop()
    found = rate_searches.find(
        config, ready, stop=stop, progress=lambda done, total: stop.ask() if done == 3 else None
    )
    assert not found.complete
    assert len(found.trials) == 3
    assert found.rate in [trial.rate for trial in found.trials]


def test_schedules_take_part_and_one_that_fixes_the_rate_is_refused() -> None:
    config, ready = prepared(schedule="performance(patience=0)", epochs="3")
    assert len(rate_searches.find(config, ready, stop=Stop()).trials) >= 10
    config, ready = prepared(schedule="one_cycle(max_lr=0.1)")
    with pytest.raises(ConfigError, match="leave max_lr out"):
        rate_searches.find(config, ready, stop=Stop())
    config, ready = prepared(split="100,0,0")
    with pytest.raises(ConfigError, match="no validation part"):
        rate_searches.find(config, ready, by="val_loss", stop=Stop())


def test_runs_that_learn_the_training_part_are_told() -> None:
    """At least the suggested one, where its loss is below a thousandth of the first; none where
    nothing is learned.
    """
    config, ready = prepared(layers="30", epochs="30")
    found = rate_searches.find(config, ready, stop=Stop())
    assert found.rate in [trial.rate for trial in found.learned]
    config, ready = prepared(epochs="none", steps="2")
    assert rate_searches.find(config, ready, stop=Stop()).learned == ()
