"""What importing the data folder costs."""

from __future__ import annotations

import subprocess
import sys


def test_listing_the_sets_and_formats_imports_neither_polars_nor_h5py() -> None:
    code = (
        "import sys; from dlprobe.registry import records; import dlprobe.data; records('data'), "
        "records('file_format'); print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"polars", "h5py", "numba", "scipy", "pydantic"} & set(loaded)
