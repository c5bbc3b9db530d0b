"""A PyTorch state_dict as .npz: its layers in their order, transposed, give the outputs that
PyTorch gives; what is no chain of Linear is one line.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import dlprobe

from dlprobe.config import from_options
from dlprobe.data import load, prepare
from dlprobe.errors import ConfigError
from dlprobe.training import trainer

torch: Any = pytest.importorskip("torch")
DATA = "gaussian(samples=20, features=4, classes=3)"


def model(*sizes: int, norm: bool = False) -> Any:
    torch.manual_seed(0)
    parts = [
        part
        for pair in pairwise(sizes)
        for part in (
            torch.nn.Linear(*pair),
            *([torch.nn.BatchNorm1d(pair[1])] if norm else []),
            torch.nn.Tanh(),
        )
    ]
    return torch.nn.Sequential(*parts[: -2 if norm else -1])


def saved(net: Any, path: Path) -> Path:
    np.savez(path, **{name: values.cpu().numpy() for name, values in net.state_dict().items()})
    return path


def test_a_net_that_begins_with_it_gives_pytorchs_outputs(tmp_path: Path) -> None:
    net = model(4, 7, 5, 3)
    path = saved(net, tmp_path / "my weights.npz")
    config = from_options(
        None,
        {
            "data": DATA,
            "layers": "7,5",
            "activation": "tanh",
            "init": f"file(path={str(path)!r})",
            "dtype": "float64",
            "steps": "1",
        },
    )
    data = prepare(load(config.data, 0), config.data, 0, "float64")
    session = trainer.start(config, data)
    targets = np.eye(3)[np.asarray(data.targets["val"]).astype(int)]
    outputs = session.network.evaluate(data.inputs["val"], targets).outputs
    with torch.no_grad():
        expected = torch.softmax(net.double()(torch.tensor(data.inputs["val"])), 1).numpy()
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "command",
    [["train", "--steps", "1", "-o", "{}/run.h5"], ["theory"]],
    ids=lambda command: command[0],
)
def test_it_stands_in_the_place_of_a_configuration(command: list[str], tmp_path: Path) -> None:
    path = saved(model(64, 50, 50, 10), tmp_path / "weights.npz")
    outcome = dlprobe(
        *(each.format(tmp_path) for each in command), "--activation", "tanh", str(path)
    )
    assert outcome.code == 0, outcome.err
    assert "3 Linear layers" in " ".join(outcome.err.split())
    assert command[0] == "train" or "pytorch_linear" in " ".join(outcome.err.split())


def trained_norm(net: Any) -> Any:
    with torch.no_grad():
        net[1].weight.mul_(2.0)
    return net


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: model(4, 7, 3), "2 Linear layers .* expected 3"),
        (
            lambda: torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3)),
            r"0\.weight has shape \(2, 1, 3, 3\): expected Linear",
        ),
        (
            lambda: torch.nn.ModuleList(
                [torch.nn.Linear(4, 7), torch.nn.Linear(5, 3), torch.nn.Linear(7, 5)]
            ),
            "1.weight takes 5 numbers, 0 before it gives 7",
        ),
        (lambda: trained_norm(model(4, 7, 5, 3, norm=True)), "the norm 1 has been trained"),
        (lambda: model(4, 8, 5, 3), "hidden_1_weights has shape"),
    ],
)
def test_what_does_not_fit_is_one_line(made: Callable[[], Any], words: str, tmp_path: Path) -> None:
    path = saved(made(), tmp_path / "weights.npz")
    config = from_options(
        None, {"data": DATA, "layers": "7,5", "init": f"file(path={str(path)!r})", "steps": "1"}
    )
    with pytest.raises(ConfigError, match=words) as caught:
        trainer.start(config, prepare(load(config.data, 0), config.data, 0, "float32"))
    assert "\n" not in str(caught.value)


def test_norms_that_have_not_been_trained_are_passed_over(tmp_path: Path) -> None:
    path = saved(model(4, 7, 5, 3, norm=True), tmp_path / "weights.npz")
    config = from_options(
        None,
        {
            "data": DATA,
            "layers": "7,5",
            "norm": "batch",
            "init": f"file(path={str(path)!r})",
            "steps": "1",
        },
    )
    trainer.start(config, prepare(load(config.data, 0), config.data, 0, "float32"))


def test_inspect_says_what_to_do_with_what_torch_saved(tmp_path: Path) -> None:
    torch.save(model(4, 7, 3).state_dict(), tmp_path / "model.pt")
    outcome = dlprobe("inspect", str(tmp_path / "model.pt"))
    assert outcome.code == 2
    for words in (
        "is a zip archive, as torch.save",
        "model.state_dict().items()",
        "dlprobe theory weights.npz",
        "dlprobe.recorders.torch.record",
    ):
        assert words in " ".join(outcome.err.split())


def test_inspect_shows_the_layers_with_their_sizes(tmp_path: Path) -> None:
    arrays = {
        "body.0.weight": np.array([[3.0, -4.0], [0.0, 0.0], [0.0, 0.0]]),  # (fan_out, fan_in)
        "body.0.bias": np.array([1.0, -1.0, 1.0]),
        "head.weight": np.array([[1.0, np.nan, -1.0]]),
    }
    np.savez(tmp_path / "weights.npz", **arrays)
    data = dlprobe("inspect", str(tmp_path / "weights.npz"), "--format", "json").data
    first, last = data["layers"]
    assert (first["name"], first["fan_in"], first["fan_out"], first["parameters"]) == (
        *("body.0", 2, 3),
        9,
    )
    assert first["weight_rms"] == pytest.approx(np.sqrt(25 / 6))
    assert (first["weight_max_abs"], first["bias_rms"]) == (4.0, 1.0)
    assert first["zero_weight_fraction"] == pytest.approx(4 / 6)
    assert (last["name"], last["nonfinite"], last["bias_rms"]) == ("head", 1, None)
    assert "1 number of them NaN" in dlprobe("inspect", str(tmp_path / "weights.npz")).out
