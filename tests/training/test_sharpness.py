"""The Hessian's largest eigenvalue, against PyTorch's exact Hessian in float64 and against a
case worked by hand.
"""

from __future__ import annotations

import numpy as np
import pytest

from dlprobe.config import from_options
from dlprobe.data import load, prepare
from dlprobe.training import trainer
from dlprobe.training.sharpness import Sharpness

SAMPLES = 30


def session(**options: str) -> trainer.Session:
    config = from_options(
        None,
        {
            "data": "wine",
            "layers": "4",
            "activation": "tanh",
            "batch_size": "16",
            "epochs": "2",
            **options,
        },
    )
    return trainer.start(
        config, prepare(load(config.data, 0), config.data, 0, config.training.dtype)
    )


def sharpness_of(one: trainer.Session) -> Sharpness:
    return Sharpness(
        one.model,
        one.data.inputs["train"][:SAMPLES],
        one.targets["train"][:SAMPLES],
        None,
        0,
        one.config.training.dtype,
    )


def exact(one: trainer.Session, parameters: np.ndarray) -> float:
    """Of cross-entropy on a tanh net 13-4-3, by torch.autograd."""
    torch = pytest.importorskip("torch")
    x = torch.tensor(one.data.inputs["train"][:SAMPLES].astype("f8"))
    classes = torch.tensor(one.data.targets["train"][:SAMPLES])

    def loss(flat: object) -> object:
        hidden = torch.tanh(x @ flat[:52].reshape(13, 4) + flat[52:56])
        return torch.nn.functional.cross_entropy(
            hidden @ flat[56:68].reshape(4, 3) + flat[68:71], classes
        )

    hessian = torch.autograd.functional.hessian(loss, torch.tensor(parameters.astype("f8")))
    return float(torch.linalg.eigvalsh(hessian)[-1])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-5), ("float32", 1e-2)])
@pytest.mark.parametrize("steps", [0, 40])
def test_it_is_the_largest_eigenvalue_of_the_exact_hessian(
    dtype: str, tolerance: float, steps: int
) -> None:
    one = session(dtype=dtype, optimizer="sgd", lr="0.1")
    if steps:
        one.network.train(one.data.inputs["train"], one.targets["train"], 0, np.full(steps, 0.1))
    assert sharpness_of(one).largest_eigenvalue(one.network.parameters) == pytest.approx(
        exact(one, one.network.parameters), rel=tolerance
    )


def test_of_least_squares_it_is_that_of_the_inputs_second_moments() -> None:
    """L = mean over samples of (xw + b − y)²: the Hessian is 2 E x̃x̃ᵀ wherever the parameters
    are, x̃ the input with a 1 for the bias.
    """
    one = session(data="diabetes", layers="", dtype="float64")
    x = one.data.inputs["train"][:SAMPLES]
    wide = np.column_stack([x, np.ones(len(x))])
    expected = np.linalg.eigvalsh(2 * wide.T @ wide / len(x))[-1]
    assert sharpness_of(one).largest_eigenvalue(one.network.parameters) == pytest.approx(
        expected, rel=1e-7
    )


def test_parameters_that_are_not_finite_have_none() -> None:
    one = session()
    assert np.isnan(
        sharpness_of(one).largest_eigenvalue(np.full_like(one.network.parameters, np.nan))
    )
