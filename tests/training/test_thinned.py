"""The ensemble of a dropout net's thinned nets, held against what linearity and whole nets say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import dlprobe

from dlprobe.config import RunConfig, with_values
from dlprobe.training import thinned, trainer
from dlprobe.training.prepared_sets import PreparedSets

BASE = {"data.data": "diabetes", "model.activation": "linear", "model.layers": "16"}


def started(values: dict[str, object]) -> trainer.Session:
    config = with_values(RunConfig(), {**BASE, **values})
    return trainer.start(config, PreparedSets().of(config))


@pytest.mark.parametrize("data", ["digits", "diabetes"])
def test_nets_that_lose_nothing_are_the_whole_net(data: str) -> None:
    session = started({"data.data": data, "model.activation": "tanh", "model.dropout": 1e-12})
    whole = trainer.evaluate_part(session, "test")
    before = session.network.parameters.copy()
    outputs = thinned.mean_outputs(session, "test", 2)
    np.testing.assert_allclose(outputs, whole.outcome.outputs, rtol=1e-5, atol=1e-6)
    loss = thinned.loss_of(session, outputs, session.targets["test"])
    assert loss == pytest.approx(whole.outcome.loss, rel=1e-5)
    np.testing.assert_array_equal(session.network.parameters, before)


def test_the_mean_of_linear_thinned_nets_tends_to_the_whole_net() -> None:
    """E of a linear net over its masks is the net with all units (inverted scaling), so the mean of
    k nets is off by the deviation of one over √k.
    """
    session = started({"model.dropout": 0.5})
    whole = trainer.evaluate_part(session, "test").outcome.outputs
    off = {
        count: float(
            np.sqrt(np.square(thinned.mean_outputs(session, "test", count) - whole).mean())
        )
        for count in (1, 1600)
    }
    assert off[1] / off[1600] == pytest.approx(40.0, rel=0.4)


def test_train_says_both(tmp_path: Path) -> None:
    options = ("--layers", "16", "--epochs", "2", "-o", str(tmp_path / "a.h5"))
    found = dlprobe("train", *options, "--dropout", "0.5", "--mc-dropout", "5", "--format", "json")
    assert 0 < found.data["test_mc_error"] < 1
    refused = dlprobe("train", *options, "--force", "--mc-dropout", "5")
    assert (refused.code, "expected dropout" in refused.err) == (2, True)
