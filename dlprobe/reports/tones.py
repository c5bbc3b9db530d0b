"""How verdicts and states are judged, the same in every report; a collapse is a warning, as its
rule A003 has it.

Green is for a run that learned well: that an error signal stays level over depth, or that a run
came to its end, is no praise.
"""

from __future__ import annotations

from dlprobe.render.document import Tone

VERDICT_TONES: dict[str, Tone] = {
    "level": "neutral",
    "vanishing": "bad",
    "exploding": "bad",
    "diverged": "bad",
    "collapsed": "warning",
    "not evaluated": "neutral",
}
STATE_TONES: dict[str, Tone] = {  # from the best to the worst
    "learned well": "good",
    "before training": "neutral",
    "not evaluated": "warning",
    "interrupted": "warning",
    "too short to tell": "warning",
    "learned in part": "warning",
    "learned and lost": "bad",
    "did not learn": "bad",
    "diverged": "bad",
}
STATUS_TONES: dict[str, Tone] = {
    "finished": "neutral",
    "interrupted": "warning",
    "running": "neutral",
    "failed": "bad",
    "diverged": "bad",
}
# what keeps an error signal from its way
BROKEN = tuple(name for name, tone in VERDICT_TONES.items() if tone != "neutral")
