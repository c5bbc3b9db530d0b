"""What `check` says of a network that PyTorch trained is lines of PyTorch for its modules:
executed on the sick model as they stand, they make it learn.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import dlprobe as command
from recorded_torch import torch

import dlprobe

TRAINED = 1000  # samples of the training part
GUESSED = 0.9  # share of digits that is wrong where one class is always said


class Stack(torch.nn.Module):  # type: ignore[misc]
    """A chain of Linear under names of its owner's."""

    def __init__(self, activation: Any, hidden: int) -> None:
        super().__init__()
        self.encoder = torch.nn.Sequential(torch.nn.Linear(64, 50), activation())
        self.blocks = torch.nn.ModuleList(
            torch.nn.ModuleDict({"fc": torch.nn.Linear(50, 50), "act": activation()})
            for _ in range(hidden - 1)
        )
        self.head = torch.nn.Linear(50, 10)

    def forward(self, x: Any) -> Any:
        x = self.encoder(x)
        for block in self.blocks:
            x = block["act"](block["fc"](x))
        return self.head(x)


def drawn(model: Any, deviation: float) -> Any:
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=deviation)
    return model


def digits() -> dict[str, Any]:
    with np.load(str(files("dlprobe.data") / "embedded" / "digits.npz")) as arrays:
        x, y = torch.tensor(arrays["X"], dtype=torch.float32) / 16, torch.tensor(arrays["y"]).long()
    return {
        "x_train": x[:TRAINED],
        "y_train": y[:TRAINED],
        "x_val": x[TRAINED:],
        "y_val": y[TRAINED:],
    }


def sgd(rate: float) -> Callable[[Any], Any]:
    return lambda model: torch.optim.SGD(model.parameters(), lr=rate)


CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {  # model, optimizer
    "vanishing": (lambda: Stack(torch.nn.Sigmoid, 10), sgd(0.1)),
    "small weights": (lambda: drawn(Stack(torch.nn.ReLU, 8), 0.01), sgd(0.1)),
    "rate too small": (lambda: Stack(torch.nn.ReLU, 2), sgd(1e-5)),
    "rate too large": (
        lambda: Stack(torch.nn.ReLU, 2),
        lambda model: torch.optim.Adam(model.parameters(), lr=0.1),
    ),
    "decayed away": (
        lambda: Stack(torch.nn.ReLU, 2),
        lambda model: torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=50.0),
    ),
    "decayed by Adam": (
        lambda: Stack(torch.nn.ReLU, 2),
        lambda model: torch.optim.Adam(
            model.parameters(), lr=1e-3, weight_decay=50.0, decoupled_weight_decay=True
        ),
    ),
    # PyTorch draws weights of variance 1/(3 fan_in): each ReLU layer passes on a sixth
    "weights as PyTorch draws them": (lambda: Stack(torch.nn.ReLU, 12), sgd(0.1)),
}
CAUSES = {
    "decayed away": "B004",
    "decayed by Adam": "B004",
    "weights as PyTorch draws them": "G001",
}


def train(path: Path, space: dict[str, Any], epochs: int = 12) -> float:
    """Train what a namespace holds, clipping where its lines say so; the share of validation
    samples that is wrong at the end.
    """
    model, optimizer = space["model"], space["optimizer"]
    torch.manual_seed(1)
    with dlprobe.recorders.torch.record(model, optimizer, path, every=5, strict=True) as rec:
        rec.data(space["x_train"], space["y_train"], space["x_val"], space["y_val"])
        for _ in range(epochs):
            rec.evaluation(**evaluated(model, space))
            for batch in torch.randperm(TRAINED).split(32):
                loss = torch.nn.functional.cross_entropy(
                    model(space["x_train"][batch]), space["y_train"][batch]
                )
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                rec.loss(loss)
        last = evaluated(model, space)
        rec.evaluation(**last)
    return last["val_error"]


def evaluated(model: Any, space: dict[str, Any]) -> dict[str, float]:
    model.eval()
    found = {}
    with torch.no_grad():
        for part in ("train", "val"):
            logits = model(space[f"x_{part}"])
            found[f"{part}_loss"] = float(
                torch.nn.functional.cross_entropy(logits, space[f"y_{part}"])
            )
            found[f"{part}_error"] = float((logits.argmax(1) != space[f"y_{part}"]).float().mean())
    model.train()
    return found


def namespace(case: str) -> dict[str, Any]:
    made, optimizer = CASES[case]
    torch.manual_seed(0)
    model = made()
    return {"torch": torch, "model": model, "optimizer": optimizer(model), **digits()}


@pytest.mark.parametrize("case", CASES)
def test_the_first_lines_that_check_says_of_a_sick_model_make_it_learn(
    case: str, tmp_path: Path
) -> None:
    sick = train(tmp_path / "sick.h5", namespace(case))
    assert sick > 0.2 * GUESSED
    outcome = command("check", str(tmp_path / "sick.h5"), "--format", "json")
    diagnosis = json.loads(outcome.out)["runs"][0]["diagnosis"]
    assert CAUSES.get(case) in (None, diagnosis["cause"]["code"])
    actions = [action for action in diagnosis["actions"] if action.get("lines")]
    space = namespace(case)
    exec("\n".join(actions[0]["lines"]), space)
    if {id(each) for each in space["model"].parameters()} != {
        id(each) for group in space["optimizer"].param_groups for each in group["params"]
    }:
        space["optimizer"] = CASES[case][1](
            space["model"]
        )  # as the line says: before the optimizer is made
    assert train(tmp_path / "cured.h5", space) < min(0.2 * GUESSED, sick / 2), actions[0]
    for action in actions[1:]:  # the others may cure less, but they are lines that work
        exec("\n".join(action["lines"]), namespace(case))


def test_screens_show_the_lines_and_no_command_that_would_train(tmp_path: Path) -> None:
    train(tmp_path / "sick.h5", namespace("vanishing"), epochs=4)
    shown = command("check", str(tmp_path / "sick.h5")).out
    assert (
        "model.encoder[0] = torch.nn.Sequential(model.encoder[0], "
        "torch.nn.BatchNorm1d(model.encoder[0].out_features))"
    ) in shown
    assert "for i in range(0, 9):\n           model.blocks[i].fc = torch.nn.Sequential(" in shown
    assert "dlprobe train" not in shown
    assert "dlprobe prescribe" not in shown


class Numbers:
    """A regression of 330 samples in batches of 32, the last of each epoch, of 10, left out."""

    def __init__(self, behind: Any, mean: float = 0.0, bias: float = 0.0) -> None:
        torch.manual_seed(0)
        self.x = torch.randn(330, 4)
        self.y = self.x[:, :1] - self.x[:, 1:2] ** 2 + 1.0 + mean
        self.model = torch.nn.Sequential(
            torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1), behind
        )
        torch.nn.init.constant_(self.model[0].bias, bias)

    def train(self, path: Path) -> dict[str, Any]:
        optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-2)
        with dlprobe.recorders.torch.record(self.model, optimizer, path, strict=True) as rec:
            rec.data(self.x, self.y)
            for _ in range(12):
                for batch in torch.randperm(330).split(32)[:-1]:
                    loss = torch.nn.functional.mse_loss(self.model(self.x[batch]), self.y[batch])
                    loss.backward()
                    optimizer.step()
                    optimizer.zero_grad()
                    rec.loss(loss)
                with torch.no_grad():
                    error = torch.nn.functional.mse_loss(self.model(self.x), self.y)
                rec.evaluation(train_loss=float(error), train_r2=1 - float(error / self.y.var()))
        outcome = command("check", str(path), "--format", "json")
        found: dict[str, Any] = json.loads(outcome.out)["runs"][0]["diagnosis"]
        return found


def test_an_output_that_cannot_give_the_mean_of_the_targets_is_taken_away(tmp_path: Path) -> None:
    """max(z, 0) is never −20."""
    diagnosis = Numbers(torch.nn.ReLU(), mean=-20.0).train(tmp_path / "sick.h5")
    assert diagnosis["cause"]["code"] == "L006"
    assert diagnosis["actions"][0]["lines"][0] == "model[3] = torch.nn.Identity()"
    linear = Numbers(torch.nn.Identity(), mean=-20.0).train(tmp_path / "linear.h5")
    assert (linear["cause"] or {}).get("code") != "L006"


def test_units_that_are_dead_are_told_though_the_last_batches_are_dropped(tmp_path: Path) -> None:
    """Σ w x is nowhere near 100, so that no unit has a slope."""
    diagnosis = Numbers(torch.nn.Identity(), bias=-100.0).train(tmp_path / "sick.h5")
    assert diagnosis["cause"]["code"] == "A001"
