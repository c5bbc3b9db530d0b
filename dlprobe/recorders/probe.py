"""One extra forward and backward pass on a fixed batch, for trainings whose own passes no hook can
see: compiled as a whole, an optimizer inside the backward pass."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlprobe.errors import ConfigError


def Probe(
    model: Any,
    loss_fn: Callable[[Any, Any], Any],
    batch: tuple[Any, Any],
    path: Path | str,
    *,
    optimizer: Any = None,
    force: bool = False,
) -> Any:
    """A probe of a model: `probe(step)` records a row, `close` ends the run; use it in a `with`.

    * model: a torch.nn.Module, or a keras.Model on the jax backend; it is never touched
    * loss_fn(output, targets) gives the batch's mean loss; batch: (inputs, targets)
    * path: of the run file; optimizer: the one that trains the model, whose learning rate is then
      noted; force: overwrite the file

    Raises ConfigError for a model of another kind, with what can be done instead; RunFileError
    where the file exists.
    """
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    if keras is not None and isinstance(model, keras.Model):
        if keras.backend.backend() == "jax":
            from dlprobe.recorders.keras.jax_probe import KerasProbe

            return KerasProbe(model, loss_fn, batch, Path(path), optimizer=optimizer, force=force)
    elif torch is not None and isinstance(model, torch.nn.Module):
        from dlprobe.recorders.torch.probing import TorchProbe

        return TorchProbe(model, loss_fn, batch, Path(path), optimizer=optimizer, force=force)
    raise ConfigError(
        f"model is a {type(model).__name__}, expected a torch.nn.Module or, on jax, a keras.Model: "
        "of another framework run the extra pass yourself and hand its arrays to "
        "dlprobe.recorders.arrays.Recorder (z, a, dL/dz, dL/dW and W of every layer)"
    )
