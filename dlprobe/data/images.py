"""Samples that are square images: whether they are, and how their pixels are spread where every
image moves about.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np

from dlprobe.config.problems import FieldError
from dlprobe.data.dataset import Dataset, Indices, Options
from dlprobe.data.places import quoted_list
from dlprobe.data.scaling import ColumnMoments


def side_of(dataset: Dataset, options: Options) -> int:
    """The side of the images that `augment` moves; 0 without. Raises FieldError where samples
    are no square images, or smaller than the shift.
    """
    chosen = options.augment
    if chosen is None:
        return 0
    side, pixels = square_side(dataset), int(chosen.parameters["pixels"])
    if not side:
        raise FieldError(
            "data",
            "augment",
            str(chosen),
            f"{shape_words(dataset)}: expected square images, their pixels row by row; leave "
            "augment out",
        )
    if pixels >= side:
        raise FieldError(
            "data",
            "augment",
            str(chosen),
            f"the images are {side} × {side} pixels: expected fewer pixels than that",
        )
    if options.scaling == "robust":
        raise FieldError(
            "data",
            "augment",
            str(chosen),
            "scaling = robust cannot be fitted to images that move: expected standardize, "
            "minmax or none",
        )
    return side


def square_side(dataset: Dataset) -> int:
    """The side of the square images that samples are; 0 where they are none.

    An array says its shape. Of other data the features must be of a square number and named alike
    but for numbers, as pixel0, pixel1, … are.
    """
    features = len(dataset.feature_names)
    side = math.isqrt(features)
    if side < 2 or side * side != features:
        return 0
    if dataset.sample_shape:
        if tuple(length for length in dataset.sample_shape if length > 1) in (
            (side, side),
            (features,),
        ):
            return side
        return 0
    return side if len({re.sub(r"\d+", "", name) for name in dataset.feature_names}) == 1 else 0


def shape_words(dataset: Dataset) -> str:
    if len(dataset.sample_shape) > 1:
        return f"each sample of {dataset.name} has shape {dataset.sample_shape}"
    names = dataset.feature_names
    many, more = "s" * (len(names) != 1), ", …" * (len(names) > 2)
    return f"{dataset.name} has {len(names)} feature{many} ({quoted_list(names[:2])}{more})"


def source_places(side: int, pixels: int) -> Indices:
    """int64 ((2·pixels + 1)², side²): for every shift and place of an image the place that the
    pixel comes from, −1 where it comes from outside.

    Row (d + pixels)·(2·pixels + 1) + r + pixels is the shift by d pixels up and r to the left.
    """
    framed = np.pad(np.arange(side * side).reshape(side, side), pixels, constant_values=-1)
    shifts = range(2 * pixels + 1)
    return np.array(
        [
            framed[down : down + side, right : right + side].ravel()
            for down in shifts
            for right in shifts
        ]
    )


def of_moving_images(moments: ColumnMoments, side: int, options: Options) -> ColumnMoments:
    """The moments of every pixel over all images and all shifts, each equally likely, from
    those of the images as they are; as they are where side is 0.
    """
    if not side or options.augment is None:
        return moments
    places = source_places(side, int(options.augment.parameters["pixels"]))
    fill = float(options.augment.parameters["fill"])

    def moved(values: np.ndarray, outside: float) -> np.ndarray:
        return np.where(places < 0, outside, values[places])  # (shifts, features)

    with np.errstate(all="ignore"):
        mean = moved(moments.mean, fill).mean(axis=0)
        variance = (
            moved(np.square(moments.std), 0.0) + np.square(moved(moments.mean, fill) - mean)
        ).mean(axis=0)
    return replace(
        moments,
        low=moved(moments.low, fill).min(axis=0),
        high=moved(moments.high, fill).max(axis=0),
        mean=mean,
        std=np.sqrt(variance),
    )
