"""Keras 3: one callback, and the run is a run file that dlprobe reads like its own.

    model.fit(x, y, validation_data=(x_val, y_val),
    callbacks=[dlprobe.recorders.keras.Callback("run.h5")])

It stands on the PyTorch recorder, so Keras runs on its torch backend; of the jax backend
`dlprobe.recorders.Probe` records one extra pass on a fixed batch. Keras is imported when `Callback`
is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlprobe.errors import ConfigError, MissingExtraError


def Callback(path: Path | str, *, every: int = 1, force: bool = False, strict: bool = False) -> Any:
    """A keras.callbacks.Callback for `fit` that records the model.

    * path: of the run file; every: record each so many-th step, counted in updates; force:
      overwrite the file
    * strict: an error of the recorder is raised; otherwise it warns once and recording ends

    Its method `data(x_train, y_train, x_val, y_val)` says what the model is trained on, before
    `fit`.

    Raises RunFileError where the file exists; ConfigError on another backend, with what can be done
    there; MissingExtraError without Keras.
    """
    try:
        import keras
    except ImportError:
        raise MissingExtraError("Keras is not installed: pip install 'dlprobe[keras]'") from None
    if keras.backend.backend() != "torch":
        raise ConfigError(
            f"Keras runs on {keras.backend.backend()}, whose training step is compiled as a whole: "
            "record a fixed batch with dlprobe.recorders.Probe (jax), or set KERAS_BACKEND=torch"
        )
    from dlprobe.recorders.keras.callback import RecordingCallback

    return RecordingCallback(Path(path), every=every, force=force, strict=strict)
