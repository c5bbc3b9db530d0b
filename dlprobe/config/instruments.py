"""The options of instruments: what is measured on the way beside the statistics. A study
records many runs and nobody asks that of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlprobe.config.reading import with_values

if TYPE_CHECKING:
    from dlprobe.config.records import RunConfig

# Key of [recording] -> the value with which nothing is measured.
INSTRUMENTS = {
    "histogram_every": "never",
    "track_unit": "none",
    "track_every": "auto",
    "jacobian": "none",
    "sharpness": "none",
    "mc_dropout": "none",
}


def without_instruments(config: RunConfig) -> RunConfig:
    """The configuration with all instruments switched off."""
    return with_values(config, {f"recording.{key}": off for key, off in INSTRUMENTS.items()})
