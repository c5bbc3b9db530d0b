"""Early stopping: series of evaluations with the stops that Keras's documented rule gives, and
a net that overfits.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlprobe.config import from_options, to_toml
from dlprobe.data import load, prepare
from dlprobe.errors import ConfigError
from dlprobe.record.recorder import Snapshots
from dlprobe.runs import RunWriter
from dlprobe.training import describe, trainer
from dlprobe.training.early_stopping import EarlyStopping

SERIES = [5.0, 4.0, 4.5, 3.9, 3.95, 3.89, 4.2, 4.1, 4.0, 3.0]

# series, patience, min_delta, higher is better -> evaluation at which it stops (None: never),
# evaluation of the best
WORKED = [
    (SERIES, 1, 0.0, False, 2, 1),  # 4.5 is no better than 4
    (SERIES, 2, 0.0, False, 7, 5),  # 4.2 and 4.1 after 3.89
    (SERIES, 3, 0.0, False, 8, 5),
    (SERIES, 4, 0.0, False, None, 9),  # 3.0 comes in time
    (SERIES, 2, 0.1, False, 3, 1),  # 3.9 is better than 4 by .1, not by more
    (SERIES, 4, 0.05, False, 7, 3),  # 3.9 counts, 3.89 does not: 4 evaluations since
    (SERIES, 0, 0.0, False, 2, 1),  # patience 0 stops at the first that is no better
    ([-x for x in SERIES], 2, 0.0, True, 7, 5),
    ([1.0, 1.0, 1.0], 2, 0.0, False, 2, 0),  # equal is not better
    ([1.0, math.nan, 0.5, math.nan, math.nan], 2, 0.0, False, 4, 2),
    (
        [math.nan, 2.0, 1.0, 1.5],
        3,
        0.0,
        False,
        None,
        2,
    ),  # Keras would take the NaN for the best and never replace it
]


@pytest.mark.parametrize(("series", "patience", "min_delta", "higher", "stop", "best"), WORKED)
def test_stops_where_the_rule_says(
    series: list[float], patience: int, min_delta: float, higher: bool, stop: int | None, best: int
) -> None:
    one = EarlyStopping("val_loss", higher, patience, min_delta, restore_best=True)
    stopped = None
    for step, value in enumerate(series):
        one.observe(step, value, lambda kept=step: kept)  # type: ignore[misc]
        if one.stopped:
            stopped = step
            break
    assert (stopped, one.best_step, one.kept) == (stop, best, best)
    assert one.best_value == series[best]


def session(**options: str) -> trainer.Session:
    """40 noisy samples, far too many parameters: the validation loss turns within a few epochs."""
    given = {
        "data": "gaussian(samples=80, features=8, classes=2)",
        "layers": "40",
        "split": "50,25,25",
        "epochs": "60",
        "lr": "0.01",
        **options,
    }
    config = from_options(None, given)
    return trainer.start(
        config, prepare(load(config.data, 0), config.data, 0, config.training.dtype)
    )


def trained(**options: str) -> tuple[trainer.Session, Snapshots]:
    one, kept = session(**options), Snapshots()
    trainer.run(one, kept)
    return one, kept


def test_an_overfitting_net_stops_early_and_ends_with_its_best_parameters() -> None:
    one, kept = trained(early_stopping="early_stopping(patience=4)", norm="batch")
    losses = [
        entry["val_loss"] for entry in kept.evaluations[1:]
    ]  # the first one is before the first update
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 4
    assert kept.final["best_step"] == (best + 1) * one.per_epoch
    assert (
        kept.final["stopped_step"]
        == kept.final["steps_done"]
        == one.step
        == len(losses) * one.per_epoch
    )
    assert kept.final["val_loss"] == kept.final["best_value"] == losses[best] < losses[-1]
    assert kept.final["stop_reason"] == "early stopping: val_loss did not improve in 4 evaluations"
    assert kept.status == "finished"


def test_without_restoring_the_last_parameters_stay() -> None:
    _, kept = trained(early_stopping="early_stopping(patience=4, restore_best=no)")
    assert kept.final["val_loss"] == kept.evaluations[-1]["val_loss"] > kept.final["best_value"]


def test_the_best_parameters_are_those_of_a_run_of_that_length() -> None:
    one, kept = trained(early_stopping="early_stopping(patience=3)")
    short, _ = trained(steps=str(kept.final["best_step"]), epochs="none")
    np.testing.assert_array_equal(one.network.parameters, short.network.parameters)


def test_a_budget_that_ends_first_ends_with_the_best_parameters_too() -> None:
    _, kept = trained(early_stopping="early_stopping(patience=1000)", epochs="40")
    assert kept.final["val_loss"] == min(entry["val_loss"] for entry in kept.evaluations[1:])
    assert "stop_reason" not in kept.final


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_block_length_does_not_change_where_it_stops(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, _ = trained(early_stopping="yes", batch_size="7", epochs="30")
    monkeypatch.setattr(trainer, "_next_size", lambda *_: size)
    found, _ = trained(early_stopping="yes", batch_size="7", epochs="30")
    assert found.step == expected.step
    np.testing.assert_array_equal(found.network.parameters, expected.network.parameters)


def test_a_metric_that_should_rise_is_watched_in_its_direction() -> None:
    _, kept = trained(early_stopping="early_stopping(patience=5, monitor=val_macro_f1)")
    values = [entry["val_macro_f1"] for entry in kept.evaluations[1:]]
    assert kept.final["best_value"] == max(values)
    assert len(values) == int(np.argmax(values)) + 1 + 5


def test_the_run_file_holds_metrics_and_the_best_step() -> None:
    one = session(early_stopping="early_stopping(patience=2)")
    with RunWriter.create(None, describe.describe(one)) as writer:
        trainer.run(one, writer)
        assert writer.bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"early_stopping": "early_stopping(monitor=val_los)"}, "did you mean 'val_loss'"),
        ({"early_stopping": "early_stopping(monitor=val_r2)"}, "unknown evaluation 'val_r2'"),
        ({"early_stopping": "early_stopping(monitor=val_recall)"}, "macro_recall"),
        ({"early_stopping": "early_stopping(monitor=test_loss)"}, "looked at once"),
        ({"early_stopping": "yes", "split": "80,0,20"}, "no validation samples"),
        ({"early_stopping": "yes", "evaluate_every": "never"}, "evaluate_every is never"),
        ({"early_stopping": "early_stopping(patience=-1)"}, "patience"),
        ({"early_stopping": "maybe"}, "unknown stopping 'maybe'"),
    ],
)
def test_what_cannot_stop_is_refused_in_one_line(options: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        session(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("yes", '"early_stopping"'),
        ("no", '"none"'),
        ("early_stopping(patience=3)", '"early_stopping(patience=3)"'),
    ],
)
def test_yes_and_no_are_ways_of_saying_it(typed: str, written: str) -> None:
    assert f"early_stopping = {written}" in to_toml(from_options(None, {"early_stopping": typed}))
