"""Measured profiles against theory: where they leave its band, and by how much."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dlprobe.render.document import Block, Paragraph, Verdict

if TYPE_CHECKING:
    from dlprobe.analysis.profiles.against_theory import TheoryDeviations


def _against_blocks(
    against: TheoryDeviations | None, last: TheoryDeviations | None, name: str | None
) -> list[Block]:
    if against is None:
        return []
    when = (
        ""
        if against.step == 0
        else f" (its first recorded step is {against.step}: training has moved it already)"
    )
    departure, said = against.left_at, _where_left(against)
    stays = (
        f"{name} stays inside the finite-width band in every layer"
        if against.compared
        else f"{name}: there is nothing to compare"
    )
    blocks: list[Block] = [
        Verdict(f"{name} leaves the band: {said}{when}", "warning")
        if departure
        else Verdict(stays + when, "good")
    ]
    if np.isnan(against.activation_mean_square).all():
        blocks.append(
            Paragraph(
                "E a² is missing: it was not recorded, as in batches of one sample, or is not "
                "a number."
            )
        )
    if last is not None:
        after = (
            f"leaves the band it began with: {_where_left(last)}"
            if last.left_at
            else "is still inside the band it began with"
        )
        blocks.append(Paragraph(f"At its last recorded step, {last.step}, it {after}."))
    return blocks


def _where_left(against: TheoryDeviations) -> str:
    words = {
        "activation_mean_square": "E a², seen from the input,",
        "error_signal_rms_relative": "the error signal, seen from the output,",
    }
    said = "; ".join(
        f"{words[quantity]} at {layer}, {_by(off)}" for quantity, layer, off in against.left_at
    )
    return f"{said}; {len(against.outside)} of {against.compared} numbers are outside"


def _by(off: float) -> str:
    if math.isfinite(off):
        return f"by {abs(off):.1f} s.d. {'above' if off > 0 else 'below'}"
    if off > 0:
        return "where it is not finite"
    return "where it is 0"


def _against(against: TheoryDeviations, run_name: str | None, inputs: float) -> dict[str, Any]:
    return {"run": run_name, "input_mean_square": inputs, **_compared(against)}


def _compared(against: TheoryDeviations) -> dict[str, Any]:
    series = {
        key: getattr(against, key)
        for key in (
            "q",
            "activation_mean_square",
            "activation_variance",
            "error_signal_rms_relative",
        )
    }
    layers = [
        {
            "name": name,
            **{key: float(values[index]) for key, values in series.items()},
            "deviations": {key: float(values[index]) for key, values in against.deviations.items()},
        }
        for index, name in enumerate(against.names)
    ]
    outside = [
        {"quantity": quantity, "layer": layer, "deviations": off}
        for quantity, layer, off in against.outside
    ]
    return {"step": against.step, "layers": layers, "outside": outside}
