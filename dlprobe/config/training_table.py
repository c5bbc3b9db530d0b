"""The table [training]."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from dlprobe.config.forms import Named, NamedOrYes, Number, OneOf, Whole, YesNo
from dlprobe.config.list_forms import ClassWeights
from dlprobe.config.table import AUTO, LARGEST_SEED, NO, NONE, ConfigTable, combination, option
from dlprobe.registry import Spec

DEFAULT_EPOCHS = 20


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
            raise self.unfit(
                "steps",
                f"epochs = {self.epochs} is given too: expected one of the two, the other left "
                "out or none",
            )
        if self.epochs is None and self.steps is None:
            raise self.unfit(
                "epochs", "steps is none too: expected a whole number >= 1 for one of the two"
            )

    @property
    def weight_decay(self) -> float:
        """λ of the optimizer's decay of weights; 0 of one without."""
        return float(self.optimizer.parameters.get("weight_decay", 0.0))

    @property
    def resolved_lr(self) -> float:
        """`lr`, or the usual learning rate of the optimizer's record."""
        return float(self.optimizer.record.rate) if self.lr is None else self.lr
