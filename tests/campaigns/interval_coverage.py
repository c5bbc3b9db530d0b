"""Intervals of bias and variance on designs with a closed form: the test of the same name with more
repeats. COUNT: of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.analysis.bias_variance import test_interval_coverage as exact

COUNT = 500


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """shares: in how many of the repeats each interval holds the exact value. The draws have seeds
    of their own.
    """
    shares, failed = {}, []
    for name, replicas, parts in exact.CASES:
        shares[f"{name}, {replicas}"] = exact.shares(name, replicas, count)
        failed += [
            f"{name}, {replicas} replicas: {part} held in {share}"
            for part, share in exact.outside(name, replicas, parts, count).items()
        ]
    for loss in exact.LOSSES:
        if not 0.94 <= (mean := exact.mean_share(loss, count)) <= 0.96:
            failed.append(f"{loss}: {mean} over all designs")
    return {"shares": shares, "failed": failed}
