"""What `summary` says of a configuration: its layers, parameters, memory and operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.render.document import Cell, Column, Document, Facts, Table

if TYPE_CHECKING:
    from dlprobe.analysis.model_size import LayerSize, ModelSize

SCHEMA = "dlprobe-summary/1"
MADE_OF = ("activation", "initializer", "norm")
TOGETHER = ("all", "preparing", "peak")  # of memory: sums of what takes it


def summary_document(
    size: ModelSize,
    made_of: Sequence[Mapping[str, str]],
    context: Mapping[str, Any],
    memory: Mapping[str, int],
) -> Document:
    """The table of layers and the totals.

    made_of: per layer `activation`, `initializer`, `norm`. context: `data`, `loss`,
        `target_scaling`, `optimizer`, `batch`, `steps` (of the whole run), `steps_per_epoch`.
        `data_bytes` (inputs and targets of all parts). memory: bytes by what takes them, and by the
        names in TOGETHER.
    """
    layers = list(zip(size.layers, made_of, strict=True))
    numbers = ("weights", "parameters", "trained", "not trained")
    columns = [
        Column("layer"),
        *map(Column, MADE_OF),
        *(Column(name, align="right") for name in numbers),
    ]
    rows: list[list[Cell]] = [
        [
            layer.name,
            *(parts[name] for name in MADE_OF),
            shape(layer),
            layer.parameters,
            layer.trained,
            layer.running,
        ]
        for layer, parts in layers
    ]
    table = Table(columns, rows)
    facts = [
        (name, f"{value:,}")
        for name, value in (
            ("parameters", size.parameters),
            ("trained", size.trained),
            ("not trained", size.running),
        )
    ]
    facts += [
        ("memory at its peak", f"{data_size(memory['peak'])} beyond the program itself"),
        ("memory of training", _memory(memory)),
        ("memory of preparing", f"{data_size(memory['preparing'])}, before that"),
        ("operations of a step", _operations(size)),
        ("recorded", _recorded(size, int(context["steps"]))),
    ]
    told = [(name, str(context[name])) for name in ("data", "loss", "optimizer")]
    told += (
        [("target scaling", str(context["target_scaling"]))]
        if context["target_scaling"] != "none"
        else []
    )
    data = _data(size, made_of, {**context, "bytes": dict(memory)})
    return Document("summary", [Facts(told), table, Facts(facts)], data)


def shape(layer: LayerSize) -> str:
    """Rows and columns of W; a dash where there is no matrix."""
    return f"{layer.fan_in}×{layer.fan_out}" if layer.weights else "–"


def _memory(memory: Mapping[str, int]) -> str:
    pieces = {name: taken for name, taken in memory.items() if name not in TOGETHER and taken}
    listed = " + ".join(f"{name} {data_size(taken)}" for name, taken in pieces.items())
    return f"{data_size(memory['all'])}: {listed}"


def _operations(size: ModelSize) -> str:
    return (
        f"{counted(size.step_operations)} with batches of {size.batch}, of which forward "
        f"{counted(size.forward_operations)}"
    )


def _recorded(size: ModelSize, steps: int) -> str:
    return (
        f"{data_size(size.recorded_bytes)} per step, {data_size(size.recorded_bytes * steps)} in "
        f"{steps:,} step{'' if steps == 1 else 's'}, before compression"
    )


def data_size(count: float) -> str:
    """Bytes as people read them.

    >>> data_size(999), data_size(1_500_000)
    ('999 B', '1.5 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def counted(count: float) -> str:
    """A large number in words.

    >>> counted(1_690_000)
    '1.69 million'
    """
    for factor, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if count >= factor:
            return f"{count / factor:.3g} {word}"
    return f"{count:,.0f}"


def _data(
    size: ModelSize, made_of: Sequence[Mapping[str, str]], context: Mapping[str, Any]
) -> dict[str, Any]:
    layers = [
        {
            "name": layer.name,
            "fan_in": layer.fan_in,
            "fan_out": layer.fan_out,
            "units": layer.units,
            **parts,
            "parameters": layer.parameters,
            "trained": layer.trained,
            "not_trained": layer.running,
        }
        for layer, parts in zip(size.layers, made_of, strict=True)
    ]
    return {
        "schema": SCHEMA,
        **context,
        "layers": layers,
        "parameters": size.parameters,
        "trained": size.trained,
        "not_trained": size.running,
        "operations": {"forward": size.forward_operations, "step": size.step_operations},
        "recorded_bytes_per_step": size.recorded_bytes,
    }
