"""`python -m tests.detection`: train every case with every seed, judge every run, and count.

--seeds 5             seeds 0 … 4 of every case
--cases TEXT          only cases whose name holds TEXT
--half tuned          only one half: tuned or untouched
--folder DIR          where runs are kept; what is there is not trained again
--forget              do not keep runs
--only-labels         train and label, do not judge
--write               write the labels to outcomes.json and the counts to results.json
--json                print the counts as JSON
--misses              list every ill run that was not named and every accused run that learned
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
import warnings
from pathlib import Path

from dlprobe.config import from_options

from .cases import Case, all_cases
from .datasets import write_all
from .outcome import Outcome, best_skills, known_skill, label, outcome, to_json
from .scoring import Judged, document, judged, table
from .training import options_of, run_of

HERE = Path(__file__).parent
OUTCOMES = HERE / "outcomes.json"
RESULTS = HERE / "results.json"
Ends = dict[str, list[Outcome]]
Said = tuple[list[tuple[str, str]], dict[str, str]]


def main() -> int:
    """Train, judge, count, print."""
    options = parse()
    folder: Path = options.folder
    write_all(folder / "data")
    chosen = [
        case
        for case in all_cases()
        if options.cases in case.name and options.half in ("", case.half)
    ]
    ends, said = train(chosen, options)
    best = best_skills(chosen, skills_of(ends), known_of_rows(chosen, folder))
    if (
        options.cases or options.half
    ):  # the best of a family may be among the cases that were left out
        best = {
            family: max(reach, known_best().get(family, reach)) for family, reach in best.items()
        }
    results = [
        Judged(
            case,
            seed,
            label(case, ends[case.name][seed], best[case.family]),
            *said[case.name, seed],
        )
        for case in chosen
        for seed in range(options.seeds)
    ]
    if options.write:
        write_labels(chosen, ends, best, options.seeds)
    if options.only_labels:
        print_labels(chosen, ends, best)
        return 0
    counted = document(results)
    if options.write:
        RESULTS.write_text(json.dumps(counted, indent=1) + "\n")
    print(json.dumps(counted, indent=1) if options.json else table(counted))
    if options.misses:
        print_misses(results, ends)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.detection",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cases", default="")
    parser.add_argument("--half", default="", choices=["", "tuned", "untouched"])
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "dlprobe-detection"
    )
    for flag in ("--forget", "--only-labels", "--write", "--json", "--misses"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def train(
    chosen: list[Case], options: argparse.Namespace
) -> tuple[Ends, dict[tuple[str, int], Said]]:
    """Outcomes per case, and what the rules said of each run."""
    ends: Ends = {}
    said = {}
    began = time.monotonic()
    for number, case in enumerate(chosen):
        for seed in range(options.seeds):
            with run_of(case, seed, options.folder, not options.forget) as run:
                ends.setdefault(case.name, []).append(outcome(run))
                said[case.name, seed] = ([], {}) if options.only_labels else judged(run)
        if sys.stderr.isatty():
            print(
                f"\r{number + 1}/{len(chosen)} {case.name} {time.monotonic() - began:.0f} s\033[K",
                end="",
                file=sys.stderr,
            )
    return ends, said


def skills_of(ends: Ends) -> dict[str, list[float]]:
    """Skills per case."""
    return {name: [found.skill for found in case] for name, case in ends.items()}


def known_of_rows(chosen: list[Case], folder: Path) -> dict[str, float]:
    """What repeated rows allow, of each family by its first case."""
    first = {case.family: case for case in reversed(chosen)}
    known = {
        family: known_skill(from_options(None, {**options_of(case, folder), "seed": "0"}))
        for family, case in first.items()
    }
    return {family: reach for family, reach in known.items() if math.isfinite(reach)}


def known_best() -> dict[str, float]:
    """Best skills of the last full run, for runs of some cases only."""
    return dict(json.loads(OUTCOMES.read_text())["best"]) if OUTCOMES.exists() else {}


def write_labels(chosen: list[Case], ends: Ends, best: dict[str, float], seeds: int) -> None:
    cases = {
        case.name: {
            "half": case.half,
            "published": case.published,
            "skills": [to_json(found.skill) for found in ends[case.name]],
            "excess": [to_json(found.excess) for found in ends[case.name]],
            "labels": [label(case, found, best[case.family]) for found in ends[case.name]],
        }
        for case in chosen
    }
    OUTCOMES.write_text(
        json.dumps(
            {
                "seeds": seeds,
                "best": {key: to_json(value) for key, value in best.items()},
                "cases": cases,
            },
            indent=1,
        )
        + "\n"
    )


def print_labels(chosen: list[Case], ends: Ends, best: dict[str, float]) -> None:
    for case in chosen:
        found = ends[case.name]
        labels = ",".join(label(case, each, best[case.family]) for each in found)
        numbers = " ".join(f"{each.skill:.2f}:{each.excess:.2g}" for each in found)
        print(
            f"{case.half[0]} {case.name:42} {case.published[:34]:34} {labels:8} {numbers} / "
            f"{best[case.family]:.2f}"
        )


def print_misses(results: list[Judged], ends: Ends) -> None:
    for each in results:
        named = [code for code, severity in each.codes if severity != "info"]
        reach = ends[each.case.name][each.seed].skill
        if each.label == "learned" and named:
            print(
                f"ACCUSED   {each.case.name} seed {each.seed} skill {reach:.2f}: {' '.join(named)}"
            )
        elif each.label == "ill" and not each.right:
            word = "NOT NAMED" if not named else "OTHER    "
            print(
                f"{word} {each.case.name} seed {each.seed} skill {reach:.2f}: "
                f"{' '.join(named)} (accepted: {' '.join(each.case.accepted)})"
            )
    if any(math.isinf(found.skill) for case in ends.values() for found in case):
        print("(a skill of -inf: the run diverged)")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
