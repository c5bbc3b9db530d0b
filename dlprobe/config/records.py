"""A whole configuration: one frozen record per TOML table.

Each field's type, range, default and help stand in its definition in the table's own file and
nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dlprobe.config.data_table import DataConfig
from dlprobe.config.model_table import ModelConfig
from dlprobe.config.problems import ALL_KEYS, FieldError, stray_key
from dlprobe.config.recording_table import RecordingConfig
from dlprobe.config.scalars import show
from dlprobe.config.table import ConfigTable, combination, in_order, keys_by_table, other_keys
from dlprobe.config.training_table import TrainingConfig
from dlprobe.errors import ConfigError
from dlprobe.registry import listed

__all__ = [
    "TABLES",
    "DataConfig",
    "ModelConfig",
    "RecordingConfig",
    "RunConfig",
    "TrainingConfig",
    "keys_by_table",
    "other_keys",
]
TABLES = in_order(DataConfig, ModelConfig, TrainingConfig, RecordingConfig)


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
            raise self.training.unfit(
                "early_stopping",
                "it goes by evaluations, and evaluate_every is never: expected none, or "
                "evaluations",
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
            raise self.training.unfit(
                "schedule",
                "it lowers the rate by what evaluations show, and evaluate_every is never: "
                "expected evaluations, or another schedule",
            )

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
