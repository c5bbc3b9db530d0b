"""How the loops and passes of `block` and `layer_passes` are compiled: their types, and the
addresses by which they call each other.

Compiled into both loops, and into each other, the passes would cost twice the time on a cold cache;
so each is compiled once and called by address.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from dlprobe.nn import lanes, observe, observe_forward
from dlprobe.nn.augmentation import gather_augmented
from dlprobe.nn.block import evaluate, gather, run
from dlprobe.nn.cache import EXACT, compiled
from dlprobe.nn.calling import Kernel, address, kernel
from dlprobe.nn.kernels import PRECISIONS
from dlprobe.nn.layer_passes import backward_layer, forward_layer
from dlprobe.nn.matmul import product, product_with_transposed, transposed_product
from dlprobe.nn.model import Kernels, Net, Work
from dlprobe.nn.records import RecordType, Reference, taking_records
from dlprobe.nn.regulation import finish
from dlprobe.nn.shapes import record_type, signature_of


def references(net: Net, kernels: Kernels, dtype: str) -> tuple[Reference, Reference]:
    """A model as the compiled loops get it."""
    return reference(net, dtype), reference(kernels, dtype)


def reference(record: Net | Kernels | Work, dtype: str) -> Reference:
    """A record as compiled code gets it, made once for many calls."""
    named_tuple: Any = type(record)
    return Reference(record, _kind(named_tuple, dtype))


@cache
def _kind(named_tuple: Any, dtype: str) -> RecordType:
    return record_type(named_tuple, PRECISIONS[dtype].scalar)


def of(function: Callable[..., Any], dtype: str) -> Any:
    """The signature of a pass in one precision, from its annotations."""
    return signature_of(function, PRECISIONS[dtype].scalar)


# those that take longest to compile at both ends: see `ahead`
PASSES: tuple[Callable[..., Any], ...] = (
    gather,
    forward_layer,
    backward_layer,
    product_with_transposed,
    transposed_product,
    observe.observe_error,
    observe_forward.add_bias,
    observe_forward.observe_activation,
    product,
)


def _compiled_pass(function: Callable[..., Any], dtype: str) -> Kernel:
    return kernel(of(function, dtype))(function)


@cache
def compiled_passes(dtype: str) -> tuple[Kernel, ...]:
    """The compiled passes of one precision, called from compiled code only."""
    return tuple(_compiled_pass(function, dtype) for function in PASSES)


def of_every_net(dtype: str) -> list[Callable[[], object]]:
    """What compiles the kernels that every net needs, one each, in the order in which a net asks
    for them.
    """
    return [
        *(partial(_compiled_pass, function, dtype) for function in PASSES),
        partial(compiled_run, dtype),
        partial(compiled_evaluate, dtype),
    ]


@cache
def compiled_unobserved(dtype: str) -> dict[str, Kernel]:
    """What takes the place of passes that measure, by their fields in Kernels, where nobody reads
    statistics: the numbers of the net are the same.
    """
    chosen: dict[str, Callable[..., None]] = {
        "add_bias": observe_forward.add_bias_only,
        "observe_activation": observe_forward.observe_nothing,
    }
    return {name: kernel(of(function, dtype))(function) for name, function in chosen.items()}


def unobserved(kernels: Kernels, dtype: str) -> Kernels:
    """The kernels of a net for evaluations."""
    addresses: dict[str, Any] = {
        name: address(function) for name, function in compiled_unobserved(dtype).items()
    }
    return kernels._replace(**addresses)


@cache
def compiled_passes_of_fleet(dtype: str) -> tuple[Kernel, ...]:
    """The compiled passes that a fleet uses in place of those of one net."""
    products = (lanes.product, lanes.product_with_transposed, lanes.transposed_product)
    functions = (
        lanes.gather,
        *products,
        lanes.add_bias,
        lanes.observe_activation,
        lanes.observe_error,
    )
    return tuple(kernel(of(function, dtype))(function) for function in functions)


def passes(dtype: str, *, regulated: bool, augmented: bool) -> dict[str, int]:
    """Addresses of the compiled passes by the names of their fields in Kernels; `finish` is 0
    unless `regulated`.
    """
    chosen = {function.role: function for function in compiled_passes(dtype)}
    if augmented:
        chosen["gather"] = compiled_gather_augmented(dtype)
    if regulated:
        chosen["finish"] = compiled_finish(dtype)
    return {"finish": 0} | {name: address(function) for name, function in chosen.items()}


def passes_of_fleet(dtype: str) -> dict[str, int]:
    """The addresses of a fleet's passes under the names of their fields in Kernels."""
    return {function.role: address(function) for function in compiled_passes_of_fleet(dtype)}


@cache
def compiled_gather_augmented(dtype: str) -> Kernel:
    """The pass in the place of `gather` where samples are shifted or mixed; it allocates."""
    return kernel(of(gather_augmented, dtype), EXACT, _nrt=True)(gather_augmented)


@cache
def compiled_finish(dtype: str) -> Kernel:
    """The pass that ends a step in which gradients are changed before they are used."""
    return kernel(of(finish, dtype))(finish)


@cache
def compiled_run(dtype: str) -> Any:
    """`run` compiled for one precision."""
    return taking_records(compiled(of(run, dtype), no_cfunc_wrapper=True)(run))


@cache
def compiled_evaluate(dtype: str) -> Any:
    """`evaluate` compiled for one precision."""
    return taking_records(compiled(of(evaluate, dtype), no_cfunc_wrapper=True)(evaluate))
