"""From a Dataset to the arrays that the engine trains on, with what the run file stores about
them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from dlprobe.data.corruption import corruption_notes, with_noisy_labels, with_outliers
from dlprobe.data.dataset import (
    PARTS,
    Array,
    Dataset,
    Floats,
    Indices,
    Options,
    PreparedData,
    Repeats,
    Scaler,
    ScannedTiles,
    no_rows,
)
from dlprobe.data.filling import filled_from_tiles, fit_fill_in_tiles, misfit, moments_in_tiles
from dlprobe.data.gaps import filled, fit_fill
from dlprobe.data.images import of_moving_images, side_of
from dlprobe.data.places import quoted_list
from dlprobe.data.repeats import possible_in_tiles, repeats, repeats_of
from dlprobe.data.scaling import ColumnMoments, fit_moments, moments_of, robust, robust_of
from dlprobe.data.splitting import fewer, split, split_given
from dlprobe.data.tile_quantiles import robust_in_tiles
from dlprobe.data.tile_views import Filled, Held
from dlprobe.data.tiles import Told, digests_of, scanned, whole
from dlprobe.dataclass import dataclass
from dlprobe.errors import DataError
from dlprobe.registry import counted

# numbers from which on an array is prepared in tiles, so that no copies of it are made
IN_TILES = 2**20
SUMMED = 2**16  # numbers whose squares are made at a time


def prepare(
    dataset: Dataset, options: Options, seed: int, dtype: npt.DTypeLike, told: Told | None = None
) -> PreparedData:
    """Split by percentages, spoil the training part where that is asked for, scale by it, and
    describe the result.

    `seed` is the run's seed; the configuration's `data_seed` goes before it. `dtype` (float32 or
    float64) is that of the prepared inputs. `told` hears how far it is with a large file. Raises
    DataError where the training part is empty or has too few rows, or a value does not fit the
    dtype.
    """
    seed = seed if options.data_seed is None else options.data_seed
    rows = parted(dataset, options, seed)
    targets = {part: np.ascontiguousarray(dataset.targets[rows[part]]) for part in PARTS}
    targets["train"], noise = with_noisy_labels(
        dataset, targets["train"], options.label_noise, seed
    )
    if options.outliers > 0:
        dataset = held(dataset)
    elif dataset.inputs.size >= IN_TILES and options.scaling != "robust":  # sorted is quicker
        dataset = tiled(dataset)
    made = (
        from_array(dataset, options, rows, targets, seed, dtype)
        if dataset.tiles is None
        else from_tiles(dataset, dataset.tiles, options, rows, targets, dtype, told)
    )
    clean = dataset.clean_targets
    return PreparedData(
        name=dataset.name,
        task=dataset.task,
        outputs=dataset.outputs,
        inputs=made.inputs,
        targets=targets,
        indices=rows,
        scaler=made.scaler,
        fingerprint=fingerprint(made.inputs, targets),
        feature_names=dataset.feature_names,
        class_names=dataset.class_names,
        feature_min=made.moments.low,
        feature_max=made.moments.high,
        feature_mean=made.moments.mean,
        feature_std=made.moments.std,
        class_counts={
            part: count_classes(targets[part], len(dataset.class_names)) for part in PARTS
        },
        repeats=made.repeats,
        input_mean=float(made.inputs["train"].mean(dtype=np.float64)),
        input_mean_square=mean_square(made.inputs["train"]),
        notes=(
            *dataset.notes,
            *split_notes(dataset, options, rows, made.scaler),
            *given_notes(dataset, rows, made.repeats.duplicates),
            *corruption_notes(len(rows["train"]), made.outliers, noise),
        ),
        source=dataset.source,
        licence=dataset.licence,
        noise_variance=dataset.noise_variance,
        clean_targets=None if clean is None else {part: clean[rows[part]] for part in PARTS},
        noisy_labels=rows["train"][noise.changed],
        outlier_rows=rows["train"][made.outliers],
        label_noise_std=noise.std,
        target_names=dataset.target_names,
        feature_fill=made.fill,
    )


def parted(dataset: Dataset, options: Options, seed: int) -> dict[str, Indices]:
    """Rows of each part, ascending int64. Raises DataError where the training part is empty or
    has too few rows.
    """
    classes = dataset.targets if dataset.task == "classification" and options.stratify else None
    fixed = dataset.parts is not None or dataset.groups is not None
    rows = (
        split_given(dataset.parts, dataset.groups, classes, options.split, seed)
        if fixed
        else split(dataset.samples, classes, options.split, seed)
    )
    if not len(rows["train"]):
        fault = (
            f"the training part of split {words(options.split)} is empty with "
            f"{counted(dataset.samples, 'row')}"
        )
        raise DataError(f"{dataset.name}: {fault}: give training a larger share")
    if options.train_size is not None:
        if options.train_size > len(rows["train"]):
            fault = (
                f"train_size = {options.train_size}, and the training part of split "
                f"{words(options.split)} has {counted(len(rows['train']), 'row')}"
            )
            raise DataError(f"{dataset.name}: {fault}: take fewer, or give training a larger share")
        rows["train"] = fewer(
            rows["train"],
            None if classes is None else classes[rows["train"]],
            options.train_size,
            seed,
        )
    return rows


@dataclass(frozen=True)
class PreparedInputs:
    """Prepared inputs and what was found on the way. moments: of the raw training part.
    outliers: positions in it, ascending; the rest as in PreparedData.
    """

    inputs: dict[str, Array]
    scaler: Scaler
    moments: ColumnMoments
    repeats: Repeats
    fill: Floats = field(default_factory=lambda: np.zeros(0))
    outliers: Indices = field(default_factory=no_rows)


def from_array(
    dataset: Dataset,
    options: Options,
    rows: Mapping[str, Indices],
    targets: Mapping[str, Array],
    seed: int,
    dtype: npt.DTypeLike,
) -> PreparedInputs:
    """Prepared inputs of a data set that is held whole."""
    raw = {part: dataset.inputs[rows[part]] for part in PARTS}
    fill = (
        fit_fill(raw["train"], options.missing, dataset.feature_names, dataset.name)
        if np.isnan(dataset.inputs).any()
        else np.zeros(0)
    )
    raw = {part: filled(raw[part], fill) for part in PARTS}
    raw["train"], far = with_outliers(raw["train"], options.outliers, seed)
    repeated = repeats(raw, targets, dataset.task == "classification")
    moments = moments_of(raw["train"])
    scaler = fit_inputs(dataset, options, moments, lambda: robust(raw["train"]))
    inputs = {part: cast(dataset, rows[part], raw[part], scaler, dtype) for part in PARTS}
    return PreparedInputs(inputs, scaler, moments, repeated, fill, far)


def from_tiles(
    dataset: Dataset,
    held: ScannedTiles,
    options: Options,
    rows: Mapping[str, Indices],
    targets: Mapping[str, Array],
    dtype: npt.DTypeLike,
    told: Told | None,
) -> PreparedInputs:
    """Prepared inputs of a large file, the same to the last bit; nothing is held beside them."""
    tiles, digests, fill = held.tiles, held.digests, np.zeros(0)
    if held.gaps:
        fill = fit_fill_in_tiles(dataset, tiles, rows["train"], options.missing)
        tiles = Filled(tiles, fill)
        digests = digests_of(tiles)
    every = np.sort(np.concatenate([rows[part] for part in PARTS]))
    of_parts = {part: digests[rows[part]] for part in PARTS}
    repeated = repeats_of(
        of_parts, lambda: possible_in_tiles(tiles, every), targets, dataset.task == "classification"
    )
    moments = moments_in_tiles(tiles, rows["train"], told)
    scaler = fit_inputs(
        dataset, options, moments, lambda: robust_of(robust_in_tiles(tiles, rows["train"]))
    )
    return PreparedInputs(
        filled_from_tiles(dataset, tiles, rows, scaler, dtype, told),
        scaler,
        moments,
        repeated,
        fill,
    )


def held(dataset: Dataset) -> Dataset:
    """The data set with its inputs as one array, for what looks at them as a whole."""
    if dataset.tiles is None:
        return dataset
    return replace(dataset, inputs=whole(dataset.tiles.tiles), tiles=None)


def tiled(dataset: Dataset) -> Dataset:
    """The data set with its inputs as tiles, beside which nothing is held; as it is where one is
    infinite.
    """
    tiles = Held(dataset.inputs)
    scan = scanned(tiles)
    if scan is None:
        return dataset
    gaps = bool(scan.missing.any())
    return replace(
        dataset, tiles=ScannedTiles(tiles, scan.digests, gaps, scan.missing, dataset.samples)
    )


def fit_inputs(
    dataset: Dataset,
    options: Options,
    moments: ColumnMoments,
    quartiles: Callable[[], tuple[Floats, Floats]],
) -> Scaler:
    """The scaler of a raw training part with these moments, of its images as they move where
    they do. quartiles: as in `fit_moments`.
    """
    moving = of_moving_images(moments, side_of(dataset, options), options)
    return fit_moments(options.scaling, moving, quartiles, dataset.feature_names, dataset.name)


def words(percents: tuple[float, float, float]) -> str:
    return ",".join(f"{p:g}" for p in percents)


def cast(
    dataset: Dataset, rows: Indices, raw: Floats, scaler: Scaler, dtype: npt.DTypeLike
) -> Array:
    """Raw inputs scaled, in the engine's dtype. Names the row and feature of a number that
    float32 cannot hold.
    """
    with np.errstate(over="ignore"):
        inputs = np.ascontiguousarray(scaler.apply(raw), dtype=dtype)
    finite = np.isfinite(inputs)
    if not finite.all():
        i, j = divmod(int(np.argmin(finite)), inputs.shape[1])
        raise misfit(dataset, int(rows[i]), j, raw[i, j], dtype)
    return inputs


def fingerprint(inputs: Mapping[str, Array], targets: Mapping[str, Array]) -> str:
    """sha256 hex over part, dtype, shape and little-endian bytes of all prepared arrays."""
    digest = hashlib.sha256()
    for part in PARTS:
        for array in (inputs[part], targets[part]):
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(f"{part} {little.dtype.str} {little.shape};".encode())
            digest.update(np.ascontiguousarray(little).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def count_classes(targets: Array, classes: int) -> Indices:
    """Rows of each class, int64 (classes,); empty for regression."""
    if classes:
        return np.bincount(targets, minlength=classes).astype(np.int64)
    return np.zeros(0, dtype=np.int64)


def mean_square(values: Array) -> float:
    """The mean of the squares of a C-contiguous array, float64: in halves, as NumPy sums, so
    that no second array of that size is made.
    """

    def summed(part: Array) -> float:
        if len(part) <= SUMMED:
            return float(np.square(part, dtype=np.float64).sum())
        half = len(part) // 2
        half -= half % 8
        return summed(part[:half]) + summed(part[half:])

    return summed(values.reshape(-1)) / values.size


def given_notes(
    dataset: Dataset, rows: Mapping[str, Indices], duplicates: Mapping[str, int]
) -> list[str]:
    """Where the split comes with the data: how it came out, and what leaks from one part into
    another.
    """
    if dataset.parts is None and dataset.groups is None:
        return []
    counts = ", ".join(f"{len(rows[part])} {part}" for part in PARTS)
    notes = [f"rows of the parts: {counts}"]
    if dataset.parts is not None:
        shares = [
            part
            for k, part in enumerate(PARTS)
            if k and not (dataset.parts == k).any() and len(rows[part])
        ]
        notes += [
            f"the {part} part is not given: it was taken from the training rows by split"
            for part in shares
        ]
        for pair, count in duplicates.items():
            first, second = pair.split("_")
            notes += (
                [f"leak: {count} of {len(rows[second])} {second} rows are in the {first} part too"]
                if count
                else []
            )
    if dataset.groups is not None:
        groups = {part: np.unique(dataset.groups[rows[part]]) for part in PARTS}
        notes.append(
            f"groups of the parts: {', '.join(f'{len(groups[part])} {part}' for part in PARTS)}"
        )
        shared = [
            (a, b, len(np.intersect1d(groups[a], groups[b], assume_unique=True)))
            for a, b in combinations(PARTS, 2)
        ]
        notes += [
            f"leak: {count} groups are in the {a} and in the {b} part"
            for a, b, count in shared
            if count
        ]
    if dataset.task == "classification":
        trained = count_classes(dataset.targets[rows["train"]], len(dataset.class_names))
        unseen = [
            name for name, count in zip(dataset.class_names, trained, strict=True) if not count
        ]
        notes += (
            [f"no training row has the class{'es' * (len(unseen) > 1)} {quoted_list(unseen)}"]
            if unseen
            else []
        )
    return notes


def split_notes(
    dataset: Dataset, options: Options, rows: Mapping[str, Indices], scaler: Scaler
) -> list[str]:
    """What the split and the scaling could not do as asked."""
    empty = [
        part
        for part, percent in zip(PARTS, options.split, strict=True)
        if percent > 0 and not len(rows[part])
    ]
    notes = [
        (
            f"the {part} part is empty: {counted(dataset.samples, 'row')} "
            f"{'is' if dataset.samples == 1 else 'are'} too few for split {words(options.split)}"
        )
        for part in empty
    ]
    constant = int((scaler.scale == 0).sum())
    if constant:
        notes.append(
            f"{constant} of {counted(len(scaler.scale), 'feature')} are constant in the "
            "training part and scaled to 0"
        )
    if dataset.task == "classification":
        counts = count_classes(dataset.targets, len(dataset.class_names))
        if few := int((counts == 1).sum()):
            notes.append(
                f"{counted(few, 'class', 'classes')} have a single row"
                if few > 1
                else "1 class has a single row"
            )
    return notes
