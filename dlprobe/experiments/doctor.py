"""Whether this installation computes what it should: what it is made of, and every kernel
beside its plain form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dlprobe.executors.threads import available_threads
from dlprobe.training.installation import (
    CheckOutcome,
    Installation,
    all_checks,
    cached_names,
    installation,
    outcome_of,
)
from dlprobe.training.stopping import Stop

CALLERS = (
    "calling."  # files of what calls kernels from Python, which is at work in every comparison
)


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


def examine(
    whole: bool, stop: Stop, progress: Callable[[int, int], None] | None = None
) -> Examination:
    """Check the kernels in the cache, or, `whole`, all of the registry, which compiles what is
    not there.
    """
    checks, outcomes = all_checks(), list[CheckOutcome]()
    before = cached_names()
    for check in checks:
        if stop.asked:
            break
        outcomes.append(outcome_of(check, cached_only=not whole))
        if progress:
            progress(len(outcomes), len(checks))
    compared = [name for outcome in outcomes for name in outcome.compiled]
    left = [
        file
        for digest, file in before.items()
        if not file.startswith(CALLERS) and not any(name.endswith(digest) for name in compared)
    ]
    return Examination(
        installation(available_threads()), outcomes, sorted(left), len(outcomes) == len(checks)
    )
