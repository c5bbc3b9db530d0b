"""PyTorch: two lines around your own loop, and the run is a run file that dlprobe reads like its
own.

    with dlprobe.recorders.torch.record(model, optimizer, "run.h5") as rec:
        for x, y in loader:
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            rec.loss(loss)

The loop stays as it is, and so do its results: weights are bit for bit those without a recorder.
Hooks are attached at recorded steps only. A recorder that fails warns once, closes what it has, and
never breaks the training. PyTorch is imported when `record` is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlprobe.errors import MissingExtraError

if TYPE_CHECKING:
    from dlprobe.recorders.torch.recording import Recording


def record(
    model: Any,
    optimizer: Any,
    path: Path | str,
    *,
    every: int = 1,
    force: bool = False,
    strict: bool = False,
) -> Recording:
    """Record a model while its optimizer trains it; use it in a `with`, or call `close`.

    * model: a torch.nn.Module, compiled or in DistributedDataParallel too; optimizer: the optimizer
      that steps it, or a list of several
    * path: of the run file; every: record each so many-th step, counted in updates; force:
      overwrite the file
    * strict: an error of the recorder is raised; otherwise it warns once and recording ends

    Raises RunFileError where the file exists; ConfigError for what cannot be recorded this way,
    with the way that can; MissingExtraError without PyTorch.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtraError("PyTorch is not installed: pip install 'dlprobe[torch]'") from None
    from dlprobe.recorders.torch.recording import Recording

    optimizers: Sequence[Any] = optimizer if isinstance(optimizer, list | tuple) else [optimizer]
    return Recording(model, optimizers, Path(path), every=every, force=force, strict=strict)
