"""From the text of `--data` to a Dataset: a named set, or the user's file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlprobe.data.arrays import Arrays
from dlprobe.data.columns import DataTable
from dlprobe.data.dataset import LARGEST_ELEMENTS, Dataset, Options
from dlprobe.data.file_format import dataset_of, format_of, large_dataset, read_sources, suffixes
from dlprobe.data.named_sets import NamedSet, numbered_features
from dlprobe.data.places import at_home, visible
from dlprobe.data.randomness import generator
from dlprobe.data.tiles import Told
from dlprobe.errors import ConfigError, DataError
from dlprobe.registry import Spec, listing, nearby, nearest, records, tidied, unknown

# keys about what a file holds, with their defaults
FILE_OPTIONS = {
    "columns": None,
    "drop": None,
    "dates": "refuse",
    "missing": "drop",
    "val_data": None,
    "test_data": None,
    "split_column": None,
    "group_column": None,
    "sep": "auto",
    "decimal": "auto",
}


def load(options: Options, seed: int, told: Told | None = None) -> Dataset:
    """The data set that `options.data` names, or the file at that path.

    `seed` is the run's seed; `options.data_seed` goes before it. Raises ConfigError for an unknown
    name or impossible parameters,
    DataError (one line with file, row and column) for a file that cannot be used. `told` hears how
    far it is with a large file.
    """
    return load_with_source(options, seed, told)[0]


def load_with_source(
    options: Options, seed: int, told: Told | None = None
) -> tuple[Dataset, DataTable | Arrays | None]:
    """Load a set, and return what its file holds too, before rows with gaps are left out and texts
    encoded; None for a named set and for a file that is read in tiles.
    """
    text = options.data.strip()
    if is_set(text):
        from dlprobe.config.naming import parse_spec

        return load_set(parse_spec("data", text), options, seed), None
    if "://" in text:
        raise DataError(
            f"{visible(text)}: is a web address, expected a file here: download it first"
        )
    if looks_like_a_path(text):
        path = at_home(text)
        if (large := large_dataset(path, options, told)) is not None:
            return large, None
        source = read_sources(path, options)
        return dataset_of(path, source, options), source
    if (file := nearby(text)) and not nearest(tidied(text), records("data")):
        raise ConfigError(
            f"{visible(text)}: there is no such file or data set: {file}dlprobe explain data "
            "shows the sets that have a name"
        )
    raise ConfigError(
        f"{unknown('data set', visible(text), records('data'), listing('data'))}; a file is "
        f"given as a path with a suffix ({', '.join(suffixes())})"
    )


def is_set(text: str) -> bool:
    """Whether `text` begins with the name of a registered set."""
    name, bracket, _ = text.partition("(")
    return tidied(name) in records("data") and (not bracket or text.endswith(")"))


def looks_like_a_path(text: str) -> bool:
    """Whether `text` has a separator or a known suffix, or is there as a file."""
    try:
        return (
            "/" in text
            or "\\" in text
            or text.startswith("~")
            or format_of(text) is not None
            or Path(text).is_file()
        )
    except (OSError, ValueError):
        return False


def load_set(spec: Spec, options: Options, seed: int) -> Dataset:
    """A named set, drawn with its own stream of the data seed."""
    record: NamedSet = spec.record
    require_possible(spec)
    rng = generator(seed if options.data_seed is None else options.data_seed, f"data/{spec.name}")
    draw = record.make(rng, **spec.parameters)
    task = "classification" if draw.class_names else "regression"
    if options.task not in ("auto", task):
        raise ConfigError(
            f"task = {options.task} does not suit data = {spec}, which is a {task} set: use "
            "task = auto, or another set"
        )
    if options.target is not None:
        raise ConfigError(
            f"target = {visible(options.target)} does not suit data = {spec}, whose target is "
            "fixed: target is for files"
        )
    refuse_file_options(options, str(spec))
    return Dataset(
        name=str(spec),
        inputs=np.ascontiguousarray(draw.inputs, dtype=np.float64),
        targets=draw.targets,
        task=task,
        feature_names=draw.feature_names or numbered_features(draw.inputs.shape[1]),
        class_names=draw.class_names,
        notes=draw.notes,
        source=record.source,
        licence=record.licence,
        noise_variance=draw.noise_variance,
        clean_targets=draw.clean_targets,
    )


def refuse_file_options(options: Options, name: str) -> None:
    """Options about what a file holds, given for a named set: raise ConfigError."""
    for key, usual in FILE_OPTIONS.items():
        if (value := getattr(options, key)) != usual:
            typed = visible(",".join(value) if isinstance(value, tuple) else value)
            raise ConfigError(f"{key} = {typed} does not suit data = {name}: {key} is for files")


def require_possible(spec: Spec) -> None:
    """Refuses sizes before any memory is taken."""
    samples, features = (int(spec.parameters.get(key, 1)) for key in ("samples", "features"))
    if samples * features > LARGEST_ELEMENTS:
        raise ConfigError(
            f"data = {spec} asks for {samples} × {features} numbers, dlprobe takes up to "
            f"{LARGEST_ELEMENTS}: lower samples or features"
        )
