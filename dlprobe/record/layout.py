"""The one table of everything a run file holds: path, dtype, dimensions, unit, meaning, and whether
the content hash covers it.

Writer, reader, packing, content hash, documentation and tests take names from here. A new data set
is one new line; names are never made up elsewhere.

dtypes: `f` is the run's own float type (f4, or f8 in a float64 run), `float` f4 or f8 as given,
`number` any integer or float as given, `text` UTF-8 text of fixed length, otherwise a little-endian
NumPy code. Dimensions are named; a trailing `?` marks a dimension that may be absent (targets of a
classification are one column).
"""

from __future__ import annotations

import re
from functools import cache, cached_property

from dlprobe import registry
from dlprobe.dataclass import dataclass
from dlprobe.record.scalars import SCALARS, TRAINED_UNITS

SCHEMA = "dlprobe-run"
STUDY_SCHEMA = "dlprobe-study"
# Same major: readable; a reader ignores names that it does not know. 1.1 has scaled targets, and
# chains the frames of a journal.
# 1.2 holds what a resume needs. Journals of 1.3 have evaluations in blocks.
SCHEMA_VERSION = (1, 3)

# what an ended run says; a journal without an end is running or interrupted
STATUSES = ("finished", "interrupted", "failed", "diverged")
LEVEL_FACTORS = (64, 4096, 262144)
PARTS = ("train", "val", "test")
TEXT_BYTES = 1024  # longer texts are cut at a character boundary

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class DataSet:
    """One line of the table. `dims` name the axes, outermost first; () is a single value."""

    path: str
    dtype: str
    dims: tuple[str, ...]
    units: str
    meaning: str
    hashed: bool = True

    @cached_property
    def group(self) -> str:
        """The path above the name, e.g. `stats` of `stats/gradient_rms`."""
        return self.path.rpartition("/")[0]

    @cached_property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def admits_rank(self, rank: int) -> bool:
        """Whether an array with `rank` dimensions fits; a trailing `?` dimension may be missing."""
        return self._least_rank <= rank <= len(self.dims)

    @cached_property
    def _least_rank(self) -> int:
        return len(self.dims) - sum(dim.endswith("?") for dim in self.dims)


_LAYER = ("layer",)
_LAYERS = (
    (
        "name",
        "text",
        (
            "hidden_1 … hidden_n, output; `input` for a normalization of the input. Index 0 is "
            "nearest the input"
        ),
    ),
    ("fan_in", "i8", "rows of W"),
    ("fan_out", "i8", "columns of W"),
    ("units", "i8", "width of the activation a"),
    ("activation", "text", "activation with its parameters"),
    ("initializer", "text", "initializer of W with its parameters"),
    ("bias_initializer", "text", "initializer of the bias parameters; empty without bias"),
    ("normalization", "text", "normalization with its parameters, or none"),
    ("norm_position", "text", "before | after the activation; empty without normalization"),
    ("residual", "text", "residual connection with its parameters, or none"),
    (
        "dropout",
        "f8",
        (
            "share of the activations dropped in training; only of other origins than dlprobe, "
            "whose configuration says it"
        ),
    ),
    (
        "parameter_count",
        "i8",
        "trained parameters of the layer: W, bias, normalization, activation, residual factor",
    ),
    (
        "weight_offset",
        "i8",
        (
            "first entry of W in the flat parameters; W is row-major (fan_in, fan_out); -1 where "
            "there is none"
        ),
    ),
    ("bias_offset", "i8", "first bias parameter in the flat parameters; -1 where there is none"),
    (
        "norm_scale_offset",
        "i8",
        "first normalization scale in the flat parameters; -1 where there is none",
    ),
    (
        "norm_shift_offset",
        "i8",
        "first normalization shift in the flat parameters; -1 where there is none",
    ),
    (
        "activation_offset",
        "i8",
        (
            "first number that the activation learns (slopes of prelu) in the flat parameters; -1 "
            "where it learns none"
        ),
    ),
    (
        "residual_offset",
        "i8",
        "the residual connection's learned factor in the flat parameters; -1 where there is none",
    ),
)

_FACTS = (  # of runs of another origin than dlprobe, whose configuration says it
    ("batch_size", "i8", "samples of a full batch"),
    ("optimizer", "text", "optimizer with its parameters"),
    ("learning_rate", "f8", "learning rate at the start"),
    ("momentum", "f8", "momentum of the optimizer; 0 without"),
    ("loss", "text", "loss with its parameters"),
    (
        "dropout",
        "f8",
        "largest share of hidden activations that are dropped in training; 0 without",
    ),
    ("input_dropout", "f8", "share of the inputs that are dropped in training; 0 without"),
    ("l1", "f8", "strength of the L1 penalty; 0 without"),
    ("l2", "f8", "strength of the L2 penalty or weight decay; 0 without"),
    ("early_stopping", "text", "early stopping with its parameters, or none"),
    ("monitor", "text", "what early stopping watches"),
    ("seed", "i8", "seed of the run"),
)

_EVALUATED = {"train": "the whole training part", "val": "the whole validation part"}
_EVALUATIONS = (("penalty", "penalty terms of the parameters, those of activations not included"),)

_LAYER_EVALUATIONS = (
    ("dead_fraction", "share of units with zero slope on the whole training part"),
    ("weight_distance", "‖W_t - W_0‖₂ / ‖W_0‖₂: how far the layer's weights have moved"),
    (
        "effective_rate",
        (
            "median over the layer's weights of η/(√s + ε), what an adaptive optimizer makes of "
            "the rate; NaN before the first update and for others"
        ),
    ),
    (
        "norm_mean_mismatch",
        "root mean square over units of (μ - μ_running)/√(σ²_running + ε): μ the mean over the "
        "training part of what batch norm is given in evaluation; NaN without running statistics",
    ),
    (
        "norm_variance_ratio",
        (
            "geometric mean over units of (σ² + ε)/(σ²_running + ε), σ² the variance over the "
            "training part; NaN without running statistics"
        ),
    ),
)

_FINAL = (
    *(
        (
            f"{part}_confusion",
            "u4",
            ("true", "predicted"),
            f"samples of the {part} part per true and predicted class",
        )
        for part in PARTS
    ),
    *(
        (f"{part}_mc_{name}", "f8", (), f"{name} of the mean output of thinned nets, {part} part")
        for part in PARTS[1:]
        for name in ("loss", "error", "rmse")
    ),
    ("steps_done", "i8", (), "updates made"),
    ("epochs_done", "f8", (), "passes over the training part made"),
    (
        "skipped_steps",
        "i8",
        (),
        (
            "updates that were left out because the gradient was not finite (loss scaling); only "
            "of recorded runs"
        ),
    ),
    (
        "evaluation_mode",
        "i8",
        (),
        "recorded steps made in evaluation mode; only of recorded runs, absent where none was",
    ),
    (
        "gradients_kept",
        "i8",
        (),
        (
            "recorded steps that began with the gradient of the step before, of the first ones; "
            "only of recorded runs, absent where none did"
        ),
    ),
    (
        "best_step",
        "i8",
        (),
        (
            "step of early stopping's best evaluation, whose parameters a finished run ends with "
            "where restore_best says so"
        ),
    ),
    ("best_value", "f8", (), "what early stopping monitors, at its best evaluation"),
    ("stopped_step", "i8", (), "step at which the run ended early; absent where it did not"),
    ("stop_reason", "text", (), "why the run ended early"),
)

_PLAIN_SKILL = DataSet(
    "final/val_plain_skill",
    "f8",
    (),
    "1",
    "skill of kernel ridge regression, fitted to the training part, on the val part: 1 − error "
    "over that of the commonest class, or R²; only of a finished run that ended below 0.9",
    hashed=False,
)

_DATA = (
    ("name", "text", (), "name of the data set, or the file's name"),
    ("source", "text", (), "where the data comes from"),
    ("licence", "text", (), "licence of the data"),
    ("task", "text", (), "classification | regression"),
    ("notes", "text", ("note",), "what was inferred while reading"),
    ("fingerprint", "text", (), "SHA-256 of the prepared arrays"),
    ("noise_variance", "f8", (), "variance of the noise in the targets where it is known"),
    ("feature_names", "text", ("feature",), "names of the inputs"),
    ("class_names", "text", ("class",), "names of the classes"),
    *(
        (f"{part}_indices", "i8", ("sample",), f"rows of the data set in the {part} part, in order")
        for part in PARTS
    ),
    *(
        (f"{part}_class_counts", "i8", ("class",), f"samples per class in the {part} part")
        for part in PARTS
    ),
    ("target_names", "text", ("output",), "names of the target columns of a regression"),
    (
        "target_scaler",
        "text",
        (),
        (
            "standardize | minmax | none: how targets are scaled for training (regression); "
            "absent in format 1.0, which means none"
        ),
    ),
    *(
        (f"target_{what}", "f8", ("output",), f"{what} of the raw training targets")
        for what in ("mean", "std")
    ),
    (
        "target_tail",
        "f8",
        ("output",),
        (
            "share that the hundredth of the raw training targets that is farthest from their "
            "mean has of their variance"
        ),
    ),
    (
        "target_shift",
        "f8",
        ("output",),
        "what target scaling subtracts, fitted on the training part",
    ),
    (
        "target_scale",
        "f8",
        ("output",),
        (
            "what target scaling multiplies by after the shift, fitted on the training part; "
            "losses are of targets so scaled"
        ),
    ),
    ("scaler", "text", (), "standardize | minmax | robust | none"),
    ("scaler_shift", "f8", ("feature",), "what scaling subtracts, fitted on the training part"),
    (
        "scaler_scale",
        "f8",
        ("feature",),
        (
            "what scaling multiplies by after the shift, fitted on the training part; 0 for a "
            "constant column"
        ),
    ),
    *(
        (f"feature_{what}", "f8", ("feature",), f"{what} of the raw training inputs")
        for what in ("min", "max", "mean", "std")
    ),
    (
        "feature_spread",
        "f8",
        ("feature",),
        (
            "interquartile range of the training inputs as the net gets them, of at most 400 "
            "evenly spaced samples"
        ),
    ),
    (
        "feature_fill",
        "f8",
        ("feature",),
        (
            "what missing values were filled by, fitted on the training part; absent where none "
            "was missing"
        ),
    ),
    (
        "duplicates_train_val",
        "i8",
        (),
        "validation samples whose inputs occur in the training part too",
    ),
    ("duplicates_train_test", "i8", (), "test samples whose inputs occur in the training part too"),
    ("duplicates_val_test", "i8", (), "test samples whose inputs occur in the validation part too"),
    ("distinct_rows", "i8", (), "different rows of inputs in all parts together"),
    (
        "possible_rows",
        "f8",
        (),
        (
            "rows of inputs that the different values of each feature could make; small where "
            "rows repeat by nature"
        ),
    ),
    *(
        (
            f"{part}_floor",
            "f8",
            (),
            (
                f"error (or root mean square) on the {part} part that no net can go below, as "
                "equal rows have different targets"
            ),
        )
        for part in ("train", "val")
    ),
    (
        "noisy_labels",
        "i8",
        ("noisy",),
        "rows of the data set in the training part whose class was replaced (label_noise)",
    ),
    (
        "label_noise_std",
        "f8",
        ("output",),
        "deviation of the noise added to the training targets (label_noise of a regression)",
    ),
    (
        "outlier_rows",
        "i8",
        ("outlier",),
        (
            "rows of the data set in the training part whose inputs were replaced by far-off "
            "values (outliers)"
        ),
    ),
    *(
        (
            f"{letter}_{part}",
            dtype,
            (f"{part}_sample", *axes),
            (
                f"{what} of the {part} part as a recorder was given them with keep=True; absent "
                "otherwise"
            ),
        )
        for part in ("train", "val")
        for letter, dtype, axes, what in (
            ("x", "float", ("feature",), "inputs"),
            ("y", "number", (), "targets"),
        )
    ),
    ("input_mean", "f8", ("feature?",), "mean of the prepared training inputs"),
    ("input_mean_square", "f8", ("feature?",), "mean square of the prepared training inputs"),
)

# may name the path of a file; its contents are in the fingerprint
_DATA_NOT_HASHED = ("source", "notes", "target_tail", "feature_spread")

# what `checkpoints/counters` holds, in this order
STATE_COUNTERS = ("step", "best_step", "waited", "stopped")
_CHECKPOINT_STATE = (
    (
        "counters",
        "i8",
        ("counter",),
        (
            "updates made before the state that a resume goes on from; then early stopping's best "
            "step, evaluations waited, stopped"
        ),
    ),
    (
        "training_parameters",
        "f",
        ("parameter",),
        (
            "all parameters that a resume goes on from; absent where they are those of the last "
            "checkpoint"
        ),
    ),
    ("optimizer_state", "f", ("state",), "the optimizer's flat state there"),
    ("optimizer_values", "f8", ("value",), "the optimizer's parameters and running numbers there"),
    ("normalization_state", "f", ("state",), "the normalizations' flat running statistics there"),
    (
        "schedule_memory",
        "f8",
        ("number",),
        (
            "what a schedule that watches results has seen there: its rate, best loss, "
            "evaluations waited and left to cool down"
        ),
    ),
    ("best_value", "f8", (), "what early stopping monitors, at its best evaluation until there"),
    ("best_parameters", "f", ("parameter",), "all parameters of that evaluation"),
    ("best_normalization_state", "f", ("state",), "the running statistics of that evaluation"),
)


def _layers() -> list[DataSet]:
    return [
        DataSet(f"layers/{name}", dtype, _LAYER, "1", meaning) for name, dtype, meaning in _LAYERS
    ]


def _facts() -> list[DataSet]:
    notes = DataSet(
        "facts/notes",
        "text",
        ("note",),
        "1",
        "what the recorder could not give, and why; one sentence each",
    )
    return [
        *(DataSet(f"facts/{name}", dtype, (), "1", meaning) for name, dtype, meaning in _FACTS),
        notes,
    ]


def _statistics() -> list[DataSet]:
    scales = [
        DataSet(
            "stats/step",
            "i8",
            ("step",),
            "1",
            "step number, counted from 0; a row describes the step before its update",
        ),
        DataSet("stats/layer", "i4", ("layer",), "1", "layer index; 0 is nearest the input"),
    ]
    records = registry.records("statistic").values()
    return scales + [
        DataSet(f"stats/{r.name}", "f", r.dims, r.units, f"{r.summary}; NaN = not recorded")
        for r in records
    ]


def _evaluations() -> list[DataSet]:
    step = DataSet(
        "evaluations/step", "i8", ("evaluation",), "1", "updates made before the evaluation"
    )
    plain = [
        DataSet(f"evaluations/{name}", "f8", ("evaluation",), TRAINED_UNITS, meaning)
        for name, meaning in _EVALUATIONS
    ]
    metrics = [
        _metric("evaluations", part, metric, ("evaluation",), f"on {words}")
        for metric in _metrics()
        for part, words in _EVALUATED.items()
    ]
    return [
        step,
        *metrics,
        *plain,
        *(
            DataSet(f"evaluations/{name}", "f", ("evaluation", "layer"), "1", meaning)
            for name, meaning in _LAYER_EVALUATIONS
        ),
    ]


def _metrics() -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Name, meaning, unit and dimensions of everything that is measured of a part:
    <part>_<name> in the file.
    """
    records = registry.records("metric").values()
    loss = (
        "loss",
        (
            "loss of the targets as they are trained (data/target_scaler), without penalty terms, "
            "class weights and label smoothing"
        ),
        TRAINED_UNITS,
        (),
    )
    return [
        loss,
        *(
            (
                r.name,
                r.summary,
                r.units,
                ("class",) if r.per_class else ("output",) if r.per_target else (),
            )
            for r in records
        ),
    ]


def _metric(
    group: str,
    part: str,
    metric: tuple[str, str, str, tuple[str, ...]],
    dims: tuple[str, ...],
    where: str,
) -> DataSet:
    name, meaning, units, own = metric
    return DataSet(
        f"{group}/{part}_{name}",
        "f8",
        (*dims, *own),
        units,
        f"{meaning}; {where}, in evaluation mode",
    )


def _final() -> list[DataSet]:
    where = "part with the final parameters"
    metrics = [
        _metric("final", part, metric, (), f"on the {part} {where}")
        for metric in _metrics()
        for part in PARTS
    ]
    return [
        *metrics,
        *(
            DataSet(f"final/{name}", dtype, dims, "1", meaning)
            for name, dtype, dims, meaning in _FINAL
        ),
        _PLAIN_SKILL,
    ]


def _predictions() -> list[DataSet]:
    told = "in the unit of the target where that is scaled for training, and then of type f8"
    outputs = [
        DataSet(
            f"predictions/{p}_outputs",
            "float",
            ("sample", "output"),
            "1",
            f"last outputs on the {p} part, in the order of its indices; {told}",
        )
        for p in PARTS
    ]
    targets = [
        DataSet(
            f"predictions/{p}_targets",
            "number",
            ("sample", "output?"),
            "1",
            f"class index or values of the {p} part, not scaled",
        )
        for p in PARTS
    ]
    return outputs + targets


def _parameters() -> list[DataSet]:
    state = [
        DataSet(f"checkpoints/{n}", dtype, dims, "1", meaning, hashed=False)
        for n, dtype, dims, meaning in _CHECKPOINT_STATE
    ]
    return [
        DataSet(
            "checkpoints/step",
            "i8",
            ("checkpoint",),
            "1",
            "updates made before the checkpoint; the last one is the end of the run",
        ),
        DataSet(
            "checkpoints/parameters",
            "f",
            ("checkpoint", "parameter"),
            "1",
            "all parameters, flat; /layers/*_offset say where",
        ),
        *state,
        DataSet(
            "initial/parameters",
            "f",
            ("parameter",),
            "1",
            "all parameters before the first update, flat",
        ),
    ]


_MEASURED_AS = {
    "preactivation": "preactivations z of the batch",
    "activation": "activations a of the batch",
    "weight": "weights W before the update",
    "gradient": "gradient dL/dW of the batch, before clipping, without penalty terms",
}


def _histograms() -> list[DataSet]:
    sets = [
        DataSet(
            "histograms/step",
            "i8",
            ("histogram",),
            "1",
            "step of the histograms and of /instruments; they describe the step before its update",
        )
    ]
    record = registry.get("instrument", "percentiles")
    percents = ", ".join(f"{percent:g}" for percent in record.percents)
    for what in record.of:
        where, named = f"histograms/{what}", _MEASURED_AS[what]
        sets += [
            DataSet(
                f"{where}/counts",
                "u4",
                ("histogram", "layer", "bin"),
                "1",
                f"values per bin, {named}; the last bin holds its right edge",
            ),
            DataSet(
                f"{where}/edges",
                "f",
                ("histogram", "layer", "edge"),
                "1",
                f"bin edges, {named}; NaN where there is no finite value",
            ),
            DataSet(
                f"{where}/percentiles",
                "f",
                ("histogram", "layer", "percentile"),
                "1",
                f"percentiles {percents} of the finite values, {named}",
            ),
            DataSet(
                f"{where}/nonfinite",
                "i8",
                ("histogram", "layer"),
                "1",
                f"NaN and infinite values, {named}",
            ),
        ]
    return sets


def _instruments() -> list[DataSet]:
    records = registry.records("instrument").values()
    percents = ", ".join(
        f"{percent:g}" for percent in registry.get("instrument", "unit_percentiles").percents
    )
    return [
        *(
            DataSet(record.place, "f", record.dims, record.units, record.summary)
            for record in records
            if record.place.startswith("instruments/")
        ),
        DataSet("tracked/layer", "i4", ("unit",), "1", "layer index of each tracked unit"),
        DataSet(
            "tracked/unit", "i4", ("unit",), "1", "number of each tracked unit in its layer, from 0"
        ),
        DataSet(
            "tracked/step",
            "i8",
            ("tracked",),
            "1",
            "step at which tracked units were looked at, before its update",
        ),
        DataSet(
            "tracked/percentiles",
            "f",
            ("tracked", "unit", "percentile"),
            "1",
            f"percentiles {percents} of the unit's preactivation over the batch",
        ),
    ]


def _timing() -> list[DataSet]:
    return [
        DataSet("timing/step", "i8", ("block",), "1", "first step of the block", hashed=False),
        DataSet(
            "timing/step_seconds",
            "f8",
            ("block",),
            "s",
            "wall time of the block divided by its steps",
            hashed=False,
        ),
    ]


def _levels() -> list[DataSet]:
    sets = []
    for factor in LEVEL_FACTORS:
        where = f"levels/x{factor}"
        sets.append(
            DataSet(
                f"{where}/bin_start",
                "i8",
                ("bin",),
                "1",
                f"step of the first of {factor} recorded rows",
                hashed=False,
            )
        )
        for name in registry.records("statistic"):
            sets.append(
                DataSet(
                    f"{where}/{name}",
                    "f",
                    ("bin", "layer", "min_max_mean"),
                    "1",
                    f"{name} over {factor} rows without NaN",
                    hashed=False,
                )
            )
            sets.append(
                DataSet(
                    f"{where}/nan_count/{name}",
                    "u4",
                    ("bin", "layer"),
                    "1",
                    f"NaN among {factor} rows of {name}",
                    hashed=False,
                )
            )
    return sets


@cache
def data_sets() -> dict[str, DataSet]:
    """The whole table by path, in its order: the order of writing and of the content hash."""
    table = [
        *_layers(),
        *_facts(),
        *_statistics(),
        *(
            DataSet(f"scalars/{scalar.name}", "f8", ("step",), scalar.units, scalar.definition)
            for scalar in SCALARS.values()
        ),
        *_timing(),
        *_evaluations(),
        *_final(),
        *(
            DataSet(f"data/{name}", dtype, dims, "1", meaning, name not in _DATA_NOT_HASHED)
            for name, dtype, dims, meaning in _DATA
        ),
        *_predictions(),
        *_histograms(),
        *_instruments(),
        *_levels(),
        *_parameters(),
    ]
    return {line.path: line for line in table}


@cache
def names(group: str) -> tuple[str, ...]:
    """Names that the table has in one group, e.g. `names("final")`."""
    return tuple(line.name for line in data_sets().values() if line.group == group)
