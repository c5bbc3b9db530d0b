"""Ill cases of the kinds that people report, most with the option that undoes the fault. Their
healthy counterparts are in `healthy_kinds.py`.
"""

from __future__ import annotations

from .case import DIVERGED, LOST, NOT, PART, SHORT, WELL, Reported, Table

HOUSES = {"data": "{made}/houses.npz", "layers": "32,32", "epochs": "40", "target_scaling": "none"}
FLOWERS = {"data": "{made}/flowers.npz", "layers": "16", "epochs": "60", "lr": "0.01"}
DIGITS = {"data": "digits", "layers": "64,64", "epochs": "10"}
STANDARD = {"target_scaling": "standardize"}


def ill_kinds() -> list[Reported]:
    """Every ill case beyond the table of judgement."""
    tables = [
        targets(),
        features(),
        rates(),
        outputs(),
        dying(),
        depth(),
        weights(),
        plateau(),
        penalties(),
        labels(),
        classes(),
        fit(),
        lost(),
        norms(),
    ]
    return [case for table in tables for case in table]


def targets() -> list[Reported]:
    houses = Table("unscaled targets", "houses", HOUSES)
    why = (
        "prices of 300,000: Adam moves the output by some 0.001 × 64 units a step, 400 steps come "
        "nowhere near"
    )
    houses.ill(
        "houses-price-raw", NOT, "target_scaling", STANDARD, why, "target-scale", "W002 D001"
    )
    why = (
        "descent with targets of 300,000: the first gradient is 6e5 times the activations, the "
        "second step overflows"
    )
    houses.ill(
        "houses-price-raw-sgd",
        (DIVERGED, NOT),
        "target_scaling",
        STANDARD,
        why,
        "target-scale",
        "W002",
        optimizer="sgd",
    )
    base = {"layers": "32,32", "epochs": "40", "target_scaling": "none"}
    boiling = Table("unscaled targets", "boiling", {**base, "data": "{made}/boiling.npz"})
    why = "1,000 ± 1: the residual of the mean alone takes all the steps, R² stays far below 0"
    boiling.ill("boiling-mean-raw", NOT, "target_scaling", STANDARD, why, "target-scale", "D001")
    tiny = Table("unscaled targets", "charges", {**base, "data": "{made}/charges.npz"})
    why = (
        "targets of 1e-5 under outputs of 1: a residual of 1e-3 looks like a loss of 1e-6 and is "
        "100 deviations"
    )
    tiny.ill(
        "charges-tiny-raw", (NOT, PART), "target_scaling", STANDARD, why, "target-scale", "D001"
    )
    return [*houses.cases, *boiling.cases, *tiny.cases]


def features() -> list[Reported]:
    houses = Table("features in raw units", "houses", {**HOUSES, **STANDARD})
    why = "an income of 52,000 ± 18,000: the curvature is some 1e9, the rate 0.01"
    houses.ill(
        "houses-features-raw-sgd",
        (DIVERGED, NOT),
        "scaling",
        {"scaling": "standardize"},
        why,
        "D001",
        "",
        scaling="none",
        optimizer="sgd",
        lr="0.01",
    )
    mixed = Table(
        "features in raw units",
        "flowers",
        {**FLOWERS, "data": "{made}/flowers_mixed_units.npz", "scaling": "none"},
    )
    why = "one length in micrometres, 50,000: tanh units are ±1 whatever the other three say"
    cure = {"scaling": "standardize"}
    mixed.ill(
        "flowers-micrometres-tanh",
        (NOT, PART),
        "scaling",
        cure,
        why,
        "D001|A002",
        "",
        activation="tanh",
        optimizer="sgd",
        lr="0.1",
    )
    colours = Table(
        "features in raw units",
        "colours",
        {"data": "{made}/colours.npz", "layers": "16,16", "scaling": "none", "epochs": "30"},
    )
    why = (
        "0 … 255 and a rate of 0.1: the mean square of 21,700 makes the first steps so large that "
        "units die or jump"
    )
    colours.ill(
        "colours-raw-sgd",
        (NOT, PART),
        "scaling",
        {"scaling": "standardize"},
        why,
        "D001|A001",
        "",
        optimizer="sgd",
        lr="0.1",
    )
    amounts = Table(
        "features in raw units",
        "amounts",
        {"data": "{made}/amounts.npz", "layers": "32", "epochs": "30"},
    )
    why = (
        "magnitudes 0.1 … 100,000: the largest columns alone are seen, sums of 1e5 meet the output"
    )
    amounts.ill(
        "amounts-raw",
        (NOT, PART, LOST, DIVERGED),
        "scaling",
        {"scaling": "standardize"},
        why,
        "D001",
        "",
        scaling="none",
    )
    return [*houses.cases, *mixed.cases, *colours.cases, *amounts.cases]


def rates() -> list[Reported]:
    digits = Table("rate too low", "digits", DIGITS)
    digits.ill(
        "digits-sgd-1e-6",
        NOT,
        "lr",
        {"lr": "0.05"},
        "340 steps of 1e-6 against weights of 0.18",
        "L001|W004",
        "G A W002",
        optimizer="sgd",
        lr="1e-6",
    )
    why = "340 steps of 1e-4: the loss falls steadily by a fraction of what there is"
    digits.ill(
        "digits-sgd-1e-4",
        (NOT, PART),
        "lr|epochs|steps|optimizer",
        {"lr": "0.05"},
        why,
        "L004|W004|L001",
        "G A W002",
        optimizer="sgd",
        lr="1e-4",
    )
    high = Table("rate too high", "flowers", FLOWERS)
    why = "momentum of 0.9 makes the rate tenfold: 200 against a curvature of order 1"
    high.ill(
        "flowers-momentum-20",
        (NOT, DIVERGED, PART, LOST),
        "lr",
        {"lr": "0.05"},
        why,
        "W003|L002|L003|N001|G002|A001",
        "D",
        optimizer="momentum",
        lr="20",
    )
    why = "Adam moves every weight by 1 a step, weights are 0.35"
    high.ill(
        "flowers-adam-1",
        (NOT, PART, LOST),
        "lr",
        {"lr": "0.01"},
        why,
        "W003|L002|L003|A001",
        "D",
        lr="1",
        layers="32,32,32",
    )
    houses = Table("rate too high", "houses", {**HOUSES, **STANDARD})
    why = "Adam moves every weight by 0.5 a step, weights are 0.25"
    houses.ill(
        "houses-adam-.5",
        (NOT, PART, LOST),
        "lr",
        {"lr": "0.001"},
        why,
        "W003|L002|L003|L001|A001",
        "D",
        lr="0.5",
    )
    return [*digits.cases, *high.cases, *houses.cases]


def outputs() -> list[Reported]:
    kind = "output that the loss does not take"
    flowers = Table(kind, "flowers", FLOWERS)
    why = "cross-entropy takes the logarithm of a share; a ReLU output is 0 or above 1 and no share"
    cure = {"output_activation": "auto"}
    flowers.ill(
        "flowers-relu-into-cross-entropy",
        (NOT, PART, DIVERGED, LOST),
        "output_activation",
        cure,
        why,
        "L006",
        "",
        output_activation="relu",
    )
    signed = Table(
        kind,
        "signed",
        {
            "data": "{made}/signed.npz",
            "layers": "16",
            "epochs": "60",
            "lr": "0.01",
            "target_scaling": "none",
        },
    )
    why = (
        "half of the targets are below 0, a ReLU output is not: about half of the variance is out "
        "of reach"
    )
    signed.ill(
        "signed-relu-output",
        (PART, NOT),
        "output_activation",
        {"output_activation": "linear"},
        why,
        "L006",
        "",
        output_activation="relu",
    )
    why = "half of the targets are below 0, softplus is above 0"
    signed.ill(
        "signed-softplus-output",
        (PART, NOT),
        "output_activation",
        {"output_activation": "linear"},
        why,
        "L006",
        "",
        output_activation="softplus",
    )
    boiling = Table(
        kind,
        "boiling",
        {
            "data": "{made}/boiling.npz",
            "layers": "16",
            "epochs": "60",
            "target_scaling": "none",
            "lr": "0.01",
        },
    )
    why = "tanh ends at 1, the targets are 1,000"
    cure = {"output_activation": "linear", "target_scaling": "standardize"}
    boiling.ill(
        "boiling-tanh-output",
        NOT,
        "output_activation|target_scaling",
        cure,
        why,
        "L006",
        "",
        output_activation="tanh",
    )
    return [*flowers.cases, *signed.cases, *boiling.cases]


def dying() -> list[Reported]:
    flowers = Table("dying ReLU", "flowers", FLOWERS)
    why = "a bias of −20 is beyond any input: every unit is 0 for every sample from the start"
    flowers.ill(
        "flowers-dead-biases",
        NOT,
        "bias_init",
        {"bias_init": "zeros"},
        why,
        "A001|G005",
        "D L006",
        bias_init="constant(value=-20)",
    )
    why = (
        "30 layers of 3 units: a layer is dead with (1/2)^3 a time, so nearly every net is (Lu et "
        "al. 2020)"
    )
    flowers.ill(
        "flowers-narrow-30",
        NOT,
        "layers|activation|norm|residual",
        {"layers": "16"},
        why,
        "A001|G005|G001|A003|A006",
        "D",
        layers="3x30",
    )
    return flowers.cases


def depth() -> list[Reported]:
    moons = Table(
        "sigmoid depth",
        "moons",
        {"data": "moons(samples=600, noise=0.15)", "epochs": "60", "loss": "binary_cross_entropy"},
    )
    why = "each sigmoid layer passes on at most 1/16 of the mean square: 24 of them 1e-29"
    cure = {"activation": "relu", "init": "auto"}
    moons.ill(
        "moons-sigmoid-24",
        NOT,
        "activation|norm|layers|init|residual",
        cure,
        why,
        "G001|A003",
        "D",
        layers="16x24",
        activation="sigmoid",
    )
    flowers = Table("sigmoid depth", "flowers", {**FLOWERS, "lr": "0.001"})
    why = "seven layers of 1/16 with Glorot's weights: 4e-9 of the mean square arrives"
    cure = {"activation": "tanh", "lr": "0.003"}
    flowers.ill(
        "flowers-sigmoid-7",
        (NOT, PART, LOST),
        "activation|norm|layers|init|residual",
        cure,
        why,
        "G001|A003",
        "D",
        layers="16x7",
        activation="sigmoid",
    )
    return [*moons.cases, *flowers.cases]


def weights() -> list[Reported]:
    digits = Table("initial weights too small", "digits", {**DIGITS, "layers": "64x6"})
    why = (
        "weights of 0.001 in layers of 64 units: a layer passes on 3e-5 of the mean square, six "
        "of them nothing"
    )
    digits.ill(
        "digits-normal-.001",
        NOT,
        "init|norm",
        {"init": "auto"},
        why,
        "W002|A003|G001|G005",
        "D",
        init="normal(std=0.001)",
    )
    digits.ill(
        "digits-zeros",
        NOT,
        "init",
        {"init": "auto"},
        "weights of 0 have gradients of 0 (ReLU)",
        "W001|G005",
        "D",
        init="zeros",
        layers="64,64",
    )
    tanh = Table("initial weights too large", "digits", {**DIGITS, "activation": "tanh"})
    why = "weights of 3 in layers of 64: preactivations of 24, tanh is flat from 3 on"
    tanh.ill(
        "digits-tanh-normal3",
        (NOT, PART),
        "init|norm",
        {"init": "auto"},
        why,
        "A002|W002|G002",
        "D",
        init="normal(std=3)",
        layers="64x4",
    )
    why = (
        "all biases are 8 and sigmoid is flat there: every unit says 1 and learns with a "
        "slope of 3e-4"
    )
    cure = {"bias_init": "zeros"}
    tanh.ill(
        "digits-sigmoid-bias8",
        (NOT, PART),
        "bias_init",
        cure,
        why,
        "A002|A003|G001",
        "D",
        activation="sigmoid",
        bias_init="constant(value=8)",
    )
    return [*digits.cases, *tanh.cases]


def plateau() -> list[Reported]:
    table = Table(
        "plateau of a noiseless table",
        "parity3",
        {"data": "{made}/parity3.npz", "scaling": "none", "epochs": "40", "lr": "0.01"},
    )
    why = (
        "the parity of three bits needs three units that are placed well; eight rows without "
        "noise have a reachable error of 0"
    )
    for units in ("2", "3"):
        cure = {"layers": "16"}
        table.ill(
            f"parity-{units}-units",
            (PART, NOT, LOST, WELL),
            "layers|init",
            cure,
            why,
            "plateau|B001",
            "L004 D003",
            layers=units,
        )
    return table.cases


def penalties() -> list[Reported]:
    kind = "regularization that ends learning"
    digits = Table(kind, "digits", DIGITS)
    why = "three layers of which nine in ten units are dropped: hardly a path is left"
    digits.ill(
        "digits-dropout-.9",
        (NOT, PART, LOST),
        "dropout",
        {"dropout": "0"},
        why,
        "B004",
        "L004",
        layers="32x3",
        dropout="0.9",
    )
    why = "the penalty of weights of 0.18 is 0.3 × 8,800 × 0.03 = 80, the loss 2.3"
    digits.ill("digits-l2-.3", (NOT, PART, LOST), "l2", {"l2": "0"}, why, "B004", "L004", l2="0.3")
    digits.ill(
        "digits-l1-.1",
        (NOT, PART, LOST),
        "l1",
        {"l1": "0"},
        "0.1 × 8,800 × 0.14 = 120, the loss 2.3",
        "B004",
        "L004",
        l1="0.1",
    )
    why = (
        "decoupled decay shrinks weights by rate × decay = 0.1 a step, an Adam step is 0.001: "
        "they end near 0.01"
    )
    digits.ill(
        "digits-adamw-100",
        (NOT, PART, LOST),
        "optimizer",
        {"optimizer": "adamw"},
        why,
        "B004",
        "L004",
        optimizer="adamw(weight_decay=100)",
    )
    why = "decay of 2 at a rate of 0.1 shrinks weights by a fifth a step"
    cure = {"optimizer": "sgd"}
    digits.ill(
        "digits-sgd-decay-2",
        (NOT, PART, LOST),
        "optimizer",
        cure,
        why,
        "B004",
        "L004",
        optimizer="sgd(weight_decay=2)",
        lr="0.1",
    )
    why = (
        "a unit's incoming weights have norm 1.4 by He and are held at 0.02: three layers "
        "pass on 1e-5"
    )
    digits.ill(
        "digits-max-norm-.02",
        (NOT, PART, LOST),
        "max_norm",
        {"max_norm": "none"},
        why,
        "B004",
        "L004",
        max_norm="0.02",
    )
    houses = Table(kind, "houses", {**HOUSES, **STANDARD})
    houses.ill(
        "houses-l2-1",
        (NOT, PART, LOST),
        "l2",
        {"l2": "0"},
        "1 × 1,200 weights × 0.06 = 75, the loss 1",
        "B004",
        "L004",
        l2="1",
    )
    return [*digits.cases, *houses.cases]


def labels() -> list[Reported]:
    noise = Table(
        "random labels",
        "gaussian2",
        {
            "data": "gaussian(samples=300, features=20, classes=2)",
            "layers": "128,128",
            "epochs": "60",
        },
    )
    why = (
        "labels drawn independently of the inputs: validation at one half whatever the training "
        "part says"
    )
    noise.ill(
        "gaussian-two-classes",
        NOT,
        "data",
        {},
        why,
        "nothing-to-learn|B002",
        "L004 G A W002",
        label="ill",
    )
    shuffled = Table(
        "random labels",
        "houses_shuffled",
        {**HOUSES, **STANDARD, "data": "{made}/houses_shuffled.npz", "epochs": "60"},
    )
    shuffled.ill(
        "houses-shuffled",
        NOT,
        "data",
        {},
        "prices of other houses: R² of new rows is at most 0",
        "nothing-to-learn|B002",
        "L004",
        label="ill",
    )
    leak = Table(
        "leak between the parts",
        "visits",
        {"data": "{made}/visits.npz", "layers": "128,128", "epochs": "60"},
    )
    why = (
        "every patient stands five times in the table: the validation part is known from training "
        "by 1 − 0.4^4 = 97 %"
    )
    leak.ill("visits-repeated", (WELL, PART), "data", {}, why, "D003", "L004", label="ill")
    return [*noise.cases, *shuffled.cases, *leak.cases]


def classes() -> list[Reported]:
    table = Table(
        "class imbalance",
        "faults3",
        {"data": "{made}/faults3.npz", "layers": "16", "optimizer": "sgd"},
    )
    why = (
        "two faults of 2 % each, 4.5 deviations away: after 3 epochs at 0.003 the net still says "
        "normal always, with 4 % wrong"
    )
    cure = {"lr": "0.3", "class_weights": "balanced", "epochs": "30"}
    table.ill(
        "faults-missed",
        NOT,
        "class_weights|lr|epochs",
        cure,
        why,
        "D002|L004|W004|L001",
        "G",
        lr="0.003",
        epochs="4",
    )
    return table.cases


def fit() -> list[Reported]:
    digits = Table("overfit", "digits", {"data": "digits", "layers": "256,256", "epochs": "60"})
    why = "40 samples of ten classes, four each: 0 % wrong in training, a third of the rest"
    digits.ill("digits-forty-samples", PART, "data", {}, why, "B002", "L004 G", train_size="40")
    moons = Table(
        "overfit",
        "moons-noisy",
        {
            "data": "moons(samples=800, noise=0.5)",
            "train_size": "90",
            "loss": "binary_cross_entropy",
        },
    )
    why = (
        "90 noisy points by heart with 40,000 weights: the validation loss ends near twice "
        "guessing's 0.69"
    )
    cure = {"epochs": "40", "lr": "0.003", "layers": "16"}
    options = {"layers": "200,200", "epochs": "400", "lr": "0.01"}
    moons.ill(
        "moons-by-heart",
        (PART, LOST, NOT),
        "epochs|early_stopping|dropout|l2|layers",
        cure,
        why,
        "B003",
        "L004",
        **options,
    )
    moons.kind = "odd but healthy"
    moons.healthy(
        "moons-noisy-plain",
        "a net of 16 units at the error that the noise leaves",
        (WELL, PART),
        layers="16",
        epochs="40",
        lr="0.003",
        may="B002",
    )
    spirals = Table(
        "underfit", "spirals", {"data": "spirals(samples=600)", "epochs": "100", "lr": "0.01"}
    )
    spirals.ill(
        "spirals-three-units",
        (PART, NOT),
        "layers",
        {"layers": "64,64"},
        "three lines cannot part two spirals",
        "B001",
        "D G",
        layers="3",
    )
    spirals.ill(
        "spirals-linear",
        (NOT, PART),
        "layers",
        {"layers": "64,64"},
        "one line cannot part two spirals",
        "B001|L001",
        "D G",
        layers="",
    )
    why = "the turns of a spiral are learned after some 40 epochs, 4 are given"
    spirals.ill(
        "spirals-four-epochs",
        (PART, NOT, SHORT),
        "epochs|steps|lr",
        {"epochs": "100"},
        why,
        "L004|B001",
        "D G",
        layers="64,64",
        epochs="4",
    )
    stop = Table(
        "early stopping",
        "digits",
        {"data": "digits", "layers": "64", "epochs": "60", "optimizer": "sgd", "lr": "0.01"},
    )
    why = "stopped at the first evaluation that gains less than 0.5: the second or third of sixty"
    cure = {"early_stopping": "none"}
    stopping = "early_stopping(patience=1, min_delta=0.5)"
    stop.ill(
        "digits-stopped-early",
        (PART, NOT, SHORT),
        "early_stopping|lr|epochs",
        cure,
        why,
        "stopped-early|L004",
        "G A D",
        early_stopping=stopping,
    )
    return [*digits.cases, *moons.cases, *spirals.cases, *stop.cases]


def lost() -> list[Reported]:
    kind = "learned and lost"
    digits = Table(kind, "digits", {**DIGITS, "epochs": "16"})
    why = (
        "after 10 epochs of Adam at 0.001 the rate is 1: a move of 1 a step where weights are 0.18"
    )
    schedule = 'piecewise(boundaries="10", factors="1,1000")'
    digits.ill(
        "digits-rate-rises",
        (LOST, DIVERGED),
        "schedule|lr",
        {"schedule": "constant"},
        why,
        "lost|L002",
        "D",
        schedule=schedule,
    )
    flowers = Table(kind, "flowers", {**FLOWERS, "epochs": "120"})
    schedule = 'piecewise(boundaries="60", factors="1,400")'
    why = "descent at 0.05 learns in 60 epochs, then steps of 20 throw the weights about"
    cure = {"schedule": "constant"}
    states = (LOST, DIVERGED, PART, WELL)
    flowers.ill(
        "flowers-rate-rises",
        states,
        "schedule|lr",
        cure,
        why,
        "lost|L002|L003|W003",
        "D",
        optimizer="sgd",
        lr="0.05",
        schedule=schedule,
    )
    houses = Table(kind, "houses", {**HOUSES, **STANDARD, "epochs": "40"})
    why = (
        "after 20 epochs the rate is 300 times as high: descent above 2 over the curvature grows "
        "without bound"
    )
    schedule = 'piecewise(boundaries="20", factors="1,300")'
    states = (LOST, DIVERGED, NOT, PART)
    houses.ill(
        "houses-late-divergence",
        states,
        "schedule|lr",
        cure,
        why,
        "lost|L002|N001",
        "D",
        optimizer="sgd",
        lr="0.02",
        schedule=schedule,
    )
    return [*digits.cases, *flowers.cases, *houses.cases]


def norms() -> list[Reported]:
    tiny = Table(
        "batch norm with tiny batches",
        "flowers",
        {**FLOWERS, "norm": "batch", "lr": "0.001", "epochs": "20"},
    )
    why = (
        "of two samples one is +1 and the other −1 in every unit whatever they are; running "
        "statistics say something else"
    )
    tiny.ill(
        "flowers-batch-of-two",
        (PART, NOT, WELL),
        "batch_size|norm",
        {"batch_size": "16", "lr": "0.01"},
        why,
        "A007",
        "D",
        batch_size="2",
        layers="16x4",
    )
    taper = Table("depth and taper", "digits", {"data": "digits", "epochs": "15"})
    why = "one unit in the middle: ten classes through one number"
    taper.ill(
        "digits-one-unit",
        (PART, NOT),
        "layers",
        {"layers": "64,32"},
        why,
        "tapering|B001|A001",
        "D",
        layers="64,16,1,16",
    )
    why = (
        "eight layers down to two units, then ten classes: a plane has no room for ten corners "
        "that ReLU makes"
    )
    layers = "64,48,32,24,16,8,4,2"
    taper.ill(
        "digits-taper-to-two",
        (PART, NOT),
        "layers",
        {"layers": "64,32"},
        why,
        "tapering|B001|A001|A003",
        "D",
        layers=layers,
    )
    return [*tiny.cases, *taper.cases]
