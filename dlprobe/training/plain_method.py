"""What a plain method makes of the same samples: kernel ridge regression, in which no training can
go wrong.

A net that does not get far may be ill, or its data may not allow more. Kernel ridge regression
tells the two apart without a word from the data's maker: it has one solution, and with a Gaussian
kernel it comes near every continuous function. Kernel and penalty are chosen on the training part
by leave-one-out, in closed form; the validation part says what that is worth.

Inputs are standardized; at most ROWS training rows are used, spread evenly. Classes are fitted as
one column each of 0 and 1.

Sources: Saunders, Gammerman & Vovk 1998, ICML (kernel ridge regression); Rifkin & Lippert 2007,
Notes on regularized least squares, MIT-CSAIL-TR-2007-025 (leave-one-out from one
eigendecomposition); Micchelli, Xu & Zhang 2006, JMLR 7:2651 (universal kernels).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlprobe.data import PreparedData
from dlprobe.parts.metrics import Scored, r2

Floats = npt.NDArray[np.float64]
Kernel: TypeAlias = Callable[[Floats, Floats], Floats]  # of rows (n, features) and (m, features)
ROWS = 600  # of the training part: a third of a second
NEW_ROWS = 4000  # of the validation part
LEAST = 10  # rows of each
# of the Gaussian kernels: 2 × variance over the median squared distance
WIDTHS = (0.03, 0.1, 0.3, 1.0)
PENALTIES = 10.0 ** np.arange(-4.0, 2.5, 0.5)
DIGITS = 3  # of the skill: what BLAS does in another order shows nowhere
FAR = 0.9  # skill from which on a run needs no comparison

_known: dict[str, Future[float]] = {}  # by fingerprint of the data


def ahead(data: PreparedData) -> None:
    """Begin to work it out while a run is made, where a second processor has nothing to do: at its
    end nobody waits for it then.
    """
    if data.fingerprint not in _known:
        threading.Thread(target=_skill, args=(data,), daemon=True).start()


def _skill(data: PreparedData) -> Future[float]:
    """The `plain_skill` of data, worked out once in a process."""
    mine: Future[float] = Future()
    skill = _known.setdefault(data.fingerprint, mine)
    if skill is mine:
        try:
            mine.set_result(plain_skill(data))
        except BaseException as error:
            mine.set_exception(error)
    return skill


def beside(data: PreparedData, final: Mapping[str, Any]) -> dict[str, float]:
    """{"val_plain_skill": `plain_skill`}; {} where the run `reaches` a high skill by itself, or
    that number is not known.

    final: results of the run by their names, with val_error or val_r2.
    """
    if reaches(data, final):
        return {}
    skill = _skill(data).result()
    return {"val_plain_skill": skill} if math.isfinite(skill) else {}


def reaches(data: PreparedData, final: Mapping[str, Any]) -> bool:
    """Whether the run's skill on the validation part is at least FAR (0.9), or cannot be told."""
    if data.task != "classification":
        return not float(final["val_r2"]) < FAR
    counts = data.class_counts["val"]
    if not counts.sum():
        return True
    chance = 1.0 - float(counts.max() / counts.sum())
    return not float(final["val_error"]) > (1.0 - FAR) * chance


def plain_skill(data: PreparedData) -> float:
    """Skill of kernel ridge regression on the validation part: 1 − error/error of the commonest
    class, or R², to three digits; NaN for fewer than 10 rows or numbers that are not finite.
    """
    train, new = (evenly(data, part, most) for part, most in (("train", ROWS), ("val", NEW_ROWS)))
    (inputs, targets), (asked, wanted) = train, new
    if min(len(inputs), len(asked)) < LEAST or not (
        np.isfinite(inputs).all() and np.isfinite(asked).all()
    ):
        return math.nan
    classes = data.outputs if data.task == "classification" else 0
    columns = (
        np.eye(classes)[targets]
        if classes
        else targets.reshape(len(targets), -1).astype(np.float64)
    )
    outputs = answers(inputs, columns, asked)
    if not classes:
        return round(float(r2(Scored(outputs, wanted))), DIGITS)
    chance = 1.0 - float(np.bincount(wanted).max()) / len(wanted)
    return (
        round(1.0 - float(np.mean(outputs.argmax(axis=1) != wanted)) / chance, DIGITS)
        if chance > 0.0
        else math.nan
    )


def evenly(data: PreparedData, part: str, most: int) -> tuple[Floats, npt.NDArray[Any]]:
    """Inputs float64 (rows, features) and targets (rows, …) of at most `most` evenly spaced rows of
    a part, the first and last among them.
    """
    count = len(data.inputs[part])
    rows = np.unique(np.linspace(0, max(count - 1, 0), min(most, count)).round().astype(np.int64))
    return data.inputs[part][rows].astype(np.float64), data.targets[part][rows]


def answers(inputs: Floats, columns: Floats, asked: Floats) -> Floats:
    """Predictions (asked rows, columns) by the kernel and penalty with the smallest leave-one-out
    error.

    inputs: (rows, features) of training. columns: (rows, columns), their targets. asked: (asked
        rows, features).
    """
    deviation = inputs.std(axis=0)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0.0)
    centre, mean, best = inputs.mean(axis=0), columns.mean(axis=0), math.inf
    chosen: Kernel = linear
    inputs, chosen_weights = (inputs - centre) * scale, np.zeros_like(columns)
    for products, kernel in kernels(inputs):
        values, vectors = np.linalg.eigh(products)
        projected = vectors.T @ (columns - mean)
        shrunk = 1.0 / (np.maximum(values, 0.0)[:, None] + PENALTIES)  # (row, penalty)
        # all penalties in one product: a third of the time of one after another
        weights = vectors @ (shrunk[:, :, None] * projected[:, None]).reshape(len(values), -1)
        weights = weights.reshape(*shrunk.shape, -1)  # (row, penalty, column)
        shares = np.square(vectors) @ shrunk
        left_out = np.square(weights / shares[:, :, None]).mean(axis=(0, 2))
        index = int(left_out.argmin())
        if left_out[index] < best:
            best, chosen, chosen_weights = left_out[index], kernel, weights[:, index]
    found = np.empty((len(asked), columns.shape[1]))
    for first in range(0, len(asked), ROWS):
        rows = slice(first, first + ROWS)
        found[rows] = chosen((asked[rows] - centre) * scale, inputs) @ chosen_weights + mean
    return found


def kernels(inputs: Floats) -> Iterator[tuple[Floats, Kernel]]:
    """A linear kernel, then Gaussian ones of several widths times the median squared distance of
    training rows (row, feature); each behind what it makes of these, (row, row).
    """
    yield linear(inputs, inputs), linear
    far, largest = distances(inputs, inputs), float(np.square(inputs).sum(axis=1).max())
    apart = far[far > 1e-9 * largest] if largest > 0.0 else far[:0]
    if len(apart):
        middle = float(np.median(apart))
        for width in WIDTHS:
            reach = 2.0 * width * middle
            yield fall(far, reach), partial(gaussian, reach)


def linear(rows: Floats, others: Floats) -> Floats:
    """Products of rows (n, features) and others (m, features), (n, m), over the features."""
    products: Floats = rows @ others.T / rows.shape[1]
    return products


def gaussian(reach: float, rows: Floats, others: Floats) -> Floats:
    """exp(−‖x − y‖²/reach) of rows and others, (n, m)."""
    return fall(distances(rows, others), reach)


def fall(far: Floats, reach: float) -> Floats:
    """exp(−far/reach), of the shape of `far` ≥ 0 up to rounding."""
    return np.asarray(np.exp(-np.maximum(far, 0.0) / reach))


def distances(rows: Floats, others: Floats) -> Floats:
    """‖x − y‖² of rows (n, features) and others (m, features), (n, m)."""
    squares, other_squares = np.square(rows).sum(axis=1), np.square(others).sum(axis=1)
    far: Floats = squares[:, None] + other_squares - 2.0 * (rows @ others.T)
    return far
