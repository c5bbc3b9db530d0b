"""The gate of `check --against`: how often it accuses runs of the same law, and how often it sees
errors that were planted.

A/A: `count` pairs over five data sets, with the same split and other seeds, and as many with both
    varied, against one baseline run and against five. A pair fails where any rule finds an error,
    or one of the comparing rules could not look. At most 2 % may.

Planted, where a baseline run has at least 10 validation errors of at least 300 rows: predictions
flipped until there are three times the errors (the same seed, and another one), and training at a
fifth of the rate. The share that is found stands beside what the exact power says; with the same
seed at least 95 % must be found, elsewhere no fewer than the power but for chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlprobe.analysis.comparing import metric_changes
from dlprobe.analysis.comparing.baseline import BaselineComparison, Numbers
from dlprobe.analysis.comparing.change import Change
from dlprobe.analysis.comparing.misses import Misses
from dlprobe.pytest_plugin import train
from dlprobe.rules.against import judged_against, read_numbers
from dlprobe.rules.files import criteria

COUNT = 200
SETS = {
    "digits": 20,
    "breast_cancer": 20,
    "wine": 30,
    "diabetes": 20,
    "moons(samples=1500, noise=0.35)": 20,
}  # epochs
MODELS = (("24,24", "relu"), ("32", "tanh"), ("16,16,16", "relu"), ("48,24", "tanh"))
BASELINE = 5  # runs of it
MOST = 0.02  # share of A/A pairs that may fail
FACTOR, LEVEL = 1.1, 0.01  # the defaults of R002
LARGE, ENOUGH, RISE = (
    300,
    10,
    3,
)  # rows and errors of a baseline in which RISE times as many must be found
FOUND = 0.95


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """All of it; `failed` names what is beyond the aims."""
    found: dict[str, Any] = {"failed": []}
    for split in ("same", "other"):
        alarms: dict[int, list[str]] = {1: [], BASELINE: []}
        for pair in range(count):
            new, *old = _runs(pair, seed, split, folder)
            for size, told in alarms.items():
                told += _alarms(new, old[:size])
            if split == "same":
                _plant(found, new, old[0], pair, seed, folder)
            for path in (new, *old):
                path.unlink()
        for size, told in alarms.items():
            found[f"alarms, {split} split, {size} against 1"] = told
            found["failed"] += (
                [f"{split} split, baseline of {size}: {len(told)} of {count} pairs"]
                if len(told) > MOST * count
                else []
            )
    found["failed"] += _too_few(found)
    return found


def _runs(pair: int, seed: int, split: str, folder: Path) -> Iterator[Path]:
    """The new run, then those of the baseline."""
    for number in range(1 + BASELINE):
        path = folder / f"{pair}-{number}.h5"
        train(_configuration(pair, seed, split, number), path)
        yield path


def _configuration(
    pair: int, seed: int, split: str, number: int, **training: str
) -> dict[str, Any]:
    (data, epochs), (layers, activation) = (
        list(SETS.items())[pair % len(SETS)],
        MODELS[pair // len(SETS) % len(MODELS)],
    )
    own = str(1000 * (1000 * seed + pair) + number)
    fixed = {"data_seed": str(1000 * seed + pair)} if split == "same" else {}
    return {
        "data": {"data": data, **fixed},
        "model": {"layers": layers, "activation": activation},
        "training": {"epochs": str(epochs), "seed": own, **training},
        "recording": {"record_every": "16"},
    }


def _alarms(new: Path, old: Sequence[Path]) -> list[str]:
    """A line where the pair fails, whichever rule it is."""
    lines = []
    for judged in judged_against([new], criteria([], [], {}), old):
        errors = [each for each in judged.judgement.findings if each.severity == "error"]
        lines += [f"{judged.path}: {each.code} {each.evidence}" for each in errors]
        lines += [f"{judged.path}: {code} not evaluated" for code in judged.not_compared]
    return ["; ".join(lines)] if lines else []


def _plant(found: dict[str, Any], new: Path, old: Path, pair: int, seed: int, folder: Path) -> None:
    """Add what is seen of planted errors in a baseline run: by kind and size, found, tried, and
    what the power says.
    """
    (ours,), (theirs,) = read_numbers([new]), read_numbers([old])
    if (counts := theirs.errors("val_error")) is None:
        return
    large = counts[0] >= ENOUGH and counts[1] >= LARGE
    rng = np.random.default_rng([seed, pair])
    slow = folder / f"{pair}-slow.h5"
    train(_configuration(pair, seed, "same", 1, lr=str(0.2 * 0.001)), slow)
    (slowed,) = read_numbers([slow])
    slow.unlink()
    risen = RISE * counts[0]
    tries = {
        "flipped, same seed": flipped(theirs, risen, rng),
        "flipped, other seed": flipped(ours, risen, rng),
    }
    if slowed.metrics["val_error"] >= RISE * theirs.metrics["val_error"]:
        tries["rate × .2, three times the errors"] = slowed
    for kind, worse in tries.items():
        if worse is not None:
            told = found.setdefault(
                f"planted, {kind}{', large' if large else ''}", {"found": 0, "of": 0, "power": 0.0}
            )
            told["of"] += 1
            told["found"] += any(each.worse for each in changes(worse, theirs))
            told["power"] += power(worse, theirs)


def changes(new: Numbers, old: Numbers) -> list[Change]:
    """What R002 makes of the errors of two runs."""
    return metric_changes.changes(
        BaselineComparison((new,), (old,)), ("val_error", "test_error"), FACTOR, LEVEL
    )


def power(new: Numbers, old: Numbers) -> float:
    """The chance that R002 itself says for three times the validation errors."""
    (told,) = [each.power() for each in changes(new, old) if each.metric == "val_error"]
    return float(told.split(" % of cases")[0].split()[-1]) / 100


def flipped(run: Numbers, errors: int, rng: np.random.Generator) -> Numbers | None:
    """The run with right predictions made wrong until there are so many validation errors, and
    a like share of test errors; None where rows do not suffice.
    """
    before = run.errors("val_error")
    if before is None or not before[0] <= errors <= before[1]:
        return None
    share = (errors - before[0]) / max(before[1] - before[0], 1)
    misses: dict[str, Misses] = {}
    metrics: dict[str, float] = dict(run.metrics)
    for part, own in run.misses.items():
        sizes = own.sizes.copy()
        right = np.flatnonzero(sizes == 0)
        sizes[rng.choice(right, round(share * len(right)), replace=False)] = 1
        misses[part], metrics[f"{part}_error"] = Misses(own.rows, sizes), float(sizes.mean())
    return replace(run, misses=misses, metrics=metrics)


def _too_few(found: Mapping[str, Any]) -> list[str]:
    """What was found less often than it must."""
    lines = []
    for kind, told in found.items():
        if not kind.startswith("planted"):
            continue
        sure = "large" in kind and "other seed" not in kind
        expected = FOUND if sure else told["power"] / told["of"]
        least = expected * told["of"] - (
            0 if sure else 3 * np.sqrt(told["of"] * expected * (1 - expected)) + 1
        )
        lines += (
            [f"{kind}: {told['found']} of {told['of']} found, {least:.1f} at least"]
            if told["found"] < least
            else []
        )
    return lines
