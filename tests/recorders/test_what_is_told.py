"""What a recorded training says of itself: evaluations of one part, targets of several numbers, no
data at all; and what is made of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import recorded_torch
from command_line import dlprobe as command
from recorded_torch import RATE, F, Net, batches, plain_step, torch

import dlprobe
from dlprobe.analysis.learning.reading import learning
from dlprobe.errors import DlprobeWarning
from dlprobe.reports.run_facts import data_line


def test_a_run_whose_training_part_is_never_evaluated_is_judged_by_its_validation_part(
    tmp_path: Path,
) -> None:
    """Labels are random, so that nothing can be learned; `train_loss` is the mean batch_loss
    between evaluations.
    """
    model, steps = Net(), batches(0, 120)
    x, y = (torch.cat(parts) for parts in zip(*steps, strict=True))
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    losses = []
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5", strict=True) as rec:
        rec.data(x, y, x[:99], y[:99])
        for count, batch in enumerate(steps, 1):
            losses.append(float(F.cross_entropy(model(batch[0]), batch[1]).detach()))
            plain_step(model, optimizer, *batch, rec)
            if count % 40 == 0:
                with torch.no_grad():
                    wrong = (model(x[:99]).argmax(1) != y[:99]).float().mean()
                rec.evaluation(val_error=float(wrong))
    told = command("check", str(tmp_path / "run.h5"), "--format", "json").data["runs"][0]
    assert told["diagnosis"]["state"] in ("did not learn", "learned in part")
    learned = learning(recorded_torch.opened(tmp_path / "run.h5"))
    assert learned is not None
    np.testing.assert_allclose(learned.loss, np.reshape(losses, (3, 40)).mean(1), rtol=1e-5)


@pytest.mark.parametrize("told", [False, True])
def test_where_nobody_told_of_the_data_the_line_that_does_is_said(
    told: bool, tmp_path: Path
) -> None:
    model, steps = Net(), batches(0, 60)
    x, y = (torch.cat(parts) for parts in zip(*steps, strict=True))
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5", strict=True) as rec:
        if told:
            rec.data(x, y)
        for batch in steps:
            plain_step(model, optimizer, *batch, rec)
        rec.evaluation(train_loss=1.0, train_error=0.5)
    found = command("check", str(tmp_path / "run.h5"), "--format", "json").data["runs"][0]
    said = [caveat for caveat in found["diagnosis"]["caveats"] if "rec.data(x_train" in caveat]
    assert (found["diagnosis"]["state"] == "not evaluated", len(said)) == (not told, not told)


def test_targets_of_several_numbers_are_judged_and_not_kept(tmp_path: Path) -> None:
    """An autoencoder's R² is that of its mean squared error over the variance of its targets."""
    model = torch.nn.Sequential(torch.nn.Linear(6, 6))
    x = torch.tensor(np.random.default_rng(0).normal(size=(40, 6)), dtype=torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5") as rec:
        with pytest.warns(DlprobeWarning, match=r"y_train of shape \(40, 6\) cannot be kept"):
            rec.data(x, x, keep=True)
        loss = F.mse_loss(model(x), x)
        loss.backward()
        optimizer.step()
        rec.loss(loss)
        rec.evaluation(train_loss=0.25)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert run.layers.names == ("Linear 0",)
        assert run.layer_facts[0].name == "Linear 0"
        variance = float(x.double().var(0, correction=0).mean())
        assert run.evaluations["train_r2"][-1] == pytest.approx(1 - 0.25 / variance, rel=1e-6)
        assert data_line(run) == "regression: 40 training; its arrays are not in the file"


def test_softmax_twice_is_told_of_a_run_that_does_not_say_its_data(tmp_path: Path) -> None:
    model = torch.nn.Sequential(Net(), torch.nn.Softmax(-1))
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5", strict=True) as rec:
        for batch in batches(0, 3):
            plain_step(model, optimizer, *batch, rec)
    told = command("check", str(tmp_path / "run.h5"), "--format", "json").data["runs"][0]
    assert "L006" in [finding["code"] for finding in told["findings"]]
