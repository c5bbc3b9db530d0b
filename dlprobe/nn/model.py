"""The three records that the training loop works on: a model's memory, its kernels, and what a
block of steps works through.

One line per field: its name, its type (`shapes`), and its shape with the meaning. Both the named
tuples that Python fills and the types that kernels are compiled for are made from these lines. P:
all learned numbers of the net. Rows: samples that the buffers hold.
Buffers that nothing in a net needs have no elements. Lengths are in elements.
"""

from __future__ import annotations

from typing import NamedTuple

from dlprobe.nn.shapes import (
    Address,
    Addresses,
    Counters,
    Flag,
    Floats,
    Index,
    Integers,
    IntegerTable,
    Matrix,
    Vector,
)


class Net(NamedTuple):
    """All memory of one model."""

    layers: IntegerTable  # (layer, column): where each layer's numbers stand; columns in `program`
    # (operation, column): what the layers do, in order; columns in `program`
    operations: IntegerTable
    constants: Vector  # (constants of all operations,): their hyperparameters
    parameters: Vector  # (P,): what is learned
    # (P,) dL/d parameters where gradients are kept, else of the largest layer alone
    gradients: Vector
    # (P,) or (0,): gradients before penalties and clipping, where somebody looks at them
    data_gradients: Vector
    # (states · P,): what the optimizer remembers, one array of P numbers after the other
    moments: Vector
    # (numbers of all operations,): what they remember, e.g. running statistics, and their scratch
    state: Vector
    blocks: Vector  # (sum over blocks,): one batch of every layer's inputs and outputs
    # (rows · widest,) or (0,): the derivative that goes around a layer with a residual sum
    carry: Vector
    # (largest layer,) or (0,): dL/d of a transformed W; W before its constraints
    weight_delta: Vector
    gram: Vector  # (smaller side of W squared,) or (0,): WᵀW of the orthogonal penalty
    deltas: Matrix  # (3, rows · widest): the buffers that dL/da and dL/dz pass through in turn
    targets: Vector  # (rows · outputs,): the targets of the batch
    no_bias: Vector  # (widest,) of 0: the bias of layers without one
    peak: Vector  # (widest,): of each unit 0 only where all its slopes on the batch were 0
    # ((layers + 1) · rows,): each sample's Σ x² of every layer's input, then of the output
    input_square: Floats
    error_square: Floats  # (rows,): each sample's Σ (dL/dz)² of the layer that is at work
    narrow: Vector  # (widest,): scratch for each unit's sum, in T
    wide: Floats  # (widest,): scratch for each unit's sum, in float64
    row_weight: Vector  # (rows,): each sample's weight in the loss
    # (3 + 3 · features,) or (0,): what shifts samples, as `augmentation.image_numbers` lays it out
    image: Vector
    loss_constants: Vector  # (constants,): the loss's hyperparameters and the share of each output
    team: Integers  # (teams.WORDS,): by which threads share large layers, or (0,) where none is
    part_sums: Floats  # (parts · UPDATE_SUMS,): `sums` of each part of the largest layer's update


class Kernels(NamedTuple):
    """Addresses of kernels, and from `gather` on of the passes; compiled into each other, these
    would cost a cold cache seconds more.
    """

    forward: Addresses  # (kernels,): of the operations, by the layer program's kernel numbers
    backward: Addresses  # (kernels,): of the operations, by the same numbers
    loss: Address  # the loss and its derivative
    update: Address  # the optimizer's step
    prepare: Address  # the coefficients of one step of the optimizer
    finish: Address  # the end of a step that changes gradients first; 0 where no step does
    gather: Address  # copies a batch
    forward_layer: Address  # one layer forward
    backward_layer: Address  # one layer backward, and its update
    product: Address  # x W
    product_with_transposed: Address  # dL/dz Wᵀ
    transposed_product: Address  # xᵀ dL/dz
    add_bias: Address  # z + b, and the statistics of z
    observe_activation: Address  # the statistics of a
    observe_error: Address  # dL/db, and the statistics of dL/dz


class Work(NamedTuple):
    """What a block of steps, or an evaluation, works through."""

    inputs: Matrix  # (samples, features): prepared data
    targets: Matrix  # (samples, outputs): prepared targets
    weights: Vector  # (samples,) each sample's weight in the loss, or (0,) where all weigh 1
    # (nets · samples + 1,): the order of an epoch, and which epoch that is, −1 for none yet; in
    # evaluation the order alone
    order: Integers
    batch: Index  # samples per batch
    seeds: Counters  # (nets,): one per net of a fleet with orders of their own, else (1,)
    first_step: Index  # the number of the first step in the run
    rates: Floats  # (steps,): the learning rate of each step
    # (steps,) the optimizer's momentum in each step, or (0,) where it is not cycled
    momenta: Floats
    momentum: Index  # which of the optimizer's parameters the momentum is; −1 without
    # (parameters + running numbers,): those of the optimizer, changed by `prepare`
    optimizer_parameters: Floats
    regulation: Floats  # (12,): the numbers of a Regulation
    mixing: Floats  # (steps,) mixup's share of each step, or (0,)
    fused: Flag  # the loss is joined with the last activation and gives dL/dz
    keep_gradients: Flag  # `gradients` of the net holds those of all layers at once
    deferred: Flag  # parameters are stepped by `finish`, after the last gradient is known
