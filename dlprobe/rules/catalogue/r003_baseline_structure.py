"""The run is another experiment than the baseline: other layers, other data or another
configuration.

What it looks for: differences in the layers (names, units, activations, normalizations), in the
data, and in the configuration apart from seeds, threads and what is recorded.

Why it hurts: numbers of different experiments cannot be told apart from a regression; a baseline
that was made with another configuration guards nothing.

How it is measured: layer tables and configurations are compared as they stand in the files; data by
the SHA-256 fingerprint of the prepared arrays, for runs whose split has the same seed. One finding
names what differs and the first changed keys.

When it stays silent: everything is the same in at least one run of the baseline. Not evaluated
without a baseline.

What to try: set the changed keys back; make new baseline runs where the change is meant; --ignore
R003 where the comparison across configurations is what you want to see.

References: ours; what makes runs comparable follows Pineau et al. 2021, J. Mach. Learn. Res.
    22:164, the reproducibility checklist.
"""

from __future__ import annotations

from dlprobe.analysis.comparing.baseline import (
    configuration_changes,
    put_back,
    structure_differences,
)
from dlprobe.registry import first_of
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.outcome import Outcome, Passed, Remedy, one_finding
from dlprobe.rules.rule import Settings, Threshold, register


def check(evidence: Evidence, settings: Settings) -> Outcome:
    comparison = evidence.require_comparison()
    differ = structure_differences(comparison)
    if not differ:
        return Passed()
    keys = configuration_changes(comparison.new[0].configuration, comparison.old[0].configuration)
    shown = int(settings["shown"])
    changed = f" ({first_of(keys, shown, '; ')})" if keys else ""
    back = put_back(comparison.new[0].configuration, comparison.old[0].configuration)
    told = ", ".join(
        f"{value} for {key.partition('.')[2].replace('_', ' ')}" for key, value in back.items()
    )
    remedies = (Remedy(back, f"the baseline has {told}"),) if 0 < len(back) <= shown else ()
    return one_finding(
        float(len(differ)),
        0.0,
        f"not the experiment of the baseline: other {' and '.join(differ)}{changed}",
        remedies=remedies,
    )


register(
    "R003",
    "baseline_structure",
    "error",
    __doc__,
    check,
    needs=("name", "units", "activation", "normalization", "fingerprint", "config"),
    thresholds=[
        Threshold(
            "shown",
            4,
            "changed keys that the finding names",
            low=1,
            origin="choice: one line of output",
        )
    ],
    symptom=True,
)
