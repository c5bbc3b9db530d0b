"""Remedies that change which columns of a file the net gets."""

from __future__ import annotations

import re

from dlprobe.config import RunConfig
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Remedy


def rarest_column(evidence: Evidence) -> str:
    """The one-hot encoded column with the fewest samples for each of its values."""
    counts = evidence.category_counts
    return min(counts, key=lambda column: (float(counts[column].mean()), column), default="")


def ordinal_dates(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """Dates as numbers, where that column holds some, as the notes on the data say."""
    column = rarest_column(evidence)
    named = re.compile(rf"{re.escape(repr(column))} \(\d+ values, dates: ")
    if not column or not any(named.search(note) for note in evidence.run.data.get("notes", ())):
        return None
    told = (
        f"{column!r} as days since 1970 in place of {len(evidence.category_counts[column])} inputs"
    )
    return Remedy({"data.dates": "ordinal"}, told)


def drop_categories(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """The data without that column; None for a name that is a list or a pattern on the command
    line.
    """
    column = rarest_column(evidence)
    if not column or re.search(r"[,*?\[\]\"']", column):
        return None
    left_out = ",".join([*(config.data.drop or ()), column])
    counts = evidence.category_counts[column]
    told = f"without {column!r}, of whose {len(counts)} values each has {counts.mean():.2g} samples"
    return Remedy({"data.drop": left_out}, told)
