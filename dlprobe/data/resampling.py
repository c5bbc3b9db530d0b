"""Training sets for replicas of one learner: disjoint parts, bootstrap samples or fresh draws,
all evaluated on the same samples.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from dlprobe.config import DataConfig, parse_spec
from dlprobe.data.corruption import with_noisy_labels, with_outliers
from dlprobe.data.dataset import Dataset, Floats, Indices, PreparedData
from dlprobe.data.gaps import filled, fit_fill
from dlprobe.data.loading import is_set, load
from dlprobe.data.named_sets import NamedSet
from dlprobe.data.preparation import cast, count_classes, fingerprint, fit_inputs, held, prepare
from dlprobe.data.randomness import generator
from dlprobe.data.scaling import moments_of, robust
from dlprobe.data.splitting import dealt, members_of
from dlprobe.errors import ConfigError


def is_generated(options: DataConfig) -> bool:
    """Whether the data are drawn by a recipe, so that fresh ones can be had."""
    return (
        is_set(options.data.strip())
        and parse_spec("data", options.data.strip()).record.licence == NamedSet.licence
    )


class Resampler:
    """Prepared data for replica 0, 1, …: the training part is its own, the other parts and the
    configuration's split are those of `base`.
    """

    def __init__(
        self, options: DataConfig, seed: int, dtype: npt.DTypeLike, kind: str, replicas: int
    ) -> None:
        """kind: disjoint, bootstrap, fresh, or `same` for the training part itself. seed: of the
        data.

        Raises ConfigError where the kind cannot be had, or DataError.
        """
        if kind == "fresh" and not is_generated(options):
            raise ConfigError(
                f"--resample fresh: data = {options.data} is not generated, so no fresh "
                "sample can be drawn: use bootstrap or disjoint"
            )
        self.options, self.seed, self.dtype, self.kind, self.replicas = (
            options,
            seed,
            dtype,
            kind,
            replicas,
        )
        self.dataset = held(load(options, seed))
        self.base = prepare(self.dataset, options, seed, dtype)
        self.pool: Indices = self.base.indices["train"]
        self.groups: Indices | None = (
            None if self.dataset.groups is None else self.dataset.groups[self.pool]
        )
        self.sets = self._disjoint_sets() if kind == "disjoint" else []
        self.largest = min(map(len, self.sets)) if self.sets else len(self.pool)
        if not self.largest:
            many = (
                f"{len(self.pool)} training samples"
                if self.groups is None
                else f"{len(np.unique(self.groups))} groups of training samples"
            )
            raise ConfigError(
                f"--resample disjoint: {many} give no {replicas} disjoint sets: ask for fewer "
                "replicas, or for bootstrap"
            )

    def prepared(self, number: int, size: int | None = None) -> PreparedData:
        """The data of a replica, with `size` training samples (None: as many as there are).
        Raises ConfigError for more than there are.
        """
        size = self.largest if size is None else size
        if not 1 <= size <= self.largest:
            raise ConfigError(
                f"train-size {size}: expected 1 to {self.largest} samples ({self.kind} "
                f"training sets of {len(self.pool)} samples)"
            )
        if self.kind == "same" and size == len(self.pool):
            return self.base
        dataset, rows = self._rows(number, size)
        return self._with_training(number, dataset, rows)

    def _rows(self, number: int, size: int) -> tuple[Dataset, Indices]:
        """Where the replica's training samples come from, and which rows they are.

        Where rows belong to groups, whole groups are drawn (a cluster bootstrap), the last one as
        far as `size` goes.
        """
        if self.kind == "fresh":
            fresh = load(self.options.replaced(data_seed=self.seed + 1 + number), 0)
            return fresh, np.arange(len(fresh.inputs), dtype=np.int64)[:size]
        if self.kind == "disjoint":
            return self.dataset, self.sets[number][:size]
        rng = generator(self.seed, f"replica {number}" if self.kind == "bootstrap" else "replicas")
        if self.groups is None:
            return self.dataset, rng.choice(
                self.pool, size
            ) if self.kind == "bootstrap" else rng.permutation(self.pool)[:size]
        members = members_of(self.groups)
        drawn = (
            rng.permutation(len(members))
            if self.kind == "same"
            else rng.integers(len(members), size=size)
        )
        enough = int(np.searchsorted(np.cumsum([len(members[k]) for k in drawn]), size)) + 1
        return self.dataset, self.pool[np.concatenate([members[k] for k in drawn[:enough]])[:size]]

    def _disjoint_sets(self) -> list[Indices]:
        rng = generator(self.seed, "replicas")
        if self.groups is not None:
            equal = np.full(self.replicas, len(self.pool) / self.replicas)
            return [self.pool[rows] for rows in dealt(self.groups, equal, rng)]
        order, size = rng.permutation(self.pool), len(self.pool) // self.replicas
        return [order[k * size : (k + 1) * size] for k in range(self.replicas)]

    def _with_training(self, number: int, dataset: Dataset, rows: Indices) -> PreparedData:
        """`base` with other training samples and everything that is fitted on them."""
        seed = self.seed + 1 + number
        raw = dataset.inputs[rows]
        fill = (
            fit_fill(raw, self.options.missing, dataset.feature_names, dataset.name)
            if np.isnan(dataset.inputs).any()
            else np.zeros(0)
        )
        raw, far = with_outliers(filled(raw, fill), self.options.outliers, seed)
        targets, noise = with_noisy_labels(
            dataset, np.ascontiguousarray(dataset.targets[rows]), self.options.label_noise, seed
        )
        moments = moments_of(raw)
        scaler = fit_inputs(dataset, self.options, moments, lambda: robust(raw))
        inputs = {
            part: cast(
                self.dataset, rest, filled(self.dataset.inputs[rest], fill), scaler, self.dtype
            )
            for part, rest in self.base.indices.items()
        }
        inputs["train"] = cast(dataset, rows, raw, scaler, self.dtype)
        whole: Floats = inputs["train"].astype(np.float64)
        parts = {**self.base.targets, "train": targets}
        return replace(
            self.base,
            inputs=inputs,
            targets=parts,
            fingerprint=fingerprint(inputs, parts),
            indices={**self.base.indices, "train": rows.astype(np.int64)},
            scaler=scaler,
            feature_min=moments.low,
            feature_max=moments.high,
            feature_mean=moments.mean,
            feature_std=moments.std,
            class_counts={
                **self.base.class_counts,
                "train": count_classes(targets, len(dataset.class_names)),
            },
            repeats=replace(self.base.repeats, floors={}),
            input_mean=float(whole.mean()),
            input_mean_square=float(np.square(whole).mean()),
            noisy_labels=rows[noise.changed],
            outlier_rows=rows[far],
            label_noise_std=noise.std,
            feature_fill=fill,
        )
