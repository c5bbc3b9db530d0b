"""What instruments left in a journal: one frame per measurement, read again whenever it is
asked for, so that many of them take no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlprobe.errors import RunFileError
from dlprobe.record import layout
from dlprobe.runs.contents import Shapes
from dlprobe.runs.frames import Frame, Payload
from dlprobe.runs.sources import Source

_STEPS = {"histogram": "histograms/step", "tracked": "tracked/step"}
_SLAB = 2**20  # bytes that are gathered before they are handed on


class Measurements:
    """Data sets of a journal that have one entry per measurement, `histogram` or `tracked`.

    The frames are given one after the other to `take`. Raises RunFileError where frames do not fit
    each other.
    """

    def __init__(self, source: Source, dim: str, payload: Callable[[Frame], Payload]) -> None:
        """dim: `histogram` or `tracked`, the first dimension of the data sets. payload: reads a
        frame of the source.
        """
        self._source, self._step_path, self._read = source, _STEPS[dim], payload
        self._paths = _paths_along(dim)
        self._frames: dict[int, Frame] = {}

    def take(self, frame: Frame) -> None:
        """The next frame of this type in the journal; one without our data sets is passed over."""
        if any(path in self._paths for path in self._read(frame).places):
            self._frames[frame.first_step] = frame
            self.__dict__.pop("_shapes", None)  # of a journal that grows

    def cut(self, step: int) -> None:
        """Measurements from `step` on are void: the run went on from an earlier checkpoint."""
        self._frames = {key: frame for key, frame in self._frames.items() if key < step}

    def shapes(self) -> Shapes:
        """Dtype and shape of every data set that the frames hold; all that counts must be there
        when this is first asked.
        """
        return self._shapes

    def read(self, path: str) -> NDArray[Any]:
        """One data set over all measurements, (measurement, …), with the dtype of its frames.

        path: as in the layout table, e.g. `histograms/weight/counts`; `histograms/step` and
            `tracked/step` are int64 (measurement,), the updates made before each. Raises KeyError
            for a path that the frames do not hold.
        """
        dtype, shape = self._shapes[path]
        whole = np.empty(shape, dtype)
        if path == self._step_path:
            whole[:] = list(self._frames)
            return whole
        for index, frame in enumerate(self._frames.values()):
            whole[index] = self._payload(frame).array(path)
        return whole

    def slabs(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """All data sets in pieces of about a MiB."""
        if not self._frames:
            return
        yield self._step_path, self.read(self._step_path)
        payloads: list[Payload] = []
        for frame in self._frames.values():
            payloads.append(self._payload(frame))
            if len(payloads) * frame.length >= _SLAB:
                yield from self._stacked(payloads)
                payloads = []
        yield from self._stacked(payloads)

    def _stacked(self, payloads: list[Payload]) -> Iterator[tuple[str, NDArray[Any]]]:
        for path in self._shapes if payloads else ():
            if path != self._step_path:
                yield path, np.stack([payload.array(path) for payload in payloads])

    @cached_property
    def _shapes(self) -> Shapes:
        count = len(self._frames)
        if not count:
            return {}
        places = self._read(next(iter(self._frames.values()))).places
        shapes: Shapes = {self._step_path: (np.dtype("<i8"), (count,))}
        return shapes | {
            path: (places[path].dtype, (count, *places[path].shape))
            for path in self._paths
            if path in places
        }

    def _payload(self, frame: Frame) -> Payload:
        """A frame's payload, after a look whether it holds what the first one holds."""
        payload = self._read(frame)
        for path, (dtype, shape) in self._shapes.items():
            if path != self._step_path and (
                path not in payload.places
                or (payload.places[path].dtype, payload.places[path].shape) != (dtype, shape[1:])
            ):
                raise RunFileError(
                    f"{self._source.name} is damaged or was not written by dlprobe: the "
                    f"measurements of {path} differ in shape"
                )
        return payload


@cache
def _paths_along(dim: str) -> tuple[str, ...]:
    return tuple(
        path
        for path, line in layout.data_sets().items()
        if line.dims[:1] == (dim,) and path != _STEPS[dim]
    )
