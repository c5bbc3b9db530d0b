"""Activations of a whole row: probabilities of classes and their logarithms."""

from __future__ import annotations

import math

from dlprobe.parts.activations.records import Array, add_row_activation
from dlprobe.parts.scalar import exp, like, log


def softmax_row(z: Array, a: Array) -> None:
    largest = z[0]
    for j in range(1, len(z)):
        largest = max(largest, z[j])
    total = like(z[0], 0.0)
    for j in range(len(z)):  # apart from the sum, whose order is kept, it is vectorised
        a[j] = exp(z[j] - largest)
    for j in range(len(z)):
        total += a[j]
    scale = like(z[0], 1.0) / total
    for j in range(len(z)):
        a[j] = a[j] * scale


def softmax_columns(z: Array, a: Array, scratch: Array) -> None:
    largest, total = scratch[0], scratch[1]
    for n in range(len(largest)):
        largest[n] = z[0, n]
        total[n] = like(z[0, 0], 0.0)
    for j in range(1, len(z)):
        row = z[j]
        for n in range(len(largest)):
            largest[n] = max(largest[n], row[n])
    for j in range(len(z)):
        row, out = z[j], a[j]
        for n in range(len(largest)):
            out[n] = exp(row[n] - largest[n])
            total[n] += out[n]
    for j in range(len(z)):
        out = a[j]
        for n in range(len(largest)):
            out[n] = out[n] * (like(z[0, 0], 1.0) / total[n])


def softmax_row_backward(a: Array, da: Array, dz: Array) -> None:
    inner = like(a[0], 0.0)
    for j in range(len(a)):
        inner += a[j] * da[j]
    for j in range(len(a)):
        dz[j] = a[j] * (da[j] - inner)


add_row_activation(
    name="softmax",
    summary="row of probabilities that sum to 1",
    formula="a_j = e^z_j / Σ_k e^z_k",
    slope_formula="∂a_j/∂z_k = a_j(δ_jk − a_k)",
    row_value=softmax_row,
    row_backward=softmax_row_backward,
    output_range=lambda: (0.0, 1.0),
    sums_to_one=True,
    columns_value=softmax_columns,
    source="Bridle 1990",
    use="The output of classifiers, with cross_entropy.",
    traps="PyTorch's CrossEntropyLoss applies it itself: softmax followed by that loss applies "
    "it twice. Here cross_entropy takes the softmax's values.",
)


def log_softmax_row(z: Array, a: Array) -> None:
    largest = z[0]
    for j in range(1, len(z)):
        largest = max(largest, z[j])
    total = like(z[0], 0.0)
    for j in range(len(z)):
        a[j] = exp(z[j] - largest)
    for j in range(len(z)):
        total += a[j]
    shift = log(total)
    for j in range(len(z)):
        a[j] = z[j] - largest - shift


def log_softmax_row_backward(a: Array, da: Array, dz: Array) -> None:
    total = like(a[0], 0.0)
    for j in range(len(a)):
        total += da[j]
    for j in range(len(a)):
        dz[j] = da[j] - exp(a[j]) * total


add_row_activation(
    name="log_softmax",
    summary="logarithms of the softmax probabilities",
    formula="a_j = z_j − ln Σ_k e^z_k",
    slope_formula="∂a_j/∂z_k = δ_jk − e^a_k",
    row_value=log_softmax_row,
    row_backward=log_softmax_row_backward,
    output_range=lambda: (-math.inf, 0.0),
    source="Bridle 1990 for softmax; the logarithm is taken for accuracy",
    use="Log-probabilities as outputs, e.g. for a likelihood of your own.",
    traps="Not for cross_entropy, which here takes probabilities and joins softmax with its "
    "logarithm itself.",
)


def sparsemax_row(z: Array, a: Array) -> None:
    # Michelot's iteration: τ of the candidates, drop those below, until none falls out; exact after
    # at most len(z) rounds, usually 2 to 4
    largest = z[0]
    for j in range(1, len(z)):
        largest = max(largest, z[j])
    zero = like(z[0], 0.0)
    cut = zero - like(z[0], 1.0)  # entries more than 1 below the largest are never in
    kept, before = zero, zero - like(z[0], 1.0)
    while kept != before:
        before, kept, total = kept, zero, zero
        for j in range(len(z)):
            if z[j] - largest > cut:
                kept += like(z[0], 1.0)
                total += z[j] - largest
        if kept != before and kept > zero:
            cut = (total - like(z[0], 1.0)) / kept
    for j in range(len(z)):
        a[j] = max(z[j] - largest - cut, zero)


def sparsemax_row_backward(a: Array, da: Array, dz: Array) -> None:
    zero = like(a[0], 0.0)
    count = total = zero
    for j in range(len(a)):
        count += like(a[0], 1.0) if a[j] > zero else zero
        total += da[j] if a[j] > zero else zero
    mean = total / max(count, like(a[0], 1.0))
    for j in range(len(a)):
        dz[j] = da[j] - mean if a[j] > zero else zero


add_row_activation(
    name="sparsemax",
    summary="projection onto the probabilities: small entries become exactly 0",
    formula="a_j = max(z_j − τ, 0), τ such that Σ_j a_j = 1",
    slope_formula="∂a_j/∂z_k = δ_jk − 1/|S| for j, k in the support S = {a > 0}, else 0",
    row_value=sparsemax_row,
    row_backward=sparsemax_row_backward,
    output_range=lambda: (0.0, 1.0),
    sums_to_one=True,
    source="Martins & Astudillo 2016, From softmax to sparsemax",
    use="Attention and class probabilities that should be exactly 0 for most entries.",
    traps="A wrong class with probability 0 gets no gradient, and cross_entropy of a right "
    "class with probability 0 is the clipped loss: use mse with it.",
)
