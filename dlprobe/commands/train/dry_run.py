"""What `train --dry-run` says: the parameters, memory and operations of a net that is not
trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlprobe.analysis.model_size import ModelSize
    from dlprobe.commands.base.screen import Screen
    from dlprobe.config import RunConfig
    from dlprobe.render.document import Document
    from dlprobe.training.model import Model

ITEM_BYTES = {"float32": 4, "float64": 8}


def dry_run(configuration: RunConfig, screen: Screen) -> Document:
    """The report of a configuration on its data, which are read. Raises ConfigError or
    DataError.
    """
    from dlprobe.commands.base.preparing import prepare_data
    from dlprobe.reports.summary import summary_document
    from dlprobe.training.memory import expected_bytes
    from dlprobe.training.model import resolve

    data = prepare_data(configuration, screen)
    model = resolve(configuration, data)
    made_of = [
        {
            "activation": str(layer.activation),
            "initializer": str(layer.initializer) if layer.matrix else "none",
            "residual": str(layer.residual) if layer.residual else "none",
            "norm": f"{layer.norm} {'after' if layer.norm_after else 'before'}"
            if layer.norm
            else "none",
        }
        for layer in model.layers
    ]
    steps_per_epoch = -(-len(data.inputs["train"]) // model.batch)
    context = {
        "data": data.name,
        "loss": str(model.loss),
        "target_scaling": model.target_scaling.kind,
        "optimizer": str(configuration.training.optimizer),
        "batch": model.batch,
        "steps_per_epoch": steps_per_epoch,
        "data_bytes": sum(
            part.nbytes + len(part) * model.outputs * ITEM_BYTES[configuration.training.dtype]
            for part in data.inputs.values()
        ),
        "steps": configuration.training.steps
        or (configuration.training.epochs or 1) * steps_per_epoch,
    }
    memory = expected_bytes(configuration, model, data)
    return summary_document(_size(configuration, model), made_of, context, memory)


def _size(configuration: RunConfig, model: Model) -> ModelSize:
    from dlprobe import registry
    from dlprobe.analysis.model_size import layer_size, model_size
    from dlprobe.record.scalars import SCALARS

    layers = [
        layer_size(
            name,
            layer.fan_in,
            layer.fan_out,
            bias=layer.bias,
            norm=layer.norm.record if layer.norm else None,
            normalized=layer.normalized,
            units=layer.units,
            activation_trained=len(layer.activation_learned),
            residual_trained=int(layer.residual is not None and layer.residual.record.learned),
            matrix=layer.matrix,
        )
        for name, layer in zip(model.names, model.layers, strict=True)
    ]
    training = configuration.training
    item = ITEM_BYTES[training.dtype]
    return model_size(layers, model.batch, item, len(registry.records("statistic")), len(SCALARS))
