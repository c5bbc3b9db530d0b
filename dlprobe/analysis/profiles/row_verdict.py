"""The verdict on one recorded step: every command judges a profile of error signals through
`judge_row`, and names a divergence through `where_diverged`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dlprobe.analysis.profiles.decomposition import FactorDecomposition, decompose
from dlprobe.analysis.profiles.depth_profiles import FlowVerdict, classify
from dlprobe.analysis.theory import mean_field
from dlprobe.dataclass import dataclass
from dlprobe.record.step import StepRow
from dlprobe.registry import Spec


@dataclass(frozen=True)
class RowVerdict:
    """The verdict on a step, and the factors that its error signal's way is made of."""

    verdict: FlowVerdict
    decomposition: FactorDecomposition


def judge_row(
    row: StepRow,
    units: Sequence[int],
    *,
    activations: Sequence[Spec] | None,
    norm_before: bool,
    kappas: Sequence[float] | None = None,
    diverged: str = "",
    names: Sequence[str] | None = None,
) -> RowVerdict:
    """Judge the hidden layers of one recorded step.

    * units: (n,) widths of the hidden layers
    * activations: (n,) of the hidden layers; None where they are not known, so that the usual κ is
      assumed
    * norm_before: whether a normalization stands before the activation, which leaves the
      preactivation's mean square at 1
    * kappas: (n,) predicted κ of each layer; None: κ at the measured mean squares
    * diverged: where the run became non-finite, see `where_diverged`; empty where it did not
    * names: (n,) of the hidden layers; None: hidden_1 … hidden_n
    """
    hidden = row.hidden
    pieces = decompose(
        hidden["error_signal_rms"],
        hidden["slope_mean_square"],
        hidden["weight_rms"],
        units,
        activation_variance=hidden["activation_variance"],
        norm_variance=hidden["preactivation_variance"] if norm_before else None,
    )
    if kappas is None:
        squares = np.ones(len(units)) if norm_before else hidden["preactivation_mean_square"]
        kappas = (
            None if activations is None else mean_field.kappas_at(activations, squares.tolist())
        )
    with np.errstate(over="ignore"):  # huge activations of a net that diverges
        mean_square = hidden["activation_variance"] + hidden["activation_mean"] ** 2
    told = slice(_unrecorded(hidden["error_signal_rms"], hidden["nonfinite_backward"]), None)
    verdict = classify(
        hidden["error_signal_rms"][told],
        units[told],
        mean_field.USUAL_KAPPA if kappas is None else kappas[told],
        activation_sample_variance=hidden["activation_sample_variance"][told],
        activation_mean_square=mean_square[told],
        output_error_signal_rms=row.output("error_signal_rms"),
        diverged=diverged,
        decomposition=pieces,
        names=None if names is None else names[told],
    )
    return RowVerdict(verdict, pieces)


def _unrecorded(signals: npt.NDArray[np.float64], nonfinite: npt.NDArray[np.float64]) -> int:
    """How many layers nearest the input, such as embeddings, have no error signal in the file: NaN,
    although all that was counted of them is finite.
    """
    recorded = np.flatnonzero(~(np.isnan(signals) & (nonfinite == 0)))
    return int(recorded[0]) if len(recorded) else 0


def nonfinite_layers(counts: npt.ArrayLike, side: str) -> npt.NDArray[np.int64]:
    """Indices of the layers with non-finite elements, the one in which they began first.

    counts: (layer,) elements that are not finite, NaN where they were not counted. side: `forward`,
        a pass that runs towards the output, or `backward`.

    >>> nonfinite_layers([0, 2, 5], "forward").tolist(), nonfinite_layers([3, 2, 0], "backward").tolist()
    ([1, 2], [1, 0])
    """  # noqa: E501
    touched = np.flatnonzero(np.nan_to_num(np.asarray(counts, np.float64)) > 0)
    return touched if side == "forward" else touched[::-1]


def where_diverged(row: StepRow | None, names: Sequence[str]) -> str:
    """Step and layer of the first non-finite number of a run that diverged, `step 12, forward in
    hidden_3`.

    row: the last recorded step, None where none was. names: (layer,), the output layer included.
    """
    if row is None:
        return "the first step"
    for side in ("forward", "backward"):
        if len(touched := nonfinite_layers(row[f"nonfinite_{side}"], side)):
            return f"step {row.step}, {side} in {names[touched[0]]}"
    return f"step {row.step}, in the loss"
