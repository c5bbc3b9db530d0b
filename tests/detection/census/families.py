"""The data of the census, what each takes to be learned, and what is reachable on it.

A family is a data set with one fixed split and a level of label noise. What is reachable is
measured, never known from a generator: the best median over seeds of a few plain references, which
train three times as long as the census does. `python -m tests.detection.census --references`
measures it and writes `reachable.json`, which is committed, so that labels can be repeated.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dlprobe.config import RunConfig, from_options
from dlprobe.training.prepared_sets import PreparedSets

from ..datasets import write_all
from ..outcome import known_skill
from .running import outcome_of

REACHABLE = Path(__file__).parent / "reachable.json"
PATIENCE = 3  # times the epochs of the census, for references
SEEDS = (101, 102, 103)
REFERENCES: tuple[dict[str, str], ...] = (
    {"layers": "64,64", "lr": "0.003"},
    {"layers": "32", "activation": "tanh", "lr": "0.01", "schedule": "cosine"},
    {"layers": "64,32", "norm": "batch", "schedule": "cosine"},
    {"layers": "64,64", "l2": "0.003", "early_stopping": "yes"},
    {"layers": "", "lr": "0.01"},
)


@dataclass(frozen=True)
class DataSet:
    """A data set as it is typed, the epochs that a plain net needs, with room, and whether it
    is a regression.
    """

    data: str
    epochs: int
    regression: bool = False


DATA_SETS: dict[str, DataSet] = {
    "digits": DataSet("digits", 20),
    "wine": DataSet("wine", 80),
    "breast_cancer": DataSet("breast_cancer", 40),
    "diabetes": DataSet("diabetes", 40, regression=True),
    "spirals": DataSet("spirals(samples=1000, turns=0.75)", 100),
    "moons": DataSet("moons(samples=600, noise=0.15)", 60),
    "circles": DataSet("circles(samples=600, noise=0.1)", 100),
    "blobs": DataSet("blobs(samples=600, classes=5, features=10, std=2)", 40),
    "xor": DataSet("xor(samples=800, noise=0.15)", 60),
    "teacher_classes": DataSet("teacher(samples=2000, features=6, hidden=5, classes=3)", 40),
    "teacher": DataSet(
        "teacher(samples=1500, features=5, hidden=4, classes=0)", 50, regression=True
    ),
    "sine": DataSet("sine(samples=1000, cycles=1, noise=0.1)", 80, regression=True),
    "linear": DataSet("linear(samples=1200, features=8, noise=0.3)", 30, regression=True),
    "fuel": DataSet("{made}/fuel.npz", 40, regression=True),
    "many": DataSet("{made}/many.npz", 120),
}


def family_of(name: str, noise: str) -> str:
    """The name of a family: the data set, and its label noise where there is any."""
    return name if noise == "0" else f"{name} + {noise} noise"


def data_options(name: str, noise: str) -> dict[str, str]:
    """Data and length as options."""
    found = {"data": DATA_SETS[name].data, "data_seed": "0", "epochs": str(DATA_SETS[name].epochs)}
    return found if noise == "0" else {**found, "label_noise": noise}


def config_of(options: dict[str, str], folder: Path) -> RunConfig:
    """The configuration of options; `folder` is where the made data sets are. Raises
    ConfigError.
    """
    return from_options(
        None, {key: text.replace("{made}", str(folder)) for key, text in options.items()}
    )


@cache
def made(folder: Path) -> Path:
    """The folder with the data sets made for the benchmark, written once."""
    return write_all(folder)


@cache
def reachable() -> dict[str, float]:
    """The reachable skill by family, as committed."""
    return dict(json.loads(REACHABLE.read_text(encoding="utf-8")))


def measured(noises: tuple[str, ...], folder: Path) -> Iterator[tuple[str, float]]:
    """The reachable skill of every family, measured."""
    for name in DATA_SETS:
        for noise in noises:
            options, sets = data_options(name, noise), PreparedSets()
            options["epochs"] = str(PATIENCE * DATA_SETS[name].epochs)
            medians = [known_skill(config_of(options, folder))]
            for reference in REFERENCES:
                configs = [
                    config_of({**options, **reference, "seed": str(seed)}, folder) for seed in SEEDS
                ]
                medians.append(
                    statistics.median(outcome_of(config, sets).skill for config in configs)
                )
            yield family_of(name, noise), round(max(medians), 4)
