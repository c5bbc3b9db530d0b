"""The options of bias-variance, each in the group of the way that it belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# The groups of --help: each names the way that its options belong to.
READING = "Reading of a run, or of error rates"
RATES = "Reading of error rates"
GIVEN = "Decomposition of given predictions"
DECOMPOSING = "Decomposition: of given predictions, of a saved study, by retraining"
RETRAINING = "Decomposition by retraining"
Source = Annotated[
    Path | None,
    typer.Argument(
        metavar="RUN|STUDY|CONFIG",
        help="run file to read, study to decompose again, or TOML file to retrain",
        show_default=False,
    ),
]
Human = Annotated[
    str | None,
    typer.Option(
        "--human-error",
        metavar="X",
        help="error of a human or the best known model, 0.02 or 2%",
        show_default=False,
        rich_help_panel=READING,
    ),
]
Reference = Annotated[
    list[Path] | None,
    typer.Option(
        "--reference",
        metavar="RUN…",
        help=(
            "runs on the same data, up to the next option: the best of them is what can be reached"
        ),
        rich_help_panel=READING,
    ),
]
Train = Annotated[
    str | None,
    typer.Option(
        "--train-error",
        metavar="X",
        help="error on the training part, 0.08 or 8%",
        rich_help_panel=RATES,
    ),
]
Val = Annotated[
    str | None,
    typer.Option(
        "--val-error",
        metavar="X",
        help="error on the validation part, 0.10 or 10%",
        rich_help_panel=RATES,
    ),
]
TrainSamples = Annotated[
    int | None,
    typer.Option(
        "--train-samples",
        metavar="N",
        min=0,
        help="how many samples --train-error is of",
        rich_help_panel=RATES,
    ),
]
ValSamples = Annotated[
    int | None,
    typer.Option(
        "--val-samples",
        metavar="N",
        min=0,
        help="how many samples --val-error is of",
        rich_help_panel=RATES,
    ),
]
Given = Annotated[
    Path | None,
    typer.Option(
        "--predictions",
        metavar="FILE",
        help=".npz with predictions (K, n) or (K, n, classes) and targets (n); noise or inputs may "
        "be in it",
        rich_help_panel=GIVEN,
    ),
]
Loss = Annotated[
    str | None,
    typer.Option(
        "--loss",
        metavar="NAME",
        help="squared|zero-one|cross-entropy [default: zero-one for classes, else squared]",
        rich_help_panel=DECOMPOSING,
    ),
]
Noise = Annotated[
    str | None,
    typer.Option(
        "--noise-variance",
        metavar="X|estimate",
        help="variance of the noise in the targets (squared), or from neighbouring samples",
        rich_help_panel=DECOMPOSING,
    ),
]
Replicas = Annotated[
    int | None,
    typer.Option(
        "--replicas",
        metavar="K",
        min=2,
        max=100_000,
        help="training sets (or seeds) [default: 20]",
        rich_help_panel=RETRAINING,
    ),
]
Vary = Annotated[
    str | None,
    typer.Option(
        "--vary",
        metavar="data|seed|both",
        help="what replicas differ by [default: data]",
        show_default=False,
        rich_help_panel=RETRAINING,
    ),
]
Resample = Annotated[
    str | None,
    typer.Option(
        "--resample",
        metavar="KIND",
        help="where training sets come from: disjoint parts, bootstrap samples, fresh draws "
        "[default: fresh for generated data, else bootstrap]",
        rich_help_panel=RETRAINING,
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        metavar="S",
        min=2,
        help="seeds of each training set with --vary both [default: 2]",
        show_default=False,
        rich_help_panel=RETRAINING,
    ),
]
Over = Annotated[
    str | None,
    typer.Option(
        "--over",
        metavar="AXIS[=V,V]",
        help="width, depth, train-size, or any option: dropout, l2, epochs, …",
        rich_help_panel=RETRAINING,
    ),
]
Values = Annotated[
    str | None,
    typer.Option("--values", metavar="V,V,…", help="values of --over", rich_help_panel=RETRAINING),
]
TrainingLoss = Annotated[
    str | None,
    typer.Option(
        "--training-loss",
        metavar="NAME",
        help="loss that is trained (train's --loss)",
        rich_help_panel=RETRAINING,
    ),
]
