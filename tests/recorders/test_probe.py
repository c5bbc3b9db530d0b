"""The probe: one extra pass on a fixed batch that leaves the training as it is, for trainings
whose own passes hooks cannot see.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recorded_torch
from recorded_torch import Loop, Net, Trained, batches, differences, own_rows, torch, weights_of

import dlprobe
from dlprobe.errors import ConfigError

F = torch.nn.functional


class Spoiled(torch.nn.Module):  # type: ignore[misc]
    """Dropout and running statistics: random numbers and state that a careless pass would move."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.drop, self.head = (
            torch.nn.Linear(6, 8),
            torch.nn.BatchNorm1d(8),
            torch.nn.Dropout(0.5),
            torch.nn.Linear(8, 3),
        )

    def forward(self, x: Any) -> Any:
        return self.head(self.drop(torch.relu(self.norm(self.first(x)))))


def optimizer_inside_the_backward_pass(model: Any) -> None:
    for parameter in model.parameters():
        optimizer = torch.optim.SGD([parameter], lr=0.1)

        def step(given: Any, optimizer: Any = optimizer) -> None:
            optimizer.step()
            optimizer.zero_grad()

        parameter.register_post_accumulate_grad_hook(step)


def test_a_training_with_its_optimizer_inside_the_backward_pass_is_probed(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Net()
    optimizer_inside_the_backward_pass(model)
    fixed = batches(9, 1)[0]
    found = Trained(model)
    with dlprobe.recorders.Probe(model, F.cross_entropy, fixed, tmp_path / "run.h5") as probe:
        for step, (x, y) in enumerate(batches(0, 9)):
            if step % 4 == 0:
                probe(step)
                found.before.append(weights_of(model))
                found.batches.append(fixed)
            F.cross_entropy(model(x), y).backward()
    expected = own_rows(found, Loop())
    expected["update_ratio"] *= np.nan
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert list(run.steps) == [0, 4, 8]
        assert max(differences(run, expected).values()) < 1e-5
        assert (run.facts.optimizer, run.facts.batch_size) == (None, None)
        assert run.facts.notes == (
            "every row is of one extra pass on a fixed batch, so updates are not recorded",
        )
        assert not run.is_recorded("learning_rate")


def trained(probed: bool, path: Path) -> Any:
    torch.manual_seed(1)
    model = torch.compile(Spoiled(), backend="eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    probe = (
        dlprobe.recorders.Probe(model, F.cross_entropy, batches(5, 1)[0], path, optimizer=optimizer)
        if probed
        else None
    )
    for step, (x, y) in enumerate(batches(0, 5)):
        if probe is not None:
            probe(step)
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
    if probe is not None:
        probe.close()
    return [*model.state_dict().values(), torch.rand(3)]


def test_a_probe_leaves_weights_running_statistics_and_random_numbers_as_they_are(
    tmp_path: Path,
) -> None:
    for one, other in zip(
        trained(True, tmp_path / "run.h5"), trained(False, tmp_path / "none.h5"), strict=True
    ):
        assert torch.equal(one, other)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        np.testing.assert_allclose(run.scalar("learning_rate"), 0.1)
        np.testing.assert_allclose(run.scalar("momentum"), 0.9)
        assert [layer.normalization for layer in run.layer_facts] == ["batch", "none"]


def test_what_is_no_pytorch_model_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=(
            r"model is a dict, expected a torch\.nn\.Module or, on jax, a keras\.Model: .* "
            r"dlprobe\.recorders\.arrays\.Recorder"
        ),
    ):
        dlprobe.recorders.Probe({}, F.cross_entropy, batches(0, 1)[0], tmp_path / "run.h5")
    probe = dlprobe.recorders.Probe(Net(), F.cross_entropy, batches(0, 1)[0], tmp_path / "run.h5")
    probe(3)
    with pytest.raises(ConfigError, match="step 3 was probed after step 3: steps rise"):
        probe(3)
    probe.close()
