"""Time of a training step: dlprobe with all statistics on, against what people would write in its
place: PyTorch eager and a jitted scan of JAX, without statistics and with some.

One thread, float32, SGD, the same net from the same weights, the losses checked to be the same; CPU
time, sides by turns, median ratios; above 1 dlprobe takes less. Beside the named shapes some drawn
by --seed. Every peer that takes less is said at the end.

--avx2 forces all sides to instructions without AVX-512. Where JAX is not installed, its columns are
empty. Peers: pip install ".[peers]"; torch_steps.py and jax_steps.py say what they record.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import nets
import numpy as np
from measuring import by_turns, median_ratio, microseconds, print_table, steps_for, write_figure

Side = Callable[[int], object]
# shape, batch, and at least what against each side, from what was found reachable
SHAPES: tuple[tuple[str, int, dict[str, float]], ...] = (
    ("2-16-16-2", 32, {"torch": 80, "torch few": 100, "jax": 3}),
    ("64-300-100-10", 32, {}),
    ("64-[100]×20-10", 32, {"torch": 4, "torch few": 10, "jax": 1.3, "jax ten": 2.5}),
    ("64-[64]×50-10", 32, {}),
    ("784-300-100-10", 128, {"torch": 1.6, "jax": 1.1}),
    ("784-2048-2048-2048-10", 128, {"torch": 1.0}),
)
PEERS = ("torch", "torch few", "torch all", "jax", "jax ten")
AVX2 = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+movbe,+popcnt,+f16c",
    "OPENBLAS_CORETYPE": "Haswell",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
}
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def sides_of(shape: str, batch: int, batches: int = 16) -> dict[str, Side]:
    """dlprobe and its peers, each a function of the number of steps."""
    import torch
    from jax_steps import in_jax
    from torch_steps import eager, everything, few, same_loss, twin

    sizes = nets.sizes_of(shape)
    inputs, labels = nets.data(sizes, batch, batches)
    targets = nets.one_hot(labels, sizes[-1])
    net = nets.network(sizes, batch)
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
    plain, some, full = twin(net), twin(net), twin(net)
    same_loss(net, plain, x, y)
    return {
        "dlprobe": lambda steps: nets.train(net, inputs, targets, steps),
        "torch": eager(plain, x, y, batch, None),
        "torch few": eager(some, x, y, batch, few(some, [])),
        "torch all": eager(full, x, y, batch, everything(full, [])),
        **{
            name: side
            for name, statistics in (("jax", False), ("jax ten", True))
            if (side := in_jax(net, inputs, labels, batch, statistics)) is not None
        },
    }


def measured(sides: dict[str, Side], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Seconds of a step of each side in each round."""
    steps = {name: steps_for(seconds, side) for name, side in sides.items()}

    def turn(name: str) -> Callable[[], object]:
        return lambda: sides[name](steps[name])

    spent = by_turns({name: turn(name) for name in sides}, rounds)
    return {name: [value / steps[name] for value in values] for name, values in spent.items()}


def drawn(count: int, seed: int) -> list[tuple[str, int, dict[str, float]]]:
    """Shapes of 1 to 20 hidden layers of 8 to 512 units, batches of 8 to 256; the same for a
    seed.
    """
    chance = random.Random(seed)
    shapes = []
    for _ in range(count):
        depth = round(20 ** chance.random())
        width, features, batch = (
            round(low * (high / low) ** chance.random())
            for low, high in ((8, 512), (4, 784), (8, 256))
        )
        shapes.append((f"{features}-[{width}]×{depth}-{chance.randint(2, 20)}", batch, {}))
    return shapes


def slower(net: str, ratios: dict[str, float], targets: dict[str, float]) -> list[str]:
    """What is to be said of a net: peers that take less, and targets that were missed."""
    lines = [
        f"{net}: {name} takes less ({ratio:.2f}×)" for name, ratio in ratios.items() if ratio < 1
    ]
    return lines + [
        f"{net}: {ratios[name]:.2f}× {name}, target {target:g}×"
        for name, target in targets.items()
        if name in ratios and ratios[name] < target
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each side in each round")
    parser.add_argument("--drawn", type=int, default=4, help="shapes drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="shapes whose name holds this")
    parser.add_argument("--avx2", action="store_true")
    parser.add_argument("--json", type=Path, help="keep the numbers")
    parser.add_argument("--figure", type=Path, help="SVG (needs the extra figures)")
    given = parser.parse_args()
    if given.avx2 and os.environ.get("NUMBA_CPU_NAME") != AVX2["NUMBA_CPU_NAME"]:
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | AVX2)
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ |= {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": f"{flags} {ONE_THREAD}".strip()}
    import torch

    torch.set_num_threads(1)
    rows, results, said = [], [], []
    for shape, batch, targets in (*SHAPES, *drawn(given.drawn, given.seed)):
        if given.only and given.only not in shape:
            continue
        net = f"{shape}, batch {batch}"
        spent = measured(sides_of(shape, batch), given.rounds, given.seconds)
        ratios = {
            name: median_ratio(spent[name], spent["dlprobe"]) for name in PEERS if name in spent
        }
        results.append({"net": net, "seconds": float(np.median(spent["dlprobe"])), **ratios})
        rows.append(
            [net, microseconds(spent["dlprobe"], 1)]
            + [f"{ratios[name]:.2f}" if name in ratios else "" for name in PEERS]
        )
        said += slower(net, ratios, targets)
    print_table(
        f"Training step, all statistics on (CPU time, median of {given.rounds} rounds, PyTorch "
        f"{torch.__version__}{', AVX2' if given.avx2 else ''}): peer ÷ dlprobe",
        ["net", "dlprobe µs", *PEERS],
        rows,
    )
    print("\n".join(["", *(said or ["No peer takes less, no target is missed."])]))
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if given.figure:
        bars = [
            {"net": result["net"], "peer": name, "ratio": result[name]}
            for result in results
            for name in PEERS
            if name in result
        ]
        ratio = {"field": "ratio", "type": "quantitative", "scale": {"type": "log"}}
        encoding = {
            "x": ratio | {"title": "time of the peer ÷ dlprobe's"},
            "y": {"field": "net", "sort": None, "title": None},
            "color": {"field": "peer", "sort": list(PEERS)},
        }
        write_figure(given.figure, bars, "point", encoding)


if __name__ == "__main__":
    main()
