"""Which part of a recorded quantity is asked for: steps, layers, and of a study which runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.config import split_list
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.registry import unknown

ENDS = ("start", "end")
LARGEST_STEP = 2**62


@dataclass(frozen=True)
class StepSelection:
    """at: `start`, `end` or a step; first, last: the steps between which rows are taken, both
    included; layers: names, none for all.
    """

    at: str | int | None = None
    first: int = 0
    last: int = LARGEST_STEP
    layers: tuple[str, ...] = ()

    def rows(self, steps: NDArray[Any]) -> slice:
        """The rows of steps (row,) that are asked for; of a step that was not recorded the last
        one before it; none where it lies outside.
        """
        count = len(steps)
        if self.at is None:
            return slice(
                int(np.searchsorted(steps, self.first)),
                int(np.searchsorted(steps, self.last, side="right")),
            )
        if not count:
            return slice(0, 0)
        if self.at in ENDS:
            row = 0 if self.at == ENDS[0] else count - 1
            return slice(row, row + 1)
        step = int(self.at)
        row = int(np.searchsorted(steps, step, side="right")) - 1
        return slice(row, row + 1) if row >= 0 and step <= int(steps[-1]) else slice(0, 0)

    def columns(self, names: Sequence[str]) -> list[int]:
        """The columns that are asked for, all where none is named. Those that are not there are
        left out.
        """
        if self.layers:
            return [names.index(name) for name in self.layers if name in names]
        return list(range(len(names)))

    def refuse_unknown(self, names: Sequence[str]) -> None:
        """Raise ConfigError for a layer that is not there."""
        for name in self.layers:
            if name not in names:
                raise ConfigError(f"--layers: {unknown('layer', name, names)}")

    @property
    def empty(self) -> str:
        """What is said where no row is left."""
        if self.at is not None:
            return f"no step {self.at} was recorded"
        return f"no step from {self.first} to {self.last} was recorded"


def selection(at: str | None, steps: str | None, layers: Sequence[str]) -> StepSelection:
    """The selection that the options --at, --steps and --layers ask for. Raises ConfigError."""
    if at is not None and steps is not None:
        raise ConfigError("--at is one step, --steps several: give one of them")
    first, last = (0, LARGEST_STEP) if steps is None else _range(steps)
    return StepSelection(
        None if at is None else _moment(at),
        first,
        last,
        tuple(name for text in layers for name in split_list(text)),
    )


def _moment(text: str) -> str | int:
    plain = text.strip().lower()
    if plain in ENDS:
        return plain
    if not plain.isdecimal():
        raise ConfigError(f"--at {text!r}: expected start, end or a step")
    return min(int(plain), LARGEST_STEP)


def _range(text: str) -> tuple[int, int]:
    first, colon, last = (piece.strip() for piece in text.partition(":"))
    if not colon or not all(piece.isdecimal() or not piece for piece in (first, last)):
        raise ConfigError(
            f"--steps {text!r}: expected FIRST:LAST, each a step or empty, e.g. --steps 0:500"
        )
    low, high = int(first or 0), min(int(last or LARGEST_STEP), LARGEST_STEP)
    if low > high:
        raise ConfigError(f"--steps {text!r}: the first step lies behind the last")
    return low, high


def conditions(texts: Sequence[str]) -> dict[str, list[str]]:
    """`depth=10,20` and `init=he_normal` by axis; an axis that is named twice has the values of
    both. Raises ConfigError.
    """
    chosen: dict[str, list[str]] = {}
    for text in texts:
        axis, equals, values = text.partition("=")
        if not axis.strip() or not equals or not (wanted := split_list(values)):
            raise ConfigError(
                f"--where {text!r}: expected AXIS=VALUE or AXIS=VALUE,VALUE, e.g. --where depth=20"
            )
        chosen.setdefault(axis.strip(), []).extend(wanted)
    return chosen
