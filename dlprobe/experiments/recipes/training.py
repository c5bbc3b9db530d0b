"""Optimizers, schedules, regularization and normalization: short trainings compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlprobe.config import parse_spec
from dlprobe.experiments.recipe import Check, Found, Picture, Recipe
from dlprobe.experiments.recipes.capacity import medians, region_pictures
from dlprobe.registry import register

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory, Trained


def digits(layers: str, epochs: int, extra: str = "", split: str = "[60, 20, 20]") -> str:
    """The TOML of a net trained on handwritten digits."""
    return f"""
[data]
data = "digits"
split = {split}
[model]
layers = "{layers}"
[training]
epochs = {epochs}
{extra}
[recording]
evaluate_every = "never"
"""


def smoothed(run: Trained, points: int = 60) -> tuple[list[float], list[float]]:
    """Steps and mean batch losses of equally long stretches: a curve that can be seen."""
    pieces = np.array_split(np.arange(len(run.losses)), min(points, len(run.losses)))
    return [float(piece.mean()) for piece in pieces], [float(run.losses[piece].mean()) for piece in pieces]


def loss_curves(runs: dict[str, list[Trained]]) -> Picture:
    series = [(name, *smoothed(each[0])) for name, each in runs.items()]
    return Picture("lines", "training loss, first seed", series=series, x_label="step", y_label="batch loss", log_y=True)


def optimizer_race(laboratory: Laboratory) -> Found:
    rates: Sequence[float] = laboratory.size((0.03, 0.1, 0.3, 1.0), (0.3, 1.0))
    usual: dict[str, dict[str, Any]] = {name: {"training.optimizer": name} for name in ("adam", "rmsprop", "momentum", "sgd")}
    tuned: dict[str, dict[str, Any]] = {f"sgd at {rate:g}": {"training.optimizer": "sgd", "training.lr": rate} for rate in rates}
    runs = laboratory.run(usual | tuned)
    loss = medians(runs, "train_loss")
    best = min(loss[name] for name in tuned)
    checks = [
        Check("training loss of adam over that of sgd", loss["adam"] / loss["sgd"], "<", 0.9, "each runs at its usual rate"),
        Check("training loss of adam over that of sgd", loss["adam"] / best, "<", 0.9, "the rate of sgd is searched"),
    ]
    return Found(checks, {"train_loss": loss}, [loss_curves(runs)])


register(
    "recipe",
    Recipe(
        name="optimizer_race",
        claim="Adam reaches a lower training loss than gradient descent in as many steps.",
        source="optimizer comparisons on slides, run at default rates; against them: Choi et al. 2019, On empirical comparisons of optimizers",
        base=digits("64,64", 10),
        measure=optimizer_race,
        truth="The usual rate of sgd is a tenth or less of what it bears on scaled data: most of the distance is the rate's, not the optimizer's.",
        expected="holds only when",
        tiny={"model.layers": "16", "training.epochs": "10"},
    ),
)

BOWL_STEPS = 2000
START = (10.0, 1.0)


def bowl_paths(laboratory: Laboratory) -> Found:
    rates = np.geomspace(1e-3, 2.0, laboratory.size(40, 24))
    names = ("sgd", "momentum", "adam")
    steps: dict[str, dict[str, int]] = {}
    pictures = []
    for kind, curvature in (("long valley (curvatures 1 and 50)", 50.0), ("round bowl", 1.0)):
        paths = {name: min((descend(name, rate, curvature) for rate in rates), key=len) for name in names}
        steps[kind] = {name: len(path) - 1 for name, path in paths.items()}
        pictures.append(path_picture(kind, paths))
    checks = [
        Check(f"steps of {name} over those of sgd", s[name] / s["sgd"], "<", 0.9, f"the loss is a {kind}") for kind, s in steps.items() for name in names[1:]
    ]
    return Found(checks, {"steps": steps}, pictures)


def descend(name: str, rate: float, curvature: float) -> list[tuple[float, float]]:
    """The path of an optimizer on (x² + κy²)/2 until the value is a millionth of that at the start, or BOWL_STEPS."""
    spec = parse_spec("optimizer", name)
    record, parameters = spec.record, tuple(spec.parameters.values())
    point, states = list(START), [(record.initial(*parameters) if record.initial else (0.0,) * record.states) for _ in START]
    running, path = record.running, [START]
    goal = 1e-6 * value(START, curvature)
    for step in range(1, BOWL_STEPS + 1):
        found = record.coefficients(float(step), rate, *parameters, *running)
        coefficients, running = found[: len(found) - len(running)], found[len(found) - len(running) :]
        for axis, gradient in enumerate((point[0], curvature * point[1])):
            point[axis], *rest = record.update(point[axis], gradient, *states[axis], *coefficients)
            states[axis] = tuple(rest)
        path.append((point[0], point[1]))
        if not value(path[-1], curvature) < 1e12:
            return path + [path[-1]] * (BOWL_STEPS + 1 - len(path))
        if value(path[-1], curvature) < goal:
            break
    return path


def value(point: tuple[float, ...], curvature: float) -> float:
    return 0.5 * (point[0] ** 2 + curvature * point[1] ** 2)


def path_picture(kind: str, paths: dict[str, list[tuple[float, float]]]) -> Picture:
    series: list[tuple[str, list[float], list[float]]] = [(name, [p[0] for p in path], [p[1] for p in path]) for name, path in paths.items()]
    return Picture("lines", f"paths on a {kind}, each at its best rate", series=series, x_label="flat direction", y_label="steep")


register(
    "recipe",
    Recipe(
        name="bowl_paths",
        claim="Momentum and Adam cross an ill-conditioned bowl in fewer steps than gradient descent.",
        source="contour plots of lectures; the bowl is the loss of a linear neuron with two inputs; Polyak 1964 for momentum, steps ~ √κ against κ",
        base='[data]\ndata = "linear(samples=200, features=2)"\n[model]\nlayers = ""\n[training]\nloss = "mse"\n',
        measure=bowl_paths,
        truth="Momentum needs about √κ where descent needs κ. On a round bowl descent at the right rate arrives at once and both are slower.",
        expected="holds only when",
        own_data=True,
    ),
)


def schedules_end(laboratory: Laboratory) -> Found:
    rates = {"high": 1.0, "low": 0.003}
    schedules = ("constant", "cosine", "exponential(tenfold=5)", "power(scale=3)")
    variants = {f"{s}, {name} rate": {"training.schedule": s, "training.lr": rate} for name, rate in rates.items() for s in schedules}
    runs = laboratory.run(variants)
    loss = medians(runs, "train_loss")
    checks = [
        Check("best training loss of a schedule over that of the constant rate", best_of(loss, name) / loss[f"constant, {name} rate"], "<", 0.9, when)
        for name, when in (("high", f"the rate is high ({rates['high']:g})"), ("low", f"the rate is low ({rates['low']:g})"))
    ]
    return Found(checks, {"train_loss": loss}, [loss_curves({name: each for name, each in runs.items() if "high" in name})])


def best_of(loss: dict[str, float], rate: str) -> float:
    return min(value for name, value in loss.items() if rate in name and not name.startswith("constant"))


register(
    "recipe",
    Recipe(
        name="schedules_end",
        claim="A falling learning rate ends at a lower loss than a constant one.",
        source="lecture slides on schedules",
        base=digits("32,32", 15, 'optimizer = "sgd"\nbatch_size = 8'),
        measure=schedules_end,
        truth="It does where the constant rate is so high that noise holds the loss up; from a low rate every fall only loses way.",
        expected="holds only when",
        tiny={"model.layers": "16", "training.epochs": "8"},
    ),
)


def dropout_rates(laboratory: Laboratory) -> Found:
    rates = (0.0, 0.2, 0.5, 0.8)
    sizes = {"wide (256)": "256", "narrow (8)": "8"}
    runs = laboratory.run({f"{size}, {rate:g}": {"model.layers": layers, "model.dropout": rate} for size, layers in sizes.items() for rate in rates})
    loss, error = medians(runs, "val_loss"), medians(runs, "val_error")
    checks = [
        Check("validation loss with dropout .5 over that without", loss[f"{size}, 0.5"] / loss[f"{size}, 0"], "<", 1.0, f"the net is {size}") for size in sizes
    ]
    series = [(size, list(rates), [loss[f"{size}, {rate:g}"] for rate in rates]) for size in sizes]
    picture = Picture("lines", "validation loss by dropout rate", series=series, x_label="dropout", y_label="loss", log_y=True)
    return Found(checks, {"val_loss": loss, "val_error": error}, [picture])


register(
    "recipe",
    Recipe(
        name="dropout_rates",
        claim="Dropout of one half lowers the validation loss of a net that overfits (a fifth of its labels is wrong).",
        source="lecture slides after Srivastava et al. 2014",
        base=digits("256", 60, split="[20, 60, 20]").replace("[data]", "[data]\nlabel_noise = 0.2"),
        measure=dropout_rates,
        truth="It lessens variance and costs capacity: wide nets on few samples gain, narrow ones lose.",
        expected="holds only when",
        tiny={"training.epochs": "40", "data.split": "15,65,20"},
    ),
)


def l2_strengths(laboratory: Laboratory) -> Found:
    strengths = (0.0, 0.01, 0.1, 1.0)
    runs = laboratory.run({f"λ = {each:g}": {"training.l2": each} for each in strengths})
    error = medians(runs, "train_error")
    checks = [Check("training error", error[f"λ = {each:g}"] - error["λ = 0"], "<", 0.15, f"λ is {each:g}") for each in strengths[1:]]
    size = {name: float(np.median([weight_norm(run) for run in each])) for name, each in runs.items()}
    return Found(checks, {"train_error": error, "weight_l2": size}, region_pictures(runs))


def weight_norm(run: Trained) -> float:
    """‖W‖ over all layers."""
    return float(np.sqrt(sum(np.square(each).sum() for each in run.weights())))


register(
    "recipe",
    Recipe(
        name="l2_strengths",
        claim="L2 of .01, .1 and 1 makes the decision region ever smoother and hardly costs training error.",
        source="lecture pictures of regularized decision regions (20 hidden units, λ = .01, .1, 1) that do not say what λ multiplies",
        base="""
[data]
data = "circles(samples=300)"
[model]
layers = "20"
activation = "tanh"
[training]
epochs = 100
lr = 0.02
[recording]
evaluate_every = "never"
""",
        measure=l2_strengths,
        truth="With the loss averaged over samples and λ Σ w² added in full, λ = .01 smooths; at .1 the penalty outweighs the data and W goes to 0.",
        expected="holds only when",
        tiny={"training.epochs": "40"},
        own_data=True,
    ),
)


def batch_norm_training(laboratory: Laboratory) -> Found:
    from dlprobe.experiments.laboratory import median

    runs = laboratory.run({"plain": {}, "batch norm": {"model.norm": "batch"}})
    error = medians(runs, "val_error")
    wander = {name: median(each, wandering) for name, each in runs.items()}
    checks = [
        Check("validation error with batch norm − without", error["batch norm"] - error["plain"], "<", 0.0),
        Check("wandering of a preactivation's median with batch norm over that without", wander["batch norm"] / wander["plain"], "<", 1.0),
    ]
    pictures = [loss_curves(runs), *(percentile_picture(name, each[0]) for name, each in runs.items())]
    return Found(checks, {"val_error": error, "wandering": wander}, pictures)


def wandering(run: Trained) -> float:
    """Standard deviation over training of the tracked unit's median, in the unit's own middle spread."""
    percentiles = run.tracked()
    spread = np.median(percentiles[:, -1] - percentiles[:, 0])
    return float(percentiles[:, percentiles.shape[1] // 2].std() / spread)


def percentile_picture(name: str, run: Trained) -> Picture:
    percentiles = run.tracked()
    steps = list(range(len(percentiles)))
    low, mid, high = percentiles[:, 0], percentiles[:, percentiles.shape[1] // 2], percentiles[:, -1]
    series: list[tuple[str, Any, Any]] = [("high", steps, list(high)), ("median", steps, list(mid)), ("low", steps, list(low))]
    return Picture("lines", f"percentiles of one unit of the last hidden layer, {name}", series=series, x_label="looks")


register(
    "recipe",
    Recipe(
        name="batch_norm_training",
        claim="Batch normalization holds the distribution of preactivations still and reaches a given accuracy sooner.",
        source="Ioffe & Szegedy 2015, Batch normalization, fig. 1: three layers of 100 sigmoids; the cause is disputed: Santurkar et al. 2018",
        base=digits("100,100,100", 15, 'optimizer = "sgd"\nlr = 0.1', split="[60, 20, 20]")
        .replace("[recording]", '[recording]\ntrack_unit = "hidden_3:0"')
        .replace("[training]", 'activation = "sigmoid"\n[training]'),
        measure=batch_norm_training,
        truth="So it is for saturating units at a rate that suits batch norm; that the stillness is why it helps is another claim, and disputed.",
        expected="holds",
        tiny={"model.layers": "16x3", "training.epochs": "6"},
    ),
)


def norms_by_batch(laboratory: Laboratory) -> Found:
    batches = laboratory.size((2, 8, 32, 128), (2, 32))
    norms = ("batch", "layer", "group")
    variants = {f"{norm}, {batch}": {"model.norm": norm, "training.batch_size": batch} for norm in norms for batch in batches}
    runs = laboratory.run(variants)
    error, loss = medians(runs, "val_error"), medians(runs, "val_loss")
    quotients = {batch: loss[f"batch, {batch}"] / loss[f"layer, {batch}"] for batch in batches}
    checks = [
        Check("validation loss of batch norm over that of layer norm", each, "<", 2.0, f"batches have {batch} samples") for batch, each in quotients.items()
    ]
    series = [(norm, list(map(float, batches)), [loss[f"{norm}, {batch}"] for batch in batches]) for norm in norms]
    picture = Picture("lines", "validation loss by batch size", series=series, x_label="batch size", y_label="loss", log_x=True, log_y=True)
    return Found(checks, {"val_loss": loss, "val_error": error}, [picture])


register(
    "recipe",
    Recipe(
        name="norms_by_batch",
        claim="Batch norm is as good as layer norm at any batch size.",
        source="how slides present normalization; against it: Wu & He 2018, Group normalization, fig. 1",
        base=digits("32,32", 10, "lr = 0.003"),
        measure=norms_by_batch,
        truth="With two samples a batch, their mean and variance are noise: batch norm falls behind, layer and group norm do not look at the batch.",
        expected="holds only when",
        tiny={"model.layers": "16,16", "training.epochs": "5"},
    ),
)
