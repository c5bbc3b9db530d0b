"""Subnormal numbers, those of float32 below 1.2e-38, are 0 while compiled code trains or evaluates
a net.

Processors take a hundred times as long over them, and nets come to have many: the outputs of a
softmax that is sure of itself and the error signals below, and Adam's running means of a dead
unit's gradients, which decay until they are subnormal and stay there, since .9 times the smallest
number is rounded to that number. A net of 20 ReLU layers of 64 units took 1.7 times as long per
step after 1,000 steps of Adam. They are counted as lost anyway (`underflow_count`).

It is a setting of the thread, changed on x86 processors only; others do not slow down as much.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

SET_HERE = platform.machine().lower() in {"x86_64", "amd64"}
TO_ZERO = 0x8040  # bits of the control register MXCSR: results to zero (15), operands are zero (6)
WORD = ir.IntType(32)


def _move(builder: Any, name: str, place: Any) -> None:
    """Between the control register and memory."""
    pointer = ir.IntType(8).as_pointer()
    function = builder.module.declare_intrinsic(
        f"llvm.x86.sse.{name}", fnty=ir.FunctionType(ir.VoidType(), [pointer])
    )
    builder.call(function, [builder.bitcast(place, pointer)])


@intrinsic
def flush_subnormals(typing: Any) -> Any:
    """Take subnormal numbers for 0 from here on, in this thread; returns the setting before,
    for `restore`.
    """

    def code(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        if not SET_HERE:
            return WORD(0)
        place = builder.alloca(WORD)
        _move(builder, "stmxcsr", place)
        before = builder.load(place)
        builder.store(builder.or_(before, WORD(TO_ZERO)), place)
        _move(builder, "ldmxcsr", place)
        return before

    return types.int32(), code


@intrinsic
def restore(typing: Any, before: Any) -> Any:
    """The setting that `flush_subnormals` found."""

    def code(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        if SET_HERE:
            place = builder.alloca(WORD)
            builder.store(values[0], place)
            _move(builder, "ldmxcsr", place)
        return context.get_dummy_value()

    return types.void(before), code
