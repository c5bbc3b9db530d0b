"""The records of a configuration: one frozen record per TOML table, and the whole.

Each field's type, range, default and help stand in its definition and nowhere else. Defaults are
written as the user would type them and read when a record is made, so that importing this module
imports no parts. A wrong value is a FieldError, whichever way it came in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

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
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError
from dlprobe.registry import Spec, listed

Check = TypeVar("Check", bound=Callable[[Any], None])
LARGEST_SEED = 2**63 - 1
MOST_ROWS = 100_000  # that record_every = auto leaves of a run
DEFAULT_EPOCHS = 20
AUTO = ("auto",)
NONE = ("none",)
NO = ("none", "no")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "\\t": "tab", "|": "bar", " ": "blank"}


@dataclass(frozen=True)
class Key:
    """One key of a table: how its value is read and checked, its default as typed, its line of
    help, and what other tools call it: never taken, only to say what was meant.

    `younger`: the key came later than run files did. It is stored where it is not the default only,
    so that runs without it keep their content hashes.
    """

    form: Form
    default: str
    description: str
    also_called: tuple[str, ...] = ()
    younger: bool = False


def option(
    form: Form, default: str, help_line: str, also_called: str = "", *, younger: bool = False
) -> Any:
    """A key of a table; `also_called` with blanks between the names."""
    return Key(form, default, help_line, tuple(also_called.split()), younger)


def combination(check: Check) -> Check:
    """Decorator: a method that raises FieldError where values of a table do not go together."""
    check.checks_a_table = True  # type: ignore[attr-defined]
    return check


class ConfigTable:
    """One table of the configuration. Raises FieldError for an unknown key or a value its field
    does not take.
    """

    table: ClassVar[str]
    definitions: ClassVar[Mapping[str, Key]]  # by key, in the order of definition
    _combinations: ClassVar[tuple[Callable[[Any], None], ...]]

    def __init_subclass__(cls) -> None:
        own = vars(cls)
        cls.definitions = {key: value for key, value in own.items() if isinstance(value, Key)}
        cls._combinations = tuple(
            method for method in own.values() if hasattr(method, "checks_a_table")
        )

    def __init__(self, /, **values: Any) -> None:
        values = self._completed(values)
        content = {key: self._read(key, values) for key in self.definitions}
        for key in values:
            if key not in self.definitions:
                raise stray_key(self.table, key, keys_by_table(), other_keys())
        self._keep(content)

    def _keep(self, content: Mapping[str, Any]) -> None:
        self.__dict__.update(content)
        for check in self._combinations:
            check(self)

    def _completed(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values, with what some of them mean for others."""
        return values

    def _read(self, key: str, values: Mapping[str, Any]) -> Any:
        table: Any = type(self)
        if key not in values:
            return default_of(table, key)
        try:
            return self.definitions[key].form.read(values[key])
        except ValueError as error:
            raise FieldError(self.table, key, values[key], str(error)) from None

    @classmethod
    def forms(cls) -> dict[str, Form]:
        """The form of each field, in the order of definition."""
        return {key: definition.form for key, definition in cls.definitions.items()}

    def replaced(self, **values: Any) -> Self:
        """A copy with values replaced by such as a record holds, which are not checked."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__ | values)
        return copy

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"a configuration is frozen: {name} stays as it is")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        inner = ", ".join(f"{key}={value!r}" for key, value in self.__dict__.items())
        return f"{type(self).__name__}({inner})"


@cache
def default_of(table: Any, key: str) -> Any:
    """What a field of a table holds by default."""
    return table.definitions[key].form.read(table.definitions[key].default)


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

    layers: tuple[int, ...] = option(
        LayerSizes(),
        "100,100",
        "hidden layers, input side first",
        "hidden hidden_layers hidden_sizes hidden_units hidden_layer_sizes units neurons "
        "depth width",
    )
    activation: Spec | tuple[Spec, ...] = option(
        NamedPerLayer("activation"),
        "relu",
        "activation of the hidden layers",
        "activation_function hidden_activation nonlinearity",
    )
    output_activation: Spec | None = option(
        Named("activation", words=AUTO),
        "auto",
        "activation of the output; auto: what the loss takes",
    )
    init: Spec | None = option(
        Named("initializer", words=AUTO),
        "auto",
        "initializer of all weights; auto: what suits the activation",
        "initializer initialization initialisation weight_init kernel_initializer",
    )
    bias_init: Spec | None = option(
        Named("initializer", words=AUTO),
        "auto",
        "initializer of bias parameters; auto: as init says, else 0",
        "bias_initializer",
    )
    bias: bool = option(YesNo(), "yes", "whether layers have bias parameters", "use_bias")
    norm: Spec | None = option(
        Named("normalization", words=NONE),
        "none",
        "normalization of the hidden layers",
        "normalization normalisation batch_norm batchnorm batch_normalization layer_norm",
    )
    norm_position: Literal["before", "after"] = option(
        OneOf("before", "after"), "before", "normalize before or after the activation"
    )
    norm_inference: Literal["running", "train_set"] = option(
        OneOf("running", "train_set"),
        "running",
        "statistics that batch norm evaluates by: running ones, or those of the whole "
        "training part",
    )
    input_norm: Spec | None = option(
        Named("normalization", words=NONE),
        "none",
        "normalization of the net's input, a layer of its own",
    )
    residual: Spec | None = option(
        NamedOrYes("residual", "identity", words=NO),
        "none",
        "residual connection around hidden layers of equal width",
        "skip skip_connection skip_connections",
    )
    dropout: float = option(
        Number(0.0, below=1.0),
        "0",
        "probability of dropping an output of a hidden layer in training",
        "dropout_rate",
    )
    input_dropout: float = option(
        Number(0.0, below=1.0), "0", "probability of dropping an input in training"
    )
    weight_transform: Spec | None = option(
        Named("weight_transform", words=NONE),
        "none",
        "what the hidden layers' weights go through before use",
    )
    drop_connect: float = option(
        Number(0.0, below=1.0), "0", "probability of dropping a weight in training"
    )
    noise: float = option(
        Number(0.0),
        "0",
        "standard deviation of normal noise on the hidden layers' outputs in training",
    )
    input_noise: float = option(
        Number(0.0), "0", "standard deviation of normal noise on the scaled inputs in training"
    )

    @combination
    def _one_activation_per_layer(self) -> None:
        if isinstance(self.activation, tuple) and len(self.activation) != len(self.layers):
            counts = (
                f"{len(self.activation)} activations for {len(self.layers)} hidden "
                f"layer{'s' * (len(self.layers) != 1)}"
            )
            reason = f"{counts}: expected one for all, or a list with one per hidden layer"
            raise FieldError(
                self.table, "activation", [str(spec) for spec in self.activation], reason
            )

    @combination
    def _gates_have_their_halves(self) -> None:
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

    @combination
    def _layers_can_say_something(self) -> None:
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

    @combination
    def _biases_need_no_data(self) -> None:
        if self.bias_init is not None and self.bias_init.record.data_dependent:
            reason = (
                "it rescales weights on data: expected an initializer that draws numbers, or auto"
            )
            raise FieldError(self.table, "bias_init", str(self.bias_init), reason)

    @combination
    def _one_thing_done_to_weights(self) -> None:
        if self.weight_transform is not None and self.drop_connect > 0:
            reason = f"drop_connect = {self.drop_connect:g} is given too: expected one of the two"
            raise FieldError(self.table, "weight_transform", str(self.weight_transform), reason)

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

    loss: Spec | None = option(
        Named("loss", words=AUTO),
        "auto",
        "loss; auto: what suits the task",
        "criterion loss_function",
    )
    class_weights: tuple[float, ...] | Literal["balanced"] | None = option(
        ClassWeights(words=NONE, own_words=("balanced",)),
        "none",
        "weights of the classes in the training loss, in the order of the classes; balanced: "
        "inverse to their sizes",
    )
    label_smoothing: float = option(
        Number(0.0, below=1.0), "0", "share of every training label that is spread over all classes"
    )
    early_stopping: Spec | None = option(
        NamedOrYes("stopping", "early_stopping", words=NO),
        "none",
        "end the run when evaluations no longer improve, and keep the best parameters",
        "patience",
    )
    optimizer: Spec = option(Named("optimizer"), "adam", "optimizer", "solver")
    lr: float | None = option(
        Number(0.0, words=AUTO),
        "auto",
        "learning rate; auto: the optimizer's usual one",
        "learning_rate learning_rate_init eta step_size rate",
    )
    schedule: Spec = option(
        Named("schedule"),
        "constant",
        "how the learning rate runs through training",
        "lr_schedule scheduler lr_scheduler decay",
    )
    warmup: int = option(
        Whole(0), "0", "first steps in which the rate rises in a straight line to the schedule's"
    )
    l1: float = option(Number(0.0), "0", "penalty λ Σ|w| on weights")
    l2: float = option(Number(0.0), "0", "penalty λ Σ w² on weights")
    bias_l1: float = option(Number(0.0), "0", "penalty λ Σ|b| on bias parameters")
    bias_l2: float = option(Number(0.0), "0", "penalty λ Σ b² on bias parameters")
    activity_l1: float = option(
        Number(0.0), "0", "penalty λ Σ|a| on hidden activations, mean over the batch"
    )
    activity_l2: float = option(
        Number(0.0), "0", "penalty λ Σ a² on hidden activations, mean over the batch"
    )
    orthogonal_penalty: float = option(Number(0.0), "0", "penalty λ ‖WᵀW - I‖² on weight matrices")
    l1_proximal: bool = option(
        YesNo(), "no", "l1 as a soft threshold after the update: weights become exactly zero"
    )
    max_norm: float | None = option(
        Number(0.0, words=NONE, open_low=True),
        "none",
        "bound of the norm of each unit's incoming weights",
    )
    clip_value: float | None = option(
        Number(0.0, words=NONE, open_low=True), "none", "bound of each element of the gradient"
    )
    clip_layer_norm: float | None = option(
        Number(0.0, words=NONE, open_low=True), "none", "bound of the norm of each layer's gradient"
    )
    clip_global_norm: float | None = option(
        Number(0.0, words=NONE, open_low=True), "none", "bound of the norm of the whole gradient"
    )
    mixup: float = option(
        Number(0.0),
        "0",
        "α of mixup: samples of a batch are mixed in pairs, share ~ Beta(α, α); 0 for none",
    )
    batch_size: int | Literal["full"] = option(
        Whole(1, own_words=("full",)),
        "32",
        "samples per step; full: the whole training part",
        "minibatch minibatch_size",
    )
    epochs: int | None = option(
        Whole(1, words=NONE),
        str(DEFAULT_EPOCHS),
        "passes over the training part; none where steps is given",
        "n_epochs num_epochs max_epochs max_iter",
    )
    steps: int | None = option(
        Whole(1, words=NONE), "none", "updates, in place of epochs", "iterations max_steps updates"
    )
    seed: int = option(
        Whole(0, LARGEST_SEED),
        "0",
        "the one number that weights and batches derive from",
        "random_state random_seed",
    )
    dtype: Literal["float32", "float64"] = option(
        OneOf("float32", "float64"), "float32", "precision of the computation", "precision"
    )
    threads: int | None = option(
        Whole(1, words=AUTO),
        "auto",
        "threads that share a large net; auto: one per processor, one in a study",
        "workers n_jobs jobs",
    )

    def _completed(self, values: dict[str, Any]) -> dict[str, Any]:
        """Steps in the place of the epochs by default."""
        if "epochs" not in values and values.get("steps") not in (None, "none"):
            return {**values, "epochs": None}
        return values

    @combination
    def _epochs_or_steps(self) -> None:
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

    @property
    def resolved_lr(self) -> float:
        """`lr`, or the usual learning rate of the optimizer's record."""
        return float(self.optimizer.record.rate) if self.lr is None else self.lr


class RecordingConfig(ConfigTable):
    """What is recorded, and how often."""

    table: ClassVar[str] = "recording"

    record_every: int | None = option(
        Whole(1, words=AUTO),
        "auto",
        "steps from one record of the statistics to the next; auto: every step up to 100,000 "
        "rows, then as many as give that",
    )
    evaluate_every: int | Literal["never"] = option(
        Whole(1, own_words=("never",)), "1", "epochs from one evaluation to the next"
    )
    checkpoint_every: int | None = option(
        Whole(1, words=("never", "none")), "never", "steps from one checkpoint to the next"
    )
    histogram_every: int | Literal["never"] | None = option(
        Whole(1, words=AUTO, own_words=("never",)),
        "auto",
        "steps from one histogram of each layer to the next; auto: about 20 a run",
    )
    track_unit: tuple[str, ...] | None = option(
        Units(words=NONE), "none", "units whose preactivation percentiles are followed"
    )
    track_every: int | None = option(
        Whole(1, words=AUTO),
        "auto",
        "steps from one look at tracked units to the next; auto: about 200 a run",
    )
    jacobian: int | None = option(
        Whole(1, words=NONE),
        "none",
        "training samples whose input-output Jacobian is taken at each histogram",
    )
    sharpness: int | None = option(
        Whole(1, words=NONE),
        "none",
        "training samples on which the Hessian's largest eigenvalue is taken at each histogram",
    )
    mc_dropout: int | None = option(
        Whole(1, words=NONE),
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

    data: DataConfig
    model: ModelConfig
    training: TrainingConfig
    recording: RecordingConfig

    def __init__(self, /, **tables: Any) -> None:
        content = {name: _as_table(table, tables.get(name, {})) for name, table in TABLES.items()}
        for name in tables:
            if name not in TABLES:
                raise stray_key("", name, keys_by_table(), other_keys())
        self._keep(content)

    @combination
    def _early_stopping_has_evaluations(self) -> None:
        if self.training.early_stopping is not None and self.recording.evaluate_every == "never":
            reason = (
                "it goes by evaluations, and evaluate_every is never: expected none, or evaluations"
            )
            raise FieldError(
                self.training.table, "early_stopping", str(self.training.early_stopping), reason
            )

    @combination
    def _thinned_nets_are_thinned(self) -> None:
        model, training, nets = self.model, self.training, self.recording.mc_dropout
        if nets is None:
            return
        thinned = model.dropout or model.input_dropout or model.drop_connect
        mixed = training.mixup or self.data.augment is not None
        coupled = any(
            norm is not None and norm.record.couples_samples
            for norm in (model.norm, model.input_norm)
        )
        if not thinned or mixed or coupled:
            reason = "expected dropout, and no batch norm, mixup or augmentation beside it"
            raise FieldError(self.recording.table, "mc_dropout", str(nets), reason)

    @combination
    def _schedule_has_evaluations(self) -> None:
        if (
            self.training.schedule.record.observe is not None
            and self.recording.evaluate_every == "never"
        ):
            reason = (
                "it lowers the rate by what evaluations show, and evaluate_every is never: "
                "expected evaluations, or another schedule"
            )
            raise FieldError(self.training.table, "schedule", str(self.training.schedule), reason)

    @property
    def resolved_data_seed(self) -> int:
        """`data_seed`, or the run's seed."""
        return self.training.seed if self.data.data_seed is None else self.data.data_seed


def _as_table(table: type[ConfigTable], value: object) -> ConfigTable:
    if isinstance(value, Mapping):
        return table(**value)
    if isinstance(value, table):
        return value
    expected = listed(keys_by_table()[table.table], ALL_KEYS)
    raise ConfigError(f"{table.table} = {show(value)}: expected a table with keys among {expected}")


TABLES: dict[str, type[ConfigTable]] = {
    table.table: table for table in (DataConfig, ModelConfig, TrainingConfig, RecordingConfig)
}


@cache
def younger_keys(table: Any) -> frozenset[str]:
    """The keys that are stored only where they are not the default."""
    return frozenset(key for key, field in table.definitions.items() if field.younger)


def other_keys() -> dict[str, str]:
    """What other tools call the keys, each with the key."""
    return {
        other: key
        for table in TABLES.values()
        for key, field in table.definitions.items()
        for other in field.also_called
    }


def keys_by_table() -> dict[str, tuple[str, ...]]:
    """Every table's keys, in the order of definition."""
    return {name: tuple(table.definitions) for name, table in TABLES.items()}
