"""Changes of the configuration as lines of Keras 3. `model` is the compiled model that the
callback recorded; `x_train`, `x_val` are its arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

from dlprobe.record.frameworks import KERAS_OPTIMIZERS
from dlprobe.rules.owner_code import CodeChange, class_names, class_shares, number, standardized

ACTIVATIONS = ("relu", "leaky_relu", "tanh", "selu")
INITIALIZERS = (
    *("he_normal", "he_uniform", "glorot_normal", "glorot_uniform"),
    *("lecun_normal", "lecun_uniform", "orthogonal"),
)
CLASSES = class_names(KERAS_OPTIMIZERS)


def of_layers(names: Sequence[str], action: str) -> list[str]:
    """One statement that does `action`, a line about `layer`, for each layer of these names: a
    loop, or two lines for a single layer. Empty without a name.
    """
    if len(names) == 1:
        return [f"layer = model.get_layer({names[0]!r})\n{action}"]
    listed = ", ".join(map(repr, names))
    if names:
        return [f"for name in [{listed}]:\n    layer = model.get_layer(name)\n    {action}"]
    return []


def activation(change: CodeChange) -> list[str] | None:
    spec = change.after.model.activations[0] if change.hidden else None
    if spec is None or spec.name not in ACTIVATIONS:
        return None
    names = list(dict.fromkeys(module.activation or module.name for module in change.hidden))
    return [
        *of_layers(names, f"layer.activation = keras.activations.{spec.name}"),
        *optimizer(change),
    ]


def optimizer(change: CodeChange) -> list[str]:
    """A model is compiled anew, so that what was traced of it is forgotten, with an optimizer
    that begins anew.
    """
    spec = change.after.training.optimizer
    if spec.name not in CLASSES:
        return []
    arguments = [number(change.after.training.resolved_lr)]
    arguments += (
        [f"momentum={number(float(spec.parameters['momentum']))}"]
        if "momentum" in spec.parameters and CLASSES[spec.name] == "SGD"
        else []
    )
    arguments += [f"{spec.name}=True"] if spec.name in ("nesterov", "amsgrad") else []
    decay = float(spec.parameters.get("weight_decay", 0.0))
    # which AdamW has by itself where nothing is said
    arguments += [f"weight_decay={number(decay)}"] if decay or spec.name == "adamw" else []
    return [
        f"model.compile(keras.optimizers.{CLASSES[spec.name]}({', '.join(arguments)}), model.loss)"
    ]


def init(change: CodeChange) -> list[str] | None:
    """Kernels are drawn anew, in every layer; with `auto` biases begin at 0, as in dlprobe."""
    name = change.after.model.resolved_init.name
    if name not in INITIALIZERS:
        return None
    made = "".join(part.capitalize() for part in name.split("_")) + "()"
    names = [module.name for module in change.modules]
    return [
        *of_layers(names, f"layer.kernel.assign(keras.initializers.{made}(layer.kernel.shape))"),
        *zero_biases(change),
    ]


def zero_biases(change: CodeChange) -> list[str]:
    """Bias parameters of 0."""
    return of_layers(
        [module.name for module in change.modules if module.has_bias],
        "layer.bias.assign(keras.ops.zeros_like(layer.bias))",
    )


def bias_init(change: CodeChange) -> list[str] | None:
    return zero_biases(change) if change.after.model.bias_init is None else None


def norm(change: CodeChange) -> list[str] | None:
    """A chain of layers is put together anew with norms before the activations; of another net
    a line says where.
    """
    spec = change.after.model.norm
    if spec is None or spec.name not in ("batch", "layer"):
        return None
    kind = "BatchNormalization" if spec.name == "batch" else "LayerNormalization"
    if any(module.layer.residual != "none" for module in change.hidden):
        return [
            "# where the model is made, between layer and activation of "
            f"{change.hidden[0].name} …: keras.layers.{kind}()"
        ]
    names = ", ".join(repr(module.name) for module in change.hidden)
    rebuilt = (
        "for layer in model.layers:",
        f"    if layer.name in [{names}]:",
        "        activation, layer.activation = layer.activation, keras.activations.linear",
        f"        output = keras.layers.{kind}()(layer(output))",
        "        output = keras.layers.Activation(activation)(output)",
        "    elif not isinstance(layer, keras.layers.InputLayer):",
        "        output = layer(output)",
        "model = keras.Model(inputs, output)",
    )
    begun = "loss, inputs = model.loss, keras.Input(model.input_shape[1:])\noutput = inputs"
    return [
        begun,
        "\n".join(rebuilt),
        *(line.replace("model.loss", "loss") for line in optimizer(change)),
    ]


def rate(change: CodeChange) -> list[str]:
    """A new rate alone needs no new optimizer."""
    if change.before.training.optimizer != change.after.training.optimizer:
        return optimizer(change)
    return [f"model.optimizer.learning_rate = {number(change.after.training.resolved_lr)}"]


def clip(change: CodeChange) -> list[str]:
    return [
        f"model.optimizer.global_clipnorm = {number(change.after.training.clip_global_norm or 0.0)}"
    ]


def batch_size(change: CodeChange) -> list[str]:
    return [f"model.fit(x_train, y_train, batch_size={change.after.training.batch_size})"]


def class_weights(change: CodeChange) -> list[str] | None:
    shares = class_shares(change)
    if not shares:
        return None
    weights = ", ".join(f"{index}: {share}" for index, share in enumerate(shares))
    return [f"model.fit(x_train, y_train, class_weight={{{weights}}})"]


def scaling(change: CodeChange) -> list[str]:
    return standardized("x", " + 1e-8")


def target_scaling(change: CodeChange) -> list[str]:
    return standardized("y", " + 1e-8")


def seed(change: CodeChange) -> list[str]:
    return [
        f"keras.utils.set_random_seed({change.after.training.seed})  # before the model is made"
    ]
