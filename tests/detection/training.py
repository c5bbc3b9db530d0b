"""Training a case: one run, kept in a folder so that the benchmark can be done piece by piece and judged again without training."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlprobe.config import RunConfig, from_options
from dlprobe.data import load, prepare
from dlprobe.runs import Run, RunWriter
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource
from dlprobe.training import trainer
from dlprobe.training.describe import describe

from .cases import ILL, LEARNED, Case


def run_of(case: Case, seed: int, folder: Path, keep: bool = True) -> Run:
    """The case's run with this seed: from the folder, or trained (and kept there)."""
    options = {key: text.replace("{made}", str(folder / "data")) for key, text in case.options.items()}
    digest = hashlib.sha256(json.dumps(dict(case.options), sort_keys=True).encode()).hexdigest()[:8]
    path = folder / f"{case.name}-{digest}-{seed}.journal"
    if not path.exists():
        content = trained(options, seed)
        if not keep:
            return Run(JournalContents(MemorySource(content)))
        path.write_bytes(content)
    return Run(JournalContents(MemorySource(path.read_bytes())))


def trained(options: Mapping[str, str], seed: int) -> bytes:
    """The journal of a run of these options."""
    return trained_config(from_options(None, {**options, "seed": str(seed)}))


def trained_config(config: RunConfig) -> bytes:
    """The journal of a run of this configuration."""
    seed = config.training.seed
    data = prepare(load(config.data, seed), config.data, seed, config.training.dtype)
    session = trainer.start(config, data)
    writer = RunWriter.create(None, describe(session))
    trainer.run(session, writer)
    return writer.bytes()


def skill(run: Run) -> float:
    """1 − error/chance on the validation part (the training part where there is none), R² for regression; −∞ where that is not a number."""
    part = "val" if len(run.data.get("val_indices", ())) else "train"
    if run.data["task"] == "regression":
        found = float(run.final.get(f"{part}_r2", math.nan))
    else:
        counts = run.data[f"{part}_class_counts"]
        chance = 1.0 - counts.max() / counts.sum()
        found = 1.0 - float(run.final[f"{part}_error"]) / chance
    return found if math.isfinite(found) and run.status != "diverged" else -math.inf


def label(case: Case, found: float, best: float) -> str:
    """`learned`, `ill` or `unclear`: see `cases`."""
    if case.label:
        return {"healthy": "learned"}.get(case.label, case.label)
    return "learned" if found >= LEARNED * best else "ill" if found < ILL * best else "unclear"


def best_skills(cases: list[Case], skills: Mapping[str, list[float]]) -> dict[str, float]:
    """The best known skill of each family: the largest median over seeds."""
    best: dict[str, float] = {}
    for case in cases:
        values = sorted(skills.get(case.name, []))
        if values:
            best[case.family] = max(best.get(case.family, -math.inf), values[(len(values) - 1) // 2])
    return best


def to_json(value: float) -> Any:
    """A skill as JSON: −∞ is null."""
    return round(value, 4) if math.isfinite(value) else None
