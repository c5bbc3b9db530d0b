"""What a run came to, measured without any rule: error and loss, each beside the best constant
answer, and the label that both give.

**Error.** The skill of a run is 1 − error/chance on the validation part at its end (on the training
part where there is no other), chance being the error of always naming the commonest class; for
regression it is R². −∞ for a run that diverged.

**Loss.** `excess` is the loss at the end on that part, over the loss of the best constant answer:
the class shares for the cross-entropies and the squared error of classes, the mean of the targets
for regression, where it is 1 − R². Other losses of classes have no constant answer in closed form:
NaN, not judged.

**Label.** The worse of two, `learned`, `unclear` or `ill`. By error: at least 0.9 of the reachable
skill is learned, below 0.75 is ill. By loss: classes whose loss is above that of guessing have not
learned what the loss asks for, however few are wrong (unclear), and beyond twice that of guessing
they are surely wrong about it (ill). A regression is compared with the reachable residual: up to 10
times its mean square is learned, beyond 100 times is ill; residuals below 1e-4 of the variance
count as 1e-4, for no reader tells R² .9999 from more. Where nothing can be reached (random labels),
nothing was learned.

**Reachable** is the largest median over seeds of the cases on the same data. It is at least what
rows that repeat allow (`known_skill`) and, where a run is judged by training labels with noise that
was asked for, at most what that noise leaves. A generator's truth is not used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dlprobe.config import RunConfig
from dlprobe.data import load, prepare
from dlprobe.runs import Run

LEARNED, ILL = 0.9, 0.75  # shares of the reachable skill
GUESSING, FAR = 1.0, 2.0  # loss over that of guessing
NEAR, OFF = 10.0, 100.0  # residual over the reachable one
SOMETHING = (
    0.1  # reachable skill below which there is nothing to learn, so that nothing was learned
)
EXACT = 1e-4  # unexplained share of the variance that nobody asks to go below
LABELS = ("learned", "unclear", "ill")
# share of the judged rows that also occur in training, from which on rows say what is reachable
TWINS = 0.95


class Configured(Protocol):
    """A case as labels need it."""

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def label(self) -> str: ...


@dataclass(frozen=True)
class Outcome:
    """The end of a run.

    skill: 1 − error/chance, or R². excess: loss over that of the best constant answer, NaN where
    that is not known. ceiling: the skill that label noise which was asked for leaves, where the run
    is judged by its noisy training part; else 1.
    """

    skill: float
    excess: float
    regression: bool = False
    ceiling: float = 1.0


def outcome(run: Run) -> Outcome:
    """Error and loss at the end of a run."""
    part = judged_part(run)
    regression = run.data["task"] == "regression"
    found, excess = (_regression if regression else _classes)(run, part)
    usable = math.isfinite(found) and run.status != "diverged"
    return Outcome(
        found if usable else -math.inf,
        excess if usable else math.inf,
        regression,
        _ceiling(run, part, regression),
    )


def judged_part(run: Run) -> str:
    """`val`, or `train` where there is no validation part."""
    return "val" if len(run.data.get("val_indices", ())) else "train"


def _ceiling(run: Run, part: str, regression: bool) -> float:
    noise = float(run.config["data"].get("label_noise", 0.0)) if part == "train" else 0.0
    if regression:
        return 1.0 / (1.0 + noise**2)  # noise is in deviations of the target
    counts = np.asarray(run.data[f"{part}_class_counts"], np.float64)
    return max(1.0 - noise / (1.0 - float(counts.max() / counts.sum())), 0.0)


def _regression(run: Run, part: str) -> tuple[float, float]:
    r2 = float(run.final.get(f"{part}_r2", math.nan))
    return r2, 1.0 - r2


def _classes(run: Run, part: str) -> tuple[float, float]:
    counts = np.asarray(run.data[f"{part}_class_counts"], np.float64)
    skill = 1.0 - float(run.final[f"{part}_error"]) / (1.0 - counts.max() / counts.sum())
    return float(skill), float(run.final[f"{part}_loss"]) / guessing_loss(
        run, counts / counts.sum()
    )


def guessing_loss(run: Run, shares: npt.NDArray[np.float64]) -> float:
    """The loss of a sample whose answer is always the class shares (class,), summed over
    outputs as losses are; NaN for losses without a closed form.
    """
    text = str(run.config["training"]["loss"])
    if "mean" in text:
        return math.nan
    name = text.partition("(")[0]
    one_output = int(run.layers["units"][-1]) == 1
    yes = shares[1:] if one_output else shares
    if name in ("cross_entropy", "kl", "auto"):
        return float(-_times_log(shares).sum())
    if name == "binary_cross_entropy":
        return float(-(_times_log(yes) + _times_log(1.0 - yes)).sum())
    return float((yes * (1.0 - yes)).sum()) if name == "mse" else math.nan


def _times_log(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return shares * np.log(np.where(shares > 0.0, shares, 1.0))


def label(case: Configured, found: Outcome, reachable: float) -> str:
    """`learned`, `unclear` or `ill`, the worse of what error and loss say; by construction
    where the case has a label.
    """
    if case.label:
        return {"healthy": "learned"}.get(case.label, case.label)
    reachable = min(reachable, found.ceiling)
    if reachable < SOMETHING:
        return "ill"
    by_error = (
        0 if found.skill >= LEARNED * reachable else 2 if found.skill < ILL * reachable else 1
    )
    if found.regression:
        ratio, near, far = found.excess / max(1.0 - reachable, EXACT), NEAR, OFF
    else:
        ratio, near, far = found.excess, GUESSING, FAR
    by_loss = 2 if ratio > far else 1 if ratio > near else 0  # NaN says nothing
    return LABELS[max(by_error, by_loss)]


def best_skills(
    cases: Iterable[Configured],
    skills: Mapping[str, Sequence[float]],
    known: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """The reachable skill of each family: the largest median over seeds, and at least what is
    `known` of it from its rows.
    """
    best = dict(known or {})
    for case in cases:
        values = sorted(skills.get(case.name, []))
        if values:
            best[case.family] = max(
                best.get(case.family, -math.inf), values[(len(values) - 1) // 2]
            )
    return best


def known_skill(config: RunConfig) -> float:
    """The skill that rows which repeat allow: nearly all of the judged rows occur in training.

    −∞ where they do not repeat: then nothing is known from the rows. The best answer to equal rows
    is their commonest class, or their mean. Raises what loading and preparing the data raise.
    """
    seed = config.training.seed
    data = prepare(load(config.data, seed), config.data, seed, config.training.dtype)
    part = "val" if len(data.indices["val"]) else "train"
    inputs, targets = np.asarray(data.inputs[part]), np.asarray(data.targets[part])
    train = np.asarray(data.inputs["train"])
    _, places = np.unique(np.concatenate([train, inputs]), axis=0, return_inverse=True)
    places = places.ravel()
    seen, asked = places[: len(train)], places[len(train) :]
    distinct = len(np.unique(seen))
    if not len(asked) or np.isin(asked, seen).mean() < TWINS or distinct > len(train) / 2:
        return -math.inf
    return _skill_of_groups(asked, targets, data.task == "regression")


def _skill_of_groups(
    places: npt.NDArray[Any], targets: npt.NDArray[Any], regression: bool
) -> float:
    """Skill of the best answer that is one per group of equal rows. places: (row,) group;
    targets: (row,) or (row, outputs).
    """
    if regression:
        values = targets.reshape(len(targets), -1).astype(np.float64)
        left = sum(
            float(((values[places == group] - values[places == group].mean(axis=0)) ** 2).sum())
            for group in np.unique(places)
        )
        return 1.0 - left / float(((values - values.mean(axis=0)) ** 2).sum())
    wrong = sum(
        int((places == group).sum()) - int(np.bincount(targets[places == group]).max())
        for group in np.unique(places)
    )
    chance = len(targets) - int(np.bincount(targets).max())
    return 1.0 - wrong / chance


def to_json(value: float) -> Any:
    """A number as JSON: what is not finite is null."""
    return float(f"{value:.4g}") if math.isfinite(value) else None
