"""Activations: one record each, one file per family. `records` says what a record holds; whoever
needs the kinds of records imports them from here.

A new activation is a new record in the file of its family, or in a new file of this folder: nothing
else has to know of it.
"""

from dlprobe.parts.activations.records import (
    Activation,
    GatedActivation,
    LearnedActivation,
    RandomActivation,
    RowActivation,
)

__all__ = [
    "Activation",
    "GatedActivation",
    "LearnedActivation",
    "RandomActivation",
    "RowActivation",
]
