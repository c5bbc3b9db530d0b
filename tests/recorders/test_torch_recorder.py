"""The PyTorch recorder: rows are dlprobe's own numbers or absent with a reason, and the training is bit for bit the same."""

from __future__ import annotations

import copy
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recorded_torch
import slow_twins
from command_line import dlprobe as command
from recorded_torch import RATE, SIZES, Loop, Net, Trained, batches, differences, own_rows, torch, weights_of
from small_nets import NORMS, network, targets_for

import dlprobe
from dlprobe.errors import ConfigError, DlprobeWarning, RunFileError
from tests.nn import test_torch_twins as twins

TOLERANCE = 1e-5
F = torch.nn.functional
LOOPS = [  # each value of the matrix, and the pairs that go together badly; the whole matrix is `python -m tests.frameworks recorders`
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
def test_a_recorded_loop_has_dlprobes_own_numbers_and_the_weights_of_an_unrecorded_one(loop: Loop, tmp_path: Path) -> None:
    trained = recorded_torch.train(loop, tmp_path / "run.h5")
    for one, other in zip(trained.parameters, recorded_torch.train(loop, None).parameters, strict=True):
        assert torch.equal(one, other)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        found = differences(run, own_rows(trained, loop))
        assert {name: apart for name, apart in found.items() if not apart < TOLERANCE} == {}
        assert run.status == "finished"
        assert run.final["skipped_steps"] == (1 if loop.precision == "inf" else 0)
        assert run.facts.notes is None


def test_under_autocast_rows_are_dlprobes_numbers_to_the_rounding_of_bfloat16(tmp_path: Path) -> None:
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


# --- the same net, written in other ways ---------------------------------------------------------------------------------------------------------------------


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


def plain_step(model: Any, optimizer: Any, x: Any, y: Any, rec: Any) -> None:
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    rec.loss(loss)


def recorded(model: Any, path: Path, step: Callable[..., None] = plain_step, steps: int = 3, optimizer: Any = None, **options: Any) -> Trained:
    """Train a net of SIZES, weights and batches noted."""
    found = Trained(model)
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, path, strict=True, **options) as rec:
        for x, y in batches(0, steps):
            found.before.append(weights_of(model))
            found.batches.append((x, y))
            step(model, optimizer[-1] if isinstance(optimizer, list) else optimizer, x, y, rec)
    return found


@pytest.mark.parametrize("kind", [InPlace, Functional, Checkpointed, Reordered], ids=lambda kind: kind.__name__)
def test_however_the_net_is_written_the_rows_are_the_same(kind: Any, tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = recorded(kind(), tmp_path / "run.h5")
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        found = differences(run, own_rows(trained, Loop()))
        assert {name: apart for name, apart in found.items() if not apart < TOLERANCE} == {}
        assert [layer.name for layer in run.layer_facts] == ["encoder.0", "encoder.2", "head"]
        assert [layer.activation for layer in run.layer_facts] == ["relu", "relu", "softmax"]
        assert (run.facts.loss, run.facts.optimizer, run.facts.batch_size) == ("cross_entropy", "sgd", 32)


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
    pair = [torch.optim.SGD(model.encoder.parameters(), lr=RATE), torch.optim.SGD(model.head.parameters(), lr=RATE)]

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


def test_with_lbfgs_a_row_is_of_the_first_closure_for_it_describes_the_net_before_the_update(tmp_path: Path) -> None:
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
    moved = [[np.linalg.norm(b[2 * k] - a[2 * k]) / np.linalg.norm(a[2 * k]) for k in range(3)] for a, b in zip(trained.before, after, strict=True)]
    expected["update_ratio"] = np.array(moved, np.float32)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert max(differences(run, expected).values()) < TOLERANCE


def test_a_frozen_layer_has_its_forward_numbers_and_a_note(tmp_path: Path) -> None:
    torch.manual_seed(5)
    model = Net()
    model.encoder[0].requires_grad_(False)
    trained = recorded(model, tmp_path / "run.h5", optimizer=torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=RATE))
    expected = own_rows(trained, Loop())
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert run.facts.notes == ("encoder.0: frozen, so it has no gradient and no update",)
        for name in ("preactivation_variance", "activation_mean", "dead_fraction", "weight_l2", "bias_rms"):
            np.testing.assert_allclose(run.statistic(name), expected[name], rtol=TOLERANCE, err_msg=name)
        for name in ("gradient_l2", "error_signal_rms", "update_ratio", "gradient_sample_rms"):
            assert np.isnan(run.statistic(name)[:, 0]).all(), name
            np.testing.assert_allclose(run.statistic(name)[:, 1:], expected[name][:, 1:], rtol=TOLERANCE, err_msg=name)


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


# --- every activation and norm -------------------------------------------------------------------------------------------------------------------------------

KNOWN = [name for name in twins.HIDDEN if name in twins.ACTIVATIONS and name not in ("hard_sigmoid", "glu")] + ["prelu"]


@pytest.mark.parametrize("activation", KNOWN)
def test_activations_are_recognized_and_recorded_as_dlprobes(activation: str, tmp_path: Path) -> None:
    case = twins.Case(None, "sgd", True, activation, "cross_entropy", "softmax", twins.SAMPLES)
    compare_case(case, tmp_path)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        names = [(layer.activation or "").partition("(")[0] for layer in run.layer_facts]
        assert names == [activation, activation, "softmax"]


@pytest.mark.parametrize("norm", [norm for norm in NORMS if norm], ids=str)
def test_norms_are_recognized_and_recorded_as_dlprobes(norm: tuple[str, bool], tmp_path: Path) -> None:
    case = twins.Case(norm, "sgd", True, "relu", "cross_entropy", "softmax", twins.SAMPLES)
    compare_case(case, tmp_path)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert [layer.normalization for layer in run.layer_facts] == [norm[0], norm[0], "none"]
        assert [layer.norm_position for layer in run.layer_facts[:2]] == ["after" if norm[1] else "before"] * 2


def compare_case(case: twins.Case, folder: Path) -> None:
    """Three steps in float64 beside the engine, which trains on its own."""
    net, inputs, targets = twins.problem(case, seed=6)
    model = twins.torch_net(net, case)
    optimizer = twins.torch_optimizer(case.optimizer, model.parameters())
    with dlprobe.recorders.torch.record(model, optimizer, folder / "run.h5", strict=True) as rec:
        for chosen in list(slow_twins.batches(twins.SAMPLES, case.batch, net.seed, 3)):
            optimizer.zero_grad()
            loss = twins.criterion(case.loss, model(torch.tensor(inputs[chosen])), torch.tensor(targets[chosen]))
            rec.loss(loss)
            loss.backward()
            optimizer.step()
    result = net.train(inputs, targets, 0, np.full(3, twins.rate_of(case.optimizer)))
    expected = {name: result.statistics[:, :, index] for index, name in enumerate(recorded_torch.NAMES)}
    with recorded_torch.opened(folder / "run.h5") as run:
        found = differences(run, {**expected, "batch_loss": result.scalars[:, 0]})
        assert {name: apart for name, apart in found.items() if not apart < TOLERANCE} == {}


def test_an_mse_regression_keeps_its_linear_output(tmp_path: Path) -> None:
    net = network((5, 8, 2), activation="relu", batch=16, loss="mse")
    x, y = np.random.default_rng(0).normal(size=(16, 5)), targets_for("mse", 16, 2)
    model = twins.torch_net(net, twins.Case(None, "sgd", True, "relu", "mse", "linear", 16))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5", strict=True) as rec:
        loss = F.mse_loss(model(torch.tensor(x)), torch.tensor(y))
        loss.backward()
        optimizer.step()
        rec.loss(loss)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert (run.facts.loss, run.layer_facts[-1].activation) == ("mse(reduction=mean)", "linear")
        assert run.row(0)["slope_mean_square"][-1] == 1.0


def test_without_its_loss_the_output_is_not_called_linear(tmp_path: Path) -> None:
    def step(model: Any, optimizer: Any, x: Any, y: Any, rec: Any) -> None:
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()

    recorded(Net(), tmp_path / "run.h5", step)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert [layer.activation for layer in run.layer_facts] == ["relu", "relu", None]
        assert np.isnan(run.statistic("activation_mean")[:, -1]).all()
        assert not run.is_recorded("batch_loss")
        assert run.facts.notes is not None
        assert "tell it with rec.loss(loss)" in run.facts.notes[0]


# --- other architectures -------------------------------------------------------------------------------------------------------------------------------------


def one_row(model: Any, run_once: Callable[[Any], Any], path: Path) -> Any:
    """Record one step; the file, open."""
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, path, strict=True) as rec:
        loss = run_once(model)
        loss.backward()
        optimizer.step()
        rec.loss(loss)
    return recorded_torch.opened(path)


def test_dropout_is_named_and_a_is_before_it(tmp_path: Path) -> None:
    """With a batch of one sample, the root mean square of sample gradients is that of the gradient, whatever was dropped."""
    torch.manual_seed(7)
    model = torch.nn.Sequential(torch.nn.Linear(6, 50), torch.nn.Tanh(), torch.nn.Dropout(0.5), torch.nn.Linear(50, 3))
    x = torch.randn(1, 6)
    a = torch.tanh(model[0](x)).detach().numpy()
    with one_row(model, lambda m: F.cross_entropy(m(x), torch.tensor([1])), tmp_path / "run.h5") as run:
        assert [layer.dropout for layer in run.layer_facts] == [0.5, 0.0]
        assert run.row(0)["activation_mean"][0] == pytest.approx(a.mean(), rel=1e-5)
        np.testing.assert_allclose(run.row(0)["gradient_sample_rms"], run.row(0)["gradient_rms"], rtol=1e-5)


def test_a_shared_module_is_one_layer_with_all_its_calls(tmp_path: Path) -> None:
    torch.manual_seed(8)

    class Shared(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.core, self.head = torch.nn.Linear(6, 6), torch.nn.Linear(6, 3)

        def forward(self, x: Any) -> Any:
            return self.head(torch.tanh(self.core(torch.tanh(self.core(x)))))

    model, x, y = Shared(), torch.randn(16, 6), torch.randint(0, 3, (16,))
    z1 = model.core(x)
    z2 = model.core(torch.tanh(z1))
    d1, d2 = torch.autograd.grad(F.cross_entropy(model.head(torch.tanh(z2)), y), (z1, z2))
    z, d = torch.cat([z1, z2]).detach().numpy(), torch.cat([d1, d2]).numpy()
    with one_row(model, lambda m: F.cross_entropy(m(x), y), tmp_path / "run.h5") as run:
        row = run.row(0)
        assert [layer.name for layer in run.layer_facts] == ["core", "head"]
        assert row["preactivation_variance"][0] == pytest.approx(z.var(), rel=1e-5)
        assert row["error_signal_rms"][0] == pytest.approx(16 * np.sqrt(np.mean(d**2)), rel=1e-5)
        assert row["activation_sample_variance"][0] == pytest.approx(np.tanh(z).var(axis=0).mean(), rel=1e-5)
        assert np.isnan(row["gradient_sample_rms"][0])


def test_tied_weights_are_named(tmp_path: Path) -> None:
    torch.manual_seed(9)
    model = torch.nn.Sequential(torch.nn.Embedding(11, 8), torch.nn.Linear(8, 8), torch.nn.Tanh(), torch.nn.Linear(8, 11, bias=False))
    model[3].weight = model[0].weight
    tokens = torch.randint(0, 11, (4, 5))
    with one_row(model, lambda m: F.cross_entropy(m(tokens).flatten(0, 1), tokens.flatten()), tmp_path / "run.h5") as run:
        row = run.row(0)
        assert row["gradient_l2"][0] == row["gradient_l2"][2] == pytest.approx(float(model[0].weight.grad.norm()), rel=1e-6)
        assert run.scalar("gradient_norm")[0] == pytest.approx(float(torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])), rel=1e-6)
        assert any("3: shares its weight with 0" in note for note in run.facts.notes or ())
        assert [layer.fan_in for layer in run.layer_facts] == [None, 8, 8]


def test_sample_gradients_of_a_dense_layer_over_tokens_are_exact(tmp_path: Path) -> None:
    torch.manual_seed(10)
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.GELU(), torch.nn.Linear(8, 4))
    x, y = torch.randn(5, 7, 6), torch.randint(0, 4, (5, 7))

    def loss(m: Any, rows: Any = slice(None)) -> Any:
        return F.cross_entropy(m(x[rows]).flatten(0, 1), y[rows].flatten())

    own = [torch.autograd.grad(loss(model, slice(i, i + 1)), [model[0].weight, model[2].weight]) for i in range(5)]
    expected = [np.sqrt(np.mean([float((each[k] ** 2).sum()) for each in own]) / own[0][k].numel()) for k in range(2)]
    with one_row(model, loss, tmp_path / "run.h5") as run:
        np.testing.assert_allclose(run.row(0)["gradient_sample_rms"], expected, rtol=1e-5)
        assert run.facts.batch_size == 5


def test_a_convolution_has_a_unit_per_channel(tmp_path: Path) -> None:
    torch.manual_seed(11)
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 5, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(5 * 4 * 4, 3))
    x, y = torch.randn(8, 2, 6, 6), torch.randint(0, 3, (8,))
    z = model[0](x)
    (d,) = torch.autograd.grad(F.cross_entropy(model[3](torch.relu(z).flatten(1)), y), z)
    rows = z.detach().movedim(1, -1).reshape(-1, 5).numpy()
    with one_row(model, lambda m: F.cross_entropy(m(x), y), tmp_path / "run.h5") as run:
        row = run.row(0)
        assert (run.layer_facts[0].fan_in, run.layer_facts[0].units) == (18, 5)
        assert row["preactivation_mean_square"][0] == pytest.approx(np.mean(rows**2), rel=1e-5)
        assert row["activation_sample_variance"][0] == pytest.approx(np.maximum(rows, 0).var(axis=0).mean(), rel=1e-5)
        assert row["error_signal_rms"][0] == pytest.approx(8 * float(d.pow(2).mean().sqrt()), rel=1e-5)
        assert row["gradient_l2"][0] == pytest.approx(float(model[0].weight.grad.norm()), rel=1e-5)


def test_a_residual_sum_is_part_of_a(tmp_path: Path) -> None:
    torch.manual_seed(12)

    class Residual(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = torch.nn.Linear(6, 6), torch.nn.Linear(6, 6), torch.nn.Linear(6, 3)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.first(x))
            return self.head(x + torch.tanh(self.second(x)))

    model, x, y = Residual(), torch.randn(16, 6), torch.randint(0, 3, (16,))
    first = torch.relu(model.first(x))
    z = model.second(first)
    a = (first + torch.tanh(z)).detach().numpy()
    slope = 1 - np.tanh(z.detach().numpy()) ** 2
    with one_row(model, lambda m: F.cross_entropy(m(x), y), tmp_path / "run.h5") as run:
        row = run.row(0)
        assert row["activation_variance"][1] == pytest.approx(a.var(), rel=1e-5)
        assert row["slope_mean_square"][1] == pytest.approx(np.mean(slope**2), rel=1e-5)
        assert [layer.residual for layer in run.layer_facts] == ["none", None, "none"]


def test_what_hooks_never_see_is_listed_and_never_0(tmp_path: Path) -> None:
    torch.manual_seed(13)

    class Attends(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inside, self.attention, self.unused = torch.nn.Linear(4, 8), torch.nn.MultiheadAttention(8, 2, batch_first=True), torch.nn.Linear(3, 3)
            self.direct, self.head = torch.nn.Linear(8, 8), torch.nn.Linear(8, 3)

        def forward(self, x: Any) -> Any:
            h = torch.relu(self.inside(x))
            h, _ = self.attention(h, h, h)
            return self.head(torch.relu(self.direct.forward(h)).mean(1))

    model, x, y = Attends(), torch.randn(6, 5, 4), torch.randint(0, 3, (6,))
    with one_row(model, lambda m: F.cross_entropy(m(x), y), tmp_path / "run.h5") as run:
        assert [layer.name for layer in run.layer_facts] == ["inside", "head"]
        never = [note.partition(":")[0] for note in run.facts.notes or () if "never called" in note]
        assert never == ["attention.out_proj", "unused", "direct"]


def test_a_recurrent_layer_has_output_and_gradient(tmp_path: Path) -> None:
    torch.manual_seed(14)

    class Reads(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.core, self.head = torch.nn.LSTM(4, 6, batch_first=True), torch.nn.Linear(6, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.core(x)[0][:, -1])

    model, x, y = Reads(), torch.randn(7, 5, 4), torch.randint(0, 3, (7,))
    with one_row(model, lambda m: F.cross_entropy(m(x), y), tmp_path / "run.h5") as run:
        weights = [model.core.weight_ih_l0, model.core.weight_hh_l0]
        assert run.row(0)["gradient_l2"][0] == pytest.approx(float(torch.cat([w.grad.flatten() for w in weights]).norm()), rel=1e-5)
        assert run.row(0).is_recorded("preactivation_mean")


# --- nothing breaks ------------------------------------------------------------------------------------------------------------------------------------------


def test_a_failing_recorder_warns_once_and_the_training_ends_as_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlprobe.recorders.torch.passes import Passes

    real, count = Passes._signal, [0]

    def breaks(*given: Any) -> None:
        count[0] += 1
        if count[0] == 8:
            raise RuntimeError("out of luck")
        real(*given)

    monkeypatch.setattr(Passes, "_signal", breaks)
    torch.manual_seed(0)
    model, other = Net(), Net()
    other.load_state_dict(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5") as rec:
            for x, y in batches(0, 6):
                plain_step(model, optimizer, x, y, rec)
    expected = "the recorder of dlprobe: stopped recording at step 2, the training goes on: RuntimeError: out of luck"
    assert [(each.category, str(each.message)) for each in told] == [(DlprobeWarning, expected)]
    train_plainly(other, 6)
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), other.parameters(), strict=True))
    assert not [module for module in model.modules() if module._forward_hooks or module._forward_pre_hooks]
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert (run.status, list(run.steps)) == ("interrupted", [0, 1])


def train_plainly(model: Any, steps: int) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    for x, y in batches(0, steps):
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()


def test_where_warnings_are_errors_a_failing_recorder_says_so_on_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dlprobe.recorders.torch.capture import Capture

    monkeypatch.setattr(Capture, "after_step", lambda self: 1 / 0)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5") as rec:
        plain_step(model, optimizer, *batches(0, 1)[0], rec)
    assert "stopped recording at step 0" in capsys.readouterr().err


def test_a_strict_recorder_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlprobe.recorders.torch.capture import Capture

    monkeypatch.setattr(Capture, "after_step", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        recorded(Net(), tmp_path / "run.h5")


def test_what_the_user_gives_wrongly_is_left_out_with_a_warning(tmp_path: Path) -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5") as rec:
        plain_step(model, optimizer, *batches(0, 1)[0], rec)
        with pytest.warns(DlprobeWarning, match="left out evaluation: .*val_los"):
            rec.evaluation(val_los=1.0)
        with pytest.warns(DlprobeWarning, match="left out data: .*the first step is recorded already"):
            rec.data(np.ones((2, 2)), np.ones(2))
        plain_step(model, optimizer, *batches(0, 1)[0], rec)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert (run.status, list(run.steps)) == ("finished", [0, 1])


def test_nan_at_a_step_is_a_row_and_the_run_diverged(tmp_path: Path) -> None:
    def step(model: Any, optimizer: Any, x: Any, y: Any, rec: Any) -> None:
        if len(recorded_steps) == 2:
            with torch.no_grad():
                model.encoder[2].weight[0, 0] = float("nan")
        recorded_steps.append(1)
        plain_step(model, optimizer, x, y, rec)

    recorded_steps: list[int] = []
    recorded(Net(), tmp_path / "run.h5", step, steps=5)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert run.status == "diverged"
        assert list(run.steps) == [0, 1, 2]  # after NaN weights nothing is left to describe
        assert list(run.row(2)["nonfinite_forward"]) == [0.0, 2.0 * 32, 2.0 * 32 * 3]
    found = json.loads(command("check", str(tmp_path / "run.h5"), "--format", "json").out)["runs"][0]["findings"]
    assert "N001" in [each["code"] for each in found]


def test_copies_and_saved_models_have_no_recorder_in_them(tmp_path: Path) -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5", strict=True) as rec:
        plain_step(model, optimizer, *batches(0, 1)[0], rec)
        twin, buffer = copy.deepcopy(model), io.BytesIO()
        torch.save(model, buffer)
        torch.save(optimizer, io.BytesIO())
        train_plainly(twin, 2)
        plain_step(model, optimizer, *batches(0, 1)[0], rec)
    assert b"dlprobe" not in buffer.getvalue()
    buffer.seek(0)
    train_plainly(torch.load(buffer, weights_only=False), 2)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert list(run.steps) == [0, 1]


def test_hooks_are_there_at_recorded_steps_only(tmp_path: Path) -> None:
    model, seen = Net(), []

    def step(model: Any, optimizer: Any, x: Any, y: Any, rec: Any) -> None:
        seen.append(sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()) > 0)
        plain_step(model, optimizer, x, y, rec)

    recorded(model, tmp_path / "run.h5", step, steps=5, every=3)
    assert seen == [True, False, False, True, False]
    assert sum(len(module._forward_hooks) for module in model.modules()) == 0
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert list(run.steps) == [0, 3]
        assert run.is_recorded("batch_loss")


KILLED = """
import os, signal, torch, dlprobe
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with dlprobe.recorders.torch.record(model, optimizer, "run.h5") as rec:
    for step in range(4000):
        loss = torch.nn.functional.cross_entropy(model(torch.randn(16, 4)), torch.randint(0, 2, (16,)))
        loss.backward(); optimizer.step(); optimizer.zero_grad(); rec.loss(loss)
        if step > 20 and os.path.getsize("run.h5.journal") > 60_000:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_training_leaves_a_run_that_can_be_read(tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.getcwd()}, check=False, timeout=120)
    assert result.returncode == -signal.SIGKILL
    with recorded_torch.opened(tmp_path / "run.h5.journal") as run:
        assert run.status == "interrupted"
        assert len(run.steps) > 10
        assert np.isfinite(run.statistic("error_signal_rms")).all()
    assert command("inspect", str(tmp_path / "run.h5.journal")).code == 0


DISTRIBUTED = """
import sys, torch, dlprobe
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method=f"file://{sys.argv[2]}/meet", rank=rank, world_size=2)
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.ReLU(), torch.nn.Linear(12, 3))
torch.save(model.state_dict(), f"{sys.argv[2]}/start{rank}.pt")
parallel = DistributedDataParallel(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
random = torch.Generator().manual_seed(1)
with dlprobe.recorders.torch.record(parallel, optimizer, f"{sys.argv[2]}/run.h5", strict=True) as rec:
    for step in range(3):
        x, y = torch.randn(32, 6, generator=random), torch.randint(0, 3, (32,), generator=random)
        loss = torch.nn.functional.cross_entropy(parallel(x[rank * 16 : rank * 16 + 16]), y[rank * 16 : rank * 16 + 16])
        loss.backward()
        if len(sys.argv) > 3:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
        optimizer.step(); optimizer.zero_grad(); rec.loss(loss)
dist.barrier()  # who leaves first would break the connection of the other
dist.destroy_process_group()
"""


@pytest.mark.parametrize("clip", [False, True])
def test_of_two_processes_the_first_writes_and_gradients_are_those_of_both(clip: bool, tmp_path: Path) -> None:
    """A parameter hook would see 1.35 and 1.70 times the truth."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
    commands = [[sys.executable, "-c", DISTRIBUTED, str(rank), str(tmp_path), *(["clip"] if clip else [])] for rank in range(2)]
    running = [subprocess.Popen(each, env=environment, stderr=subprocess.PIPE, text=True) for each in commands]
    assert [(each.communicate(timeout=120)[1], each.returncode)[1] for each in running] == [0, 0]
    model = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.ReLU(), torch.nn.Linear(12, 3))
    model.load_state_dict(torch.load(tmp_path / "start0.pt"))
    random = torch.Generator().manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert any("samples of process 0" in note for note in run.facts.notes or ())
        for step in range(3):
            x, y = torch.randn(32, 6, generator=random), torch.randint(0, 3, (32,), generator=random)
            F.cross_entropy(model(x), y).backward()
            row = run.row(step)
            expected = [float(layer.weight.grad.norm()) for layer in (model[0], model[2])]
            np.testing.assert_allclose(row["gradient_l2"], expected, rtol=TOLERANCE)
            z = model[0](x[:16]).detach().numpy()
            assert row["preactivation_variance"][0] == pytest.approx(z.var(), rel=TOLERANCE)
            if clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
            np.testing.assert_allclose(row["clipped_gradient_l2"], [float(layer.weight.grad.norm()) for layer in (model[0], model[2])], rtol=TOLERANCE)
            optimizer.step()
            optimizer.zero_grad()


# --- refused -------------------------------------------------------------------------------------------------------------------------------------------------


def test_what_hooks_cannot_record_is_refused_with_the_way_that_can(tmp_path: Path) -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    with pytest.raises(ConfigError, match=r"DataParallel hands hooks pieces of the model: record it with dlprobe\.recorders\.Probe"):
        dlprobe.recorders.torch.record(torch.nn.DataParallel(model), optimizer, tmp_path / "run.h5")
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(lambda p: None)
    with pytest.raises(ConfigError, match=r"encoder\.0\.weight has a hook .* optimizer inside the backward pass.*Probe"):
        dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5")
    (tmp_path / "there.h5").touch()
    with pytest.raises(RunFileError, match="exists already"):
        dlprobe.recorders.torch.record(Net(), optimizer, tmp_path / "there.h5")
    assert [each.name for each in tmp_path.iterdir()] == ["there.h5"]


def test_importing_dlprobe_and_its_recorders_loads_no_framework() -> None:
    script = textwrap.dedent("""
        import sys, dlprobe
        dlprobe.recorders.torch.record, dlprobe.recorders.arrays.Recorder
        print(*(name for name in ("torch", "keras", "jax", "h5py") if name in sys.modules))
    """)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert result.stdout.split() in ([], ["h5py"])


def test_no_warning_is_given_when_all_is_well(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recorded(Net(), tmp_path / "run.h5")
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert (run.status, run.facts.notes) == ("finished", None)


def test_vanishing_in_pytorch_is_what_check_says(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Net("sigmoid", (SIZES[0], *[24] * 12, SIZES[-1]))
    recorded(model, tmp_path / "run.h5", steps=120)
    outcome = command("check", str(tmp_path / "run.h5"), "--format", "json")
    found = json.loads(outcome.out)["runs"][0]["findings"]
    assert outcome.code == 1
    assert "G001" in [each["code"] for each in found]
    signals = recorded_torch.opened(tmp_path / "run.h5").row(0)["error_signal_rms"]
    assert signals[0] < 1e-6 * signals[-1]
