"""The cases: which configurations are trained, what their source says of them, which codes name the
cause, and what "learned" means.

Written down before any rule was tuned, but for `overlapping`, which was added when a rule was found
to take the error that nobody can avoid for a fault, and `regularized` and `recorded`, written for
rules that no case had asked for; of them B004 was tuned on.
Two halves, by a hash of the name: rules are tuned on one and only counted on the other; what was
added later was tuned on and counts with the first.

**Learned.** A run is *learned*, *ill* or *unclear* by its error and by its loss, beside the best
known configuration on the same data (a family): see `outcome.py`. An unclear run is trained and
judged but counts on neither side. The label belongs to the run, not to the case: a stochastic fault
may strike in some seeds only. Runs that diverged are ill. What no outcome of the net can show is
labelled by construction (`label`): a leak between the parts is ill however good the score, a run
that was stopped after 20 steps (`stop`) of a configuration that learns is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """One configuration. published: what the source says (`ill: …` or `healthy`). accepted: codes
    that name the cause, any of them.

    options: as on the command line. family: cases whose best skill is comparable. label: set where
        it is known by construction.
    later: added while rules were tuned.
    """

    name: str
    source: str
    published: str
    family: str
    options: Mapping[str, str]
    accepted: tuple[str, ...] = ()
    label: str = ""
    later: bool = False

    @property
    def half(self) -> str:
        """`tuned` or `untouched`: decided by the name alone, of cases that were there from the
        beginning.
        """
        return (
            "tuned"
            if self.later
            else ("tuned", "untouched")[hashlib.sha256(self.name.encode()).digest()[0] % 2]
        )


@dataclass
class Table:
    """Collects cases on one family of data."""

    family: str
    source: str
    base: Mapping[str, str]
    later: bool = False
    cases: list[Case] = field(default_factory=list)

    def ill(
        self, name: str, published: str, accepted: str, label: str = "", **options: str
    ) -> None:
        """A case whose source calls it ill."""
        self._add(name, f"ill: {published}", tuple(accepted.split()), label, options)

    def healthy(self, name: str, accepted: str = "", label: str = "", **options: str) -> None:
        """A case whose source calls it healthy; should its runs not learn, `accepted` names why."""
        self._add(name, "healthy", tuple(accepted.split()), label, options)

    def _add(
        self,
        name: str,
        published: str,
        accepted: tuple[str, ...],
        label: str,
        options: Mapping[str, str],
    ) -> None:
        self.cases.append(
            Case(
                f"{self.family}-{name}",
                self.source,
                published,
                self.family,
                {**self.base, **options},
                accepted,
                label,
                self.later,
            )
        )


# codes by what they are about, so that the tables below read as sentences
VANISH = "G001 A003 A006 W002"
EXPLODE = "G002 A004 W002 N001 L002"
SATURATE = "A002 W002 G001 G002 A003"
RATE_HIGH = "W003 L002 L003 N001 G002 G004 A001"
RATE_LOW = "W004 L004"
SYMMETRIC = "W001"
OUTPUT = "L006 A001 G005"
SCALE = "D001 L005 L006"
FIT = "B001"
OVERFIT = "B002 B003"
RAW = {"target_scaling": "none"}  # regressions as their sources have them: targets as they are
STOPPED = {"steps": "20", "epochs": "none", "label": "healthy"}


def all_cases() -> list[Case]:
    """Every case, in the order of the tables below."""
    tables = [
        circles(),
        blobs(),
        xor(),
        digits(),
        grid(),
        deep(),
        small(),
        tabular(),
        curves(),
        faults(),
        fuel(),
        overlapping(),
        regularized(),
        recorded(),
    ]
    return [case for table in tables for case in table]


def circles() -> list[Case]:
    table = Table(
        "circles",
        "Zhang et al. 2021 (AutoTrainer, ICSE), case circles: 8 sigmoid layers of 5 units",
        {
            "data": "circles(samples=1000, noise=0.1)",
            "loss": "binary_cross_entropy",
            "batch_size": "128",
            "epochs": "300",
            "layers": "5x8",
        },
    )
    table.ill("sigmoid8", "vanishing gradient", VANISH, activation="sigmoid", init="he_uniform")
    table.healthy("selu8", VANISH, activation="selu")
    table.healthy("relu8", f"{VANISH} A001", activation="relu", init="he_uniform")
    table.healthy("sigmoid8-batch", VANISH, activation="sigmoid", init="he_uniform", norm="batch")
    table.healthy("tanh8", VANISH, activation="tanh")
    table.healthy("relu-shallow", layers="16,16")
    table.ill("relu-shallow-slow", "learning rate too small", RATE_LOW, layers="16,16", lr="1e-6")
    table.ill("linear", "no hidden layer can draw a circle", f"{FIT} L001", layers="")
    table.healthy("stopped", layers="16,16", **STOPPED)
    return table.cases


def blobs() -> list[Case]:
    table = Table(
        "blobs",
        (
            "Zhang et al. 2021 (AutoTrainer, ICSE), cases blobs: three clouds, oscillating loss "
            "and dying ReLU"
        ),
        {
            "data": "blobs(samples=600, classes=3, std=2)",
            "layers": "50",
            "optimizer": "momentum",
            "lr": "0.01",
        },
    )
    table.ill("batch1", "oscillating loss", "L003 W003", batch_size="1")
    table.healthy("batch32")
    table.ill(
        "relu-output",
        "dying ReLU, ReLU output into cross-entropy",
        OUTPUT,
        layers="50x4",
        output_activation="relu",
        optimizer="adam",
        lr="1e-4",
    )
    table.healthy("softmax-output", layers="50x4", optimizer="adam", lr="1e-3")
    table.ill("rate-high", "learning rate too large", RATE_HIGH, lr="3")
    table.ill("zeros", "symmetric weights", SYMMETRIC, init="zeros")
    table.healthy("linear", layers="")
    table.healthy("converged", epochs="300")
    return table.cases


def xor() -> list[Case]:
    table = Table(
        "xor",
        (
            "Wardat et al. 2021 (DeepLocalize, ICSE), xor posts of Stack Overflow: MAE and SGD on "
            "a plateau"
        ),
        {
            "data": "xor(samples=4)",
            "split": "100,0,0",
            "batch_size": "4",
            "epochs": "2000",
            "layers": "4",
            "activation": "sigmoid",
        },
    )
    table.ill(
        "mae-sgd",
        "wrong loss and optimizer",
        "L001 L004 L006 W004",
        loss="mae",
        optimizer="sgd",
        lr="0.05",
        output_activation="sigmoid",
    )
    table.healthy(
        "mse-adam",
        loss="mse",
        optimizer="adam",
        lr="0.05",
        layers="8",
        activation="tanh",
        output_activation="sigmoid",
    )
    table.healthy("bce-adam", loss="binary_cross_entropy", lr="0.05", layers="8", activation="tanh")
    table.healthy(
        "quadrants",
        data="xor(samples=600)",
        split="60,20,20",
        layers="16,16",
        activation="relu",
        batch_size="32",
        epochs="60",
    )
    return table.cases


def digits() -> list[Case]:
    table = Table(
        "digits",
        "ordinary nets on the digits, and textbook faults of them",
        {"layers": "100,100", "epochs": "15"},
    )
    table.healthy("default")
    table.healthy("converged", epochs="150")
    table.healthy("overparameterised", layers="512x3", epochs="40")
    table.healthy(
        "sigmoid-normal1", f"{SATURATE}", activation="sigmoid", init="normal(std=1)", epochs="40"
    )
    table.healthy("sigmoid2", activation="sigmoid", epochs="30")
    table.healthy("tanh2", activation="tanh")
    table.healthy("elu-batch", activation="elu", norm="batch")
    table.healthy("momentum", optimizer="momentum")
    table.healthy("sgd", "L004 W004", optimizer="sgd", epochs="40")
    table.healthy("mse-sigmoid-output", loss="mse", output_activation="sigmoid")
    table.healthy("bce", loss="binary_cross_entropy")
    table.healthy("wide", layers="300")
    table.healthy("softmax-regression", layers="")
    table.healthy("full-batch", "L004 W004", batch_size="full", epochs="300")
    table.healthy("minmax", scaling="minmax")
    table.healthy("unscaled", "D001", scaling="none")
    table.healthy("float64", dtype="float64")
    table.healthy("natural-dead", layers="100x6", lr="0.003", epochs="25")
    for activation in ("leaky_relu", "gelu", "silu", "softsign", "softplus"):
        table.healthy(activation, layers="100x3", activation=activation)
    table.healthy("small-batch", batch_size="8", epochs="8")
    table.healthy("large-batch", batch_size="256", epochs="60")
    table.healthy("orthogonal", layers="100x4", init="orthogonal")
    table.healthy("deep-batch-4", layers="100x4", norm="batch")
    table.healthy("deep-layer-4", layers="100x4", norm="layer")
    table.healthy("stopped", **STOPPED)
    table.healthy("stopped-deep", layers="100x10", **STOPPED)
    table.healthy("stopped-sgd", optimizer="momentum", **STOPPED)
    table.ill("zeros", "symmetric weights", SYMMETRIC, init="zeros")
    table.ill("constant", "symmetric weights", SYMMETRIC, init="constant(value=0.01)")
    table.ill("rate-huge", "learning rate too large", RATE_HIGH, lr="1")
    table.ill("sgd-rate-huge", "learning rate too large", RATE_HIGH, optimizer="sgd", lr="30")
    table.ill("rate-tiny", "learning rate too small", RATE_LOW, lr="1e-6")
    table.ill("sgd-rate-tiny", "learning rate too small", RATE_LOW, optimizer="sgd", lr="1e-5")
    table.ill(
        "dead-biases", "units dead from the start", "A001 G005", bias_init="constant(value=-20)"
    )
    table.ill(
        "linear-output", "linear output into cross-entropy", OUTPUT, output_activation="linear"
    )
    table.ill("relu-output", "ReLU output into cross-entropy", OUTPUT, output_activation="relu")
    table.ill("bottleneck", "one hidden unit in the middle", FIT, layers="100,1,100")
    table.ill("two-units", "two hidden units", FIT, layers="2")
    table.ill(
        "large-weights", "initial weights too large", f"{EXPLODE} A002 L005", init="normal(std=5)"
    )
    return table.cases


def grid() -> list[Case]:
    """The textbook grid: 20 layers of 100 units; what each cell is called is decided by its
    outcome.
    """
    table = Table(
        "digits",
        (
            "Glorot & Bengio 2010; He et al. 2015: depth 20 by activation, initialization, "
            "normalization"
        ),
        {"layers": "100x20", "epochs": "15"},
    )
    inits = {
        "normal1": "normal(std=1)",
        "normal.01": "normal(std=0.01)",
        "glorot": "glorot_normal",
        "he": "he_normal",
        "orthogonal": "orthogonal",
    }
    for activation in ("sigmoid", "tanh", "relu"):
        for short, init in inits.items():
            for norm in ("none", "batch", "layer"):
                name = f"20-{activation}-{short}-{norm}"
                table.healthy(
                    name,
                    _grid_causes(activation, short, norm),
                    activation=activation,
                    init=init,
                    norm=norm,
                )
    return table.cases


def _grid_causes(activation: str, init: str, norm: str) -> str:
    """What may be wrong with a cell of the grid, should it not learn."""
    causes = set(VANISH.split())
    if init == "normal1" or norm == "batch":
        causes |= {"G002", "A004", "N001", "A007"}
    if activation != "relu" and init == "normal1":
        causes |= {"A002"}
    if activation == "relu":
        causes |= {"A001", "G005"}
    return " ".join(sorted(causes | {"G005"} if init == "normal.01" else causes))


def deep() -> list[Case]:
    table = Table(
        "digits",
        "Lu et al. 2020 (dying ReLU); Schoenholz et al. 2017: other depths",
        {"epochs": "15"},
    )
    table.healthy("relu-he-10", layers="100x10", epochs="20")
    table.healthy("tanh-glorot-10", layers="100x10", activation="tanh")
    table.healthy("selu-10", layers="100x10", activation="selu")
    table.ill(
        "sigmoid-glorot-10", "vanishing gradient", VANISH, layers="100x10", activation="sigmoid"
    )
    table.ill(
        "sigmoid-glorot-60",
        "vanishing gradient that underflows",
        f"{VANISH} N002 G005",
        layers="60x60",
        activation="sigmoid",
        epochs="4",
    )
    table.ill("relu-narrow-30", "dying ReLU", f"A001 G005 {VANISH}", layers="4x30")
    table.ill(
        "relu-large-weights-10",
        "exploding gradient",
        EXPLODE,
        layers="100x10",
        init="normal(std=1)",
    )
    table.ill(
        "tanh-large-weights-10",
        "saturation",
        SATURATE,
        layers="100x10",
        activation="tanh",
        init="normal(std=1)",
    )
    table.ill(
        "batch-50",
        "exploding gradient of batch normalization",
        "G002 A007 A004",
        layers="60x50",
        norm="batch",
        epochs="4",
    )
    return table.cases


def small() -> list[Case]:
    table = Table(
        "digits",
        "goodness of fit: too few samples, too many units",
        {"layers": "512x3", "epochs": "60"},
    )
    table.ill("few-samples", "overfitting: 60 training samples", OVERFIT, split="3.4,48.3,48.3")
    table.ill(
        "fewer-samples",
        "overfitting: 30 training samples",
        OVERFIT,
        split="1.7,49.15,49.15",
        layers="100,100",
    )
    return table.cases


def tabular() -> list[Case]:
    found = []
    for data, loss in (
        ("wine", ""),
        ("breast_cancer", "binary_cross_entropy"),
        ("moons", "binary_cross_entropy"),
        ("spirals", ""),
    ):
        options = {
            "data": data,
            "layers": "32,32",
            "epochs": "150",
            **({"loss": loss} if loss else {}),
        }
        table = Table(data, f"ordinary nets on {data}", options)
        table.healthy("default", epochs="300" if data == "spirals" else "150")
        table.healthy(
            "tanh",
            "L004",
            activation="tanh",
            epochs="400" if data == "spirals" else "150",
            lr="0.003",
        )
        table.healthy("stopped", **STOPPED)
        table.ill("rate-tiny", "learning rate too small", RATE_LOW, optimizer="sgd", lr="1e-5")
        found += table.cases
    cancer = Table(
        "breast_cancer",
        "features from 0.001 to 4000 as they are",
        {"data": "breast_cancer", "layers": "32,32", "scaling": "none", "epochs": "40"},
    )
    cancer.ill("unscaled-sgd", "unscaled inputs", f"D001 {RATE_HIGH}", optimizer="sgd")
    cancer.ill(
        "unscaled-sigmoid", "unscaled inputs", "D001 A002", activation="sigmoid", optimizer="sgd"
    )
    return found + cancer.cases


def curves() -> list[Case]:
    found = []
    linear = Table(
        "linear",
        "Stack Overflow: regression through a sigmoid output",
        {**RAW, "data": "linear(samples=300)", "layers": "5", "epochs": "100"},
    )
    linear.ill(
        "sigmoid-output",
        "output cannot reach the target",
        "L006",
        activation="sigmoid",
        output_activation="sigmoid",
    )
    linear.healthy("default", "B002 B003", layers="8", lr="0.003")
    linear.healthy("none", layers="", lr="0.03")
    linear.ill(
        "cross-entropy",
        "loss does not suit the target",
        "L006",
        loss="cross_entropy",
        output_activation="softmax",
    )
    found += linear.cases
    sine = Table(
        "sine",
        "Bishop 2006, §3.2: a noisy sine",
        {**RAW, "data": "sine(samples=300)", "layers": "32,32", "epochs": "100", "lr": "0.003"},
    )
    sine.healthy("default")
    sine.healthy("tanh", activation="tanh")
    sine.ill("none", "a line through a sine", FIT, layers="")
    found += sine.cases
    diabetes = Table(
        "diabetes",
        "targets from 25 to 346 as they are, R² of a half at best",
        {**RAW, "data": "diabetes", "layers": "32,32", "epochs": "200"},
    )
    diabetes.healthy("default", "L005 L004")
    diabetes.ill("rate-tiny", "learning rate too small", f"{RATE_LOW} L005", lr="1e-5")
    found += diabetes.cases
    teacher = Table(
        "teacher",
        "a random net as teacher",
        {**RAW, "data": "teacher(samples=1200, noise=0.1)", "layers": "64,64", "epochs": "60"},
    )
    teacher.healthy("default")
    teacher.healthy("deep", "L004", layers="64x6")
    return found + teacher.cases


def faults() -> list[Case]:
    """Data sets made for one fault each (datasets.py)."""
    made = {"epochs": "60", "scaling": "none", **RAW}
    onezero = Table(
        "onezero",
        "Wardat et al. 2021: 128 features all ones or all zeros",
        {**made, "data": "{made}/onezero.npz", "layers": "50,50"},
    )
    onezero.ill(
        "softmax-output",
        "softmax with one output",
        f"{OUTPUT} L001",
        loss="binary_cross_entropy",
        output_activation="softmax",
    )
    onezero.healthy("sigmoid-output", loss="binary_cross_entropy")
    square = Table(
        "square",
        "Wardat et al. 2021: y = 5x² + noise",
        {**made, "data": "{made}/square.npz", "layers": "50,30", "optimizer": "sgd"},
    )
    square.ill("rate-high", "learning rate too large", f"{RATE_HIGH} {SCALE}", lr="0.1")
    square.healthy("rate-fixed", f"{RATE_HIGH} {SCALE}", lr="0.001", epochs="200")
    square.healthy(
        "adam", f"{SCALE} L004", optimizer="adam", lr="0.01", scaling="standardize", epochs="200"
    )
    power = {**made, "layers": "50,50", "activation": "sigmoid,elu", "epochs": "200"}
    fourth = Table(
        "power4",
        "Stack Overflow: y = x⁴ on [−100, 100) without scaling",
        {**power, "data": "{made}/power4.npz"},
    )
    fourth.ill("unscaled", "saturation by unscaled data", f"A002 {SCALE}")
    fourth.healthy(
        "scaled", f"{SCALE}", data="{made}/power4_scaled.npz", scaling="standardize", lr="0.01"
    )
    leak = Table(
        "leak",
        "rows that occur several times, split at random",
        {"data": "{made}/leak.npz", "epochs": "20"},
    )
    leak.ill("split", "the validation part is known from training", "D003", label="ill")
    rare = Table("rare", "a class of 2 %", {"data": "{made}/rare.npz", "layers": "32,32"})
    rare.ill(
        "missed",
        "the rare class is missed",
        f"D002 {RATE_LOW}",
        optimizer="sgd",
        lr="0.003",
        epochs="3",
    )
    rare.healthy("found", "D002", epochs="60")
    random = Table(
        "random",
        "Zhang et al. 2017: random labels are learned by heart",
        {"data": "gaussian(samples=300, features=64, classes=10)"},
    )
    random.ill("labels", "nothing to learn", OVERFIT, layers="256,256", epochs="60", label="ill")
    return [*onezero.cases, *square.cases, *fourth.cases, *leak.cases, *rare.cases, *random.cases]


def fuel() -> list[Case]:
    table = Table(
        "fuel",
        (
            "Humbatova et al. 2021 (DeepCrime, ISSTA), mutants of the Auto MPG regression net "
            "9–64–64–1, here on generated data of the same shape"
        ),
        {**RAW, "data": "{made}/fuel.npz", "layers": "64,64", "init": "he_normal", "epochs": "60"},
    )
    table.healthy("original")
    table.ill("constant", "weights all .01", SYMMETRIC, init="constant(value=0.01)")
    table.ill("zeros", "weights all 0", SYMMETRIC, init="zeros")
    table.ill("rate-high", "learning rate .1", RATE_HIGH, lr="0.1")
    table.ill("rate-low", "learning rate 1e-5", f"{RATE_LOW} L005", lr="1e-5")
    table.ill("unscaled", "inputs not scaled", "D001", scaling="none")
    table.ill("target10", "target × 10", SCALE, data="{made}/fuel10.npz")
    table.ill(
        "cross-entropy",
        "loss for classes",
        "L006",
        loss="cross_entropy",
        output_activation="softmax",
    )
    table.ill("shuffled", "labels shuffled", OVERFIT, data="{made}/fuel_shuffled.npz")
    table.ill("epsilon", "Adam epsilon 1e-16", RATE_HIGH, optimizer="adam(epsilon=1e-16)")
    table.ill("sigmoid-output", "bounded output", "L006", output_activation="sigmoid")
    table.healthy("small-batch", batch_size="8")
    table.healthy("stopped", **STOPPED)
    return table.cases


def overlapping() -> list[Case]:
    """Healthy nets on data that no net can learn without error."""
    found = []
    sets = {
        "moons-noise": {
            "data": "moons(samples=800, noise=0.45)",
            "loss": "binary_cross_entropy",
            "layers": "16,16",
            "epochs": "40",
        },
        "clouds": {"data": "blobs(samples=800, classes=4, std=6)", "layers": "16", "epochs": "40"},
        "teacher-noise": {
            "data": "teacher(samples=1500, classes=3, noise=0.7)",
            "layers": "32",
            "epochs": "15",
        },
        "wrong-labels": {"data": "digits", "label_noise": "0.2", "layers": "64", "epochs": "8"},
        "weak": {
            **RAW,
            "data": "linear(samples=3000, noise=1)",
            "layers": "8",
            "epochs": "20",
            "lr": "0.003",
        },
    }
    for family, options in sets.items():
        table = Table(family, "data with an error that no net can avoid", options, later=True)
        table.healthy("default", "B002 B003")
        table.healthy("linear", "B001", layers="")
        table.healthy("tanh", "B002 B003 L004", activation="tanh")
        found += table.cases
    return found


def regularized() -> list[Case]:
    """Penalties and dropout that weigh more than the data, and ordinary ones."""
    table = Table(
        "digits",
        "Humbatova et al. 2021 (DeepCrime), mutants of the regularization",
        {"layers": "100,100", "epochs": "15"},
        later=True,
    )
    table.ill("l2-large", "L2 penalty of 1", "B004", l2="1")
    table.ill("l1-large", "L1 penalty of .1", "B004", l1="0.1")
    table.ill(
        "dropout-large", "dropout of .95 in four layers", "B004", layers="100x4", dropout="0.95"
    )
    table.healthy("l2-usual", l2="1e-4")
    table.healthy("l1-usual", l1="1e-5")
    table.healthy("dropout-usual", "B004", dropout="0.3")
    sine = Table(
        "sine",
        "a penalty on a regression net",
        {**RAW, "data": "sine(samples=300)", "layers": "32,32", "epochs": "100", "lr": "0.003"},
        later=True,
    )
    sine.ill("l1-large", "L1 penalty of .1", "B004", l1="0.1")
    car = Table(
        "fuel",
        "Humbatova et al. 2021 (DeepCrime): L2 penalty of .1",
        {**RAW, "data": "{made}/fuel.npz", "layers": "64,64", "epochs": "60"},
        later=True,
    )
    car.ill("l2-large", "L2 penalty of .1", "B004", l2="0.1")
    car.ill("l2-huge", "L2 penalty of 10", "B004", l2="10")
    return [*table.cases, *sine.cases, *car.cases]


def recorded() -> list[Case]:
    """Faults that a rule sees only where more was recorded, or where the split is not
    stratified.
    """
    many = Table(
        "many",
        "40 classes of 12 samples, one tenth for training",
        {"data": "{made}/many.npz", "layers": "64", "epochs": "200"},
        later=True,
    )
    many.ill(
        "unstratified", "classes without a training sample", "D005", split="10,45,45", stratify="no"
    )
    many.healthy("stratified", "B002", split="10,45,45")
    table = Table(
        "digits",
        "Cohen et al. 2021 (edge of stability); Schoenholz et al. 2017; Daneshmand et al. 2020",
        {"layers": "100,100", "epochs": "15"},
        later=True,
    )
    table.ill(
        "sharp-tanh",
        "learning rate beyond what the curvature allows",
        f"W006 {RATE_HIGH}",
        activation="tanh",
        optimizer="sgd",
        lr="5",
        sharpness="10",
    )
    full = {"batch_size": "full", "epochs": "200", "sharpness": "10"}
    table.ill(
        "sharp-full",
        "learning rate beyond what the curvature allows",
        f"W006 {RATE_HIGH}",
        optimizer="sgd",
        lr="3",
        **full,
    )
    table.healthy("sharp-usual", "L004 W004", optimizer="sgd", lr="0.1", sharpness="20")
    table.ill(
        "collapse-relu",
        "all samples look the same",
        f"A006 {VANISH}",
        layers="100x50",
        norm="layer",
        epochs="8",
    )
    table.ill(
        "collapse-tanh",
        "all samples look the same",
        f"A006 {VANISH}",
        layers="60x60",
        activation="tanh",
        epochs="6",
    )
    table.ill(
        "collapse-deeper",
        "all samples look the same",
        f"A006 {VANISH}",
        layers="50x100",
        norm="layer",
        epochs="3",
    )
    table.ill(
        "shift",
        "preactivations wander",
        f"A005 {RATE_HIGH} {SATURATE}",
        layers="100x6",
        activation="tanh",
        lr="0.1",
        histogram_every="20",
    )
    table.healthy("shift-usual", layers="100x4", activation="tanh", histogram_every="20")
    return [*many.cases, *table.cases]
