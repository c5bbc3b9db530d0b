"""How verdicts and states are judged, the same in every report; a collapse is a warning, as its rule A003 has it."""

from __future__ import annotations

from dlprobe.render.document import Tone

VERDICT_TONES: dict[str, Tone] = {"healthy": "good", "vanishing": "bad", "exploding": "bad", "diverged": "bad", "collapsed": "warning"}
STATUS_TONES: dict[str, Tone] = {"finished": "good", "interrupted": "warning", "running": "neutral", "failed": "bad", "diverged": "bad"}
