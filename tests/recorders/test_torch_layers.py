"""The PyTorch recorder on every activation and norm, and on layers and nets of other kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recorded_torch
import slow_twins
from recorded_torch import RATE, TOLERANCE, F, Net, differences, recorded, torch
from small_nets import NORMS, network, targets_for

import dlprobe
from dlprobe.analysis.profiles.run_profile import verdict_names
from dlprobe.rules.causes import excluded_causes
from dlprobe.rules.diagnosis import observed
from tests.nn import test_torch_twins as twins

KNOWN = [
    name
    for name in twins.HIDDEN
    if name in twins.ACTIVATIONS and name not in ("hard_sigmoid", "glu")
] + ["prelu"]


@pytest.mark.parametrize("activation", KNOWN)
def test_activations_are_recognized_and_recorded_as_dlprobes(
    activation: str, tmp_path: Path
) -> None:
    case = twins.Case(None, "sgd", True, activation, "cross_entropy", "softmax", twins.SAMPLES)
    compare_case(case, tmp_path)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        names = [(layer.activation or "").partition("(")[0] for layer in run.layer_facts]
        assert names == [activation, activation, "softmax"]


@pytest.mark.parametrize("norm", [norm for norm in NORMS if norm], ids=str)
def test_norms_are_recognized_and_recorded_as_dlprobes(
    norm: tuple[str, bool], tmp_path: Path
) -> None:
    case = twins.Case(norm, "sgd", True, "relu", "cross_entropy", "softmax", twins.SAMPLES)
    compare_case(case, tmp_path)
    with recorded_torch.opened(tmp_path / "run.h5") as run:
        assert [layer.normalization for layer in run.layer_facts] == [norm[0], norm[0], "none"]
        assert [layer.norm_position for layer in run.layer_facts[:2]] == [
            "after" if norm[1] else "before"
        ] * 2


def compare_case(case: twins.Case, folder: Path) -> None:
    """Three steps in float64 beside the engine, which trains on its own."""
    net, inputs, targets = twins.problem(case, seed=6)
    model = twins.torch_net(net, case)
    optimizer = twins.torch_optimizer(case.optimizer, model.parameters())
    with dlprobe.recorders.torch.record(model, optimizer, folder / "run.h5", strict=True) as rec:
        for chosen in list(slow_twins.batches(twins.SAMPLES, case.batch, net.seed, 3)):
            optimizer.zero_grad()
            loss = twins.criterion(
                case.loss, model(torch.tensor(inputs[chosen])), torch.tensor(targets[chosen])
            )
            rec.loss(loss)
            loss.backward()
            optimizer.step()
    result = net.train(inputs, targets, 0, np.full(3, twins.rate_of(case.optimizer)))
    expected = {
        name: result.statistics[:, :, index] for index, name in enumerate(recorded_torch.NAMES)
    }
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
    """With a batch of one sample, the root mean square of sample gradients is that of the
    gradient, whatever was dropped.
    """
    torch.manual_seed(7)
    model = torch.nn.Sequential(
        torch.nn.Linear(6, 50), torch.nn.Tanh(), torch.nn.Dropout(0.5), torch.nn.Linear(50, 3)
    )
    x = torch.randn(1, 6)
    a = torch.tanh(model[0](x)).detach().numpy()
    with one_row(
        model, lambda m: F.cross_entropy(m(x), torch.tensor([1])), tmp_path / "run.h5"
    ) as run:
        assert [layer.dropout for layer in run.layer_facts] == [0.5, 0.0]
        assert run.row(0)["activation_mean"][0] == pytest.approx(a.mean(), rel=1e-5)
        np.testing.assert_allclose(
            run.row(0)["gradient_sample_rms"], run.row(0)["gradient_rms"], rtol=1e-5
        )


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
        assert row["activation_sample_variance"][0] == pytest.approx(
            np.tanh(z).var(axis=0).mean(), rel=1e-5
        )
        assert np.isnan(row["gradient_sample_rms"][0])


def test_tied_weights_are_named(tmp_path: Path) -> None:
    torch.manual_seed(9)
    model = torch.nn.Sequential(
        torch.nn.Embedding(11, 8),
        torch.nn.Linear(8, 8),
        torch.nn.Tanh(),
        torch.nn.Linear(8, 11, bias=False),
    )
    model[3].weight = model[0].weight
    tokens = torch.randint(0, 11, (4, 5))
    with one_row(
        model,
        lambda m: F.cross_entropy(m(tokens).flatten(0, 1), tokens.flatten()),
        tmp_path / "run.h5",
    ) as run:
        row = run.row(0)
        assert (
            row["gradient_l2"][0]
            == row["gradient_l2"][2]
            == pytest.approx(float(model[0].weight.grad.norm()), rel=1e-6)
        )
        assert run.scalar("gradient_norm")[0] == pytest.approx(
            float(torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])), rel=1e-6
        )
        assert any("3: shares its weight with 0" in note for note in run.facts.notes or ())
        assert [layer.fan_in for layer in run.layer_facts] == [None, 8, 8]


def test_sample_gradients_of_a_dense_layer_over_tokens_are_exact(tmp_path: Path) -> None:
    torch.manual_seed(10)
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.GELU(), torch.nn.Linear(8, 4))
    x, y = torch.randn(5, 7, 6), torch.randint(0, 4, (5, 7))

    def loss(m: Any, rows: Any = slice(None)) -> Any:
        return F.cross_entropy(m(x[rows]).flatten(0, 1), y[rows].flatten())

    own = [
        torch.autograd.grad(loss(model, slice(i, i + 1)), [model[0].weight, model[2].weight])
        for i in range(5)
    ]
    expected = [
        np.sqrt(np.mean([float((each[k] ** 2).sum()) for each in own]) / own[0][k].numel())
        for k in range(2)
    ]
    with one_row(model, loss, tmp_path / "run.h5") as run:
        np.testing.assert_allclose(run.row(0)["gradient_sample_rms"], expected, rtol=1e-5)
        assert run.facts.batch_size == 5


def test_a_convolution_has_a_unit_per_channel(tmp_path: Path) -> None:
    torch.manual_seed(11)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 5, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(5 * 4 * 4, 3)
    )
    x, y = torch.randn(8, 2, 6, 6), torch.randint(0, 3, (8,))
    z = model[0](x)
    (d,) = torch.autograd.grad(F.cross_entropy(model[3](torch.relu(z).flatten(1)), y), z)
    rows = z.detach().movedim(1, -1).reshape(-1, 5).numpy()
    with one_row(model, lambda m: F.cross_entropy(m(x), y), tmp_path / "run.h5") as run:
        row = run.row(0)
        assert (run.layer_facts[0].fan_in, run.layer_facts[0].units) == (18, 5)
        assert row["preactivation_mean_square"][0] == pytest.approx(np.mean(rows**2), rel=1e-5)
        assert row["activation_sample_variance"][0] == pytest.approx(
            np.maximum(rows, 0).var(axis=0).mean(), rel=1e-5
        )
        assert row["error_signal_rms"][0] == pytest.approx(
            8 * float(d.pow(2).mean().sqrt()), rel=1e-5
        )
        assert row["gradient_l2"][0] == pytest.approx(float(model[0].weight.grad.norm()), rel=1e-5)


def test_a_residual_sum_is_part_of_a(tmp_path: Path) -> None:
    torch.manual_seed(12)

    class Residual(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = (
                torch.nn.Linear(6, 6),
                torch.nn.Linear(6, 6),
                torch.nn.Linear(6, 3),
            )

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
            self.inside, self.attention, self.unused = (
                torch.nn.Linear(4, 8),
                torch.nn.MultiheadAttention(8, 2, batch_first=True),
                torch.nn.Linear(3, 3),
            )
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
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert run.scalar("gradient_norm")[0] == pytest.approx(
            float(torch.nn.utils.get_total_norm(gradients)), rel=1e-6
        )


def test_a_recurrent_layer_has_output_and_gradient_and_its_time_steps_are_not_judged(
    tmp_path: Path,
) -> None:
    """The embedding before it has no error signal in the file, which is no divergence."""
    torch.manual_seed(14)

    class Reads(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.words = torch.nn.Embedding(9, 4)
            self.core, self.head = torch.nn.LSTM(4, 6, batch_first=True), torch.nn.Linear(6, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.core(self.words(x))[0][:, -1])

    model, x, y = Reads(), torch.randint(0, 9, (7, 5)), torch.randint(0, 3, (7,))
    with one_row(model, lambda m: F.cross_entropy(m(x), y), tmp_path / "run.h5") as run:
        assert verdict_names(run) == ("not evaluated", "not evaluated")
        assert [each for each in observed(run).caveats if "core does from one time step" in each]
        assert (excluded_causes(["G001"]), excluded_causes(["G001"], True)) == (("G001",), ())
        weights = [model.core.weight_ih_l0, model.core.weight_hh_l0]
        assert run.row(0)["gradient_l2"][1] == pytest.approx(
            float(torch.cat([w.grad.flatten() for w in weights]).norm()), rel=1e-5
        )
        assert run.row(0).is_recorded("preactivation_mean")
