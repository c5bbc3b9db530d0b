"""100 steps beside PyTorch in float64 with every remedy that changes a net, its gradients or its
weights: losses, penalties and parameters to 1e-9.

PyTorch's side is written out layer by layer from the remedies' definitions; random masks are
replayed from the counters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_nets import Array, spec

from dlprobe import registry
from dlprobe.nn import augmentation, perturbation, program, random
from dlprobe.nn.layers import LayerSpec
from dlprobe.nn.network import Network
from dlprobe.nn.random import epoch_order
from dlprobe.nn.regulation import Regulation
from dlprobe.record.scalars import CLIP_SCALE, CLIPPED_GRADIENT_NORM, GRADIENT_NORM

torch: Any = pytest.importorskip("torch")

STEPS, SAMPLES, BATCH, SEED, RATE = 100, 40, 16, 3, 0.02
SIZES = (5, 6, 6, 6, 3)
PURPOSES = {
    "dropout": random.DROPOUT,
    "gaussian_noise": random.NOISE,
    "gaussian_dropout": random.NOISE,
}
LAYER_CASES: dict[str, dict[str, Any]] = {
    **{
        f"{name}_of_inputs": {"before": ((spec("perturbation", name), PURPOSES[name]),)}
        for name in registry.records("perturbation")
    },
    "dropout_and_noise": {
        "before": (
            (spec("perturbation", "dropout", rate=0.3), random.DROPOUT),
            (spec("perturbation", "gaussian_noise"), random.NOISE),
        ),
    },
    "drop_connect": {
        "transform": (spec("perturbation", "dropout", rate=0.25), random.DROP_CONNECT)
    },
    **{
        name: {"transform": (spec("weight_transform", name), 0)}
        for name in registry.records("weight_transform")
    },
    "scaled_weight_standardization": {
        "transform": (spec("weight_transform", "weight_standardization", scaled=True), 0)
    },
    **{
        f"residual_{name}": {"residual": spec("residual", name)}
        for name in registry.records("residual")
    },
    "residual_and_dropout": {
        "residual": spec("residual", "identity", scale=0.5),
        "before": ((spec("perturbation", "dropout"), random.DROPOUT),),
    },
}
REGULATIONS = {
    "l1": Regulation(l1=1e-2),
    "l2": Regulation(l2=1e-2),
    "both_on_biases": Regulation(bias_l1=1e-2, bias_l2=1e-2),
    "activities": Regulation(activity_l1=1e-2, activity_l2=1e-2),
    "orthogonal": Regulation(orthogonal=1e-2),
    "max_norm": Regulation(max_norm=0.6),
    "proximal_l1": Regulation(l1=1e-2, proximal=True),
    "clip_value": Regulation(clip_value=0.05),
    "clip_layer_norm": Regulation(clip_layer_norm=0.1),
    "clip_global_norm": Regulation(clip_global_norm=0.2, l2=1e-2),
    "all_clips": Regulation(clip_value=0.05, clip_layer_norm=0.1, clip_global_norm=0.12),
}


def layers(input_norm: bool = False, **remedy: Any) -> list[LayerSpec]:
    """A chain whose hidden layers are equally wide from the second on; a residual connection
    goes around those.
    """
    init, last = spec("initializer", "pytorch_linear"), len(SIZES) - 2
    found = []
    for k in range(last + 1):
        of_layer = {**remedy}
        if k == last or SIZES[k] != SIZES[k + 1]:
            of_layer.pop("residual", None)
        found.append(
            LayerSpec(
                SIZES[k],
                SIZES[k + 1],
                spec("activation", "linear" if k == last else "tanh"),
                init,
                **of_layer,
            )
        )
    linear = spec("activation", "linear")
    return (
        [
            LayerSpec(
                SIZES[0],
                SIZES[0],
                linear,
                init,
                norm=spec("normalization", "batch"),
                bias=False,
                matrix=False,
            ),
            *found,
        ]
        if input_norm
        else found
    )


def build(
    chain: list[LayerSpec],
    regulation: Regulation = Regulation(),  # noqa: B008
    mixup: float = 0.0,
) -> Network:
    options: dict[str, Any] = {
        "batch": BATCH,
        "seed": SEED,
        "dtype": "float64",
        "regulation": regulation,
        "mixup": mixup,
    }
    return Network(chain, spec("loss", "mse"), spec("optimizer", "sgd"), **options)


def data() -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((SAMPLES, SIZES[0])), rng.standard_normal((SAMPLES, SIZES[-1]))


def draws(name: str, purpose: int, layer: int, step: int, shape: tuple[int, int]) -> Any:
    """The numbers that the engine draws for a (rows, units) block."""
    with np.errstate(over="ignore"):
        key = random.operation_key(np.array([SEED, layer, step, 1], np.uint64), np.uint64(purpose))
        draw = perturbation.DRAWS[registry.get("perturbation", name).draws]
        return torch.tensor(
            [
                [draw(np.float64(0), key, i * shape[1] + j) for j in range(shape[1])]
                for i in range(shape[0])
            ]
        )


def perturbed(x: Any, chosen: Any, purpose: int, layer: int, step: int) -> Any:
    """Each perturbation by its definition, on tensors."""
    drawn = draws(chosen.name, purpose, layer, step, tuple(x.shape))
    if chosen.name == "dropout":
        return x * (drawn >= chosen.parameters["rate"]) / (1 - chosen.parameters["rate"])
    if chosen.name == "gaussian_noise":
        return x + chosen.parameters["std"] * drawn
    rate = chosen.parameters["rate"]
    return x * (1 + drawn * (rate / (1 - rate)) ** 0.5)


def multiplied(w: Any, chosen: Any, *where: int) -> Any:
    """What takes the place of W: perturbed weights, or standardized ones by their definition."""
    if chosen.kind == "perturbation":
        return perturbed(w, chosen, *where)
    assert chosen.name == "weight_standardization"
    standardized = (w - w.mean(0)) / torch.sqrt(
        w.var(0, correction=0) + chosen.parameters["epsilon"]
    )
    return standardized / len(w) ** 0.5 if chosen.parameters["scaled"] else standardized


class Twin:
    """The same chain in PyTorch, with parameters named as ours are laid out."""

    def __init__(self, net: Network) -> None:
        self.net, self.chain = net, net.layers
        self.parts: list[dict[str, Any]] = []
        for index, layer in enumerate(self.chain):
            part: dict[str, Any] = {}
            if layer.matrix:
                part["W"], part["b"] = (
                    torch.tensor(net.weights(index).copy()),
                    torch.tensor(net.biases(index).copy()),
                )
            if layer.norm:
                part["scale"], part["shift"] = (
                    torch.ones(layer.fan_out, dtype=torch.float64),
                    torch.zeros(layer.fan_out, dtype=torch.float64),
                )
            if layer.residual and layer.residual.record.learned:
                part["alpha"] = torch.zeros(1, dtype=torch.float64)
            self.parts.append({name: value.requires_grad_() for name, value in part.items()})

    def forward(self, x: Any, step: int) -> tuple[Any, list[Any]]:
        hidden = []
        depth = sum(layer.residual is not None for layer in self.chain)
        for index, (layer, part) in enumerate(zip(self.chain, self.parts, strict=True)):
            source = x
            for chosen, purpose in layer.before:
                x = perturbed(x, chosen, purpose, index, step)
            if layer.matrix:
                x = (
                    x
                    @ (
                        multiplied(part["W"], *layer.transform, index, step)
                        if layer.transform
                        else part["W"]
                    )
                    + part["b"]
                )
            if layer.norm:
                x = torch.nn.functional.batch_norm(
                    x, None, None, part["scale"], part["shift"], training=True
                )
            x = torch.tanh(x) if layer.activation.name == "tanh" else x
            if layer.residual:
                scale = layer.residual.parameters.get("scale", depth**-0.5)
                x = source + part.get("alpha", scale) * x
            hidden.append(x)
        return x, hidden[:-1]

    def penalty(self, r: Regulation, hidden: list[Any]) -> Any:
        total = torch.zeros((), dtype=torch.float64)
        for part in (part for part in self.parts if "W" in part):
            w, b = part["W"], part["b"]
            gram = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
            total = (
                total
                + r.l1 * w.abs().sum()
                + r.l2 * (w**2).sum()
                + r.bias_l1 * b.abs().sum()
                + r.bias_l2 * (b**2).sum()
            )
            total = total + r.orthogonal * ((gram - torch.eye(len(gram))) ** 2).sum()
        return total + sum(
            r.activity_l1 * a.abs().sum() / len(a) + r.activity_l2 * (a**2).sum() / len(a)
            for a in hidden
        )

    def step(self, x: Any, y: Any, step: int, r: Regulation) -> tuple[float, float]:
        """One step of gradient descent; the data loss and the penalty before it."""
        out, hidden = self.forward(x, step)
        loss, penalty = ((out - y) ** 2).sum(1).mean(), self.penalty(r, hidden)
        smooth = penalty - (
            r.l1 * sum(part["W"].abs().sum() for part in self.parts if "W" in part)
            if r.proximal
            else 0
        )
        everything = [value for part in self.parts for value in part.values()]
        (loss + smooth).backward()
        self.clip(r)
        with torch.no_grad():
            for value in everything:
                value -= RATE * (value.grad if value.grad is not None else 0)
                value.grad = None
            for part in (part for part in self.parts if "W" in part):
                if r.proximal:
                    part["W"].copy_(part["W"].sign() * (part["W"].abs() - RATE * r.l1).clamp(min=0))
                if np.isfinite(r.max_norm):
                    part["W"] *= (r.max_norm / part["W"].norm(dim=0)).clamp(max=1)
        return loss.item(), penalty.item()

    def clip(self, r: Regulation) -> None:
        of_layers = [
            [value.grad for value in part.values() if value.grad is not None] for part in self.parts
        ]
        everything = [g for grads in of_layers for g in grads]
        for g in everything if np.isfinite(r.clip_value) else []:
            g.clamp_(-r.clip_value, r.clip_value)
        for grads, bound in [
            *((grads, r.clip_layer_norm) for grads in of_layers),
            (everything, r.clip_global_norm),
        ]:
            norm = torch.sqrt(sum((g**2).sum() for g in grads))
            for g in grads if norm > bound else []:
                g *= bound / norm

    def parameters(self) -> Array:
        return np.concatenate(
            [value.detach().numpy().ravel() for part in self.parts for value in part.values()]
        )


def batches() -> list[Array]:
    per_epoch = -(-SAMPLES // BATCH)
    return [
        epoch_order(SEED, step // per_epoch, SAMPLES)[step % per_epoch * BATCH :][:BATCH]
        for step in range(STEPS)
    ]


def assert_twins(net: Network, mixup: float = 0.0) -> None:
    twin, (inputs, targets) = Twin(net), data()
    shares = augmentation.mixing_shares(mixup, SEED, 0, STEPS) if mixup else np.ones(STEPS)
    expected = []
    for step, chosen in enumerate(batches()):
        partner = chosen[partners_of(len(chosen), step)] if mixup else chosen
        x, y = (
            torch.tensor(shares[step] * a[chosen] + (1 - shares[step]) * a[partner])
            for a in (inputs, targets)
        )
        expected.append(twin.step(x, y, step, net.regulation))
    scalars = net.train(inputs, targets, 0, np.full(STEPS, RATE)).scalars
    np.testing.assert_allclose(scalars[:, :2], expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(net.parameters, twin.parameters(), rtol=0, atol=1e-9)


def partners_of(rows: int, step: int) -> Array:
    order = np.arange(rows)
    with np.errstate(over="ignore"):
        augmentation.partners(order, np.uint64(SEED), np.uint64(step))
    return order


@pytest.mark.parametrize("name", LAYER_CASES)
def test_a_layers_remedy_is_its_definition(name: str) -> None:
    assert_twins(build(layers(**LAYER_CASES[name])))


@pytest.mark.parametrize("name", REGULATIONS)
def test_a_regulation_is_its_definition(name: str) -> None:
    assert_twins(build(layers(), REGULATIONS[name]))


def test_a_normalized_input_is_pytorchs() -> None:
    assert_twins(build(layers(input_norm=True)))


def test_everything_at_once_is_still_its_definition() -> None:
    chosen = {**LAYER_CASES["residual_and_dropout"], **LAYER_CASES["drop_connect"]}
    everything = Regulation(
        l1=1e-3,
        l2=1e-3,
        bias_l2=1e-3,
        orthogonal=1e-3,
        clip_global_norm=0.5,
        max_norm=1.5,
        activity_l2=1e-3,
    )
    assert_twins(build(layers(input_norm=True, **chosen), everything))


def test_mixup_mixes_inputs_and_targets_with_a_permutation_of_the_batch() -> None:
    assert_twins(build(layers(), mixup=0.4), mixup=0.4)
    assert sorted(partners_of(16, 5)) == list(range(16))


def test_shares_of_mixup_follow_the_beta_distribution() -> None:
    """Beta(α, α): mean 1/2, variance 1/(4(2α + 1)); four standard errors of 2,000 draws."""
    shares = augmentation.mixing_shares(0.4, 0, 0, 2000)
    variance = 1 / (4 * (2 * 0.4 + 1))
    assert abs(shares.mean() - 0.5) < 4 * (variance / 2000) ** 0.5
    assert shares.var() == pytest.approx(variance, rel=0.1)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate: float) -> None:
    drawn = draws("dropout", random.DROPOUT, 1, 7, (100, 50)).numpy()
    assert np.mean(drawn < rate) == pytest.approx(rate, abs=4 * (rate * (1 - rate) / 5000) ** 0.5)


def test_noise_is_standard_normal() -> None:
    drawn = draws("gaussian_noise", random.NOISE, 1, 7, (100, 50)).numpy()
    assert abs(drawn.mean()) < 4 / 5000**0.5
    assert drawn.var() == pytest.approx(1, abs=4 * (2 / 5000) ** 0.5)


def test_masks_differ_between_steps_layers_and_purposes() -> None:
    same = draws("dropout", random.DROPOUT, 1, 7, (4, 4))
    assert not any(
        torch.equal(same, draws("dropout", *place, (4, 4)))
        for place in [(random.DROPOUT, 1, 8), (random.DROPOUT, 2, 7), (random.NOISE, 1, 7)]
    )


def test_evaluation_knows_no_noise() -> None:
    inputs, targets = data()
    noisy, plain = build(layers(**LAYER_CASES["dropout_and_noise"])), build(layers())
    np.testing.assert_array_equal(
        noisy.evaluate(inputs, targets).outputs, plain.evaluate(inputs, targets).outputs
    )


def test_norms_before_and_after_clipping_are_recorded() -> None:
    """A bound of .2: the norm after is the smaller of both, the factor their ratio."""
    inputs, targets = data()
    scalars = (
        build(layers(), Regulation(clip_global_norm=0.2))
        .train(inputs, targets, 0, np.full(20, RATE))
        .scalars
    )
    before, factor, after = (
        scalars[:, GRADIENT_NORM],
        scalars[:, CLIP_SCALE],
        scalars[:, CLIPPED_GRADIENT_NORM],
    )
    np.testing.assert_allclose(after, np.minimum(before, 0.2), rtol=1e-12)
    np.testing.assert_allclose(factor, after / before, rtol=1e-12)
    assert (factor < 1).any()


def test_without_clipping_both_norms_are_the_same() -> None:
    inputs, targets = data()
    scalars = build(layers()).train(inputs, targets, 0, np.full(5, RATE)).scalars
    np.testing.assert_array_equal(scalars[:, GRADIENT_NORM], scalars[:, CLIPPED_GRADIENT_NORM])
    assert (scalars[:, CLIP_SCALE] == 1).all()


def test_statistics_of_the_gradient_are_those_of_the_data_loss() -> None:
    """Penalty and clipping change what the optimizer gets, not what is recorded of dL/dW;
    `clipped_gradient_l2` says what it got.
    """
    inputs, targets = data()
    names = list(registry.records("statistic"))
    plain = build(layers()).train(inputs, targets, 0, np.full(1, RATE)).statistics[0]
    clipped = (
        build(layers(), Regulation(l2=0.1, clip_layer_norm=0.05))
        .train(inputs, targets, 0, np.full(1, RATE))
        .statistics[0]
    )
    same = [
        k for k, name in enumerate(names) if name not in ("update_ratio", "clipped_gradient_l2")
    ]
    np.testing.assert_allclose(clipped[:, same], plain[:, same], rtol=1e-12)
    assert (clipped[:, names.index("clipped_gradient_l2")] <= 0.05 * (1 + 1e-12)).all()


def test_proximal_l1_makes_true_zeros_and_gradient_l1_does_not() -> None:
    inputs, targets = data()
    zeros = {}
    for proximal in (False, True):
        net = build(layers(), Regulation(l1=0.05, proximal=proximal))
        net.train(inputs, targets, 0, np.full(300, RATE))
        zeros[proximal] = int(sum((net.weights(k) == 0).sum() for k in range(len(net.layers))))
    assert zeros[True] > 20
    assert zeros[False] == 0


def test_update_ratio_includes_the_constraint() -> None:
    """‖W_after − W_before‖/‖W_before‖ with a max-norm of .2, which moves the weights far more
    than the gradient.
    """
    inputs, targets = data()
    net = build(layers(), Regulation(max_norm=0.2))
    before = net.weights(0).copy()
    ratio = net.train(inputs, targets, 0, np.full(1, RATE)).statistics[
        0, 0, list(registry.records("statistic")).index("update_ratio")
    ]
    assert ratio == pytest.approx(
        np.linalg.norm(net.weights(0) - before) / np.linalg.norm(before), rel=1e-12
    )


def test_an_input_layer_has_no_weights_to_speak_of() -> None:
    inputs, targets = data()
    net = build(layers(input_norm=True))
    row = net.train(inputs, targets, 0, np.full(1, RATE)).statistics[0, 0]
    named = dict(zip(registry.records("statistic"), row, strict=True))
    assert all(
        np.isnan(named[name])
        for name in ("gradient_l2", "weight_rms", "update_ratio", "gradient_sample_rms")
    )
    assert named["activation_variance"] == pytest.approx(1, abs=1e-4)
    assert net.parameter_counts()[0] == 2 * SIZES[0]


def test_counts_of_parameters_are_kerass() -> None:
    """784 inputs with batch norm, 300 and 100 units each with batch norm before the activation,
    10 outputs: 268,978 trainable ones.
    """
    relu, init, norm = (
        spec("activation", "relu"),
        spec("initializer", "he_normal"),
        spec("normalization", "batch"),
    )
    chain = [
        LayerSpec(784, 784, spec("activation", "linear"), init, norm=norm, bias=False, matrix=False)
    ]
    chain += [
        LayerSpec(784, 300, relu, init, norm=norm),
        LayerSpec(300, 100, relu, init, norm=norm),
        LayerSpec(100, 10, spec("activation", "softmax"), init),
    ]
    net = Network(chain, spec("loss", "cross_entropy"), spec("optimizer", "sgd"), batch=4, seed=0)
    running = sum(layer.norm.record.persistent(layer.fan_out) for layer in chain if layer.norm)
    assert (sum(net.parameter_counts()), running, sum(net.parameter_counts()) + running) == (
        268_978,
        2_368,
        271_346,
    )


@pytest.mark.parametrize("name", [*LAYER_CASES, *REGULATIONS])
def test_remedies_do_not_depend_on_the_length_of_blocks(name: str) -> None:
    inputs, targets = data()
    found = []
    for lengths in ([20], [1] * 3 + [7, 10]):
        net = build(layers(**LAYER_CASES.get(name, {})), REGULATIONS.get(name, Regulation()))
        for start, length in zip(np.cumsum([0, *lengths]), lengths, strict=False):
            net.train(inputs, targets, int(start), np.full(length, RATE))
        found.append(net.parameters.copy())
    np.testing.assert_array_equal(*found)


def test_operations_stand_in_the_order_in_which_they_run() -> None:
    net = build(layers(**LAYER_CASES["residual_and_dropout"]))
    rows = net.program.operations[
        net.program.layers[1, program.FIRST_OPERATION] : net.program.layers[
            1, program.END_OPERATION
        ]
    ]
    assert list(rows[:, program.ROLE]) == [
        program.PERTURBATION,
        program.PRODUCT,
        program.ACTIVATION,
        program.RESIDUAL,
    ]


def test_kept_gradients_are_those_of_the_data_loss() -> None:
    """What instruments look at knows nothing of penalties and clipping."""
    inputs, targets = data()
    found = []
    for regulation in (Regulation(), Regulation(l2=0.1, clip_value=0.01)):
        options: dict[str, Any] = {
            "batch": BATCH,
            "seed": SEED,
            "dtype": "float64",
            "regulation": regulation,
            "keep_gradients": True,
        }
        net = Network(layers(), spec("loss", "mse"), spec("optimizer", "sgd"), **options)
        net.train(inputs, targets, 0, np.full(1, RATE))
        found.append(net.gradients.copy())
    np.testing.assert_array_equal(*found)
