"""PyTorch loops of every kind, recorded, beside dlprobe's engine on the same weights and batches.

The engine gets PyTorch's weights before every step, so that each row is compared on its own and
rounding does not pile up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_nets import Array, layers, spec

import dlprobe
from dlprobe import registry
from dlprobe.nn.network import Network
from dlprobe.nn.regulation import Regulation
from dlprobe.runs import Run

torch: Any = pytest.importorskip("torch")
torch.set_num_threads(
    1
)  # nets are small, and threads of several test processes would wait for each other

F = torch.nn.functional
TOLERANCE = 1e-5
NAMES = tuple(registry.records("statistic"))
SIZES = (6, 12, 9, 3)
SAMPLES = 32
RATE = 0.1
CLIP = 0.05  # below the gradient's norm, so that it always clips
SCALE = 1024.0
ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "tanh": torch.nn.Tanh,
    "sigmoid": torch.nn.Sigmoid,
    "gelu": torch.nn.GELU,
    "leaky_relu": torch.nn.LeakyReLU,
}


@dataclass(frozen=True)
class Loop:
    """How a model is trained. compiled: "", once or twice (an equal class before it); precision:
    fp32, bf16, scaler, fused or inf (a scaler and one overflow).
    """

    compiled: str = ""
    precision: str = "fp32"
    accumulate: int = 1
    clip: bool = False
    activation: str = "relu"
    steps: int = 4
    every: int = 1
    backend: str = "eager"

    def __str__(self) -> str:
        return "-".join(
            [
                self.compiled or "eager",
                self.precision,
                f"accumulate{self.accumulate}",
                "clip" if self.clip else "no_clip",
                self.activation,
            ]
        )

    @property
    def scales(self) -> bool:
        return self.precision in ("scaler", "fused", "inf")


def every_loop(**changes: Any) -> list[Loop]:
    """The whole matrix."""
    plain = Loop(**changes)
    return [
        replace(plain, compiled=compiled, precision=precision, accumulate=accumulate, clip=clip)
        for compiled in ("", "once", "twice")
        for precision in ("fp32", "bf16", "scaler", "fused", "inf")
        for accumulate in (1, 4)
        for clip in (False, True)
    ]


class Net(torch.nn.Module):  # type: ignore[misc]
    """A chain of Linear and an activation, under names of its owner's."""

    def __init__(self, activation: str = "relu", sizes: tuple[int, ...] = SIZES) -> None:
        super().__init__()
        pairs = list(pairwise(sizes))
        hidden = [
            part
            for pair in pairs[:-1]
            for part in (torch.nn.Linear(*pair), ACTIVATIONS[activation]())
        ]
        self.encoder = torch.nn.Sequential(*hidden)
        self.head = torch.nn.Linear(*pairs[-1])

    def forward(self, x: Any) -> Any:
        return self.head(self.encoder(x))


def batches(seed: int, steps: int) -> list[tuple[Any, Any]]:
    """Inputs (SAMPLES, features) and classes of every step."""
    random = np.random.default_rng(seed)
    return [
        (
            torch.tensor(random.normal(size=(SAMPLES, SIZES[0])), dtype=torch.float32),
            torch.tensor(random.integers(0, SIZES[-1], SAMPLES)),
        )
        for _ in range(steps)
    ]


@dataclass
class Trained:
    """A model after training, its weights before every update that was made, and the batches of
    those updates.
    """

    model: Any
    before: list[list[Array]] = field(default_factory=list)
    batches: list[tuple[Any, Any]] = field(default_factory=list)

    @property
    def parameters(self) -> list[Any]:
        return [each.detach().clone() for each in self.model.parameters()]


def plain_step(model: Any, optimizer: Any, x: Any, y: Any, rec: Any) -> None:
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    rec.loss(loss)


def recorded(
    model: Any,
    path: Path,
    step: Callable[..., None] = plain_step,
    steps: int = 3,
    optimizer: Any = None,
    **options: Any,
) -> Trained:
    """Train a net of SIZES, weights and batches noted."""
    found = Trained(model)
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=RATE)
    with dlprobe.recorders.torch.record(model, optimizer, path, strict=True, **options) as rec:
        for x, y in batches(0, steps):
            found.before.append(weights_of(model))
            found.batches.append((x, y))
            step(model, optimizer[-1] if isinstance(optimizer, list) else optimizer, x, y, rec)
    return found


def linears(model: Any) -> list[Any]:
    """In the order of calls, which is that of their names."""
    return [
        module
        for _, module in sorted(model.named_modules(), key=lambda pair: pair[0])
        if isinstance(module, torch.nn.Linear)
    ]


def weights_of(model: Any) -> list[Array]:
    """W (fan_in, fan_out) and b of every layer, copied."""
    return [
        array.detach().numpy().T.copy()
        for module in linears(model)
        for array in (module.weight, module.bias)
    ]


def train(loop: Loop, path: Path | None, seed: int = 0) -> Trained:
    """Train a net by the loop; recorded where a path is given."""
    torch.manual_seed(seed)
    model = Net(loop.activation)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=RATE, **({"fused": True} if loop.precision == "fused" else {})
    )
    run: Any = model
    if loop.compiled:
        torch._dynamo.reset()
        if loop.compiled == "twice":
            torch.compile(Net(loop.activation), backend=loop.backend)(
                torch.zeros(SAMPLES // loop.accumulate, SIZES[0])
            ).sum().backward()
        run = torch.compile(model, backend=loop.backend)
        run(
            torch.zeros(SAMPLES // loop.accumulate, SIZES[0])
        ).sum().backward()  # compiled before any hook
        optimizer.zero_grad()
    scaler = (
        torch.amp.GradScaler("cpu", init_scale=SCALE, growth_interval=10**6)
        if loop.scales
        else None
    )
    found = Trained(model)
    recorder: Any = contextlib.nullcontext()
    if path is not None:
        recorder = dlprobe.recorders.torch.record(
            run, optimizer, path, every=loop.every, strict=True
        )
    with recorder as rec:
        for number, batch in enumerate(batches(seed, loop.steps + 1)):
            overflow = loop.precision == "inf" and number == 1
            made = one_step(
                loop, run, optimizer, scaler, batch, rec, overflow, weights_of(model), found
            )
            assert made is not overflow
    return found


def one_step(
    loop: Loop,
    run: Any,
    optimizer: Any,
    scaler: Any,
    batch: Any,
    rec: Any,
    overflow: bool,
    before: list[Array],
    found: Trained,
) -> bool:
    """Accumulate, clip, step; whether the step was made."""
    for x, y in zip(batch[0].chunk(loop.accumulate), batch[1].chunk(loop.accumulate), strict=True):
        with torch.autocast("cpu", torch.bfloat16, enabled=loop.precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(run(x).float(), y)
        if rec is not None:
            rec.loss(loss)
        loss = loss * (float("inf") if overflow else 1.0) / loop.accumulate
        (loss if scaler is None else scaler.scale(loss)).backward()
    if loop.clip:
        if scaler is not None and loop.precision != "fused":
            scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(
            run.parameters(), CLIP * (SCALE if loop.precision == "fused" else 1.0)
        )
    if scaler is None:
        optimizer.step()
    else:
        scaler.step(optimizer)
        scale = scaler.get_scale()
        scaler.update()
        if scaler.get_scale() < scale:
            scaler.update(SCALE)
    optimizer.zero_grad()
    made = any(
        not np.array_equal(one, other)
        for one, other in zip(before, weights_of(found.model), strict=True)
    )
    if made:
        found.before.append(before)
        found.batches.append(batch)
    return made


def own_rows(trained: Trained, loop: Loop) -> dict[str, Array]:
    """The engine's statistics (step, layer) and batch_loss (step,), with the weights and
    batches of every update.
    """
    parts = layers(SIZES, activation=loop.activation, output="softmax")
    regulation = Regulation(clip_global_norm=CLIP) if loop.clip else Regulation()
    net = Network(
        parts,
        spec("loss", "cross_entropy"),
        spec("optimizer", "sgd"),
        batch=SAMPLES,
        seed=0,
        dtype="float32",
        regulation=regulation,
    )
    rows, losses, norms = [], [], []
    for before, (x, y) in zip(trained.before, trained.batches, strict=True):
        for index in range(len(parts)):
            net.weights(index)[:], net.biases(index)[:] = before[2 * index], before[2 * index + 1]
        result = net.train(
            x.detach().numpy(), np.eye(SIZES[-1], dtype=np.float32)[y.numpy()], 0, np.array([RATE])
        )
        rows.append(result.statistics[0])
        losses.append(result.scalars[0, 0])
        norms.append(result.scalars[0, 4])
    numbers = np.array(rows)  # (step, layer, statistic)
    if loop.clip:  # torch divides by the norm + 1e-6, and fused ones clip gradients that are scaled
        little = 1e-6 / (SCALE if loop.precision == "fused" else 1.0)
        numbers[:, :, [NAMES.index("clipped_gradient_l2"), NAMES.index("update_ratio")]] *= (
            norms / (np.array(norms) + little)
        )[:, None, None]
    return {
        **{name: numbers[:, :, index] for index, name in enumerate(NAMES)},
        "batch_loss": np.array(losses),
        "gradient_norm": np.array(norms),
    }


def differences(run: Run, expected: dict[str, Array], rows: Any = slice(None)) -> dict[str, float]:
    """Of every statistic and scalar, how far the run is from what is expected, relative;
    infinite where one is NaN and the other not.
    """
    found = {}
    for name, numbers in expected.items():
        there = run.is_recorded(name)
        measured = (
            (run.scalar(name) if numbers.ndim == 1 else run.statistic(name))
            if there
            else np.full_like(numbers[rows], np.nan)
        )
        floor = floors(name, expected, numbers)[rows]
        found[name] = difference(
            np.asarray(measured, np.float64), np.asarray(numbers[rows], np.float64), floor
        )
    return found


def floors(name: str, expected: dict[str, Array], numbers: Array) -> Array:
    """The size that rounding is relative to where a number is a small rest of large ones: of a mean
    the root mean square of what is averaged; of ‖ΔW‖/‖W‖ what makes
    float32's rounding of W + ΔW, 6e-8, one part in 1e5; of others 1 % of the largest."""
    if name == "preactivation_mean":
        return np.sqrt(expected["preactivation_mean_square"])
    if name == "activation_mean":
        return np.sqrt(numbers**2 + np.nan_to_num(expected["activation_variance"]))
    if name.endswith("_fraction"):
        return np.ones(
            numbers.shape
        )  # a share of elements: one of them more or less is seen all the same
    largest = float(np.nanmax(np.abs(numbers), initial=1e-12))
    return np.full(
        numbers.shape,
        6e-3 if name == "update_ratio" and numbers.dtype == np.float32 else 1e-2 * largest,
    )


def difference(measured: Array, expected: Array, floor: Array) -> float:
    if measured.shape != expected.shape or (np.isnan(measured) != np.isnan(expected)).any():
        return float("inf")
    return float(
        np.nanmax(np.abs(measured - expected) / np.maximum(np.abs(expected), floor), initial=0.0)
    )


def opened(path: Path) -> Run:
    run = dlprobe.open_run(path)
    assert isinstance(run, Run)
    return run


@contextlib.contextmanager
def processes(count: int) -> Iterator[Callable[..., None]]:
    """Start `count` processes that run a function with their rank, and wait for them."""
    import torch.multiprocessing as multiprocessing

    def start(function: Any, *arguments: Any) -> None:
        multiprocessing.start_processes(
            function, args=arguments, nprocs=count, start_method="spawn"
        )

    yield start
