"""What to use at a depth, of the nets that a grid trained there: as good as the best within the
noise of seeds, then the plainest, then the cheapest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from statistics import median, stdev

from dlprobe.analysis.profiles.depth_limits import LEARNED
from dlprobe.dataclass import dataclass
from dlprobe.registry import counted, first_of

MOST = 4  # depths or names that a sentence tells of
FLOOR = 0.01  # a hundredth is no difference, however alike the seeds are
ERRORS = 2.0  # standard errors of the difference of two means that chance explains


@dataclass(frozen=True)
class Candidate:
    """A net of one depth over seeds.

    label: as the grid calls it. scores: (seed,), accuracy on new samples or R², −∞ of a seed that
        diverged. skills: (seed,), share of what could be learned of the training part. extras:
        parts that the plainest net does not have (a norm, a residual connection). cost: operations
        per sample, in any unit. measure: how a sentence gives the score, `%` or `R²`.
        part: the samples that it is of, in words.
    """

    label: str
    scores: tuple[float, ...]
    skills: tuple[float, ...]
    extras: int = 0
    cost: float = 0.0
    measure: str = "%"
    part: str = "on new samples"

    @property
    def learned(self) -> int:
        """How many seeds learned at least half of what there was."""
        return sum(
            skill >= LEARNED and math.isfinite(score)
            for skill, score in zip(self.skills, self.scores, strict=True)
        )

    @property
    def sure(self) -> bool:
        """Whether every seed learned."""
        return bool(self.scores) and self.learned == len(self.scores)

    @property
    def score(self) -> float:
        """The median over seeds; −∞ where most diverged or nothing is known."""
        known = [score for score in self.scores if not math.isnan(score)]
        return median(known) if known else -math.inf

    @property
    def figure(self) -> str:
        """The score without its measure."""
        return f"{100 * self.score:.0f}" if self.measure == "%" else f"{self.score:.2f}"

    def told(self, figures: Sequence[str] = ()) -> str:
        """The score with its measure, or several: `94 %`, `R² 0.91, 0.87`."""
        numbers = ", ".join(figures or [self.figure])
        return f"{numbers} %" if self.measure == "%" else f"{self.measure} {numbers}"


@dataclass(frozen=True)
class DepthChoice:
    """use: the candidate to take, None where no one learned in every seed; best: the one with
    the largest score; failing: labels of those that fail there; alike: of those that do as well as
    the best within the noise of seeds, `use` too, the largest score first.
    """

    depth: int
    use: Candidate | None
    best: Candidate
    failing: tuple[str, ...]
    alike: tuple[str, ...]

    @property
    def others(self) -> list[str]:
        """What could be taken in place of `use`."""
        return [label for label in self.alike if self.use is None or label != self.use.label]

    @property
    def as_good(self) -> str:
        """The end of a sentence that names `use`: what could be taken in its place."""
        return self.ending(self.others)

    @property
    def margin(self) -> str:
        """How near to the best is as good: one seed says nothing of noise."""
        return "within the noise of seeds" if len(self.best.scores) > 1 else "to a hundredth"

    def ending(self, others: Sequence[str]) -> str:
        """`; as good within the noise of seeds: …`; empty where there are no others."""
        return f"; as good {self.margin}: {first_of(others, MOST)}" if others else ""

    @property
    def sentence(self) -> str:
        """The choice as a sentence.

        >>> good, grand = Candidate("relu", (0.93, 0.95), (0.9, 0.9)), Candidate("relu · batch norm", (0.94, 0.96), (0.9, 0.9), 1)
        >>> choose(20, [good, grand, Candidate("sigmoid", (0.1, 0.1), (0.0, 0.0))]).sentence
        'at 20 layers use relu (94 %, 2 of 2 seeds learned); as good within the noise of seeds: relu · batch norm; sigmoid does not learn in every seed'
        """  # noqa: E501
        return told([self])[0]


def choose(depth: int, candidates: Sequence[Candidate]) -> DepthChoice:
    """What to use of some candidates of one depth. Raises ValueError without one.

    Only what learned in every seed is advised: deep nets that die in one seed of three are no
    advice. Of these, the ones whose score is within ERRORS standard errors of the difference (and
    at least FLOOR) of the best are alike; of those the one with the fewest extras, then the least
    cost, then the larger score.
    """
    if not candidates:
        raise ValueError(f"expected a candidate for {counted(depth, 'layer')}")
    sure = [candidate for candidate in candidates if candidate.sure]
    failing = tuple(candidate.label for candidate in candidates if not candidate.sure)
    best = max(sure or candidates, key=lambda choice: choice.score)
    chance = noise(sure)
    alike = [choice for choice in sure if best.score - choice.score <= chance]
    use = min(
        alike,
        key=lambda candidate: (candidate.extras, candidate.cost, -candidate.score),
        default=None,
    )
    ranked = sorted(alike, key=lambda candidate: -candidate.score)
    return DepthChoice(depth, use, best, failing, tuple(choice.label for choice in ranked))


def noise(candidates: Sequence[Candidate]) -> float:
    """A difference of two scores that chance explains: ERRORS standard errors; FLOOR where that is
    less. The spread over seeds is the median of the candidates' own: of three seeds one net's alone
    is small or large by chance, and what seeds scatter widely would seem as good as the best.
    """
    known = [
        choice.scores
        for choice in candidates
        if len(choice.scores) > 1 and all(map(math.isfinite, choice.scores))
    ]
    if not known:
        return FLOOR
    spread, seeds = median(map(stdev, known)), min(map(len, known))
    return max(FLOOR, ERRORS * spread * math.sqrt(2 / seeds))


def told(choices: Sequence[DepthChoice]) -> list[str]:
    """A sentence for each stretch of depths with one and the same advice, in the order of
    depths.
    """
    ordered = sorted(choices, key=lambda choice: choice.depth)
    return [
        _sentence(list(same))
        for _, same in groupby(
            ordered, key=lambda choice: None if choice.use is None else choice.use.label
        )
    ]


def _sentence(same: Sequence[DepthChoice]) -> str:
    depths = first_of([str(choice.depth) for choice in same], MOST)
    where = f"at {depths} layer{'' if same[-1].depth == 1 else 's'}"
    use = same[-1].use
    if use is None:
        closest = max((choice.best for choice in same), key=lambda choice: choice.learned)
        return (
            f"{where} nothing of this learned in every seed: the closest is {closest.label}, "
            f"{closest.learned} of {len(closest.scores)}"
        )
    figures = list(dict.fromkeys(choice.use.figure for choice in same if choice.use is not None))
    said = (
        f"{where} use {use.label} ({use.told(figures)}, {use.learned} of "
        f"{counted(len(use.scores), 'seed')} learned)"
    )
    # at each of these depths
    others = [other for other in same[-1].others if all(other in depth.others for depth in same)]
    said += same[-1].ending(others)
    failing = list(dict.fromkeys(label for choice in same for label in choice.failing))
    does = "does" if len(failing) == 1 else "do"
    return said + (f"; {first_of(failing, MOST)} {does} not learn in every seed" * bool(failing))
