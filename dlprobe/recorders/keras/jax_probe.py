"""The probe of a Keras model on the jax backend: a pure function of the weights and of zero taps on
every z.

`stateless_call` leaves weights, running statistics and seeds as they are. The derivative by a tap
that is added to z is dL/dz; so one call of `jax.value_and_grad` gives z, a, dL/dz and dL/dW of
every layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np

from dlprobe.errors import ConfigError
from dlprobe.record.description import LayerFacts, RunFacts
from dlprobe.recorders.arrays import LayerArrays, Recorder
from dlprobe.recorders.model_probe import ModelProbe
from dlprobe.recorders.slopes import elementwise

ACTIVATIONS = {
    "hard_sigmoid": "hard_sigmoid",
    "swish": "silu",
    "softmax": "softmax",
    "log_softmax": "log_softmax",
}
PROBED = "every row is of one extra pass on a fixed batch, so updates are not recorded"


class KerasProbe(ModelProbe):
    """What `Probe` makes of a Keras model on jax. loss_fn(output, targets) gives the batch's
    mean loss; batch: (inputs, targets).
    """

    def __init__(
        self,
        model: Any,
        loss_fn: Callable[[Any, Any], Any],
        batch: tuple[Any, Any],
        path: Path,
        *,
        optimizer: Any = None,
        force: bool = False,
    ) -> None:
        if not model.built:
            raise ConfigError(
                "the model is not built: call it once, or give it an Input, before it is probed"
            )
        self._model, self._loss_fn, self._batch, self._optimizer = model, loss_fn, batch, optimizer
        leaves = [
            layer
            for layer in model._flatten_layers(include_self=False, recursive=True)
            if layer.variables and hasattr(layer, "kernel")
        ]
        self._layers = {layer.name: layer for layer in leaves if hasattr(layer, "activation")}
        if not self._layers:
            raise ConfigError("the model has no Dense or convolution layer to probe")
        _, shown = self._run(self._trainable, {})
        self._layers = {name: self._layers[name] for name in shown}  # in the order of their calls
        self._shapes = {name: (entry["z"].shape, entry["z"].dtype) for name, entry in shown.items()}
        self.recorder = Recorder(
            path,
            [_facts(layer) for layer in self._layers.values()],
            RunFacts(notes=(PROBED,)),
            force=force,
            origin="keras",
            environment=self._environment,
        )

    def run_pass(self, step: int) -> None:
        trainable = self._trainable
        taps = {
            name: jax.numpy.zeros(shape, dtype) for name, (shape, dtype) in self._shapes.items()
        }
        (loss, shown), (gradients, signals) = jax.value_and_grad(
            self._run, argnums=(0, 1), has_aux=True
        )(trainable, taps)
        by_path = dict(
            zip(
                [variable.path for variable in self._model.trainable_variables],
                gradients,
                strict=True,
            )
        )
        arrays = [
            _arrays(layer, shown[name], signals[name], by_path)
            for name, layer in self._layers.items()
        ]
        rate = (
            {}
            if self._optimizer is None
            else {"learning_rate": float(np.asarray(self._optimizer.learning_rate))}
        )
        self.recorder.step(step, arrays, batch_loss=float(loss), **rate)

    @property
    def _trainable(self) -> list[Any]:
        return [variable.value for variable in self._model.trainable_variables]

    @property
    def _environment(self) -> dict[str, Any]:
        modules = [
            {"name": name, "kind": type(layer).__name__, "axes": len(self._shapes[name][0])}
            for name, layer in self._layers.items()
        ]
        return {"keras": keras.__version__, "jax": jax.__version__, "modules": modules}

    def _run(
        self, trainable: list[Any], taps: Mapping[str, Any]
    ) -> tuple[Any, dict[str, dict[str, Any]]]:
        """The loss, and x, z and a of every layer; taps are added to z."""
        inputs, targets = self._batch
        rest = [variable.value for variable in self._model.non_trainable_variables]
        with self._tapped(taps) as shown:
            output, _ = self._model.stateless_call(trainable, rest, inputs, training=True)
        return self._loss_fn(output, targets), shown

    @contextmanager
    def _tapped(self, taps: Mapping[str, Any]) -> Iterator[dict[str, dict[str, Any]]]:
        """While a pass runs, every layer's activation shows its argument and value, and its
        call shows x.
        """
        shown: dict[str, dict[str, Any]] = {}
        kept = {name: (layer.call, layer.activation) for name, layer in self._layers.items()}
        for name, layer in self._layers.items():
            call, activation = kept[name]

            def called(
                inputs: Any, *arguments: Any, name: str = name, call: Any = call, **options: Any
            ) -> Any:
                shown[name] = {"x": inputs}
                return call(inputs, *arguments, **options)

            def activated(z: Any, name: str = name, activation: Any = activation) -> Any:
                z = z + taps[name] if name in taps else z
                shown[name] |= {"z": z, "a": activation(z)}
                return shown[name]["a"]

            layer.call, layer.activation = called, activated
        try:
            yield shown
        finally:
            for name, layer in self._layers.items():
                layer.activation = kept[name][1]
                del layer.call


def _facts(layer: Any) -> LayerFacts:
    """What is known of a layer; its activation only where dlprobe has one of that name without
    parameters, and another layer may follow it.
    """
    units = int(layer.kernel.shape[-1])
    fan_in = int(np.prod(layer.kernel.shape)) // units
    name = getattr(layer.activation, "__name__", "")
    name = ACTIVATIONS.get(name, name if elementwise(name) is not None and name != "linear" else "")
    count = sum(int(np.prod(variable.shape)) for variable in layer.trainable_variables)
    return LayerFacts(
        layer.name,
        fan_in=fan_in,
        fan_out=units,
        units=units,
        activation=name or None,
        parameter_count=count,
    )


def _arrays(
    layer: Any, shown: Mapping[str, Any], signal: Any, gradients: Mapping[str, Any]
) -> LayerArrays:
    """One layer of one pass in NumPy. A linear activation may be followed by a layer that is
    one, so that its a is not the layer's.
    """
    linear = getattr(layer.activation, "__name__", "") == "linear"
    gradient = gradients.get(layer.kernel.path)
    return LayerArrays(
        z=np.asarray(shown["z"]),
        a=None if linear else np.asarray(shown["a"]),
        error_signal=np.asarray(signal),
        gradient=None if gradient is None else np.asarray(gradient),
        weights=np.asarray(layer.kernel),
        bias=None if layer.bias is None else np.asarray(layer.bias),
        inputs=np.asarray(shown["x"]),
    )
