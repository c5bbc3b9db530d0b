"""Ctrl-C and SIGTERM: the program ends within about a second of them, whatever it does, with one
line and exit code 130.

Python runs a signal's handler in the main thread, between two of its own instructions: while LLVM
compiles, or a library reads a file, that may take long.
So the handler raises KeyboardInterrupt where it can, compilation runs in a thread that the main
thread need not wait for (`apart`), and a watchdog, which the system tells of the signal at once,
ends the process where the main thread has not done so in GRACE seconds, unless it writes
(`protected`) or ends in order (`orderly`): a run that is recorded is packed. Everybody may import
this; it imports nothing that takes time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")
CODE = 130  # `errors.ExitCode.INTERRUPTED`, which is not imported yet where this is needed first
GRACE = 0.8  # seconds from the signal to the end of the process
LOOK = 0.02  # seconds between two looks
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _State:
    """What the handler, the watchdog and the threads tell each other."""

    users = 0  # commands and training loops that answer signals
    asked = 0  # signals since the first of them began
    orderly = 0  # of these, training loops that end by themselves after the first signal
    protected = 0  # stretches of writing
    raised = False  # a KeyboardInterrupt was raised: what fails from here on fails for it
    ending = False  # the last line is being said: nothing may raise any more
    abandoned = False  # a thread that compiles was left to itself
    own_process = False
    began = 0.0  # when the last command did, of time.perf_counter
    compiling: set[int]  # threads that compile


_state = _State()
_state.compiling = set()


def asked() -> bool:
    """Whether the running command was asked to end, by Ctrl-C or SIGTERM."""
    return _state.asked > 0


def raised() -> bool:
    """Whether a signal has raised KeyboardInterrupt: whatever error arrives then, it may be
    what a library made of that.
    """
    return _state.raised


def began() -> float:
    """When the command that runs began, of time.perf_counter; 0 where none has."""
    return _state.began


def notice() -> None:
    """Count a signal."""
    _state.asked += 1


@contextlib.contextmanager
def answering(own_process: bool) -> Iterator[None]:
    """The signals answered while a command runs. own_process: it is all that the process does, so
    the process may be ended under it.

    Where that is not so, or outside the main thread, what others have set comes back, or stays.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _state.own_process, _state.ending, _state.raised, _state.abandoned = (
        own_process,
        False,
        False,
        False,
    )
    _state.began = time.perf_counter()
    for number in SIGNALS:
        # a shell's background job leaves Ctrl-C to the job in front
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, _raise)
    if own_process:
        _watch()
    try:
        with _counting():
            yield
    finally:
        said()
        for number, handler in before.items():
            # what comes while the interpreter shuts down is too late
            signal.signal(number, signal.SIG_IGN if own_process else handler)
        if own_process and hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0.0)


@contextlib.contextmanager
def orderly() -> Iterator[None]:
    """A training loop that takes the first signal as a request and ends in order, however long
    that takes.
    """
    with _counting():
        _state.orderly += 1
        try:
            yield
        finally:
            _state.orderly -= 1


@contextlib.contextmanager
def protected() -> Iterator[None]:
    """Inside, something is written that must become whole: the process is not ended under it."""
    _state.protected += 1
    try:
        yield
    finally:
        _state.protected -= 1


@contextlib.contextmanager
def _counting() -> Iterator[None]:
    """Signals are counted anew when nobody else counts."""
    if _state.users == 0:
        _state.asked = 0
    _state.users += 1
    try:
        yield
    finally:
        _state.users -= 1
        if _state.users == 0:
            _state.asked = 0


def said() -> None:
    """The command says its last line: from here on signals are too late to raise."""
    _state.ending = True


def leave(code: int) -> int:
    """The exit code of the process. After an interrupt it ends here: the interpreter would wait for
    threads that compile, or tear down under them, and give itself another code where the interrupt
    came in the middle of an `exec`.
    """
    if _state.own_process and (_state.raised or _state.abandoned):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)
    return code


def last_word() -> int:
    """Say that the command was interrupted, without anything that could take time or fail; the
    exit code.
    """
    clear = b"\r\x1b[K" if os.isatty(2) else b""  # a progress line
    with contextlib.suppress(OSError):
        os.write(2, clear + b"error: interrupted\n")
    return CODE


def _raise(number: int, frame: FrameType | None) -> None:
    """The handler. An exception in the middle of an import may come out as any other, with a
    traceback: then it waits for the end of the import.
    """
    if number in SIGNALS:
        notice()
    if _state.ending:
        return
    if _state.own_process and importing(frame) and hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, _raise)
        signal.setitimer(signal.ITIMER_REAL, LOOK)
        return
    _state.raised = True
    raise KeyboardInterrupt


def importing(frame: FrameType | None) -> bool:
    """Whether a frame, or one that called it, is part of an import."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _watch() -> None:
    """Start the watchdog: the system writes the number of every signal into a pipe, whatever
    the main thread does.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    sys.unraisablehook = _unraisable
    with contextlib.suppress(RuntimeError):  # no more threads: signals wait for the main one then
        threading.Thread(target=_watchdog, args=(reading,), name="interrupts", daemon=True).start()


def _watchdog(pipe: int) -> None:
    signals = 0  # counted here too: the handler may not have run yet
    while told := os.read(pipe, 1):
        if told[0] not in SIGNALS:
            continue
        signals += 1
        if _state.orderly and signals == 1:
            continue
        since = time.monotonic()
        while time.monotonic() - since < GRACE:
            time.sleep(LOOK)
            if _state.protected:
                since = time.monotonic()
        os._exit(CODE if _state.ending else last_word())


def _unraisable(problem: Any) -> None:
    """An interrupt in a destructor or callback is not raised but printed by Python; the
    watchdog ends the process all the same.
    """
    if not isinstance(problem.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(problem)


def apart(function: Callable[[], T]) -> T:
    """The result of `function`, which compiles. In the main thread it runs in another one, so that
    a signal is answered at once: KeyboardInterrupt.

    In other threads, and in the middle of an import, whose lock the other thread may need, it runs
    where it is called.
    """
    if threading.current_thread() is not threading.main_thread() or importing(sys._getframe()):
        return _marked(function)
    box: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            box.append(_marked(function))
        except BaseException as error:
            errors.append(error)
        finally:
            ended.set()

    ended = threading.Event()
    thread = threading.Thread(
        target=copy_context().run, args=(work,), name="compiling", daemon=True
    )
    try:
        thread.start()
    except RuntimeError:  # no more threads: a signal waits until all is compiled
        return _marked(function)
    try:
        while not ended.wait(0.1):
            if asked():
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        abandon()
        raise
    if errors:
        raise errors[0]
    return box[0]


def abandon() -> None:
    """Leave the threads that compile to themselves: the process ends without them."""
    _state.abandoned = True


def _marked(function: Callable[[], T]) -> T:
    thread = threading.get_ident()
    outermost = thread not in _state.compiling
    _state.compiling.add(thread)
    try:
        return function()
    finally:
        if outermost:
            _state.compiling.discard(thread)


def compiles(thread: int) -> bool:
    """Whether a thread, by its `threading.get_ident()`, compiles."""
    return thread in _state.compiling
