"""The quiz on gradient flow: nets whose profiles are shown, why each is as it is, and what cures
it. Which answers are right is measured, not written down.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from dlprobe.config import parse_toml
from dlprobe.dataclass import dataclass
from dlprobe.experiments.laboratory import Laboratory, Trained
from dlprobe.experiments.recipes.propagation import gradient_ratio
from dlprobe.training.prepared_sets import PreparedSets
from dlprobe.training.stopping import Stop

STATES = ("vanishing", "exploding", "healthy")
BASE = """
[data]
data = "digits"
[training]
epochs = 3
[recording]
evaluate_every = "never"
histogram_every = "never"
"""
OPTIONS = 3
CLOSE = 0.02


@dataclass(frozen=True)
class QuizCase:
    """A net, the reason for its profile, and what cures it; no change where nothing is wrong."""

    net: Mapping[str, str]
    why: str
    cure: str
    change: Mapping[str, str]


def _net(layers: str, activation: str, init: str, residual: str = "none") -> dict[str, str]:
    keys = ("model.layers", "model.activation", "model.init", "model.residual")
    return dict(zip(keys, (layers, activation, init, residual), strict=True))


HE = {"model.init": "he_normal"}
CASES = (
    QuizCase(
        _net("64x10", "sigmoid", "glorot_normal"),
        "a sigmoid's slope is 1/4 at most, and the weights do not make up for it",
        "ReLU with He's weights",
        {"model.activation": "relu", **HE},
    ),
    QuizCase(
        _net("64x30", "relu", "glorot_normal"),
        "ReLU stops half of the signal, and these weights are those of tanh",
        "He's weights",
        HE,
    ),
    QuizCase(
        _net("64x20", "relu", "normal(std=0.3)"),
        "the weights amplify more than ReLU takes away",
        "He's weights",
        HE,
    ),
    QuizCase(
        _net("64x20", "tanh", "glorot_tanh4_normal"),
        "the weights are deep in the chaotic phase of tanh",
        "Glorot's weights",
        {"model.init": "glorot_normal"},
    ),
    QuizCase(
        _net("64x20", "relu", "he_normal", "identity"),
        "every residual block adds its own gradient to that which passes by",
        "blocks scaled by the depth",
        {"model.residual": "depth_scaled"},
    ),
    QuizCase(
        _net("64x20", "relu", "he_normal"),
        "the weights make up for the half that ReLU stops",
        "nothing: leave it as it is",
        {},
    ),
    QuizCase(
        _net("64x5", "tanh", "glorot_normal"),
        "tanh is nearly linear here, and the weights keep the size",
        "nothing: leave it as it is",
        {},
    ),
)


@dataclass(frozen=True)
class QuizQuestion:
    """One net with its measured profile, what may be answered, and the places of the right answers.
    best: cures of which the measured validation error is the least, up to CLOSE. outcomes: per
    cure log10 RMS(δ_1)/RMS(δ_L) before training and that error after it.
    """

    net: Mapping[str, str]
    profile: Sequence[float]
    state: int
    whys: Sequence[str]
    why: int
    cures: Sequence[str]
    best: Sequence[int]
    outcomes: Sequence[tuple[float, float]]

    @property
    def verdict(self) -> str:
        """The right answer, one of STATES."""
        return STATES[self.state]


def questions(seed: int, count: int, threads: int, stop: Stop) -> list[QuizQuestion]:
    """So many nets in an order drawn from the seed, trained as they are and with each cure that is
    offered. Raises Stopped.
    """
    rng = random.Random(seed)
    room = Laboratory(parse_toml(BASE, "quiz"), PreparedSets(), (seed,), False, threads, stop)
    return [_question(case, rng, room) for case in rng.sample(CASES, count)]


def _question(case: QuizCase, rng: random.Random, room: Laboratory) -> QuizQuestion:
    others = [other for other in CASES if other.why != case.why]
    whys = [case.why, *(other.why for other in rng.sample(others, OPTIONS - 1))]
    nets = {case.cure: {**case.net, **case.change}}
    for other in rng.sample(CASES, len(CASES)):
        changed = {**case.net, **other.change}
        known = [*nets.values(), *([case.net] if other.change else [])]
        if changed not in known and len(nets) < OPTIONS:  # two names of one net say nothing
            nets[other.cure] = changed
    offered = list(nets)
    rng.shuffle(whys)
    rng.shuffle(offered)
    runs = room.run({"as it is": case.net, **nets})
    (first,) = runs["as it is"]
    outcomes = [
        (gradient_ratio(runs[name][0]), runs[name][0].final("val_error")) for name in offered
    ]
    errors = [error for _, error in outcomes]
    return QuizQuestion(
        net=case.net,
        profile=[float(value) for value in first.first("error_signal_rms")],
        state=state_of(first),
        whys=whys,
        why=whys.index(case.why),
        cures=offered,
        best=[place for place, error in enumerate(errors) if error <= min(errors) + CLOSE],
        outcomes=outcomes,
    )


def state_of(run: Trained) -> int:
    """Index in STATES by log10 RMS δ_1/RMS δ_L: 0 vanishing below −1, 1 exploding above 1, else 2
    healthy.
    """
    ratio = gradient_ratio(run)
    return 0 if ratio < -1 else 1 if ratio > 1 else 2
