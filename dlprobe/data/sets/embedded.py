"""Real data shipped with dlprobe, read without network. Sources and licences are also in
`embedded/SOURCES.md`.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from dlprobe.data.named_sets import Draw, add_set


def read_embedded(name: str) -> Draw:
    """An embedded set: arrays X (samples, features), y (samples,), feature_names, class_names
    (empty for regression).
    """
    with (
        files("dlprobe.data").joinpath(f"embedded/{name}.npz").open("rb") as stream,
        np.load(stream, allow_pickle=False) as arrays,
    ):
        class_names = tuple(str(label) for label in arrays["class_names"])
        targets = (
            arrays["y"].astype(np.int64)
            if class_names
            else arrays["y"].astype(np.float64).reshape(-1, 1)
        )
        return Draw(
            arrays["X"].astype(np.float64),
            targets,
            class_names,
            tuple(str(feature) for feature in arrays["feature_names"]),
        )


def digits(rng: np.random.Generator) -> Draw:
    return read_embedded("digits")


def breast_cancer(rng: np.random.Generator) -> Draw:
    return read_embedded("breast_cancer")


def wine(rng: np.random.Generator) -> Draw:
    return read_embedded("wine")


def diabetes(rng: np.random.Generator) -> Draw:
    return read_embedded("diabetes")


add_set(
    name="digits",
    summary="1,797 handwritten digits, 8×8 pixels of 0…16, 10 classes",
    task="classification",
    make=digits,
    source="Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, test part, UCI "
    "Machine Learning Repository, doi:10.24432/C50P49",
    licence="CC BY 4.0",
    use="The default: real, small, ten classes of about 180 rows.",
    traps="Three pixels are 0 in every row; they stay 0 after scaling.",
)
add_set(
    name="breast_cancer",
    summary="569 tumours, 30 measurements of cell nuclei, malignant or benign",
    task="classification",
    make=breast_cancer,
    source="Wolberg, Mangasarian, Street & Street 1993, Breast Cancer Wisconsin (Diagnostic), "
    "UCI Machine Learning Repository, doi:10.24432/C5DW2B",
    licence="CC BY 4.0",
    use="Two classes, columns of very different ranges.",
    traps="Without scaling the area columns (up to 4,254) drown the others.",
)
add_set(
    name="wine",
    summary="178 wines, 13 chemical measurements, 3 cultivars",
    task="classification",
    make=wine,
    source=("Aeberhard & Forina 1992, Wine, UCI Machine Learning Repository, doi:10.24432/C5PC7J"),
    licence="CC BY 4.0",
    use="Very small: whole experiments in a second.",
    traps="A test part of 36 rows: one error is 2.8 percentage points.",
)
add_set(
    name="diabetes",
    summary="442 patients, 10 raw measurements, disease progression after a year (25…346)",
    task="regression",
    make=diabetes,
    source="Efron, Hastie, Johnstone & Tibshirani 2004, Least angle regression, Annals of "
    "Statistics 32:407-499, as distributed by scikit-learn",
    licence="BSD-3-Clause (scikit-learn's distribution)",
    use="Real regression with much noise.",
    traps="The target's variance, 5,930, is the mean squared error of the best constant; as it "
    "is (target_scaling = none) it is far from unit scale.",
)
