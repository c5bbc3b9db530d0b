"""What the data tests share: a `[data]` table with a few values changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dlprobe.config.records import DataConfig
from dlprobe.data import Dataset, load

Read = Callable[..., Dataset]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes bytes (or nothing) under a name and loads that file with the given options."""

    def write_and_load(name: str, content: bytes | str | None = None, **options: object) -> Dataset:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load(DataConfig(data=str(path), **options), seed=0)

    return write_and_load
