"""The command line: one file per subcommand, found by walking this folder; `base` holds what
several of them share.

The only folder that imports typer; may import everything, and nothing imports it. A subcommand is a
module with a docstring (its first line is the short help, its `Examples:` are run by the tests) and
a function `command(..., screen)` that returns an exit code or None. One with helpers of its own is
a package of its name.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence

# Objects between two searches for circular garbage. Python's own 700 cost an eighth of a short
# command: imports make many objects, and none of them is garbage.
SEARCH_EVERY = 50_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (`argv` without the program's name; None: the process's own) and
    return the exit code.
    """
    from dlprobe import interrupts

    own_process = argv is None
    if own_process:
        gc.set_threshold(SEARCH_EVERY)
    try:
        with interrupts.answering(own_process):  # before all that takes time
            from dlprobe.commands.base.application import run

            code = int(run(argv))
    except KeyboardInterrupt:
        code = interrupts.last_word()
    if own_process:
        gc.freeze()  # the interpreter would search all of it once more when it ends
    return interrupts.leave(code)
