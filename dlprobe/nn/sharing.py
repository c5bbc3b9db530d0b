"""What the threads of a team share: large products and the updates of large layers; see `teams`.

A layer below these sizes is made as ever, by the kernels in `Kernels`. Above them products go by
tiles always, which give the same bits however a product is cut, and sums of an update by parts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dlprobe.nn import teams
from dlprobe.nn.cache import EXACT, SUMS, inlined
from dlprobe.nn.calling import Kernel, address, invoke, kernel
from dlprobe.nn.kernels import PRECISIONS
from dlprobe.nn.model import Kernels, Net
from dlprobe.nn.positions import MAX_ABS_W, UPDATE_SUMS
from dlprobe.nn.shapes import (
    Address,
    Floats,
    Index,
    Matrix,
    Vector,
    signature_of,
)
from dlprobe.nn.teams import PRODUCT, PRODUCT_WITH_TRANSPOSED, TRANSPOSED_PRODUCT, UPDATE, share
from dlprobe.nn.tiles import AVAILABLE, VECTORS, multiply_part
from dlprobe.nn.vectors import VECTOR_BYTES
from dlprobe.nn.views import part

SMALLEST = 2**21  # multiply-adds of a product that is worth sharing
PART_ROWS = 64  # rows of dL/dW in a part; twice as many where they are long
WIDE = 1024  # numbers in a long row
PART_WEIGHTS = 2**16  # weights in a part of an update


class Product(NamedTuple):
    """The task of a product: out = a b, one of them transposed perhaps."""

    a: Matrix
    b: Matrix
    out: Matrix


class Update(NamedTuple):
    """The task of an update, as `kernels` describes its arguments; sums (parts · UPDATE_SUMS,)."""

    w: Vector
    g: Vector
    moments: Vector
    coefficients: Vector
    sums: Floats
    offset: Index
    stride: Index
    update: Address


@inlined(EXACT)
def part_width(out: Matrix) -> Index:
    """Columns in a part of a product: those of one tile, of four where rows are long."""
    return VECTORS * VECTOR_BYTES // out.itemsize * (4 if out.shape[1] > WIDE else 1)


@inlined(EXACT)
def part_height(out: Matrix) -> Index:
    """Rows in a part of a transposed product."""
    return 2 * PART_ROWS if out.shape[1] > WIDE else PART_ROWS


@inlined(EXACT)
def columns_of(out: Matrix, which: Index) -> tuple[Index, Index]:
    """The first column of a part of a product, and its end."""
    width = part_width(out)
    return which * width, min((which + 1) * width, out.shape[1])


def product_part(task: Product, which: Index) -> None:
    """Some columns of `product`."""
    first, end = columns_of(task.out, which)
    multiply_part(task.a, False, task.b, False, task.out, 0, len(task.out), first, end)


def product_with_transposed_part(task: Product, which: Index) -> None:
    """Some columns of `product_with_transposed`."""
    first, end = columns_of(task.out, which)
    multiply_part(task.a, False, task.b, True, task.out, 0, len(task.out), first, end)


def transposed_product_part(task: Product, which: Index) -> None:
    """Some rows of `transposed_product`."""
    height = part_height(task.out)
    first, end = which * height, min((which + 1) * height, len(task.out))
    multiply_part(task.a, True, task.b, False, task.out, first, end, 0, task.out.shape[1])


def update_part(task: Update, which: Index) -> None:
    """Step some of the weights."""
    first, end = which * PART_WEIGHTS, min((which + 1) * PART_WEIGHTS, len(task.w))
    invoke(
        task.update,
        (
            part(task.w, first, end),
            part(task.g, first, end),
            task.moments,
            task.offset + first,
            task.stride,
            task.coefficients,
            part(task.sums, which * UPDATE_SUMS, (which + 1) * UPDATE_SUMS),
        ),
    )


@inlined(EXACT)
def multiplied(
    net: Net, which: Index, whole: Address, a: Matrix, b: Matrix, out: Matrix, depth: Index
) -> None:
    """One of the three products, by the team if it is large, else by the kernel `whole`."""
    if len(net.team) == 0 or depth * out.size < SMALLEST:
        invoke(whole, (a, b, out))
        return
    length, size = (
        (len(out), part_height(out))
        if which == TRANSPOSED_PRODUCT
        else (out.shape[1], part_width(out))
    )
    parts = (length + size - 1) // size
    share(net.team, which, parts, (a, b, out))


@inlined(SUMS)
def step_weights(
    net: Net,
    kernels: Kernels,
    w: Vector,
    g: Vector,
    offset: Index,
    coefficients: Vector,
    sums: Floats,
) -> None:
    """The optimizer's update of a layer's weights, by the team if they are many."""
    stride, parts = len(net.parameters), (len(w) + PART_WEIGHTS - 1) // PART_WEIGHTS
    if len(net.team) == 0 or parts == 1:
        invoke(kernels.update, (w, g, net.moments, offset, stride, coefficients, sums))
        return
    of_parts = net.part_sums
    share(
        net.team,
        UPDATE,
        parts,
        (w, g, net.moments, coefficients, of_parts, offset, stride, kernels.update),
    )
    for k in range(UPDATE_SUMS):
        total, largest = 0.0, 0.0
        for which in range(parts):
            total += of_parts[which * UPDATE_SUMS + k]
            largest = max(largest, of_parts[which * UPDATE_SUMS + k])
        sums[k] = largest if k == MAX_ABS_W else total


@cache
def _part_kernels(dtype: str) -> dict[int, Kernel]:
    """What makes parts, by its word in a team."""
    functions: dict[int, Callable[..., None]] = {
        PRODUCT: product_part,
        PRODUCT_WITH_TRANSPOSED: product_with_transposed_part,
        TRANSPOSED_PRODUCT: transposed_product_part,
        UPDATE: update_part,
    }
    scalar = PRECISIONS[dtype].scalar
    return {
        word: kernel(signature_of(function, scalar), EXACT)(function)
        for word, function in functions.items()
    }


def team_of(
    largest: int, rows: int, dtype: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Memory with which threads share a net: the words of a team, int64, and the sums of each part
    of an update, float64 (parts · UPDATE_SUMS,). Both are empty where threads cannot share it or
    rows · largest is below SMALLEST.

    largest: weights of the largest layer. rows: samples of a batch.
    """
    if not AVAILABLE or not teams.AVAILABLE or rows * largest < SMALLEST:
        return np.zeros(0, np.int64), np.zeros(0)
    words = {word: address(function) for word, function in _part_kernels(dtype).items()}
    return teams.new_words(words), np.zeros(-(-largest // PART_WEIGHTS) * UPDATE_SUMS)
