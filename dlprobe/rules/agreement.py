"""No two findings of a run advise opposite things: of remedies that pull the same option in
opposite directions those stay that the run speaks for.

A remedy is read by what it does to the configuration: to the rate, the length, the depth, the room
that the net has, and what is done against overfitting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from dlprobe.analysis.learning.learned import WELL, Learning
from dlprobe.config import with_values
from dlprobe.config.records import RunConfig
from dlprobe.errors import SEVERITIES, ConfigError
from dlprobe.rules.changes_of_regularization import regularizers
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Finding, NotEvaluableError, Remedy

Pull: TypeAlias = dict[str, int]  # by what is pulled: −1 or 1

# a finding of these rules asks for shorter steps because it saw them
STEPS_TOO_LONG = ("N001", "L002", "L003", "W003", "W006", "L009", "L010")
# a finding of these rules asks for what shall stand beside a cure, not in its place
GUARDS = ("B006",)
# what helps a net to fit its training part; the opposite helps it to generalise
FIT = {"room": 1, "length": 1, "against overfitting": -1}


def agreed(findings: Sequence[Finding], evidence: Evidence) -> tuple[Finding, ...]:
    """The findings without the remedies that contradict what the run speaks for."""
    config = evidence.config
    if config is None:
        return tuple(findings)
    pulls = {
        id(remedy): {} if finding.code in GUARDS else pull_of(config, remedy)
        for finding in findings
        for remedy in finding.remedies
    }
    wanted = _wanted(findings, pulls, evidence)
    return tuple(
        replace(
            finding,
            remedies=tuple(
                remedy for remedy in finding.remedies if not _against(pulls[id(remedy)], wanted)
            ),
        )
        if finding.remedies
        else finding
        for finding in findings
    )


def _against(pull: Pull, wanted: Pull) -> bool:
    # more units in all the layers that are too many
    deep_and_wide = wanted.get("depth") == -1 and pull.get("room") == 1 and "depth" not in pull
    return deep_and_wide or any(wanted.get(what, sign) != sign for what, sign in pull.items())


def pull_of(config: RunConfig, remedy: Remedy) -> Pull:
    """What a remedy does to a configuration, by what is pulled; only what it changes. Nothing
    for one that the configuration does not take.
    """
    try:
        changed = with_values(config, remedy.patch)
    except ConfigError:
        return {}
    measures = [(name, measure(config), measure(changed)) for name, measure in MEASURES.items()]
    directions = {
        name: 1 if after > before else -1 for name, before, after in measures if after != before
    }
    # rates of two optimizers do not compare
    if changed.training.optimizer.name != config.training.optimizer.name:
        directions.pop("rate", None)
    return directions


def _room(config: RunConfig) -> float:
    return float(np.mean(config.model.layers)) if config.model.layers else 0.0


def _length(config: RunConfig) -> float:
    training = config.training
    return float(training.steps or training.epochs or 0)


def _strength(config: RunConfig) -> float:
    tables = {"training": config.training, "model": config.model}
    total = config.training.weight_decay + float(config.training.early_stopping is not None)
    for place in regularizers(config):
        table, _, key = place.partition(".")
        value = getattr(tables[table], key)
        if isinstance(value, int | float):
            total += 1.0 / value if key == "max_norm" else value
    return total


MEASURES = {
    "rate": lambda config: config.training.resolved_lr,
    "length": _length,
    "depth": lambda config: float(len(config.model.layers)),
    "room": _room,
    "batch": lambda config: (
        math.inf if config.training.batch_size == "full" else float(config.training.batch_size)
    ),
    "against overfitting": _strength,
}


def _wanted(findings: Sequence[Finding], pulls: dict[int, Pull], evidence: Evidence) -> Pull:
    """The direction that stays where findings pull both ways; nothing said where they do not."""
    asked: dict[str, dict[int, list[str]]] = {}
    for finding in findings:
        for remedy in finding.remedies:
            for what, sign in pulls[id(remedy)].items():
                asked.setdefault(what, {}).setdefault(sign, []).append(finding.code)
    torn = {what: signs for what, signs in asked.items() if len(signs) > 1}
    wanted: Pull = {}
    if "rate" in torn:
        wanted["rate"] = -1 if any(code in STEPS_TOO_LONG for code in torn["rate"][-1]) else 1
    if -1 in asked.get("depth", {}):
        wanted["depth"] = -1
    fit = _must_fit(evidence)
    for what, sign in FIT.items():
        if what in torn or (_both(asked) and what in asked):
            wanted[what] = sign if fit else -sign
    for what, signs in torn.items():
        wanted.setdefault(what, _by_severity(what, signs, findings))
    return wanted


def _both(pulls: dict[str, dict[int, list[str]]]) -> bool:
    """Whether some findings want the net to fit better and others to generalise better."""
    sides = {sign * FIT[what] for what, signs in pulls.items() if what in FIT for sign in signs}
    return len(sides) > 1


def _must_fit(evidence: Evidence) -> bool:
    """Whether the training part is what is missing most, rather than what new samples have in
    common with it.
    """
    try:
        learned: Learning = evidence.learning
    except NotEvaluableError:
        return True
    missing = 1.0 - learned.reached
    lost = float(learned.skill[-1] - learned.val_skill[-1]) if learned.validated else 0.0
    return learned.reached < WELL and not lost > missing


def _by_severity(what: str, signs: dict[int, list[str]], findings: Sequence[Finding]) -> int:
    rank = {finding.code: SEVERITIES.index(finding.severity or "info") for finding in findings}
    return min(signs, key=lambda sign: min(rank[code] for code in signs[sign]))
