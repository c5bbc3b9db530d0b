"""Augmentations: what a training step does to its samples before the net sees them; one record
each.

A sample is an image of `side` × `side` pixels, row by row. `source(place, side, down, right)` says
which pixel comes to a place, −1 where none does; `down` and `right` are the step's own whole
numbers from −pixels to pixels. The engine draws them anew for every sample in every training step,
from counters (seed, step, position in the batch), and leaves samples as they are in evaluation
mode.
"""

from __future__ import annotations

from collections.abc import Callable

from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, register


@dataclass(frozen=True)
class Augmentation:
    """What is known of an augmentation of square images."""

    name: str
    summary: str
    formula: str
    source_place: Callable[[int, int, int, int], int]
    source: str
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""


def shifted_place(place: int, side: int, down: int, right: int) -> int:
    """The place, row by row, of the pixel that comes to `place` of an image that moves down and
    right; −1 where it comes from outside.

    >>> [shifted_place(place, 2, 1, 0) for place in range(4)]
    [-1, -1, 0, 1]
    """
    row, column = place // side - down, place % side - right
    return row * side + column if 0 <= row < side and 0 <= column < side else -1


register(
    "augmentation",
    Augmentation(
        name="shift",
        summary="each image moves by up to `pixels` in both directions, anew in every training "
        "step; what comes in from outside has the value `fill`",
        formula="y[i, j] = x[i − d, j − r], d, r ~ U{−pixels, …, pixels}; fill outside",
        source_place=shifted_place,
        source="Simard, Steinkraus & Platt 2003, Best practices for convolutional neural networks; "
        "as torchvision's RandomCrop(side, padding=pixels)",
        parameters=(
            Parameter("pixels", 1, "the farthest that an image moves, in pixels", low=1, high=1000),
            Parameter("fill", 0.0, "what comes in from outside, in the units of the data as given"),
        ),
        use="Small sets of centred images (digits, letters): a net without convolutions knows "
        "nothing of places beside each other.",
        traps="Images move before they are scaled, and the scaler is fitted to all their shifts; "
        "the background is taken for 0, name another with `fill`. "
        "One pixel of eight is far: on small images it may cost more than it gives.",
    ),
)
