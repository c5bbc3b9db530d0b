"""Compiled code calls no hooks: as long as one recorder waits for calls, all models run eagerly."""

from __future__ import annotations

import sys
from typing import Any

import torch

_waiting: dict[int, Any] = {}
_before: list[Any] = []


def hold(recorder: object) -> None:
    """From now on this recorder waits, if anything is compiled at all."""
    if "torch._dynamo" not in sys.modules:
        return
    if not _waiting:
        _before[:] = [torch._dynamo.eval_frame._stance.stance]
        torch.compiler.set_stance("force_eager")
    _waiting[id(recorder)] = recorder


def release(recorder: object) -> None:
    """It waits no more; after the last one all is as it was."""
    if _waiting.pop(id(recorder), None) is not None and not _waiting:
        torch.compiler.set_stance(_before.pop())
