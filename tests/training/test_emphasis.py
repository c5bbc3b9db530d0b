"""Class weights and label smoothing: PyTorch's numbers, what is evaluated, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_nets import jitter, network

from dlprobe.config import from_options
from dlprobe.data import load, prepare
from dlprobe.errors import ConfigError
from dlprobe.training import emphasis, trainer
from dlprobe.training.model import warnings_for_data


def session(**options: str) -> trainer.Session:
    config = from_options(
        None, {"data": "wine", "layers": "6", "epochs": "2", "dtype": "float64", **options}
    )
    return trainer.start(
        config, prepare(load(config.data, 0), config.data, 0, config.training.dtype)
    )


def gradient_beside_torch(
    one: trainer.Session, weight: Any, smoothing: float, reduction: str
) -> tuple[Any, Any]:
    """dL/dz of the output layer on the whole training part, ours by the loss of a linear net of
    zeros, PyTorch's from the same preactivations.
    """
    torch = pytest.importorskip("torch")
    inputs, classes = one.data.inputs["train"], one.data.targets["train"]
    net = jitter(
        network(
            (inputs.shape[1], 3),
            loss="cross_entropy",
            output="softmax",
            batch=len(inputs),
            keep_gradients=True,
        )
    )
    z = torch.tensor(inputs @ net.weights(0) + net.biases(0), requires_grad=True)
    loss = torch.nn.functional.cross_entropy(
        z, torch.tensor(classes), weight=weight, label_smoothing=smoothing, reduction=reduction
    )
    (loss.sum() / len(inputs) if reduction == "none" else loss).backward()
    net.train(inputs, one.trained_targets, 0, np.zeros(1), one.weights)
    return net.gradients[: net.weights(0).size].reshape(
        net.weights(0).shape
    ), inputs.T @ z.grad.numpy()


@pytest.mark.parametrize("smoothing", ["0", "0.1"])
def test_label_smoothing_is_that_of_pytorch(smoothing: str) -> None:
    found, expected = gradient_beside_torch(
        session(label_smoothing=smoothing), None, float(smoothing), "mean"
    )
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)


def test_class_weights_on_the_whole_part_are_those_of_pytorch() -> None:
    """PyTorch divides by Σ w_i, we scale the weights to mean 1: on the whole training part the
    same.
    """
    torch = pytest.importorskip("torch")
    found, expected = gradient_beside_torch(
        session(class_weights="1,2,5"),
        torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64),
        0.0,
        "mean",
    )
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)


def test_a_batch_of_one_is_weighted_too() -> None:
    """dL/dz of a sample is its weight times (p − y): PyTorch's weighted mean would cancel the
    weight.
    """
    net = network(
        (1, 2),
        loss="cross_entropy",
        output="softmax",
        initializer="zeros",
        batch=1,
        keep_gradients=True,
    )
    result = net.train(np.ones((1, 1)), np.array([[1.0, 0.0]]), 0, np.zeros(1), np.array([3.0]))
    assert net.gradients[:2].tolist() == [-1.5, 1.5]
    assert result.scalars[0, 0] == pytest.approx(3 * np.log(2))


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    oracle = pytest.importorskip("sklearn.utils.class_weight")
    one = session(class_weights="balanced")
    classes = one.data.targets["train"]
    assert one.weights is not None
    np.testing.assert_allclose(one.weights, oracle.compute_sample_weight("balanced", classes))
    assert one.weights.mean() == pytest.approx(1)


def test_evaluations_stay_plain() -> None:
    """The first evaluation, before any update, knows nothing of weights and smoothing; the
    trained loss of the first batch does.
    """
    plain, changed = (
        session(steps="1", epochs="none"),
        session(steps="1", epochs="none", class_weights="1,2,5", label_smoothing="0.2"),
    )
    for part in ("train", "val"):
        assert (
            trainer.evaluate_part(plain, part).values == trainer.evaluate_part(changed, part).values
        )
    assert not np.array_equal(plain.trained_targets, changed.trained_targets)
    assert plain.weights is None


def test_smoothed_labels_of_independent_outputs_move_towards_one_half() -> None:
    np.testing.assert_allclose(
        emphasis.smoothed(np.array([[0.0], [1.0]]), 0.2, True), [[0.1], [0.9]]
    )
    np.testing.assert_allclose(
        emphasis.smoothed(np.eye(4), 0.2, False)[0], [0.85, 0.05, 0.05, 0.05]
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"class_weights": "1,2"}, "2 weights for 3 classes"),
        ({"class_weights": "balanced", "data": "diabetes"}, "it has no classes"),
        ({"label_smoothing": "0.1", "data": "diabetes"}, "it has no class labels"),
        ({"label_smoothing": "0.1", "loss": "multi_margin"}, "takes whole classes"),
        ({"class_weights": "1,-2,3"}, "finite numbers >= 0"),
        ({"class_weights": "0,0,0"}, "one of them > 0"),
        ({"class_weights": "1,,3"}, "finite numbers >= 0"),
        ({"label_smoothing": "1"}, "< 1"),
        ({"label_smoothing": "-0.1"}, ">= 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        session(**options)
    assert "\n" not in str(caught.value)


def test_smoothing_under_a_loss_of_distances_is_warned_of() -> None:
    one = session(label_smoothing="0.1", loss="mse")
    assert any(
        "label_smoothing" in warning
        for warning in warnings_for_data(one.model, one.data, one.config)
    )


@pytest.mark.parametrize("loss", ["hinge", "perceptron", "binary_cross_entropy"])
def test_two_classes_share_one_output_and_are_told_apart(loss: str) -> None:
    one = session(data="breast_cancer", loss=loss, epochs="8", lr="0.01")
    assert one.model.outputs == 1
    assert set(np.unique(one.targets["train"])) == (
        {0.0, 1.0} if loss == "binary_cross_entropy" else {-1.0, 1.0}
    )
    trainer.run(one, trainer_log())
    assert trainer.evaluate_part(one, "train").values["train_error"] < 0.08


def trainer_log() -> Any:
    from dlprobe.record.recorder import Snapshots

    return Snapshots()
