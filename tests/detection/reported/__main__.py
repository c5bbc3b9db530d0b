"""`python -m tests.detection.reported`: train every reported case with three seeds, judge every run
by today's rules, and print who is right by kind.

--seeds 3             seeds 0 … 2 of every case
--cases TEXT          only cases whose name or kind holds TEXT
--no-cures            do not train the ill cases with their cause undone
--write               write outcomes, answers and counts to reported.json, with the date
--wrong               list every wrong answer
--check               list the runs whose outcome is not what the case says
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from dlprobe.config import from_options
from dlprobe.runs import Run
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource

from ..outcome import Outcome, best_skills, known_skill, label, to_json
from ..training import trained
from .case import ANYTHING, WELL, Answer, Reported, faults
from .cases import all_reported
from .data import write_reported
from .measuring import answer_of_today, is_healthy_run, measured_state

REPORTED = Path(__file__).parent / "reported.json"


@dataclass(frozen=True)
class Trained:
    """One run of a case: its outcome, its state by outcome alone, today's answer and what is
    wrong with it.
    """

    case: Reported
    seed: int
    outcome: Outcome
    state: str
    answer: Answer
    wrong: tuple[str, ...] = ()


def main() -> int:
    """Train, judge, count, print."""
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        made = write_reported(Path(folder))
        chosen = [case for case in all_reported() if options.cases in f"{case.name} {case.kind}"]
        cures = [] if options.no_cures else [case.cured for case in chosen if case.cure]
        runs = {
            case.name: [run_of(case, seed, made) for seed in range(options.seeds)]
            for case in (*chosen, *cures)
        }
        best = reachable([*chosen, *cures], runs, made, whole=not options.cases)
    results = [
        judged(case, seed, runs[case.name][seed], best[case.family])
        for case in (*chosen, *cures)
        for seed in range(options.seeds)
    ]
    cured, results = results[len(chosen) * options.seeds :], results[: len(chosen) * options.seeds]
    print(table(results))
    if options.wrong:
        print(
            *(
                f"{each.case.name} seed {each.seed}: {'; '.join(each.wrong)}"
                for each in results
                if each.wrong
            ),
            sep="\n",
        )
    if options.check:
        print(*unexpected(results, cured, best), sep="\n")
    if options.write:
        REPORTED.write_text(document(results, cured, best, options.seeds), encoding="utf-8")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.detection.reported",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cases", default="")
    for flag in ("--no-cures", "--write", "--wrong", "--check"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def options_of(case: Reported, made: Path) -> dict[str, str]:
    """The case's options, with the data sets where `made` has them."""
    return {key: text.replace("{made}", str(made)) for key, text in case.options.items()}


def run_of(case: Reported, seed: int, made: Path) -> Run:
    """A fresh run of the case."""
    return Run(JournalContents(MemorySource(trained(options_of(case, made), seed))))


def reachable(
    cases: Sequence[Reported], runs: dict[str, list[Run]], made: Path, whole: bool
) -> dict[str, float]:
    """The reachable skill of every family, of these runs and of the last whole measurement
    where these are a part.
    """
    first = {case.family: case for case in reversed(cases)}
    known = {
        family: known_skill(from_options(None, {**options_of(case, made), "seed": "0"}))
        for family, case in first.items()
    }
    if not whole and REPORTED.exists():
        committed = json.loads(REPORTED.read_text(encoding="utf-8"))["best"]
        known = {
            family: max(reach, committed.get(family, reach)) for family, reach in known.items()
        }
    skills = {
        case.name: [measured_state(case, run, 1.0)[1].skill for run in runs[case.name]]
        for case in cases
    }
    return best_skills(cases, skills, known)


def judged(case: Reported, seed: int, run: Run, best: float) -> Trained:
    """What came of a run and what is wrong with today's answer."""
    came_of_it, found = measured_state(case, run, best)
    answer = answer_of_today(run)
    as_judged = case
    if case.ill and is_healthy_run(case, came_of_it):
        as_judged = replace(case, states=(WELL,), cause="", must=(), must_not=ANYTHING, may=())
    return Trained(case, seed, found, came_of_it, answer, tuple(faults(as_judged, answer)))


def unexpected(
    results: Sequence[Trained], cured: Sequence[Trained], best: dict[str, float]
) -> list[str]:
    """Runs whose outcome is none of the states that their case allows."""
    return [
        (
            f"{each.case.name} seed {each.seed}: {each.state} (skill {each.outcome.skill:.3g} of "
            f"{best[each.case.family]:.3g}, excess {each.outcome.excess:.3g})"
        )
        for each in (*results, *cured)
        if each.state not in each.case.states
    ]


def table(results: Sequence[Trained]) -> str:
    """Right answers by kind, ill and healthy apart."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for each in results:
        half = "healthy" if is_healthy_run(each.case, each.state) else "ill"
        for kind in (each.case.kind, "all"):
            counts[kind][f"{half} runs"] += 1
            counts[kind][f"{half} right"] += not each.wrong
            counts[kind][f"{half} state"] += not any(
                line.startswith("state") for line in each.wrong
            )
    lines = [
        f"{'kind':42}{'ill: right':>12}{'state right':>13}{'healthy: right':>16}{'state right':>13}"
    ]
    for kind in sorted(counts, key=lambda kind: (kind == "all", kind)):
        cells = [
            f"{counts[kind][f'{half} {what}']}/{counts[kind][f'{half} runs']}"
            for half in ("ill", "healthy")
            for what in ("right", "state")
        ]
        lines.append(f"{kind:42}{cells[0]:>12}{cells[1]:>13}{cells[2]:>16}{cells[3]:>13}")
    return "\n".join(lines)


def document(
    results: Sequence[Trained], cured: Sequence[Trained], best: dict[str, float], seeds: int
) -> str:
    """Everything as JSON, one line per run."""
    counts = {"runs": len(results), "right": sum(not each.wrong for each in results)}
    head = {
        "schema": "dlprobe-reported/1",
        "date": date.today().isoformat(),
        "seeds": seeds,
        "counts": counts,
        "best": {key: to_json(best[key]) for key in best},
    }
    lines = [
        f"  {json.dumps(f'{each.case.name}/{each.seed}')}: {json.dumps(_row(each, best))}"
        for each in (*results, *cured)
    ]
    return json.dumps(head, indent=1)[:-2] + ',\n "runs": {\n' + ",\n".join(lines) + "\n }\n}\n"


def _row(each: Trained, best: dict[str, float]) -> dict[str, Any]:
    found = {"skill": to_json(each.outcome.skill), "excess": to_json(each.outcome.excess)}
    said = {
        "answer": each.answer.state,
        "codes": [f"{code} {severity}" for code, severity in each.answer.codes],
    }
    return {
        "state": each.state,
        "label": label(each.case, each.outcome, best[each.case.family]),
        **found,
        **said,
        "wrong": list(each.wrong),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
