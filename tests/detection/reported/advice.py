"""`python -m tests.detection.reported.advice`: whether what is advised holds, over every reported
case.

Of every run it counts remedies that pull one option in opposite directions, and doses against
overfitting that are weaker than those the run has. Of every ill case it trains the first action of
the diagnosis with one seed and counts which learn, and in which an error fires that was not there.

--seed 1              the seed of ill runs whose first action is trained
--cases TEXT          only cases whose name or kind holds TEXT
--no-training         only look for contradictions
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlprobe.config import RunConfig, with_values
from dlprobe.rules import Finding, judge
from dlprobe.rules.diagnosis import diagnose
from dlprobe.runs import Run
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource

from ..outcome import label, outcome
from ..training import trained_config
from .__main__ import REPORTED, run_of
from .case import Reported
from .cases import all_reported
from .data import write_reported
from .measuring import is_healthy_run

OVERFITTING = ("B002", "B003", "B005", "L007")  # rules whose remedies are doses against it
DOSES = ("dropout", "l1", "l2")


def main() -> int:
    """Train, judge, change, count, print."""
    options = parse()
    states, best = known_states(), known_best()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        made = write_reported(Path(folder))
        for case in all_reported():
            if options.cases not in f"{case.name} {case.kind}":
                continue
            run = run_of(case, options.seed, made)
            config = run.required_configuration()
            said = contradictions(config, judge(run).findings)
            counts["contradictions"] += len(said)
            print(*(f"{case.name}: {line}" for line in said), sep="\n", end="\n" * bool(said))
            healthy = (
                not case.ill
                or case.cause == "data"
                or is_healthy_run(case, states[f"{case.name}/{options.seed}"])
            )
            if not (healthy or options.no_training):
                counts.update(_acted(case, run, best[case.family]))
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.detection.reported.advice",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", default="")
    parser.add_argument("--no-training", action="store_true")
    return parser.parse_args()


def _acted(case: Reported, run: Run, best: float) -> Counter[str]:
    came, new = first_action(case, run, best)
    if came != "learned" or new:
        print(f"{case.name}: {came} {' '.join(new)}")
    return Counter({"ill runs": 1, f"first action: {came}": 1, "new errors": len(new)})


def first_action(case: Reported, run: Run, best: float) -> tuple[str, list[str]]:
    """What came of the run's first action (`no action`, or a label), and the errors that it has
    and the run had not.
    """
    judgement = judge(run)
    actions = [action for action in diagnose(run, judgement, "").actions if action.remedy.patch]
    if not actions:
        return "no action", []
    changed = Run(
        JournalContents(
            MemorySource(
                trained_config(with_values(run.required_configuration(), actions[0].remedy.patch))
            )
        )
    )
    had = {finding.code for finding in judgement.findings if finding.severity == "error"}
    new = sorted(
        {finding.code for finding in judge(changed).findings if finding.severity == "error"} - had
    )
    return label(case.cured, outcome(changed), best), new


def contradictions(config: RunConfig, findings: Sequence[Finding]) -> list[str]:
    """Options that remedies pull both ways, and doses that are weaker than the run's, one line
    each.
    """
    ways: dict[str, dict[bool, set[str]]] = {}
    found = []
    for finding in findings:
        for remedy in finding.remedies:
            for key, before, after in changed_numbers(config, remedy.patch):
                ways.setdefault(key, {}).setdefault(after > before, set()).add(finding.code)
                if key in DOSES and finding.code in OVERFITTING and after < before:
                    found.append(f"{finding.code} gives {key} {after:g} to a run with {before:g}")
    return found + [
        f"{key} up by {sorted(both[True])}, down by {sorted(both[False])}"
        for key, both in ways.items()
        if len(both) > 1
    ]


def changed_numbers(config: RunConfig, patch: Mapping[str, str]) -> list[tuple[str, float, float]]:
    """Key, number before and after of every option that a patch changes; units are added up,
    rates of two optimizers do not compare.
    """
    changed = with_values(config, patch)
    found = []
    for place in patch:
        table, _, key = place.partition(".")
        before, after = (_number(key, getattr(each, table)) for each in (config, changed))
        compared = key != "lr" or config.training.optimizer.name == changed.training.optimizer.name
        if before is not None and after is not None and before != after and compared:
            found.append((key, before, after))
    return found


def _number(key: str, table: Any) -> float | None:
    if key == "lr":
        return float(table.resolved_lr)
    if key == "layers":
        return float(sum(table.layers))
    value = getattr(table, key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def known_best() -> dict[str, float]:
    """The reachable skill of every family, as it was measured last."""
    return dict(json.loads(REPORTED.read_text(encoding="utf-8"))["best"])


def known_states() -> dict[str, str]:
    """What came of every run, as it was measured last."""
    return {
        name: row["state"]
        for name, row in json.loads(REPORTED.read_text(encoding="utf-8"))["runs"].items()
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
