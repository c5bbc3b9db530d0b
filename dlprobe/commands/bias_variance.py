"""Find out whether a learner suffers from bias or from variance.

Three ways. The textbook reading, of a run file or of bare error rates (--human-error, --train-error, --val-error). The decomposition of given predictions
(--predictions FILE.npz). And the decomposition by retraining: --replicas K nets on training sets of their own, with --over along an axis, which draws
capacity and learning curves. The parts add up to the expected loss exactly; -o keeps the replicas, and a saved study is decomposed again without training.

Examples:
  dlprobe bias-variance --human-error 1% --train-error 8% --val-error 10%
  dlprobe bias-variance runs/digits-1.h5 --human-error 0.02
  dlprobe bias-variance --data "linear(samples=100)" --layers "" --epochs 5 --replicas 8 --resample fresh -o study.h5
  dlprobe bias-variance study.h5
  dlprobe bias-variance --resume study.h5 --replicas 12
  dlprobe bias-variance --data "moons(samples=100)" --layers 8 --epochs 2 --replicas 5 --over width=1,4,16
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlprobe.commands.base.configuration import configuration_options, is_run_file, read_configuration
from dlprobe.commands.base.error_reading import EXAMPLE, read_numbers, read_run, share
from dlprobe.commands.base.executing import Execution, execution_options
from dlprobe.commands.base.given_predictions import ESTIMATE, decomposed, estimated, noise_of
from dlprobe.commands.base.named_files import allow_file_option, tell_of_named_files
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.writing import inputs_of, read_as
from dlprobe.config import INSTRUMENTS
from dlprobe.errors import ConfigError, DataError, ExitCode

if TYPE_CHECKING:
    from dlprobe.config import RunConfig
    from dlprobe.experiments.bias_variance import Design
    from dlprobe.experiments.replicas import Replica

READING, GIVEN, RETRAINING = "Reading", "Decomposition", "Retraining"
DEFAULT_REPLICAS = 20
Source = Annotated[
    Path | None, typer.Argument(metavar="RUN|STUDY|CONFIG", help="run file to read, study to decompose again, or TOML file to retrain", show_default=False)
]
Human = Annotated[
    str | None, typer.Option("--human-error", metavar="X", help="error of a human or the best known model, 0.02 or 2% [default: 0]", rich_help_panel=READING)
]
Train = Annotated[str | None, typer.Option("--train-error", metavar="X", help="error on the training part, 0.08 or 8%", rich_help_panel=READING)]
Val = Annotated[str | None, typer.Option("--val-error", metavar="X", help="error on the validation part, 0.10 or 10%", rich_help_panel=READING)]
TrainSamples = Annotated[int, typer.Option("--train-samples", metavar="N", min=0, help="how many samples --train-error is of", rich_help_panel=READING)]
ValSamples = Annotated[int, typer.Option("--val-samples", metavar="N", min=0, help="how many samples --val-error is of", rich_help_panel=READING)]
Given = Annotated[
    Path | None,
    typer.Option(
        "--predictions",
        metavar="FILE",
        help=".npz with predictions (K, n) or (K, n, classes) and targets (n); noise or inputs may be in it",
        rich_help_panel=GIVEN,
    ),
]
Loss = Annotated[
    str | None,
    typer.Option("--loss", metavar="NAME", help="squared|zero-one|cross-entropy [default: zero-one for classes, else squared]", rich_help_panel=GIVEN),
]
Noise = Annotated[
    str | None,
    typer.Option(
        "--noise-variance", metavar="X|estimate", help="variance of the noise in the targets (squared), or from neighbouring samples", rich_help_panel=GIVEN
    ),
]
Replicas = Annotated[
    int | None, typer.Option("--replicas", metavar="K", min=2, max=100_000, help="training sets (or seeds) [default: 20]", rich_help_panel=RETRAINING)
]
Vary = Annotated[
    str, typer.Option("--vary", metavar="data|seed|both", help="what replicas differ by [default: data]", show_default=False, rich_help_panel=RETRAINING)
]
Resample = Annotated[
    str | None,
    typer.Option(
        "--resample",
        metavar="KIND",
        help="where training sets come from: disjoint parts, bootstrap samples, fresh draws [default: fresh for generated data, else bootstrap]",
        rich_help_panel=RETRAINING,
    ),
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds", metavar="S", min=2, help="seeds of each training set with --vary both [default: 2]", show_default=False, rich_help_panel=RETRAINING
    ),
]
Over = Annotated[
    str | None,
    typer.Option("--over", metavar="AXIS[=V,V]", help="width, depth, train-size, or any option: dropout, l2, epochs, …", rich_help_panel=RETRAINING),
]
Values = Annotated[str | None, typer.Option("--values", metavar="V,V,…", help="values of --over", rich_help_panel=RETRAINING)]
TrainingLoss = Annotated[str | None, typer.Option("--training-loss", metavar="NAME", help="loss that is trained (train's --loss)", rich_help_panel=RETRAINING)]


@allow_file_option
@configuration_options(exclude=("loss", "threads", "record_every", "evaluate_every", "checkpoint_every", *INSTRUMENTS))
@execution_options(RETRAINING, "replica", "with --replicas, more of them")
def command(
    source: Source = None,
    human_error: Human = None,
    train_error: Train = None,
    val_error: Val = None,
    train_samples: TrainSamples = 0,
    val_samples: ValSamples = 0,
    predictions: Given = None,
    loss: Loss = None,
    noise_variance: Noise = None,
    replicas: Replicas = None,
    vary: Vary = "data",
    resample: Resample = None,
    seeds: Seeds = 2,
    over: Over = None,
    values: Values = None,
    training_loss: TrainingLoss = None,
    *,
    execution: Execution,
    options: dict[str, str | None],
    screen: Screen,
) -> ExitCode:
    """One of the three ways."""
    loss = checked("--loss", loss, ("squared", "zero-one", "cross-entropy"))
    errors = {"--human-error": human_error, "--train-error": train_error, "--val-error": val_error}
    bare = {**errors, "--train-samples": train_samples or None, "--val-samples": val_samples or None}
    noise = noise_of(noise_variance)
    given = {"--predictions": predictions, "--loss": loss, "--noise-variance": noise}
    settings = {f"--{name.replace('_', '-')}": text for name, text in options.items()}
    training = {**settings, "--training-loss": training_loss, "--values": values, "--resample": resample, "--vary": None if vary == "data" else vary}
    retraining_only = {**training, "--workers": execution.workers, "-o": execution.output, "--executor": execution.cluster}
    retrain = {"--replicas": replicas, "--over": over}
    if execution.resume is not None:
        refuse("--resume, which goes on with the study as it is", {"RUN": source, **bare, **given, **training, "--over": over, "-o": execution.output})
        return go_on(execution.resume, replicas, execution, screen)
    if any(value is not None for name, value in bare.items() if name != "--human-error"):
        refuse("the reading of bare error rates", {"RUN": source, **given, **retrain, **retraining_only})
        return read_numbers(errors, train_samples, val_samples, screen)
    if predictions is not None:
        refuse("the decomposition of given predictions", {"RUN": source, **bare, **retrain, **retraining_only})
        point, facts = decomposed(predictions, loss, noise)
        return show([point], None, facts, None, screen)
    if source is not None and replicas is None and over is None and is_run_file(source):
        refuse("what a saved run or study tells without training (--replicas K trains)", retraining_only)
        return read_file(source, human_error, loss, noise, screen)
    if human_error is not None:
        raise ConfigError(f"--human-error belongs to the reading of a run or of error rates: name a RUN, or give all three, e.g. {EXAMPLE}")
    if over is None:
        refuse("retraining at one point: they are values of --over AXIS", {"--values": values})
    if vary == "seed":
        refuse("--vary seed, in which all replicas learn the same training part", {"--resample": resample})
    base = read_configuration(source, {**options, "loss": training_loss}, screen)
    execution = execution.claimed([*read_as("the configuration that is read", source), *inputs_of(base)])
    asked = {"replicas": replicas or DEFAULT_REPLICAS, "vary": checked("--vary", vary, ("data", "seed", "both")), "seeds": seeds, "noise": noise}
    asked |= {"resample": checked("--resample", resample, ("disjoint", "bootstrap", "fresh")), "over": over, "values": values, "loss": loss}
    return retraining(base, asked, execution, screen)


def go_on(path: Path, replicas: int | None, execution: Execution, screen: Screen) -> ExitCode:
    """Train what a study lacks, into the same file."""
    from dlprobe.experiments import bias_variance as experiment
    from dlprobe.experiments.study import open_study
    from dlprobe.runs.reading import reading

    with reading(path), open_study(path, experiment.EXPERIMENT) as study:
        base, asked = experiment.asked_of(study)
    tell_of_named_files(path, [base], screen)
    if replicas is not None and replicas < asked["replicas"]:
        raise ConfigError(f"--replicas {replicas}: the study has {asked['replicas']} already: expected as many or more")
    if replicas not in (None, asked["replicas"]) and asked["resample"] == "disjoint":
        raise ConfigError(f"--replicas {replicas}: disjoint sets would all become smaller: begin a new study with -o")
    return retraining(base, {**asked, "replicas": replicas or asked["replicas"]}, execution, screen)


def refuse(way: str, given: Mapping[str, object]) -> None:
    """Raise ConfigError for what was given and has no part in the way chosen: it would be passed over in silence."""
    stray = [name for name, value in given.items() if value is not None]
    if stray:
        raise ConfigError(f"{', '.join(stray)}: no part of {way}; leave {'it' if len(stray) == 1 else 'them'} out")


def checked(option: str, text: str | None, choices: tuple[str, ...]) -> str | None:
    """One of the choices, `_` read as `-`; None stays. Raises ConfigError."""
    from dlprobe.registry import unknown

    plain = None if text is None else text.strip().lower().replace("_", "-")
    if plain is not None and plain not in choices:
        raise ConfigError(f"{option}: {unknown('value', text or '', choices)}")
    return plain


def show(points: list[Any], axis: str | None, facts: dict[str, Any], study: str | None, screen: Screen) -> ExitCode:
    """Print decompositions with what follows from them."""
    from dlprobe.analysis.bias_variance_curve import advice, double_descent, levels, sweet_spot
    from dlprobe.reports.bias_variance import document

    if not points:
        raise DataError("fewer than two replicas ended with finite outputs, so there is nothing to decompose: lower --lr, see dlprobe lr-find")
    best, top = sweet_spot(points), double_descent(points)
    if axis is not None and len(points) > 1:
        facts = {**facts, "sweet_spot": best.at, "double_descent": top.at if top else None}
    screen.show(document(points, levels(best.found), advice(points, axis), axis, facts, study))
    return ExitCode.DONE


def read_file(path: Path, human: str | None, loss: str | None, noise: float | str | None, screen: Screen) -> ExitCode:
    """The textbook reading of a run, or a saved study's replicas decomposed again."""
    from dlprobe.experiments.bias_variance import from_study
    from dlprobe.runs import Study, open_run
    from dlprobe.runs.reading import reading

    with reading(path), open_run(path) as found:
        if isinstance(found, Study):
            refuse("decomposing a study again", {"--human-error": human, f"--noise-variance {ESTIMATE}": noise if isinstance(noise, str) else None})
            design, points = from_study(found, loss, noise if isinstance(noise, float) else None)
            return show(points, design.axis, dict(design.facts), None, screen)
        refuse("the reading of a run (--replicas K decomposes, by retraining)", {"--loss": loss, "--noise-variance": noise})
        return read_run(found, str(path), None if human is None else share("--human-error", human), screen)


def retraining(base: RunConfig, asked: dict[str, Any], execution: Execution, screen: Screen) -> ExitCode:
    """Train the replicas, decompose, show."""
    from dlprobe.commands.base.recorded_run import tell_of_compiling
    from dlprobe.config import split_list, warnings_for
    from dlprobe.data.resampling import Resampler, is_generated
    from dlprobe.experiments import bias_variance as experiment

    for warning in warnings_for(base):
        screen.warn(warning)
    axis, texts = experiment.axis_of(asked["over"]) if asked["over"] else (None, "")
    texts = asked["values"] or texts
    kind = "same" if asked["vary"] == "seed" else asked["resample"] or ("fresh" if is_generated(base.data) else "bootstrap")
    sampler = Resampler(base.data, base.resolved_data_seed, base.training.dtype, kind, asked["replicas"])
    for note in sampler.base.notes:
        screen.note(f"{sampler.base.name}: {note}")
    replicas = experiment.plan(base, axis, split_list(texts), sampler.largest, asked["replicas"], asked["vary"], asked["seeds"])
    if execution.resume is not None:
        tell_of_named_files(execution.resume, (each.config for each in replicas), screen, asked=("data",))  # told of before they were read
    design = design_of(base, sampler.base, asked, axis, replicas, kind)
    output = execution.file
    finished = finished_in(execution.resume, replicas, sampler.prepared, screen) if execution.resume else {}
    tell_of_compiling(screen)
    found, complete, ended = train_all(base, design, replicas, sampler.prepared, finished, execution, screen)
    if not complete:
        screen.interrupted(execution.interrupted("bias-variance", "the numbers are of the replicas that had ended", ended))
        return ExitCode.INTERRUPTED if not found else show_partly(found, axis, design, output, screen)
    for value in design.values:
        if value not in [point.at for point in found] and found:
            screen.warn(f"{axis} = {value} is left out: fewer than two of its replicas ended with finite outputs")
    return show(found, axis, dict(design.facts), str(output) if output else None, screen)


def finished_in(path: Path, replicas: list[Replica], prepared: Any, screen: Screen) -> dict[str, Any]:
    """The outputs of the replicas that a study holds already, by id."""
    from dlprobe.experiments import bias_variance as experiment
    from dlprobe.experiments.study import open_study
    from dlprobe.runs.reading import reading

    with reading(path), open_study(path, experiment.EXPERIMENT) as study:
        finished = experiment.outputs_of(study, replicas, prepared)
    screen.note(
        f"{path} has {len(finished)} of {len(replicas)} replicas" + ("" if len(finished) < len(replicas) else ": nothing to train; --replicas K adds more")
    )
    return finished


def show_partly(found: list[Any], axis: str | None, design: Design, output: Path | None, screen: Screen) -> ExitCode:
    """What an interrupted study came to."""
    show(found, axis, dict(design.facts), str(output) if output else None, screen)
    return ExitCode.INTERRUPTED


def design_of(base: RunConfig, data: Any, asked: dict[str, Any], axis: str | None, replicas: list[Replica], kind: str) -> Design:
    """What is decomposed: the test part, or the validation part where there is none."""
    import numpy as np

    from dlprobe.experiments.bias_variance import Design

    part = next((each for each in ("test", "val") if len(data.inputs[each])), None)
    if part is None:
        raise ConfigError("split leaves no samples to predict: give a test or validation part, e.g. --split 60,0,40")
    loss = asked["loss"] or ("zero-one" if data.task == "classification" else "squared")
    if asked["noise"] is not None and loss != "squared":
        raise ConfigError(f"--noise-variance is of targets that are numbers, and of the squared loss: leave it out with {data.name} and {loss}")
    facts = {"data": data.name, "predicted": f"{part} part, {len(data.inputs[part])} samples", "vary": asked["vary"]}
    sizes = {each.size for each in replicas} - {None}
    facts |= {"training_sets": {"same": "one, the training part"}.get(kind, kind)}
    facts |= {"targets": f"{data.outputs}, their squared errors summed, each in its own unit"} if data.task == "regression" and data.outputs > 1 else {}
    facts |= {} if sizes else {"training_samples": len(data.inputs["train"]) if kind != "disjoint" else len(data.inputs["train"]) // asked["replicas"]}
    clean = data.clean_targets[part] if data.clean_targets is not None and loss == "squared" and data.task == "regression" else None
    noise = asked["noise"] if asked["noise"] is not None else data.noise_variance if clean is not None else None
    if noise == ESTIMATE:
        parts = ("val", "test") if base.data.label_noise else ("train", "val", "test")  # what was added to training targets is not in the others
        noise, facts["noise_estimate"] = estimated(*(np.concatenate([made[each] for each in parts]) for made in (data.inputs, data.targets)))
    truth = clean if noise is not None and asked["noise"] is None else None
    values = tuple(dict.fromkeys(each.at for each in replicas))
    return Design(loss, axis, values, data.targets[part], part, truth, noise, facts, asked)


def train_all(
    base: RunConfig,
    design: Design,
    replicas: list[Replica],
    prepared: Any,
    finished: dict[str, Any],
    execution: Execution,
    screen: Screen,
) -> Any:
    """(points, whether all replicas ended, whether any did); into a study file where one is asked for.

    finished: the outputs of those that it holds already, by id.
    """
    from dlprobe.experiments import bias_variance as experiment
    from dlprobe.experiments.replicas import run
    from dlprobe.training.stopping import on_signals

    with execution.study(experiment.description(design, base, replicas)) as study:
        with on_signals() as stop, screen.progress("training replicas", "replicas") as report:
            how: dict[str, Any] = {"workers": execution.threads, "stop": stop, "study": study, "finished": finished, "progress": report}
            outputs = run(replicas, prepared, design.part, cluster=execution.cluster, **how)
        complete = len(outputs) == len(replicas)
        loss = base.training.loss.record if base.training.loss else None
        ended = [(each.at, each.data, outputs[each.id]) for each in replicas if each.id in outputs]
        found = experiment.points(design, ended, float(loss.threshold) if loss else 0.5)
        if study is not None:
            study.end(experiment.table(found), "finished" if complete else "interrupted")
            study.pack()
    return found, complete, bool(outputs)
