"""The vanishing/exploding-gradient experiment: depth × width × activation × initializer × normalization, several seeds each.

Every run trains the same data split; weights and batches follow the run's seed. Step 0 shows the profile at initialization, the last step the one
after training.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from dlprobe.analysis import gradient_cells, theory
from dlprobe.analysis.gradient_cells import CellResult, SeedResult
from dlprobe.config import RunConfig, to_mapping, with_values
from dlprobe.errors import RunFileError
from dlprobe.executors import threads as executor
from dlprobe.registry import Spec
from dlprobe.runs import RunWriter, StudyWriter
from dlprobe.training import describe, trainer
from dlprobe.training.recording import Both, Recorder, Snapshots
from dlprobe.training.stopping import Stop

# One decade of depths, the three activations and the three initializations of the lectures, and what mends the deepest nets.
DEFAULT_DEPTHS = (5, 10, 20, 50)
DEFAULT_ACTIVATIONS = ("sigmoid", "tanh", "relu")
DEFAULT_INITS = ("normal(std=1)", "glorot_normal", "he_normal")
DEFAULT_SEEDS = 3
DEFAULT_WIDTH = 100
DEFAULT_EPOCHS = 10


@dataclass(frozen=True)
class Axes:
    """The values of each axis as a user types them; None takes the default ones."""

    depths: Sequence[int] | None = None
    widths: Sequence[int] | None = None
    activations: Sequence[str] | None = None
    inits: Sequence[str] | None = None
    norms: Sequence[str] | None = None


@dataclass(frozen=True)
class Cell:
    """One configuration of the grid, the same for all its seeds."""

    depth: int
    width: int
    config: RunConfig

    @property
    def activation(self) -> Spec:
        return self.config.model.activations[0] if self.depth else Spec("activation", "linear", {})

    @property
    def init(self) -> Spec:
        return self.config.model.resolved_init

    @property
    def norm(self) -> Spec | None:
        return self.config.model.norm

    @property
    def label(self) -> str:
        """The cell's row in a table: everything but the depth and width."""
        return " · ".join([str(self.activation), str(self.init), *([f"{self.norm} norm"] if self.norm else [])])


@dataclass(frozen=True)
class Experiment:
    """What came of it, in the grid's order; `complete` is False after a stop."""

    cells: tuple[Cell, ...]
    results: tuple[CellResult | None, ...]
    complete: bool


def grid(base: RunConfig, axes: Axes) -> list[Cell]:
    """Every combination. Without any axis given: the three activations × three initializers, and ReLU + He with batch normalization."""
    depths, widths = axes.depths or DEFAULT_DEPTHS, axes.widths or (DEFAULT_WIDTH,)
    rows = list(itertools.product(axes.activations or DEFAULT_ACTIVATIONS, axes.inits or DEFAULT_INITS, axes.norms or ("none",)))
    if axes.activations is None and axes.inits is None and axes.norms is None:
        rows.append(("relu", "he_normal", "batch"))
    cells = []
    for (activation, init, norm), width, depth in itertools.product(rows, widths, depths):
        values = {"model.layers": f"{width}x{depth}", "model.activation": activation, "model.init": init, "model.norm": norm}
        cells.append(Cell(depth, width, with_values(base, values)))
    return cells


def run(
    cells: Sequence[Cell],
    seeds: Sequence[int],
    data: trainer.PreparedData,
    *,
    threads: int,
    stop: Stop,
    study: StudyWriter | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Experiment:
    """Train every cell with every seed, deepest first so that threads end together, and judge each cell.

    progress(done, all) is called as runs end. With `study`, every run is kept in it, statistics and all.
    """
    plan = sorted(itertools.product(range(len(cells)), seeds), key=lambda each: (-cells[each[0]].depth * cells[each[0]].width, each))
    jobs = [partial(run_one, cells[index], seed, data, stop, study) for index, seed in plan]
    found: dict[int, dict[int, SeedResult]] = defaultdict(dict)
    for done, (job, result) in enumerate(executor.run_all(jobs, threads, stop), start=1):
        index, seed = plan[job]
        if result is not None:
            found[index][seed] = result
        if progress is not None:
            progress(done, len(jobs))
    results = tuple(judge(cells[index], [found[index][s] for s in seeds if s in found[index]], data) for index in range(len(cells)))
    return Experiment(tuple(cells), results, complete=not stop.asked)


def run_one(cell: Cell, seed: int, data: trainer.PreparedData, stop: Stop, study: StudyWriter | None) -> SeedResult | None:
    """One run of a cell; None if it was stopped."""
    config = with_values(cell.config, {"training.seed": seed, "data.data_seed": cell.config.resolved_data_seed})
    session = trainer.start(config, data)
    snapshots = Snapshots()
    writer = RunWriter.create(None, describe.describe(session)) if study is not None else None
    recorder: Recorder = snapshots if writer is None else Both(snapshots, writer)
    status = trainer.run(session, recorder, stop=stop)
    if status == "interrupted":
        return None
    if study is not None and writer is not None:
        study.run(run_id(cell, seed), writer.bytes(), coordinates(cell, seed))
    return seed_result(seed, snapshots, session)


def run_id(cell: Cell, seed: int) -> str:
    """A name for the run in a study file, from its place in the grid."""
    text = f"{cell.activation}-{cell.init}-{cell.norm or 'none'}-{cell.width}x{cell.depth}-seed{seed}"
    plain = re.sub(r"[^A-Za-z0-9_.=+,-]+", "_", text)[:128]
    if not plain[:1].isalnum():
        raise RunFileError(f"no run id can be made of {text!r}")
    return plain


def coordinates(cell: Cell, seed: int) -> dict[str, str | int]:
    """The run's value on each axis."""
    return {
        "depth": cell.depth,
        "width": cell.width,
        "activation": str(cell.activation),
        "init": str(cell.init),
        "norm": str(cell.norm or "none"),
        "seed": seed,
    }


def seed_result(seed: int, kept: Snapshots, session: trainer.Session) -> SeedResult:
    """What the analysis needs of one run."""
    final = kept.final
    classification = session.data.task == "classification"
    return SeedResult(
        seed=seed,
        first=kept.first,
        last=kept.last,
        diverged=where_diverged(kept, session) if kept.status == "diverged" else "",
        diverged_at_start=kept.status == "diverged" and kept.last_step == 0,
        train_loss=float(final.get("train_loss", np.nan)),
        train_accuracy=1.0 - float(final.get("train_error", np.nan)) if classification else np.nan,
        val_accuracy=1.0 - float(final.get("val_error", np.nan)) if classification else np.nan,
    )


def where_diverged(kept: Snapshots, session: trainer.Session) -> str:
    """Step and layer of the first non-finite number: forward it starts nearest the input, backward nearest the output."""
    if kept.last is None:
        return "the first step"
    names = session.model.names
    forward = np.flatnonzero(kept.last[:, gradient_cells.registry_index("nonfinite_forward")] > 0)
    backward = np.flatnonzero(kept.last[:, gradient_cells.registry_index("nonfinite_backward")] > 0)
    if len(forward):
        return f"step {kept.last_step}, forward in {names[forward[0]]}"
    return f"step {kept.last_step}, backward in {names[backward[-1]]}" if len(backward) else f"step {kept.last_step}, in the loss"


def judge(cell: Cell, results: Sequence[SeedResult], data: trainer.PreparedData) -> CellResult | None:
    """The cell's result from the seeds that ended; None without any."""
    return gradient_cells.summarize(results, initial_net(cell, data)) if results else None


def initial_net(cell: Cell, data: trainer.PreparedData) -> theory.InitialNet:
    """What mean-field theory sees of a cell on this data."""
    return theory.configured(cell.config, len(data.feature_names), data.input_mean_square)


def study_description(cells: Sequence[Cell], seeds: Sequence[int]) -> dict[str, object]:
    """What a study file says of the experiment: its axes with their values in order, and the first cell's configuration."""
    axes: dict[str, list[object]] = {name: [] for name in ("depth", "width", "activation", "init", "norm")}
    for cell in cells:
        for name, value in coordinates(cell, 0).items():
            if name in axes and value not in axes[name]:
                axes[name].append(value)
    return {"experiment": "gradients", "axes": {**axes, "seed": list(seeds)}, "config": to_mapping(cells[0].config)}


def results_table(experiment: Experiment) -> dict[str, list[object]]:
    """The verdicts as columns, one row per judged cell, as a study file keeps them."""
    rows = [(cell, result) for cell, result in zip(experiment.cells, experiment.results, strict=True) if result is not None]
    columns: dict[str, list[object]] = {name: [coordinates(cell, 0)[name] for cell, _ in rows] for name in ("depth", "width", "activation", "init", "norm")}
    columns["verdict"] = [result.verdict for _, result in rows]
    columns["initial_log10_error_signal_ratio"] = [result.initial.log10_error_signal_ratio.median for _, result in rows]
    columns["theory_log10_error_signal_ratio"] = [result.prediction.log10_error_signal_ratio.value for _, result in rows]
    columns["final_log10_error_signal_ratio"] = [result.final.log10_error_signal_ratio.median for _, result in rows]
    columns["train_loss"] = [result.train_loss.median for _, result in rows]
    columns["train_accuracy"] = [result.train_accuracy.median for _, result in rows]
    columns["val_accuracy"] = [result.val_accuracy.median for _, result in rows]
    return columns
