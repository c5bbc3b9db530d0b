"""What stored configurations of older formats lack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def completed(stored: Any, task: str) -> Any:
    """A configuration as a file holds it, with what its format did not say yet: how its runs were
    trained.

    Before `target_scaling` (format 1.0) every regression was trained on its targets as they are,
    and so is what has an unknown task; classes are never scaled. Another thing than a configuration
    comes back as it is.
    """
    data = stored.get("data") if isinstance(stored, Mapping) else None
    if not isinstance(data, Mapping) or "scaling" not in data or "target_scaling" in data:
        return stored
    return {
        **stored,
        "data": {**data, "target_scaling": "auto" if task == "classification" else "none"},
    }
