"""The depth profiles and verdicts of one run, at its first and its last recorded step, with
theory beside the first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dlprobe.analysis.profiles.decomposition import FactorDecomposition
from dlprobe.analysis.profiles.depth_profiles import BROKEN, FlowVerdict
from dlprobe.analysis.profiles.flow import Flow, flow_of
from dlprobe.analysis.profiles.row_verdict import judge_row, where_diverged
from dlprobe.analysis.theory import mean_field
from dlprobe.config import parse_spec
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.record.description import LayerFacts
from dlprobe.registry import Spec
from dlprobe.runs import Run

LEAST_KAPPA = 2.0  # of a linear activation; all others have more
# of layers whose width is not known: nets that narrow fluctuate so much that no wider one is
# accused by chance
FEWEST_UNITS = 16


@dataclass(frozen=True)
class StepProfile:
    """One recorded step; `step` is counted from 0 and describes the net before its update.
    factors: what the error signal's way is made of.
    """

    step: int
    flow: Flow
    verdict: FlowVerdict
    factors: FactorDecomposition | None = None


@dataclass(frozen=True)
class RunProfile:
    """A run's hidden layers, its first and last recorded step (the same one where only one was
    recorded), and what theory says of the first.

    `theory` is None where the file names parts that this dlprobe does not have, or does not say
    enough.
    """

    layers: tuple[str, ...]
    first: StepProfile
    last: StepProfile
    theory: mean_field.Prediction | None


def run_profile(run: Run) -> RunProfile | None:
    """The profiles of a run; None where no step or no error signal was recorded. Raises
    RunFileError where the file is damaged.
    """
    if not _has_steps(run):
        return None
    specs = activations_of(run)
    names = tuple(run.layers.names[index] for index in run.hidden_layers)
    first, last = (step_profile(run, row, specs) for row in (0, -1))
    return RunProfile(names, first, last, predicted(run, specs))


def verdict_names(run: Run) -> tuple[str, str] | None:
    """The verdicts of `run_profile` alone, without the numbers that take long: what theory says,
    and κ of every layer where no κ could change the verdict.

    The band grows with κ, and κ = 3 E φ'⁴/(E φ'²)² − 1 is 2 or more (Jensen): what is level within
    the band of κ = 2 is level.
    """
    if not _has_steps(run):
        return None
    specs = activations_of(run)
    quick = {row: step_profile(run, row, specs, LEAST_KAPPA).verdict.verdict for row in (0, -1)}
    first, last = (
        step_profile(run, row, specs).verdict.verdict if verdict in BROKEN else verdict
        for row, verdict in quick.items()
    )
    return first, last


def _has_steps(run: Run) -> bool:
    return bool(len(run.steps)) and all(can_be_judged(run, row) for row in (0, -1))


def can_be_judged(run: Run, index: int) -> bool:
    """Whether row `index` has an error signal, or is the last one of a run that diverged."""
    row = run.row(index)
    return row.is_recorded("error_signal_rms") or (
        run.status == "diverged" and row.step == run.steps[-1]
    )


def step_profile(
    run: Run, index: int, activations: Sequence[Spec] | None, kappa: float | None = None
) -> StepProfile:
    """The profile of one recorded row. `activations` None: unknown, so the usual κ is assumed.
    kappa: that of all layers, in place of the measured ones.
    """
    row = run.row(index)
    layers = [run.layer_facts[place] for place in run.hidden_layers]
    units = widths(layers)
    ended = run.status == "diverged" and row.step == run.steps[-1]
    judged = judge_row(
        row,
        units,
        activations=activations,
        norm_before=bool(layers) and layers[0].norm_position == "before",
        kappas=None if kappa is None else [kappa] * len(units),
        diverged=where_diverged(row, run.layers.names) if ended else "",
        names=[layer.name for layer in layers],
    )
    verdict = judged.verdict
    if (
        len(layers) > 1
        and verdict.verdict != "diverged"
        and any(layer.units is None for layer in layers)
    ):
        verdict = replace(
            verdict,
            reason=f"{verdict.reason} (of layers of {FEWEST_UNITS} units: the file does not say "
            "how wide they are)",
        )
    return StepProfile(row.step, flow_of(row), verdict, judged.decomposition)


def widths(layers: Sequence[LayerFacts]) -> list[int]:
    """Units of each layer; where they are not known FEWEST_UNITS, whose band is wider than that
    of any wider net.
    """
    return [FEWEST_UNITS if layer.units is None else layer.units for layer in layers]


def activations_of(run: Run) -> list[Spec] | None:
    """The activations of the hidden layers; None where the file names one that is not
    known here, or does not say.
    """
    try:
        return [
            parse_spec("activation", run.layer_facts[index].activation or "")
            for index in run.hidden_layers
        ]
    except ConfigError:  # written by a dlprobe that knows more, or by a program that says less
        return None


def predicted(run: Run, activations: Sequence[Spec] | None) -> mean_field.Prediction | None:
    """What theory says of the run's net before its first step, from the layer table and the
    measured input mean square.
    """
    net = initial_net(run, activations)
    return None if net is None else mean_field.predict(net)


def initial_net(run: Run, activations: Sequence[Spec] | None) -> mean_field.InitialNet | None:
    """The run's net before its first step; None where the file does not say enough, names parts
    that this dlprobe does not have, or has no hidden layer.
    """
    layers, config = [run.layer_facts[index] for index in run.hidden_layers], run.configuration
    if not layers or activations is None or config is None:
        return None
    first = layers[0]
    units = [layer.units for layer in layers if layer.units is not None]
    if (
        first.fan_in is None
        or first.initializer is None
        or first.bias_initializer is None
        or len(units) < len(layers)
    ):
        return None
    norm, biases, init = first.normalization, first.bias_initializer, first.initializer
    try:
        return mean_field.describe(
            first.fan_in,
            units,
            activations,
            parse_spec("initializer", init),
            _input_mean_square(run),
            bias=bool(biases),
            bias_initializer=None if biases in ("", init) else parse_spec("initializer", biases),
            normalization=None
            if norm in ("none", None)
            else parse_spec("normalization", norm).name,
            position=first.norm_position or "before",
            residual=_residuals(layers),
            perturbations=mean_field.Perturbations.of(config.model),
            transform=config.model.weight_transform,
        )
    except (ConfigError, ValueError):  # parts or numbers that this dlprobe does not know
        return None


def _residuals(layers: Sequence[LayerFacts]) -> list[Spec | None]:
    """The residual connections of some layers. Raises ConfigError for one that is not
    known here.
    """
    return [
        None if layer.residual in ("none", None) else parse_spec("residual", layer.residual)
        for layer in layers
    ]


def _input_mean_square(run: Run) -> float:
    if "input" in run.layers.names:  # a norm of the input leaves it at 1
        return 1.0
    square = run.data.get("input_mean_square")
    return math.nan if square is None else float(np.mean(square))
