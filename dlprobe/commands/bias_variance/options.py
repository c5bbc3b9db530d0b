"""The options of bias-variance, each in the group of the way that it belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlprobe.commands.base.arguments import option

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
    ),
]
Human = Annotated[
    str | None,
    option("--human-error X", "error of a human or the best known model, 0.02 or 2%", READING),
]
Reference = Annotated[
    list[Path] | None,
    option(
        "--reference RUN…",
        "runs on the same data, up to the next option: the best of them is what can be reached",
        READING,
    ),
]
Train = Annotated[
    str | None, option("--train-error X", "error on the training part, 0.08 or 8%", RATES)
]
Val = Annotated[
    str | None, option("--val-error X", "error on the validation part, 0.10 or 10%", RATES)
]
TrainSamples = Annotated[
    int | None, option("--train-samples N", "how many samples --train-error is of", RATES, min=0)
]
ValSamples = Annotated[
    int | None, option("--val-samples N", "how many samples --val-error is of", RATES, min=0)
]
Given = Annotated[
    Path | None,
    option(
        "--predictions FILE",
        ".npz with predictions (K, n) or (K, n, classes) and targets (n); noise or inputs may "
        "be in it",
        GIVEN,
    ),
]
Loss = Annotated[
    str | None,
    option(
        "--loss NAME",
        "squared|zero-one|cross-entropy [default: zero-one for classes, else squared]",
        DECOMPOSING,
    ),
]
Noise = Annotated[
    str | None,
    option(
        "--noise-variance X|estimate",
        "variance of the noise in the targets (squared), or from neighbouring samples",
        DECOMPOSING,
    ),
]
Replicas = Annotated[
    int | None,
    option(
        "--replicas K", "training sets (or seeds) [default: 20]", RETRAINING, min=2, max=100_000
    ),
]
Vary = Annotated[
    str | None,
    option("--vary data|seed|both", "what replicas differ by [default: data]", RETRAINING),
]
Resample = Annotated[
    str | None,
    option(
        "--resample KIND",
        "where training sets come from: disjoint parts, bootstrap samples, fresh draws "
        "[default: fresh for generated data, else bootstrap]",
        RETRAINING,
    ),
]
Seeds = Annotated[
    int | None,
    option(
        "--seeds S", "seeds of each training set with --vary both [default: 2]", RETRAINING, min=2
    ),
]
Over = Annotated[
    str | None,
    option(
        "--over AXIS[=V,V]",
        "width, depth, train-size, or any option: dropout, l2, epochs, …",
        RETRAINING,
    ),
]
Values = Annotated[str | None, option("--values V,V,…", "values of --over", RETRAINING)]
TrainingLoss = Annotated[
    str | None, option("--training-loss NAME", "loss that is trained (train's --loss)", RETRAINING)
]
