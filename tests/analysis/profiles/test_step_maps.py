"""Maps of a run beside NumPy's own means of equally long stretches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlprobe.analysis.profiles.step_maps import step_maps
from dlprobe.api import LayerFacts, RunDescription, create_run, open_run


@pytest.mark.parametrize(("rows", "size"), [(3, 1), (700, 3), (5000, 64)])
def test_a_map_is_the_mean_of_the_recorded_rows(rows: int, size: int, tmp_path: Path) -> None:
    """256 columns at most: 3 of 700 rows in each; of more than 4,096 rows the summary of every
    64.
    """
    values = np.random.default_rng(1).random((rows, 2)).astype("f4")
    values[1, 0] = np.nan
    description = RunDescription(
        [LayerFacts("a"), LayerFacts("b")],
        origin="arrays",
        statistics=["error_signal_rms"],
        scalars=[],
    )
    with create_run(tmp_path / "run.h5", description) as writer:
        for step, row in enumerate(values):
            writer.step(step, {"error_signal_rms": row}, {})
        writer.finish()
    with open_run(tmp_path / "run.h5") as run:
        found = step_maps(run)
    stretches = np.split(values.astype("f8"), range(size, rows, size))
    expected = [
        [np.nan if np.isnan(column).all() else np.nanmean(column) for column in part.T]
        for part in stretches
    ]
    assert found is not None
    assert found.steps.tolist() == list(range(0, rows, size))
    np.testing.assert_allclose(found.values["error_signal_rms"], expected, rtol=1e-6)
