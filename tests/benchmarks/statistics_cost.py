"""What the statistics cost: the engine against a build without them, made for this benchmark only.

The build without leaves in every pass only what training needs (adding the bias, summing the bias
gradient, stepping the weights). It lives in a process and a kernel cache of its own, and has to
compute bitwise the same weights. `--groups` also leaves out one group at a time, to see which costs
most.
CPU time; sides take turns, one process waiting while the other runs. Each build compiles its
kernels anew: some 10-20 s before the first number.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
from measuring import median_ratio, microseconds, print_table
from numba.np.unsafe.ndarray import to_fixed_tuple

from dlprobe.nn import cache, kernels, observe, observe_forward, updates
from dlprobe.nn.calling import whole_registers
from dlprobe.nn.observe import add_four
from dlprobe.nn.positions import UPDATE_SUMS
from dlprobe.nn.shapes import Floats, Matrix, Vector
from dlprobe.nn.views import flat

SHAPES = (
    ("64-[64]×20-10", 32),
    ("64-[100]×20-10", 32),
    ("64-[256]×20-10", 32),
    ("784-300-100-10", 128),
    ("2-16-16-2", 32),
)
TARGETS = {
    "2-16-16-2": "≤ 30 %",
    "64-[64]×20-10": "≤ 8 %, sgd 13 %",
    "64-[100]×20-10": "≤ 8 %, sgd 13 %",
}
TARGET = "≤ 5 %"
GROUPS = ("preactivation", "activation", "slopes", "error", "underflow", "weights", "rest")


# What stands in for each pass. Each does what training needs, in the same order of operations.


def add_bias(z: Matrix, bias: Vector, statistics: Vector) -> None:
    whole_registers()
    for i in range(z.shape[0]):
        row = z[i]
        for j in range(len(row)):
            row[j] += bias[j]


def observe_error(d: Matrix, sums: Vector, row_square: Floats, statistics: Vector) -> None:
    whole_registers()
    for j in range(len(sums)):
        sums[j] = d.dtype.type(0)
    four = len(d) - len(d) % 4
    for i in range(0, four, 4):
        r0, r1, r2, r3 = d[i], d[i + 1], d[i + 2], d[i + 3]
        for j in range(len(sums)):
            sums[j] = add_four(sums[j], r0[j], r1[j], r2[j], r3[j])
    for i in range(four, len(d)):
        row = d[i]
        for j in range(len(sums)):
            sums[j] += row[j]


def observe_activation(
    a: Matrix, row_square: Floats, narrow: Vector, wide: Floats, statistics: Vector
) -> None:
    return


def count_underflow(da: Any, next_row_square: Any) -> Any:
    return 0.0


def observe_slopes(slopes: Any, peak: Any, rows: Any, statistics: Any) -> None:
    return


def sample_gradient_rms(input_square: Any, error_square: Any, rows: Any, size: Any) -> Any:
    return 0.0


def observe_update(g: Any, sums: Any, statistics: Any) -> None:
    return


def root_mean_square(values: Any) -> Any:
    return 0.0


def clear(statistics: Any) -> None:
    """Zero: in particular nothing non-finite was found."""
    for index in range(statistics.shape[0]):
        for k in range(statistics.shape[1]):
            statistics[index, k] = 0


def update_loop(step: Callable[..., Any], count: int, states: int) -> Any:
    which = tuple(range(states))

    def update(
        w: Any, g: Any, state: Any, offset: int, stride: int, coefficients: Any, sums: Any
    ) -> None:
        whole_registers()
        c = to_fixed_tuple(coefficients, count)
        for k in range(UPDATE_SUMS):
            sums[k] = 0.0
        for i in range(len(w)):
            stepped = step(w[i], g[i], *(updates.recall(which, state, offset, stride, i) + c))
            w[i] = stepped[0]
            updates.remember(which, state, offset, stride, i, stepped)

    return update


def elementwise_loops(
    value: Callable[..., float], slope: Callable[..., float], count: int, stepped: bool
) -> tuple[Any, Any]:
    forward, _ = kernels_loops(value, slope, count, stepped)

    def backward(
        x: Any,
        y: Any,
        dy: Any,
        dx: Any,
        learned: Any,
        gradient: Any,
        state: Any,
        constants: Any,
        counter: Any,
        peak: Any,
        slopes: Any,
    ) -> None:
        whole_registers()
        p = to_fixed_tuple(constants, count)
        row, out, d, e = flat(x), flat(y), flat(dy), flat(dx)
        for j in range(len(row)):
            e[j] = d[j] * slope(row[j], out[j], *p)

    return forward, backward


kernels_loops: Any = None  # the engine's own, kept by leave_out

# group: what is replaced, as module of dlprobe.nn, names
REPLACED = {
    "preactivation": ("observe_forward", (add_bias,)),
    "activation": ("observe_forward", (observe_activation,)),
    "slopes": ("kernels", (elementwise_loops,)),
    "error": ("observe", (observe_error,)),
    "underflow": ("observe", (count_underflow,)),
    "weights": ("kernels", (update_loop,)),
    "rest": (
        "observe",
        (clear, observe_slopes, sample_gradient_rms, observe_update, root_mean_square),
    ),
}


def leave_out(groups: list[str]) -> None:
    """Put the stand-ins into the engine's modules, before anything is compiled. `clear` keeps
    what the groups that stay in do not write.
    """
    global kernels_loops
    modules = {"observe": observe, "observe_forward": observe_forward, "kernels": kernels}
    kernels_loops = kernels.elementwise_loops
    for group in groups:
        name, functions = REPLACED[group]
        for function in functions:
            if not hasattr(modules[name], function.__name__):
                raise SystemExit(
                    f"dlprobe.nn.{name} has no {function.__name__} any more: adapt "
                    "statistics_cost.py to the engine"
                )
            if name != "kernels":
                cache.inlined(cache.EXACT if function is add_bias else cache.SUMS)(function)
            setattr(modules[name], function.__name__, function)


def serve(groups: list[str]) -> None:
    """A child: reads one order per line, [optimizer, shape, batch, steps], and answers [CPU
    seconds, hash of the weights].
    """
    leave_out(groups)
    import nets

    known: dict[tuple[str, str], Any] = {}
    for line in sys.stdin:
        optimizer, shape, batch, steps = json.loads(line)
        if (optimizer, shape) not in known:
            sizes = nets.sizes_of(shape)
            inputs, labels = nets.data(sizes, batch)
            known[optimizer, shape] = (
                nets.network(sizes, batch, optimizer=optimizer),
                inputs,
                nets.one_hot(labels, sizes[-1]),
            )
        net, inputs, targets = known[optimizer, shape]
        net.initialize()
        began = time.process_time()
        nets.train(net, inputs, targets, steps)
        spent = time.process_time() - began
        print(
            json.dumps(
                [spent, hashlib.sha256(np.ascontiguousarray(net.parameters).tobytes()).hexdigest()]
            ),
            flush=True,
        )


class Build:
    """One build of the engine in a process of its own."""

    def __init__(self, groups: list[str], folder: str) -> None:
        environment = {**os.environ, "DLPROBE_CACHE_DIR": folder}
        command = [sys.executable, __file__, "--serve", ",".join(groups)]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, optimizer: str, shape: str, batch: int, steps: int) -> tuple[float, str]:
        """CPU seconds and hash of the weights after `steps` steps from the initial weights."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([optimizer, shape, batch, steps]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("a build of the engine failed, see above")
        seconds, digest = json.loads(answer)
        return float(seconds), str(digest)

    def close(self) -> None:
        self._process.communicate()


def measure(
    builds: dict[str, Build], net: tuple[str, str, int], rounds: int, seconds: float
) -> list[list[str]]:
    """Rows of the table for a net of (optimizer, shape, batch): the whole, and each build that
    leaves out something.
    """
    for build in builds.values():
        build.run(*net, 4)  # compiles
    steps = max(4, round(200 * seconds / builds["whole"].run(*net, 200)[0]))
    found: dict[str, list[float]] = {name: [] for name in builds}
    digests = set()
    for number in range(rounds):
        for name in list(builds)[:: 1 if number % 2 else -1]:
            spent, digest = builds[name].run(*net, steps)
            found[name].append(spent)
            digests.add(digest)
    optimizer, shape, batch = net
    title = f"{shape}, batch {batch}, {optimizer}"
    assert len(digests) == 1, f"{title}: the builds computed different weights"
    rows = [[title, "statistics on", microseconds(found["whole"], steps), "", ""]]
    for name in list(builds)[1:]:
        cost = 100 * (median_ratio(found["whole"], found[name]) - 1)
        rows.append(
            [
                title,
                f"without {name}",
                microseconds(found[name], steps),
                f"{cost:+.1f} %",
                TARGETS.get(shape, TARGET) if name == "all" else "",
            ]
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each side in each round")
    parser.add_argument(
        "--groups", action="store_true", help="also leave out one group of statistics at a time"
    )
    parser.add_argument(
        "--optimizers", default="sgd,adam", help="the bare step, and the default of dlprobe"
    )
    parser.add_argument("--shapes", default="", help="only shapes that contain this")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        serve([group for group in given.serve.split(",") if group])
        return
    left_out = {
        "whole": [],
        "all": list(GROUPS),
        **({group: [group] for group in GROUPS} if given.groups else {}),
    }
    with ExitStack() as stack:
        builds = {}
        for name, groups in left_out.items():
            builds[name] = Build(
                groups,
                stack.enter_context(tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-")),
            )
            stack.callback(builds[name].close)
        nets = [
            (optimizer, shape, batch)
            for optimizer in given.optimizers.split(",")
            for shape, batch in SHAPES
            if given.shapes in shape
        ]
        rows = [row for net in nets for row in measure(builds, net, given.rounds, given.seconds)]
    print_table(
        f"Cost of the statistics (CPU time, median of {given.rounds}; weights bitwise equal)",
        ["net", "build", "µs/step", "cost", "target"],
        rows,
    )


if __name__ == "__main__":
    main()
