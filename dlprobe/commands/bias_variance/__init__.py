"""Find out whether a learner suffers from bias or from variance.

Four ways, whose options stand in groups of their own. The textbook reading of a run file, and of
bare error rates (--human-error, --train-error, --val-error). The decomposition of given predictions
(--predictions FILE.npz). And the decomposition by retraining: --replicas K nets on training sets of
their own, with --over along an axis, which draws capacity and learning curves. The parts add up to
the expected loss exactly; -o keeps the replicas, and a saved study is decomposed again without
training.

Examples:
  dlprobe bias-variance --human-error 1% --train-error 8% --val-error 10%
  dlprobe bias-variance runs/digits-1.h5 --human-error 0.02
  dlprobe bias-variance runs/digits-1.h5 --reference runs/digits-1.h5
  dlprobe bias-variance --data "linear(samples=100)" --layers "" --epochs 5 --replicas 8 --resample
      fresh -o study.h5
  dlprobe bias-variance study.h5
  dlprobe bias-variance --resume study.h5 --replicas 12
  dlprobe bias-variance --data "moons(samples=100)" --layers 8 --epochs 2 --replicas 5 --over
      width=1,4,16
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlprobe.commands.base.configuration import (
    configuration_options,
    is_run_file,
    read_configuration,
)
from dlprobe.commands.base.executing import Execution, execution_options
from dlprobe.commands.base.named_files import allow_file_option
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.study_driver import carry_out, go_on
from dlprobe.commands.base.writing import inputs_of, read_as
from dlprobe.commands.bias_variance.error_reading import EXAMPLE, read_numbers, read_run, share
from dlprobe.commands.bias_variance.given_predictions import ESTIMATE, decomposed, noise_of
from dlprobe.commands.bias_variance.options import (
    RETRAINING,
    Given,
    Human,
    Loss,
    Noise,
    Over,
    Reference,
    Replicas,
    Resample,
    Seeds,
    Source,
    Train,
    TrainingLoss,
    TrainSamples,
    Val,
    ValSamples,
    Values,
    Vary,
)
from dlprobe.config import INSTRUMENTS, warnings_for
from dlprobe.errors import ConfigError, DataError, ExitCode

if TYPE_CHECKING:
    from dlprobe.analysis.bias_variance.curve import Point
    from dlprobe.experiments.bias_variance import BiasVarianceExperiment
    from dlprobe.experiments.replica_points import Decomposed

LISTED = ("Run", 4)
SHORT = (
    "--human-error --train-error --val-error --reference --predictions --replicas --vary "
    "--resample --over --values --data --layers --epochs --output --resume"
)


DRAWS = True  # its results have pictures, which --figure writes to files
GREEDY = ("--reference",)  # takes all that follows


@allow_file_option
@configuration_options(
    exclude=("loss", "threads", "record_every", "evaluate_every", "checkpoint_every", *INSTRUMENTS),
    belongs="Retraining",
)
@execution_options(RETRAINING, "replica", "with --replicas, more of them", "Retraining: execution")
def command(
    source: Source = None,
    human_error: Human = None,
    reference: Reference = None,
    train_error: Train = None,
    val_error: Val = None,
    train_samples: TrainSamples = None,
    val_samples: ValSamples = None,
    predictions: Given = None,
    loss: Loss = None,
    noise_variance: Noise = None,
    replicas: Replicas = None,
    vary: Vary = None,
    resample: Resample = None,
    seeds: Seeds = None,
    over: Over = None,
    values: Values = None,
    training_loss: TrainingLoss = None,
    *,
    execution: Execution,
    options: dict[str, str | None],
    screen: Screen,
) -> ExitCode:
    """Run the one of the four ways that the options choose."""
    errors = {"--human-error": human_error, "--train-error": train_error, "--val-error": val_error}
    bare = {**errors, "--train-samples": train_samples, "--val-samples": val_samples}
    loss = checked("--loss", loss, ("squared", "zero-one", "cross-entropy"))
    noise = noise_of(noise_variance)
    given = {"--predictions": predictions, "--loss": loss, "--noise-variance": noise}
    run, measured = {"RUN": source}, {"--reference": reference or None}
    training = {
        **{f"--{name.replace('_', '-')}": text for name, text in options.items()},
        "--training-loss": training_loss,
        "--values": values,
        "--resample": resample,
        "--vary": vary,
        "--seeds": seeds,
        "-o": execution.output,
    }
    running = {
        "--workers": execution.workers,
        "--force": execution.force or None,
        "--executor": execution.cluster,
    }
    replicated = {"--replicas": replicas, "--over": over}
    if execution.resume is not None:
        way = "--resume, which goes on with the study as it is"
        refuse(way, {**run, **bare, **measured, **given, **training, "--over": over})
        from dlprobe.experiments.bias_variance import BiasVarianceExperiment

        return go_on(BiasVarianceExperiment, replicas, execution, screen, show, "--replicas")
    if any(value is not None for name, value in bare.items() if name != "--human-error"):
        others = {**run, **measured, **given, **replicated, **training, **running}
        refuse("the reading of bare error rates", others)
        return read_numbers(errors, train_samples or 0, val_samples or 0, screen)
    if predictions is not None:
        others = {**run, **bare, **measured, **replicated, **training, **running}
        refuse("the decomposition of given predictions", others)
        point, facts = decomposed(predictions, loss, noise)
        return show_points([point], None, facts, None, screen)
    if source is not None and replicas is None and over is None and is_run_file(source):
        way = "what a saved run or study tells without training (--replicas K trains)"
        refuse(way, {**training, **running})
        return read_file(source, human_error, loss, noise, screen, reference or ())
    if reference:
        raise ConfigError("--reference belongs to the reading of a run: name a RUN")
    if human_error is not None:
        raise ConfigError(
            "--human-error belongs to the reading of a run or of error rates: name a RUN, or "
            f"give all three, e.g. {EXAMPLE}"
        )
    wanted = {
        "replicas": replicas,
        "vary": vary,
        "seeds": seeds,
        "noise": noise,
        "resample": resample,
        "over": over,
        "values": values,
        "loss": loss,
    }
    return _retrain(source, {**options, "loss": training_loss}, wanted, execution, screen)


def _retrain(
    source: Path | None,
    options: Mapping[str, str | None],
    wanted: dict[str, Any],
    execution: Execution,
    screen: Screen,
) -> ExitCode:
    """Train the replicas and decompose their loss. wanted: fields of the request as typed, None
    for the default.
    """
    from dlprobe.experiments.bias_variance import BiasVarianceExperiment
    from dlprobe.experiments.replica_points import Request

    if wanted["over"] is None:
        values = {"--values": wanted["values"]}
        refuse("retraining at one point: they are values of --over AXIS", values)
    if wanted["vary"] == "seed":
        refuse(
            "--vary seed, in which all replicas learn the same training part",
            {"--resample": wanted["resample"]},
        )
    base = read_configuration(source, options, screen)
    execution = execution.claimed(
        [*read_as("the configuration that is read", source), *inputs_of(base)]
    )
    wanted["vary"] = checked("--vary", wanted["vary"], ("data", "seed", "both"))
    sources = ("disjoint", "bootstrap", "fresh")
    wanted["resample"] = checked("--resample", wanted["resample"], sources)
    request = Request(**{name: value for name, value in wanted.items() if value is not None})
    for warning in warnings_for(base):
        screen.warn(warning)
    return carry_out(BiasVarianceExperiment(base, request, screen.note), execution, screen, show)


def refuse(way: str, typed: Mapping[str, object]) -> None:
    """Raise ConfigError for what was given and has no part in the way chosen: it would be
    passed over in silence.
    """
    stray = [name for name, value in typed.items() if value is not None]
    if stray:
        raise ConfigError(
            f"{', '.join(stray)}: no part of {way}; leave {'it' if len(stray) == 1 else 'them'} out"
        )


def checked(option: str, text: str | None, choices: tuple[str, ...]) -> str | None:
    """The choice that `text` names, `_` read as `-`; None for None. Raises ConfigError."""
    from dlprobe.registry import unknown

    plain = None if text is None else text.strip().lower().replace("_", "-")
    if plain is not None and plain not in choices:
        raise ConfigError(f"{option}: {unknown('value', text or '', choices)}")
    return plain


def show(
    experiment: BiasVarianceExperiment, result: Decomposed, execution: Execution, screen: Screen
) -> None:
    """The decomposition, and which values are left out of it."""
    design, study = result.design, execution.file
    show_points(result.points, design.axis, design.facts, str(study) if study else None, screen)
    for value in design.values:
        if value not in [point.at for point in result.points]:
            screen.warn(
                f"{design.axis} = {value} is left out: fewer than two of its replicas ended "
                "with finite outputs"
            )


def show_points(
    points: Sequence[Point],
    axis: str | None,
    facts: Mapping[str, Any],
    study: str | None,
    screen: Screen,
) -> ExitCode:
    """Print decompositions with what follows from them."""
    from dlprobe.analysis.bias_variance.curve import (
        advice,
        double_descent,
        levels,
        sweet_spot,
        zones,
    )
    from dlprobe.reports.bias_variance import document

    if not points:
        raise DataError(
            "fewer than two replicas ended with finite outputs, so there is nothing to "
            "decompose: lower --lr, see dlprobe lr-find"
        )
    best, top = sweet_spot(points), double_descent(points)
    if axis is not None and len(points) > 1:
        facts = {**facts, "sweet_spot": best.at, "double_descent": top.at if top else None}
    judged, cures = levels(best.parts), advice(points, axis)
    screen.show(document(points, judged, cures, axis, facts, study, zones(points, axis)))
    return ExitCode.DONE


def read_file(
    path: Path,
    human: str | None,
    loss: str | None,
    noise: float | str | None,
    screen: Screen,
    others: Sequence[Path],
) -> ExitCode:
    """The textbook reading of a run, or a saved study's replicas decomposed again."""
    from dlprobe.experiments.bias_variance import from_study
    from dlprobe.runs import Study, open_run
    from dlprobe.runs.reading import reading

    with reading(path), open_run(path) as opened:
        if isinstance(opened, Study):
            estimate = noise if isinstance(noise, str) else None
            reading_alone = {"--human-error": human, "--reference": others or None}
            refuse(
                "decomposing a study again",
                {**reading_alone, f"--noise-variance {ESTIMATE}": estimate},
            )
            again = from_study(opened, loss, noise if isinstance(noise, float) else None)
            return show_points(again.points, again.design.axis, again.design.facts, None, screen)
        refuse(
            "the reading of a run (--replicas K decomposes, by retraining)",
            {"--loss": loss, "--noise-variance": noise},
        )
        if human is not None and others:
            raise ConfigError(
                "--human-error states what can be reached, --reference measures it: expected "
                "one of the two"
            )
        stated = None if human is None else share("--human-error", human)
        return read_run(opened, str(path), stated, screen, others)
