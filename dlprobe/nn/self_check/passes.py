"""What works on whole layers and steps: the matrix products, and single steps of small linear
nets, beside the same written in NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from dlprobe.nn import augmentation, binning, fleet, linking, observe
from dlprobe.nn.calling import Kernel
from dlprobe.nn.layers import LayerSpec
from dlprobe.nn.network import Network
from dlprobe.nn.random import SHIFT as SHIFTS
from dlprobe.nn.random import epoch_order, stream
from dlprobe.nn.regulation import NOTHING, Regulation
from dlprobe.nn.self_check.checks import Array, ComparedArrays, KernelCheck, block, wide
from dlprobe.nn.self_check.parts import SEED, spec_of
from dlprobe.nn.tiles import AVAILABLE
from dlprobe.record.scalars import BATCH_LOSS

PRODUCTS = ("product", "product_with_transposed", "transposed_product")
SAMPLES, SIZES, RATE, L2, ALPHA = 9, (4, 5, 3), 0.05, 0.1, 0.4
# of images of 2 × 2 pixels
SHIFT, SCALE, FILL = (np.array([0.5, -1.0, 0.25, 2.0]), np.array([2.0, 0.5, 0.0, 1.0]), 0.75)
IMAGE = augmentation.image_numbers(1, 2, FILL, SHIFT, SCALE)


def checks(dtype: str) -> Iterator[KernelCheck]:
    """The products of nets and of fleets, then a step of a plain net, of one with a penalty, of
    one that shifts and mixes samples and of a fleet.
    """
    yield KernelCheck(
        "pass", "products", dtype, partial(_products_of_nets, dtype), partial(_products, dtype)
    )
    yield KernelCheck("pass", "step", dtype, partial(_passes, dtype), partial(_step, dtype))
    yield KernelCheck(
        "pass",
        "step with a penalty",
        dtype,
        partial(_finish, dtype),
        partial(_step, dtype, regulation=Regulation(l2=L2)),
    )
    yield KernelCheck(
        "pass",
        "step with shift and mixup",
        dtype,
        partial(_gather_augmented, dtype),
        partial(_step, dtype, augmented=True),
    )
    yield KernelCheck(
        "pass", "bins", dtype, partial(binning.compiled_kernels, dtype), partial(_bins, dtype)
    )
    if AVAILABLE:
        yield KernelCheck(
            "pass",
            "products of a fleet",
            dtype,
            partial(_products_of_fleet, dtype),
            partial(_fleet_products, dtype),
        )
        yield KernelCheck(
            "pass",
            "step of a fleet",
            dtype,
            partial(_passes_of_fleet, dtype),
            partial(_fleet_step, dtype),
        )


def _bins(dtype: str) -> Iterator[ComparedArrays]:
    """Eighths in four bins of three fine ones each: as many as NumPy counts, and those of the fine
    bins that are wanted.
    """
    count, gather = binning.compiled_kernels(dtype)
    edges = np.array([0.0, 0.75, 1.5, 2.25, 3.0], dtype)
    values = (np.arange(60) * 7 % 25 / 8).astype(dtype)
    counts, fine = np.zeros(4, np.int64), np.zeros(12, np.int64)
    count(values, edges, 4.0, counts, fine)
    yield ComparedArrays("counts", counts, np.histogram(values, edges)[0])
    yield ComparedArrays("fine counts", fine, np.histogram(values, np.arange(13) / 4)[0])
    wanted = np.array([0, 1] * 6)
    some = np.empty(int(fine @ wanted), dtype)
    gather(values, edges, 4.0, wanted, some)
    inside = np.minimum((values * 4).astype(int), 11) % 2 == 1
    yield ComparedArrays("values of the bins", some, values[inside])


def _named(kernels: tuple[Kernel, ...], names: tuple[str, ...]) -> tuple[Kernel, ...]:
    by_role = {kernel.role: kernel for kernel in kernels}
    return tuple(by_role[name] for name in names)


def _products_of_nets(dtype: str) -> tuple[Kernel, ...]:
    return _named(linking.compiled_passes(dtype), PRODUCTS)


def _passes(dtype: str) -> tuple[Any, ...]:
    return (
        *linking.compiled_passes(dtype),
        *linking.compiled_unobserved(dtype).values(),
        linking.compiled_run(dtype),
        linking.compiled_evaluate(dtype),
    )


def _finish(dtype: str) -> tuple[Kernel]:
    return (linking.compiled_finish(dtype),)


def _gather_augmented(dtype: str) -> tuple[Kernel]:
    return (linking.compiled_gather_augmented(dtype),)


def _passes_of_fleet(dtype: str) -> tuple[Kernel, ...]:
    return linking.compiled_passes_of_fleet(dtype)


def _products_of_fleet(dtype: str) -> tuple[Kernel, ...]:
    return _named(_passes_of_fleet(dtype), PRODUCTS)


# --- products
# --------------------------------------------------------------------------------------------------


def _operands(
    rows: int, inputs: int, outputs: int, dtype: str, phase: float = 0.0
) -> tuple[Array, Array, Array]:
    """x (rows, inputs), w (inputs, outputs) and d (rows, outputs)."""
    return (
        block(rows, inputs, dtype, phase),
        block(inputs, outputs, dtype, phase + 0.5),
        block(rows, outputs, dtype, phase + 1.0),
    )


def _in_numpy(x: Array, w: Array, d: Array) -> tuple[Array, Array, Array]:
    """x w, d wᵀ and xᵀ d."""
    x, w, d = wide(x), wide(w), wide(d)
    return x @ w, d @ w.T, x.T @ d


def _products(dtype: str) -> Iterator[ComparedArrays]:
    """Few rows go to BLAS, more of them to tiles; the last shape is large enough for tiles in
    all three.
    """
    for shape in ((3, 7, 5), (9, 7, 5), (128, 96, 100)):
        x, w, d = _operands(*shape, dtype)
        results = np.zeros_like(d), np.zeros_like(x), np.zeros_like(w)
        for kernel, operands, out in zip(
            _products_of_nets(dtype), ((x, w), (d, w), (x, d)), results, strict=True
        ):
            kernel(*operands, out)
        yield from map(ComparedArrays, PRODUCTS, results, _in_numpy(x, w, d))


def _fleet_products(dtype: str) -> Iterator[ComparedArrays]:
    count = fleet.lanes_of(dtype)
    nets = [_operands(9, 7, 5, dtype, float(lane)) for lane in range(count)]
    x, w, d = (
        np.ascontiguousarray(np.stack(each, axis=2)).reshape(len(each[0]), -1)
        for each in zip(*nets, strict=True)
    )
    results = np.zeros_like(d), np.zeros_like(x), np.zeros_like(w)
    for kernel, operands, out in zip(
        _products_of_fleet(dtype), ((x, w), (d, w), (x, d)), results, strict=True
    ):
        kernel(*operands, out)
    for lane, net in enumerate(nets):
        yield from map(
            ComparedArrays, PRODUCTS, (out[:, lane::count] for out in results), _in_numpy(*net)
        )


# --- steps
# --------------------------------------------------------------------------------------------------


def _layers() -> list[LayerSpec]:
    linear, start = spec_of("activation", "linear"), spec_of("initializer", "glorot_normal")
    return [LayerSpec(inputs, units, linear, start) for inputs, units in pairwise(SIZES)]


def _data(dtype: str, phase: float = 0.0) -> tuple[Array, Array]:
    return block(SAMPLES, SIZES[0], dtype, phase), block(SAMPLES, SIZES[-1], dtype, phase + 2.0)


def _network(dtype: str, regulation: Regulation, augmented: bool) -> Network:
    """A linear net whose batch is all samples, its parameters none of the initializer's."""
    sgd, mixup, image = (
        spec_of("optimizer", "sgd"),
        ALPHA if augmented else 0.0,
        IMAGE if augmented else (),
    )
    net = Network(
        _layers(),
        spec_of("loss", "mse"),
        sgd,
        batch=SAMPLES,
        seed=SEED,
        dtype=dtype,
        regulation=regulation,
        mixup=mixup,
        image=image,
    )
    net.parameters[:] = _parameters(len(net.parameters), dtype)
    return net


def _parameters(count: int, dtype: str, phase: float = 0.0) -> Array:
    return np.asarray(block(1, count, dtype, phase)[0] * 0.2)


class Plain(NamedTuple):
    """One step of plain gradient descent in NumPy; the lists have one entry per layer."""

    loss: float
    activations: list[Array]
    deltas: list[Array]
    gradients: list[Array]
    after: Array


def plain_step(parameters: Array, x: Array, y: Array, l2: float = 0.0) -> Plain:
    """parameters (P,): W and bias of each layer. The loss of a sample is Σ (p − y)², that of
    the batch the mean.
    """
    rest, matrices = wide(parameters), []
    for inputs, units in pairwise(SIZES):
        matrices.append(
            (
                rest[: inputs * units].reshape(inputs, units),
                rest[inputs * units : (inputs + 1) * units],
            )
        )
        rest = rest[(inputs + 1) * units :]
    a = [wide(x)]
    for w, b in matrices:
        a.append(a[-1] @ w + b)
    error = a[-1] - wide(y)
    deltas, gradients, after = [2 * error / len(x)], list[Array](), list[Array]()
    for (w, b), given in zip(reversed(matrices), reversed(a[:-1]), strict=True):
        d = deltas[0]
        gradients.insert(0, given.T @ d)
        after.insert(
            0,
            np.concatenate(
                [(w - RATE * (gradients[0] + 2 * l2 * w)).ravel(), b - RATE * d.sum(axis=0)]
            ),
        )
        deltas.insert(0, d @ w.T)
    return Plain(
        float(np.sum(error**2)) / len(x), a[1:], deltas[1:], gradients, np.concatenate(after)
    )


def _augmented(x: Array, y: Array) -> tuple[Array, Array]:
    """The batch of step 0 as shift and mixup make it."""
    order, partner = epoch_order(SEED, 0, SAMPLES), np.arange(SAMPLES)
    with np.errstate(over="ignore"):
        augmentation.partners(partner, np.uint64(SEED), np.uint64(0))
        key = stream(np.uint64(SEED), np.uint64(SHIFTS), np.uint64(0))
        moves = [
            (int(augmentation.moved(1, key, 2 * i)), int(augmentation.moved(1, key, 2 * i + 1)))
            for i in range(SAMPLES)
        ]
    (share,) = augmentation.mixing_shares(ALPHA, SEED, 0, 1)
    x, y = (
        np.array([_moved(row, *by) for row, by in zip(wide(x)[order], moves, strict=True)]),
        wide(y)[order],
    )
    return share * x + (1 - share) * x[partner], share * y + (1 - share) * y[partner]


def _moved(row: Array, down: int, right: int) -> Array:
    """A scaled image of 2 × 2 pixels, moved as it was before scaling, in a frame of FILL."""
    raw = np.where(SCALE == 0, SHIFT, row / np.where(SCALE == 0, 1, SCALE) + SHIFT)
    framed = np.pad(raw.reshape(2, 2), 1, constant_values=FILL)
    return np.asarray((framed[1 - down : 3 - down, 1 - right : 3 - right].ravel() - SHIFT) * SCALE)


def _step(
    dtype: str, regulation: Regulation = NOTHING, augmented: bool = False
) -> Iterator[ComparedArrays]:
    net, (x, y) = _network(dtype, regulation, augmented), _data(dtype)
    plain = plain_step(
        net.parameters, *(_augmented(x, y) if augmented else (x, y)), l2=regulation.l2
    )
    result = net.train(x, y, 0, np.array([RATE]))
    yield ComparedArrays("loss", result.scalars[0, BATCH_LOSS], wide(plain.loss))
    yield ComparedArrays("parameters after the step", net.parameters, plain.after)
    for name, expected in _statistics(plain).items():
        yield ComparedArrays(
            name, result.statistics[0, :, observe.STATISTICS.index(name)], wide(expected)
        )
    after = plain_step(net.parameters, x, y)
    found = net.evaluate(x, y)
    yield ComparedArrays("outputs in evaluation", found.outputs, after.activations[-1])
    yield ComparedArrays("loss in evaluation", wide(found.loss), wide(after.loss))


def _statistics(plain: Plain) -> dict[str, list[float]]:
    return {
        "activation_mean": [a.mean() for a in plain.activations],
        "activation_variance": [a.var() for a in plain.activations],
        "error_signal_rms": [SAMPLES * np.sqrt(np.mean(d**2)) for d in plain.deltas],
        "gradient_rms": [np.sqrt(np.mean(g**2)) for g in plain.gradients],
    }


def _fleet_step(dtype: str) -> Iterator[ComparedArrays]:
    seeds, sgd = list(range(fleet.lanes_of(dtype))), spec_of("optimizer", "sgd")
    nets = fleet.Fleet(
        _layers(), spec_of("loss", "mse"), sgd, batch=SAMPLES, seeds=seeds, dtype=dtype
    )
    count = sum((inputs + 1) * units for inputs, units in pairwise(SIZES))
    starts, data = (
        [_parameters(count, dtype, float(seed)) for seed in seeds],
        [_data(dtype, 0.1 * seed) for seed in seeds],
    )
    nets.load(starts)
    x, y = (np.stack(part, axis=2) for part in zip(*data, strict=True))
    nets.advance(x, y, 0, np.array([RATE]))
    for seed in seeds:
        yield ComparedArrays(
            "parameters after the step",
            nets.trained_in(seed).parameters,
            plain_step(starts[seed], *data[seed]).after,
        )
