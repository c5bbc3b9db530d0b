"""Calling a kernel by its address, so that the training loop is compiled once for all kernels.

Numba's own first-class functions do the same, but need tuples of fixed length, copy three words per
function wherever the tuple goes, and compile two ways of calling at every call: 3 more seconds on a
cold cache and 15 % of a small net's step. An address is one number; what stands at it is a kernel's
C entry, whose argument types are those of the call, so callers must keep to the signatures of
`kernels`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from dlprobe.nn.cache import SUMS, compiled, from_cache_only


class Kernel:
    """A compiled function that compiled code calls by its address. Python may call it too, through
    a function that is compiled when that happens first: an entry for Python in every kernel would
    take 50 to 100 ms each on a cold cache, and hardly one is called from there.

    `role` is the name of the function it was made of, `name` that and what tells it from every
    other.
    """

    def __init__(self, dispatcher: Any, signature: Any) -> None:
        self.overloads, self._signature = dispatcher.overloads, signature
        self.role, self.name = dispatcher.__name__, dispatcher.__qualname__

    def __call__(self, *arguments: Any) -> Any:
        return _entry(self._signature)(address(self), arguments)


def kernel(
    signature: Any, flags: set[str] = SUMS, of: str = "", **options: bool
) -> Callable[[Callable[..., Any]], Kernel]:
    """Decorator: `compiled` for a function that is called by its address."""
    return lambda function: Kernel(
        compiled(signature, flags, of, no_cpython_wrapper=True, **options)(function), signature
    )


_libraries: dict[str, Any] = {}  # by symbol
_symbols: dict[int, str] = {}  # by address


@cache
def address(kernel: Any) -> int:
    """The C entry of an eagerly compiled kernel. It lives as long as the kernel does; remembered,
    as asking costs 60 µs and a net asks a dozen times.

    LLVM finds it by its symbol. Raises RuntimeError where another library has that symbol, or
    another symbol that address: it could be another's code.
    """
    (result,) = kernel.overloads.values()
    symbol = result.fndesc.llvm_cfunc_wrapper_name
    pointer = int(result.library.get_pointer_to_function(symbol))
    if (
        not pointer
        or _libraries.setdefault(symbol, result.library) is not result.library
        or _symbols.setdefault(pointer, symbol) != symbol
    ):
        raise RuntimeError(
            f"{symbol} at {pointer:#x} may be another kernel's code, of "
            f"{_libraries.get(symbol)} or {_symbols.get(pointer)}"
        )
    return pointer


def _caller(returned: Any) -> Any:
    @intrinsic
    def invoke(typing: Any, target: Any, arguments: Any) -> Any:
        """Call the kernel at the address `target` (int64) with a tuple of arguments."""
        kinds = list(arguments.types)

        def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            entry = ir.FunctionType(
                context.get_value_type(returned), [context.get_value_type(kind) for kind in kinds]
            )
            function = builder.inttoptr(values[0], entry.as_pointer())
            result = builder.call(
                function, [builder.extract_value(values[1], k) for k in range(len(kinds))]
            )
            return context.get_dummy_value() if returned == types.none else result

        return returned(target, arguments), codegen

    return invoke


invoke = _caller(types.none)
invoke_for_number = _caller(types.float64)


def enter(target: Any, arguments: Any) -> None:
    invoke(target, arguments)


def enter_for_number(target: Any, arguments: Any) -> Any:
    return invoke_for_number(target, arguments)


@cache
def _entry(signature: Any) -> Any:
    """What calls, for Python, the kernels of one signature: (address, tuple of arguments)."""
    function = enter if signature.return_type == types.none else enter_for_number
    with from_cache_only(False):
        return compiled(
            signature.return_type(types.int64, types.Tuple(signature.args)), no_cfunc_wrapper=True
        )(function)


@intrinsic
def whole_registers(typing: Any) -> Any:
    """Let LLVM fill 64-byte registers in the function that says so; left to itself it stops at
    32 bytes on processors before Sapphire Rapids.
    """

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), codegen
