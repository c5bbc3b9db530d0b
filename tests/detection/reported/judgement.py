"""Reports that were judged wrongly, rebuilt on own data, with their right answers.

What is no single run's diagnosis has its tests elsewhere: gates between runs (a count of errors
beside six zeros, Adam's rate × 0.2), counts of group findings, words of `bias-variance`,
`--advise`.
"""

from __future__ import annotations

from .case import DIVERGED, LOST, NOT, PART, SHORT, WELL, Reported, Table

STANDARD = {"target_scaling": "standardize"}
SCALED = {"scaling": "standardize"}


def judgement() -> list[Reported]:
    """Every row, in the order of the table."""
    tables = [
        rates(),
        bits(),
        flowers(),
        regularized(),
        targets(),
        discrete(),
        scale(),
        pixels(),
        shape(),
        regression(),
        stopping(),
        shallow(),
    ]
    return [case for table in tables for case in table]


def rates() -> list[Reported]:
    wine = Table("rate too low", "wine", {"data": "wine", "lr": "1e-9"})
    why = (
        "Adam moves a weight by at most the rate a step: 1e-9 × 80 steps against weights of "
        "some 0.3"
    )
    wine.ill("wine-1e-9", NOT, "lr", {"lr": "0.003"}, why, "L001|W004", "D G A W002", epochs="30")
    wine.healthy(
        "wine-1e-9-two-epochs",
        "8 steps say nothing of a rate",
        (SHORT,),
        label="healthy",
        epochs="2",
    )
    return wine.cases


def bits() -> list[Reported]:
    table = Table(
        "output that the loss does not take",
        "bits_xor",
        {"data": "{made}/bits_xor.npz", "scaling": "none", "init": "glorot_uniform"},
    )
    why = (
        "two ReLU units before a ReLU output: an output of 0 has no slope and stays (half of the "
        "outputs start there); untrained weights are no learning"
    )
    options = {
        "layers": "2,2",
        "optimizer": "sgd",
        "lr": "0.01",
        "output_activation": "relu",
        "loss": "mse",
        "epochs": "20",
    }
    cure = {
        "output_activation": "sigmoid",
        "loss": "binary_cross_entropy",
        "layers": "16,16",
        "lr": "0.5",
    }
    table.ill(
        "xor-relu-output",
        (NOT, LOST, PART),
        "output_activation|layers|lr",
        cure,
        why,
        "L001|L006|A001|lost",
        "D003",
        **options,
    )
    table.kind = "plateau of a noiseless table"
    plateau = {
        "layers": "5",
        "loss": "binary_cross_entropy",
        "optimizer": "rmsprop",
        "batch_size": "4",
        "epochs": "50",
        "evaluate_every": "5",
    }
    why = (
        "equal rows never differ in class: the reachable error is 0; the loss stands at some 0.35 "
        "for thousands of steps"
    )
    for units in ("2", "3"):
        states = (PART, NOT, LOST, WELL)
        table.ill(
            f"xor-plateau-{units}-units",
            states,
            "layers|init",
            {"layers": "16"},
            why,
            "plateau|B001",
            "L004 D003",
            **{**plateau, "layers": units},
        )
    table.healthy(
        "xor-sixteen-units",
        "the same with room for every start: 0 % wrong",
        **{**plateau, "layers": "16", "epochs": "30"},
    )
    return table.cases


def flowers() -> list[Reported]:
    table = Table(
        "rate too low",
        "flowers67",
        {"data": "{made}/flowers.npz", "split": "67,33,0", "scaling": "none"},
    )
    why = (
        "mean squared error through two sigmoids from weights of 0.05: a slope of 1/4 twice and "
        "80 steps of 0.01; one lucky evaluation is no learning"
    )
    options = {
        "layers": "8",
        "activation": "sigmoid",
        "output_activation": "sigmoid",
        "loss": "mse",
        "optimizer": "sgd",
        "lr": "0.01",
    }
    cure = {"lr": "0.03", "optimizer": "adam", "loss": "cross_entropy", "output_activation": "auto"}
    table.ill(
        "flowers-sigmoid-mse",
        NOT,
        "lr|optimizer|loss|init",
        cure,
        why,
        "L001|W004|L004",
        "D G001",
        init="uniform(bound=0.05)",
        epochs="40",
        **options,
    )
    return table.cases


def regularized() -> list[Reported]:
    answers = Table(
        "healthy under dropout",
        "survey",
        {"data": "{made}/survey.npz", "split": "70,30,0", "epochs": "10"},
    )
    why = (
        "a training loss above that of validation is what dropout does: units are missing in one "
        "and not in the other"
    )
    answers.healthy(
        "survey-dropout",
        why,
        (WELL, PART),
        layers="250",
        optimizer="adamax",
        batch_size="10",
        dropout="0.5",
        init="normal(std=0.05)",
        may="B002",
    )
    cancer = Table(
        "healthy under dropout",
        "breast_cancer",
        {"data": "breast_cancer", "layers": "128,64", "epochs": "40"},
    )
    cancer.healthy(
        "cancer-dropout-l2",
        "a dose above the usual one and 3 % error",
        dropout="0.5",
        l2="0.01",
        may="B002",
    )
    return [*answers.cases, *cancer.cases]


def targets() -> list[Reported]:
    sick = Table("unscaled targets", "diabetes", {"data": "diabetes", "layers": "16"})
    why = "targets of 150 ± 77: Adam's 1,350 steps of 0.001 do not bring 16 units to 150 and beyond"
    sick.ill(
        "diabetes-targets-raw",
        NOT,
        "target_scaling",
        STANDARD,
        why,
        "target-scale",
        "L006 D001",
        target_scaling="none",
        epochs="150",
    )
    sick.healthy(
        "diabetes-targets-scaled",
        "R² of a half is what this table allows",
        (WELL, PART),
        layers="32",
        epochs="40",
        target_scaling="standardize",
        may="B002",
    )
    table = Table(
        "output that the loss does not take",
        "windows",
        {"data": "{made}/windows.npz", "layers": "8", "target_scaling": "none"},
    )
    why = "a sigmoid ends at 1, the targets are 3 … 6"
    cure = {"output_activation": "linear", "lr": "0.01"}
    table.ill(
        "windows-sigmoid-output",
        NOT,
        "output_activation|target_scaling",
        cure,
        why,
        "L006",
        "",
        output_activation="sigmoid",
        lr="0.3",
        epochs="100",
    )
    table.healthy(
        "windows-linear-output",
        "four clusters of targets, a linear output",
        lr="0.01",
        epochs="100",
    )
    digits = Table("initial weights too large", "digits", {"data": "digits", "epochs": "20"})
    why = (
        "weights of 1 in layers of 300 units: the first loss is thousands of times ln 10; few are "
        "wrong, but surely so"
    )
    digits.ill(
        "digits-normal1",
        (PART, NOT),
        "init",
        {"init": "auto"},
        why,
        "L005",
        "",
        layers="300,300",
        init="normal(std=1)",
    )
    return [*sick.cases, *table.cases, *digits.cases]


def discrete() -> list[Reported]:
    table = Table(
        "tiny table of repeated rows",
        "bits_majority",
        {"data": "{made}/bits_majority.npz", "layers": "10", "lr": "0.01"},
    )
    table.healthy(
        "majority-forty-rows",
        "three bits have 8 distinct rows: every split of 40 shares them by nature",
        epochs="300",
    )
    heart = Table(
        "random labels", "gaussian", {"data": "gaussian(samples=1200, features=200, classes=3)"}
    )
    why = (
        "the labels are drawn independently of the inputs: validation stays at 2/3, and learning "
        "by heart is not slow learning"
    )
    heart.ill(
        "gaussian-by-heart",
        NOT,
        "data",
        {},
        why,
        "nothing-to-learn|B002",
        "L004",
        label="ill",
        layers="250",
        epochs="12",
        lr="0.0003",
    )
    return [*table.cases, *heart.cases]


def scale() -> list[Reported]:
    line = Table(
        "features in raw units",
        "line100",
        {
            "data": "{made}/line100.npz",
            "layers": "",
            "target_scaling": "none",
            "init": "zeros",
            "optimizer": "sgd",
        },
    )
    why = (
        "mean square of x is 3,333: descent is stable for rates below 1/3,333 (2 over the "
        "curvature 2·E x²), and the rate is 0.01"
    )
    options = {
        "loss": "mse",
        "lr": "0.01",
        "batch_size": "full",
        "steps": "2000",
        "epochs": "none",
        "scaling": "none",
    }
    line.ill("line-raw-sgd", DIVERGED, "scaling", SCALED, why, "D001", "", **options)
    line.healthy(
        "line-standardized-sgd",
        "the same, standardized: curvature 2, stable below 1",
        **{**options, "scaling": "standardize"},
    )
    sums = Table(
        "features in raw units",
        "sum50",
        {
            "data": "{made}/sum50.npz",
            "layers": "110",
            "activation": "tanh",
            "optimizer": "sgd",
            "lr": "0.1",
        },
    )
    why = "inputs of 0 … 100 hold tanh units at ±1, whose slope is 0"
    sums.ill(
        "sum50-raw-tanh",
        (PART, NOT, WELL),
        "scaling",
        SCALED,
        why,
        "D001|A002",
        "",
        batch_size="100",
        epochs="12",
        scaling="none",
    )
    sums.healthy("sum50-standardized", "the same, standardized", batch_size="100", epochs="60")
    return [*line.cases, *sums.cases]


def pixels() -> list[Reported]:
    table = Table("rate too low", "digits", {"data": "digits", "scaling": "none"})
    why = (
        "pixels of one range are scaled enough (the default learns from them); 340 steps of "
        "1e-5 are not"
    )
    table.ill(
        "digits-pixels-sgd-1e-5",
        NOT,
        "lr",
        {"lr": "0.03"},
        why,
        "L001|W004|L004",
        "D001",
        optimizer="sgd",
        lr="1e-5",
        epochs="10",
    )
    table.kind = "odd but healthy"
    table.healthy(
        "digits-pixels-adam",
        "0 … 16 in one range; faint border pixels have small deviations by nature",
        epochs="20",
    )
    return table.cases


def shape() -> list[Reported]:
    table = Table(
        "depth and taper",
        "sum50",
        {"data": "{made}/sum50.npz", "norm": "batch", "epochs": "40", "schedule": "cosine"},
    )
    layers = ",".join(str(units) for units in range(84, 0, -4))
    why = (
        "21 layers that narrow from 84 to 4 units for a straight border that two layers draw "
        "without error"
    )
    table.ill(
        "sum50-taper-21",
        (PART, NOT, WELL),
        "layers",
        {"layers": "100,50"},
        why,
        "tapering|G002|A007",
        "B001",
        layers=layers,
    )
    table.healthy("sum50-two-layers", "the same border by two layers", layers="100,50")
    return table.cases


def regression() -> list[Reported]:
    table = Table(
        "unscaled targets",
        "celsius",
        {
            "data": "{made}/celsius.npz",
            "layers": "",
            "loss": "mse",
            "optimizer": "sgd",
            "epochs": "20",
        },
    )
    why = (
        "x² is 83,333 in the mean and 1 for the intercept: at a rate of 1e-6 the 32 is not "
        "learned, a residual of 1,000 where 0.09 is reachable; R² is .996"
    )
    table.ill(
        "celsius-raw",
        PART,
        "scaling|target_scaling|lr",
        {**SCALED, **STANDARD, "lr": "0.05"},
        why,
        "D001|target-scale",
        "",
        lr="1e-6",
        scaling="none",
        target_scaling="none",
    )
    table.healthy("celsius-scaled", "both sides standardized: 0.09 in 20 epochs", lr="0.05")
    late = Table(
        "late instability",
        "overpar",
        {"data": "{made}/overpar.npz", "split": "100,0,0", "layers": "", "target_scaling": "none"},
    )
    why = (
        "more inputs than points: 1e-13 after 300 steps, then 1e-4 and more, as Adam's second "
        "moment has gone: steps are of the rate's size"
    )
    late.healthy(
        "overpar-adam-late",
        why,
        (WELL,),
        "late-instability",
        lr="0.01",
        batch_size="full",
        steps="2000",
        epochs="none",
    )
    return [*table.cases, *late.cases]


def stopping() -> list[Reported]:
    table = Table("early stopping", "digits", {"data": "digits", "epochs": "60"})
    table.healthy(
        "digits-early-stopping",
        "stopped at its best and put back there: nothing is left to stop",
        early_stopping="early_stopping(patience=5)",
    )
    return table.cases


def shallow() -> list[Reported]:
    table = Table("odd but healthy", "wine", {"data": "wine", "epochs": "60"})
    table.healthy(
        "wine-no-hidden-layer",
        "13 readings part three wines by planes; no depth, no profile",
        layers="",
        lr="0.03",
    )
    table.healthy(
        "wine-one-hidden-layer",
        "one hidden layer has nothing to compare with",
        layers="16",
        lr="0.01",
    )
    return table.cases
