"""The callback: Keras tells when a batch begins and ends, the PyTorch recorder does the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from dlprobe.errors import ConfigError
from dlprobe.recorders.keras.shadow import Watched
from dlprobe.recorders.logs import evaluated
from dlprobe.recorders.torch.recording import Recording

LOSSES = {  # Keras's name -> dlprobe's, and the activation that it has inside with from_logits
    "sparse_categorical_crossentropy": ("cross_entropy", "softmax"),
    "categorical_crossentropy": ("cross_entropy", "softmax"),
    "binary_crossentropy": ("binary_cross_entropy(reduction=mean)", "sigmoid"),
    "mean_squared_error": ("mse(reduction=mean)", ""),
    "mse": ("mse(reduction=mean)", ""),
    "mean_absolute_error": ("mae(reduction=mean)", ""),
    "mae": ("mae(reduction=mean)", ""),
    "huber": ("huber(reduction=mean)", ""),
    "huber_loss": ("huber(reduction=mean)", ""),
    "kl_divergence": ("kl", ""),
}


def loss_of(model: Any) -> tuple[str | None, str]:
    """dlprobe's name of a compiled model's loss, None where it is not known, and the output
    activation inside it, `linear` where there is none.
    """
    given = model.loss
    name = (
        given
        if isinstance(given, str)
        else getattr(given, "name", None) or getattr(given, "__name__", "")
    )
    if name not in LOSSES:
        return None, ""
    own, inside = LOSSES[name]
    return own, inside if inside and getattr(given, "from_logits", False) else "linear"


class KerasOptimizer:
    """A Keras optimizer as the recorder sees optimizers: hooks before and behind each step, and
    its settings.
    """

    def __init__(self, model: Any) -> None:
        self._model, self._optimizer = model, model.optimizer
        self._before: list[Any] = []
        self._after: list[Any] = []
        if self._optimizer.gradient_accumulation_steps:
            raise ConfigError(
                "the optimizer accumulates gradients inside itself: record a fixed batch with "
                "dlprobe.recorders.Probe, or accumulate in none"
            )

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """One group: what is trained, rate, momentum, decay."""
        optimizer, config = self._optimizer, self._optimizer.get_config()
        group = {
            "params": [variable.value for variable in self._model.trainable_variables],
            # of float32
            "lr": float(f"{float(keras.ops.convert_to_numpy(optimizer.learning_rate)):.7g}"),
            "momentum": float(config.get("momentum") or 0.0),
            "nesterov": bool(config.get("nesterov")),
            "weight_decay": float(config.get("weight_decay") or 0.0),
            "amsgrad": bool(config.get("amsgrad")),
        }
        return [
            group | ({"betas": (config["beta_1"], config["beta_2"])} if "beta_1" in config else {})
        ]

    @property
    def kind(self) -> str:
        """The class, as PyTorch calls it."""
        return {"Nadam": "NAdam"}.get(
            type(self._optimizer).__name__, type(self._optimizer).__name__
        )

    def register_step_pre_hook(self, hook: Any) -> Handle:
        return Handle(self._before, hook)

    def register_step_post_hook(self, hook: Any) -> Handle:
        return Handle(self._after, hook)

    def apply(self, call: Any, gradients: Any, variables: Any) -> Any:
        """One step by Keras's own `apply`, seen by hooks. Keras clips copies, so what it will
        get is shown in the place of the gradients meanwhile.
        """
        kept = [variable.value.grad for variable in variables]
        optimizer = self._optimizer
        if any(
            bound is not None
            for bound in (optimizer.clipnorm, optimizer.global_clipnorm, optimizer.clipvalue)
        ):
            for variable, clipped in zip(
                variables, optimizer._clip_gradients(list(gradients)), strict=True
            ):
                variable.value.grad = clipped
        for hook in self._before:
            hook(self, (), {})
        for variable, gradient in zip(variables, kept, strict=True):
            variable.value.grad = gradient
        result = call(gradients, variables)
        for hook in self._after:
            hook(self, (), {})
        return result


class Handle:
    """Takes a hook off again."""

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self._hooks, self._hook = hooks, hook
        hooks.append(hook)

    def remove(self) -> None:
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)


class RecordingCallback(keras.callbacks.Callback):
    """What `Callback` returns."""

    def __init__(self, path: Path, *, every: int, force: bool, strict: bool) -> None:
        super().__init__()
        self._path, self._every, self._force, self._strict = path, every, force, strict
        self._data: tuple[Any, ...] = ()
        self._recording: Recording | None = None
        self._watched: Watched | None = None
        self._replaced: list[tuple[Any, str, Any]] = []

    def data(
        self,
        x_train: Any,
        y_train: Any,
        x_val: Any = None,
        y_val: Any = None,
        *,
        keep: bool = False,
    ) -> None:
        """What the model is trained on, before `fit`: shapes, ranges, class counts and a
        fingerprint are kept; the arrays only with `keep`.
        """
        self._data = (x_train, y_train, x_val, y_val, keep)

    def on_train_begin(self, logs: Any = None) -> None:
        """The model is built and compiled: put hooks on its shadow."""
        model = self.model
        self._watched = Watched(model)
        self._optimizer = KerasOptimizer(model)
        self._recording = Recording(
            self._watched.shadow,
            [self._optimizer],
            self._path,
            every=self._every,
            force=self._force,
            strict=self._strict,
            origin="keras",
            loss=loss_of(model),
        )
        self._recording.versions["keras"] = keras.__version__
        if self._data:
            self._recording.data(*self._data[:4], keep=self._data[4])

    def on_train_batch_begin(self, batch: Any, logs: Any = None) -> None:
        """Lead what the model does through its shadow, if this step is to be recorded; the
        optimizer's steps are counted always.
        """
        if self._recording is None or self._watched is None:
            return
        recording, model, optimizer = self._recording, self.model, self.model.optimizer
        apply = optimizer.apply
        self._replace(
            optimizer,
            "apply",
            lambda gradients, variables=None: self._optimizer.apply(
                apply, gradients, variables or model.trainable_variables
            ),
        )
        if not recording.armed:
            return
        compute = model.compute_loss

        def told(*arguments: Any, **options: Any) -> Any:
            loss = compute(*arguments, **options)
            recording.loss(loss)
            return loss

        self._replace(model, "compute_loss", told)
        self._watched.begin(recording.passes)

    def on_train_batch_end(self, batch: Any, logs: Any = None) -> None:
        """Put everything back."""
        if self._watched is not None:
            self._watched.end()
        for owner, name, before in reversed(self._replaced):
            if before is None:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        self._replaced = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Losses and accuracies as Keras tells them: of the training part they are means over
        the epoch.
        """
        numbers = evaluated({name: float(value) for name, value in (logs or {}).items()})
        if self._recording is not None and numbers:
            self._recording.evaluation(None, **numbers)

    def on_train_end(self, logs: Any = None) -> None:
        """The run is over."""
        if self._recording is not None:
            self._recording.close()
            self._recording = None

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        self._replaced.append((owner, name, owner.__dict__.get(name)))
        setattr(owner, name, value)
