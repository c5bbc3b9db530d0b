"""The configuration that comes nearest to a run that another program trained, on the data that
its recorder kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.commands.base.screen import Screen
from dlprobe.errors import ConfigError
from dlprobe.record.description import OWN

if TYPE_CHECKING:
    from dlprobe.config import RunConfig


def nearest(path: Path, options: Mapping[str, str | None], screen: Screen) -> RunConfig:
    """The configuration, options on top; what it cannot be like, or what the file does not say, is
    noted.

    Raises ConfigError for a run of dlprobe's own, and where neither the file keeps data nor an
    option names some.
    """
    from dlprobe.analysis.likeness import likeness
    from dlprobe.config import from_options, with_values
    from dlprobe.runs import open_single

    with open_single(path) as run:
        if run.origin == OWN:
            raise ConfigError(
                f"{path} was trained by dlprobe: dlprobe train {path} repeats it, without --like"
            )
        near, kept = likeness(run), [part for part in ("train", "val") if f"x_{part}" in run.data]
    if "model.layers" in near.unknown and options.get("layers") is None:
        raise ConfigError(f"{path} does not say the sizes of its layers: give --layers")
    if not kept and options.get("data") is None:
        raise ConfigError(
            f"{path} has shapes and counts of its data, not the data: record it with "
            "rec.data(…, keep=True), or give --data FILE"
        )
    config = near.config
    if kept and options.get("data") is None:
        # no part is taken from what was trained on
        split = {"data.split": "80,20,0" if "val" in kept else "100,0,0"}
        config = with_values(config, {"data.data": str(path), **split})
    else:  # as the file has them, not as the net saw them
        config = with_values(config, {"data.scaling": "standardize", "data.target_scaling": "auto"})
    for note in near.notes:
        screen.note(note)
    assumed = sorted(
        key.rpartition(".")[2]
        for key in near.unknown
        if options.get(key.rpartition(".")[2]) is None
    )
    if assumed:
        screen.note(f"not in {path}, so as dlprobe has it by default: {', '.join(assumed)}")
    return from_options(config, options)
