"""A PyTorch `state_dict` as .npz, `np.savez("weights.npz", **{k: v.cpu().numpy() for k, v in
model.state_dict().items()})`: its layers and dlprobe's names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.config import RunConfig, with_values
from dlprobe.data.npz_archive import read_arrays
from dlprobe.errors import ConfigError

Array = npt.NDArray[Any]
WEIGHT, BIAS = ".weight", ".bias"


def is_state_dict(names: Collection[str]) -> bool:
    """Whether arrays have the names of a state_dict."""
    return any(name.endswith(WEIGHT) or name == WEIGHT[1:] for name in names)


def dense_layers(
    arrays: Mapping[str, Array], path: Path | str
) -> list[tuple[str, Array, Array | None]]:
    """Name, weights (fan_in, fan_out) and bias (fan_out,), None without, of every Linear, in the
    order of the file.

    Raises ConfigError for what is no chain of Linear layers: another one's matrix, another number
    of inputs than the layer before has units, a trained norm.
    """
    layers: list[tuple[str, Array, Array | None]] = []
    for key, values in arrays.items():
        name = key.removesuffix(WEIGHT[1:]).removesuffix(".")
        if key.rpartition(".")[2] != WEIGHT[1:]:
            continue
        bias = arrays.get(f"{name}{BIAS}" if name else BIAS[1:])
        if values.ndim == 1:
            _refuse_trained_norm(path, name, values, bias)
        elif values.ndim != 2:
            raise ConfigError(
                f"{path}: {key} has shape {values.shape}: expected Linear layers, (fan_out, "
                "fan_in) each"
            )
        elif layers and values.shape[1] != layers[-1][1].shape[1]:
            before, units = layers[-1][0], layers[-1][1].shape[1]
            raise ConfigError(
                f"{path}: {key} takes {values.shape[1]} numbers, {before} before it gives "
                f"{units}: expected layers in the order of their calls"
            )
        else:
            layers.append((name, values.T, bias))
    if not layers:
        raise ConfigError(
            f"{path}: holds no weight of a Linear layer, expected matrices (fan_out, fan_in)"
        )
    return layers


def _refuse_trained_norm(path: Path | str, name: str, scale: Array, shift: Array | None) -> None:
    """A norm begins at scale 1 and shift 0 here, which is not what a trained one had."""
    if (scale != 1).any() or (shift is not None and (shift != 0).any()):
        raise ConfigError(
            f"{path}: the norm {name} has been trained, and init takes weights and biases of "
            "layers: fold it into them, or leave it out"
        )


def renamed(arrays: dict[str, Array], layers: Sequence[str], path: Path | str) -> dict[str, Array]:
    """Arrays of a state_dict by dlprobe's names of the layers, transposed; others as they are.
    Raises ConfigError for another number of layers.
    """
    if not is_state_dict(arrays):
        return arrays
    found = dense_layers(arrays, path)
    if len(found) != len(layers):
        raise ConfigError(
            f"{path}: {len(found)} Linear layers ({found[0][0]} … {found[-1][0]}), expected "
            f"{len(layers)}: {', '.join(layers[:6])}"
        )
    own = {
        f"{layer}_weights": weights for layer, (_, weights, _) in zip(layers, found, strict=True)
    }
    return own | {
        f"{layer}_bias": bias
        for layer, (_, _, bias) in zip(layers, found, strict=True)
        if bias is not None
    }


def configuration(path: Path) -> RunConfig | None:
    """The configuration of a net with the layers of a state_dict, which begins with its
    weights; None of a file that is no .npz of one.
    """
    if path.suffix.lower() != ".npz" or not path.is_file():
        return None
    arrays = read_arrays(path)
    if not is_state_dict(arrays):
        return None
    widths = [weights.shape[1] for _, weights, _ in dense_layers(arrays, path)[:-1]]
    return with_values(
        RunConfig(),
        {"model.layers": ",".join(map(str, widths)), "model.init": f"file(path={str(path)!r})"},
    )


def sizes(
    path: Path,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], list[tuple[int, int]]]:
    """Root mean square and largest |weight| of each layer, two float64 (layer,), and its (fan_in,
    fan_out).
    """
    layers = [
        np.asarray(weights, np.float64) for _, weights, _ in dense_layers(read_arrays(path), path)
    ]
    roots = np.array([np.sqrt(np.mean(layer**2)) for layer in layers])
    return (
        roots,
        np.array([np.abs(layer).max() for layer in layers]),
        [(int(layer.shape[0]), int(layer.shape[1])) for layer in layers],
    )
