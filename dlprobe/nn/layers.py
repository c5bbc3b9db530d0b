"""What one layer is made of, and the plan of its operations from which a program is assembled."""

from __future__ import annotations

from collections.abc import Sequence

from dlprobe.dataclass import dataclass
from dlprobe.nn import kernels, perturbation, program, residual
from dlprobe.nn.regulation import Regulation
from dlprobe.registry import Spec


@dataclass(frozen=True)
class LayerSpec:
    """What one layer is made of; `norm_after` puts the normalization behind the activation.

    `before`: perturbations of the layer's input, each with its random stream (a purpose of
        dlprobe.nn.random); `transform`: what W goes through before the product; `residual` adds the
        layer's input to its activation. Without `matrix` the layer only normalizes the net's input:
        initializer and bias are unused.
    """

    fan_in: int
    fan_out: int
    activation: Spec
    initializer: Spec
    bias_initializer: Spec | None = None
    norm: Spec | None = None
    norm_after: bool = False
    bias: bool = True
    before: tuple[tuple[Spec, int], ...] = ()
    transform: tuple[Spec, int] | None = None
    residual: Spec | None = None
    matrix: bool = True

    @property
    def units(self) -> int:
        """The width of a: half of fan_out behind a gate, else fan_out."""
        return int(self.activation.record.width(self.fan_out))

    @property
    def normalized(self) -> int:
        """The width that the normalization sees; 0 without."""
        return 0 if self.norm is None else self.units if self.norm_after else self.fan_out

    @property
    def activation_learned(self) -> tuple[float, ...]:
        """Initial values of the activation's own learned numbers."""
        return tuple(
            self.activation.record.learned(self.units, *self.activation.parameters.values())
        )


def layer_plan(
    layer: LayerSpec,
    layers: Sequence[LayerSpec],
    activation: kernels.KernelOperation,
    regulation: Regulation,
    dtype: str,
) -> program.LayerPlan:
    """The operations of one of the `layers` in their order, with this kernel of its activation."""
    steps = []
    if layer.matrix:
        learned = layer.activation_learned
        scratch = (0.0,) * (2 * layer.units if learned else 0)
        steps = [
            program.OperationPlan(activation, layer.units, program.ACTIVATION, learned, scratch)
        ]
    if layer.norm is not None:
        steps.insert(len(steps) if layer.norm_after else 0, _norm(layer.norm, layer, dtype))
    if layer.residual is not None:
        depth = sum(other.residual is not None for other in layers)
        operation, learned = residual.residual(layer.residual, depth, dtype)
        steps.append(program.OperationPlan(operation, layer.units, program.RESIDUAL, learned))
    penalized = regulation.activity_l1 > 0 or regulation.activity_l2 > 0
    if layer is not layers[-1] and penalized:
        operation = residual.activity_penalty(regulation.activity_l1, regulation.activity_l2, dtype)
        steps.append(program.OperationPlan(operation, layer.units, program.ACTIVITY, state=(0.0,)))
    before = tuple(
        program.OperationPlan(
            perturbation.perturbation(spec, purpose, dtype), layer.fan_in, program.PERTURBATION
        )
        for spec, purpose in layer.before
    )
    bias = layer.bias and layer.matrix
    transform = None if layer.transform is None else _transform(*layer.transform, layer, dtype)
    return program.LayerPlan(
        layer.fan_in, layer.fan_out, bias, tuple(steps), before, transform, layer.matrix
    )


def _transform(spec: Spec, purpose: int, layer: LayerSpec, dtype: str) -> program.OperationPlan:
    """A perturbation of W (drop-connect), or a weight transform such as weight standardization."""
    if spec.kind == "perturbation":
        operation = perturbation.perturbation(spec, purpose, dtype)
        return program.OperationPlan(operation, layer.fan_out, program.TRANSFORMATION)
    state = (0.0,) * spec.record.scratch(layer.fan_out)
    operation = kernels.normalization(spec, dtype)
    return program.OperationPlan(operation, layer.fan_out, program.TRANSFORMATION, state=state)


def _norm(norm: Spec, layer: LayerSpec, dtype: str) -> program.OperationPlan:
    """The record's first scale and shift; running mean 0 and running variance 1, then scratch."""
    record, units = norm.record, layer.normalized
    persistent = record.persistent(units)
    half = persistent // 2
    state = (0.0,) * half + (1.0,) * (persistent - half) + (0.0,) * record.scratch(units)
    operation, learned = kernels.normalization(norm, dtype), record.learned(units)
    coupled = record.couples_samples
    return program.OperationPlan(operation, units, program.NORMALIZATION, learned, state, coupled)
