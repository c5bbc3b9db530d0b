"""Where things stand in a net's memory: blocks of a batch, delta buffers, weights."""

from __future__ import annotations

from dlprobe.nn import program as p
from dlprobe.nn.cache import SUMS, giving_views, inlined
from dlprobe.nn.model import Net
from dlprobe.nn.shapes import Floats, Index, Matrix
from dlprobe.nn.views import part, window


@giving_views
def block_of(net: Net, offset: Index, rows: Index, width: Index) -> Matrix:
    """The (rows, width) block at `offset` of the batch memory."""
    return window(net.blocks, offset, rows, width)


@giving_views
def delta_of(net: Net, which: Index, rows: Index, width: Index) -> Matrix:
    """The (rows, width) block in one of the three delta buffers."""
    return window(net.deltas, which * net.deltas.shape[1], rows, width)


@giving_views
def source_of(net: Net, index: Index, rows: Index) -> Matrix:
    """The block (rows, fan_in) that a layer gets from the previous one."""
    return block_of(net, net.layers[index, p.SOURCE], rows, net.layers[index, p.FAN_IN])


@giving_views
def input_squares(net: Net, index: Index, rows: Index) -> Floats:
    """View (rows,) of the memory for Σ x² of each sample's input to layer `index`."""
    width = len(net.input_square) // (len(net.layers) + 1)
    return part(net.input_square, index * width, index * width + rows)


@giving_views
def weights_of(net: Net, index: Index) -> Matrix:
    """The weight matrix of a layer."""
    layer = net.layers[index]
    return window(net.parameters, layer[p.WEIGHT], layer[p.MATRIX_ROWS], layer[p.FAN_OUT])


@giving_views
def multiplied_weights(net: Net, index: Index) -> Matrix:
    """What the layer's input is multiplied with: W, or what W's transform has made of it."""
    layer = net.layers[index]
    return (
        weights_of(net, index)
        if layer[p.TRANSFORM] < 0
        else block_of(net, layer[p.EFFECTIVE], layer[p.MATRIX_ROWS], layer[p.FAN_OUT])
    )


@inlined(SUMS)
def copy(block: Matrix, out: Matrix) -> None:
    """out ← block, 2-D."""
    for i in range(block.shape[0]):
        row, to = block[i], out[i]
        for j in range(len(row)):
            to[j] = row[j]
