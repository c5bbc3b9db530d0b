"""Initial parameters from the user's own .npz file: the initializer `file(path=…)`, for weights and
biases or, as bias_init, for biases only.

The arrays are called as dlprobe calls layers, or as a PyTorch state_dict does (`state_dict`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.config import RunConfig
from dlprobe.data.file_format import first_bytes, one_clear_line
from dlprobe.data.npz_archive import read_arrays
from dlprobe.errors import ConfigError
from dlprobe.nn.network import Network
from dlprobe.registry import Spec, nearby
from dlprobe.training.model import Model
from dlprobe.training.state_dict import renamed

Array = npt.NDArray[Any]
RECORDED_DIGITS = 16  # of the file's SHA-256, in the configuration that a run file keeps
NEEDED, OPTIONAL = True, False


def pinned(config: RunConfig) -> RunConfig:
    """The configuration with the SHA-256 of each file named by init or bias_init filled in, so that
    a repeat of the run sees when a file has changed.

    Raises ConfigError or DataError where a file is missing, or is another one than the
    configuration says.
    """
    initializers = {"init": config.model.init, "bias_init": config.model.bias_init}
    changed = {
        key: _pinned_spec(key, spec)
        for key, spec in initializers.items()
        if spec is not None and spec.record.from_file
    }
    return config.replaced(model=config.model.replaced(**changed)) if changed else config


def _pinned_spec(key: str, spec: Spec) -> Spec:
    path, wanted = Path(str(spec.parameters["path"])), str(spec.parameters["sha256"])
    if not spec.parameters["path"]:
        raise ConfigError(f"{key} = {spec}: no file is named: write {key} = file(path=weights.npz)")
    if not path.exists():
        raise ConfigError(
            f"{key} = {spec}: no such file: {nearby(path)}expected an .npz from "
            "np.savez(path, hidden_1_weights=…, …, output_weights=…)"
        )
    with one_clear_line(path):
        first_bytes(path)  # refuses a pipe, which would be waited for
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if not digest.startswith(wanted.lower()):
        fault = (
            "the file has changed since the configuration was recorded (its SHA-256 starts with "
            f"{digest[: len(wanted)]})"
        )
        raise ConfigError(
            f"{key} = {spec}: {fault}: bring the old file back, or leave sha256 out to take "
            "this one"
        )
    return Spec(
        spec.kind,
        spec.name,
        {**spec.parameters, "sha256": wanted or digest[:RECORDED_DIGITS]},
        ("path", "sha256"),
    )


def fill(network: Network, model: Model) -> None:
    """Overwrite the parameters that files give. Raises ConfigError naming layer, found and
    expected shape, or DataError for a file that cannot be read.
    """
    for key, spec in _files(network).items():
        path = Path(str(spec.parameters["path"]))
        layers = [name for index, name in enumerate(model.names) if network.weights(index).size]
        arrays = renamed(read_arrays(path), layers, path)
        places = _places(network, model, key)
        _refuse_strangers(key, spec, arrays, places)
        for name, (view, needed) in places.items():
            if name in arrays:
                view[:] = _checked(key, spec, name, arrays[name], view.shape)
            elif needed:
                raise ConfigError(
                    f"{key} = {spec}: the file holds no array {name}, expected one of shape "
                    f"{view.shape}"
                )


def _files(network: Network) -> dict[str, Spec]:
    """The files to read, by option; init first, so that bias_init has the last word on biases."""
    layer = network.layers[-1]
    initializers = {"init": layer.initializer, "bias_init": layer.bias_initializer}
    return {
        key: spec
        for key, spec in initializers.items()
        if spec is not None and spec.record.from_file
    }


def _places(network: Network, model: Model, key: str) -> dict[str, tuple[Array, bool]]:
    """Array name → where it goes, and whether it must be there."""
    places: dict[str, tuple[Array, bool]] = {}
    for index, name in enumerate(model.names):
        weights, biases = network.weights(index), network.biases(index)
        if key == "init" and weights.size:
            places[f"{name}_weights"] = weights, NEEDED
        if biases.size:
            places[f"{name}_bias"] = biases, NEEDED if key == "bias_init" else OPTIONAL
    return places


def _refuse_strangers(
    key: str, spec: Spec, arrays: dict[str, Array], places: dict[str, tuple[Array, bool]]
) -> None:
    strangers = [
        name
        for name in arrays
        if name not in places and not (key == "bias_init" and name.endswith("_weights"))
    ]
    if strangers:
        known = ", ".join(list(places)[:6]) + (", …" if len(places) > 6 else "")
        raise ConfigError(
            f"{key} = {spec}: the file holds {strangers[0][:60]!r}, which this net has no "
            f"place for: expected {known}"
        )


def _checked(key: str, spec: Spec, name: str, values: Array, shape: tuple[int, ...]) -> Array:
    """The array as float64. Refuses another shape, another kind than real numbers, and what is
    not finite.
    """
    if values.shape != shape:
        hint = (
            " (its transpose fits: PyTorch stores (fan_out, fan_in))"
            if values.shape == shape[::-1]
            else ""
        )
        raise ConfigError(
            f"{key} = {spec}: {name} has shape {values.shape}, expected {shape}{hint}"
        )
    if values.dtype.kind not in "biuf":
        raise ConfigError(f"{key} = {spec}: {name} holds {values.dtype}, expected real numbers")
    if not np.isfinite(values).all():
        raise ConfigError(f"{key} = {spec}: {name} holds NaN or infinity, expected finite numbers")
    return values.astype(np.float64)
