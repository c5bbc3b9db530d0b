"""Compiled forms of `parts.scalar`: straight-line arithmetic that LLVM turns into vector code.

exp, expm1, tanh and sigmoid reduce to one polynomial for e^r − 1 on |r| ≤ ln2/2 and exact scaling
by powers of two; log1p to a series for ln f with f within √2 of 1; erf to x·P(x²) up to 1 and 1 −
e^−Q(x − 1) beyond. Measured against 50-digit arithmetic (tests/nn/test_scalar.py) the errors stay
below 2.5 units in the last place in float32 and float64. sqrt is the processor's; log calls the C
library.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload, register_jitable

from dlprobe.nn.identity import named
from dlprobe.parts import scalar

# Inlined whatever LLVM thinks of their size: a loop with a call in it is not vectorised (erf: 7.4
# against 1.0 ns per number)
OPTIONS = {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True}
LOG2_E = 1.4426950408889634
# ln 2 in two parts; the first has so few bits that n times it is exact
LN2_HIGH_32, LN2_LOW_32 = 0.693359375, -2.12194440054690583e-4
LN2_HIGH_64, LN2_LOW_64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10


@intrinsic
def power_of_two_32(typing: Any, exponent: Any) -> Any:
    """2**exponent as float32 for −126 ≤ exponent ≤ 127, by writing the exponent's bits."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.shl(
            builder.add(arguments[0], ir.Constant(ir.IntType(32), 127)),
            ir.Constant(ir.IntType(32), 23),
        )
        return builder.bitcast(bits, ir.FloatType())

    return types.float32(types.int32), codegen


@intrinsic
def power_of_two_64(typing: Any, exponent: Any) -> Any:
    """2**exponent as float64 for −1022 ≤ exponent ≤ 1023."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.shl(
            builder.add(arguments[0], ir.Constant(ir.IntType(64), 1023)),
            ir.Constant(ir.IntType(64), 52),
        )
        return builder.bitcast(bits, ir.DoubleType())

    return types.float64(types.int64), codegen


@intrinsic
def size_bits(typing: Any, x: Any) -> Any:
    """The bits of |x| as an integer: they order as sizes do, NaN last. Integer maxima are
    vectorised, float maxima not (1 against 11.4 µs per 10,000).
    """
    integer = types.int32 if x == types.float32 else types.int64

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        width = 32 if x == types.float32 else 64
        bits = builder.bitcast(arguments[0], ir.IntType(width))
        return builder.and_(bits, ir.Constant(ir.IntType(width), 2 ** (width - 1) - 1))

    return integer(x), codegen


@intrinsic
def is_finite(typing: Any, x: Any) -> Any:
    """Whether x is neither NaN nor infinite, by its exponent's bits.

    math.isfinite asks whether x − x is a number, and where x is itself a sum, `reassoc` lets LLVM
    cancel that to 0: NaN then counts as finite.
    """
    width, exponent = (32, 0x7F800000) if x == types.float32 else (64, 0x7FF0000000000000)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        mask = ir.Constant(ir.IntType(width), exponent)
        return builder.icmp_unsigned(
            "!=", builder.and_(builder.bitcast(arguments[0], ir.IntType(width)), mask), mask
        )

    return types.boolean(x), codegen


@intrinsic
def from_bits(typing: Any, bits: Any) -> Any:
    """The float whose bits these are."""
    result, kind = (
        (types.float32, ir.FloatType()) if bits == types.int32 else (types.float64, ir.DoubleType())
    )
    return result(bits), lambda context, builder, signature, arguments: builder.bitcast(
        arguments[0], kind
    )


def polynomial(*coefficients: float) -> Any:
    """A compiled polynomial of T by Horner's rule, highest power first. As an intrinsic it
    costs nothing to type and stays one straight line.
    """

    @intrinsic
    def evaluate(typing: Any, x: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = ir.FloatType() if x == types.float32 else ir.DoubleType()
            total = ir.Constant(kind, coefficients[0])
            for coefficient in coefficients[1:]:
                total = builder.fmul(total, arguments[0], flags=("contract",))
                total = builder.fadd(total, ir.Constant(kind, coefficient), flags=("contract",))
            return total

        return x(x), codegen

    return evaluate


# ln((1 + s)/(1 − s)) = 2s + s·s²·(2/3 + 2/5 s² + 2/7 s⁴ …); s² ≤ .0295 leaves a remainder of 2e-9
# and 2e-17 of the whole
series_32 = polynomial(*(2 / (2 * k + 1) for k in range(4, 0, -1)))
series_64 = polynomial(*(2 / (2 * k + 1) for k in range(9, 0, -1)))
# erf(x)/x in x² on [0, 1] and −ln erfc(x) in x − 1 on [1, 4] and [1, 6]: interpolated at
# Chebyshev's points in 40 digits; the latter's error in erf is that times erfc. Errors: 1.3e-9 and
# 1.1e-9 (float32), 4e-17 and 3e-18 (float64).
# fmt: off
erf_middle_32 = polynomial(
    7.87587506e-05, -0.000801686429, 0.00518908742, -0.026854212, 0.112835947, -0.376126267, 1.12837917,  # noqa: E501
)
erf_tail_32 = polynomial(
    7.58268197e-08, -2.63924321e-06, 3.8454642e-05, -0.000336385926, 0.00208173208, -0.0101048603, 0.0415904572, 0.843100849,  # noqa: E501
    2.63896807, 1.8496055,
)
erf_middle_64 = polynomial(
    -7.7958988270021425e-10, 1.3720064546777686e-08, -1.6208483801871705e-07, 1.6447424703317362e-06, -1.4924736907419661e-05, 0.00012055294904839707,  # noqa: E501
    -0.00085483259753896918, 0.0052239776071164225, -0.02686617064323777, 0.11283791670945006, -0.37612638903183543, 1.1283791670955126,  # noqa: E501
)
erf_tail_64 = polynomial(
    -6.3255205887184931e-19, 4.3048401134980052e-17, -1.3920849232129402e-15, 2.8478126848102162e-14, -4.1392677661442279e-13, 4.5505332308534449e-12,  # noqa: E501
    -3.9309706854245209e-11, 2.7336407972856539e-10, -1.5518802262158816e-09, 7.2172671740364377e-09, -2.7148106745723257e-08, 7.846484305037978e-08,  # noqa: E501
    -1.4152970860425964e-07, -8.6464723543393276e-08, 2.0042076999507634e-06, -9.5671762493511818e-06, 2.7135509272994771e-05, -2.6267990577569252e-05,  # noqa: E501
    -0.00023732547115646525, 0.0019779031986228326, -0.010033825462634972, 0.041561098049380372, 0.84310725635832751, 2.6389675142347948,  # noqa: E501
    1.8496055099332482,
)
# fmt: on
# added to the bits of u, the exponent of the result steps at √2 instead of at 2
ROOT_STEP_32 = 0x3F800000 - 0x3F3504F3
ROOT_STEP_64 = 0x3FF0000000000000 - 0x3FE6A09E667F3BCD


@register_jitable(**OPTIONS)
def reduce_32(x: Any) -> Any:
    """(n, e^r − 1) with x = n·ln2 + r, |r| ≤ ln2/2; x within ±126·ln2."""
    n = np.floor(x * np.float32(LOG2_E) + np.float32(0.5))
    r = (x - n * np.float32(LN2_HIGH_32)) - n * np.float32(LN2_LOW_32)
    p = np.float32(1 / 5040)
    p = p * r + np.float32(1 / 720)
    p = p * r + np.float32(1 / 120)
    p = p * r + np.float32(1 / 24)
    p = p * r + np.float32(1 / 6)
    p = p * r + np.float32(0.5)
    return np.int32(n), p * (r * r) + r


@register_jitable(**OPTIONS)
def reduce_64(x: Any) -> Any:
    """`reduce_32` in float64: Taylor's polynomial of degree 13, remainder 1.2e-17."""
    n = np.floor(x * LOG2_E + 0.5)
    r = (x - n * LN2_HIGH_64) - n * LN2_LOW_64
    p = 1 / 6227020800
    p = p * r + 1 / 479001600
    p = p * r + 1 / 39916800
    p = p * r + 1 / 3628800
    p = p * r + 1 / 362880
    p = p * r + 1 / 40320
    p = p * r + 1 / 5040
    p = p * r + 1 / 720
    p = p * r + 1 / 120
    p = p * r + 1 / 24
    p = p * r + 1 / 6
    p = p * r + 0.5
    return np.int64(n), p * (r * r) + r


# Clamping keeps NaN: a comparison with NaN is false, so the last branch returns x itself.
@register_jitable(**OPTIONS)
def exp_32(x: Any) -> Any:
    clamped = (
        np.float32(89.0)
        if x > np.float32(89.0)
        else (np.float32(-104.0) if x < np.float32(-104.0) else x)
    )
    n, p = reduce_32(clamped)
    half = n >> np.int32(1)  # two factors: 2**n itself may be subnormal or infinite
    return (p + np.float32(1.0)) * power_of_two_32(half) * power_of_two_32(n - half)


@register_jitable(**OPTIONS)
def exp_64(x: Any) -> Any:
    clamped = 710.0 if x > 710.0 else (-746.0 if x < -746.0 else x)
    n, p = reduce_64(clamped)
    half = n >> 1
    return (p + 1.0) * power_of_two_64(half) * power_of_two_64(n - half)


@register_jitable(**OPTIONS)
def expm1_32(x: Any) -> Any:
    clamped = (
        np.float32(89.0)
        if x > np.float32(89.0)
        else (np.float32(-18.0) if x < np.float32(-18.0) else x)
    )
    n, p = reduce_32(clamped)
    half = n >> np.int32(1)
    low, high = power_of_two_32(half), power_of_two_32(n - half)
    return (p * low + (low - power_of_two_32(half - n))) * high


@register_jitable(**OPTIONS)
def expm1_64(x: Any) -> Any:
    clamped = 710.0 if x > 710.0 else (-38.0 if x < -38.0 else x)
    n, p = reduce_64(clamped)
    half = n >> 1
    low, high = power_of_two_64(half), power_of_two_64(n - half)
    return (p * low + (low - power_of_two_64(half - n))) * high


@register_jitable(**OPTIONS)
def tanh_32(x: Any) -> Any:
    t = expm1_32(np.float32(-2.0) * abs(x))
    y = -t / (t + np.float32(2.0))
    return y if x > np.float32(0.0) else -y


@register_jitable(**OPTIONS)
def tanh_64(x: Any) -> Any:
    t = expm1_64(-2.0 * abs(x))
    y = -t / (t + 2.0)
    return y if x > 0.0 else -y


@register_jitable(**OPTIONS)
def sigmoid_32(x: Any) -> Any:
    e = exp_32(-abs(x))
    return (np.float32(1.0) if x >= np.float32(0.0) else e) / (np.float32(1.0) + e)


@register_jitable(**OPTIONS)
def sigmoid_64(x: Any) -> Any:
    e = exp_64(-abs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


@register_jitable(**OPTIONS)
def log1p_32(x: Any) -> Any:
    u = np.float32(1.0) + x
    k = ((size_bits(u) + np.int32(ROOT_STEP_32)) >> np.int32(23)) - np.int32(127)
    half = k >> np.int32(1)  # two factors: 2**−k itself may be subnormal
    scaled = u * power_of_two_32(-half) * power_of_two_32(half - k)
    f = x if k == np.int32(0) else scaled - np.float32(1.0)
    lost = (
        np.float32(0.0)
        if k == np.int32(0)
        else (x - (u - np.float32(1.0)) if k < np.int32(24) else np.float32(1.0) - (u - x)) / u
    )
    s = f / (np.float32(2.0) + f)
    whole = np.float32(k)
    y = whole * np.float32(LN2_HIGH_32) + (
        f - (s * (f - s * s * series_32(s * s)) - (whole * np.float32(LN2_LOW_32) + lost))
    )
    return y if x > np.float32(-1.0) and x < np.float32(np.inf) else beyond_logarithm(x)


@register_jitable(**OPTIONS)
def log1p_64(x: Any) -> Any:
    u = 1.0 + x
    k = ((size_bits(u) + ROOT_STEP_64) >> 52) - 1023
    half = k >> 1
    scaled = u * power_of_two_64(-half) * power_of_two_64(half - k)
    f = x if k == 0 else scaled - 1.0
    lost = 0.0 if k == 0 else (x - (u - 1.0) if k < 53 else 1.0 - (u - x)) / u
    s = f / (2.0 + f)
    whole = np.float64(k)
    y = whole * LN2_HIGH_64 + (
        f - (s * (f - s * s * series_64(s * s)) - (whole * LN2_LOW_64 + lost))
    )
    return y if x > -1.0 and x < np.inf else beyond_logarithm(x)


@register_jitable(**OPTIONS)
def beyond_logarithm(x: Any) -> Any:
    """ln(1 + x) where it is no number: −∞ at −1, ∞ at ∞, NaN below −1 and of NaN."""
    one = scalar.like(x, 1.0)
    return x if x > -one else (-one / (one + x) if x == -one else scalar.like(x, np.nan))


@register_jitable(**OPTIONS)
def erf_32(x: Any) -> Any:
    size = abs(x)
    # erf(4) rounds to 1
    beyond = size - np.float32(1.0) if size < np.float32(4.0) else np.float32(3.0)
    tail = np.float32(1.0) - exp_32(
        -erf_tail_32(beyond if beyond > np.float32(0.0) else np.float32(0.0))
    )
    small = x * erf_middle_32(x * x if size < np.float32(1.0) else np.float32(1.0))
    far = tail if x > np.float32(0.0) else -tail
    return small if size < np.float32(1.0) else (far if x == x else x)


@register_jitable(**OPTIONS)
def erf_64(x: Any) -> Any:
    size = abs(x)
    beyond = size - 1.0 if size < 6.0 else 5.0  # erf(6) rounds to 1
    tail = 1.0 - exp_64(-erf_tail_64(beyond if beyond > 0.0 else 0.0))
    small = x * erf_middle_64(x * x if size < 1.0 else 1.0)
    far = tail if x > 0.0 else -tail
    return small if size < 1.0 else (far if x == x else x)


def _two_precisions(plain: Any, single: Any, double: Any) -> None:
    @overload(plain, jit_options=OPTIONS, strict=False)
    def choose(x: Any) -> Any:
        if x == types.float32:
            return named(lambda x: single(x))
        if x == types.float64:
            return named(lambda x: double(x))
        return None


_two_precisions(scalar.exp, exp_32, exp_64)
_two_precisions(scalar.expm1, expm1_32, expm1_64)
_two_precisions(scalar.tanh, tanh_32, tanh_64)
_two_precisions(scalar.sigmoid, sigmoid_32, sigmoid_64)
_two_precisions(scalar.log1p, log1p_32, log1p_64)
_two_precisions(scalar.erf, erf_32, erf_64)


@overload(scalar.like, jit_options=OPTIONS, strict=False)
def _like(x: Any, constant: Any) -> Any:
    return named(
        (lambda x, constant: np.float32(constant))
        if x == types.float32
        else (lambda x, constant: np.float64(constant))
    )


def _library(plain: Any, function: Any) -> None:
    @overload(plain, jit_options=OPTIONS, strict=False)
    def call(x: Any) -> Any:
        return named(lambda x: function(x))


_library(scalar.sqrt, math.sqrt)
_library(scalar.log, math.log)
