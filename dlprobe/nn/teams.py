"""One net on several cores: compiled code that trains it hands out parts of its large products and
of its large updates to helpers, threads that run `assist` meanwhile.

How a layer is cut depends on its shape alone, never on how many threads there are: a product into
columns (or, of dL/dW, rows) of tiles, each number of which is one chain of multiply-adds as it
always was; an update into parts of the weights, whose sums are joined in their order. So the same
bits come out whoever made which part, and with one thread too.

The master, the thread that runs the block, writes a task (its kernel, and a record of arrays) into
the team's words and opens it by one atomic store: TICKET = number of the task · 2³² + parts left.
Whoever wants a part, the master too, counts TICKET down by compare-and-exchange; having got one it
may rely on the record, since the master writes the next task only when DONE says that all parts of
this one are made. An exchange with an old ticket fails, as the task's number has changed.

So nobody has to come. Where helpers have no core, or there are none (a forked child, one
processor), the master makes all parts itself, and it waits only for parts that somebody has begun.
A helper that finds none gives its core away at once (sched_yield), and after SPINS looks sleeps
between them, so a busy neighbour costs a helper, not the net. BLOCK is odd while a block of steps
runs: a helper leaves when it is over, or has not begun in time. Nothing is waited for in Python.
"""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from dlprobe.nn.cache import EXACT, compiled, inlined
from dlprobe.nn.calling import invoke
from dlprobe.nn.records import taking_records
from dlprobe.nn.shapes import Index, Integers, signature_of
from dlprobe.nn.subnormals import flush_subnormals, restore

AVAILABLE = os.name == "posix"  # has sched_yield and usleep
# Words of a team: those that several threads write lie in cache lines of their own. The addresses
# of the kernels that make parts are written once, with the address of the record.
TICKET, DONE, BLOCK, TASK, RECORD = 0, 8, 16, 24, 25
PRODUCT, PRODUCT_WITH_TRANSPOSED, TRANSPOSED_PRODUCT, UPDATE = range(26, 30)
ARGUMENTS, WORDS = 32, 64
LEFT = 2**32 - 1  # the bits of TICKET that count parts
# looks for a task in a row without sleeping; then microseconds between them
SPINS, SLEEP = (2000, 50)
MOST_HELPERS = 63
PATIENCE = 1000  # looks of a helper whose block has not begun


def _word(builder: Any, context: Any, signature: Any, values: Any) -> Any:
    """A pointer to one word of a team."""
    return builder.gep(
        context.make_array(signature.args[0])(context, builder, values[0]).data, [values[1]]
    )


@intrinsic
def look(typing: Any, team: Any, at: Any) -> Any:
    """The word `at` as it is now; what other threads wrote before it is seen from here on."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load_atomic(_word(builder, context, signature, values), "seq_cst", 8)

    return types.int64(team, types.int64), code


@intrinsic
def tell(typing: Any, team: Any, at: Any, value: Any) -> Any:
    """Set the word `at`, after all that this thread wrote before."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store_atomic(values[2], _word(builder, context, signature, values), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(team, types.int64, types.int64), code


@intrinsic
def increase(typing: Any, team: Any, at: Any) -> Any:
    """Add 1 to the word `at`."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        one = ir.Constant(ir.IntType(64), 1)
        builder.atomic_rmw("add", _word(builder, context, signature, values), one, "seq_cst")
        return context.get_dummy_value()

    return types.void(team, types.int64), code


@intrinsic
def exchange(typing: Any, team: Any, at: Any, old: Any, new: Any) -> Any:
    """Set the word `at` from `old` to `new`; whether it was `old`."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _word(builder, context, signature, values)
        changed = builder.cmpxchg(pointer, values[2], values[3], "seq_cst", "seq_cst")
        return builder.extract_value(changed, 1)

    return types.boolean(team, types.int64, types.int64, types.int64), code


@intrinsic
def write(typing: Any, team: Any, record: Any) -> Any:
    """A record, given as a tuple of its fields, into the words from ARGUMENTS on; see `records`."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        words: list[Any] = []
        for k, kind in enumerate(signature.args[1].types):
            value = builder.extract_value(values[1], k)
            if isinstance(kind, types.Array):
                array = context.make_array(kind)(context, builder, value)
                words.append(builder.ptrtoint(array.data, ir.IntType(64)))
                words += [builder.extract_value(array.shape, axis) for axis in range(kind.ndim)]
            else:
                words.append(value)
        for k, word in enumerate(words):
            at = ir.Constant(ir.IntType(64), ARGUMENTS + k)
            builder.store(word, _word(builder, context, signature, (values[0], at)))
        return context.get_dummy_value()

    return types.void(team, record), code


_give_core_away = types.ExternalFunction("sched_yield", types.int32())
_sleep = types.ExternalFunction("usleep", types.int32(types.uint32))


@inlined(EXACT)
def take(team: Integers) -> Index:
    """The number of a part that nobody else makes; −1 where none is left."""
    ticket = look(team, TICKET)
    while ticket & LEFT:
        if exchange(team, TICKET, ticket, ticket - 1):
            return (ticket & LEFT) - 1
        ticket = look(team, TICKET)
    return -1


@inlined(EXACT)
def make_parts(team: Integers) -> Index:
    """Make parts as long as there are any; how many."""
    made = 0
    part = take(team)
    while part >= 0:
        invoke(team[TASK], (team[RECORD], part))
        increase(team, DONE)
        made += 1
        part = take(team)
    return made


@inlined(EXACT)
def share(team: Integers, kernel: Index, parts: Index, record: tuple[Any, ...]) -> None:
    """Have all `parts` of a task made by the kernel whose address is the word `kernel`, with the
    fields of its record.
    """
    write(team, record)
    team[TASK] = team[kernel]
    tell(team, DONE, 0)
    tell(team, TICKET, (((look(team, TICKET) >> 32) + 1) << 32) + parts)
    make_parts(team)
    while look(team, DONE) < parts:
        _give_core_away()


@inlined(EXACT)
def change_block(team: Integers) -> None:
    """At the beginning of a block of steps, and at its end."""
    if len(team) > 0:
        increase(team, BLOCK)


def assist(team: Integers, block: Index) -> Index:
    """Help in the block that begins as BLOCK becomes `block`, until it is over; how many parts
    were made.
    """
    before = flush_subnormals()
    made = idle = 0
    now = look(team, BLOCK)
    while now == block or (now < block and idle < PATIENCE):
        some = make_parts(team) if now == block else 0
        made += some
        idle = 0 if some > 0 else idle + 1
        if idle < SPINS:
            _give_core_away()
        else:
            _sleep(np.uint32(SLEEP))
        now = look(team, BLOCK)
    restore(before)
    return made


@cache
def compiled_assist() -> Any:
    signature = signature_of(assist, types.float32)
    return taking_records(compiled(signature, EXACT, no_cfunc_wrapper=True)(assist))


@cache
def _helpers(process: int) -> ThreadPoolExecutor:
    """The threads that help, of this process: a forked child has none of its parent's."""
    return ThreadPoolExecutor(MOST_HELPERS, thread_name_prefix="helper")


def new_words(kernels: dict[int, int]) -> npt.NDArray[np.int64]:
    """The words of a team; kernels: the address of each kernel by its word."""
    raw = np.zeros(WORDS + 8, np.int64)
    words = raw[-raw.ctypes.data % 64 // 8 :][:WORDS]
    for word, address in kernels.items():
        words[word] = address
    words[RECORD] = words[ARGUMENTS:].ctypes.data
    return words


def call_helpers(words: npt.NDArray[np.int64], threads: int) -> None:
    """`threads` − 1 of them, MOST_HELPERS at most, for the block of steps that is about to begin.
    Where the system gives no more threads, those that there are must do.
    """
    if threads < 2:
        return
    helper, block = compiled_assist(), int(words[BLOCK]) + 1
    with contextlib.suppress(RuntimeError):
        for _ in range(min(threads - 1, MOST_HELPERS)):
            _helpers(os.getpid()).submit(helper, words, block)
