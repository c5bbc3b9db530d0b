"""Every kernel beside its plain form: the same record run uncompiled, in float64, on a small block
of fixed numbers.

`checks` says what a check is, `parts` and `outputs` hold the forms of records, `lanes` those of
fleets, `passes` the products and whole steps of small nets. May import what `nn` may.
"""

from __future__ import annotations

from dlprobe.nn.self_check.checks import CheckOutcome, ComparedArrays, KernelCheck, outcome_of

__all__ = ["CheckOutcome", "ComparedArrays", "KernelCheck", "all_checks", "outcome_of"]


def all_checks() -> list[KernelCheck]:
    """Checks of everything that is registered, in both precisions."""
    from dlprobe.nn.self_check import lanes, outputs, parts, passes

    makers = (parts.checks, outputs.checks, lanes.checks, passes.checks)
    return [
        check for dtype in ("float32", "float64") for checks in makers for check in checks(dtype)
    ]
