"""Rules: diagnoses that are true. One file per rule in `catalogue/`; `judge` applies them to a run.

Three outcomes, never two: a rule fired (with findings), passed, or could not be evaluated (with the
reason). May import analysis, runs and parts besides errors, registry and config: judging a saved
run needs neither the compiled engine nor training.
"""

from dlprobe.rules.diagnosis import Action, Diagnosis, diagnose
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.judging import Judgement, Selection, all_rules, judge, read_settings
from dlprobe.rules.outcome import Finding, Fired, NotEvaluated, Outcome, Passed, Remedy
from dlprobe.rules.rule import Rule, Threshold

__all__ = [
    "Action",
    "Diagnosis",
    "Evidence",
    "Finding",
    "Fired",
    "Judgement",
    "NotEvaluated",
    "Outcome",
    "Passed",
    "Remedy",
    "Rule",
    "Selection",
    "Threshold",
    "all_rules",
    "diagnose",
    "judge",
    "read_settings",
]
