"""One model: its memory, its kernels, and the few things that can be done with it from Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.dataclass import dataclass
from dlprobe.nn import (
    augmentation,
    calling,
    kernels,
    linking,
    observe,
    program,
    random,
    sharing,
    teams,
)
from dlprobe.nn.layers import LayerSpec, layer_plan
from dlprobe.nn.model import Kernels, Net, Work
from dlprobe.nn.records import Reference
from dlprobe.nn.regulation import NOTHING, Regulation, penalty
from dlprobe.nn.working import BlockResult, Evaluation, Evaluations, Loop, Steps
from dlprobe.registry import Spec

Array = npt.NDArray[Any]
NO_NUMBERS: npt.NDArray[np.float64] = np.zeros(0)
SQUARES_ARE_FINITE = 1e150  # numbers below this
EVALUATION_ROWS = 256  # evaluation works through a part in blocks of at least this many samples


@dataclass(frozen=True)
class NetworkState:
    """The trained state of a network: parameters (P,), the norms' running statistics, the
    optimizer's memory and the running numbers behind its parameters.
    """

    parameters: Array
    state: Array
    moments: Array
    optimizer_values: npt.NDArray[np.float64]


class Network:
    """A multi-layer perceptron with its compiled kernels and all memory preallocated.

    Deterministic in `seed`: initial parameters, batch order and random operations depend on it and
    on positions only.
    """

    def __init__(
        self,
        layers: Sequence[LayerSpec],
        loss: Spec,
        optimizer: Spec,
        *,
        batch: int,
        seed: int,
        dtype: str = "float32",
        keep_gradients: bool = False,
        regulation: Regulation = NOTHING,
        mixup: float = 0.0,
        image: tuple[float, ...] = (),
    ):
        """`image`: what shifts the samples of training steps (`augmentation.image_numbers`);
        none are shifted without.
        """
        self.layers = tuple(layers)
        self.seed, self.dtype, self.batch, self.keep_gradients = (
            seed,
            np.dtype(dtype),
            batch,
            keep_gradients or regulation.active,
        )
        self.regulation, self.mixup, self.image, self.watched = (
            regulation,
            mixup,
            image,
            keep_gradients,
        )
        self.loss, self.optimizer = loss, optimizer
        self.fused = (
            loss.record.fused is not None and loss.record.fused == layers[-1].activation.name
        )
        self.rows = self._rows(batch)
        self.program = program.assemble([self._plan(layer) for layer in layers], self.rows)
        self._kernels = self._link()
        self._order_made_of, self._kept_order = (0, 0), np.empty(0, np.int64)
        self._threads = [1]  # in a list: a net that nobody knows any more is freed at once
        self._net = self._allocate()
        self._run, self._evaluate = (
            self._assisted(linking.compiled_run(self.dtype.name)),
            self._assisted(linking.compiled_evaluate(self.dtype.name)),
        )
        self._model = linking.references(self._net, self._kernels, self.dtype.name)
        self.initialize()

    def _assisted(self, loop: Loop) -> Loop:
        """A compiled loop to which helpers are called, where the net has large layers."""
        team, threads = self._net.team, self._threads
        if len(team) == 0:
            return loop

        def with_helpers(*arguments: Any) -> Any:
            teams.call_helpers(team, threads[0])
            return loop(*arguments)

        return with_helpers

    @property
    def threads(self) -> int:
        """Threads that share large layers; what is computed does not depend on them."""
        return self._threads[0]

    @threads.setter
    def threads(self, threads: int) -> None:
        self._threads[0] = threads

    @cached_property
    def _unobserved_model(self) -> tuple[Reference, Reference]:
        """What evaluations work on: the same memory, and kernels that leave statistics out."""
        kernels = linking.unobserved(self._kernels, self.dtype.name)
        return linking.references(self._net, kernels, self.dtype.name)

    def _reference(self, work: Work) -> Reference:
        """What a block of steps or an evaluation works through, as compiled code gets it."""
        return linking.reference(work, self.dtype.name)

    def _plan(self, layer: LayerSpec) -> program.LayerPlan:
        return layer_plan(
            layer, self.layers, self._activation(layer), self.regulation, self.dtype.name
        )

    def _link(self) -> Kernels:
        update, prepare = kernels.optimizer(self.optimizer.name, self.dtype.name)
        forward = np.array(
            [calling.address(operation.forward) for operation in self.program.kernels]
        )
        backward = np.array(
            [calling.address(operation.backward) for operation in self.program.kernels]
        )
        return Kernels(
            forward,
            backward,
            *map(calling.address, (self._loss()[0], update, prepare)),
            **self._passes(),
        )

    def _rows(self, batch: int) -> int:
        """The samples that the buffers hold at a time."""
        return max(batch, EVALUATION_ROWS)

    def _activation(self, layer: LayerSpec) -> kernels.KernelOperation:
        joined = self.fused and layer is self.layers[-1]
        return kernels.activation(layer.activation, self.dtype.name, joined)

    def _loss(self) -> tuple[Any, tuple[float, ...]]:
        """The loss's kernel and the constants it is called with."""
        return kernels.loss(self.loss.name, self.fused, self.dtype.name), kernels.loss_constants(
            self.loss, self.layers[-1].units
        )

    def _passes(self) -> dict[str, int]:
        return linking.passes(
            self.dtype.name,
            regulated=self.regulation.active,
            augmented=self.mixup > 0 or len(self.image) > 0,
        )

    def _team(self) -> tuple[Array, Array]:
        """The words by which threads share large layers, and room for what their parts sum up."""
        largest = max(layer.fan_in * layer.fan_out for layer in self.layers)
        return sharing.team_of(largest, self.batch, self.dtype.name)

    def _order(self, samples: int) -> npt.NDArray[np.int64]:
        """Where the order of an epoch is written, and kept from block to block."""
        made_of = (samples, self.seed)
        if self._order_made_of != made_of:
            self._order_made_of, self._kept_order = made_of, np.full(samples + 1, -1, np.int64)
        return self._kept_order

    def _allocate(self) -> Net:
        table, rows, dtype = self.program, self.rows, self.dtype
        widest = max(max(layer.fan_in, layer.fan_out) for layer in self.layers)
        largest = max(int(row[program.END] - row[program.START]) for row in table.layers)
        smaller = max(min(layer.fan_in, layer.fan_out) for layer in self.layers)
        line = -(-rows * widest // program.LINE) * program.LINE
        team, part_sums = self._team()
        return Net(
            layers=table.layers,
            operations=table.operations,
            constants=np.array(table.constants, dtype),
            parameters=program.aligned(table.parameters, dtype),
            gradients=program.aligned(table.parameters if self.keep_gradients else largest, dtype),
            data_gradients=program.aligned(
                table.parameters if self.watched and self.regulation.active else 0, dtype
            ),
            moments=program.aligned(table.parameters * self.optimizer.record.states, dtype),
            state=program.aligned(table.state, dtype),
            blocks=program.aligned(table.block, dtype),
            carry=program.aligned(
                rows * widest if (table.layers[:, program.SKIPPED] > 0).any() else 0, dtype
            ),
            weight_delta=program.aligned(
                largest
                if (table.layers[:, program.TRANSFORM] >= 0).any() or self.regulation.active
                else 0,
                dtype,
            ),
            gram=program.aligned(smaller**2 if self.regulation.orthogonal > 0 else 0, dtype),
            deltas=program.aligned(3 * line, dtype).reshape(3, line),
            targets=program.aligned(rows * self.layers[-1].units, dtype),
            no_bias=program.aligned(widest, dtype),
            peak=program.aligned(widest, dtype),
            input_square=np.zeros(rows * (len(self.layers) + 1)),
            error_square=np.zeros(rows),
            narrow=program.aligned(widest, dtype),
            wide=program.aligned(widest, np.float64),
            row_weight=np.ones(rows, dtype),
            image=np.array(self.image, dtype),
            loss_constants=np.array(self._loss()[1], dtype),
            team=team,
            part_sums=part_sums,
        )

    @property
    def parameters(self) -> Array:
        """All learned numbers, flat (P,), of the net's dtype, writable: per layer W row-major
        (fan_in, fan_out), bias, then what its operations learn in their order: norm scale and
        shift, activation slopes.
        """
        return self._net.parameters

    def penalties(self, parameters: Array) -> npt.NDArray[np.float64]:
        """The penalty terms of parameters (n, P) like `parameters`, (n,); those of activations are
        not among them. NaN where a number's square overflows.
        """
        largest = max(float(parameters.max()), -float(parameters.min()))
        if not self.regulation.active and largest < SQUARES_ARE_FINITE:
            return np.zeros(len(parameters))
        indices = range(len(self.layers))
        return np.array(
            [
                penalty(
                    self.regulation,
                    [self.weights_in(flat, index) for index in indices],
                    [self.biases_in(flat, index) for index in indices],
                )
                for flat in parameters
            ]
        )

    @property
    def memory(self) -> Net:
        """All buffers, for the other modules of this folder."""
        return self._net

    @property
    def gradients(self) -> Array:
        """dL/d parameters of the last step, L the data loss, like `parameters`; whole only with
        keep_gradients.
        """
        return self._net.data_gradients if len(self._net.data_gradients) else self._net.gradients

    def offsets(self) -> dict[str, list[int]]:
        """First position of each layer's numbers in `parameters`, (layer,) lists of int, −1 where
        it has none: `weight_offset`, `bias_offset`, `norm_scale_offset`, `norm_shift_offset`,
        `activation_offset`, `residual_offset`.
        """
        rows = self.program.layers
        norm = self.program.norm_offsets
        return {
            "weight_offset": [int(row[program.WEIGHT]) for row in rows],
            "bias_offset": [int(row[program.BIAS]) for row in rows],
            "norm_scale_offset": [scale for scale, _ in norm],
            "norm_shift_offset": [shift for _, shift in norm],
            "activation_offset": self.program.activation_offsets,
            "residual_offset": [self._residual_offset(index) for index in range(len(rows))],
        }

    def parameter_counts(self) -> list[int]:
        """Trained parameters of each layer: weights, biases, norm scale and shift, residual
        factor.
        """
        return [int(row[program.END] - row[program.START]) for row in self.program.layers]

    def _residual_offset(self, index: int) -> int:
        rows = [
            row
            for row in self.program.operations_of(index, program.RESIDUAL)
            if row[program.LEARNED_END] > row[program.LEARNED]
        ]
        return int(rows[0][program.LEARNED]) if rows else -1

    def weights(self, index: int) -> Array:
        """The weight matrix of a layer, a view (fan_in, fan_out); (0, fan_out) of a layer
        without one.
        """
        return self.weights_in(self.parameters, index)

    def weights_in(self, flat: Array, index: int) -> Array:
        """The weight matrix of a layer, or its gradient, in an array (P,) like `parameters`: a
        view (fan_in, fan_out).
        """
        layer, start = self.layers[index], int(self.program.layers[index, program.WEIGHT])
        if start < 0:
            return flat[:0].reshape(0, layer.fan_out)
        return flat[start : start + layer.fan_in * layer.fan_out].reshape(
            layer.fan_in, layer.fan_out
        )

    def biases(self, index: int) -> Array:
        """The bias parameters of a layer, a view (fan_out,), empty without bias."""
        return self.biases_in(self.parameters, index)

    def biases_in(self, flat: Array, index: int) -> Array:
        """The biases of a layer, or their gradient, in an array (P,) like `parameters`: a view
        (fan_out,), empty without bias.
        """
        start = int(self.program.layers[index, program.BIAS])
        return flat[start : start + self.layers[index].fan_out] if start >= 0 else flat[:0]

    def preactivations(self, index: int, rows: int) -> Array:
        """z of a layer for the batch or block of `rows` samples that was last worked through, a
        view (rows, fan_out).
        """
        row = self.program.layers[index]
        return self._block(int(row[program.Z]), rows, int(row[program.FAN_OUT]))

    def activations(self, index: int, rows: int) -> Array:
        """a of a layer for the batch or block of `rows` samples that was last worked through, a
        view (rows, units).
        """
        row = self.program.layers[index]
        return self._block(int(row[program.OUTPUT]), rows, int(row[program.UNITS]))

    def _block(self, offset: int, rows: int, width: int) -> Array:
        return self._net.blocks[offset : offset + rows * width].reshape(rows, width)

    def initialize(self) -> None:
        """Draw all parameters anew from the seed; running statistics, optimizer memory and step
        count start over.
        """
        self._begin()
        for index, layer in enumerate(self.layers):
            if not layer.matrix:
                continue
            record, values = layer.initializer.record, layer.initializer.parameters.values()
            rng = random.generator(self.seed, random.WEIGHTS, index)
            self.weights(index)[:] = record.weights(rng, layer.fan_in, layer.fan_out, *values)
            if layer.bias:
                self.biases(index)[:] = self._initial_biases(index, layer)
        for start, learned in self.program.initial_learned:
            self.parameters[start : start + len(learned)] = learned

    def _begin(self) -> None:
        """Running statistics and the optimizer's memory as they are before the first step."""
        self._optimizer_values = self._initial_optimizer_values()
        self._net.moments.reshape(-1, max(len(self.parameters), 1)).T[:] = self._initial_moments()
        self._net.state[:] = 0
        for start, state in self.program.initial_state:
            self._net.state[start : start + len(state)] = state

    def snapshot(self) -> tuple[Array, Array]:
        """Copies of what evaluations depend on: all parameters and the normalizations' running
        statistics.
        """
        return self.parameters.copy(), self._net.state.copy()

    def restore(self, snapshot: tuple[Array, Array]) -> None:
        """Put back what `snapshot` copied; the optimizer's memory stays."""
        self._net.parameters[:], self._net.state[:] = snapshot

    @property
    def trained(self) -> NetworkState:
        """The trained state: views of its own memory."""
        return NetworkState(
            self._net.parameters, self._net.state, self._net.moments, self._optimizer_values
        )

    def adopt(self, trained: NetworkState) -> None:
        """Become a net of the same layers that was trained elsewhere."""
        self._net.parameters[:], self._net.state[:], self._net.moments[:] = (
            trained.parameters,
            trained.state,
            trained.moments,
        )
        self._optimizer_values = trained.optimizer_values.copy()

    def _initial_biases(self, index: int, layer: LayerSpec) -> Array | float:
        rng = random.generator(self.seed, random.BIASES, index)
        if layer.bias_initializer is not None:
            spec = layer.bias_initializer
            return spec.record.weights(rng, 1, layer.fan_out, *spec.parameters.values())[0]
        record = layer.initializer.record
        if record.biases is None:
            return 0.0
        return record.biases(
            rng, layer.fan_in, layer.fan_out, *layer.initializer.parameters.values()
        )

    def _initial_optimizer_values(self) -> npt.NDArray[np.float64]:
        """The optimizer's parameters, and behind them the numbers that it carries from step to
        step.
        """
        return np.array(
            [*map(float, self.optimizer.parameters.values()), *self.optimizer.record.running]
        )

    def _initial_moments(self) -> Array:
        record = self.optimizer.record
        return np.array(
            record.initial(*self.optimizer.parameters.values())
            if record.initial
            else [0.0] * record.states,
            self.dtype,
        )

    def optimizer_state(self, index: int) -> Array:
        """The optimizer's state of a layer's weights, such as moments: a copy (states,
        fan_in·fan_out).
        """
        start, size = int(self.program.layers[index, program.WEIGHT]), self.weights(index).size
        return self._net.moments.reshape(self.optimizer.record.states, -1)[
            :, start : start + size
        ].copy()

    def scale_to_unit_variance(
        self, inputs: Array, tolerance: float = 0.01, rounds: int = 10
    ) -> None:
        """LSUV: divide each data-dependent layer's weights by the s.d. of its preactivations on
        `inputs` (samples, features), layer after layer.

        Preactivations are those of training: batches of the net's size, with the norm's batch
        statistics and random operations.
        """
        targets = np.zeros((len(inputs), self.layers[-1].units), self.dtype)
        dependent = [
            (index, layer)
            for index, layer in enumerate(self.layers)
            if layer.matrix and layer.initializer.record.data_dependent
        ]
        for index, _ in dependent:
            for _ in range(rounds):
                variance = self._preactivation_variance(index, inputs, targets)
                if not variance > 0 or not math.isfinite(variance) or abs(variance - 1) < tolerance:
                    break
                self.weights(index)[:] /= math.sqrt(variance)

    def _preactivation_variance(self, index: int, inputs: Array, targets: Array) -> float:
        """Var z over all samples as training sees them, in batches, so that batch norm uses the
        batch's statistics; leaves nothing changed.
        """
        kept, moments = self.snapshot(), self._net.moments.copy()
        counts = np.minimum(self.batch, len(inputs) - np.arange(0, len(inputs), self.batch))
        seen = (
            self.train(inputs, targets, 0, np.zeros(len(counts)), keep_gradients=False)
            .statistics[:, index]
            .astype(np.float64)
        )
        self.restore(kept)
        self._net.moments[:] = moments
        if len(seen) < len(counts):
            return math.nan
        mean, square = (
            np.average(seen[:, column], weights=counts)
            for column in (observe.PREACTIVATION_MEAN, observe.PREACTIVATION_MEAN_SQUARE)
        )
        return float(square - mean * mean)

    def work(
        self,
        inputs: Array,
        targets: Array,
        order: Array,
        batch: int,
        first_step: int,
        rates: Array = NO_NUMBERS,
        momenta: Array = NO_NUMBERS,
        weights: Array | None = None,
        keep_gradients: bool = False,
    ) -> Work:
        """The record of a block of steps from step `first_step`, or of an evaluation of samples in
        `order`, `batch` at a time.
        """
        each = np.zeros(0, self.dtype) if weights is None else weights
        data = (inputs, targets, each, order, batch, np.array([self.seed], np.uint64), first_step)
        known = list(self.optimizer.parameters)
        momentum = (
            known.index(self.optimizer.record.momentum) if self.optimizer.record.momentum else -1
        )
        mixing = (
            augmentation.mixing_shares(self.mixup, self.seed, first_step, len(rates))
            if self.mixup > 0
            else np.zeros(0)
        )
        how = (
            self.regulation.values(),
            mixing,
            self.fused,
            keep_gradients or self.regulation.active,
            self.regulation.active,
        )
        return Work(*data, rates, momenta, momentum, self._optimizer_values, *how)

    def steps(
        self,
        inputs: Array,
        targets: Array,
        first_step: int,
        rates: npt.NDArray[np.float64],
        weights: Array | None = None,
        momenta: npt.NDArray[np.float64] = NO_NUMBERS,
        *,
        keep_gradients: bool = True,
    ) -> Steps:
        """A block of len(rates) whole steps from step `first_step`, one learning rate each, and one
        momentum each where `momenta` is not empty; none is done yet.

        inputs (samples, features), targets (samples, outputs) and weights (samples,) of the net's
        dtype, row-major. A batch's loss is the mean of w_i ℓ_i, w_i = 1 without weights. Stops
        after the first step that meets NaN or infinity.
        keep_gradients = False spares a net that keeps its gradients this for these steps; the
        numbers are the same.
        """
        work = self.work(
            inputs,
            targets,
            self._order(len(inputs)),
            self.batch,
            first_step,
            rates,
            momenta,
            weights,
            self.keep_gradients and keep_gradients,
        )
        shape = (len(rates), len(self.layers), len(observe.STATISTICS))
        return Steps(self._run, self._model, self._reference(work), shape, self.dtype)

    def train(self, *arguments: Any, **options: Any) -> BlockResult:
        """Run a whole block of `steps`, which takes the same arguments."""
        block = self.steps(*arguments, **options)
        block.run(block.room)
        return block.result

    def evaluate(self, inputs: Array, targets: Array, *, dead: bool = False) -> Evaluation:
        """The net on all given samples in evaluation mode (running statistics, no random
        operations).
        """
        taken = self.evaluations(inputs, targets, dead=dead)
        taken.take()
        return taken.last

    def evaluations(
        self,
        inputs: Array,
        targets: Array,
        *,
        dead: bool = False,
        classes: bool = False,
        room: int = 1,
    ) -> Evaluations:
        """Room for `room` evaluations on all given samples; none is made yet."""
        work = self.work(inputs, targets, np.arange(len(inputs)), self.rows, 0)
        return Evaluations(
            self._evaluate,
            self._unobserved_model,
            self._reference(work),
            [layer.units for layer in self.layers],
            len(inputs),
            self.dtype,
            dead=dead,
            classes=classes,
            room=room,
        )
