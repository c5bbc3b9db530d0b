"""What threads give: the gradient experiment and K models side by side, on two threads against one.
Wall time, sides take turns.

The results of both sides have to be the same. Two idle processors are needed for a ratio that means
something: the last row, SHA-256 in threads, says what this machine gives to two threads at this
moment, whatever dlprobe does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import nets
import numpy as np
from measuring import Seconds, Side, by_turns, median_ratio, print_table

QUICK = (
    "--depth",
    "10,20",
    "--activation",
    "tanh,relu",
    "--init",
    "he_normal,glorot_normal",
    "--epochs",
    "5",
    "--seeds",
    "3",
)
MODELS, SHAPE, BATCH, STEPS = 8, "64-[100]×20-10", 32, 400


def gradients(threads: int, arguments: tuple[str, ...]) -> dict[str, object]:
    """The command as people run it; what it finds, without the number of threads."""
    command = [
        sys.executable,
        "-m",
        "dlprobe",
        "gradients",
        *arguments,
        "--threads",
        str(threads),
        "--format",
        "json",
        "--quiet",
    ]
    found: dict[str, object] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )
    assert found.pop("threads") == threads
    return found


def models(threads: int) -> list[nets.Array]:
    """MODELS nets with seeds of their own, `threads` at a time; their weights."""
    sizes = nets.sizes_of(SHAPE)
    inputs, labels = nets.data(sizes, BATCH)
    targets = nets.one_hot(labels, sizes[-1])

    def one(seed: int) -> nets.Array:
        net = nets.network(sizes, BATCH, seed)
        nets.train(net, inputs, targets, STEPS)
        return net.parameters

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(MODELS)))


def hashes(threads: int) -> list[str]:
    """Work in C that needs no interpreter lock and no memory to speak of: the control."""
    block = bytes(2**20)

    def one(number: int) -> str:
        digest = hashlib.sha256()
        for _ in range(100):
            digest.update(block)
        return digest.hexdigest()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(MODELS)))


def row(name: str, found: Seconds, target: str) -> list[str]:
    one, two = found["one"], found["two"]
    return [
        name,
        f"{np.median(one):.2f}",
        f"{np.median(two):.2f}",
        f"{median_ratio(one, two):.2f}×",
        target,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a grid of seconds instead of the default one; starting the command weighs more in it",
    )
    given = parser.parse_args()
    grid = QUICK if given.quick else ()
    assert gradients(1, grid) == gradients(2, grid), "the numbers depend on the number of threads"
    assert all(np.array_equal(a, b) for a, b in zip(models(1), models(2), strict=True)), (
        "the weights depend on the number of threads"
    )
    command: dict[str, Side] = {
        "one": lambda: gradients(1, grid),
        "two": lambda: gradients(2, grid),
    }
    alone: dict[str, Side] = {"one": lambda: models(1), "two": lambda: models(2)}
    control: dict[str, Side] = {"one": lambda: hashes(1), "two": lambda: hashes(2)}
    began = time.perf_counter()
    rows = [
        row(
            " ".join(["dlprobe gradients", *grid]),
            by_turns(command, given.rounds, time.perf_counter),
            "≥ 1.8×",
        ),
        row(
            f"{MODELS} models {SHAPE}, {STEPS} steps each",
            by_turns(alone, given.rounds, time.perf_counter),
            "≥ 1.9×",
        ),
        row(
            "this machine: SHA-256 in threads",
            by_turns(control, given.rounds, time.perf_counter),
            "2×",
        ),
    ]
    print_table(
        f"Two threads against one (wall time, median of {given.rounds})",
        ["what", "one thread s", "two threads s", "ratio", "target"],
        rows,
    )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"\nload average {load:.1f} over the last minute of {time.perf_counter() - began:.0f} "
        "s; about 1.5 of it is this script"
    )


if __name__ == "__main__":
    main()
