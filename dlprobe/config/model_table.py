"""The table [model]."""

from __future__ import annotations

from typing import ClassVar, Literal

from dlprobe import registry
from dlprobe.config.forms import Named, NamedOrYes, NamedPerLayer, Number, OneOf, YesNo
from dlprobe.config.list_forms import LayerSizes
from dlprobe.config.naming import parse_spec
from dlprobe.config.problems import FieldError
from dlprobe.config.table import AUTO, NO, NONE, ConfigTable, combination, option
from dlprobe.registry import Spec, counted


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
            raise self.unfit(
                "activation",
                f"{len(self.activation)} activations for "
                f"{counted(len(self.layers), 'hidden layer')}: expected one for all, or a list "
                "with one per hidden layer",
            )

    @combination
    def _gates_have_their_halves(self) -> None:
        for index, (units, spec) in enumerate(zip(self.layers, self.activations, strict=True), 1):
            share = spec.record.inputs_per_unit
            if units % share:
                raise self.unfit(
                    "layers",
                    f"{spec} makes one unit of {share} columns of W: expected a multiple of "
                    f"{share} for hidden_{index}, found {units}; try {units + 1}",
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
            raise self.unfit(
                "bias_init",
                "it rescales weights on data: expected an initializer that draws numbers, or auto",
            )

    @combination
    def _one_thing_done_to_weights(self) -> None:
        if self.weight_transform is not None and self.drop_connect > 0:
            raise self.unfit(
                "weight_transform",
                f"drop_connect = {self.drop_connect:g} is given too: expected one of the two",
            )

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
