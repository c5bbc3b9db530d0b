"""Parameters as the compiled sums take them: tables of where their numbers are, made once and
filled anew with what changes from step to step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from dlprobe.nn import recorded_sums as sums
from dlprobe.recorders.torch.calls import WIDE

TYPES = {torch.float32: "float32", torch.float64: "float64"}


class Parameters(NamedTuple):
    """What is measured together in the row `place`: W, several tensors of a recurrent layer, none
    where there is none; the bias; and stepped, the bias or another parameter whose gradient counts
    beside that of W.
    """

    place: int
    weights: Sequence[torch.Tensor] = ()
    bias: torch.Tensor | None = None
    stepped: torch.Tensor | None = None

    @property
    def known(self) -> list[torch.Tensor]:
        """All of them."""
        return [*self.weights, *(each for each in (self.bias, self.stepped) if each is not None)]

    @property
    def gradient(self) -> torch.Tensor | None:
        """That of W, None where a part is missing."""
        return joined([each.grad for each in self.weights])


class ParameterTable:
    """Of parameters whose numbers are of one type, float32 where theirs is narrower: `words`
    (layer, column) as `recorded_sums` reads them. Copies of W before the update are kept here.
    """

    def __init__(self, layers: Sequence[Parameters], dtype: torch.dtype) -> None:
        self.layers, self.dtype = layers, dtype
        self._tensors = [each for layer in layers for each in layer.known]
        # where numbers are read as they lie, so that addresses tell whether all is as it was
        self._plain = False
        self._pointers: list[int] = []
        self._sizes: list[int] = []
        self._held: list[torch.Tensor] = []
        self._weights: list[torch.Tensor | None] = []
        self._stepped: list[torch.Tensor | None] = [each.stepped for each in layers]

    def with_gradients(self, wanted: bool) -> npt.NDArray[np.int64]:
        """`words` with the gradients as they are; without any where they are not wanted."""
        self._held, moved = [], not self._stands()
        if moved:
            self._read()
        if not wanted:
            self.words[:, sums.GRADIENT] = self.words[:, sums.BIAS_GRADIENT] = 0
            return self.words
        if self._plain and not moved:
            of_w = [None if w is None else w.grad for w in self._weights]
        else:
            of_w = [each.gradient for each in self.layers]
        of_others = [None if each is None else each.grad for each in self._stepped]
        self.words[:, sums.GRADIENT] = self._at(of_w, sums.SIZE if moved else None)
        self.words[:, sums.BIAS_GRADIENT] = self._at(of_others, sums.BIAS_SIZE if moved else None)
        return self.words

    def with_weights(self) -> npt.NDArray[np.int64]:
        """`words` with W as it is now, beside its copies."""
        if not (self._plain and self._stands()):
            self.words[:, sums.WEIGHT] = self._at([joined(each.weights) for each in self.layers])
        return self.words

    def _stands(self) -> bool:
        """Whether every parameter is where it was, as large as it was."""
        tensors = self._tensors
        return (
            self._plain
            and [each.data_ptr() for each in tensors] == self._pointers
            and [each.numel() for each in tensors] == self._sizes
        )

    def _read(self) -> None:
        """Everything but gradients."""
        layers, tensors = self.layers, self._tensors
        self._plain = all(
            each.dtype == self.dtype and each.is_cpu and each.is_contiguous() for each in tensors
        ) and all(len(each.weights) < 2 for each in layers)
        if self._plain:
            self._pointers = [each.data_ptr() for each in tensors]
        sizes = [each.numel() for each in tensors]
        weights = self._weights = [joined(each.weights) for each in layers]
        biases = [each.bias for each in layers]
        if sizes != self._sizes:
            self.words = np.zeros((len(layers), sums.PARAMETER_COLUMNS), np.int64)
            self.words[:, sums.PLACE] = [each.place for each in layers]
            lengths = [_size(each) for each in weights]
            self.words[:, sums.SIZE] = lengths
            self.words[:, sums.BIAS_SIZE] = [
                max(_size(bias), _size(stepped))
                for bias, stepped in zip(biases, self._stepped, strict=True)
            ]
            self._copies = torch.zeros(sum(lengths), dtype=self.dtype)
            ends = np.cumsum([0, *lengths])[:-1] * self._copies.element_size()
            self.words[:, sums.COPY] = self._copies.data_ptr() + ends
        self._sizes = sizes
        self.words[:, sums.WEIGHT] = self._at(weights)
        self.words[:, sums.BIAS] = self._at(biases)

    def _at(self, tensors: Sequence[torch.Tensor | None], sizes: int | None = None) -> list[int]:
        """Addresses, 0 of None; with the column of sizes also 0 of what is of another size."""
        if sizes is not None:
            lengths = zip(tensors, self.words[:, sizes].tolist(), strict=True)
            tensors = [each if _size(each) == length else None for each, length in lengths]
        if not self._plain:
            self._held += [each for each in tensors if each is not None]
        return addresses(tensors, self.dtype, self._held)


def tables_of(layers: Sequence[Parameters]) -> list[ParameterTable]:
    """The tables of some layers' parameters."""
    by_type: dict[torch.dtype, list[Parameters]] = {}
    for each in layers:
        if each.known:
            dtype = each.known[0].dtype
            by_type.setdefault(dtype if dtype in WIDE else torch.float32, []).append(each)
    return [ParameterTable(several, dtype) for dtype, several in by_type.items()]


def address(tensor: torch.Tensor | None, dtype: torch.dtype, held: list[torch.Tensor]) -> int:
    """Where a tensor's numbers are, row-major and of T, 0 of None. Where that is a copy it is
    held.
    """
    if tensor is None:
        return 0
    if tensor.dtype is not dtype or not tensor.is_contiguous() or not tensor.is_cpu:
        tensor = tensor.to_dense() if tensor.is_sparse else tensor
        tensor = tensor.detach().to("cpu", dtype).contiguous()
        held.append(tensor)
    return tensor.data_ptr()


def addresses(
    tensors: Sequence[torch.Tensor | None], dtype: torch.dtype, held: list[torch.Tensor]
) -> list[int]:
    """`address` of each; the usual case is written out, for it is met often."""
    return [
        0
        if each is None
        else each.data_ptr()
        if each.dtype is dtype and each.is_contiguous() and each.is_cpu
        else address(each, dtype, held)
        for each in tensors
    ]


def joined(tensors: Sequence[Any]) -> torch.Tensor | None:
    """One tensor of several, sparse ones made dense; None where one is missing."""
    if not tensors or any(each is None for each in tensors):
        return None
    dense = [each.to_dense() if each.is_sparse else each for each in tensors]
    return dense[0] if len(dense) == 1 else torch.cat([each.detach().reshape(-1) for each in dense])


def _size(tensor: torch.Tensor | None) -> int:
    return 0 if tensor is None else tensor.numel()
