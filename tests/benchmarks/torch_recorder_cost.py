"""What recording a PyTorch training costs: the same loop with and without the recorder, one thread,
and the memory of a long recorded training.

Sides take turns on the same batches; the ratio of the process's CPU times of both is shown beside
its target. The weights of both have to be equal, bit for bit.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from measuring import by_turns, median_ratio, microseconds, print_table

import dlprobe

# sizes, batch, every, target
NETS = (
    ((784, 300, 100, 10), 128, 1, "≤ 1.50"),
    ((784, 300, 100, 10), 128, 50, "≤ 1.03"),
    ((64, *[100] * 20, 10), 32, 1, "≤ 1.70"),
    ((64, *[100] * 20, 10), 32, 50, "≤ 1.03"),
)
LONG = 10_000


class Training:
    """A ReLU net that goes on training, recorded in a file of its own or not at all."""

    def __init__(
        self, sizes: tuple[int, ...], batch: int, optimizer: str, path: Path | None, every: int
    ) -> None:
        torch.manual_seed(0)
        parts: list[Any] = []
        for pair in pairwise(sizes):
            parts += [torch.nn.Linear(*pair), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*parts[:-1])
        self.optimizer = getattr(torch.optim, optimizer)(self.model.parameters(), lr=1e-3)
        self.criterion = torch.nn.CrossEntropyLoss()
        self.batches = [
            (torch.randn(batch, sizes[0]), torch.randint(0, sizes[-1], (batch,))) for _ in range(16)
        ]
        self.recording = (
            None
            if path is None
            else dlprobe.recorders.torch.record(
                self.model, self.optimizer, path, every=every, strict=True
            )
        )

    def run(self, steps: int) -> None:
        for step in range(steps):
            x, y = self.batches[step % len(self.batches)]
            loss = self.criterion(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            if self.recording is not None:
                self.recording.loss(loss)


def cost(net: tuple[Any, ...], optimizer: str, steps: int, rounds: int, folder: Path) -> list[str]:
    """One row of the table."""
    sizes, batch, every, target = net
    plain = Training(sizes, batch, optimizer, None, every)
    recorded = Training(
        sizes, batch, optimizer, folder / f"{optimizer}-{len(sizes)}-{every}.h5", every
    )
    found = by_turns(
        {"plain": lambda: plain.run(steps), "recorded": lambda: recorded.run(steps)}, rounds
    )
    assert all(
        torch.equal(one, other)
        for one, other in zip(plain.model.parameters(), recorded.model.parameters(), strict=True)
    )
    recorded.recording.close()  # type: ignore[union-attr]
    name = (
        f"{sizes[0]}-[{sizes[1]}]×{len(sizes) - 2}-{sizes[-1]}"
        if len(sizes) > 5
        else "-".join(map(str, sizes))
    )
    times = [microseconds(found[side], steps) for side in ("plain", "recorded")]
    return [
        name,
        str(batch),
        optimizer,
        str(every),
        *times,
        f"{median_ratio(found['recorded'], found['plain']):.3f}",
        target,
    ]


def memory(folder: Path) -> list[list[str]]:
    """The largest resident memory of the process after each fifth of a long recorded training,
    MiB.
    """
    training = Training((784, 300, 100, 10), 128, "SGD", folder / "long.h5", 1)
    rows = []
    for part in range(1, 6):
        began = time.perf_counter()
        training.run(LONG // 5)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append(
            [f"{part * LONG // 5:,}", f"{peak:,.1f}", f"{time.perf_counter() - began:,.0f}"]
        )
    training.recording.close()  # type: ignore[union-attr]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument(
        "--memory",
        action="store_true",
        help=f"also train {LONG:,} recorded steps, and show how memory grows",
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="dlprobe-benchmark-") as folder:
        rows = [
            cost(net, optimizer, given.steps, given.rounds, Path(folder))
            for optimizer in ("SGD", "Adam")
            for net in NETS
        ]
        columns = [
            "net",
            "batch",
            "optimizer",
            "every",
            "plain µs/step",
            "recorded",
            "ratio",
            "target",
        ]
        print_table(
            f"PyTorch {torch.__version__}, one thread, median of {given.rounds}", columns, rows
        )
        if given.memory:
            print_table(
                "784-300-100-10, every step recorded",
                ["steps", "peak MiB", "seconds"],
                memory(Path(folder)),
            )


if __name__ == "__main__":
    main()
