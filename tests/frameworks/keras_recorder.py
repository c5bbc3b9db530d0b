"""The Keras callback on the torch backend: rows beside dlprobe's engine on the same weights and
batches, trained weights beside those of an unrecorded training, bit for bit, and the lines that
`check` says, executed on the sick model.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import recorded_torch
from command_line import dlprobe as command
from recorded_torch import Loop, Trained, torch

import dlprobe

COUNT = 24
# update_ratio: float32 rounds W + ΔW to 6e-8 of W, and clipped updates are some 3e-3 of it
TOLERANCE = 2e-5
CLIP = recorded_torch.CLIP


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Train `count` models, drawn at random, with and without a recorder; then cure a sick one."""
    chance, failed, largest = random.Random(seed), [], 0.0
    for number in range(count):
        activation = chance.choice(list(recorded_torch.ACTIVATIONS))
        apart, clips, kind = (
            chance.random() < 0.5,
            chance.random() < 0.3,
            chance.choice(("sequential", "functional")),
        )
        problem, difference = differs(
            activation, apart, clips, kind, seed + number, folder / f"{number}.h5"
        )
        largest = max(largest, difference)
        if problem:
            failed.append(
                f"{activation}, {'own layer' if apart else 'inline'}, "
                f"{'clips' if clips else 'no clip'}, {kind}, seed {seed + number}: {problem}"
            )
    failed += sick_is_cured(folder)
    return {
        "keras": keras.__version__,
        "torch": torch.__version__,
        "largest_difference": largest,
        "failed": failed,
    }


def model_of(activation: str, apart: bool, clips: bool, kind: str) -> Any:
    """Three layers of SIZES with their activations inside them, or as layers of their own."""
    name = {
        "gelu": lambda z: keras.activations.gelu(z, approximate=False),
        "leaky_relu": lambda z: keras.activations.leaky_relu(z, 0.01),
    }.get(activation, activation)
    layers = []
    for units in recorded_torch.SIZES[1:-1]:
        layers += (
            [keras.layers.Dense(units), keras.layers.Activation(name)]
            if apart
            else [keras.layers.Dense(units, activation=name)]
        )
    layers.append(keras.layers.Dense(recorded_torch.SIZES[-1]))
    inputs = keras.layers.Input((recorded_torch.SIZES[0],))
    if kind == "sequential":
        model = keras.Sequential([inputs, *layers])
    else:
        output = inputs
        for layer in layers:
            output = layer(output)
        model = keras.Model(inputs, output)
    optimizer = keras.optimizers.SGD(
        recorded_torch.RATE, **({"global_clipnorm": CLIP} if clips else {})
    )
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


class Noting(keras.callbacks.Callback):  # type: ignore[misc]
    """Weights before every update."""

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.trained = trained

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.trained.before.append(
            [np.array(keras.ops.convert_to_numpy(each)) for each in self.model.trainable_variables]
        )


def differs(
    activation: str, apart: bool, clips: bool, kind: str, seed: int, path: Path
) -> tuple[str, float]:
    """What is wrong with a recorded training, empty for nothing, and the largest difference of
    its statistics.
    """
    given = recorded_torch.batches(seed, 4)
    x, y = (torch.cat([pair[place] for pair in given]).numpy() for place in (0, 1))
    ended = []
    for recorded in (False, True):
        keras.utils.set_random_seed(seed)
        model = model_of(activation, apart, clips, kind)
        trained = Trained(model, [], given)
        callbacks = [
            Noting(trained),
            *([dlprobe.recorders.keras.Callback(path, strict=True)] if recorded else []),
        ]
        model.fit(
            x, y, batch_size=recorded_torch.SAMPLES, shuffle=False, verbose=0, callbacks=callbacks
        )
        ended.append(
            [np.array(keras.ops.convert_to_numpy(each)) for each in model.trainable_variables]
        )
    if not all(np.array_equal(one, other) for one, other in zip(*ended, strict=True)):
        return "other weights than without a recorder", 0.0
    expected = recorded_torch.own_rows(trained, Loop(activation=activation, clip=clips))
    if clips:  # Keras divides by the norm itself, PyTorch by the norm + 1e-6
        factor = expected["gradient_norm"] / (expected["gradient_norm"] + 1e-6)
        for name in ("clipped_gradient_l2", "update_ratio"):
            expected[name] = expected[name] / factor[:, None]
    with recorded_torch.opened(path) as run:
        found = recorded_torch.differences(run, expected)
        names = [layer.activation for layer in run.layer_facts]
    name = max(found, key=lambda each: found[each])
    if [str(each).partition("(")[0] for each in names] != [activation, activation, "softmax"]:
        return f"activations are told as {names}", found[name]
    return ("" if found[name] < TOLERANCE else f"{name} is {found[name]:.2g} apart"), found[name]


def sick_is_cured(folder: Path) -> list[str]:
    """Ten layers of sigmoid units do not learn; after the lines that `check` says they do. What
    is wrong, line by line.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 20)).astype(np.float32)
    y = (x[:, :10].sum(axis=1) > 0).astype(np.int64)

    def made() -> Any:
        keras.utils.clear_session()  # layers are named anew, as in another process
        keras.utils.set_random_seed(0)
        hidden = [keras.layers.Dense(30, activation="sigmoid") for _ in range(10)]
        model = keras.Sequential(
            [keras.layers.Input((20,)), *hidden, keras.layers.Dense(2, activation="softmax")]
        )
        model.compile(
            keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        return model

    def error(model: Any, path: Path) -> float:
        callback = dlprobe.recorders.keras.Callback(path, strict=True)
        callback.data(x, y)
        history = model.fit(x, y, epochs=20, batch_size=32, verbose=0, callbacks=[callback]).history
        return 1.0 - float(history["accuracy"][-1])

    sick = error(made(), folder / "sick.h5")
    diagnosis = json.loads(command("check", str(folder / "sick.h5"), "--format", "json").out)[
        "runs"
    ][0]["diagnosis"]
    actions = [
        action
        for action in diagnosis["actions"]
        if any(not line.startswith("#") for line in action.get("lines", []))
    ]
    if sick < 0.4 or diagnosis["cause"]["code"] != "G001" or not actions:
        return [
            f"the sick model has {sick:.0%} error, cause {diagnosis['cause']}, actions {actions}"
        ]
    errors = {}
    for number, action in enumerate(actions):
        space = {"keras": keras, "model": made()}
        exec("\n".join(action["lines"]), space)
        space["model"].compile(space["model"].optimizer, space["model"].loss, metrics=["accuracy"])
        errors[action["why"]] = error(space["model"], folder / f"cured{number}.h5")
    return [] if min(errors.values()) < 0.15 else [f"the lines do not cure: {errors}"]
