"""The command line: one file per subcommand, found by walking this folder; `base` holds what
several of them share.

The only folder that imports typer; may import everything, and nothing imports it. A subcommand is a
module with a docstring (its first line is the short help, its `Examples:` are run by the tests) and
a function `command(..., screen)` that returns an exit code or None. One with helpers of its own is
a package of its name.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (`argv` without the program's name; None: the process's own) and
    return the exit code.
    """
    from dlprobe import interrupts

    try:
        with interrupts.answering(own_process=argv is None):  # before all that takes time
            from dlprobe.commands.base.application import run

            code = int(run(argv))
    except KeyboardInterrupt:
        code = interrupts.last_word()
    return interrupts.leave(code)
