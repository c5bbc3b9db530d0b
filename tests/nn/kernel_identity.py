"""`python -m tests.nn.kernel_identity`: is a kernel ever another's?

One process with a cache of its own compiles everything that is compiled for a record, or is a pass,
in both precisions, and runs it on fixed numbers. Then several processes, two at a time, fill one
cache together, each with a share of all that in an order of its own, and further processes read it,
in orders of their own: every kernel must have an address of its own, and every result must be the
first process's to the bit.

--processes N   that fill the cache together (default 4)
--orders N      in which it is read (default 3)
--compares N M  in place of that: N fresh caches, each filled by a `train` with adam, one with sgd
and one with momentum, then M comparisons of the last two
                on two threads, whose numbers must be those of one thread
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
COMPARED = (
    "compare",
    "optimizer",
    "sgd",
    "momentum",
    "--data",
    "wine",
    "--seeds",
    "6",
    "--epochs",
    "10",
    "-q",
    "--format",
    "json",
)


def environment(cache: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "DLPROBE_CACHE_DIR": str(cache)}


# --- inside a process
# --------------------------------------------------------------------------------------------------


def labelled_checks() -> dict[str, Any]:
    from dlprobe.nn.self_check import all_checks

    return {f"{check.kind} {check.name} {check.dtype}": check for check in all_checks()}


def compiled(labels: Sequence[str]) -> None:
    checks = labelled_checks()
    for label in labels:
        checks[label].kernels()


def addresses_and_results(labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Per label the addresses of its kernels by name, all taken before the first one runs, and
    the SHA-256 of what they give.
    """
    from dlprobe.nn.calling import Kernel, address

    checks, found = labelled_checks(), {}
    for label in labels:
        kernels = [kernel for kernel in checks[label].kernels() if isinstance(kernel, Kernel)]
        found[label] = {"addresses": {kernel.name: address(kernel) for kernel in kernels}}
    for label in labels:
        digest = hashlib.sha256()
        with np.errstate(all="ignore"):
            for pair in checks[label].pairs():
                digest.update(np.ascontiguousarray(pair.measured).tobytes())
        found[label]["result"] = digest.hexdigest()
    return found


# --- the processes
# --------------------------------------------------------------------------------------------------


def start(call: str, labels: Sequence[str], cache: Path) -> subprocess.Popen[str]:
    code = (
        f"import json, sys\nfrom tests.nn.kernel_identity import {call}\n"
        f"print(json.dumps({call}(json.load(sys.stdin))))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(cache),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    process.stdin.write(json.dumps(labels))
    process.stdin.close()
    return process


def answer(process: subprocess.Popen[str]) -> Any:
    assert process.stdout
    text = process.stdout.read()
    assert process.wait() == 0
    return json.loads(text)


def shuffled(labels: Sequence[str], seed: int) -> list[str]:
    return random.Random(seed).sample(list(labels), len(labels))


def faults(labels: Sequence[str], processes: int, orders: int, folder: Path) -> list[str]:
    """What is wrong, in words."""
    expected = answer(start("addresses_and_results", labels, folder / "alone"))
    shares = [
        shuffled(labels[k::processes] + labels[(k + 1) % processes :: processes], k)
        for k in range(processes)
    ]  # every label in two of them
    for first in range(0, processes, 2):
        for process in [
            start("compiled", share, folder / "together") for share in shares[first : first + 2]
        ]:
            answer(process)
    wrong = []
    for order in range(orders):
        found = answer(
            start("addresses_and_results", shuffled(labels, 100 + order), folder / "together")
        )
        by_name = {
            name: place for each in found.values() for name, place in each["addresses"].items()
        }
        print(
            f"order {order}: {len(by_name)} kernels at {len(set(by_name.values()))} addresses",
            flush=True,
        )
        if len(set(by_name.values())) < len(by_name):
            wrong.append(f"order {order}: kernels share an address")
        wrong += [
            f"order {order}: {label} gives other bits"
            for label in labels
            if found[label]["result"] != expected[label]["result"]
        ]
    return wrong


def run(*arguments: str, cache: Path, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dlprobe", *arguments],
        env=environment(cache),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(printed: str) -> str:
    """What a comparison says, without times."""

    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: timeless(inner) for key, inner in value.items() if key != "step_seconds"}
        return [timeless(inner) for inner in value] if isinstance(value, list) else value

    return json.dumps(timeless(json.loads(printed)), sort_keys=True)


def wrong_comparisons(caches: int, each: int) -> int:
    """How many comparisons on two threads gave other numbers than one thread."""
    wrong = 0
    for number in range(caches):
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            for optimizer in ("adam", "sgd", "momentum"):
                run(
                    "train",
                    "--data",
                    "wine",
                    "--optimizer",
                    optimizer,
                    "--epochs",
                    "1",
                    "-q",
                    "-o",
                    f"{optimizer}.h5",
                    cache=folder,
                    folder=folder,
                )
            expected = numbers(run(*COMPARED, "--workers", "1", cache=folder, folder=folder))
            wrong += sum(
                numbers(run(*COMPARED, "--workers", "2", cache=folder, folder=folder)) != expected
                for _ in range(each)
            )
        print(
            f"{number + 1} caches, {(number + 1) * each} comparisons on two threads, {wrong} wrong",
            flush=True,
        )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.nn.kernel_identity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--orders", type=int, default=3)
    parser.add_argument("--compares", type=int, nargs=2, metavar=("N", "M"))
    options = parser.parse_args()
    if options.compares:
        return int(wrong_comparisons(*options.compares) > 0)
    with tempfile.TemporaryDirectory() as folder:
        found = faults(list(labelled_checks()), options.processes, options.orders, Path(folder))
    print("\n".join(found) or "no kernel was another's")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
