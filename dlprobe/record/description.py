"""What is known of a run besides its numbers: who trained it, its layers, and how it was
trained. What is not known is None, never a default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlprobe import registry
from dlprobe.dataclass import dataclass
from dlprobe.record import layout
from dlprobe.record.scalars import SCALARS
from dlprobe.record.values import stored_groups

if TYPE_CHECKING:
    from dlprobe.config import RunConfig

ORIGINS = {
    "dlprobe": "dlprobe trained it",
    "torch": "PyTorch trained it",
    "keras": "Keras trained it",
    "arrays": "a program that hands over NumPy arrays trained it",
    "log": "made from a log that another program wrote",
}
OWN = "dlprobe"
UNKNOWN = "unknown"  # in a column of texts: this layer's is not known
# in the other columns an empty text says that there is none
EMPTY_MEANS_UNKNOWN = ("activation", "normalization", "residual")


@dataclass(frozen=True)
class LayerFacts:
    """What is known of one layer, by the names of the layout table (`layers/…`, where each is
    defined). Only the name is required.

    Raises ValueError, when it is made, without a name or for sizes below 1.
    """

    name: str
    fan_in: int | None = None
    fan_out: int | None = None
    units: int | None = None
    activation: str | None = None
    initializer: str | None = None
    bias_initializer: str | None = None
    normalization: str | None = None
    norm_position: str | None = None
    residual: str | None = None
    dropout: float | None = None
    parameter_count: int | None = None
    weight_offset: int | None = None
    bias_offset: int | None = None
    norm_scale_offset: int | None = None
    norm_shift_offset: int | None = None
    activation_offset: int | None = None
    residual_offset: int | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a layer has no name")
        for size in ("fan_in", "fan_out", "units"):
            value = getattr(self, size)
            if value is not None and value < 1:
                raise ValueError(
                    f"layer {self.name}: {size} is {value}, expected 1 or more; leave it out "
                    "where it is not known"
                )

    @property
    def is_normalized(self) -> bool | None:
        """Whether it has a normalization; None where that is not known."""
        return None if self.normalization is None else self.normalization != "none"


@dataclass(frozen=True)
class RunFacts:
    """What is known of how a run was trained, by the names of the layout table (`facts/…`,
    where each is defined).
    """

    batch_size: int | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    loss: str | None = None
    dropout: float | None = None
    input_dropout: float | None = None
    l1: float | None = None
    l2: float | None = None
    early_stopping: str | None = None
    monitor: str | None = None
    seed: int | None = None
    notes: tuple[str, ...] | None = None

    @property
    def drops(self) -> bool | None:
        """Whether units or inputs are dropped in training; None where that is not known."""
        rates = [rate for rate in (self.dropout, self.input_dropout) if rate is not None]
        return any(rate > 0 for rate in rates) if rates else None


def facts_of(config: RunConfig, train_samples: int | None) -> RunFacts:
    """The facts of a run that dlprobe trained. train_samples: of its training part, None where
    the file does not say.
    """
    training, model = config.training, config.model
    batch = train_samples if training.batch_size == "full" else int(training.batch_size)
    stopping = training.early_stopping
    return RunFacts(
        batch_size=batch if batch is None or not train_samples else min(batch, train_samples),
        optimizer=str(training.optimizer),
        learning_rate=training.resolved_lr,
        momentum=float(training.optimizer.parameters.get("momentum", 0.0)),
        loss="auto" if training.loss is None else str(training.loss),
        dropout=model.dropout,
        input_dropout=model.input_dropout,
        l1=training.l1,
        l2=training.l2,
        early_stopping="none" if stopping is None else str(stopping),
        monitor=None if stopping is None else str(stopping.parameters["monitor"]),
        seed=training.seed,
    )


@dataclass(frozen=True)
class RunDescription:
    """What is known of a run before its first step. Raises ValueError, when it is made, naming what
    is missing or wrong.

    * layers: one or more, index 0 nearest the input; the last one is the output layer
    * origin: who trained it, one of ORIGINS. A run of origin dlprobe needs `config` and
      `initial_parameters`, no other has a `config`
    * config: the configuration, JSON-able; facts: of another origin, how it was trained
    * data, tracked: values by the names that the layout table has in these groups. environment:
      JSON-able mapping
    * initial_parameters: flat (parameter,), float32 or float64, whose dtype is then that of the
      statistics; None where they are not kept
    * dtype: of the statistics without them, float32 or float64
    * statistics, scalars: names of those that will be recorded, in the order of the columns of
      `rows`; all that there are by default
    """

    layers: Sequence[LayerFacts]
    origin: str = OWN
    config: Mapping[str, Any] = field(default_factory=dict)
    facts: RunFacts = field(default_factory=RunFacts)
    data: Mapping[str, Any] = field(default_factory=dict)
    initial_parameters: NDArray[Any] | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    tracked: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    statistics: Sequence[str] = field(default_factory=lambda: tuple(registry.records("statistic")))
    scalars: Sequence[str] = tuple(SCALARS)

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("layers: a run has one layer or more, found none")
        names = [layer.name for layer in self.layers]
        if len(set(names)) < len(names):
            raise ValueError(
                "layers: names differ, found "
                f"{next(name for name in names if names.count(name) > 1)!r} twice"
            )
        if self.origin not in ORIGINS:
            raise ValueError(registry.unknown("origin", self.origin, ORIGINS))
        if self.origin == OWN and self.initial_parameters is None:
            raise ValueError("initial_parameters: a run of origin dlprobe has them, found none")
        if self.origin != OWN and self.config:
            raise ValueError(
                "config: only a run of origin dlprobe has one, this is of origin "
                f"{self.origin}: give facts"
            )
        for kind, told, known in (
            ("statistic", self.statistics, registry.records("statistic")),
            ("scalar", self.scalars, SCALARS),
        ):
            wrong = next((name for name in told if name not in known), None)
            if wrong is not None:
                raise ValueError(registry.unknown(kind, wrong, known))

    @cached_property
    def real(self) -> np.dtype[Any]:
        """The run's float dtype, little-endian."""
        dtype = np.dtype(
            self.dtype if self.initial_parameters is None else self.initial_parameters.dtype
        ).newbyteorder("<")
        if dtype.kind != "f" or dtype.itemsize not in (4, 8):
            raise ValueError(f"initial parameters must be float32 or float64, got {dtype}")
        return dtype

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that is an array, by path of the layout table. Raises ValueError for names
        or shapes that the table does not have.
        """
        initial = {} if self.initial_parameters is None else {"parameters": self.initial_parameters}
        values = {
            "layers": layer_columns(self.layers),
            "facts": known_facts(self.facts),
            "data": self.data,
            "tracked": self.tracked,
            "initial": initial,
        }
        return stored_groups(values, self.real)


def known_facts(facts: RunFacts) -> dict[str, Any]:
    """What is known, by name."""
    return {
        field_.name: value
        for field_ in fields(facts)
        if (value := getattr(facts, field_.name)) is not None
    }


def layer_columns(layers: Sequence[LayerFacts]) -> dict[str, list[Any]]:
    """The layer table by column, as the file holds it: columns of which nothing is known are
    left out.
    """
    columns = {
        field_.name: [getattr(layer, field_.name) for layer in layers]
        for field_ in fields(LayerFacts)
    }
    return {
        name: [_absent(name) if value is None else value for value in column]
        for name, column in columns.items()
        if any(v is not None for v in column)
    }


def _absent(name: str) -> Any:
    """What stands in a column where one layer's is not known."""
    return {"text": UNKNOWN, "i8": -1, "f8": np.nan}[layout.data_sets()[f"layers/{name}"].dtype]


def layer_facts(columns: Mapping[str, Any]) -> tuple[LayerFacts, ...]:
    """The layers from the columns of a file, each (layer,); `name` must be among them."""
    known = [field_.name for field_ in fields(LayerFacts) if field_.name in columns]
    return tuple(
        LayerFacts(**{name: _fact(name, columns[name][index]) for name in known})
        for index in range(len(columns["name"]))
    )


def _fact(name: str, value: Any) -> Any:
    """One cell of the layer table; None where it is not known. An offset of −1 says that the
    layer has no such parameters.
    """
    if isinstance(value, str):
        return None if value == UNKNOWN or (not value and name in EMPTY_MEANS_UNKNOWN) else value
    number = value.item() if hasattr(value, "item") else value
    absent = number != number or (number == -1 and not name.endswith("_offset"))
    return None if absent else number
