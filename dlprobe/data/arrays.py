"""A Dataset from two arrays of a file: inputs X and targets y."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from dlprobe.data import labels
from dlprobe.data.columns import DataColumn, DataTable, named_columns
from dlprobe.data.dataset import (
    LARGEST_ELEMENTS,
    Array,
    Dataset,
    Floats,
    Indices,
    Options,
    numbered,
)
from dlprobe.data.gaps import gap_note, indicators, whole_rows
from dlprobe.data.named_sets import numbered_features
from dlprobe.data.places import problem, quoted, visible
from dlprobe.dataclass import dataclass
from dlprobe.errors import DataError

NUMBERS = "biuf"
TEXTS = "US"
KIND_NAMES = {
    "c": "complex numbers",
    "O": "Python objects",
    "V": "records",
    "M": "dates",
    "m": "time spans",
    "U": "text",
    "S": "text",
}


@dataclass(frozen=True)
class Arrays:
    """Inputs (samples, …) and targets (samples,) or (samples, outputs) of a file, as they are
    stored. names: those of the two arrays there.

    parts: as in Dataset.
    """

    path: Path
    inputs: Array
    targets: Array
    names: tuple[str, str]
    parts: Indices | None = None
    notes: tuple[str, ...] = ()


def dataset_from_arrays(arrays: Arrays, options: Options) -> Dataset:
    """Dataset of two arrays: rows with missing values dropped, the target decided.

    Raises DataError with array, row and column for a wrong shape, a wrong type, or an infinity.
    """
    path, targets, names, parts = arrays.path, arrays.targets, arrays.names, arrays.parts
    for key in ("split_column", "group_column"):
        if (asked := getattr(options, key)) is not None:
            raise problem(
                path,
                f"{key} = {visible(asked)} names a column, and arrays have none beside "
                "features: give a table",
            )
    matrix, notes = as_matrix(path, arrays.inputs, names[0])
    if targets.ndim == 0 or len(targets) != len(matrix):
        raise problem(
            path,
            f"{titled(names[1])} has shape {targets.shape}, expected ({len(matrix)},): one "
            f"for each row of {quoted(names[0])}",
        )
    features, matrix, chosen = chosen_features(path, matrix, options)
    kept, dropped = whole_rows(path, matrix, targets, options.missing)
    if dropped:
        matrix, targets, parts = matrix[kept], targets[kept], None if parts is None else parts[kept]
    features, matrix, filling = with_indicators(features, matrix, options.missing)
    decided = decide_targets(path, targets, names[1], options.task)
    return Dataset(
        name=visible(path.name),
        inputs=matrix,
        targets=decided.values,
        task=decided.task,
        feature_names=features,
        class_names=tuple(visible(name) for name in decided.class_names),
        parts=parts,
        notes=(*arrays.notes, *notes, *chosen, *dropped, decided.note, *filling),
        source=visible(path),
        sample_shape=() if chosen else arrays.inputs.shape[1:],
        target_names=numbered(visible(names[1]) or "y", decided.values.shape[1])
        if decided.task == "regression"
        else (),
    )


def chosen_features(
    path: Path, matrix: Floats, options: Options
) -> tuple[tuple[str, ...], Floats, tuple[str, ...]]:
    """Names of the features x1, x2, … that `columns` and `drop` leave, their columns of the
    matrix, and a note.
    """
    names = numbered_features(matrix.shape[1])
    if options.columns is None and not options.drop:
        return names, matrix, ()
    table = DataTable(
        path,
        tuple(DataColumn(name, number) for number, name in enumerate(names, start=1)),
        lambda i: i + 1,
    )
    dropped = named_columns(table, options.drop, "drop")
    wanted = (
        table.columns
        if options.columns is None
        else named_columns(table, options.columns, "columns")
    )
    kept = [column.number - 1 for column in wanted if column not in dropped]
    if not kept:
        raise problem(path, "columns and drop leave no feature, expected one at least")
    note = f"{len(names) - len(kept)} of {len(names)} features were left out as asked"
    return tuple(names[j] for j in kept), np.ascontiguousarray(matrix[:, kept]), (note,)


def with_indicators(
    names: tuple[str, ...], matrix: Floats, missing: str
) -> tuple[tuple[str, ...], Floats, tuple[str, ...]]:
    """Names, matrix and notes of features with gaps (NaN) in `matrix` (samples, features).

    With `missing` "indicator", each feature with gaps has one more column at the end, 1.0 where it
    has a gap; else names and matrix are as given. The notes say what will be filled, () without
    gaps.
    """
    gaps = np.isnan(matrix)
    if not gaps.any():
        return names, matrix, ()
    holed = [j for j in range(matrix.shape[1]) if gaps[:, j].any()]
    note = gap_note(missing, [names[j] for j in holed], int(gaps.sum()))
    if missing == "indicator":
        more, flags = indicators([(names[j], gaps[:, j]) for j in holed])
        names, matrix = (*names, *flags), np.concatenate([matrix, *more], axis=1)
    return names, matrix, note


def refuse_several(path: Path, target: str | None) -> None:
    """Several names where a file has one array of targets: raise DataError, saying how to give
    several.
    """
    if target is not None and "," in target:
        what = (
            f"target {quoted(target)} names several arrays, expected one: save the columns "
            "together as one array y (samples, targets)"
        )
        raise problem(path, what)


def as_matrix(path: Path, inputs: Array, name: str) -> tuple[Floats, tuple[str, ...]]:
    """`inputs` as float64 (samples, features), C-contiguous, NaN where missing; images and the
    like are flattened, with a note.
    """
    require_kind(path, inputs, name, NUMBERS)
    if inputs.ndim < 2:
        raise problem(
            path, f"{titled(name)} has shape {inputs.shape}, expected (samples, features)"
        )
    if inputs.size == 0:
        raise problem(
            path,
            f"{titled(name)} has shape {inputs.shape} and is empty, expected (samples, "
            "features), one of each at least",
        )
    if inputs.size > LARGEST_ELEMENTS:
        raise problem(
            path,
            f"{titled(name)} has {inputs.size} numbers, dlprobe takes up to {LARGEST_ELEMENTS}",
        )
    notes = (
        (f"{name}: each sample of shape {inputs.shape[1:]} was flattened",)
        if inputs.ndim > 2
        else ()
    )
    matrix = to_float64(inputs.reshape(len(inputs), -1))  # (samples, features)
    refuse_infinite(path, matrix, name)
    return matrix, notes


def titled(name: str) -> str:
    """How messages call an array; the only one of a file has no name."""
    return f"array {quoted(name)}" if name else "the array"


def to_float64(values: Array) -> Floats:
    """C-contiguous float64. A longdouble beyond float64 becomes infinity here, and is refused
    as such.
    """
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(values, dtype=np.float64)


def require_kind(path: Path, values: Array, name: str, kinds: str) -> None:
    """Refuses complex numbers, dates, objects and the like."""
    if values.dtype.kind not in kinds:
        kind = KIND_NAMES.get(values.dtype.kind, str(values.dtype))
        expected = "numbers or text labels" if "U" in kinds else "real numbers"
        raise problem(
            path, f"{titled(name)} holds {kind} ({quoted(values.dtype)}), expected {expected}"
        )


def refuse_infinite(path: Path, values: Floats, name: str) -> None:
    """Names the first infinity of an array (samples,) or (samples, columns); NaN is a missing
    value.
    """
    finite = ~np.isinf(values)
    if not finite.all():
        place = np.unravel_index(int(np.argmin(finite)), values.shape)
        row, column = int(place[0]) + 1, int(place[1]) + 1 if values.ndim == 2 else None
        raise problem(
            path,
            f"{titled(name)} holds {values[place]}, expected a finite number: drop the row or "
            "fill the gap",
            row,
            column,
        )


def decide_targets(path: Path, targets: Array, name: str, task: str) -> labels.Targets:
    """Classes or numbers from `targets` (samples,), (samples, 1), one-hot (samples, classes) or
    (samples, outputs).
    """
    require_kind(path, targets, name, NUMBERS + TEXTS)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    fault = partial(fault_in, path, name)
    if targets.ndim == 1 and targets.dtype.kind in TEXTS:
        names, codes = np.unique(as_texts(targets), return_inverse=True)
        return labels.from_texts(
            codes.reshape(-1).astype(np.int64), tuple(str(n) for n in names), task, fault
        )
    if targets.ndim > 2 or targets.size == 0 or targets.dtype.kind in TEXTS:
        raise problem(
            path,
            f"{titled(name)} has shape {targets.shape}, expected (samples,) or, for "
            "regression, (samples, outputs)",
        )
    values = to_float64(targets)
    refuse_infinite(path, values, name)
    if values.ndim == 2:
        return several_outputs(path, values, name, task)
    return labels.from_numbers(values, task, fault, integers=targets.dtype.kind in "iub")


def as_texts(targets: Array) -> Array:
    """Text labels as str; bytes (as HDF5 and C programs store them) are read as UTF-8."""
    return targets if targets.dtype.kind == "U" else np.char.decode(targets, "utf-8", "replace")


def several_outputs(path: Path, values: Floats, name: str, task: str) -> labels.Targets:
    """One-hot rows (samples, classes) become classes; other columns are regression targets."""
    one_hot = bool(np.isin(values, (0.0, 1.0)).all() and (values.sum(axis=1) == 1.0).all())
    if one_hot and task != "regression":
        classes = tuple(str(i) for i in range(values.shape[1]))
        return labels.Targets(
            values.argmax(axis=1).astype(np.int64),
            classes,
            f"task: classification ({len(classes)} one-hot columns in {name})",
        )
    if task == "classification":
        what = (
            f"{titled(name)} has {values.shape[1]} columns that are not one-hot, expected one "
            "class label per row: the task is classification"
        )
        raise problem(path, what)
    return labels.Targets(values, (), f"task: regression ({values.shape[1]} outputs)")


def fault_in(path: Path, name: str, row: int, what: str) -> DataError:
    return problem(path, f"{titled(name)}: {what}", row + 1)
