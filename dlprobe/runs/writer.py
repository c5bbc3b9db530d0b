"""Writing one run: a journal of frames while it trains, packed into HDF5 when it ends."""

from __future__ import annotations

import builtins
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlprobe import registry
from dlprobe.dataclass import dataclass
from dlprobe.record import layout
from dlprobe.record.description import RunDescription
from dlprobe.record.recorder import Recorder
from dlprobe.record.values import line_of, stored, stored_groups
from dlprobe.runs import journal
from dlprobe.runs.frames import FrameType, Record, Tail
from dlprobe.runs.run_resume import packed_path, reopened, resume_record
from dlprobe.runs.state_pace import StatePace

if TYPE_CHECKING:
    from dlprobe.runs.reader import Run

_HOLD = 0.25  # seconds that a row waits for its frame at most
_BIG = 2**20  # bytes that go at once
_SYNC = 1.0  # seconds


@dataclass(frozen=True)
class _Block:
    """Rows that wait for their frame."""

    first_step: int
    steps: NDArray[Any]
    statistics: NDArray[Any]
    scalars: NDArray[Any]
    seconds: float

    @property
    def size(self) -> int:
        return int(self.statistics.nbytes + self.scalars.nbytes + self.steps.nbytes)


class RunWriter(Recorder):
    """The writer of one run, dlprobe's own or another program's.

    Made by `create` or `resume`; then in the order of steps `step` (one recorded step by name) or
    `rows` (blocks of them), `evaluation` or `evaluation_block` (several), `instruments` and
    `checkpoint`, as far as there are any; then `finish`, or `end` and `pack` (of a run in memory
    `bytes`).

    Every method raises RunFileError where the disk is full or the file system fails; what was
    recorded before stays readable.
    Close it, or use it in a `with`: the lock is freed, the journal stays until it is packed.
    """

    def __init__(
        self,
        sink: journal.Sink,
        path: Path | None,
        description: RunDescription,
        tail: Tail,
        last_step: int = -1,
    ) -> None:
        """`sink` is locked; `tail`: where its next frame goes; `last_step`: the last recorded
        step in it.
        """
        self.path = path
        self._sink, self._description = sink, description
        self._layers = len(description.layers)
        self._last_step = last_step
        self._oldest = self._last_call = self._last_sync = time.monotonic()
        self._pace = StatePace()
        # (where the next frame goes, rows not yet written): one attribute, so that Ctrl-C between
        # two lines can neither lose nor repeat rows
        self._state: tuple[Tail, tuple[_Block, ...]] = (tail, ())

    @property
    def packed(self) -> bool:
        """Whether the journal has become the file."""
        return (
            self.path is not None
            and self.path.exists()
            and not journal.journal_path(self.path).exists()
        )

    @classmethod
    def create(
        cls, path: Path | None, description: RunDescription, force: bool = False
    ) -> RunWriter:
        """Begin a run that ends as the file `path`; None keeps it in memory.

        Raises RunFileError where `path` or its journal exists (without `force`) or a living process
        writes it (always); ValueError for values that the layout table does not have.
        """
        first = _config_record(description)
        if path is None:
            memory = journal.MemorySink()
            return cls(memory, None, description, memory.append(Tail.of_nothing(), first))
        sink = journal.create(path, force)
        try:
            writer = cls(sink, path, description, sink.append(Tail.of_nothing(), first))
            sink.replace(path)
        except BaseException:
            sink.path.unlink(missing_ok=True)
            sink.close()
            raise
        return writer

    @classmethod
    def resume(cls, run: Run, description: RunDescription, step: int) -> RunWriter:
        """Go on with a run of dlprobe that ended or was killed: what was recorded of `step` and
        later is void, and there is no end yet.

        run: as it was read, from its file or journal, and still open. description: of the run from
            now on, whose configuration it gets.
        Raises RunFileError where a living process writes it, where it has changed since it was
        read, and where the disk is full.
        """
        path = packed_path(run)
        sink, tail, last_step = reopened(run, step)
        try:
            tail = sink.append(
                tail, resume_record(step, description.config, description.environment)
            )
            sink.replace(path)
            sink.copied_from = None
        except BaseException:
            if sink.copied_from is not None:
                sink.path.unlink(missing_ok=True)
            sink.close()
            raise
        return cls(sink, path, description, tail, last_step)

    def rows(
        self,
        first_step: int,
        steps: NDArray[Any],
        statistics: NDArray[Any],
        scalars: NDArray[Any],
        seconds: float,
    ) -> None:
        """The recorded steps of one block, in order.

        first_step: first step of the block, recorded or not. steps: int64 (n,). statistics: (n,
            layer, statistic) and scalars: float64 (n, scalar), columns as the description names
            them. seconds: wall time of one step. The arrays are copied. Raises ValueError for other
            shapes.
        """
        self._check_rows(steps, statistics, scalars)
        if not len(steps):
            return
        block = _Block(
            first_step,
            steps.astype("<i8"),
            _cast(statistics, self._description.real),
            scalars.astype("<f8"),
            seconds,
        )
        now = time.monotonic()
        tail, waiting = self._state
        self._oldest = self._oldest if waiting else now
        self._state = (tail, (*waiting, block))
        self._last_step = int(steps[-1])
        gap, self._last_call = now - self._last_call, now
        big = sum(block.size for block in self._state[1]) >= _BIG
        # the next call would come too late
        if big or (self.path is not None and now + gap - self._oldest >= _HOLD):
            self.flush()

    def step(
        self,
        step: int,
        statistics: Mapping[str, ArrayLike],
        scalars: Mapping[str, float],
        seconds: float = math.nan,
    ) -> None:
        """One recorded step by name, described before its update; what is left out of it counts as
        not recorded.

        step: counted from 0. statistics: (layer,) each. seconds: wall time of the step. Raises
            ValueError for a name that the description does not have and for another number of
            layers.
        """
        row = self._named("statistic", self._description.statistics, statistics, (self._layers,))
        numbers = self._named("scalar", self._description.scalars, scalars, ())
        self.rows(step, np.array([step], np.int64), row.T[None], numbers[None], seconds)

    def finish(
        self,
        status: str = "finished",
        final: Mapping[str, Any] | None = None,
        predictions: Mapping[str, Any] | None = None,
    ) -> Path:
        """The run is over: `end`, then `pack`; the path of the file."""
        self.end(status, final, predictions)
        return self.pack()

    def flush(self) -> None:
        """Write the rows that wait, and about once a second make the disk keep them."""
        tail, waiting = self._state
        if waiting:
            self._state = (self._sink.append(tail, _rows_record(waiting)), ())
        if time.monotonic() - self._last_sync >= _SYNC:
            self._sync()

    def evaluation_block(
        self,
        steps: NDArray[np.int64],
        values: Mapping[str, ArrayLike],
        layer_values: Mapping[str, ArrayLike],
    ) -> None:
        """Evaluations after `steps` (evaluation,) updates: losses and errors by name,
        (evaluation,), and by name what there is of each layer, class or target, (evaluation, …).
        """
        arrays = {"evaluations/step": np.asarray(steps, "<i8")}
        for name, value in {**values, **layer_values}.items():
            line = line_of("evaluations", name)
            arrays[line.path] = stored(line, np.asarray(value), self._description.real)
        self._frame(FrameType.EVALUATIONS, int(steps[0]), {}, arrays)

    def evaluation(
        self,
        step: int,
        values: Mapping[str, float],
        layer_values: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """One evaluation after `step` updates: losses and errors by name, and arrays (layer,)
        by name.
        """
        self.evaluation_block(
            np.array([step]),
            {name: np.array([float(value)]) for name, value in values.items()},
            {name: np.asarray(value)[None] for name, value in (layer_values or {}).items()},
        )

    def instruments(self, step: int, values: Mapping[str, NDArray[Any]]) -> None:
        """What instruments measured at `step` before its update, by path of the layout table, e.g.
        `histograms/weight/counts` (layer, bin).

        Every call gives the same paths in the same shapes, but for tracked units, which have steps
        of their own.
        """
        lines = {path: layout.data_sets()[path] for path in values}
        arrays = {
            path: stored(line, np.asarray(values[path])[None], self._description.real)[0]
            for path, line in lines.items()
        }
        self._frame(FrameType.HISTOGRAM, step, {}, arrays)

    def checkpoint(
        self, step: int, parameters: NDArray[Any], state: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        """All parameters after `step` updates, flat; the last checkpoint before `end` holds the
        final ones. `state` is what a resume needs.

        state: arrays by the names of `checkpoints` in the layout table; its `training_parameters`
            are left out where they are these.
        """
        initial = self._description.initial_parameters
        if initial is not None and parameters.shape != initial.shape:
            raise ValueError(
                f"parameters have shape {parameters.shape}, the initial ones {initial.shape}"
            )
        arrays = {"checkpoints/parameters": _cast(parameters, self._description.real, copy=False)}
        self._frame(
            FrameType.CHECKPOINT,
            step,
            {},
            arrays | stored_groups({"checkpoints": state or {}}, self._description.real),
        )
        self._sync()

    @property
    def takes_states(self) -> bool:
        """Not of a run in memory, which nothing goes on with."""
        return self.path is not None

    def wants_state(self, size: int) -> bool:
        """Whether it is time for a state of `size` bytes."""
        return self.takes_states and self._pace.is_due(size, self._state[0].offset)

    def state(self, step: int, state: Mapping[str, NDArray[Any]]) -> None:
        """What a resume needs, after `step` updates.

        state: arrays by the names of `checkpoints` in the layout table, `training_parameters` and
            `counters` among them.
        """
        self._frame(
            FrameType.STATE, step, {}, stored_groups({"checkpoints": state}, self._description.real)
        )
        self._sync()
        self._pace.wrote(sum(array.nbytes for array in state.values()))

    def end(
        self,
        status: str,
        final: Mapping[str, Any] | None = None,
        predictions: Mapping[str, Any] | None = None,
    ) -> None:
        """The run is over: finished, interrupted, failed or diverged. `final` and `predictions`
        by the names of the layout table.
        """
        if status not in layout.STATUSES:
            raise ValueError(registry.unknown("status", status, layout.STATUSES))
        arrays = stored_groups(
            {"final": final or {}, "predictions": predictions or {}}, self._description.real
        )
        self._frame(FrameType.END, self._last_step + 1, {"status": status}, arrays)
        self._sync()

    def pack(self) -> Path:
        """Turn the journal into the HDF5 file and delete it; the path of the file. Raises
        RunFileError where the disk is full: the journal stays.
        """
        from dlprobe.runs.pack import pack_locked

        if not isinstance(self._sink, journal.FileSink) or self.path is None:
            raise ValueError("a run in memory has no file; take its bytes()")
        self.flush()
        try:
            pack_locked(self._sink, self.path)
        finally:
            self.close()
        return self.path

    def bytes(self) -> builtins.bytes:
        """The whole journal of a run in memory, for `StudyWriter.run`."""
        if not isinstance(self._sink, journal.MemorySink):
            raise ValueError("only a run in memory hands out its bytes; open the file instead")
        self.flush()
        return self._sink.bytes()

    def close(self) -> None:
        """Write what waits and free the lock; calling it twice does no harm."""
        try:
            if self._state[1]:
                self.flush()
        finally:
            self._state = (self._state[0], ())
            self._sink.close()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _frame(
        self,
        type: FrameType,
        step: int,
        meta: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],
    ) -> None:
        """Write the rows that wait, then this frame."""
        self.flush()
        tail, waiting = self._state
        self._state = (self._sink.append(tail, Record(type, step, meta, arrays)), waiting)

    def _named(
        self,
        kind: str,
        names: Sequence[str],
        values: Mapping[str, ArrayLike],
        shape: tuple[int, ...],
    ) -> NDArray[np.float64]:
        """Values by name in the order of the columns, (column, *shape); NaN where there is none."""
        found = np.full((len(names), *shape), np.nan)
        for name, value in values.items():
            if name not in names:
                raise ValueError(registry.unknown(kind, name, names))
            array = np.asarray(value, np.float64)
            if array.shape != shape:
                raise ValueError(
                    f"{name} has shape {array.shape}, expected {shape}: one number for each layer"
                    if shape
                    else f"{name} is not a number"
                )
            found[list(names).index(name)] = array
        return found

    def _sync(self) -> None:
        self._sink.sync()
        self._last_sync = time.monotonic()

    def _check_rows(
        self, steps: NDArray[Any], statistics: NDArray[Any], scalars: NDArray[Any]
    ) -> None:
        n = len(steps)
        expected = (
            (n,),
            (n, self._layers, len(self._description.statistics)),
            (n, len(self._description.scalars)),
        )
        if (steps.shape, statistics.shape, scalars.shape) != expected:
            raise ValueError(
                f"rows of shapes {expected} expected, got "
                f"{(steps.shape, statistics.shape, scalars.shape)}"
            )
        if n and (steps[0] <= self._last_step or (np.diff(steps) <= 0).any()):
            raise ValueError(f"steps must rise: {steps[0]} … {steps[-1]} after {self._last_step}")


def _config_record(description: RunDescription) -> Record:
    meta = {
        "schema": layout.SCHEMA,
        "schema_version": list(layout.SCHEMA_VERSION),
        "origin": description.origin,
        "config": dict(description.config),
        "environment": dict(description.environment),
        "real": description.real.str,
        "statistics": list(description.statistics),
        "scalars": list(description.scalars),
        "writer": journal.writer_facts(),
    }
    return Record(FrameType.CONFIG, 0, meta, description.arrays)


def _cast(array: NDArray[Any], dtype: np.dtype[Any], *, copy: bool = True) -> NDArray[Any]:
    """In another dtype; what is too large for float32 becomes infinite, which is what a
    diverging run looks like. copy: also where it has that dtype.
    """
    with np.errstate(over="ignore"):
        return array.astype(dtype, copy=copy)


def _rows_record(blocks: tuple[_Block, ...]) -> Record:
    arrays = {
        "step": np.concatenate([block.steps for block in blocks]),
        "statistics": np.concatenate([block.statistics for block in blocks]),
        "scalars": np.concatenate([block.scalars for block in blocks]),
        "timing/step": np.array([block.first_step for block in blocks], "<i8"),
        "timing/step_seconds": np.array([block.seconds for block in blocks], "<f8"),
    }
    return Record(FrameType.ROWS, int(blocks[0].steps[0]), {}, arrays)
