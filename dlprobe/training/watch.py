"""When the instruments of a run are read: at their cadences, each of which makes its step a
block of its own.
"""

from __future__ import annotations

import sys

from dlprobe import registry
from dlprobe.config import RunConfig
from dlprobe.data import PreparedData
from dlprobe.errors import ConfigError
from dlprobe.record.recorder import Recorder
from dlprobe.registry import counted
from dlprobe.training.model import Model
from dlprobe.training.sharpness import Sharpness

HISTOGRAMS = 20  # per run
LOOKS_AT_UNITS = 200  # per run


class Watch:
    """The cadences of one run. Raises ConfigError for a tracked unit that the net does not have."""

    def __init__(self, config: RunConfig, model: Model, data: PreparedData):
        recording, training = config.recording, config.training
        steps = training.steps or (training.epochs or 1) * -(
            -len(data.inputs["train"]) // model.batch
        )
        wanted = recording.histogram_every
        self.histogram_every = None if wanted == "never" else wanted or max(1, steps // HISTOGRAMS)
        self.units = [_place(text, model) for text in recording.track_unit or ()]
        self.track_every = (
            (recording.track_every or max(1, steps // LOOKS_AT_UNITS)) if self.units else None
        )
        self.jacobian, self.sharpness = recording.jacobian or 0, recording.sharpness or 0
        self.recorder: Recorder | None = None
        self.hessian: Sharpness | None = None  # made when it is first asked for

    def begin(self, recorder: Recorder) -> None:
        """The run starts; a recorder that takes no instruments switches them off."""
        self.recorder = recorder if recorder.takes_instruments else None

    def due(self, step: int) -> bool:
        """Whether histograms or tracked units are read at this step."""
        return self.recorder is not None and any(step % every == 0 for every in self._cadences())

    def next_mark(self, step: int) -> int:
        """First step that a block starting at `step` must not contain: `step` + 1 where something
        is read at `step`, else the next step at which something is; sys.maxsize for never.
        """
        if self.recorder is None:
            return sys.maxsize
        return (
            step + 1
            if self.due(step)
            else min(
                ((step // every + 1) * every for every in self._cadences()), default=sys.maxsize
            )
        )

    def histograms_due(self, step: int) -> bool:
        """Whether histograms and the other instruments are measured at this step."""
        return (
            self.recorder is not None
            and self.histogram_every is not None
            and step % self.histogram_every == 0
        )

    def units_due(self, step: int) -> bool:
        """Whether the tracked units are read at this step."""
        return self.track_every is not None and step % self.track_every == 0

    def described(self) -> dict[str, list[int]]:
        """{"layer": layer index of each tracked unit, "unit": its index in it}; {} without."""
        return (
            {"layer": [layer for layer, _ in self.units], "unit": [unit for _, unit in self.units]}
            if self.units
            else {}
        )

    def _cadences(self) -> list[int]:
        return [every for every in (self.histogram_every, self.track_every) if every is not None]


def _place(text: str, model: Model) -> tuple[int, int]:
    """(layer, unit) of `hidden_1:3`."""
    name, _, number = text.partition(":")
    if name not in model.names:
        raise ConfigError(f"track_unit = {text}: {registry.unknown('layer', name, model.names)}")
    layer = model.names.index(name)
    units = model.layers[layer].fan_out
    if int(number) >= units:
        raise ConfigError(
            f"track_unit = {text}: {name} has {counted(units, 'unit')}: expected {name}:0 to "
            f"{name}:{units - 1}"
        )
    return layer, int(number)
