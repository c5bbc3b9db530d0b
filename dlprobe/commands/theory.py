"""Predict, without training, how signal and gradient flow.

Mean-field theory of wide random nets: the fixed point q* of the preactivations, χ_1, depth scales,
the edge of chaos, and every layer's mean squares with the band in which one net of these widths
falls. Normalization, residual connections and dropout included; where the theory does not apply,
the reason stands in its place. With --against, a run's first recorded step is laid over it, and its
last one compared.

Examples:
  dlprobe theory --layers 512x20 --activation tanh --init "mean_field(sigma_w=1.5)"
  dlprobe theory --layers 100x50 --activation relu --init he_normal --residual yes --format json
  dlprobe theory --activation tanh --sigma-b 0,0.1,0.3
  dlprobe theory --against runs/digits-1.h5
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dlprobe.commands.base.arguments import option
from dlprobe.commands.base.configuration import (
    ConfigFile,
    configuration_options,
    read_configuration,
)
from dlprobe.commands.base.named_files import allow_file_option
from dlprobe.commands.base.screen import Screen
from dlprobe.errors import ConfigError

if TYPE_CHECKING:
    from dlprobe.analysis.theory.mean_field import InitialNet
    from dlprobe.config import RunConfig
    from dlprobe.runs import Run

LISTED = ("Predict", 1)
SHORT = "--layers --activation --init --norm --residual --dropout --data --against --sigma-b --maps"
DRAWS = True  # its results have pictures, which --figure writes to files
PANEL = "Theory"
# of the layer table, to know the net
NEEDED = ("fan_in", "units", "activation", "initializer", "bias_initializer")
LARGEST_SIGMA_B = 1000.0  # q* is searched up to its square
Against = Annotated[
    Path | None,
    option(
        "--against RUN",
        "run file to compare with; without CONFIG and options, its own net is predicted",
        PANEL,
    ),
]
SigmaB = Annotated[
    str | None, option("--sigma-b X,X,…", "search the edge of chaos, σ_w, for these σ_b too", PANEL)
]

Maps = Annotated[
    bool, option("--maps", "show the q-map and the c-map (the JSON always has them)", PANEL)
]


@allow_file_option
@configuration_options()
def command(
    config: ConfigFile = None,
    against: Against = None,
    sigma_b: SigmaB = None,
    maps: Maps = False,
    *,
    options: dict[str, str | None],
    screen: Screen,
) -> None:
    """Read, predict, compare, show."""
    from dlprobe.analysis.profiles.against_theory import batch_mean_square, measured
    from dlprobe.analysis.theory.mean_field import predict
    from dlprobe.analysis.theory.phase import critical_with_dropout, phase_of
    from dlprobe.commands.base.typed_line import free_file
    from dlprobe.config.typed import train_with
    from dlprobe.parts.activations import Activation
    from dlprobe.reports.theory import document
    from dlprobe.runs import open_single

    biases, measure = [] if sigma_b is None else numbers(sigma_b), ""
    if against is None:
        configuration = read_configuration(config, options, screen)
        net, comparison, last = configured_net(configuration, screen), None, None
        measure = (
            f"{train_with(configuration, {'training.steps': 1, 'training.lr': 0})} -o "
            f"{free_file('run.h5')}"
        )
        prediction = predict(net)
    else:
        with open_single(against) as run:
            net = net_of_run(run, config, options, against)
            net = replace(net, input_mean_square=batch_mean_square(run, net))
            prediction = predict(net)
            comparison = measured(run, prediction, net.units)
            last = (
                measured(run, prediction, net.units, len(run.steps) - 1)
                if len(run.steps) > 1
                else None
            )
    if biases and not (net.activations and isinstance(net.activations[-1].record, Activation)):
        raise ConfigError(
            "--sigma-b: there is no hidden layer with an elementwise activation to search "
            "for: use --layers and --activation, e.g. tanh"
        )
    edges = [
        (bias, critical_with_dropout(net.activations[-1], bias, net.perturbations.keep))
        for bias in biases
    ]
    phase = phase_of(net) if prediction.applicable else None
    screen.show(
        document(
            net,
            prediction,
            phase,
            edges,
            comparison,
            None if against is None else str(against),
            maps,
            last,
            measure,
        )
    )


def configured_net(configuration: RunConfig, screen: Screen) -> InitialNet:
    from dlprobe.analysis.theory.mean_field import configured
    from dlprobe.commands.base.preparing import prepare_data

    data = prepare_data(configuration, screen)
    init = configuration.model.init
    if init is not None and init.record.from_file:
        configuration = _drawn_like(
            configuration, Path(str(init.parameters["path"])), len(data.feature_names), screen
        )
    return configured(configuration, len(data.feature_names), data.input_mean_square)


def _drawn_like(configuration: RunConfig, path: Path, features: int, screen: Screen) -> RunConfig:
    """The configuration with the initializer whose weights have the size of a state_dict's.
    Raises ConfigError where it takes other inputs than the data.
    """
    from dlprobe.analysis.likeness import initializer_like
    from dlprobe.config import with_values
    from dlprobe.training.state_dict import sizes

    roots, largest, fans = sizes(path)
    if fans[0][0] != features:
        raise ConfigError(
            f"{path} takes {fans[0][0]} inputs, the data have {features}: give its data with --data"
        )
    name = initializer_like(roots, largest, fans)
    screen.note(f"weights of {path} have the size of {name}: theory is of nets that are drawn so")
    return with_values(configuration, {"model.init": name})


def net_of_run(
    run: Run, config: Path | None, options: dict[str, str | None], path: Path
) -> InitialNet:
    """The net that a run began with; or that of a configuration, on the run's data. Raises
    ConfigError where the file does not say enough.
    """
    import numpy as np

    from dlprobe.analysis.profiles.run_profile import activations_of, initial_net
    from dlprobe.analysis.theory.mean_field import configured

    if config is None and not any(value is not None for value in options.values()):
        net = initial_net(run, activations_of(run))
        if net is None:
            missing = [
                name
                for name in NEEDED
                if any(getattr(run.layer_facts[index], name) is None for index in run.hidden_layers)
            ]
            lacks = (
                f"its layer table has no {' and '.join(missing)}"
                if missing
                else "it has no hidden layer"
            )
            reason = (
                f"{lacks}, or it names parts that this dlprobe does not know: give the "
                "configuration"
            )
            raise ConfigError(f"{path}: {reason}, e.g. dlprobe theory net.toml --against {path}")
        return net
    square = run.data.get("input_mean_square")
    features = run.layer_facts[0].fan_in
    if features is None:
        raise ConfigError(
            f"{path} does not say how many inputs the net has (fan_in of its first layer): "
            "theory has nothing to begin with"
        )
    return configured(
        read_configuration(config or path, options, None),
        features,
        math.nan if square is None else float(np.mean(square)),
    )


def numbers(text: str) -> list[float]:
    """Numbers from 0 to 1000 from a list with commas. Raises ConfigError."""
    levels = []
    for word in text.split(","):
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not 0.0 <= value <= LARGEST_SIGMA_B:
            raise ConfigError(
                f"--sigma-b {word.strip()!r}: expected numbers from 0 to {LARGEST_SIGMA_B:g} "
                "with commas, e.g. --sigma-b 0,0.1,0.3"
            )
        levels.append(value)
    return levels
