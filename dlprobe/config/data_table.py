"""The table [data]."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from dlprobe.config.forms import (
    DataSource,
    Named,
    Number,
    OneOf,
    Separator,
    Text,
    Whole,
    YesNo,
    is_path,
)
from dlprobe.config.list_forms import Columns, Split
from dlprobe.config.naming import parse_spec
from dlprobe.config.table import AUTO, LARGEST_SEED, NONE, ConfigTable, combination, option
from dlprobe.registry import Spec

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "\\t": "tab", "|": "bar", " ": "blank"}


class DataConfig(ConfigTable):
    """Which data, how they are read, split and scaled."""

    table: ClassVar[str] = "data"

    data: str = option(
        DataSource(),
        "digits",
        "embedded or generated data set, or a data file",
        "dataset data_set data_file file path",
    )
    target: str | None = option(
        Text(words=AUTO),
        "auto",
        "label column of a data file, or several number columns (A,B); auto: as the file's "
        "format says",
        "label labels label_column target_column",
    )
    columns: tuple[str, ...] | None = option(
        Columns(words=("all",)),
        "all",
        "columns of a file that are features, the target apart: names, patterns (pixel*) or "
        "numbers from 1",
        "features feature_columns usecols",
        younger=True,
    )
    drop: tuple[str, ...] | None = option(
        Columns(words=NONE),
        "none",
        "columns of a file that are left out: names, patterns or numbers",
        "ignore_columns exclude drop_columns",
        younger=True,
    )
    val_data: str | None = option(
        Text(words=NONE),
        "none",
        "file with the validation part, of the same columns as data",
        "validation_data val_file validation_file",
        younger=True,
    )
    test_data: str | None = option(
        Text(words=NONE),
        "none",
        "file with the test part, of the same columns as data",
        "test_file",
        younger=True,
    )
    split_column: str | None = option(
        Text(words=NONE), "none", "column that says train, val or test of each row", younger=True
    )
    group_column: str | None = option(
        Text(words=NONE),
        "none",
        "column whose equal values (patient, user, day) stay in one part",
        "groups group",
        younger=True,
    )
    dates: str = option(
        OneOf("refuse", "drop", "ordinal"),
        "refuse",
        "columns of dates: refused (few different ones are categories), left out, or days "
        "since 1970-01-01",
        "parse_dates date_columns",
        younger=True,
    )
    missing: str = option(
        OneOf("drop", "mean", "median", "indicator"),
        "drop",
        "missing values of a file: drop their rows, fill them by mean or median of the "
        "training part, or by the mean with a column that says where",
        "na missing_values fillna impute imputer",
        younger=True,
    )
    sep: str = option(
        Separator("auto", *dict.fromkeys(SEPARATORS.values()), signs=SEPARATORS),
        "auto",
        "separator of a text table, by name or as the sign itself; auto: what most lines agree on",
        "separator delimiter delim",
        younger=True,
    )
    decimal: str = option(
        OneOf("auto", "point", "comma"),
        "auto",
        "decimal sign of a text table; point or comma also reads the other as separator of "
        "thousands, currency and percent signs",
        "decimal_sign thousands",
        younger=True,
    )
    task: str = option(
        OneOf("auto", "classification", "regression"),
        "auto",
        "what is learned; auto: from the labels",
    )
    scaling: str = option(
        OneOf("standardize", "minmax", "robust", "none"),
        "standardize",
        "scaling of the inputs, fitted on the training part",
        "scaler normalize standardize preprocessing",
    )
    target_scaling: str = option(
        OneOf("auto", "standardize", "minmax", "none"),
        "auto",
        "scaling of a regression's targets, fitted on the training part; auto: standardize, "
        "or minmax into the range that loss and output allow",
        "target_scaler scale_targets scale_target normalize_targets standardize_targets "
        "y_scaler y_scaling",
    )
    split: tuple[float, float, float] = option(
        Split(),
        "60,20,20",
        "percent of the samples for training, validation and test",
        "test_size validation_split val_split",
    )
    train_size: int | None = option(
        Whole(1, words=("all",)),
        "all",
        "samples of the training part that are used; fewer are a part of more",
    )
    stratify: bool = option(
        YesNo(), "yes", "keep the share of every class in each part (classification)"
    )
    data_seed: int | None = option(
        Whole(0, LARGEST_SEED, words=AUTO),
        "auto",
        "seed of split and generated data; auto: the seed",
    )

    augment: Spec | None = option(
        Named("augmentation", words=NONE),
        "none",
        "what each training step does to its images, anew each time",
        "augmentation data_augmentation transform",
        younger=True,
    )
    label_noise: float = option(
        Number(0.0, 1.0),
        "0",
        "share of training labels replaced; regression: noise in deviations of the target",
    )
    outliers: float = option(
        Number(0.0, 1.0), "0", "share of training rows whose inputs are replaced by far-off values"
    )

    @combination
    def _one_given_split(self) -> None:
        files = [key for key in ("val_data", "test_data") if getattr(self, key) is not None]
        if self.split_column is not None and files:
            raise self.unfit("split_column", f"{files[0]} gives a split too: expected one of them")
        if self.split_column is not None and self.split_column == self.group_column:
            raise self.unfit("group_column", "it is split_column too: expected another column")
        if len(files) == 2 and self.val_data == self.test_data:
            raise self.unfit("test_data", "it is val_data too: expected another file")

    @property
    def spec(self) -> Spec | None:
        """The named data set with its parameters; None where `data` is the path of a file."""
        return None if is_path(self.data) else parse_spec("data", self.data)

    @property
    def path(self) -> Path | None:
        """The path of the data file; None where `data` names a data set."""
        return Path(self.data) if is_path(self.data) else None
