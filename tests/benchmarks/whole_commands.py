"""Whole commands against what people write in their place, each a process from its start to its
end: imports, compiling (dlprobe's kernels are in its cache, as from the second command on),
training, recording, judging and writing.

CPU time and wall time, as ratios to dlprobe's in the same round, medians over the rounds; the
median final loss of both sides stands beside them. Libraries that are not installed are left out;
those of another environment are tried by `--python LIBRARY=PATH`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import print_table

HERE = Path(__file__).parent
GRID = {
    "depth": [5, 10, 20, 40],
    "activation": ["tanh", "relu"],
    "init": ["he_normal", "glorot_normal", "lecun_normal", "normal(std=0.05)", "normal(std=1)"],
    "width": 100,
    "seeds": 3,
    "epochs": 2,
}
COMPARED = GRID | {"depth": [10], "activation": ["relu"], "seeds": 5, "epochs": 10}
TRAINED = {"layers": [100, 100], "epochs": 20}
Spent = dict[str, float]  # cpu and wall seconds, median final loss


def listed(values: list[Any]) -> str:
    return ",".join(map(str, values))


def commands(threads: int) -> dict[str, tuple[list[str], dict[str, Any], tuple[str, ...]]]:
    """By name: dlprobe's arguments, the job of the peers, and the peers."""
    many = f"--data digits --threads {threads}"
    inits, depths = listed(GRID["init"]), listed(GRID["depth"])
    grid = f"--depth {depths} --activation tanh,relu --init {inits} --norm none --epochs 2"
    net = "--layers 100x10 --epochs 10 --seeds 5"
    compared = f"compare init {' '.join(COMPARED['init'])} {net} {many}"
    return {
        "gradients, 40 nets × 3 seeds": (
            f"gradients {grid} {many}".split(),
            GRID,
            ("torch_grid", "jax_grid"),
        ),
        "compare init, 5 × 5 seeds": (compared.split(), COMPARED, ("torch_grid", "jax_grid")),
        "train, 20 epochs of 100,100": (
            f"train --layers 100,100 --epochs 20 {many}".split(),
            TRAINED,
            ("sklearn_train", "keras_train"),
        ),
    }


def timed(command: list[str], threads: int) -> tuple[Spent, str]:
    """Seconds that a process and its children took, and what it printed."""
    one = str(threads)
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), one)
    flags = {"JAX_PLATFORMS": "cpu", "KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "torch")}
    if threads == 1:
        flags["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    out = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | limits | flags
    ).stdout
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "wall": wall}, out


def ours(arguments: list[str], threads: int, folder: Path) -> Spent:
    path = folder / "out.h5"
    path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "dlprobe", *arguments, "--quiet", "-o", str(path)]
    spent, _ = timed(command, threads)
    import dlprobe

    with dlprobe.open_run(path) as opened:
        runs = list(opened.runs.values()) if hasattr(opened, "runs") else [opened]
        losses = [float(run.scalar("batch_loss")[-1]) for run in runs]
    return spent | {"loss": statistics.median(x for x in losses if math.isfinite(x))}


def theirs(python: str, loop: str, job: dict[str, Any], threads: int) -> Spent:
    text = json.dumps(job | {"threads": threads})
    spent, out = timed([python, str(HERE / "peer_loops.py"), loop, text], threads)
    losses = [x for x in json.loads(out.splitlines()[-1]) if math.isfinite(x)]
    return spent | {"loss": statistics.median(losses)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of every side")
    parser.add_argument("--only", default="", help="commands whose name begins so")
    parser.add_argument("--python", action="append", default=[], metavar="LIBRARY=PATH")
    parser.add_argument("--json", type=Path, help="file for all numbers")
    options = parser.parse_args()
    elsewhere = dict(text.split("=", 1) for text in options.python)
    rows, numbers = [], {}
    for name, (arguments, job, loops) in commands(options.threads).items():
        if not name.startswith(options.only):
            continue
        there = [
            loop
            for loop in loops
            if (library := loop.split("_")[0]) in elsewhere or importlib.util.find_spec(library)
        ]
        seconds: dict[str, list[Spent]] = {side: [] for side in ("dlprobe", *there)}
        with tempfile.TemporaryDirectory() as folder:
            ours(arguments, options.threads, Path(folder))  # kernels into the cache
            for _ in range(options.rounds):
                seconds["dlprobe"].append(ours(arguments, options.threads, Path(folder)))
                for loop in there:
                    python = elsewhere.get(loop.split("_")[0], sys.executable)
                    seconds[loop].append(theirs(python, loop, job, options.threads))
        numbers[name] = seconds
        for side, spent in seconds.items():
            middle = {key: statistics.median(one[key] for one in spent) for key in spent[0]}
            ratio = {
                key: statistics.median(
                    one[key] / own[key] for one, own in zip(spent, seconds["dlprobe"], strict=True)
                )
                for key in ("cpu", "wall")
            }
            seen = (f"{middle['cpu']:.1f} s", f"{middle['wall']:.1f} s")
            ratios = (f"{ratio['cpu']:.2f}", f"{ratio['wall']:.2f}")
            rows.append([f"{name}: {side}", *seen, *ratios, f"{middle['loss']:.3g}"])
    columns = ("command", "CPU", "wall", "CPU ratio", "wall ratio", "median loss")
    print_table(f"whole commands, {options.threads} thread(s)", columns, rows)
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
