"""Small nets that differ by seed and data only, trained side by side: one net per lane of a vector
register, see `lanes`.

A net of a few hundred weights leaves most of a processor idle: its rows are shorter than a
register, and walking through the layers costs more than their arithmetic. In a fleet that walk is
done once for all nets. What happens to a net does not depend on which nets are beside it or in
which lane it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.nn import kernels, lanes, linking, program
from dlprobe.nn.layers import LayerSpec
from dlprobe.nn.model import Work
from dlprobe.nn.network import NO_NUMBERS, Network, NetworkState
from dlprobe.nn.regulation import NOTHING, Regulation
from dlprobe.nn.tiles import AVAILABLE
from dlprobe.nn.vectors import VECTOR_BYTES
from dlprobe.parts.activations import Activation, GatedActivation, RowActivation
from dlprobe.parts.losses import RowLoss
from dlprobe.registry import Spec

Array = npt.NDArray[Any]

# Weights and biases of one net up to which a fleet is faster than its nets one after another, by
# 1.5 to 2.4 with 1 MB of second-level cache: beyond, the parameters of all of them leave it. Nets
# of 12,000 gain 1.3 to 1.5, of 43,000 nothing, and of 170,000 they lose a quarter.
LARGEST = 2**13


def lanes_of(dtype: str) -> int:
    """Number of nets in a fleet: numbers of this dtype in a vector register."""
    return VECTOR_BYTES // np.dtype(dtype).itemsize


def suits(layers: Sequence[LayerSpec], regulation: Regulation = NOTHING) -> bool:
    """Whether such nets can train in a fleet and are small enough to gain by it.

    They cannot where something takes all units of a layer, or all parameters of a net, together, or
    where numbers are drawn at random in a step.
    """
    parameters = sum((layer.fan_in + 1) * layer.fan_out for layer in layers if layer.matrix)
    joined = ("orthogonal", "clip_layer_norm", "clip_global_norm", "activity_l1", "activity_l2")
    apart = all(getattr(regulation, name) == getattr(NOTHING, name) for name in joined)
    return AVAILABLE and parameters <= LARGEST and apart and all(map(_unit_by_unit, layers))


def _unit_by_unit(layer: LayerSpec) -> bool:
    # nothing learned, nothing drawn
    known = type(layer.activation.record) in (Activation, GatedActivation, RowActivation)
    # batch norm takes the samples of a unit, all others the units of a sample
    norm = layer.norm is None or layer.norm.record.couples_samples
    alone = not layer.before and layer.transform is None and layer.residual is None
    return known and norm and alone and not layer.initializer.record.data_dependent


class Fleet(Network):
    """`lanes_of(dtype)` nets of the same layers as one wide net whose every number stands once per
    net, side by side.

    Arrays of parameters are (P, lanes) where those of a Network are (P,), samples (samples,
    features, lanes). Statistics of its steps are of all nets together.
    """

    def __init__(
        self,
        layers: Sequence[LayerSpec],
        loss: Spec,
        optimizer: Spec,
        *,
        batch: int,
        seeds: Sequence[int],
        dtype: str,
        regulation: Regulation = NOTHING,
    ):
        self.lanes = lanes_of(dtype)
        # one order of the samples for each
        self.seeds = np.array(seeds if len(set(seeds)) > 1 else seeds[:1], np.uint64)
        wide = [
            replace(layer, fan_in=layer.fan_in * self.lanes, fan_out=layer.fan_out * self.lanes)
            for layer in layers
        ]
        super().__init__(
            wide,
            loss,
            optimizer,
            batch=batch,
            seed=int(seeds[0]),
            dtype=dtype,
            regulation=regulation,
        )

    def initialize(self) -> None:
        """Everything but the parameters, which `load` gives."""
        self._begin()

    def load(self, parameters: Sequence[Array]) -> None:
        """Give each net its parameters, (P,) of the ordinary net."""
        self.parameters.reshape(-1, self.lanes)[:] = np.stack(parameters, axis=1)

    def trained_in(self, lane: int) -> NetworkState:
        """The trained state of one network of the fleet."""
        parameters, state, moments = (
            flat.reshape(-1, self.lanes)[:, lane].copy()
            for flat in (self.parameters, self._net.state, self._net.moments)
        )
        return NetworkState(parameters, state, moments, self._optimizer_values.copy())

    def lost(self) -> list[int]:
        """The lanes of nets that met NaN or infinity in the last step; where a loss alone
        overflowed, the lane with the largest number.
        """
        held = (self._net.blocks, self._net.deltas, self._net.gradients, self.parameters)
        # NaN passes through a maximum
        largest = np.max(
            [np.abs(flat.reshape(-1, self.lanes)).max(axis=0) for flat in held], axis=0
        )
        found = np.flatnonzero(~np.isfinite(largest))
        return [int(lane) for lane in (found if len(found) else [largest.argmax()])]

    def advance(
        self,
        inputs: Array,
        targets: Array,
        first_step: int,
        rates: npt.NDArray[np.float64],
        momenta: npt.NDArray[np.float64] = NO_NUMBERS,
    ) -> bool:
        """Whole steps of all nets on inputs (samples, features, lanes) and targets (samples,
        outputs, lanes); False once one net meets NaN or infinity.

        Each net visits its samples in the order of its own seed.
        """
        flat_inputs, flat_targets = (
            np.ascontiguousarray(data, self.dtype).reshape(len(data), -1)
            for data in (inputs, targets)
        )
        return not self.train(
            flat_inputs, flat_targets, first_step, rates, momenta=momenta
        ).diverged

    def _rows(self, batch: int) -> int:
        return batch

    def _team(self) -> tuple[Array, Array]:
        """Small nets have nothing to share."""
        return np.zeros(0, np.int64), np.zeros(0)

    def _plan(self, layer: LayerSpec) -> program.LayerPlan:
        plan = super()._plan(layer)
        return replace(plan, lanes=self.lanes)

    def _activation(self, layer: LayerSpec) -> kernels.KernelOperation:
        spec = layer.activation
        if not isinstance(spec.record, RowActivation):
            return super()._activation(layer)
        forward, backward = lanes.row_operation(
            spec.record, self.fused and layer is self.layers[-1], self.dtype.name
        )
        return kernels.KernelOperation(
            forward, backward, kernels.constants_of(spec.parameters, self.lanes)
        )

    def _loss(self) -> tuple[Any, tuple[float, ...]]:
        """A loss of whole rows goes through them net by net."""
        numbers = kernels.loss_constants(self.loss, self.layers[-1].units // self.lanes)
        record = self.loss.record
        joined = self.fused and record.fused_row is not None
        if not joined and not isinstance(record, RowLoss):
            return kernels.loss(self.loss.name, self.fused, self.dtype.name), numbers
        return lanes.loss(record, joined, len(numbers) - 1, self.dtype.name), (*numbers, self.lanes)

    def _passes(self) -> dict[str, int]:
        passes = super()._passes() | linking.passes_of_fleet(self.dtype.name)
        # in one order, samples of all nets are rows of one matrix
        return passes if len(self.seeds) > 1 else passes | {"gather": super()._passes()["gather"]}

    def _order(self, samples: int) -> npt.NDArray[np.int64]:
        return super()._order(samples * len(self.seeds))

    def work(self, *args: Any, **options: Any) -> Work:
        return super().work(*args, **options)._replace(seeds=self.seeds)
