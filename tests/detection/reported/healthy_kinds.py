"""Healthy cases, as many as ill ones: the counterparts of the faults, nets that look odd and
are not, and runs that are too short to be judged.
"""

from __future__ import annotations

from .case import PART, SHORT, WELL, Reported, Table
from .ill_kinds import DIGITS, FLOWERS, HOUSES, STANDARD

STOPPED = {"steps": "20", "epochs": "none"}


def healthy_kinds() -> list[Reported]:
    """Every healthy case beyond the table of judgement."""
    tables = [
        targets(),
        features(),
        rates(),
        outputs(),
        activations(),
        weights(),
        tables_of_bits(),
        penalties(),
        noise(),
        classes(),
        odd(),
        stopping(),
        norms(),
        brief(),
    ]
    return [case for table in tables for case in table]


def targets() -> list[Reported]:
    base = {"layers": "32,32", "epochs": "40", "target_scaling": "standardize"}
    found = []
    for family, told in (
        ("houses", "prices of 300,000, standardized"),
        ("boiling", "1,000 ± 1, standardized"),
        ("charges", "targets of 1e-5, standardized"),
    ):
        table = Table("unscaled targets", family, {**base, "data": f"{{made}}/{family}.npz"})
        table.healthy(f"{family}-scaled", told, lr="0.003", may="B002 B003")
        found += table.cases
    signed = Table(
        "unscaled targets",
        "signed",
        {"data": "{made}/signed.npz", "layers": "16", "lr": "0.01", "epochs": "60"},
    )
    signed.healthy(
        "signed-as-it-is",
        "targets within −1 … 1 need no scaling",
        target_scaling="none",
        may="B002 B003",
    )
    return found + signed.cases


def features() -> list[Reported]:
    colours = Table(
        "features in raw units",
        "colours",
        {"layers": "16,16", "epochs": "60", "lr": "0.01", "scaling": "none"},
    )
    colours.healthy(
        "colours-of-255",
        "0 … 1 in one range: of unit size without standardizing",
        data="{made}/colours01.npz",
    )
    flowers = Table("features in raw units", "flowers", {**FLOWERS, "scaling": "none"})
    flowers.healthy(
        "flowers-centimetres", "0.1 … 8 cm are of unit size", epochs="120", may="B002 B003"
    )
    flowers.healthy(
        "flowers-micrometres-scaled",
        "one length in micrometres, standardized",
        data="{made}/flowers_mixed_units.npz",
        scaling="standardize",
        may="B002 B003",
    )
    digits = Table("features in raw units", "digits", DIGITS)
    digits.healthy(
        "digits-bytes-scaled",
        "bytes of 0 … 255 with a faint border pixel, divided by their range",
        data="{made}/digits255.npz",
        scaling="minmax",
        epochs="20",
    )
    amounts = Table(
        "features in raw units",
        "amounts",
        {"data": "{made}/amounts.npz", "layers": "32", "epochs": "30"},
    )
    amounts.healthy(
        "amounts-scaled",
        "magnitudes 0.1 … 100,000, standardized; how noisy the labels are one run cannot know",
        (WELL, PART),
        may="B002 B003 D002",
    )
    return [*colours.cases, *flowers.cases, *digits.cases, *amounts.cases]


def rates() -> list[Reported]:
    flowers = Table("rate that looks wrong", "flowers", FLOWERS)
    flowers.healthy(
        "flowers-sgd-.5",
        "a curvature of order 1 allows rates up to 2",
        optimizer="sgd",
        lr="0.5",
        may="B002 B003",
    )
    flowers.healthy(
        "flowers-1e-4-long",
        "1e-4, and 3,600 steps that add up to it",
        lr="1e-4",
        batch_size="10",
        epochs="400",
        may="B002 B003",
    )
    digits = Table("rate that looks wrong", "digits", {**DIGITS, "epochs": "20"})
    digits.healthy(
        "digits-cosine",
        "the rate ends at 0: the last updates are nothing because the schedule says so",
        schedule="cosine",
    )
    digits.healthy(
        "digits-one-cycle",
        "a rate of 0.01 on the way, and 1e-5 at the end",
        schedule="one_cycle(max_lr=0.01)",
    )
    houses = Table(
        "instability in the first steps", "houses", {**HOUSES, **STANDARD, "epochs": "60"}
    )
    why = (
        "descent at 0.15 rises to some twenty times its first loss in the first three steps and "
        "comes back: it learned, and a lower rate would be calmer"
    )
    rough = {"optimizer": "sgd", "lr": "0.15"}
    houses.healthy(
        "houses-rough-start",
        why,
        (WELL, PART),
        "early-instability",
        may="B002 B003 W003 L003 G004",
        **rough,
    )
    return [*flowers.cases, *digits.cases, *houses.cases]


def outputs() -> list[Reported]:
    kind = "output that the loss takes"
    signed = Table(
        kind,
        "signed",
        {
            "data": "{made}/signed.npz",
            "layers": "16",
            "lr": "0.01",
            "epochs": "60",
            "target_scaling": "none",
        },
    )
    signed.healthy(
        "signed-tanh-output",
        "targets of −0.9 … 0.9 are inside of tanh",
        output_activation="tanh",
        may="B002 B003",
    )
    counts = Table(
        kind,
        "counts",
        {
            "data": "{made}/counts.npz",
            "layers": "16",
            "lr": "0.003",
            "epochs": "40",
            "target_scaling": "none",
        },
    )
    counts.healthy(
        "counts-softplus-output",
        "counts are never below 0, nor is softplus; Poisson noise is half of the variance",
        (WELL, PART),
        output_activation="softplus",
        may="B002 B003",
    )
    counts.healthy(
        "counts-linear-output", "a linear output says everything", (WELL, PART), may="B002 B003"
    )
    flowers = Table(kind, "flowers", FLOWERS)
    flowers.healthy(
        "flowers-sigmoids",
        "one sigmoid for each class into binary cross-entropy: yes or no of each",
        loss="binary_cross_entropy",
        may="B002 B003",
    )
    return [*signed.cases, *counts.cases, *flowers.cases]


def activations() -> list[Reported]:
    digits = Table("dead or flat, yet it learns", "digits", {**DIGITS, "epochs": "20"})
    digits.healthy(
        "digits-biased-down",
        "biases of −0.5 silence many units for many samples; enough are left",
        bias_init="constant(value=-0.5)",
        layers="128,128",
    )
    digits.healthy(
        "digits-one-sigmoid-layer",
        "one sigmoid layer passes the gradient on by 1/4: no depth to lose it in",
        activation="sigmoid",
        layers="64",
        lr="0.003",
    )
    digits.healthy(
        "digits-sigmoid-4-batch",
        "batch normalization holds four sigmoid layers in their steep part",
        activation="sigmoid",
        layers="64x4",
        norm="batch",
        lr="0.003",
    )
    return digits.cases


def weights() -> list[Reported]:
    digits = Table("initial weights off, yet it learns", "digits", {**DIGITS, "epochs": "20"})
    digits.healthy(
        "digits-normal-.05",
        "a third of He's size in two layers: Adam makes it up in an epoch",
        init="normal(std=0.05)",
    )
    digits.healthy(
        "digits-orthogonal-6",
        "orthogonal weights keep six tanh layers level",
        init="orthogonal",
        activation="tanh",
        layers="64x6",
    )
    return digits.cases


def tables_of_bits() -> list[Reported]:
    parity = Table(
        "tiny table of repeated rows",
        "parity3",
        {"data": "{made}/parity3.npz", "scaling": "none", "lr": "0.01"},
    )
    parity.healthy(
        "parity-sixteen-tanh",
        "eight rows, 16 tanh units: 0 % wrong",
        layers="16",
        activation="tanh",
        epochs="60",
    )
    noisy = Table(
        "tiny table of repeated rows",
        "bits_noisy",
        {"data": "{made}/bits_noisy.npz", "scaling": "none", "lr": "0.01", "epochs": "20"},
    )
    noisy.healthy(
        "bits-noisy-majority",
        "equal rows differ in class one time in five: 20 % wrong is the best there is",
        layers="8",
    )
    noisy.healthy("bits-noisy-majority-tanh", "the same with tanh", layers="8", activation="tanh")
    gate = Table(
        "tiny table of repeated rows",
        "xor4",
        {
            "data": "xor(samples=4)",
            "split": "100,0,0",
            "batch_size": "4",
            "loss": "binary_cross_entropy",
        },
    )
    gate.healthy(
        "xor-four-rows",
        "the logic table itself, without a validation part",
        layers="16",
        activation="tanh",
        lr="0.05",
        epochs="300",
    )
    return [*parity.cases, *noisy.cases, *gate.cases]


def penalties() -> list[Reported]:
    digits = Table("usual regularization", "digits", {**DIGITS, "epochs": "20"})
    digits.healthy(
        "digits-dropout-.5-wide",
        "half of 256 units are left, and the rest learn",
        dropout="0.5",
        layers="256,256",
    )
    digits.healthy("digits-adamw", "the decay of 0.01 that AdamW comes with", optimizer="adamw")
    digits.healthy("digits-max-norm-3", "a bound of 3 where He's norms are 1.4", max_norm="3")
    return digits.cases


def noise() -> list[Reported]:
    digits = Table(
        "label noise, honest net",
        "digits-noisy",
        {"data": "digits", "label_noise": "0.2", "layers": "32", "epochs": "8"},
    )
    digits.healthy(
        "digits-one-label-in-five",
        (
            "the training error cannot go below 20 % without learning lies by heart; validation "
            "is clean"
        ),
    )
    digits.healthy(
        "digits-noise-dropout", "the same under dropout", dropout="0.3", layers="64", epochs="10"
    )
    weak = Table(
        "label noise, honest net",
        "linear-weak",
        {"data": "linear(samples=4000, noise=1)", "epochs": "20"},
    )
    weak.healthy(
        "linear-half-noise",
        "a line through noise as large as itself: R² is low for everybody",
        (WELL, PART),
        layers="",
        lr="0.03",
    )
    weak.healthy(
        "linear-half-noise-net", "the same by a small net", (WELL, PART), layers="8", lr="0.003"
    )
    return [*digits.cases, *weak.cases]


def classes() -> list[Reported]:
    faults = Table("class imbalance", "faults3", {"data": "{made}/faults3.npz", "layers": "16"})
    faults.healthy("faults-found", "two faults of 2 % each, found", lr="0.003", epochs="40")
    many = Table(
        "odd but healthy", "twenty_classes", {"data": "{made}/twenty_classes.npz", "epochs": "60"}
    )
    many.healthy(
        "twenty-classes",
        "guessing has 95 % wrong; 18 samples a class are enough where clouds are far apart",
        layers="32",
    )
    return [*faults.cases, *many.cases]


def odd() -> list[Reported]:
    digits = Table("odd but healthy", "digits", {"data": "digits", "epochs": "20"})
    digits.healthy(
        "digits-converged",
        "0 % wrong, gradients of 1e-6: converged, not vanished",
        layers="64,64",
        epochs="80",
    )
    digits.healthy("digits-float64", "float64 is no fault", layers="32,32", dtype="float64")
    digits.healthy(
        "digits-full-batch",
        "one step an epoch, 300 of them",
        layers="64",
        batch_size="full",
        epochs="300",
        lr="0.003",
    )
    wine = Table("odd but healthy", "wine", {"data": "wine", "epochs": "60"})
    wine.healthy(
        "wine-by-heart",
        "107 rows, 0 % wrong in training, one or two of 36 in validation: by chance",
        layers="64,64",
        lr="0.003",
    )
    moons = Table(
        "odd but healthy",
        "moons",
        {"data": "moons(samples=600, noise=0.15)", "epochs": "80", "loss": "binary_cross_entropy"},
    )
    moons.healthy("moons-eight-units", "eight units bend a line twice", layers="8,8", lr="0.01")
    moons.healthy(
        "moons-huge",
        "two layers of 256 on points of a plane: more weights than needed, no harm",
        layers="256,256",
        epochs="30",
    )
    visits = Table(
        "odd but healthy", "visits_once", {"data": "{made}/visits_once.npz", "epochs": "40"}
    )
    visits.healthy(
        "visits-once",
        "every patient once, a border that a net of 8 units finds",
        layers="8",
        lr="0.01",
    )
    return [*digits.cases, *wine.cases, *moons.cases, *visits.cases]


def stopping() -> list[Reported]:
    flowers = Table("early stopping", "flowers", {**FLOWERS, "epochs": "300"})
    stop = "early_stopping(patience=20)"
    flowers.healthy(
        "flowers-stopped-at-best",
        "the best of its evaluations is kept",
        early_stopping=stop,
        may="B002",
    )
    return flowers.cases


def norms() -> list[Reported]:
    digits = Table("batch norm with small batches", "digits", DIGITS)
    digits.healthy(
        "digits-batch-of-eight",
        "eight samples are few for a mean and enough to learn by",
        norm="batch",
        batch_size="8",
    )
    digits.healthy(
        "digits-layer-norm-of-two",
        "layer normalization does not look at the batch",
        norm="layer",
        batch_size="2",
        epochs="5",
    )
    taper = Table("depth and taper", "digits", {"data": "digits", "epochs": "15"})
    taper.healthy("digits-mild-taper", "64, 32, 16 for ten classes", layers="64,32,16")
    return [*digits.cases, *taper.cases]


def brief() -> list[Reported]:
    found = []
    for family, base in (
        ("digits", DIGITS),
        ("flowers", FLOWERS),
        ("houses", {**HOUSES, **STANDARD}),
    ):
        table = Table("too short to tell", family, {**base, **STOPPED})
        table.healthy(
            f"{family}-twenty-steps",
            "20 steps of a configuration that learns",
            (SHORT, WELL, PART),
            label="healthy",
        )
        found += table.cases
    return found
