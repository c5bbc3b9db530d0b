"""When the error signal of a net that began ill came within the band: a profile that vanishes
at step 0 is a measurement, not the run's fate.
"""

from __future__ import annotations

import math

from dlprobe.analysis.profiles.depth_profiles import BROKEN
from dlprobe.analysis.profiles.development import changes, course
from dlprobe.analysis.profiles.run_profile import RunProfile
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import NotEvaluableError
from dlprobe.runs import Run


def healed_step(run: Run, profile: RunProfile | None) -> int | None:
    """First step from which the error signal, broken at the start, stayed within the band for a
    while; None where it began unbroken or never came back. Raises RunFileError.
    """
    if profile is None or profile.first.verdict.verdict not in BROKEN or len(run.hidden_layers) < 2:
        return None
    try:
        signal = Evidence(run).series("error_signal_rms")
    except NotEvaluableError:
        return None
    first, last = (signal.mean[:, run.hidden_layers[end]] for end in (0, -1))
    healed, _ = changes(course(signal.steps, first, last), profile.first.verdict.band)
    return None if math.isnan(healed) else int(healed)
