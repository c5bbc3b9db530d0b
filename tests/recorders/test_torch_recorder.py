"""The PyTorch recorder: rows are dlprobe's own numbers or absent with a reason, and the
training is bit for bit the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recorded_torch
from recorded_torch import (
    RATE,
    TOLERANCE,
    F,
    Loop,
    Net,
    differences,
    own_rows,
    recorded,
    torch,
    weights_of,
)

import dlprobe

# each value of the matrix, and the pairs that go together badly; the whole matrix is `python -m
# tests.frameworks recorders`
LOOPS = [
    Loop(),
    Loop(accumulate=4, clip=True),
    Loop(precision="scaler", clip=True),
    Loop(precision="scaler", accumulate=4),
    Loop(precision="fused", accumulate=4, clip=True),
    Loop(precision="inf", accumulate=4, clip=True),
    Loop(precision="inf", compiled="once"),
    Loop(compiled="twice", accumulate=4),
    Loop(activation="tanh"),
    Loop(activation="gelu", clip=True),
]


@pytest.mark.parametrize("loop", LOOPS, ids=str)
def test_a_recorded_loop_has_dlprobes_own_numbers_and_the_weights_of_an_unrecorded_one(
    loop: Loop, tmp_path: Path
) -> None:
    trained = recorded_torch.train(loop, tmp_path / "run.h5")
    for one, other in zip(
        trained.parameters, recorded_torch.train(loop, None).parameters, strict=True
    ):
        assert torch.equal(one, other)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        found = differences(run, own_rows(trained, loop))
        assert {name: apart for name, apart in found.items() if not apart < TOLERANCE} == {}
        assert run.status == "finished"
        assert run.final["skipped_steps"] == (1 if loop.precision == "inf" else 0)
        assert run.facts.notes is None


def test_under_autocast_rows_are_dlprobes_numbers_to_the_rounding_of_bfloat16(
    tmp_path: Path,
) -> None:
    """Eight bits: 0.4 % an operation; gradients of random labels cancel to a third."""
    trained = recorded_torch.train(Loop(precision="bf16"), tmp_path / "run.h5")
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert max(differences(run, own_rows(trained, Loop())).values()) < 0.05


def test_other_steps_of_a_compiled_model_stay_compiled(tmp_path: Path) -> None:
    """With every=2 the compiled code runs at odd steps; rows are those of the even ones."""
    loop = Loop(compiled="once", every=2, steps=4)
    trained = recorded_torch.train(loop, tmp_path / "run.h5")
    expected = own_rows(trained, loop)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert list(run.steps) == [0, 2, 4]
        assert max(differences(run, expected, slice(0, None, 2)).values()) < TOLERANCE


def test_when_the_last_of_several_recorders_is_closed_models_compile_again(tmp_path: Path) -> None:
    import torch._dynamo.eval_frame as dynamo

    before, runs = dynamo._stance.stance, []
    for every in (2, 3):
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
        path = tmp_path / f"{every}.h5"
        recording = dlprobe.recorders.torch.record(model, optimizer, path, every=every)
        runs.append((model, optimizer, recording))
    for x, y in recorded_torch.batches(0, 3):
        for run in runs:
            recorded_torch.plain_step(*run[:2], x, y, run[2])
    assert dynamo._stance.stance == "force_eager"
    for *_, recording in runs:
        recording.close()
    assert dynamo._stance.stance == before


class InPlace(Net):
    def __init__(self) -> None:
        super().__init__()
        for module in self.modules():
            if isinstance(module, torch.nn.ReLU):
                module.inplace = True


class Functional(Net):
    def forward(self, x: Any) -> Any:
        h = F.relu(self.encoder[0](x))
        h = F.dropout(torch.relu_(self.encoder[2](h)), p=0.0, training=self.training)
        return self.head(h.flatten(1))


class Checkpointed(Net):
    reentrant = False

    def forward(self, x: Any) -> Any:
        from torch.utils.checkpoint import checkpoint

        x = x.requires_grad_() if self.reentrant else x
        return self.head(checkpoint(self.encoder, x, use_reentrant=self.reentrant))


class Reentrant(Checkpointed):
    reentrant = True


class Reordered(Net):
    """Modules stand in another order than they are called in."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.encoder = self.head, self.encoder
        self._modules = dict(reversed(self._modules.items()))


class ByKeyword(Net):
    def forward(self, x: Any) -> Any:
        return self.head(input=self.encoder[2:](self.encoder[1](self.encoder[0](input=x))))


class Differentiated(Net):
    """As a gradient penalty does, a backward pass that is not the loss's makes a graph before it;
    gradients between layers are kept for the owner too.
    """

    def forward(self, x: Any) -> Any:
        h = self.encoder[0](x)
        outputs = self.head(self.encoder[1:](h))
        h.retain_grad()
        torch.autograd.grad(outputs.square().sum(), h, create_graph=True)
        return outputs


@pytest.mark.parametrize(
    "kind",
    [InPlace, Functional, Checkpointed, Reordered, ByKeyword, Differentiated],
    ids=lambda kind: kind.__name__,
)
def test_however_the_net_is_written_the_rows_are_the_same(kind: Any, tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = recorded(kind(), tmp_path / "run.h5")
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        found = differences(run, own_rows(trained, Loop()))
        assert {name: apart for name, apart in found.items() if not apart < TOLERANCE} == {}
        assert [layer.name for layer in run.layer_facts] == ["encoder.0", "encoder.2", "head"]
        assert [layer.activation for layer in run.layer_facts] == ["relu", "relu", "softmax"]
        assert (run.facts.loss, run.facts.optimizer, run.facts.batch_size) == (
            "cross_entropy",
            "sgd",
            32,
        )


def test_reentrant_checkpoints_are_recorded_when_they_are_computed_again(tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = recorded(Reentrant(), tmp_path / "run.h5")
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        found = differences(run, own_rows(trained, Loop()))
        assert {name: apart for name, apart in found.items() if not apart < TOLERANCE} == {}


def evaluating_step(model: Any, optimizer: Any, x: Any, y: Any, rec: Any) -> None:
    """Evaluations before, between and after: with and without gradients."""
    model.eval()
    with torch.no_grad():
        rec.evaluation(val_loss=float(F.cross_entropy(model(x * 3), y)))
    model(x * 5).sum()
    model.train()
    loss = F.cross_entropy(model(x), y)
    with torch.no_grad():
        model(x * 7)
    model(x * 9)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    rec.loss(loss)


def test_evaluations_inside_the_loop_do_not_count(tmp_path: Path) -> None:
    torch.manual_seed(2)
    trained = recorded(Net(), tmp_path / "run.h5", evaluating_step)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert max(differences(run, own_rows(trained, Loop())).values()) < TOLERANCE
        assert list(run.evaluations["step"]) == [0, 1, 2]


def test_two_optimizers_make_one_step(tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = Net()
    pair = [
        torch.optim.SGD(model.encoder.parameters(), lr=RATE),
        torch.optim.SGD(model.head.parameters(), lr=RATE),
    ]

    def step(model: Any, last: Any, x: Any, y: Any, rec: Any) -> None:
        loss = F.cross_entropy(model(x), y)
        rec.loss(loss)
        loss.backward()
        for optimizer in pair:
            optimizer.step()
        for optimizer in pair:
            optimizer.zero_grad(set_to_none=False)

    trained = recorded(model, tmp_path / "run.h5", step, optimizer=pair)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert max(differences(run, own_rows(trained, Loop())).values()) < TOLERANCE


def test_with_lbfgs_a_row_is_of_the_first_closure_for_it_describes_the_net_before_the_update(
    tmp_path: Path,
) -> None:
    torch.manual_seed(4)
    model = Net()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=RATE, max_iter=5)
    after: list[Any] = []

    def step(model: Any, optimizer: Any, x: Any, y: Any, rec: Any) -> None:
        def closure() -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            rec.loss(loss)
            loss.backward()
            return loss

        optimizer.step(closure)
        after.append(weights_of(model))

    trained = recorded(model, tmp_path / "run.h5", step, optimizer=optimizer)
    expected = own_rows(trained, Loop())
    moved = [
        [np.linalg.norm(b[2 * k] - a[2 * k]) / np.linalg.norm(a[2 * k]) for k in range(3)]
        for a, b in zip(trained.before, after, strict=True)
    ]
    expected["update_ratio"] = np.array(moved, np.float32)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert max(differences(run, expected).values()) < TOLERANCE


def test_a_frozen_layer_has_its_forward_numbers_and_a_note(tmp_path: Path) -> None:
    torch.manual_seed(5)
    model = Net()
    model.encoder[0].requires_grad_(False)
    trained = recorded(
        model,
        tmp_path / "run.h5",
        optimizer=torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=RATE),
    )
    expected = own_rows(trained, Loop())
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert run.facts.notes == ("encoder.0: frozen, so it has no gradient and no update",)
        for name in (
            "preactivation_variance",
            "activation_mean",
            "dead_fraction",
            "weight_l2",
            "bias_rms",
        ):
            np.testing.assert_allclose(
                run.statistic(name), expected[name], rtol=TOLERANCE, err_msg=name
            )
        for name in ("gradient_l2", "error_signal_rms", "update_ratio", "gradient_sample_rms"):
            assert np.isnan(run.statistic(name)[:, 0]).all(), name
            np.testing.assert_allclose(
                run.statistic(name)[:, 1:], expected[name][:, 1:], rtol=TOLERANCE, err_msg=name
            )


def test_skipping_zero_grad_to_none_or_zero_makes_no_difference(tmp_path: Path) -> None:
    torch.manual_seed(6)

    def step(model: Any, optimizer: Any, x: Any, y: Any, rec: Any) -> None:
        optimizer.zero_grad(set_to_none=False)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        rec.loss(loss)

    trained = recorded(Net(), tmp_path / "run.h5", step, steps=4)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert len(run.steps) == 4
        assert run.final["skipped_steps"] == 0
        assert max(differences(run, own_rows(trained, Loop())).values()) < TOLERANCE


@pytest.mark.parametrize(
    "loop",
    [Loop(precision="scaler", accumulate=4, clip=True), Loop(activation="gelu")],
    ids=str,
)
def test_sums_that_stay_on_a_device_are_the_same(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the CPU here: what is shown is PyTorch's sums, not what a device does."""
    from dlprobe.recorders.torch import recording

    monkeypatch.setattr(recording, "on_host", lambda model: False)
    trained = recorded_torch.train(loop, tmp_path / "run.h5")
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        found = differences(run, own_rows(trained, loop))
        assert {name: apart for name, apart in found.items() if not apart < TOLERANCE} == {}


def test_a_slope_of_just_one_percent_is_not_flat(tmp_path: Path) -> None:
    """PyTorch's default leaky ReLU: .01 in float32 is a little less than .01."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(6, 12), torch.nn.LeakyReLU(), torch.nn.Linear(12, 3)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5", strict=True) as rec:
        loss = model(torch.randn(32, 6)).square().mean()
        loss.backward()
        optimizer.step()
        rec.loss(loss)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert run.row(0)["flat_fraction"][0] == 0.0
        assert run.row(0)["active_fraction"][0] < 0.9
