"""TensorBoard: one event file, written by TensorBoard's own writer; a tag NAME/LAYER for each
series, those of a study's runs RUN/NAME/LAYER.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlprobe.errors import ConfigError, MissingExtraError
from dlprobe.exporters import kinds
from dlprobe.exporters.formats import register
from dlprobe.exporters.parts import Part

MOST = 1_000_000  # numbers; an event takes about 100 µs and 80 bytes


def write(path: Path, parts: Sequence[Part]) -> None:
    """Write the file. Raises MissingExtraError without TensorBoard, ConfigError for what has no
    steps or too many of them.
    """
    writer = _writer()
    numbers = sum(part.size * len(part.dtypes) for part in parts)
    if any(part.dims[0] != "step" for part in parts):
        raise ConfigError(
            "TensorBoard shows series over steps: choose statistics, scalars or evaluations"
        )
    if numbers > MOST:
        raise ConfigError(
            f"{numbers:,} numbers are more than the {MOST:,} that an event file should hold: "
            "choose with --statistic, --layers or --steps ::N"
        )
    with tempfile.TemporaryDirectory(prefix=".dlprobe-", dir=path.parent) as folder:
        events = writer(folder)
        for part in parts:
            _add(events, part)
        events.close()
        (file,) = Path(folder).iterdir()
        file.rename(path)


def _add(events: Any, part: Part) -> None:
    layers = [f"/{name}" for name in part.labels["layer"]] if "layer" in part.dims else [""]
    seconds = part.seconds if np.isfinite(part.seconds) else 1.0
    for name in part.dtypes:
        for start, stop in part.bounds:
            values = part.read(name, start, stop).reshape(stop - start, -1)
            for step, row in zip(
                part.labels["step"][start:stop].tolist(), values.tolist(), strict=True
            ):
                for layer, value in zip(layers, row, strict=True):
                    if value == value:  # what was not recorded is no event
                        events.add_scalar(
                            "/".join(filter(None, [part.id, f"{name}{layer}"])),
                            value,
                            step,
                            wall_time=step * seconds,
                        )


def _writer() -> Any:
    try:
        from tensorboard.summary import Writer
    except ImportError as error:
        raise MissingExtraError(
            "tensorboard is not installed, which writes event files: pip install "
            "'dlprobe[tensorboard]'"
        ) from error
    return Writer


register("tensorboard", "an event file for TensorBoard", ".tfevents", kinds.EVENTS, write)
