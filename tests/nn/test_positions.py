"""The arrays that kernels share have a name for every position, and every field of a record
says what it is.
"""

from __future__ import annotations

import ast
import inspect
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from numba import types

import dlprobe
from dlprobe.nn import model, positions
from dlprobe.nn.shapes import (
    Counters,
    Cube,
    Floats,
    Index,
    Matrix,
    Number,
    Value,
    Vector,
    numba_type,
    signature_of,
)

NN = Path(dlprobe.__file__).parent / "nn"
# Arrays with a meaning of its own at every position, by the names that kernels and Python give
# them.
RECORDS = {
    "sums",
    "counter",
    "slopes",
    "place",
    "scalar",
    "scalars",
    "statistics",
    "of_layer",
    "of_step",
    "constants",
    "learned",
    "gradient",
    "layer",
    "op",
}
STATES = {"state"}  # of operations with a few numbers: those with some per unit slice by `units`


def bare(index: ast.expr) -> bool:
    """Whether an integer stands in an index, alone or among others."""
    if isinstance(index, ast.UnaryOp):
        return bare(index.operand)
    if isinstance(index, ast.Slice):
        return any(bare(bound) for bound in (index.lower, index.upper) if bound is not None)
    if isinstance(index, ast.Tuple | ast.List):
        return any(map(bare, index.elts))
    if isinstance(index, ast.IfExp):
        return bare(index.body) or bare(index.orelse)
    return isinstance(index, ast.Constant) and type(index.value) is int


def bare_subscripts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Name)
            and node.value.id in RECORDS | STATES
            and bare(node.slice)
        ):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def test_no_position_of_a_record_is_a_bare_number() -> None:
    found = [
        f"{path.name} {one}"
        for path in sorted(NN.rglob("*.py"))
        for one in bare_subscripts(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "sums[2]",
        "counter[3] != 0",
        "slopes[:1]",
        "sums[[2, 3]]",
        "scalars[-1, BATCH_LOSS]",
        "learned[0 if shared else j]",
    ],
)
def test_a_bare_number_is_seen(text: str) -> None:
    assert list(bare_subscripts(ast.parse(text)))


@pytest.mark.parametrize(
    "text",
    [
        "sums[SUM_G]",
        "x.shape[1]",
        "rows[0]",
        "statistics[index - 1, UNDERFLOW_COUNT]",
        "state[units : 2 * units]",
    ],
)
def test_a_named_position_is_none(text: str) -> None:
    assert not list(bare_subscripts(ast.parse(text)))


GROUPS = [
    (
        positions.UPDATE_SUMS,
        "SUM_G SUM_ABS_G SUM_G_SQUARED SUM_W_SQUARED MAX_ABS_W ZERO_WEIGHTS SUM_CHANGE_SQUARED",
    ),
    (positions.COUNTERS, "SEED LAYER STEP TRAINING"),
    (positions.SLOPE_SUMS, "SUM_SLOPE_SQUARED FLAT_ELEMENTS DEFINED"),
    (positions.PLACES, "DELTA"),
]


@pytest.mark.parametrize(("length", "names"), GROUPS)
def test_every_position_of_an_array_has_one_name(length: int, names: str) -> None:
    assert sorted(getattr(positions, name) for name in names.split()) == list(range(length))


def comments_of(record: type) -> dict[str, str]:
    """By field, the comment on its line or above it."""
    found, names = {}, list(record.__annotations__)
    lines = inspect.getsource(record)
    fields = {
        node.lineno: node.target.id
        for node in ast.walk(ast.parse(lines))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    above = ""
    for token in tokenize.generate_tokens(io.StringIO(lines).readline):
        if token.type == tokenize.COMMENT and token.start[0] in fields:
            found[fields[token.start[0]]] = token.string
        elif token.type == tokenize.COMMENT:
            above = above or token.string
        elif token.type == tokenize.NEWLINE:
            if above and token.start[0] in fields:
                found[fields[token.start[0]]] = above
            above = ""
    assert names == list(fields.values())
    return found


@pytest.mark.parametrize("record", [model.Net, model.Kernels, model.Work])
def test_every_field_says_what_it_is(record: Any) -> None:
    """And an array, what its axes are."""
    comments = comments_of(record)
    assert set(comments) == set(record._fields)
    arrays = [
        name
        for name, alias in get_type_hints(record, include_extras=True).items()
        if len(get_args(alias)) > 2
    ]
    assert [name for name in arrays if not comments[name].startswith("# (")] == []


def kernel(
    net: model.Net,
    index: Index,
    x: Matrix,
    b: Vector,
    counter: Counters,
    sums: Floats,
    cube: Cube,
    scale: Value,
) -> Number: ...


@pytest.mark.parametrize("scalar", [types.float32, types.float64])
def test_a_signature_is_what_the_annotations_say(scalar: Any) -> None:
    signature = signature_of(kernel, scalar)
    assert signature.return_type == types.float64
    expected = (
        types.int64,
        scalar[:, ::1],
        scalar[::1],
        types.uint64[::1],
        types.float64[::1],
        scalar[:, :, ::1],
        scalar,
    )
    assert signature.args[1:] == expected
    assert [name for name, _ in signature.args[0].fields] == list(model.Net._fields)
    assert dict(signature.args[0].fields)["deltas"] == scalar[:, ::1]
    assert numba_type(type(None), scalar) == types.void


def test_python_makes_the_counter_that_kernels_read() -> None:
    from dlprobe.nn.random import counter_of, operation_key

    counter = counter_of(7, 2, 5, True)
    assert (counter.dtype, counter.tolist()) == (np.uint64, [7, 2, 5, 1])
    with np.errstate(over="ignore"):
        assert operation_key(counter, np.uint64(3)) != operation_key(
            counter_of(7, 5, 2, True), np.uint64(3)
        )
