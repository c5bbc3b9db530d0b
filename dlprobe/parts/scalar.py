"""Scalar functions that records are written with; `nn` gives each of them a vectorised compiled
form.

`like(x, c)` is the constant `c` in the precision of `x`: a bare float literal would turn a float32
kernel into a float64 one.
"""

from __future__ import annotations

import math


def like(x: float, constant: float) -> float:
    """The number `constant` in the precision of `x`."""
    return constant


def sqrt(x: float) -> float:
    """The square root."""
    return math.sqrt(x)


def log(x: float) -> float:
    """The natural logarithm."""
    return math.log(x)


def exp(x: float) -> float:
    """e**x; overflows to infinity as IEEE arithmetic does."""
    return math.exp(x) if x < 709.782712893384 else (x if x != x else math.inf)


def expm1(x: float) -> float:
    """e**x − 1 without cancellation near 0."""
    return math.expm1(x) if x < 709.782712893384 else (x if x != x else math.inf)


def log1p(x: float) -> float:
    """ln(1 + x) without cancellation near 0, for x > −1."""
    return math.log1p(x)


def tanh(x: float) -> float:
    """The hyperbolic tangent."""
    return math.tanh(x)


def sigmoid(x: float) -> float:
    """The logistic 1/(1 + e**−x), accurate at both ends."""
    return 1.0 / (1.0 + exp(-x)) if x >= 0 else exp(x) / (1.0 + exp(x))


def erf(x: float) -> float:
    """The error function."""
    return math.erf(x)
