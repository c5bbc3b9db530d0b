"""`python -m tests.detection.diagnoses`: what the diagnosis says of every case, and whether all
commands say the same of it.

--seeds 1             seeds 0 … of every case
--cases TEXT          only cases whose name holds TEXT
--folder DIR          where runs are kept, the same as that of `python -m tests.detection`
--agree               ask every command too, and compare their words
--list                list every ill run with its cause, right or not

Counted: of ill runs, how many have a cause that the case accepts, another one, an unknown one, and
    none because nothing was found; of runs that learned, how many are accused.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from dlprobe.rules import Diagnosis, diagnose, judge

from .cases import Case, all_cases
from .datasets import write_all
from .outcome import label, outcome
from .training import run_of

HERE = Path(__file__).parent


def main() -> int:
    """Train what is not there, diagnose, count."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.detection.diagnoses",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--cases", default="")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "dlprobe-detection"
    )
    for flag in ("--agree", "--list"):
        parser.add_argument(flag, action="store_true")
    options = parser.parse_args()
    write_all(options.folder / "data")
    best = json.loads((HERE / "outcomes.json").read_text())["best"]
    counts: Counter[str] = Counter()
    disagreeing = 0
    for case in (each for each in all_cases() if options.cases in each.name):
        for seed in range(options.seeds):
            with run_of(case, seed, options.folder) as run:
                found = diagnose(run, judge(run), "run.h5")
                said = label(case, outcome(run), best[case.family])
                known = verdict(case, said, found)
                counts[known] += 1
                if options.list and said == "ill":
                    print(
                        f"{known:24} {case.name} {seed}: {found.state.name}; {told(found)} "
                        f"(accepted: {' '.join(case.accepted)})"
                    )
                elif options.list and known.startswith("learned: accused"):
                    print(f"{known:24} {case.name} {seed}: {found.state.name}; {told(found)}")
            if options.agree and (difference := disagreement(path_of(case, seed, options.folder))):
                print(f"DISAGREE {case.name} {seed}: {difference}")
                disagreeing += 1
    for name, count in sorted(counts.items()):
        print(f"{count:5}  {name}")
    return int(disagreeing > 0)


def verdict(case: Case, said: str, found: Diagnosis) -> str:
    """One run in a word or two."""
    if said != "ill":
        return f"{said}: {'accused' if found.cause or found.symptoms else 'not accused'}"
    if found.cause is not None:
        return f"ill: {'right cause' if found.cause.code in case.accepted else 'other cause'}"
    return f"ill: {'cause unknown' if found.symptoms or found.cause_unknown else 'nothing found'}"


def told(found: Diagnosis) -> str:
    """Cause and what follows by code."""
    cause = found.cause.code if found.cause else "-"
    parts = {
        "follows": found.follows,
        "symptoms": found.symptoms,
        "others": [each for each in found.others if each.severity != "info"],
    }
    return "; ".join(
        [
            f"cause {cause}",
            *(
                f"{name} {' '.join(each.code for each in findings)}"
                for name, findings in parts.items()
                if findings
            ),
        ]
    )


def path_of(case: Case, seed: int, folder: Path) -> Path:
    """The journal that `run_of` keeps."""
    return next(folder.glob(f"{case.name}-????????-{seed}.journal"))


def disagreement(journal: Path) -> str:
    """Where the commands say different things of one run; empty where they agree."""
    from command_line import dlprobe

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.h5"
        shutil.copy(journal, f"{path}.journal")
        records = {
            "check": dlprobe("check", str(path), "--format", "json", "--exit-zero").data["runs"][0][
                "diagnosis"
            ],
            "inspect": dlprobe("inspect", str(path), "--format", "json").data["diagnosis"],
            "diff": dlprobe("diff", str(path), str(path), "--format", "json").data["pairs"][0][
                "diagnosis"
            ]["b"],
        }
        concise = dlprobe("check", str(path), "--format", "concise", "--exit-zero").out
    first = records["check"]
    different = [name for name, record in records.items() if record != first]
    if f"{path}: {first['state']}: {first['reason']}" not in concise:
        different.append("concise")
    return ", ".join(different)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(HERE.parent))
    sys.exit(main())
