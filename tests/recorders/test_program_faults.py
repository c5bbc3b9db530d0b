"""Faults of the program around a PyTorch model: what `check` says names the fault in the words of
its owner, and the lines that it gives make the same network learn.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import dlprobe as command
from recorded_torch import opened, torch

import dlprobe

nn, F = torch.nn, torch.nn.functional
SAMPLES, FEATURES, CLASSES = 480, 8, 4


def clouds() -> tuple[Any, Any]:
    """Four clouds of points, one class after another."""
    random = np.random.default_rng(0)
    classes = np.repeat(np.arange(CLASSES), SAMPLES // CLASSES)
    centres = 1.5 * random.normal(size=(CLASSES, FEATURES))
    x = centres[classes] + random.normal(size=(SAMPLES, FEATURES))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(classes)


def net(*behind: Any) -> Any:
    return nn.Sequential(
        nn.Linear(FEATURES, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4), *behind
    )


class Detached(nn.Module):  # type: ignore[misc]
    """Two parts with a cut between them."""

    def __init__(self, cut: bool = True) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(FEATURES, 2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU())
        self.head, self.cut = nn.Linear(2, CLASSES), cut

    def forward(self, x: Any) -> Any:
        h = self.encoder(x)
        return self.head(h.detach() if self.cut else h)


class Listed(nn.Module):  # type: ignore[misc]
    """Layers in a list that PyTorch does not look into."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = [nn.Linear(FEATURES, 3)], nn.Linear(3, CLASSES)

    def forward(self, x: Any) -> Any:
        return self.head(torch.tanh(self.hidden[0](x)))


def frozen() -> Any:
    model = net()
    for parameter in model[:4].parameters():
        parameter.requires_grad_(False)
    return model


def normed() -> Any:
    parts = [nn.Linear(16, 16), nn.BatchNorm1d(16), nn.Sigmoid()]
    return nn.Sequential(nn.Linear(FEATURES, 16), *parts, *parts[1:], nn.Linear(16, 4)).eval()


def sgd(model: Any, rate: float = 0.1) -> Any:
    return torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=rate)


def train(path: Path, space: dict[str, Any], epochs: int = 3, **habits: int) -> list[Any]:
    """Train what the namespace holds; its parameters afterwards."""
    model, optimizer, (x, y) = space["model"], space["optimizer"], clouds()
    criterion, zero = space.get("criterion", F.cross_entropy), habits.get("zero", True)
    torch.manual_seed(1)
    with dlprobe.recorders.torch.record(model, optimizer, path, strict=True) as rec:
        rec.data(x, y)
        for _ in range(epochs + 1):
            mode = model.training
            model.eval()
            with torch.no_grad():
                error = (model(x).argmax(1) != y).float().mean()
                rec.evaluation(train_loss=criterion(model(x), y), train_error=error)
            model.train(mode)
            order = (
                torch.randperm(SAMPLES) if habits.get("shuffle", True) else torch.arange(SAMPLES)
            )
            batches = order.split(habits.get("size", 16))
            for batch in [each for each in batches if len(each) == len(batches[0])]:
                loss = criterion(model(x[batch]), y[batch])
                loss.backward()
                optimizer.step()
                if zero:
                    optimizer.zero_grad()
                rec.loss(loss)
    return [each.detach().clone() for each in model.parameters()]


def diagnosis(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command("check", str(path), "--format", "json").out)
    return dict(found["runs"][0]["diagnosis"])


# what is sick: model, optimizer, habits; what is to be said of it, and what its lines have to hold
Case = tuple[Callable[[], Any], Callable[[Any], Any], dict[str, int], str, str, str]
CASES: dict[str, Case] = {
    "cut off": (
        Detached,
        sgd,
        {},
        "L014",
        "back to model.encoder[0] and",
        "behind model.encoder[2]",
    ),
    "frozen": (frozen, sgd, {}, "L014", "model[0] and model[2] are frozen", "requires_grad_(True)"),
    "not stepped": (
        net,
        lambda model: sgd(model[4]),
        {},
        "L014",
        "model[0] and model[2] are in no parameter group",
        "torch.optim.SGD(model.parameters(), lr=0.1)",
    ),
    "not registered": (Listed, sgd, {}, "L014", "weights of 3×8", "torch.nn.ModuleList"),
    "added up": (net, sgd, {"zero": False}, "L014", "gradients add up", "optimizer.zero_grad()"),
    "evaluating": (normed, sgd, {}, "L014", "in evaluation mode in 120 of 120", "model.train()"),
    "in order": (
        net,
        lambda model: sgd(model, 0.3),
        {"shuffle": False},
        "L014",
        "in the order of their classes",
        "batch_size=16, shuffle=True",
    ),
    "in order, without the last batch": (
        net,
        lambda model: sgd(model, 0.3),
        {"shuffle": False, "size": 17},
        "L014",
        "in the order of their classes",
        "batch_size=17, shuffle=True",
    ),
    "softmax twice": (
        lambda: net(nn.Softmax(dim=1)),
        lambda model: sgd(model, 0.02),
        {},
        "L006",
        "applies softmax itself and the model ends with softmax",
        "model[5] = torch.nn.Identity()",
    ),
    "ReLU before the loss": (
        lambda: net(nn.ReLU()),
        lambda model: sgd(model, 0.5),
        {},
        "L006",
        "applies softmax itself and the model ends with relu",
        "model[5] = torch.nn.Identity()",
    ),
}


class HeadFirst(nn.Module):  # type: ignore[misc]
    """Whose first parameter is the first to get its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.body = nn.Linear(16, CLASSES), nn.Sequential(*net()[:4])

    def forward(self, x: Any) -> Any:
        return self.head(self.body(x))


def test_gradients_that_are_zeroed_do_not_add_up_whatever_the_order(tmp_path: Path) -> None:
    model = HeadFirst()
    train(tmp_path / "well.h5", {"model": model, "optimizer": sgd(model)})
    with dlprobe.open_run(tmp_path / "well.h5") as run:
        assert "gradients_kept" not in run.final


@pytest.mark.parametrize("case", CASES)
def test_a_fault_of_the_program_is_the_cause_and_has_lines(case: str, tmp_path: Path) -> None:
    made, optimizer, habits, code, said, line = CASES[case]
    torch.manual_seed(0)
    model = made()
    train(tmp_path / "sick.h5", {"model": model, "optimizer": optimizer(model)}, **habits)
    found = json.loads(command("check", str(tmp_path / "sick.h5"), "--format", "json").out)
    findings = [each for each in found["runs"][0]["findings"] if each["code"] == code]
    assert len(findings) == 1
    assert said in findings[0]["evidence"]
    assert line in "\n".join(findings[0]["remedies"][0]["lines"])
    if findings[0]["severity"] == "error":
        assert found["runs"][0]["diagnosis"]["cause"]["code"] == code


@pytest.mark.parametrize("case", ["frozen", "not stepped", "softmax twice"])
def test_lines_that_are_statements_make_the_network_learn(case: str, tmp_path: Path) -> None:
    made, optimizer, habits, *_ = CASES[case]
    errors = []
    for cured in (False, True):
        torch.manual_seed(0)
        space: dict[str, Any] = {"torch": torch, "model": made()}
        space["optimizer"] = optimizer(space["model"])
        if cured:
            exec("\n".join(diagnosis(tmp_path / "False.h5")["actions"][0]["lines"]), space)
        train(tmp_path / f"{cured}.h5", space, epochs=8, **habits)
        with torch.no_grad():
            errors.append(
                float((space["model"](clouds()[0]).argmax(1) != clouds()[1]).float().mean())
            )
    assert errors[1] < 0.7 * errors[0]


@pytest.mark.parametrize("spoilt", [True, False])
def test_an_input_that_is_not_finite_is_told_from_steps_that_are_too_long(
    spoilt: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model, (x, y) = net(), clouds()
    if spoilt:
        x[7, 2] = np.nan
    optimizer = sgd(model, 0.1 if spoilt else 1e9)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5", strict=True) as rec:
        for batch in torch.arange(SAMPLES).flip(0).split(8):
            loss = F.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            rec.loss(loss)
    found = json.loads(command("check", str(tmp_path / "run.h5"), "--format", "json").out)
    diagnosed = found["runs"][0]["diagnosis"]
    assert diagnosed["state"] == "diverged"
    assert (diagnosed["cause"]["code"] == "L014") is spoilt
    if spoilt:
        space = {"x_train": x, "y_train": y}
        exec("\n".join(diagnosed["actions"][0]["lines"]), space)
        assert len(space["x_train"]) == len(space["y_train"]) == SAMPLES - 1
        assert space["x_train"].isfinite().all()


class Recurrent(nn.Module):  # type: ignore[misc]
    """A layer of which the last state is used, not the output that hooks see."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.rnn, self.head = nn.Embedding(9, 4), nn.GRU(4, 8), nn.Linear(8, CLASSES)

    def forward(self, x: Any) -> Any:
        return self.head(self.rnn(self.tokens(x.abs().long().clamp(max=8).T))[1][0])


def dropping() -> Any:
    return nn.Sequential(net(), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 4))


SOUND: dict[str, tuple[Callable[[], Any], Callable[[Any, Any], Any]]] = {
    "plain": (net, F.cross_entropy),
    "drops": (dropping, F.cross_entropy),
    "last state": (Recurrent, F.cross_entropy),
    "not cut": (lambda: Detached(cut=False), F.cross_entropy),
    "log-softmax": (lambda: net(nn.LogSoftmax(dim=1)), F.nll_loss),
    "log of softmax": (
        lambda: net(nn.Softmax(dim=1)),
        lambda outputs, targets: F.nll_loss(torch.log(outputs), targets),
    ),
}


@pytest.mark.parametrize("case", SOUND)
def test_sound_programs_are_not_accused(case: str, tmp_path: Path) -> None:
    made, criterion = SOUND[case]
    torch.manual_seed(0)
    model = made()
    train(tmp_path / "run.h5", {"model": model, "optimizer": sgd(model), "criterion": criterion})
    found = json.loads(command("check", str(tmp_path / "run.h5"), "--format", "json").out)
    assert not {each["code"] for each in found["runs"][0]["findings"]} & {"L006", "L014"}
    assert "L014" in found["runs"][0]["passed"]


def test_zeroed_gradients_and_accumulated_ones_are_no_old_gradients(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, (x, y) = net(), clouds()
    optimizer = sgd(model)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5", strict=True) as rec:
        for batch in torch.randperm(SAMPLES).split(8):
            optimizer.zero_grad(set_to_none=False)
            for part in batch.split(4):
                loss = F.cross_entropy(model(x[part]), y[part])
                loss.backward()
                rec.loss(loss)
            optimizer.step()
    with opened(tmp_path / "run.h5") as run:
        assert "gradients_kept" not in run.final


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_a_squared_error_over_all_pairs_is_seen_and_tells_what_was_learned(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.randn(320, 4)
    y = x @ torch.tensor([1.0, -2.0, 0.5, 0.0])
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = sgd(model, 0.01)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5", strict=True) as rec:
        rec.data(x, y)
        for _ in range(12):
            with torch.no_grad():
                rec.evaluation(train_loss=F.mse_loss(model(x)[:, 0], y))
            for batch in torch.randperm(320).split(16):
                loss = F.mse_loss(model(x[batch]), y[batch])
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                rec.loss(loss)
    found = diagnosis(tmp_path / "run.h5")
    assert found["state"] == "did not learn"  # R² follows from the loss and the targets
    assert (found["cause"]["code"], "all 16 targets" in found["cause"]["evidence"]) == (
        "L014",
        True,
    )
    with opened(tmp_path / "run.h5") as run:
        loss, r2 = (np.asarray(run.evaluations[f"train_{name}"]) for name in ("loss", "r2"))
    np.testing.assert_allclose(r2, 1.0 - loss / float(y.var(correction=0)), rtol=1e-6)


def test_weight_decay_is_the_penalty_that_its_gradient_has(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, (x, y) = net(), clouds()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.02)
    expected = []
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5", strict=True) as rec:
        for _ in range(3):
            expected.append(
                sum(0.01 * float(each.detach().square().sum()) for each in model.parameters())
            )
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            rec.loss(loss)
    with opened(tmp_path / "run.h5") as run:
        np.testing.assert_allclose(run.scalar("penalty"), expected, rtol=1e-5)


def test_indices_of_an_embedding_are_no_features_to_be_scaled(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(500, 8), nn.Flatten(), nn.Linear(32, CLASSES))
    x, y = torch.randint(0, 500, (SAMPLES, 4)), clouds()[1]
    optimizer = sgd(model)
    with dlprobe.recorders.torch.record(model, optimizer, tmp_path / "run.h5", strict=True) as rec:
        rec.data(x, y)
        for batch in torch.randperm(SAMPLES).split(8):
            loss = F.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            rec.loss(loss)
    found = json.loads(command("check", str(tmp_path / "run.h5"), "--format", "json").out)["runs"][
        0
    ]
    reasons = {each["code"]: each["reason"] for each in found["not_evaluated"]}
    assert "feature_mean" in reasons["D001"]
