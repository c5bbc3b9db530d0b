"""The depth at which a net's gradient breaks before any training: doubled until it does, then
halved in between, beside what theory says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dlprobe.analysis.profiles.depth_limits import breaking_depth
from dlprobe.analysis.profiles.depth_profiles import BROKEN
from dlprobe.config import with_values
from dlprobe.dataclass import dataclass
from dlprobe.experiments import gradients
from dlprobe.experiments.experiment import Experiment, Means
from dlprobe.experiments.grid_cells import GridCell
from dlprobe.experiments.study import StudyResult
from dlprobe.training import trainer
from dlprobe.training.stopping import Stop

DEEPEST = 1024
FIRST = 2
# only the state at initialization
LOOK = {"training.steps": 1, "training.lr": 0.0, "recording.evaluate_every": "never"}

Row = Callable[[int], GridCell]


@dataclass(frozen=True)
class Probe:
    """One depth that was looked at: its verdict over the seeds and the median of log10 RMS
    δ_1/RMS δ_n.
    """

    depth: int
    verdict: str
    log10_ratio: float


@dataclass(frozen=True)
class BreakingDepth:
    """A row of the grid. healthy_at: greatest depth found level (0: none); breaks_at: least found
    broken, None where `deepest` is level still.

    theory: least depth at which theory's profile leaves the band, None where it never does up to
        `deepest` or does not apply.
    """

    cell: GridCell
    probes: tuple[Probe, ...]
    healthy_at: int
    breaks_at: int | None
    verdict: str
    theory: int | None
    deepest: int
    complete: bool


@dataclass(frozen=True)
class DepthSearch(Experiment[BreakingDepth, list[BreakingDepth]]):
    """For each row of a grid the depth at which it breaks."""

    name = "gradients --find-depth"
    doing = "searching depths"
    unit = "rows"

    rows: Sequence[Row]
    seeds: Sequence[int]
    data: trainer.PreparedData
    deepest: int = DEEPEST

    def train(
        self, means: Means, finished: Mapping[str, BreakingDepth]
    ) -> StudyResult[BreakingDepth]:
        """Search the rows one after the other."""
        depths: dict[str, BreakingDepth] = {}
        for row in self.rows:
            if not means.stop.asked:
                depths[str(len(depths))] = find(
                    row,
                    self.seeds,
                    self.data,
                    threads=means.threads,
                    stop=means.stop,
                    deepest=self.deepest,
                )
                if means.progress is not None:
                    means.progress(len(depths), len(self.rows))
        return StudyResult(
            depths,
            len(depths) == len(self.rows) and all(depth.complete for depth in depths.values()),
        )

    def conclude(self, results: Mapping[str, BreakingDepth], complete: bool) -> list[BreakingDepth]:
        """The rows as far as they were searched."""
        return list(results.values())


def find(
    row: Row,
    seeds: Sequence[int],
    data: trainer.PreparedData,
    *,
    threads: int,
    stop: Stop,
    deepest: int = DEEPEST,
) -> BreakingDepth:
    """Search one row. Assumes what theory says too: what breaks at a depth breaks at every
    greater one.
    """
    probes: dict[int, Probe] = {}

    def breaks(depth: int) -> bool:
        cell = row(depth)
        looked = gradients.run(
            [GridCell(depth, cell.width, with_values(cell.config, LOOK), cell.others)],
            seeds,
            data,
            threads=threads,
            stop=stop,
        )
        result = looked.results[0]
        if result is None:  # stopped
            return True
        probes[depth] = Probe(depth, result.verdict, result.initial.log10_error_signal_ratio.median)
        return result.verdict in BROKEN

    search(breaks, deepest, stop)
    healthy_at, breaks_at = limits(probes)
    deep = row(deepest)
    return BreakingDepth(
        cell=row(breaks_at or healthy_at or FIRST),
        probes=tuple(probes[depth] for depth in sorted(probes)),
        healthy_at=healthy_at,
        breaks_at=breaks_at,
        verdict=probes[breaks_at].verdict if breaks_at else "level",
        theory=breaking_depth(gradients.initial_net(deep, data)),
        deepest=deepest,
        complete=not stop.asked,
    )


def search(breaks: Callable[[int], bool], deepest: int, stop: Stop) -> None:
    """Ask at doubling depths until one breaks, then half-way between until neighbours are known."""
    low, high = 1, min(FIRST, deepest)
    while not stop.asked and not breaks(high):
        if high == deepest:
            return
        low, high = high, min(2 * high, deepest)
    while not stop.asked and high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if breaks(middle) else (middle, high)


def limits(probes: Mapping[int, Probe]) -> tuple[int, int | None]:
    """(greatest level depth below the least broken one, or 0; least broken one, or None). A single
    hidden layer has nothing to compare and counts as level.
    """
    broken = min(
        (depth for depth, probe in probes.items() if probe.verdict in BROKEN), default=None
    )
    level = [
        depth
        for depth, probe in probes.items()
        if probe.verdict not in BROKEN and (broken is None or depth < broken)
    ]
    return max(level, default=1 if broken else 0), broken
