"""The low-level contract on which all recorders stand: NumPy arrays of one training step, layer by
layer, become one row of a run file.

    from dlprobe.recorders.arrays import LayerArrays, Recorder

    with Recorder("run.h5", ["fc1", "fc2", "out"]) as recorder:
        for step, batch in enumerate(batches):
            ...  # forward, backward, and the update
            recorder.step(step, [LayerArrays(z=z, a=a, error_signal=dz, gradient=dW, weights=W) for
            z, a, dz, dW, W in mine], batch_loss=loss)

Every statistic is exactly what `dlprobe explain NAME` says, the same as of dlprobe's own runs. What
is left out is *not recorded*, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe import registry
from dlprobe.dataclass import dataclass
from dlprobe.record.description import LayerFacts, RunFacts
from dlprobe.record.scalars import SCALARS
from dlprobe.recorders import definitions
from dlprobe.recorders.run_file import RunFile
from dlprobe.recorders.slopes import elementwise, flat_below, slopes_of
from dlprobe.registry import counted

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class LayerArrays:
    """One layer in one training step, before its update; floating-point arrays, None where there is
    none. L is the batch's mean loss.

    * z: (samples, …, fan_out), preactivation x W + b; axes between are positions (pixels, tokens),
      each a row of its own
    * a: (samples, …, units), activation: before dropout, after a residual sum
    * error_signal: dL/dz, of the shape of z
    * activation_gradient: dL/da, of the shape of a; by default, of a chain of dense layers, the
      next layer's dL/dz Wᵀ
    * gradient: dL/dW before clipping, any shape; clipped_gradient: what the optimizer got, where
      that differs
    * weights, weights_after: W before and after the update, of the shape of `gradient`; (fan_in,
      fan_out) of a dense layer. bias: (fan_out,)
    * inputs: x (samples, …, fan_in); by default the previous layer's a, which is right without
      dropout
    * slopes: the activation's derivative at every z, of the shape of a; by default from the layer's
      activation, where it is known and elementwise
    """

    z: Array | None = None
    a: Array | None = None
    error_signal: Array | None = None
    activation_gradient: Array | None = None
    gradient: Array | None = None
    clipped_gradient: Array | None = None
    weights: Array | None = None
    weights_after: Array | None = None
    bias: Array | None = None
    inputs: Array | None = None
    slopes: Array | None = None


class Recorder:
    """Writes one run file from arrays.

    * path: the file; layers: names, or what is known of each layer (LayerFacts), index 0 nearest
      the input, the last one the output layer
    * facts: how the net is trained, as far as that is known; force: overwrite the file
    * origin: who trained it, a name of `dlprobe.record.description.ORIGINS`; environment:
      JSON-able, e.g. versions

    Raises RunFileError where the file exists, ValueError for layers without or with equal names.
    """

    def __init__(
        self,
        path: Path | str,
        layers: Sequence[LayerFacts | str],
        facts: RunFacts | None = None,
        *,
        force: bool = False,
        origin: str = "arrays",
        environment: Mapping[str, Any] | None = None,
    ) -> None:
        self._layers = [LayerFacts(layer) if isinstance(layer, str) else layer for layer in layers]
        self._facts, self._environment = facts or RunFacts(), dict(environment or {})
        self._file = RunFile(path, origin, force)
        self._updates = 0

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(
            "finished"
            if kind is None
            else "failed"
            if issubclass(kind, Exception)
            else "interrupted"
        )

    def data(
        self,
        x_train: Any,
        y_train: Any,
        x_val: Any = None,
        y_val: Any = None,
        *,
        keep: bool = False,
    ) -> None:
        """What the net is trained on, before the first step: shapes, ranges, class counts and a
        fingerprint are kept; the arrays only with `keep`, in the file, for whoever gets it. Raises
        ValueError later.
        """
        self._file.data(x_train, y_train, x_val, y_val, keep=keep)

    def step(self, step: int, layers: Sequence[LayerArrays], **scalars: float) -> None:
        """One step, counted from 0. layers: one entry per layer. scalars: by the names of
        `record.scalars`, e.g. batch_loss, learning_rate.

        Raises ValueError for another number of layers, for shapes that do not fit each other, and
        for unknown scalars.
        """
        if len(layers) != len(self._layers):
            raise ValueError(
                f"step {step} has {counted(len(layers), 'layer')}, expected {len(self._layers)}"
            )
        rows = statistics_of(layers, self._layers)
        if not self._file.begun:
            self._file.begin(self._layers, self._facts, self._environment)
        if wrong := next((name for name in scalars if name not in SCALARS), None):
            raise ValueError(registry.unknown("scalar", wrong, SCALARS))
        statistics = np.array(
            [[[row.get(name, math.nan) for name in registry.records("statistic")] for row in rows]]
        )
        self._file.rows(
            np.array([step], np.int64),
            statistics,
            np.array([[scalars.get(name, math.nan) for name in SCALARS]]),
        )
        self._updates = step + 1

    def evaluation(self, step: int | None = None, **values: float) -> None:
        """Losses and metrics after `step` updates (those recorded so far): train_loss,
        val_loss, train_error, val_error, … Raises ValueError for others.
        """
        self._file.evaluation(self._updates if step is None else step, values)

    def close(self, status: str = "finished") -> Path | None:
        """The run is over: finished, interrupted or failed. The path of the file; None where no
        step was recorded.
        """
        return self._file.close(status)


def statistics_of(
    arrays: Sequence[LayerArrays], facts: Sequence[LayerFacts]
) -> list[definitions.Numbers]:
    """The statistics of every layer by name, as far as its arrays give them. Raises ValueError
    for shapes that do not fit each other.
    """
    filled = [
        _with_inputs(array, arrays[index - 1].a if index else None)
        for index, array in enumerate(arrays)
    ]
    coupled = [
        any((later.normalization or "").startswith("batch") for later in facts[index:])
        for index in range(len(facts))
    ]
    with np.errstate(all="ignore"):
        rows = [
            _of_layer(each, fact.activation, mixed)
            for each, fact, mixed in zip(filled, facts, coupled, strict=True)
        ]
        for row, each, following in zip(rows, filled, filled[1:], strict=False):
            row |= _underflow(each, following)
    return [definitions.known(row) for row in rows]


def _with_inputs(layer: LayerArrays, previous: Array | None) -> LayerArrays:
    return (
        layer if layer.inputs is not None or previous is None else replace(layer, inputs=previous)
    )


def _of_layer(layer: LayerArrays, activation: str | None, coupled: bool) -> definitions.Numbers:
    """What one layer's own arrays give."""
    _check(layer)
    found: definitions.Numbers = {}
    forward = [each for each in (layer.z, layer.a) if each is not None]
    backward = [each for each in (layer.error_signal, layer.gradient) if each is not None]
    if forward:
        found["nonfinite_forward"] = definitions.nonfinite(*forward)
    if backward:
        found["nonfinite_backward"] = definitions.nonfinite(*backward)
    if layer.z is not None:
        found |= definitions.of_preactivation(layer.z)
    if layer.a is not None:
        found |= definitions.of_activation(layer.a)
    slopes = _slopes(layer, activation)
    if slopes is not None:
        found |= definitions.of_slopes(slopes, flat_below(activation))
    if layer.error_signal is not None:
        found |= definitions.of_error_signal(layer.error_signal, len(layer.error_signal))
        if (
            layer.inputs is not None
            and not coupled
            and layer.weights is not None
            and layer.weights.ndim == 2
        ):
            found["gradient_sample_rms"] = definitions.sample_gradient_rms(
                layer.inputs, layer.error_signal, len(layer.error_signal)
            )
    return found | _of_parameters(layer)


def _of_parameters(layer: LayerArrays) -> definitions.Numbers:
    """Gradient, weight and update statistics."""
    found: definitions.Numbers = {}
    if layer.gradient is not None:
        found |= definitions.of_gradient(layer.gradient)
        given = layer.gradient if layer.clipped_gradient is None else layer.clipped_gradient
        found["clipped_gradient_l2"] = definitions.of_gradient(given)["gradient_l2"]
    if layer.weights is not None:
        found |= definitions.of_weights(layer.weights)
        if layer.weights_after is not None:
            found["update_ratio"] = definitions.update_ratio(layer.weights, layer.weights_after)
    if layer.bias is not None:
        found["bias_rms"] = definitions.root_mean_square(layer.bias)
    return found


def _slopes(layer: LayerArrays, activation: str | None) -> Array | None:
    if layer.slopes is not None:
        return layer.slopes
    spec = elementwise(activation)
    return (
        None
        if spec is None or layer.z is None or layer.a is None or layer.z.shape != layer.a.shape
        else slopes_of(spec, layer.z, layer.a)
    )


def _underflow(layer: LayerArrays, following: LayerArrays) -> definitions.Numbers:
    """How much of dL/da the way back from the next layer lost."""
    gradient, signal = layer.activation_gradient, following.error_signal
    if (
        gradient is None
        and signal is not None
        and following.weights is not None
        and following.weights.ndim == 2
    ):
        gradient = signal @ following.weights.T
    return (
        {}
        if gradient is None or signal is None
        else {"underflow_count": definitions.underflow_count(gradient, signal)}
    )


def _check(layer: LayerArrays) -> None:
    """Raise ValueError for arrays of one layer that do not fit each other."""
    pairs = (
        ("error_signal", "z"),
        ("activation_gradient", "a"),
        ("slopes", "a"),
        ("clipped_gradient", "gradient"),
        ("weights_after", "weights"),
    )
    for one, other in (*pairs, ("gradient", "weights")):
        found, expected = getattr(layer, one), getattr(layer, other)
        if found is not None and expected is not None and found.shape != expected.shape:
            raise ValueError(
                f"{one} has shape {found.shape}, expected that of {other}, {expected.shape}"
            )
