"""Reading what a stranger made: --untrusted reads in a process of its own, which ends at its
limits; --max-declared lets a large file pass the guard.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from dlprobe.commands.base.arguments import option
from dlprobe.commands.base.declaring import keyword, parameters_of, with_signature
from dlprobe.commands.base.screen import COMMON
from dlprobe.commands.base.typed_line import TYPED
from dlprobe.errors import ConfigError, ExitCode, RunFileError

GIB = 2**30
MEMORY = 4 * GIB  # bytes of addresses, most of which libraries ask for and never touch
CPU_SECONDS, SECONDS = 120, 300.0
CHILD = (
    "import resource, sys; [resource.setrlimit(kind, (most, most)) for kind, most in "
    f"((resource.RLIMIT_AS, {MEMORY}), (resource.RLIMIT_CPU, {CPU_SECONDS}), "
    "(resource.RLIMIT_CORE, 0))]; from dlprobe.commands import main; sys.exit(main())"
)

Untrusted = Annotated[
    bool,
    option(
        "--untrusted",
        "read in a process of its own, with limits of memory and time, for a file of a stranger",
        COMMON,
    ),
]
MaxDeclared = Annotated[
    float | None,
    option("--max-declared GIB", "what one file may declare to hold [default: 8]", COMMON),
]


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: give a command that only reads runs --untrusted and --max-declared."""
    own = parameters_of(function)

    def command(*, untrusted: bool, max_declared: float | None, **values: Any) -> Any:
        if untrusted:
            return _apart()
        with _allowed(max_declared):
            return function(**values)

    return with_signature(
        command,
        [*own, keyword("untrusted", Untrusted, False), keyword("max_declared", MaxDeclared, None)],
    )


@contextlib.contextmanager
def _allowed(gib: float | None) -> Iterator[None]:
    """While the block runs, one file may declare so much. Raises ConfigError for what is no
    size.
    """
    if gib is None:
        yield
        return
    from dlprobe.hdf5.guard import ALLOWED

    if not 0 < gib < 2**20:
        raise ConfigError(f"--max-declared {gib:g}: expected a size in GiB, e.g. 20")
    token = ALLOWED.set(int(gib * GIB))
    try:
        yield
    finally:
        ALLOWED.reset(token)


def _apart() -> int:
    """Run the command in a process of its own and return its exit code. Raises RunFileError where
    it reached a limit or crashed, ConfigError where there are no limits.
    """
    try:
        import resource  # noqa: F401
    except ImportError:  # Windows
        raise ConfigError(
            "--untrusted needs limits that this system does not have: leave it out"
        ) from None
    typed = list(TYPED.get())
    if "--follow" in typed:
        raise ConfigError(
            "--untrusted reads to its end and --follow waits for more: leave one of them out"
        )
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *(text for text in typed if text != "--untrusted")]
    )
    try:
        code = child.wait(SECONDS)
    except subprocess.TimeoutExpired:
        code = -signal.SIGXCPU
    except KeyboardInterrupt:
        child.wait(10)  # Ctrl-C reached it too
        return ExitCode.INTERRUPTED
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        raise RunFileError(
            f"reading took more than {CPU_SECONDS} s of processor time or {SECONDS:.0f} s, "
            "and was ended: the file is damaged or hostile"
        )
    if code < 0:
        raise RunFileError(
            f"reading crashed ({signal.Signals(-code).name}): the file is damaged or hostile"
        )
    return code
