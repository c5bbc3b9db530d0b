"""What `dlprobe.open_run` and `dlprobe.open_study` return, and the way in which another program
writes a run.

May import everything but `commands`. `dlprobe` hands these names out at its top level, loaded when
they are first used.
"""

from dlprobe.api.opening import Run, Study, open_run, open_study
from dlprobe.api.writing import LayerFacts, RunDescription, RunFacts, RunWriter, create_run

__all__ = [
    "LayerFacts",
    "Run",
    "RunDescription",
    "RunFacts",
    "RunWriter",
    "Study",
    "create_run",
    "open_run",
    "open_study",
]
