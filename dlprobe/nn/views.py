"""Arrays for compiled code that nobody counts references of: blocks of the net's flat buffers, and
scratch on the stack.

Numba counts the references to every array it hands around, with atomic operations that took two
thirds of a small net's step. Nothing here needs them: all memory belongs to the Network that is at
work. So kernels and passes are compiled without (`dlprobe.nn.cache`), and without allocations,
which need them too.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

LINE_BYTES = 64


def view(context: Any, builder: Any, kind: Any, data: Any, shape: list[Any]) -> Any:
    """A row-major array of a Numba type over memory that is somebody else's."""
    size = ir.Constant(ir.IntType(64), kind.dtype.bitwidth // 8)
    strides = [size]
    if len(shape) == 2:
        strides.insert(0, builder.mul(size, shape[1]))
    array = context.make_array(kind)(context, builder)
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)
    return array._getvalue()


@intrinsic
def window(typing: Any, flat: Any, offset: Any, rows: Any, width: Any) -> Any:
    """The (rows, width) block that begins at `offset` of a flat array."""
    kind, integer = types.Array(flat.dtype, 2, "C", aligned=True), types.int64

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(flat)(context, builder, values[0]).data
        return view(context, builder, kind, builder.gep(data, [values[1]]), list(values[2:]))

    return kind(flat, integer, integer, integer), codegen


@intrinsic
def part(typing: Any, array: Any, start: Any, end: Any) -> Any:
    """Elements `start` … `end` − 1 of a row-major array, a vector. 0 ≤ start ≤ end ≤ size is not
    checked: what a slice takes to do that, some 30 instructions each, made the code of one layer
    larger than the processor's first-level cache for code.
    """
    kind, integer = types.Array(array.dtype, 1, "C", aligned=True), types.int64

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(array)(context, builder, values[0]).data
        return view(
            context,
            builder,
            kind,
            builder.gep(data, [values[1]]),
            [builder.sub(values[2], values[1])],
        )

    return kind(array, integer, integer), codegen


@intrinsic
def flat(typing: Any, block: Any) -> Any:
    """All elements of a row-major array, one after the other."""
    kind = types.Array(block.dtype, 1, "C", aligned=True)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array = context.make_array(block)(context, builder, values[0])
        return view(context, builder, kind, array.data, [array.nitems])

    return kind(block), codegen


def scratch(length: int) -> Any:
    """A function for compiled code: uninitialized memory for `length` numbers of the type of
    the array it is given, as long as its caller runs.
    """

    @intrinsic
    def like(typing: Any, array: Any) -> Any:
        kind = types.Array(array.dtype, 1, "C", aligned=True)

        def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            element = context.get_data_type(kind.dtype)
            # numba's own `alloca_once` would fill it with zeros at every call
            with builder.goto_entry_block():
                memory = builder.alloca(ir.ArrayType(element, length))
            memory.align = LINE_BYTES
            return view(
                context,
                builder,
                kind,
                builder.bitcast(memory, element.as_pointer()),
                [ir.Constant(ir.IntType(64), length)],
            )

        return kind(array), codegen

    return like
