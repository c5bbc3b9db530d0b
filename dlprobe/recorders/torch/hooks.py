"""What PyTorch calls at recorded steps. Every hook hands over to the recording and swallows its
errors.

A model is saved and copied with its hooks: these leave something in their place that any Python can
load and that does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Protocol

# takes whatever a hook is given and returns None
NOTHING: Callable[..., None] = nullcontext().__exit__


class Guarded(Protocol):
    """What hooks report errors to."""

    def fail(self, error: Exception) -> None: ...


class Hook:
    """Calls `action` with `fixed` before what PyTorch gives."""

    __slots__ = ("_action", "_fixed", "_recording")

    def __init__(self, recording: Guarded, action: Callable[..., Any], *fixed: Any) -> None:
        self._recording, self._action, self._fixed = recording, action, fixed

    def __call__(self, *given: Any) -> Any:
        try:
            return self._action(*self._fixed, *given)
        except Exception as error:
            self._recording.fail(error)
            return None

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (nullcontext(), "__exit__")

    def __deepcopy__(self, memory: dict[int, Any]) -> Callable[..., None]:
        return NOTHING


class FirstClosure:
    """A closure that an optimizer calls several times in a step: after its first call the step
    is captured, for a row describes the net before its update.
    """

    def __init__(self, closure: Callable[[], Any], after_first: Callable[[], Any]) -> None:
        self._closure, self._after_first = closure, after_first
        self._called = False

    def __call__(self) -> Any:
        result = self._closure()
        if not self._called:
            self._called = True
            self._after_first()
        return result
