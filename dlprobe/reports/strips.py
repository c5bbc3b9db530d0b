"""The three quantities through the layers as strips: every command that shows how signal and
gradient flow draws them the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlprobe.dataclass import dataclass
from dlprobe.render.document import Block, Strip, StripGroup, Strips
from dlprobe.reports.tones import VERDICT_TONES

if TYPE_CHECKING:
    from dlprobe.analysis.profiles.flow import Flow
    from dlprobe.analysis.theory.mean_field import Prediction

QUANTITIES = {
    "activation_variance": "activation variance",
    "gradient_rms": "weight-gradient RMS",
    "error_signal_rms": "error signal RMS",
}


@dataclass(frozen=True)
class FlowLine:
    """One net at one moment. name: what the strip is called; verdict: on its error signal;
    theory: what is expected of the net before training.
    """

    name: str
    flow: Flow
    verdict: str = ""
    theory: Prediction | None = None

    def strip(self, quantity: str) -> Strip:
        """The strip of one quantity; of the weight gradient there is no theory."""
        values = getattr(self.flow, quantity)
        expected: Sequence[float] = ()
        if self.theory is not None and self.theory.applicable and len(values):
            expected = {
                "activation_variance": self.theory.activation_variance,
                "error_signal_rms": tuple(
                    value * float(values[-1]) for value in self.theory.error_signal_rms_relative
                ),
            }.get(quantity, ())
        judged = self.verdict if quantity == "error_signal_rms" else ""
        tone, runs = VERDICT_TONES.get(judged, "neutral"), self.flow.of_seeds(quantity)
        return Strip(self.name, values.tolist(), expected, judged, tone, runs)


def flow_strips(
    lines: Sequence[FlowLine],
    layers: Sequence[str],
    caption: str = "",
    more: Sequence[StripGroup] = (),
) -> list[Block]:
    """Activation variance, weight gradient and error signal of some nets or moments. layers: names,
    the output layer's last; more: further groups below.

    Nothing where no layer was recorded.
    """
    if not any(len(line.flow.gradient_rms) for line in lines):
        return []
    groups = [
        StripGroup(name, [line.strip(quantity) for line in lines], name=quantity)
        for quantity, name in QUANTITIES.items()
    ]
    return [
        Strips(
            [
                *(
                    group
                    for group in groups
                    if any(math.isfinite(value) for strip in group.strips for value in strip.values)
                ),
                *more,
            ],
            layers,
            caption,
        )
    ]
