"""Training a case: one run, kept in a folder so that the benchmark can be done piece by piece
and judged again without training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from dlprobe.config import RunConfig, from_options
from dlprobe.data import load, prepare
from dlprobe.runs import Run, RunWriter
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource
from dlprobe.training import trainer
from dlprobe.training.describe import describe

from .cases import Case


def run_of(case: Case, seed: int, folder: Path, keep: bool = True) -> Run:
    """The case's run with this seed: from the folder, or trained (and kept there)."""
    options = options_of(case, folder)
    digest = hashlib.sha256(json.dumps(dict(case.options), sort_keys=True).encode()).hexdigest()[:8]
    path = folder / f"{case.name}-{digest}-{seed}.journal"
    if not path.exists():
        content = trained(options, seed)
        if not keep:
            return Run(JournalContents(MemorySource(content)))
        path.write_bytes(content)
    return Run(JournalContents(MemorySource(path.read_bytes())))


def options_of(case: Case, folder: Path) -> dict[str, str]:
    """The case's options, with the data sets where `folder` has them."""
    return {key: text.replace("{made}", str(folder / "data")) for key, text in case.options.items()}


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
