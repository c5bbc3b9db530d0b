"""The table [recording]."""

from __future__ import annotations

from typing import ClassVar, Literal

from dlprobe.config.forms import Whole
from dlprobe.config.list_forms import Units
from dlprobe.config.table import AUTO, NONE, ConfigTable, option

MOST_ROWS = 100_000  # that record_every = auto leaves of a run


class RecordingConfig(ConfigTable):
    """What is recorded, and how often."""

    table: ClassVar[str] = "recording"

    record_every: int | None = option(
        Whole(1, words=AUTO),
        "auto",
        "steps from one record of the statistics to the next; auto: every step up to 100,000 "
        "rows, then as many as give that",
    )
    evaluate_every: int | Literal["never"] = option(
        Whole(1, own_words=("never",)), "1", "epochs from one evaluation to the next"
    )
    checkpoint_every: int | None = option(
        Whole(1, words=("never", "none")), "never", "steps from one checkpoint to the next"
    )
    histogram_every: int | Literal["never"] | None = option(
        Whole(1, words=AUTO, own_words=("never",)),
        "auto",
        "steps from one histogram of each layer to the next; auto: about 20 a run",
    )
    track_unit: tuple[str, ...] | None = option(
        Units(words=NONE), "none", "units whose preactivation percentiles are followed"
    )
    track_every: int | None = option(
        Whole(1, words=AUTO),
        "auto",
        "steps from one look at tracked units to the next; auto: about 200 a run",
    )
    jacobian: int | None = option(
        Whole(1, words=NONE),
        "none",
        "training samples whose input-output Jacobian is taken at each histogram",
    )
    sharpness: int | None = option(
        Whole(1, words=NONE),
        "none",
        "training samples on which the Hessian's largest eigenvalue is taken at each histogram",
    )
    mc_dropout: int | None = option(
        Whole(1, words=NONE),
        "none",
        "thinned nets whose mean output is evaluated at the end, beside the whole net",
        younger=True,
    )

    def resolved_record_every(self, steps: int) -> int:
        """`record_every`, or the smallest number that leaves `MOST_ROWS` rows of a run of so
        many steps at most.
        """
        return -(-steps // MOST_ROWS) if self.record_every is None else self.record_every
