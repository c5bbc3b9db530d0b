"""How much memory a run will take beyond the program itself, part by part, from shapes alone."""

from __future__ import annotations

import numpy as np

from dlprobe.config import RunConfig
from dlprobe.data import PreparedData
from dlprobe.data.loading import is_set
from dlprobe.data.preparation import IN_TILES
from dlprobe.data.tiles import LARGE
from dlprobe.nn.layers import LayerSpec
from dlprobe.nn.network import EVALUATION_ROWS
from dlprobe.nn.regulation import Regulation
from dlprobe.training.early_stopping import early_stopping_of
from dlprobe.training.evaluation import LARGEST_BLOCK_BYTES
from dlprobe.training.measuring import DENSE
from dlprobe.training.model import Model, regulation
from dlprobe.training.watch import Watch

WIDE = 8  # bytes of a float64
COPIES = 3  # of a small array that is prepared whole: as it is read, of one part, and scaled
ROW = 5 * WIDE  # of each sample: its number, its target, and digests by which repeats are found


def expected_bytes(config: RunConfig, model: Model, data: PreparedData) -> dict[str, int]:
    """Bytes by what takes them while the net is trained, at the same time; their sum, `all`; what
    the data took before that, `preparing`; and the larger of these two, `peak`. A text file takes
    more while it is read.
    """
    layers, changed = model.layers, regulation(config)
    item = np.dtype(config.training.dtype).itemsize
    learned = [_learned(layer) for layer in layers]
    whole, largest = sum(learned), max(learned)
    observed = Watch(config, model, data).histogram_every is not None
    early = early_stopping_of(config, data)
    parts = {
        "parameters": item * (whole + sum(_running(layer) for layer in layers)),
        "optimizer": item * whole * config.training.optimizer.record.states,
        # of all layers at once where they are looked at or changed first, and then as both
        "gradient": item
        * (
            (whole if observed or changed.active else largest)
            + (whole if observed and changed.active else 0)
            + (largest if changed.active or any(layer.transform for layer in layers) else 0)
        ),
        # which later weights are compared with; and the best ones
        "start": item * whole * (2 if early is not None and early.restore_best else 1),
        "activations": item * _numbers_of_a_batch(model, changed),
        "data": _data(model, data, item),
        "evaluation": _evaluation(model, data, item),
        "instruments": _instruments(model, item, observed),
        # what a block of evaluations waits in, and then the buffers that the file is packed in
        "recording": LARGEST_BLOCK_BYTES,
    }
    preparing = _preparing(config, data)
    whole_run = sum(parts.values())
    return {**parts, "all": whole_run, "preparing": preparing, "peak": max(whole_run, preparing)}


def _learned(layer: LayerSpec) -> int:
    weights = layer.fan_in * layer.fan_out + layer.bias * layer.fan_out if layer.matrix else 0
    norm = layer.norm.record.learned(layer.normalized) if layer.norm else ()
    residual = layer.residual is not None and layer.residual.record.learned
    return weights + len(norm) + len(layer.activation_learned) + residual


def _running(layer: LayerSpec) -> int:
    return layer.norm.record.persistent(layer.normalized) if layer.norm else 0


def _numbers_of_a_batch(model: Model, changed: Regulation) -> int:
    """Numbers of the buffers that one batch passes through, in evaluations a block of it."""
    layers, rows = model.layers, max(model.batch, EVALUATION_ROWS)
    penalized = changed.activity_l1 > 0 or changed.activity_l2 > 0
    kept = layers[0].fan_in + model.outputs
    for layer in layers:
        copies = (layer.residual is not None) + (penalized and layer is not layers[-1])
        kept += len(layer.before) * layer.fan_in + layer.normalized + copies * layer.units
        kept += layer.fan_out + layer.units if layer.matrix else 0
    widest = max(max(layer.fan_in, layer.fan_out) for layer in layers)
    around = any(layer.residual for layer in layers)
    transformed = sum(layer.fan_in * layer.fan_out for layer in layers if layer.transform)
    return rows * (kept + (3 + around) * widest) + transformed


def _data(model: Model, data: PreparedData, item: int) -> int:
    return sum(
        part.nbytes + data.targets[name].nbytes + len(part) * (model.outputs * item + WIDE)
        for name, part in data.inputs.items()
    )


def _evaluation(model: Model, data: PreparedData, item: int) -> int:
    more = WIDE if data.task == "classification" else WIDE * model.outputs
    return sum(len(part) * (model.outputs * item + more) for part in data.inputs.values())


def _instruments(model: Model, item: int, observed: bool) -> int:
    """One after the other: narrow matrices as they are scaled for their spectral norm and as
    float64, and where histograms are due the largest activations as float64 with their Gram matrix.
    """
    matrices = [
        layer.fan_in * layer.fan_out
        for layer in model.layers
        if layer.matrix and min(layer.fan_in, layer.fan_out) <= DENSE
    ]
    squares = [
        model.batch * layer.units + 2 * min(model.batch, layer.units) ** 2 for layer in model.layers
    ]
    return max((item + WIDE) * max(matrices, default=0), WIDE * max(squares) if observed else 0)


def _preparing(config: RunConfig, data: PreparedData) -> int:
    """What is there when the data are prepared: what they are made from, unless it is a large file
    that is read in pieces, and what becomes of it.
    """
    rows = sum(map(len, data.inputs.values()))
    numbers = rows * data.inputs["train"].shape[1]
    in_pieces = numbers >= LARGE and not is_set(config.data.data.strip())
    source = 0 if in_pieces else WIDE * numbers * (1 if numbers >= IN_TILES else COPIES)
    return source + sum(part.nbytes for part in data.inputs.values()) + ROW * rows
