"""The shared view of a run: short statistics whole, long ones by their levels, single rows
without the others.
"""

from __future__ import annotations

import numpy as np
import pytest
from rule_runs import FAILED, made

from dlprobe.rules import evidence as module
from dlprobe.rules import judge
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError

STEPS = 10_000


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> Evidence:
    """A run that counts as long; weight_rms is its step number in every layer,
    nonfinite_forward is 1 from step 5,000 on in hidden_2.
    """
    monkeypatch.setattr(module, "WHOLE", 2000)
    rows = np.arange(STEPS, dtype=float)[:, None]
    late = np.where(rows >= 5000, [0, 1, 0, 0], 0)
    return Evidence(
        made({"weight_rms": rows, "nonfinite_forward": late}, steps=STEPS, evaluations=FAILED)
    )


def test_a_long_statistic_comes_in_bins_with_their_mean_and_extremes(long: Evidence) -> None:
    found = long.series("weight_rms")
    assert found.rows == 64
    assert len(found.steps) == -(-STEPS // 64)
    np.testing.assert_allclose(found.mean[1], 64 + 31.5)
    np.testing.assert_array_equal(found.low[1], 64)
    np.testing.assert_array_equal(found.high[1], 127)


def test_the_first_row_that_matters_is_found_inside_its_bin(long: Evidence) -> None:
    assert long.first_row("nonfinite_forward", lambda counts: counts > 0) == 5000
    assert long.first_row("nonfinite_backward", lambda counts: counts > 0) is None


def test_rows_count_from_either_end(long: Evidence) -> None:
    assert long.row("weight_rms", -1)[0] == STEPS - 1
    assert long.row("weight_rms", 17)[0] == 17


def test_long_and_short_reading_say_the_same() -> None:
    rows = np.linspace(1e-6, 1e-3, STEPS)[:, None] * np.array([1.0, 1.0, 1.0, 1e4])
    run = made(
        {"update_ratio": rows, "error_signal_rms": [1e-6, 1e-4, 1e-2, 1.0]},
        steps=STEPS,
        evaluations=FAILED,
    )
    short = judge(run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WHOLE", 2000)
        long = judge(run)
    assert [finding.code for finding in short.findings] == [
        finding.code for finding in long.findings
    ]
    assert short.passed == long.passed
    for one, other in zip(short.findings, long.findings, strict=True):
        assert one.measured == pytest.approx(other.measured, rel=0.01, nan_ok=True)


def test_what_was_not_recorded_raises_its_reason() -> None:
    view = Evidence(made({"weight_rms": np.nan}))
    with pytest.raises(NotEvaluableError, match="weight_rms"):
        view.series("weight_rms")
    with pytest.raises(NotEvaluableError, match="sharpness"):
        view.instrument("sharpness")


def test_each_statistic_is_read_once() -> None:
    run = made(evaluations=FAILED)
    reads: list[str] = []
    read = run.contents.read_rows

    def counting(path: str, start: int, stop: int) -> np.ndarray:
        if stop - start > 1:
            reads.append(path)
        return read(path, start, stop)

    run.contents.read_rows = counting  # type: ignore[method-assign]
    judge(run)
    assert len(reads) == len(set(reads))
