"""What kernels take and return: an index, a number, a vector, a block. Numba ignores annotations;
readers should not.

`numba_type` makes the types that a kernel is compiled for from these names, so that a record's
field or a kernel's signature is said once. T stands for the precision of a net, float32 or float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
from numba import types

from dlprobe.nn.records import RecordType

T = "T"  # stands in the aliases for the precision


Index: TypeAlias = Annotated[int, types.int64]  # a position, a count, a width
# where a kernel's machine code begins, see `calling`
Address: TypeAlias = Annotated[int, types.int64]
Key: TypeAlias = Annotated[Any, types.uint64]  # a seed, or one stream of random numbers
Flag: TypeAlias = Annotated[bool, types.boolean]
Number: TypeAlias = Annotated[float, types.float64]
Value: TypeAlias = Annotated[Any, T]  # one number of T
Vector: TypeAlias = Annotated[npt.NDArray[Any], T, 1]
Matrix: TypeAlias = Annotated[npt.NDArray[Any], T, 2]
Cube: TypeAlias = Annotated[npt.NDArray[Any], T, 3]
Floats: TypeAlias = Annotated[npt.NDArray[np.float64], types.float64, 1]
FloatTable: TypeAlias = Annotated[npt.NDArray[np.float64], types.float64, 2]
Integers: TypeAlias = Annotated[npt.NDArray[np.int64], types.int64, 1]
IntegerTable: TypeAlias = Annotated[npt.NDArray[np.int64], types.int64, 2]
Addresses: TypeAlias = Annotated[npt.NDArray[np.int64], types.int64, 1]
Counters: TypeAlias = Annotated[npt.NDArray[np.uint64], types.uint64, 1]
Register: TypeAlias = Any  # as many numbers of T as a vector register holds, see `vectors`
FourRegisters: TypeAlias = tuple[Register, Register, Register, Register]


def numba_type(alias: Any, scalar: Any) -> Any:
    """Numba's type of an alias above, or of a record whose fields have them, for T = `scalar`;
    arrays are row-major.
    """
    if alias is type(None):
        return types.void
    if get_origin(alias) is not Annotated:
        return record_type(alias, scalar)
    element, *rank = get_args(alias)[1:]
    kind = scalar if element is T else element
    return types.Array(kind, *rank, "C") if rank else kind


def record_type(record: Any, scalar: Any) -> RecordType:
    """The type of a record, a NamedTuple, from the annotations of its fields."""
    fields = get_type_hints(record, include_extras=True)
    return RecordType(
        record.__name__, tuple((name, numba_type(alias, scalar)) for name, alias in fields.items())
    )


def signature_of(function: Callable[..., Any], scalar: Any) -> Any:
    """What a kernel is compiled for, from its annotations."""
    hints = get_type_hints(function, include_extras=True)
    returned = hints.pop("return")
    return numba_type(returned, scalar)(*(numba_type(alias, scalar) for alias in hints.values()))
