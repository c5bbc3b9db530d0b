"""How signal and gradient flow through a net at one moment: three quantities, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.profiles.depth_profiles import seed_medians
from dlprobe.dataclass import dataclass
from dlprobe.record.step import StepRow

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Flow:
    """activation_variance, error_signal_rms: (n,) of the hidden layers, nearest the input first;
    gradient_rms: (n + 1,), the output layer's last.

    NaN where it was not recorded. seeds: those that it is the median of.
    """

    activation_variance: Floats
    gradient_rms: Floats
    error_signal_rms: Floats
    seeds: tuple[Flow, ...] = ()

    def of_seeds(self, quantity: str) -> list[list[float]]:
        """A quantity of each seed, (seed, layer)."""
        return [getattr(flow, quantity).tolist() for flow in self.seeds]


QUANTITIES = ("activation_variance", "gradient_rms", "error_signal_rms")
NOTHING = Flow(np.empty(0), np.empty(0), np.empty(0))


def flow_of(row: StepRow) -> Flow:
    """The three quantities of a recorded step."""
    hidden = row.hidden
    gradients = np.append(hidden["gradient_rms"], row.output("gradient_rms"))
    return Flow(hidden["activation_variance"], gradients, hidden["error_signal_rms"])


def median_flow(flows: Sequence[Flow]) -> Flow:
    """The median over seeds, layer by layer; seeds without record, or of another depth than most,
    are left out.

    >>> one, two = (Flow(np.full(1, v), np.full(2, v), np.full(1, v)) for v in (1.0, 100.0))
    >>> median_flow([one, two, NOTHING]).gradient_rms.tolist()
    [10.0, 10.0]
    """
    sizes = [len(flow.gradient_rms) for flow in flows if len(flow.gradient_rms)]
    if not sizes:
        return NOTHING
    usual = max(set(sizes), key=sizes.count)
    known = [flow for flow in flows if len(flow.gradient_rms) == usual]
    variances, gradients, signals = (
        seed_medians([getattr(flow, name) for flow in known]) for name in QUANTITIES
    )
    return Flow(variances, gradients, signals, tuple(known) if len(known) > 1 else ())
