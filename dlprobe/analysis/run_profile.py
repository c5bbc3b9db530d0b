"""The depth profiles and verdicts of one run, at its first and its last recorded step, with theory beside the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.analysis import theory
from dlprobe.analysis.decomposition import decompose
from dlprobe.analysis.profiles import Verdict, classify
from dlprobe.config import parse_spec
from dlprobe.errors import ConfigError
from dlprobe.registry import Spec
from dlprobe.runs import Run

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StepProfile:
    """One recorded step. Profiles are (n,), hidden_1 … hidden_n; `step` is counted from 0 and describes the net before its update."""

    step: int
    activation_variance: Floats
    error_signal_rms: Floats
    gradient_rms: Floats
    verdict: Verdict


@dataclass(frozen=True)
class RunProfile:
    """A run's hidden layers, its first and last recorded step (the same one where only one was recorded), and what theory says of the first.

    `theory` is None where the file names parts that this dlprobe does not have.
    """

    layers: tuple[str, ...]
    first: StepProfile
    last: StepProfile
    theory: theory.Prediction | None


def run_profile(run: Run) -> RunProfile | None:
    """The profiles of a run; None where no step was recorded. Raises RunFileError where the file is damaged."""
    if not len(run.steps):
        return None
    hidden = hidden_layers(run)
    specs = activations_of(run, hidden)
    first, last = (step_profile(run, row, hidden, specs) for row in (0, len(run.steps) - 1))
    names = tuple(run.layers.names[index] for index in hidden)
    return RunProfile(names, first, last, predicted(run, hidden, specs))


def hidden_layers(run: Run) -> list[int]:
    """Indices of the hidden layers: all rows but `input` and the output, which is the last."""
    return [index for index, name in enumerate(run.layers.names[:-1]) if name != "input"]


def step_profile(run: Run, row: int, hidden: Sequence[int], activations: Sequence[Spec] | None) -> StepProfile:
    """The profile of one recorded row. `activations` None: unknown, so the usual κ is assumed."""

    def profile(name: str) -> Floats:
        return _row(run, name, row)[list(hidden)]

    units = [int(run.layers["units"][index]) for index in hidden]
    signal, variance = profile("error_signal_rms"), profile("activation_variance")
    norm_before = bool(hidden) and _of_layer(run, "norm_position", hidden[0]) == "before"
    pieces = decompose(
        signal,
        profile("slope_mean_square"),
        profile("weight_rms"),
        units,
        activation_variance=variance,
        norm_variance=profile("preactivation_variance") if norm_before else None,
    )
    squares = np.ones(len(units)) if norm_before else profile("preactivation_mean_square")
    with np.errstate(over="ignore"):  # huge activations of a net that diverges
        mean_square = variance + profile("activation_mean") ** 2
    verdict = classify(
        signal,
        units,
        theory.USUAL_KAPPA if activations is None else theory.kappas_at(activations, squares.tolist()),
        activation_sample_variance=profile("activation_sample_variance"),
        activation_mean_square=mean_square,
        output_error_signal_rms=float(_row(run, "error_signal_rms", row)[-1]),
        diverged=_divergence(run, row),
        decomposition=pieces,
    )
    return StepProfile(int(run.steps[row]), variance, signal, profile("gradient_rms"), verdict)


def _row(run: Run, name: str, row: int) -> Floats:
    """(layer,): one row of a statistic, without reading the others."""
    values: Floats = run.statistic_rows(name, row, row + 1)[0].astype(np.float64)
    return values


def _divergence(run: Run, row: int) -> str:
    """Where a diverged run met its first number that is not finite ("step 12, hidden_3"); empty for other rows and runs."""
    if run.status != "diverged" or row != len(run.steps) - 1:
        return ""
    forward, backward = (np.flatnonzero(_row(run, f"nonfinite_{side}", row) != 0) for side in ("forward", "backward"))
    # forward passes run towards the output, backward ones towards the input
    where = f", {run.layers.names[forward[0]]}" if len(forward) else f", {run.layers.names[backward[-1]]}" if len(backward) else ""
    return f"step {run.steps[row]}{where}"


def _of_layer(run: Run, column: str, index: int) -> str:
    """A text of the layer table; empty where the file does not have the column."""
    return str(run.layers[column][index]) if column in run.layers else ""


def activations_of(run: Run, hidden: Sequence[int]) -> list[Spec] | None:
    """The activations of some layers; None where the file names one that this dlprobe does not have, or none."""
    try:
        return [parse_spec("activation", _of_layer(run, "activation", index)) for index in hidden]
    except ConfigError:  # written by a dlprobe that knows more, or by a program that says less
        return None


def predicted(run: Run, hidden: Sequence[int], activations: Sequence[Spec] | None) -> theory.Prediction | None:
    """What theory says of the run's net before its first step, from the layer table and the measured input mean square."""
    net = initial_net(run, hidden, activations)
    return None if net is None else theory.predict(net)


def initial_net(run: Run, hidden: Sequence[int], activations: Sequence[Spec] | None) -> theory.InitialNet | None:
    """The run's net before its first step; None where the file names parts that this dlprobe does not have, or no hidden layer."""
    if not hidden or activations is None:
        return None
    index, layers = hidden[0], run.layers
    norm, biases, init, position = (_of_layer(run, name, index) for name in ("normalization", "bias_initializer", "initializer", "norm_position"))
    try:
        initializer = parse_spec("initializer", init)
        return theory.describe(
            int(layers["fan_in"][index]),
            [int(layers["units"][each]) for each in hidden],
            activations,
            initializer,
            _input_mean_square(run),
            bias=bool(biases),
            bias_initializer=None if biases in ("", init) else parse_spec("initializer", biases),
            normalization=None if norm in ("none", "") else parse_spec("normalization", norm).name,
            position=position or "before",
            residual=_residuals(run, hidden),
            perturbations=theory.Perturbations.of(_model_table(run)),
            transform=None if (transform := _model_table(run).get("weight_transform", "none")) == "none" else parse_spec("weight_transform", transform),
        )
    except (ConfigError, ValueError):  # parts or numbers that this dlprobe does not know
        return None


def _model_table(run: Run) -> dict[str, Any]:
    """The `[model]` table of the run's configuration, empty where there is none."""
    model = run.config.get("model")
    return model if isinstance(model, dict) else {}


def _residuals(run: Run, hidden: Sequence[int]) -> list[Spec | None]:
    """The residual connections of some layers. Raises ConfigError for one that this dlprobe does not know."""
    texts = [_of_layer(run, "residual", index) for index in hidden]
    return [None if text in ("none", "") else parse_spec("residual", text) for text in texts]


def _input_mean_square(run: Run) -> float:
    if "input" in run.layers.names:  # a norm of the input leaves it at 1
        return 1.0
    found = run.data.get("input_mean_square")
    return math.nan if found is None else float(np.mean(found))
