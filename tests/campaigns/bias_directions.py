"""Whether the one direction that a run is advised lowers its validation error more than the
opposite one.

Runs are drawn from a prior over data, training samples, label noise, depth, width, activation and
length. Each is trained, and
`direction` says of it: more capacity (or longer training), more data (or regularization), fine, or
cannot be told. Then both directions are carried out with five seeds each, on the same validation
rows:

* more capacity: four times the units; or four times the epochs; what held the net back is taken
  away. The better of the two.
* more data or regularization: twice the training samples, in as many updates; or an L2 penalty,
  with dropout of .3 in layers of 16 units or more. The better of the two.

Advised runs must be right in at least 80 %; at most 20 % of all runs may be ones of which it cannot
be told; where it says that all is fine, neither direction may gain more than a little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.bias_variance.direction import Way, direction_of
from dlprobe.config import from_mapping
from dlprobe.data import load, prepare
from dlprobe.pytest_plugin import train
from dlprobe.record.recorder import Snapshots
from dlprobe.runs import open_run
from dlprobe.training import trainer

COUNT = 160
SEEDS = 5
RIGHT, UNTOLD = 0.8, 0.2
BATCH = 32
VAL = 600  # validation samples at most
SETS = {
    "digits": (60, 120, 240, 480),
    "breast_cancer": (40, 80, 160),
    "wine": (30, 50),
    "moons(samples=2000, noise=0.25)": (40, 100, 300),
    "spirals(samples=2000)": (60, 150, 400),
    "circles(samples=2000, noise=0.15)": (60, 150, 400),
    "diabetes": (60, 120, 180),
    "sine(samples=2000, noise=0.2)": (40, 100, 300),
}  # training samples
UPDATES = (120, 400, 1500)
WIDE = 16  # units from which dropping three in ten leaves a net
LITTLE = 0.03  # validation error that a run called fine may leave to either direction
UNITS = (2, 4, 8, 16, 64)


@dataclass(frozen=True)
class Case:
    """A drawn run. samples: of the training part; noise: share of its labels that are replaced;
    held: whether dropout and a penalty hold it back.
    """

    data: str
    samples: int
    noise: float
    depth: int
    units: int
    activation: str
    updates: int
    held: bool


def draw(rng: np.random.Generator) -> Case:
    """One run of the prior."""
    data = str(rng.choice(list(SETS)))
    values = data.startswith(("diabetes", "sine"))
    return Case(
        data,
        int(rng.choice(SETS[data])),
        0.0 if values else float(rng.choice([0.0, 0.0, 0.1, 0.2])),
        int(rng.integers(1, 4)),
        int(rng.choice(UNITS)),
        str(rng.choice(["relu", "tanh"])),
        int(rng.choice(UPDATES)),
        bool(rng.random() < 0.15),
    )


def whole(name: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """All rows of a data set, inputs and targets."""
    config = from_mapping(
        {"data": {"data": name, "split": "100,0,0", "scaling": "none", "target_scaling": "none"}}
    )
    made = prepare(load(config.data, 0), config.data, 0, "float64")
    return made.inputs["train"], made.targets["train"].ravel()


def write_parts(case: Case, rng: np.random.Generator, folder: Path) -> None:
    """`small.npz` and `large.npz`: the same validation rows; the larger has twice the training
    samples.
    """
    inputs, targets = whole(case.data)
    order = rng.permutation(len(inputs))
    learned, val = order[: 2 * case.samples], order[2 * case.samples :][:VAL]
    noisy = targets.copy()
    if case.noise:
        replaced = learned[rng.random(len(learned)) < case.noise]
        noisy[replaced] = rng.choice(np.unique(targets), len(replaced))
    for name, rows in (("small", learned[: case.samples]), ("large", learned)):
        np.savez(
            folder / f"{name}.npz",
            x_train=inputs[rows],
            y_train=noisy[rows],
            x_val=inputs[val],
            y_val=targets[val],
        )


def configuration(case: Case, folder: Path, seed: int, way: str = "") -> dict[str, Any]:
    """The drawn run, or the same again, or going some way, with nothing recorded that nobody
    reads.
    """
    epochs = max(1, round(case.updates * BATCH / case.samples))
    epochs = {"longer": 4 * epochs, "data": max(1, round(epochs / 2))}.get(way, epochs)
    units = case.units * (4 if way == "larger" else 1)
    dropout, penalty = (0.5, 0.01) if case.held and way not in ("longer", "larger") else (0.0, 0.0)
    if way == "regularized":
        dropout, penalty = (
            (0.3 if case.units >= WIDE and not case.held else dropout),
            max(0.001, 2 * penalty),
        )
    return {
        "data": {
            "data": str(folder / ("large.npz" if way == "data" else "small.npz")),
            "split": "100,0,0",
        },
        "model": {
            "layers": f"{units}x{case.depth}",
            "activation": case.activation,
            "dropout": str(dropout),
        },
        "training": {"epochs": str(epochs), "seed": str(seed), "lr": "0.003", "l2": str(penalty)},
        "recording": {"record_every": "100000", "evaluate_every": "never"}
        if way
        else {"record_every": "50", "evaluate_every": str(max(1, epochs // 20))},
    }


def val_error(settings: Mapping[str, Any]) -> float:
    """Share of wrong validation samples, or 1 − R², of a training in memory."""
    config = from_mapping(settings)
    seed, kept = config.training.seed, Snapshots()
    trainer.run(
        trainer.start(
            config, prepare(load(config.data, seed), config.data, seed, config.training.dtype)
        ),
        kept,
    )
    return float(1.0 - kept.final["val_r2"] if "val_r2" in kept.final else kept.final["val_error"])


def carried_out(case: Case, folder: Path, seed: int) -> dict[str, list[float]]:
    """By way: the validation errors over seeds."""
    found: dict[str, list[float]] = {}
    for way in ("same", "larger", "longer", "data", "regularized"):
        found[way] = [
            val_error(configuration(case, folder, seed + number, way)) for number in range(SEEDS)
        ]
    return found


def gains(found: Mapping[str, list[float]]) -> tuple[float, float]:
    """By how much either direction lowers the validation error: more capacity, more data."""
    means = {way: float(np.mean(values)) for way, values in found.items()}
    return means["same"] - min(means["larger"], means["longer"]), means["same"] - min(
        means["data"], means["regularized"]
    )


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """How often each answer is given, and how often it is right; `failed` names what is beyond
    the aims.
    """
    told: dict[str, list[bool]] = {way: [] for way in get_args(Way)}
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        case = draw(rng)
        write_parts(case, rng, folder)
        path = train(configuration(case, folder, 1000 * number), folder / "run.h5")
        with open_run(path) as drawn:
            way = direction_of(drawn).way
        path.unlink()
        capacity, data = gains(carried_out(case, folder, 1000 * number + 100))
        told[way].append(
            {
                "more capacity": capacity > data,
                "more data or regularization": data > capacity,
                "fine": max(capacity, data) <= LITTLE,
            }.get(way, True)
        )
    advised = told["more capacity"] + told["more data or regularization"]
    right, untold = float(np.mean(advised)) if advised else 0.0, len(told["cannot be told"]) / count
    failed = (
        [f"the advised direction is the better one in {right:.0%} of {len(advised)} runs"]
        if right < RIGHT
        else []
    )
    failed += [f"it cannot be told of {untold:.0%} of {count} runs"] if untold > UNTOLD else []
    counts = {
        way: {"said": len(found), "right": sum(found)}
        for way, found in told.items()
        if way != "cannot be told"
    }
    return {
        **counts,
        "cannot be told": len(told["cannot be told"]),
        "share right": round(right, 3),
        "failed": failed,
    }
