"""Some rows of a statistic: the same from a journal and from the packed file as from the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import synthetic_runs

import dlprobe
from dlprobe.runs import Run
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource

SLICES = [(0, 1), (0, 700), (63, 65), (100, 300), (-1, 700), (-5, -2), (5, 5), (690, 9999)]


@pytest.mark.parametrize(("start", "stop"), SLICES)
def test_rows_of_a_journal_are_those_of_the_whole(start: int, stop: int) -> None:
    run = Run(JournalContents(MemorySource(synthetic_runs.write(None).bytes())))
    np.testing.assert_array_equal(
        run.statistic_rows("weight_rms", start, stop), run.statistic("weight_rms")[start:stop]
    )


def test_rows_of_a_packed_file_are_those_of_the_whole(tmp_path: Path) -> None:
    with dlprobe.open_run(synthetic_runs.write(tmp_path / "run.h5").pack()) as run:
        assert isinstance(run, Run)
        whole = run.statistic("weight_rms")
        for start, stop in SLICES:
            np.testing.assert_array_equal(
                run.statistic_rows("weight_rms", start, stop), whole[start:stop]
            )
