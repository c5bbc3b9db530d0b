"""The records of a configuration: one frozen pydantic model per TOML table, and the whole.

Each field's type, range, default and help stand in its definition and nowhere else. Defaults are
written as the user would type them and read when a record is made, so that importing this module
imports no parts. A wrong value is a FieldError, whichever way it came in; pydantic's own errors do
not get out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from dlprobe import registry
from dlprobe.config.forms import (
    ClassWeights,
    Columns,
    DataSource,
    Form,
    LayerSizes,
    Named,
    NamedOrYes,
    NamedPerLayer,
    Number,
    OneOf,
    Separator,
    Split,
    Text,
    Units,
    Whole,
    YesNo,
    is_path,
)
from dlprobe.config.naming import parse_spec
from dlprobe.config.problems import ALL_KEYS, FieldError, stray_key
from dlprobe.config.scalars import show
from dlprobe.errors import ConfigError
from dlprobe.registry import Spec, listed

LARGEST_SEED = 2**63 - 1
MOST_ROWS = 100_000  # that record_every = auto leaves of a run
DEFAULT_EPOCHS = 20
AUTO = ("auto",)
NONE = ("none",)
NO = ("none", "no")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "\\t": "tab", "|": "bar", " ": "blank"}


def option(default: str, help_line: str, also_called: str = "", *, younger: bool = False) -> Any:
    """A field with its default as typed, its line of help, and what other tools call it: never
    taken, only to say what was meant.

    `younger`: the key came later than run files did. It is stored where it is not the default only,
    so that runs without it keep their content hashes.
    """
    return Field(
        default,
        description=help_line,
        json_schema_extra={"also_called": also_called, "younger": younger},
    )


class ConfigTable(BaseModel):
    """One table of the configuration. Raises FieldError for an unknown key or a value its field
    does not take.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        arbitrary_types_allowed=True,
        protected_namespaces=(),
    )
    table: ClassVar[str]

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise self._translated(error) from None

    @classmethod
    def _translated(cls, error: ValidationError) -> ConfigError:
        """pydantic's first complaint in our words: a key the table does not have, or what a
        form said.
        """
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            return stray_key(cls.table, key, keys_by_table(), other_keys())
        if not cls.table:  # of the whole: something that is no table
            return ConfigError(
                f"{key} = {show(first['input'])}: expected a table with keys among "
                f"{listed(keys_by_table()[key], ALL_KEYS)}"
            )
        return FieldError(cls.table, key, first["input"], str(first["ctx"]["error"]))

    @classmethod
    def forms(cls) -> dict[str, Form]:
        """The form of each field, in the order of definition."""
        return _forms(cls)


@cache
def _forms(table: type[ConfigTable]) -> dict[str, Form]:
    return {
        key: next(item for item in field.metadata if isinstance(item, Form))
        for key, field in table.model_fields.items()
    }


@cache
def default_of(table: type[ConfigTable], key: str) -> Any:
    """What a field of a table holds by default."""
    return table.forms()[key].read(table.model_fields[key].default)


class DataConfig(ConfigTable):
    """Which data, how they are read, split and scaled."""

    table: ClassVar[str] = "data"

    data: Annotated[str, DataSource()] = option(
        "digits",
        "embedded or generated data set, or a data file",
        "dataset data_set data_file file path",
    )
    target: Annotated[str | None, Text(words=AUTO)] = option(
        "auto",
        "label column of a data file, or several number columns (A,B); auto: as the file's "
        "format says",
        "label labels label_column target_column",
    )
    columns: Annotated[tuple[str, ...] | None, Columns(words=("all",))] = option(
        "all",
        "columns of a file that are features, the target apart: names, patterns (pixel*) or "
        "numbers from 1",
        "features feature_columns usecols",
        younger=True,
    )
    drop: Annotated[tuple[str, ...] | None, Columns(words=NONE)] = option(
        "none",
        "columns of a file that are left out: names, patterns or numbers",
        "ignore_columns exclude drop_columns",
        younger=True,
    )
    val_data: Annotated[str | None, Text(words=NONE)] = option(
        "none",
        "file with the validation part, of the same columns as data",
        "validation_data val_file validation_file",
        younger=True,
    )
    test_data: Annotated[str | None, Text(words=NONE)] = option(
        "none", "file with the test part, of the same columns as data", "test_file", younger=True
    )
    split_column: Annotated[str | None, Text(words=NONE)] = option(
        "none", "column that says train, val or test of each row", younger=True
    )
    group_column: Annotated[str | None, Text(words=NONE)] = option(
        "none",
        "column whose equal values (patient, user, day) stay in one part",
        "groups group",
        younger=True,
    )
    dates: Annotated[str, OneOf("refuse", "drop", "ordinal")] = option(
        "refuse",
        "columns of dates: refused (few different ones are categories), left out, or days "
        "since 1970-01-01",
        "parse_dates date_columns",
        younger=True,
    )
    missing: Annotated[str, OneOf("drop", "mean", "median", "indicator")] = option(
        "drop",
        "missing values of a file: drop their rows, fill them by mean or median of the "
        "training part, or by the mean with a column that says where",
        "na missing_values fillna impute imputer",
        younger=True,
    )
    sep: Annotated[
        str, Separator("auto", *dict.fromkeys(SEPARATORS.values()), signs=SEPARATORS)
    ] = option(
        "auto",
        "separator of a text table, by name or as the sign itself; auto: what most lines agree on",
        "separator delimiter delim",
        younger=True,
    )
    decimal: Annotated[str, OneOf("auto", "point", "comma")] = option(
        "auto",
        "decimal sign of a text table; point or comma also reads the other as separator of "
        "thousands, currency and percent signs",
        "decimal_sign thousands",
        younger=True,
    )
    task: Annotated[str, OneOf("auto", "classification", "regression")] = option(
        "auto", "what is learned; auto: from the labels"
    )
    scaling: Annotated[str, OneOf("standardize", "minmax", "robust", "none")] = option(
        "standardize",
        "scaling of the inputs, fitted on the training part",
        "scaler normalize standardize preprocessing",
    )
    target_scaling: Annotated[str, OneOf("auto", "standardize", "minmax", "none")] = option(
        "auto",
        "scaling of a regression's targets, fitted on the training part; auto: standardize, "
        "or minmax into the range that loss and output allow",
        "target_scaler scale_targets scale_target normalize_targets standardize_targets "
        "y_scaler y_scaling",
    )
    split: Annotated[tuple[float, float, float], Split()] = option(
        "60,20,20",
        "percent of the samples for training, validation and test",
        "test_size validation_split val_split",
    )
    train_size: Annotated[int | None, Whole(1, words=("all",))] = option(
        "all", "samples of the training part that are used; fewer are a part of more"
    )
    stratify: Annotated[bool, YesNo()] = option(
        "yes", "keep the share of every class in each part (classification)"
    )
    data_seed: Annotated[int | None, Whole(0, LARGEST_SEED, words=AUTO)] = option(
        "auto", "seed of split and generated data; auto: the seed"
    )

    augment: Annotated[Spec | None, Named("augmentation", words=NONE)] = option(
        "none",
        "what each training step does to its images, anew each time",
        "augmentation data_augmentation transform",
        younger=True,
    )
    label_noise: Annotated[float, Number(0.0, 1.0)] = option(
        "0", "share of training labels replaced; regression: noise in deviations of the target"
    )
    outliers: Annotated[float, Number(0.0, 1.0)] = option(
        "0", "share of training rows whose inputs are replaced by far-off values"
    )

    @model_validator(mode="after")
    def _one_given_split(self) -> Self:
        files = [key for key in ("val_data", "test_data") if getattr(self, key) is not None]
        if self.split_column is not None and files:
            raise FieldError(
                self.table,
                "split_column",
                self.split_column,
                f"{files[0]} gives a split too: expected one of them",
            )
        if self.split_column is not None and self.split_column == self.group_column:
            raise FieldError(
                self.table,
                "group_column",
                self.group_column,
                "it is split_column too: expected another column",
            )
        if len(files) == 2 and self.val_data == self.test_data:
            raise FieldError(
                self.table, "test_data", self.test_data, "it is val_data too: expected another file"
            )
        return self

    @property
    def spec(self) -> Spec | None:
        """The named data set with its parameters; None where `data` is the path of a file."""
        return None if is_path(self.data) else parse_spec("data", self.data)

    @property
    def path(self) -> Path | None:
        """The path of the data file; None where `data` names a data set."""
        return Path(self.data) if is_path(self.data) else None


class ModelConfig(ConfigTable):
    """The net: layers, activations, initialization, normalization."""

    table: ClassVar[str] = "model"

    layers: Annotated[tuple[int, ...], LayerSizes()] = option(
        "100,100",
        "hidden layers, input side first",
        "hidden hidden_layers hidden_sizes hidden_units hidden_layer_sizes units neurons "
        "depth width",
    )
    activation: Annotated[Spec | tuple[Spec, ...], NamedPerLayer("activation")] = option(
        "relu",
        "activation of the hidden layers",
        "activation_function hidden_activation nonlinearity",
    )
    output_activation: Annotated[Spec | None, Named("activation", words=AUTO)] = option(
        "auto", "activation of the output; auto: what the loss takes"
    )
    init: Annotated[Spec | None, Named("initializer", words=AUTO)] = option(
        "auto",
        "initializer of all weights; auto: what suits the activation",
        "initializer initialization initialisation weight_init kernel_initializer",
    )
    bias_init: Annotated[Spec | None, Named("initializer", words=AUTO)] = option(
        "auto", "initializer of bias parameters; auto: as init says, else 0", "bias_initializer"
    )
    bias: Annotated[bool, YesNo()] = option(
        "yes", "whether layers have bias parameters", "use_bias"
    )
    norm: Annotated[Spec | None, Named("normalization", words=NONE)] = option(
        "none",
        "normalization of the hidden layers",
        "normalization normalisation batch_norm batchnorm batch_normalization layer_norm",
    )
    norm_position: Annotated[Literal["before", "after"], OneOf("before", "after")] = option(
        "before", "normalize before or after the activation"
    )
    norm_inference: Annotated[Literal["running", "train_set"], OneOf("running", "train_set")] = (
        option(
            "running",
            "statistics that batch norm evaluates by: running ones, or those of the whole "
            "training part",
        )
    )
    input_norm: Annotated[Spec | None, Named("normalization", words=NONE)] = option(
        "none", "normalization of the net's input, a layer of its own"
    )
    residual: Annotated[Spec | None, NamedOrYes("residual", "identity", words=NO)] = option(
        "none",
        "residual connection around hidden layers of equal width",
        "skip skip_connection skip_connections",
    )
    dropout: Annotated[float, Number(0.0, below=1.0)] = option(
        "0", "probability of dropping an output of a hidden layer in training", "dropout_rate"
    )
    input_dropout: Annotated[float, Number(0.0, below=1.0)] = option(
        "0", "probability of dropping an input in training"
    )
    weight_transform: Annotated[Spec | None, Named("weight_transform", words=NONE)] = option(
        "none", "what the hidden layers' weights go through before use"
    )
    drop_connect: Annotated[float, Number(0.0, below=1.0)] = option(
        "0", "probability of dropping a weight in training"
    )
    noise: Annotated[float, Number(0.0)] = option(
        "0", "standard deviation of normal noise on the hidden layers' outputs in training"
    )
    input_noise: Annotated[float, Number(0.0)] = option(
        "0", "standard deviation of normal noise on the scaled inputs in training"
    )

    @model_validator(mode="after")
    def _one_activation_per_layer(self) -> Self:
        if isinstance(self.activation, tuple) and len(self.activation) != len(self.layers):
            counts = (
                f"{len(self.activation)} activations for {len(self.layers)} hidden "
                f"layer{'s' * (len(self.layers) != 1)}"
            )
            reason = f"{counts}: expected one for all, or a list with one per hidden layer"
            raise FieldError(
                self.table, "activation", [str(spec) for spec in self.activation], reason
            )
        return self

    @model_validator(mode="after")
    def _gates_have_their_halves(self) -> Self:
        for index, (units, spec) in enumerate(zip(self.layers, self.activations, strict=True), 1):
            share = spec.record.inputs_per_unit
            if units % share:
                reason = (
                    f"{spec} makes one unit of {share} columns of W: expected a multiple of "
                    f"{share} for hidden_{index}, found {units}"
                )
                raise FieldError(
                    self.table, "layers", list(self.layers), f"{reason}; try {units + 1}"
                )
        return self

    @model_validator(mode="after")
    def _layers_can_say_something(self) -> Self:
        """A row-wise activation of one unit is a constant: softmax of one number is 1, and no
        gradient passes.
        """
        for index, (units, spec) in enumerate(zip(self.layers, self.activations, strict=True), 1):
            if units != 1:
                continue
            low, high = (spec.record.evaluate([z], *spec.parameters.values()) for z in (-3.0, 3.0))
            if low == high and low:
                reason = (
                    f"of the one unit of hidden_{index} it is always {low[0]:g} and no gradient "
                    "passes: expected two units or more, or another activation"
                )
                raise FieldError(self.table, "activation", str(spec), reason)
        return self

    @model_validator(mode="after")
    def _biases_need_no_data(self) -> Self:
        if self.bias_init is not None and self.bias_init.record.data_dependent:
            reason = (
                "it rescales weights on data: expected an initializer that draws numbers, or auto"
            )
            raise FieldError(self.table, "bias_init", str(self.bias_init), reason)
        return self

    @model_validator(mode="after")
    def _one_thing_done_to_weights(self) -> Self:
        if self.weight_transform is not None and self.drop_connect > 0:
            reason = f"drop_connect = {self.drop_connect:g} is given too: expected one of the two"
            raise FieldError(self.table, "weight_transform", str(self.weight_transform), reason)
        return self

    @property
    def activations(self) -> tuple[Spec, ...]:
        """The activation of each hidden layer, input side first."""
        if isinstance(self.activation, tuple):
            return self.activation
        return (self.activation,) * len(self.layers)

    @property
    def resolved_init(self) -> Spec:
        """`init`, or what the record of the first hidden layer's activation (linear where there
        is no hidden layer) names.
        """
        if self.init is not None:
            return self.init
        record = self.activations[0].record if self.layers else registry.get("activation", "linear")
        return parse_spec("initializer", record.initializer)


class TrainingConfig(ConfigTable):
    """Loss, optimizer, length, precision."""

    table: ClassVar[str] = "training"

    loss: Annotated[Spec | None, Named("loss", words=AUTO)] = option(
        "auto", "loss; auto: what suits the task", "criterion loss_function"
    )
    class_weights: Annotated[
        tuple[float, ...] | Literal["balanced"] | None,
        ClassWeights(words=NONE, own_words=("balanced",)),
    ] = option(
        "none",
        "weights of the classes in the training loss, in the order of the classes; balanced: "
        "inverse to their sizes",
    )
    label_smoothing: Annotated[float, Number(0.0, below=1.0)] = option(
        "0", "share of every training label that is spread over all classes"
    )
    early_stopping: Annotated[Spec | None, NamedOrYes("stopping", "early_stopping", words=NO)] = (
        option(
            "none",
            "end the run when evaluations no longer improve, and keep the best parameters",
            "patience",
        )
    )
    optimizer: Annotated[Spec, Named("optimizer")] = option("adam", "optimizer", "solver")
    lr: Annotated[float | None, Number(0.0, words=AUTO)] = option(
        "auto",
        "learning rate; auto: the optimizer's usual one",
        "learning_rate learning_rate_init eta step_size rate",
    )
    schedule: Annotated[Spec, Named("schedule")] = option(
        "constant",
        "how the learning rate runs through training",
        "lr_schedule scheduler lr_scheduler decay",
    )
    warmup: Annotated[int, Whole(0)] = option(
        "0", "first steps in which the rate rises in a straight line to the schedule's"
    )
    l1: Annotated[float, Number(0.0)] = option("0", "penalty λ Σ|w| on weights")
    l2: Annotated[float, Number(0.0)] = option("0", "penalty λ Σ w² on weights")
    bias_l1: Annotated[float, Number(0.0)] = option("0", "penalty λ Σ|b| on bias parameters")
    bias_l2: Annotated[float, Number(0.0)] = option("0", "penalty λ Σ b² on bias parameters")
    activity_l1: Annotated[float, Number(0.0)] = option(
        "0", "penalty λ Σ|a| on hidden activations, mean over the batch"
    )
    activity_l2: Annotated[float, Number(0.0)] = option(
        "0", "penalty λ Σ a² on hidden activations, mean over the batch"
    )
    orthogonal_penalty: Annotated[float, Number(0.0)] = option(
        "0", "penalty λ ‖WᵀW - I‖² on weight matrices"
    )
    l1_proximal: Annotated[bool, YesNo()] = option(
        "no", "l1 as a soft threshold after the update: weights become exactly zero"
    )
    max_norm: Annotated[float | None, Number(0.0, words=NONE, open_low=True)] = option(
        "none", "bound of the norm of each unit's incoming weights"
    )
    clip_value: Annotated[float | None, Number(0.0, words=NONE, open_low=True)] = option(
        "none", "bound of each element of the gradient"
    )
    clip_layer_norm: Annotated[float | None, Number(0.0, words=NONE, open_low=True)] = option(
        "none", "bound of the norm of each layer's gradient"
    )
    clip_global_norm: Annotated[float | None, Number(0.0, words=NONE, open_low=True)] = option(
        "none", "bound of the norm of the whole gradient"
    )
    mixup: Annotated[float, Number(0.0)] = option(
        "0", "α of mixup: samples of a batch are mixed in pairs, share ~ Beta(α, α); 0 for none"
    )
    batch_size: Annotated[int | Literal["full"], Whole(1, own_words=("full",))] = option(
        "32", "samples per step; full: the whole training part", "minibatch minibatch_size"
    )
    epochs: Annotated[int | None, Whole(1, words=NONE)] = option(
        str(DEFAULT_EPOCHS),
        "passes over the training part; none where steps is given",
        "n_epochs num_epochs max_epochs max_iter",
    )
    steps: Annotated[int | None, Whole(1, words=NONE)] = option(
        "none", "updates, in place of epochs", "iterations max_steps updates"
    )
    seed: Annotated[int, Whole(0, LARGEST_SEED)] = option(
        "0", "the one number that weights and batches derive from", "random_state random_seed"
    )
    dtype: Annotated[Literal["float32", "float64"], OneOf("float32", "float64")] = option(
        "float32", "precision of the computation", "precision"
    )
    threads: Annotated[int | None, Whole(1, words=AUTO)] = option(
        "auto",
        "threads that share a large net; auto: one per processor, one in a study",
        "workers n_jobs jobs",
    )

    @model_validator(mode="before")
    @classmethod
    def _steps_replace_the_default_epochs(cls, values: Any) -> Any:
        if (
            isinstance(values, Mapping)
            and "epochs" not in values
            and values.get("steps") not in (None, "none")
        ):
            return {**values, "epochs": None}
        return values

    @model_validator(mode="after")
    def _epochs_or_steps(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            reason = (
                f"epochs = {self.epochs} is given too: expected one of the two, the other left "
                "out or none"
            )
            raise FieldError(self.table, "steps", self.steps, reason)
        if self.epochs is None and self.steps is None:
            raise FieldError(
                self.table,
                "epochs",
                "none",
                "steps is none too: expected a whole number >= 1 for one of the two",
            )
        return self

    @property
    def resolved_lr(self) -> float:
        """`lr`, or the usual learning rate of the optimizer's record."""
        return float(self.optimizer.record.rate) if self.lr is None else self.lr


class RecordingConfig(ConfigTable):
    """What is recorded, and how often."""

    table: ClassVar[str] = "recording"

    record_every: Annotated[int | None, Whole(1, words=AUTO)] = option(
        "auto",
        "steps from one record of the statistics to the next; auto: every step up to 100,000 "
        "rows, then as many as give that",
    )
    evaluate_every: Annotated[int | Literal["never"], Whole(1, own_words=("never",))] = option(
        "1", "epochs from one evaluation to the next"
    )
    checkpoint_every: Annotated[int | None, Whole(1, words=("never", "none"))] = option(
        "never", "steps from one checkpoint to the next"
    )
    histogram_every: Annotated[
        int | Literal["never"] | None, Whole(1, words=AUTO, own_words=("never",))
    ] = option("auto", "steps from one histogram of each layer to the next; auto: about 20 a run")
    track_unit: Annotated[tuple[str, ...] | None, Units(words=NONE)] = option(
        "none", "units whose preactivation percentiles are followed"
    )
    track_every: Annotated[int | None, Whole(1, words=AUTO)] = option(
        "auto", "steps from one look at tracked units to the next; auto: about 200 a run"
    )
    jacobian: Annotated[int | None, Whole(1, words=NONE)] = option(
        "none", "training samples whose input-output Jacobian is taken at each histogram"
    )
    sharpness: Annotated[int | None, Whole(1, words=NONE)] = option(
        "none",
        "training samples on which the Hessian's largest eigenvalue is taken at each histogram",
    )
    mc_dropout: Annotated[int | None, Whole(1, words=NONE)] = option(
        "none",
        "thinned nets whose mean output is evaluated at the end, beside the whole net",
        younger=True,
    )

    def resolved_record_every(self, steps: int) -> int:
        """`record_every`, or the smallest number that leaves `MOST_ROWS` rows of a run of so
        many steps at most.
        """
        return -(-steps // MOST_ROWS) if self.record_every is None else self.record_every


class RunConfig(ConfigTable):
    """Everything that decides what a run computes and records."""

    table: ClassVar[str] = ""

    data: DataConfig = Field(default_factory=DataConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    recording: RecordingConfig = Field(default_factory=RecordingConfig)

    @model_validator(mode="after")
    def _early_stopping_has_evaluations(self) -> Self:
        if self.training.early_stopping is not None and self.recording.evaluate_every == "never":
            reason = (
                "it goes by evaluations, and evaluate_every is never: expected none, or evaluations"
            )
            raise FieldError(
                self.training.table, "early_stopping", str(self.training.early_stopping), reason
            )
        return self

    @model_validator(mode="after")
    def _thinned_nets_are_thinned(self) -> Self:
        model, training, nets = self.model, self.training, self.recording.mc_dropout
        if nets is None:
            return self
        thinned = model.dropout or model.input_dropout or model.drop_connect
        mixed = training.mixup or self.data.augment is not None
        coupled = any(
            norm is not None and norm.record.couples_samples
            for norm in (model.norm, model.input_norm)
        )
        if not thinned or mixed or coupled:
            reason = "expected dropout, and no batch norm, mixup or augmentation beside it"
            raise FieldError(self.recording.table, "mc_dropout", str(nets), reason)
        return self

    @model_validator(mode="after")
    def _schedule_has_evaluations(self) -> Self:
        if (
            self.training.schedule.record.observe is not None
            and self.recording.evaluate_every == "never"
        ):
            reason = (
                "it lowers the rate by what evaluations show, and evaluate_every is never: "
                "expected evaluations, or another schedule"
            )
            raise FieldError(self.training.table, "schedule", str(self.training.schedule), reason)
        return self

    @property
    def resolved_data_seed(self) -> int:
        """`data_seed`, or the run's seed."""
        return self.training.seed if self.data.data_seed is None else self.data.data_seed


TABLES: dict[str, type[ConfigTable]] = {
    table.table: table for table in (DataConfig, ModelConfig, TrainingConfig, RecordingConfig)
}


@cache
def younger_keys(table: type[ConfigTable]) -> frozenset[str]:
    """The keys that are stored only where they are not the default."""
    extras = {key: field.json_schema_extra for key, field in table.model_fields.items()}
    return frozenset(
        key for key, extra in extras.items() if isinstance(extra, dict) and extra.get("younger")
    )


def names_elsewhere(field: FieldInfo) -> tuple[str, ...]:
    """What other tools call a key."""
    extra = field.json_schema_extra
    return tuple(str(extra.get("also_called", "")).split()) if isinstance(extra, dict) else ()


def other_keys() -> dict[str, str]:
    """What other tools call the keys, each with the key."""
    return {
        other: key
        for table in TABLES.values()
        for key, field in table.model_fields.items()
        for other in names_elsewhere(field)
    }


def keys_by_table() -> dict[str, tuple[str, ...]]:
    """Every table's keys, in the order of definition."""
    return {name: tuple(table.model_fields) for name, table in TABLES.items()}
