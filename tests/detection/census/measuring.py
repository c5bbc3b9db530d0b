"""One configuration of the census: drawn, trained, labelled by its outcome, judged; where it is
ill, its cause put to the proof and its first action tried.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dlprobe.config import RunConfig, with_values
from dlprobe.errors import ConfigError, DataError
from dlprobe.experiments.study import work
from dlprobe.experiments.untrained import first_steps, judged_start
from dlprobe.rules.untrained import prediction
from dlprobe.training.prepared_sets import PreparedSets

from ..outcome import Outcome, label, outcome, to_json
from .answers import Answer, Patch, answer_of
from .families import config_of, made, reachable
from .prior import drawn
from .running import outcome_of, run_of

TRIES, ENOUGH = 3, 2  # seeds of a proof or an action, and how many of them have to be cured
NEW = 1_000_000  # drawn seeds are smaller
APART, MOST_RESTARTS = 10_000_000, 4  # between the seeds of cure and shams; shams of one cure
PLAIN = {  # each option of the prior set back, for the question which of them alone would cure
    key: text
    for line in (
        "data: scaling standardize, target_scaling auto",
        (
            "model: layers 64;64, activation relu, init auto, norm none, residual none, dropout "
            "0, output_activation auto"
        ),
        (
            "training: optimizer adam, lr auto, schedule constant, batch_size 32, l1 0, l2 0, "
            "early_stopping none, loss auto, clip_global_norm none"
        ),
    )
    for table, pairs in [line.split(": ")]
    for key, text in [
        (f"{table}.{name}", text.replace(";", ","))
        for name, text in (pair.split() for pair in pairs.split(", "))
    ]
}


@dataclass(frozen=True)
class Kind:
    """What labels need of a configuration."""

    name: str
    family: str
    label: str = ""


@dataclass(frozen=True)
class Entry:
    """One configuration and what came of it; one line of the census's file.

    label: learned, unclear, ill, or impossible. skill, excess, reachable: as
        `tests.detection.outcome` has them. answer: of dlprobe.
    proved: of TRIES seeds, in how many the net learns with the cause undone, and in how many of
        them (`seeds`) no sham does; None where nothing is blamed.
    cured: of TRIES new seeds, in how many the first action cures. undone: options that, set back
        alone, cure (own seed), only with `causes`.
    """

    index: int
    family: str
    options: dict[str, str]
    label: str
    skill: float | None = None
    excess: float | None = None
    reachable: float | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    proved: dict[str, Any] | None = None
    cured: int | None = None
    undone: list[str] | None = None
    before: dict[str, Any] | None = None
    seconds: float = 0.0

    @property
    def accuses(self) -> bool:
        """Whether an error or a warning was raised."""
        return any(severity != "info" for _, severity in self.answer.get("codes", ()))

    @property
    def named(self) -> list[str]:
        """Codes of errors and warnings."""
        return list(
            dict.fromkeys(
                code for code, severity in self.answer.get("codes", ()) if severity != "info"
            )
        )

    @property
    def action_cures(self) -> bool:
        """Whether what is advised first cures in enough seeds."""
        return (self.cured or 0) >= ENOUGH

    @property
    def cause_proved(self) -> bool:
        """Whether the cause undone cures and the sham does not, in enough seeds."""
        return bool(self.proved) and self.proved["seeds"] >= ENOUGH


@dataclass
class Census:
    """Measures configurations of one seed. cures: prove causes and try actions; causes: ask
    which options alone are at fault.
    """

    seed: int
    folder: Path
    cures: bool = True
    causes: bool = False
    sets: PreparedSets = field(default_factory=PreparedSets)

    def entry(self, index: int) -> Entry:
        """Everything about one configuration."""
        began = time.perf_counter()
        family, options = drawn(self.seed, index)
        try:
            config = config_of(options, made(self.folder))
            run = run_of(config, self.sets)
        except (ConfigError, DataError) as error:
            return Entry(index, family, options, "impossible", answer={"refused": str(error)})
        with run:
            found, answer = outcome(run), answer_of(run)
        result = labelled(family, found)
        more: dict[str, Any] = {}
        if result == "ill" and self.cures:
            more = {
                "proved": self._proof(family, config, answer),
                "cured": self._cured(family, config, answer.action),
            }
        if result == "ill" and self.causes:
            more["undone"] = self._undone(family, config)
        if self.cures:
            more["before"] = before_training(config, self.sets)
        numbers = {
            "skill": to_json(found.skill),
            "excess": to_json(found.excess),
            "reachable": reachable()[family],
        }
        return Entry(
            index,
            family,
            options,
            result,
            **numbers,
            answer=asdict(answer),
            **more,
            seconds=round(time.perf_counter() - began, 2),
        )

    def learns(self, family: str, config: RunConfig, patch: Patch, seed: int) -> bool:
        """Whether a configuration with a change learns with this seed; an impossible one does
        not.
        """
        try:
            changed = with_values(config, {**patch, "training.seed": seed})
            return labelled(family, outcome_of(changed, self.sets)) == "learned"
        except (ConfigError, DataError):
            return False

    def _proof(self, family: str, config: RunConfig, answer: Answer) -> dict[str, Any] | None:
        """The cause undone against the sham, then with the next beside it, until that cures:
        the last step that was tried, and how many.
        """
        proof: dict[str, Any] | None = None
        for step, undo in enumerate(answer.undo, 1):
            proof = {**self._proof_of(family, config, undo), "steps": step}
            if proof["undone"] >= ENOUGH:
                break
        return proof

    def _proof_of(self, family: str, config: RunConfig, undo: Patch) -> dict[str, Any]:
        """One change against the sham, seed by seed, the run's own first; the sham is asked
        only where the other learned.
        """
        seeds = [config.training.seed, *(NEW + step for step in range(1, TRIES))]
        undone = [self.learns(family, config, undo, seed) for seed in seeds]
        fails = [
            learned and self._sham_fails(family, config, undo, seed)
            for seed, learned in zip(seeds, undone, strict=True)
        ]
        return {"undone": sum(undone), "seeds": sum(fails)}

    def _sham_fails(self, family: str, config: RunConfig, undo: Patch, seed: int) -> bool:
        """The run's own configuration from other weights and in another order, as often as the
        change makes training longer (see `experiments.proof`).
        """
        restarts = min(
            max(
                round(
                    work(with_values(config, undo), self.sets) / max(work(config, self.sets), 1.0)
                ),
                1,
            ),
            MOST_RESTARTS,
        )
        return not any(
            self.learns(family, config, {}, seed + APART * (restart + 1))
            for restart in range(restarts)
        )

    def _cured(self, family: str, config: RunConfig, action: Patch | None) -> int:
        if action is None:
            return 0
        return sum(self.learns(family, config, action, NEW + TRIES + step) for step in range(TRIES))

    def _undone(self, family: str, config: RunConfig) -> list[str]:
        """Options that, set back alone, cure with the run's own seed; `all` where only all of
        them together do.
        """
        seed = config.training.seed
        changed = {key: text for key, text in PLAIN.items() if self._changes(config, key, text)}
        alone = [
            key
            for key, text in changed.items()
            if self.learns(family, config, self._back(key, text), seed)
        ]
        return alone or (["all"] if self.learns(family, config, changed, seed) else ["nothing"])

    @staticmethod
    def _back(key: str, text: str) -> Mapping[str, str]:
        return {key: text, "training.lr": "auto"} if key == "training.optimizer" else {key: text}

    def _changes(self, config: RunConfig, key: str, text: str) -> bool:
        try:
            return with_values(config, self._back(key, text)) != config
        except ConfigError:
            return False


def before_training(config: RunConfig, sets: PreparedSets) -> dict[str, Any]:
    """What `check` says of the configuration without training it: whether it would fail, and by
    what.
    """
    start, judgement = judged_start(first_steps(config, sets))
    findings = [[each.code, each.severity, to_json(each.measured)] for each in judgement.findings]
    signal = None if math.isnan(start.error_signal.median) else to_json(start.error_signal.median)
    return {
        "fails": judgement.worst == "error",
        "said": prediction(start, judgement),
        "findings": findings,
        "log10_error_signal": signal,
        "trainable": to_json(start.trainable),
    }


def labelled(family: str, found: Outcome) -> str:
    """The label of an outcome beside what is reachable in its family."""
    return label(Kind("", family), found, reachable()[family])
