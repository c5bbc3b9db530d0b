"""Records of arrays and numbers that compiled code gets by their address.

A named tuple would be copied word by word in every call, and numba would compile that copy anew
wherever the record goes: the 22 arrays of a Net are 150 words. Here a record is a table of words in
memory, an array as its address and shape, a number as itself; a field is read where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    NativeValue,
    infer_getattr,
    lower_getattr_generic,
    models,
    register_model,
    typeof_impl,
    unbox,
)
from numba.np.numpy_support import as_dtype

from dlprobe.nn.views import view

WORD = ir.IntType(64)


class RecordType(types.Type):  # type: ignore[misc]
    """The Numba type of a record: its fields in order, arrays (row-major) and integers."""

    def __init__(self, name: str, fields: Sequence[tuple[str, Any]]) -> None:
        self.fields = tuple(fields)
        self.dtypes = tuple(
            as_dtype(kind.dtype) if isinstance(kind, types.Array) else None for _, kind in fields
        )
        super().__init__(
            name=f"{name}({', '.join(f'{field}: {kind}' for field, kind in self.fields)})"
        )

    def place(self, name: str) -> tuple[int, Any]:
        """At which word a field begins, and its type."""
        at = 0
        for field, kind in self.fields:
            if field == name:
                return at, kind
            at += words_of(kind)
        raise AttributeError(name)


def words_of(kind: Any) -> int:
    return 1 + kind.ndim if isinstance(kind, types.Array) else 1


class Reference:
    """A named tuple as compiled code gets it; keeps alive what the record points to. Raises
    TypeError for an array of another type or order of elements.
    """

    def __init__(self, record: Any, kind: RecordType) -> None:
        self.record, self.kind = record, kind
        words: list[int] = []
        for value, dtype, name in zip(record, kind.dtypes, record._fields, strict=True):
            if dtype is None:
                words.append(int(value) % 2**64)
                continue
            if value.dtype != dtype or not value.flags.c_contiguous:
                raise TypeError(
                    f"{name}: expected a row-major array of {dtype}, found {value.dtype} with "
                    f"strides {value.strides}"
                )
            words += [value.ctypes.data, *value.shape]
        self._words = np.array(words, np.uint64)
        self.address = self._words.__array_interface__["data"][0]


def taking_records(kernel: Any) -> Any:
    """A compiled function as Python calls it: with references to named tuples where its signature
    has records. Arguments are not looked at: numba takes longer to find their types than a small
    net takes for a step.
    """
    (result,) = kernel.overloads.values()
    entry = result.entry_point

    def call(*arguments: Any) -> Any:
        return entry(*arguments)

    call.name = kernel.__qualname__  # type: ignore[attr-defined]
    return call


@typeof_impl.register(Reference)
def _type_of(reference: Reference, context: Any) -> RecordType:
    return reference.kind


@register_model(RecordType)
class _RecordModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, WORD.as_pointer())


@unbox(RecordType)
def _unbox(kind: Any, reference: Any, c: Any) -> Any:
    number = c.pyapi.object_getattr_string(reference, "address")
    address = c.pyapi.long_as_ulonglong(number)
    c.pyapi.decref(number)
    return NativeValue(c.builder.inttoptr(address, WORD.as_pointer()))


@infer_getattr
class _RecordAttributes(AttributeTemplate):  # type: ignore[misc]
    key = RecordType

    def generic_resolve(self, kind: Any, name: str) -> Any:
        return kind.place(name)[1]


@lower_getattr_generic(RecordType)
def _field(context: Any, builder: Any, kind: Any, words: Any, name: str) -> Any:
    at, field = kind.place(name)
    values = [_word(builder, words, at + k) for k in range(words_of(field))]
    if isinstance(field, types.Array):
        return view(
            context,
            builder,
            field,
            builder.inttoptr(values[0], context.get_data_type(field.dtype).as_pointer()),
            values[1:],
        )
    return context.cast(builder, values[0], types.int64, field)


def _word(builder: Any, words: Any, at: int) -> Any:
    """One word, of which LLVM may know that nothing written meanwhile has changed it."""
    word = builder.load(builder.gep(words, [WORD(at)]))
    word.set_metadata("invariant.load", builder.module.add_metadata([]))
    return word
