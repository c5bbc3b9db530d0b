"""`python -m tests.detection.prescribe`: does trying the remedies cure the ill cases?

Every case whose committed labels are ill in every seed, in an order shuffled by a fixed seed, so
that the first ones are a fair sample. The findings of its first run name the remedies; each change,
in the order of `prescribe`, is trained from the same data for as many epochs or steps. It cures
where the outcome label is `learned` in 4 of 5 seeds; the second seed that is not ends the try, the
first cure ends the case. Where none cures, the second round of `prescribe` follows. Changes of the
budget are left out. Cases whose label is known by construction stay out: no training can flip it.

--first N             only the first N cases of the order
--cases TEXT          only cases whose name holds TEXT
--folder DIR          where runs are kept; what is there is not trained again
--dry                 print the changes, train nothing
--write               write the outcome to prescribed.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlprobe.config import RunConfig, from_mapping, to_mapping, with_values
from dlprobe.experiments.treatments import Treatment, further, piled, treated_codes, treatments
from dlprobe.rules import Diagnosis, Finding, diagnose, judge
from dlprobe.runs import Run
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource

from .__main__ import HERE, OUTCOMES
from .cases import Case, all_cases
from .datasets import write_all
from .outcome import label, outcome, to_json
from .scoring import wilson
from .training import run_of, trained_config

PRESCRIBED = HERE / "prescribed.json"
SEEDS, FAILURES = 5, 1  # 4 of 5: one seed may fail
TRIES = 8  # the default of `prescribe`
ORDER_SEED = 20261120


@dataclass(frozen=True)
class Cure:
    """What came of one case.

    patch: the first change that cured, none where nothing did; gone: in how many of its seeds the
        treated findings were gone; second: whether it took the second round.
    """

    case: Case
    codes: tuple[str, ...]
    tried: int
    patch: dict[str, str] | None
    skills: tuple[float, ...] = ()
    gone: int = 0
    second: bool = False

    def line(self) -> str:
        """One line for people."""
        if self.patch is None:
            return (
                f"NOT CURED {self.case.name} ({' '.join(self.codes) or 'no finding'}; "
                f"{self.tried} changes)"
            )
        changed = ", ".join(f"{key} = {value}" for key, value in self.patch.items())
        return (
            f"cured     {self.case.name} ({' '.join(self.codes)}) by {changed} (change "
            f"{self.tried}; findings gone in {self.gone} of {len(self.skills)})"
        )

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {
            "codes": list(self.codes),
            "tried": self.tried,
            "patch": self.patch,
            "skills": [to_json(value) for value in self.skills],
            "gone": self.gone,
            "second_round": self.second,
        }


@dataclass(frozen=True)
class Tried:
    """A change and what came of it: per seed the skill, the findings, and whether it learned."""

    change: Treatment
    skills: tuple[float, ...]
    findings: tuple[tuple[Finding, ...], ...]
    learned: tuple[bool, ...]

    @property
    def cures(self) -> bool:
        """Whether all seeds were trained and one at most did not learn."""
        return len(self.skills) == SEEDS and self.learned.count(False) <= FAILURES


def main() -> int:
    """Treat, count, print."""
    options = parse()
    write_all(options.folder / "data")
    committed = json.loads(OUTCOMES.read_text(encoding="utf-8"))
    chosen = [case for case in shuffled(committed) if options.cases in case.name][: options.first]
    cures = []
    for case in chosen:
        config, found = ill_run(case, options.folder)
        findings = findings_of(found)
        codes, changes = (
            treated_codes(findings),
            equal_budget(
                config, treatments(config, findings, TRIES, cause=found.cause, failed=True)
            ),
        )
        if options.dry:
            print(
                case.name,
                " ".join(codes),
                *(dict(each.remedy.patch) for each in changes if each.remedy),
                sep="\n    ",
            )
            continue
        together = equal_budget(
            config, [each for each in [piled(config, findings)] if each is not None]
        )
        cures.append(
            treat(case, codes, changes, together, committed["best"][case.family], options.folder)
        )
        print(cures[-1].line(), flush=True)
    if cures:
        print(json.dumps(summary(cures)))
    if options.write:
        PRESCRIBED.write_text(text_of(cures), encoding="utf-8")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.detection.prescribe",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--first", type=int, default=None)
    parser.add_argument("--cases", default="")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "dlprobe-detection"
    )
    for flag in ("--dry", "--write"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def shuffled(committed: dict[str, Any]) -> list[Case]:
    """The ill cases, in an order that does not depend on the order they are written in."""
    found = [
        case
        for case in all_cases()
        if not case.label
        and set(committed["cases"].get(case.name, {"labels": ()})["labels"]) == {"ill"}
    ]
    random.Random(ORDER_SEED).shuffle(found := sorted(found, key=lambda case: case.name))
    return found


def ill_run(case: Case, folder: Path) -> tuple[RunConfig, Diagnosis]:
    """Configuration of the first run with its data held fast, and its diagnosis."""
    with run_of(case, 0, folder) as run:
        config = from_mapping(run.config)
        return with_values(config, {"data.data_seed": config.resolved_data_seed}), diagnose(
            run, judge(run), case.name
        )


def findings_of(found: Diagnosis) -> list[Finding]:
    """From the cause downstream, as `prescribe` takes them."""
    return [
        *([] if found.cause is None else [found.cause]),
        *found.symptoms,
        *found.others,
        *found.follows,
    ]


def equal_budget(config: RunConfig, changes: list[Treatment]) -> list[Treatment]:
    """Those that train no longer."""
    budget = config.training.epochs, config.training.steps
    return [
        each
        for each in changes
        if (each.config.training.epochs, each.config.training.steps) == budget
    ]


def treat(
    case: Case,
    codes: tuple[str, ...],
    changes: list[Treatment],
    together: list[Treatment],
    reachable: float,
    folder: Path,
) -> Cure:
    """Try the changes until one cures; where none does, those of the second round, at last the
    first ones of all findings together.
    """
    tried: list[Tried] = []
    for second in (False, True):
        for change in [*changes_of_round(changes, tried), *together] if second else changes:
            tried.append(trained_change(change, case, reachable, folder))
            if tried[-1].cures:
                return cure_of(case, codes, len(tried), tried[-1], second)
    return Cure(case, codes, len(tried), None)


def changes_of_round(changes: list[Treatment], tried: list[Tried]) -> list[Treatment]:
    """The second round, as `prescribe` does it: the change that helped most, joined with
    further ones.
    """
    best = max(tried, key=lambda each: float(np.median(each.skills)), default=None)
    if best is None:
        return []
    return equal_budget(best.change.config, further(best.change, best.findings[0], changes, TRIES))


def trained_change(change: Treatment, case: Case, reachable: float, folder: Path) -> Tried:
    """Train until all seeds are done or too many failed."""
    skills: list[float] = []
    findings, learned = [], []
    for seed in range(SEEDS):
        with run_of_change(change.config, seed, folder) as run:
            found = outcome(run)
            skills.append(found.skill)
            learned.append(label(case, found, reachable) == "learned")
            findings.append(tuple(judge(run).findings))
        if learned.count(False) > FAILURES:
            break
    return Tried(change, tuple(skills), tuple(findings), tuple(learned))


def run_of_change(config: RunConfig, seed: int, folder: Path) -> Run:
    """From the folder, or trained and kept there."""
    seeded = with_values(config, {"training.seed": seed})
    digest = hashlib.sha256(
        json.dumps(to_mapping(seeded), sort_keys=True, default=str).encode()
    ).hexdigest()[:16]
    path = folder / f"change-{digest}.journal"
    if not path.exists():
        path.write_bytes(trained_config(seeded))
    return Run(JournalContents(MemorySource(path.read_bytes())))


def cure_of(case: Case, codes: tuple[str, ...], number: int, found: Tried, second: bool) -> Cure:
    """The cure, and in how many seeds the treated findings were gone."""
    gone = sum(
        not set(codes) & {each.code for each in findings if each.severity != "info"}
        for findings in found.findings
    )
    return Cure(
        case,
        codes,
        number,
        dict(found.change.remedy.patch if found.change.remedy else {}),
        found.skills,
        gone,
        second,
    )


def text_of(cures: list[Cure]) -> str:
    """JSON with one line per case."""
    lines = ",\n".join(
        f"  {json.dumps(each.case.name)}: {json.dumps(each.to_json())}" for each in cures
    )
    return f'{{\n "summary": {json.dumps(summary(cures))},\n "cases": {{\n{lines}\n }}\n}}\n'


def summary(cures: list[Cure]) -> dict[str, Any]:
    """The rate with its 95 % interval, by case."""
    cured = sum(each.patch is not None for each in cures)
    low, high = wilson(cured / len(cures), len(cures))
    told = sum(each.patch is not None and each.gone >= SEEDS - FAILURES for each in cures)
    second = sum(each.second for each in cures)
    counts = {"cured": cured, "cases": len(cures), "findings_gone": told, "in_second_round": second}
    return {
        **counts,
        "share": round(cured / len(cures), 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
