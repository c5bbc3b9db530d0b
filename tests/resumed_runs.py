"""Runs that are stopped at drawn moments and gone on with: used by tests, and at length by
`python -m tests.campaigns killed_resume`.
"""

from __future__ import annotations

import random
from pathlib import Path

from command_line import dlprobe

from dlprobe import open_run, registry
from dlprobe.config import from_options
from dlprobe.data import load, prepare
from dlprobe.runs import Run, RunWriter
from dlprobe.runs.frames import scan
from dlprobe.runs.journal import journal_path
from dlprobe.runs.sources import MemorySource
from dlprobe.training import trainer
from dlprobe.training.describe import describe

SCHEDULES = (
    "constant",
    "cosine",
    "one_cycle",
    "exponential",
    "step(every=2)",
    "polynomial",
    "performance(patience=0)",
    "cosine(period=7, multiply=2)",
)
STOPPING = (
    "none",
    "none",
    "early_stopping(patience=2)",
    "early_stopping(patience=1, restore_best=no)",
    "early_stopping(patience=50)",
)


def draw(chance: random.Random, **fixed: str) -> dict[str, str]:
    """Options of a small net whose every part that training remembers something in is drawn."""
    options = {
        "data": "wine",
        "layers": chance.choice(("8,8", "16", "8x3")),
        "activation": chance.choice(("relu", "tanh", "prelu", "rrelu", "silu")),
        "optimizer": chance.choice(list(registry.records("optimizer"))),
        "norm": chance.choice(["none", *registry.records("normalization")]),
        "norm_inference": chance.choice(("running", "train_set")),
        "input_norm": chance.choice(("none", "none", "batch")),
        "residual": chance.choice(("none", "identity", "rezero")),
        "dropout": chance.choice(("0", "0.3")),
        "input_dropout": chance.choice(("0", "0.1")),
        "noise": chance.choice(("0", "0.05")),
        "drop_connect": chance.choice(("0", "0", "0.1")),
        "schedule": chance.choice(SCHEDULES),
        "warmup": chance.choice(("0", "15")),
        "early_stopping": chance.choice(STOPPING),
        "lr": chance.choice(("auto", "0.003")),
        "clip_global_norm": chance.choice(("none", "1")),
        "l2": chance.choice(("0", "0.001")),
        "mixup": chance.choice(("0", "0", "0.4")),
        "batch_size": chance.choice(("8", "13", "full")),
        "epochs": chance.choice(("5", "8")),
        "dtype": chance.choice(("float32", "float64")),
        "init": chance.choice(("auto", "orthogonal", "lsuv")),
        "seed": str(chance.randrange(100)),
        "record_every": chance.choice(("1", "3")),
        "evaluate_every": chance.choice(("1", "2")),
        "checkpoint_every": chance.choice(("never", "11")),
        "histogram_every": chance.choice(("auto", "never", "9")),
        "track_unit": chance.choice(("none", "hidden_1:0")),
        "jacobian": chance.choice(("none", "4")),
        "sharpness": chance.choice(("none", "none", "16")),
    } | fixed
    if options["residual"] != "none" and options["layers"] == "16":
        options["residual"] = "none"
    return options


def arguments(options: dict[str, str]) -> list[str]:
    """The options as they are typed."""
    return [
        text for key, value in options.items() for text in (f"--{key.replace('_', '-')}", value)
    ]


def whole_journal(path: Path, options: dict[str, str]) -> bytes:
    """The journal of a run that was not stopped, not packed."""
    config = from_options(None, options)
    seed = config.training.seed
    session = trainer.start(
        config, prepare(load(config.data, seed), config.data, seed, config.training.dtype)
    )
    with RunWriter.create(path, describe(session)) as writer:
        trainer.run(session, writer)
    return journal_path(path).read_bytes()


def ends_of_frames(journal: bytes) -> list[int]:
    """The bytes behind each whole frame; at least the first is needed to go on."""
    return [frame.offset + frame.length for frame in scan(MemorySource(journal)).frames]


def content_of(path: Path) -> str:
    """The content hash of the run at `path`, computed from its bytes."""
    with open_run(path) as run:
        assert isinstance(run, Run)
        computed = run.computed_content_sha256()
        assert run.content_sha256 == computed
        return computed


def resume(path: Path, *options: str) -> None:
    """Go on to the end, and pack."""
    outcome = dlprobe("train", "--resume", str(path), "--quiet", *options)
    assert outcome.code == 0, outcome.err
