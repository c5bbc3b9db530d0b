"""From a Dataset to the arrays that the engine trains on, with what the run file stores about them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt

from dlprobe.data.corruption import corruption_notes, with_noisy_labels, with_outliers
from dlprobe.data.dataset import PARTS, Array, Dataset, Floats, Indices, Options, PreparedData, Scaler
from dlprobe.data.gaps import filled, fit_fill
from dlprobe.data.places import quoted, quoted_list
from dlprobe.data.repeats import repeats
from dlprobe.data.scaling import fit
from dlprobe.data.splitting import fewer, split, split_given
from dlprobe.errors import DataError


def prepare(dataset: Dataset, options: Options, seed: int, dtype: npt.DTypeLike) -> PreparedData:
    """Split by percentages, spoil the training part where that is asked for, scale by it, and describe the result.

    `seed` is the run's seed; the configuration's `data_seed` goes before it. `dtype` (float32 or float64) is that of the prepared inputs.
    Raises DataError where the training part is empty or has too few rows, or a value does not fit the dtype.
    """
    classification = dataset.task == "classification"
    seed = seed if options.data_seed is None else options.data_seed
    classes = dataset.targets if classification and options.stratify else None
    given = dataset.parts is not None or dataset.groups is not None
    rows = split_given(dataset.parts, dataset.groups, classes, options.split, seed) if given else split(len(dataset.inputs), classes, options.split, seed)
    if not len(rows["train"]):
        found = f"the training part of split {words(options.split)} is empty with {len(dataset.inputs)} rows"
        raise DataError(f"{dataset.name}: {found}: give training a larger share")
    if options.train_size is not None:
        if options.train_size > len(rows["train"]):
            found = f"train_size = {options.train_size}, and the training part of split {words(options.split)} has {len(rows['train'])} rows"
            raise DataError(f"{dataset.name}: {found}: take fewer, or give training a larger share")
        rows["train"] = fewer(rows["train"], None if classes is None else classes[rows["train"]], options.train_size, seed)
    raw = {part: dataset.inputs[rows[part]] for part in PARTS}
    fill = fit_fill(raw["train"], options.missing, dataset.feature_names, dataset.name) if np.isnan(dataset.inputs).any() else np.zeros(0)
    raw = {part: filled(raw[part], fill) for part in PARTS}
    targets = {part: np.ascontiguousarray(dataset.targets[rows[part]]) for part in PARTS}
    raw["train"], far = with_outliers(raw["train"], options.outliers, seed)
    targets["train"], noise = with_noisy_labels(dataset, targets["train"], options.label_noise, seed)
    repeated = repeats(raw, targets, classification)
    scaler = fit(options.scaling, raw["train"], dataset.feature_names, dataset.name)
    inputs = {part: cast(dataset, rows[part], scaler.apply(raw[part]), dtype) for part in PARTS}
    clean = dataset.clean_targets
    return PreparedData(
        name=dataset.name,
        task=dataset.task,
        outputs=dataset.outputs,
        inputs=inputs,
        targets=targets,
        indices=rows,
        scaler=scaler,
        fingerprint=fingerprint(inputs, targets),
        feature_names=dataset.feature_names,
        class_names=dataset.class_names,
        **describe(raw["train"]),
        class_counts={part: count_classes(targets[part], len(dataset.class_names)) for part in PARTS},
        repeats=repeated,
        input_mean=float(inputs["train"].mean(dtype=np.float64)),
        input_mean_square=float(np.square(inputs["train"], dtype=np.float64).mean()),
        notes=(
            *dataset.notes,
            *split_notes(dataset, options, rows, scaler),
            *given_notes(dataset, rows, repeated.duplicates),
            *corruption_notes(len(rows["train"]), far, noise),
        ),
        source=dataset.source,
        licence=dataset.licence,
        noise_variance=dataset.noise_variance,
        clean_targets=None if clean is None else {part: clean[rows[part]] for part in PARTS},
        noisy_labels=rows["train"][noise.changed],
        outlier_rows=rows["train"][far],
        label_noise_std=noise.std,
        target_names=dataset.target_names,
        feature_fill=fill,
    )


def describe(raw: Floats) -> dict[str, Floats]:
    """Range, mean and population deviation of each raw feature; infinite where a sum of huge numbers leaves float64."""
    with np.errstate(all="ignore"):
        return {"feature_min": raw.min(axis=0), "feature_max": raw.max(axis=0), "feature_mean": raw.mean(axis=0), "feature_std": raw.std(axis=0)}


def words(percents: tuple[float, float, float]) -> str:
    return ",".join(f"{p:g}" for p in percents)


def cast(dataset: Dataset, rows: Indices, scaled: Floats, dtype: npt.DTypeLike) -> Array:
    """Scaled inputs in the engine's dtype. Names the row and feature of a number that float32 cannot hold."""
    with np.errstate(over="ignore"):
        inputs = np.ascontiguousarray(scaled, dtype=dtype)
    finite = np.isfinite(inputs)
    if not finite.all():
        i, j = divmod(int(np.argmin(finite)), inputs.shape[1])
        raise DataError(
            f"{dataset.name}: sample {rows[i] + 1}, feature {quoted(dataset.feature_names[j])}: {dataset.inputs[rows[i], j]:g} does not fit {np.dtype(dtype)} "
            "after scaling: use scaling = standardize, dtype = float64, or rescale the column"
        )
    return inputs


def fingerprint(inputs: Mapping[str, Array], targets: Mapping[str, Array]) -> str:
    """sha256 hex over part, dtype, shape and little-endian bytes of all prepared arrays."""
    digest = hashlib.sha256()
    for part in PARTS:
        for array in (inputs[part], targets[part]):
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(f"{part} {little.dtype.str} {little.shape};".encode())
            digest.update(little.tobytes())
    return digest.hexdigest()


def count_classes(targets: Array, classes: int) -> Indices:
    """Rows of each class, int64 (classes,); empty for regression."""
    return np.bincount(targets, minlength=classes).astype(np.int64) if classes else np.zeros(0, dtype=np.int64)


def given_notes(dataset: Dataset, rows: Mapping[str, Indices], duplicates: Mapping[str, int]) -> list[str]:
    """Where the split comes with the data: how it came out, and what leaks from one part into another."""
    if dataset.parts is None and dataset.groups is None:
        return []
    counts = ", ".join(f"{len(rows[part])} {part}" for part in PARTS)
    notes = [f"rows of the parts: {counts}"]
    if dataset.parts is not None:
        asked = [part for k, part in enumerate(PARTS) if k and not (dataset.parts == k).any() and len(rows[part])]
        notes += [f"the {part} part is not given: it was taken from the training rows by split" for part in asked]
        for pair, count in duplicates.items():
            first, second = pair.split("_")
            notes += [f"leak: {count} of {len(rows[second])} {second} rows are in the {first} part too"] if count else []
    if dataset.groups is not None:
        groups = {part: set(dataset.groups[rows[part]].tolist()) for part in PARTS}
        notes.append(f"groups of the parts: {', '.join(f'{len(groups[part])} {part}' for part in PARTS)}")
        shared = [(a, b, len(groups[a] & groups[b])) for a, b in combinations(PARTS, 2)]
        notes += [f"leak: {count} groups are in the {a} and in the {b} part" for a, b, count in shared if count]
    if dataset.task == "classification":
        trained = set(dataset.targets[rows["train"]].tolist())
        unseen = [name for k, name in enumerate(dataset.class_names) if k not in trained]
        notes += [f"no training row has the class{'es' * (len(unseen) > 1)} {quoted_list(unseen)}"] if unseen else []
    return notes


def split_notes(dataset: Dataset, options: Options, rows: Mapping[str, Indices], scaler: Scaler) -> list[str]:
    """What the split and the scaling could not do as asked."""
    empty = [part for part, percent in zip(PARTS, options.split, strict=True) if percent > 0 and not len(rows[part])]
    notes = [f"the {part} part is empty: {len(dataset.inputs)} rows are too few for split {words(options.split)}" for part in empty]
    constant = int((scaler.scale == 0).sum())
    if constant:
        notes.append(f"{constant} of {len(scaler.scale)} features are constant in the training part and scaled to 0")
    if dataset.task == "classification":
        counts = count_classes(dataset.targets, len(dataset.class_names))
        if few := int((counts == 1).sum()):
            notes.append(f"{few} classes have a single row" if few > 1 else "1 class has a single row")
    return notes
