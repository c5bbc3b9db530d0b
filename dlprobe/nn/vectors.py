"""Vectors of numbers as variables of compiled code, for loops that LLVM vectorises badly: short
rows, several of them at once, more than one kind of sum.

    for j in range(0, whole, lanes):
        sum = sum + load(x, j, lanes)
    if whole < len(x):
        sum = sum + load(x, whole, len(x) - whole)

Every lane is one chain of operations in the order written, so results do not depend on what stands
around them; products and sums may be contracted.
Lanes that are not loaded are 0. A vector fills a register; `lanes_of` an array is how many of its
numbers that takes.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import codegen, config
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model


def vector_bytes() -> int:
    """Size of the vector registers numba compiles for here; 0 where they are too few or there
    is no fused multiply-add.
    """
    found = (
        config.CPU_FEATURES if config.CPU_FEATURES is not None else codegen.get_host_cpu_features()
    )
    features = set(found.split(","))
    return 64 if "+avx512f" in features else 32 if {"+avx2", "+fma"} <= features else 0


VECTOR_BYTES = vector_bytes()
BYTES = VECTOR_BYTES or 32
I32, I64, DOUBLE = ir.IntType(32), ir.IntType(64), ir.DoubleType()
FLAGS = ("contract",)


class RegisterType(types.Type):  # type: ignore[misc]
    """The Numba type of a register full of numbers."""

    def __init__(self, dtype: Any) -> None:
        self.dtype, self.lanes = dtype, 8 * BYTES // dtype.bitwidth
        super().__init__(name=f"Register({dtype} x {self.lanes})")


@register_model(RegisterType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(
            manager, kind, ir.VectorType(manager.lookup(kind.dtype).get_value_type(), kind.lanes)
        )


class _Arithmetic(AbstractTemplate):  # type: ignore[misc]
    def generic(self, arguments: Any, keywords: Any) -> Any:
        one, other = arguments
        return (
            signature(one, one, other) if isinstance(one, RegisterType) and one == other else None
        )


for _operator, _name in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul")):
    infer_global(_operator)(type(f"_{_name}", (_Arithmetic,), {}))

    @lower_builtin(_operator, RegisterType, RegisterType)
    def _operate(context: Any, builder: Any, sig: Any, values: Any, name: str = _name) -> Any:
        return getattr(builder, name)(*values, flags=FLAGS)


@intrinsic
def lanes_of(typing: Any, array: Any) -> Any:
    """How many of the array's numbers fill a vector: a constant, so that loads of as many need
    no mask.
    """
    return types.int64(array), lambda context, builder, sig, values: I64(
        RegisterType(array.dtype).lanes
    )


def constant(kind: Any, values: Any) -> Any:
    """A constant vector of LLVM."""
    return ir.Constant(ir.VectorType(kind, len(values)), list(values))


def spread(builder: Any, number: Any, lanes: int) -> Any:
    """A vector of LLVM with `number` in every lane."""
    empty = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    return builder.shuffle_vector(
        builder.insert_element(empty, number, I32(0)), empty, constant(I32, [0] * lanes)
    )


def first_lanes(builder: Any, count: Any, lanes: int) -> Any:
    """The mask of the first `count` lanes."""
    return builder.icmp_signed(
        "<", constant(I32, range(lanes)), spread(builder, builder.trunc(count, I32), lanes)
    )


def _masked(
    context: Any, builder: Any, name: str, kind: Any, array: Any, value: Any, offset: Any
) -> tuple[Any, Any, str, int]:
    """Pointer to a vector in an array, its LLVM type, the name of the masked operation, and the
    alignment.
    """
    vector = context.get_value_type(kind)
    data = builder.gep(context.make_array(array)(context, builder, value).data, [offset])
    return (
        builder.bitcast(data, vector.as_pointer()),
        vector,
        f"llvm.masked.{name}.v{kind.lanes}f{kind.dtype.bitwidth}.p0",
        kind.dtype.bitwidth // 8,
    )


def call_intrinsic(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """Call a function of LLVM's own, by its name."""
    function = builder.module.declare_intrinsic(
        name, fnty=ir.FunctionType(result, [argument.type for argument in arguments])
    )
    return builder.call(function, arguments)


@intrinsic
def load(typing: Any, array: Any, offset: Any, count: Any) -> Any:
    """`count` numbers from element `offset` of a row-major array on, at most a vector of them."""
    kind = RegisterType(array.dtype)

    def code(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        pointer, vector, name, align = _masked(
            context, builder, "load", kind, array, values[0], values[1]
        )
        return call_intrinsic(
            builder,
            name,
            vector,
            [
                pointer,
                I32(align),
                first_lanes(builder, values[2], kind.lanes),
                ir.Constant(vector, None),
            ],
        )

    return kind(array, types.int64, types.int64), code


@intrinsic
def store(typing: Any, vector: Any, array: Any, offset: Any, count: Any) -> Any:
    """The first `count` lanes to elements `offset` … of a row-major array."""

    def code(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        pointer, _, name, align = _masked(
            context, builder, "store", vector, array, values[1], values[2]
        )
        call_intrinsic(
            builder,
            name,
            ir.VoidType(),
            [values[0], pointer, I32(align), first_lanes(builder, values[3], vector.lanes)],
        )
        return context.get_dummy_value()

    return types.void(vector, array, types.int64, types.int64), code


@intrinsic
def all_lanes(typing: Any, number: Any) -> Any:
    """The number in every lane."""
    kind = RegisterType(number)
    return kind(number), lambda context, builder, sig, values: spread(
        builder, values[0], kind.lanes
    )


def _counter(comparison: str) -> Any:
    @intrinsic
    def count(typing: Any, total: Any, vector: Any, bound: Any) -> Any:
        def code(context: Any, builder: Any, sig: Any, values: Any) -> Any:
            true = builder.fcmp_ordered(comparison, *values[1:])
            return builder.select(
                true,
                builder.fadd(values[0], ir.Constant(values[0].type, [1.0] * vector.lanes)),
                values[0],
            )

        return vector(total, vector, bound), code

    return count


# (total, vector, bound): 1 more in every lane that is above (below) that of the bound
count_above, count_below = (_counter(">"), _counter("<"))


@intrinsic
def smaller_size(typing: Any, one: Any, other: Any) -> Any:
    """Lane by lane |other| where it is below `one`, else `one`, so also where `other` is NaN."""

    def code(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        size = call_intrinsic(
            builder, f"llvm.fabs.v{one.lanes}f{one.dtype.bitwidth}", values[1].type, [values[1]]
        )
        return builder.select(builder.fcmp_ordered("<", size, values[0]), size, values[0])

    return one(one, other), code


@intrinsic
def lane_sum(typing: Any, vector: Any) -> Any:
    """The sum of all lanes, in float64."""

    def code(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        x = values[0]
        while x.type.count > 1:
            x = _pairs(builder, x)
        return _widened(builder, builder.extract_element(x, I32(0)), DOUBLE)

    return types.float64(vector), code


@intrinsic
def row_totals(typing: Any, q0: Any, q1: Any, q2: Any, q3: Any, out: Any, start: Any) -> Any:
    """out[start : start + 4] of float64 ← the sums of four vectors, all together in a third of
    the shuffles of one by one.
    """

    def code(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        half, quarter = q0.lanes // 2, q0.lanes // 4
        x = _merged(
            builder,
            _merged(builder, values[0], values[1], half),
            _merged(builder, values[2], values[3], half),
            quarter,
        )
        distance = quarter // 2
        while distance:  # each quarter now belongs to one vector
            x = builder.fadd(
                x,
                builder.shuffle_vector(
                    x, x, constant(I32, [lane ^ distance for lane in range(q0.lanes)])
                ),
            )
            distance //= 2
        x = _widened(
            builder,
            builder.shuffle_vector(x, x, constant(I32, [0, half, quarter, half + quarter])),
            ir.VectorType(DOUBLE, 4),
        )
        data = builder.gep(context.make_array(out)(context, builder, values[4]).data, [values[5]])
        builder.store(x, builder.bitcast(data, x.type.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(q0, q1, q2, q3, out, types.int64), code


def _merged(builder: Any, one: Any, other: Any, size: int) -> Any:
    """Of two vectors in parts of `size` lanes: in the even parts sums of neighbouring parts of
    one, in the odd parts those of the other.
    """
    lanes = range(one.type.count)
    straight = [lane + (one.type.count if lane // size % 2 else 0) for lane in lanes]
    crossed = [(lane ^ size) + (one.type.count if lane // size % 2 else 0) for lane in lanes]
    return builder.fadd(
        *(builder.shuffle_vector(one, other, constant(I32, order)) for order in (straight, crossed))
    )


def _pairs(builder: Any, one: Any) -> Any:
    """Sums of neighbouring lanes."""
    even, odd = (
        builder.shuffle_vector(one, one, constant(I32, range(first, one.type.count, 2)))
        for first in (0, 1)
    )
    return builder.fadd(even, odd)


def _widened(builder: Any, value: Any, kind: Any) -> Any:
    return value if value.type == kind else builder.fpext(value, kind)
