"""Whether this installation computes what it should: what it is made of, and every kernel
beside its plain form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from dlprobe.dataclass import dataclass
from dlprobe.executors.threads import available_threads
from dlprobe.training.installation import (
    CheckOutcome,
    Installation,
    KernelCheck,
    all_checks,
    cached_names,
    installation,
    outcome_of,
)
from dlprobe.training.stopping import Stop

# files of what calls kernels from Python, which is at work in every comparison
CALLERS = "calling."
# Records whose kernels most commands need, and the passes that all of them do, by kind.
COMMON = {
    "activation": ("relu", "tanh", "sigmoid", "softmax"),
    "normalization": ("batch",),
    "loss": ("cross_entropy", "mse"),
    "optimizer": ("adam", "sgd", "momentum"),
    "pass": ("products", "step", "bins", "products of a fleet", "step of a fleet"),
}


@dataclass(frozen=True)
class Examination:
    """What was found. `uncompared`: files of the cache that no check covered; `complete` is
    False where somebody stopped it.
    """

    installation: Installation
    outcomes: Sequence[CheckOutcome]
    uncompared: Sequence[str]
    complete: bool

    def of(self, *states: str) -> list[CheckOutcome]:
        """The outcomes in these states."""
        return [outcome for outcome in self.outcomes if outcome.state in states]

    @property
    def faults(self) -> list[CheckOutcome]:
        """Kernels that give other numbers, or none."""
        return self.of("differs", "cannot run")


def everything(check: KernelCheck) -> bool:
    """Selects every kernel: True."""
    return True


def nothing(check: KernelCheck) -> bool:
    """Selects no kernel: False."""
    return False


def common(check: KernelCheck) -> bool:
    """Selects the float32 kernels whose names stand in COMMON."""
    known, record = COMMON.get(check.kind, ()), re.split("[ ,]", check.name)[0]
    return check.dtype == "float32" and (check.name if check.kind == "pass" else record) in known


def examine(
    compiles: Callable[[KernelCheck], bool],
    stop: Stop,
    progress: Callable[[int, int], None] | None = None,
) -> Examination:
    """Check the kernels in the cache, and those that `compiles` chooses, compiled where they are
    not there.
    """
    checks, outcomes = all_checks(), list[CheckOutcome]()
    checks.sort(key=compiles, reverse=True)  # what takes long first
    before = cached_names()
    for check in checks:
        if stop.asked:
            break
        outcomes.append(outcome_of(check, cached_only=not compiles(check)))
        if progress:
            progress(len(outcomes), len(checks))
    compared = [name for outcome in outcomes for name in outcome.compiled]
    obsolete = [
        file
        for digest, file in before.items()
        if not file.startswith(CALLERS) and not any(name.endswith(digest) for name in compared)
    ]
    return Examination(
        installation(available_threads()), outcomes, sorted(obsolete), len(outcomes) == len(checks)
    )
